//! Lists of words with times, as whisperX and the OpenAI API give them: put together to lines as people speak. A word
//! without times stands with the words around it.

use super::Said;

/// A pause longer than this begins a new line.
const PAUSE_MS: i64 = 1_000;
/// A line is cut before it is longer.
const LONGEST_MS: i64 = 15_000;

/// A word, with blanks as they were.
#[derive(Clone, Debug)]
pub(super) struct Word {
    pub times: Option<(i64, i64)>,
    pub text: String,
    pub speaker: String,
}

/// From the first start to the last end of words that have times.
pub(super) fn extent(words: &[Word]) -> Option<(i64, i64)> {
    let start = words.iter().filter_map(|word| Some(word.times?.0)).min()?;
    Some((start, words.iter().filter_map(|word| Some(word.times?.1)).max().unwrap_or(start)))
}

/// Who says words: whoever is named first.
pub(super) fn speaker(words: &[Word]) -> &str {
    words.iter().map(|word| word.speaker.as_str()).find(|name| !name.is_empty()).unwrap_or_default()
}

/// Words as one text. Words of some tools bring their blanks along; scripts that need none get none.
pub(super) fn text(words: &[Word]) -> String {
    let bring_blanks =
        words.iter().skip(1).any(|word| word.text.starts_with(' ') || word.text.ends_with(' '));
    let mut text = String::new();
    for word in words {
        let is_spaced = |letter: Option<char>| letter.is_some_and(|letter| letter < '\u{2e80}');
        let needs_blank = is_spaced(text.chars().last()) || is_spaced(word.text.trim().chars().next());
        if !text.is_empty() && !bring_blanks && needs_blank {
            text.push(' ');
        }
        text.push_str(&word.text);
    }
    super::one_line(&text)
}

/// Lines of words that belong together. Words before the first one with times are left out if none has any.
pub(super) fn lines(words: &[Word]) -> Vec<Said> {
    let mut said: Vec<Said> = Vec::new();
    let (mut begins, mut started, mut ended): (usize, Option<i64>, i64) = (0, None, 0);
    let mut speaker = "";
    for (index, word) in words.iter().enumerate() {
        let before = index.checked_sub(1).filter(|before| *before >= begins).map(|before| &words[before]);
        let start = word.times.map(|(start, _)| start);
        let is_over = before.is_some_and(|before| {
            before.text.trim_end().ends_with(['.', '?', '!', '。', '？', '！', '।', '؟'])
                || (!speaker.is_empty() && !word.speaker.is_empty() && speaker != word.speaker)
                || start.is_some_and(|start| {
                    started.is_some_and(|from| start > ended + PAUSE_MS || start > from + LONGEST_MS)
                })
        });
        if is_over {
            said.extend(line(&words[begins..index], ended));
            (begins, started, speaker) = (index, None, "");
        }
        if speaker.is_empty() {
            speaker = &word.speaker;
        }
        if let Some((start, end)) = word.times {
            started.get_or_insert(start);
            ended = ended.max(end);
        }
    }
    said.extend(line(&words[begins..], ended));
    said
}

/// One line; without any time of its own it stands where the words before it ended.
fn line(words: &[Word], ended: i64) -> Option<Said> {
    let (start_ms, end_ms) = extent(words).unwrap_or((ended, ended));
    let text = text(words);
    let speaker = speaker(words);
    (!text.is_empty()).then(|| Said {
        start_ms,
        end_ms: end_ms.max(start_ms),
        text: format!("{speaker}{text}"),
    })
}
