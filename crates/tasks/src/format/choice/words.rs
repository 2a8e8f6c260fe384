//! A reply as words and marks, for the reader of option letters: full-width and decorated letters as plain ones, marks
//! of every script as ASCII ones, LaTeX, Markdown and HTML taken off, and the words that announce, join or deny an
//! option in a few other languages as English ones. Letters of other alphabets that only look Latin stay what they are.

/// A piece of a reply.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Piece {
    /// A word of several letters or digits, in lower case; numbers too.
    Word(String),
    /// One Latin letter by itself, and whether it is a capital.
    Letter(char, bool),
    /// A mark: one of `( ) . , : ; - / = ! ?` and `\n` for the end of a line.
    Mark(char),
}

/// Words of other languages, longer ones first, and English ones that say the same here.
const WORDS: &[(&str, &str)] = &[
    ("正确答案", " answer "),
    ("正確答案", " answer "),
    ("正解", " answer "),
    ("答案", " answer "),
    ("答え", " answer "),
    ("回答", " answer "),
    ("答", " answer "),
    ("而不是", " not "),
    ("不选", " not choose "),
    ("不選", " not choose "),
    ("不正确", " wrong "),
    ("不正確", " wrong "),
    ("不对", " wrong "),
    ("不對", " wrong "),
    ("ではなく", " is not "),
    ("ではありません", " is wrong "),
    ("ではない", " is wrong "),
    ("不是", " not "),
    ("选择", " choose "),
    ("選択肢", " option "),
    ("選択", " choose "),
    ("選擇", " choose "),
    ("选项", " option "),
    ("選項", " option "),
    ("应该", " should "),
    ("應該", " should "),
    ("正确", " correct "),
    ("正確", " correct "),
    ("错误", " wrong "),
    ("錯誤", " wrong "),
    ("因为", " because "),
    ("因為", " because "),
    ("所以", " so "),
    ("因此", " so "),
    ("或者", " or "),
    ("または", " or "),
    ("です", " "),
    ("选", " choose "),
    ("選", " choose "),
    ("或", " or "),
    ("和", " and "),
    ("与", " and "),
    ("項", " option "),
    ("项", " option "),
    ("是", " is "),
    ("为", " is "),
    ("為", " is "),
    ("は", " is "),
    ("对", " correct "),
    ("错", " wrong "),
    ("我", " i "),
    ("정답은", " answer is "),
    ("정답", " answer "),
    ("답은", " answer is "),
    ("답", " answer "),
    ("입니다", " "),
    ("respuesta", " answer "),
    ("resposta", " answer "),
    ("risposta", " answer "),
    ("réponse", " answer "),
    ("antwort", " answer "),
    ("ответ", " answer "),
    ("opción", " option "),
    ("opção", " option "),
    ("opzione", " option "),
];

/// A Latin letter in a circle, a box, of full width or of a mathematical alphabet as the plain letter.
fn plain_letter(c: char) -> Option<char> {
    /// First letter of an alphabet in code points, and whether the 26 capitals are followed by 26 small letters.
    const ALPHABETS: [(u32, bool, char); 9] = [
        (0xFF21, false, 'A'),
        (0xFF41, false, 'a'),
        (0x24B6, true, 'A'),
        (0x1F130, false, 'A'),
        (0x1F150, false, 'A'),
        (0x1F170, false, 'A'),
        (0x1D400, true, 'A'),
        (0x1D5D4, true, 'A'),
        (0x1D670, true, 'A'),
    ];
    let code = u32::from(c);
    ALPHABETS.iter().find_map(|&(first, both, letter)| {
        let place = code.checked_sub(first)?;
        match place {
            0..26 => char::from_u32(u32::from(letter) + place),
            26..52 if both => char::from_u32(u32::from('a') + place - 26),
            _ => None,
        }
    })
}

/// A character in plain spelling.
fn plain_char(c: char) -> char {
    match c {
        '\u{201c}' | '\u{201d}' | '«' | '»' | '「' | '」' | '『' | '』' | '„' => '"',
        '\u{2018}' | '\u{2019}' | '´' => '\'',
        '。' | '．' | '｡' => '.',
        '、' | '，' | '､' => ',',
        '：' => ':',
        '；' => ';',
        '（' | '【' | '〔' | '［' | '｛' | '〈' | '《' | '＜' => '(',
        '）' | '】' | '〕' | '］' | '｝' | '〉' | '》' | '＞' => ')',
        '\u{2012}'..='\u{2015}' | '−' | '－' => '\u{2014}',
        '！' => '!',
        '？' => '?',
        '／' => '/',
        '＝' => '=',
        '→' | '⇒' | '➡' => ':',
        '\u{3000}' | '\u{a0}' => ' ',
        c => plain_letter(c).unwrap_or(c),
    }
}

/// A text without markup: commands of LaTeX that only set their argument, tags of HTML, marks of chat templates.
fn without_markup(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let after = &rest[c.len_utf8()..];
        match c {
            '\\' => {
                let name = after.bytes().take_while(u8::is_ascii_alphabetic).count();
                // "\(", "\)", "\[", "\]" open and close mathematics; of "\text{A}" the argument stays.
                let length = if name > 0 { name } else { after.chars().next().map_or(0, char::len_utf8) };
                plain.push(if after.starts_with('n') && name == 1 { '\n' } else { ' ' });
                rest = &after[length..];
            }
            '<' => {
                let end = after.find('>').filter(|end| *end <= 24);
                let tag = end.map_or("", |end| &after[..end]);
                let name = tag.trim_matches(['/', '|', ' ']).split(' ').next().unwrap_or_default();
                let paired = |name: &str| rest.contains(&format!("</{name}>"));
                let is_markup = tag.starts_with(['/', '|'])
                    || matches!(name, "br" | "strong" | "em" | "span" | "code" | "sub" | "sup")
                    || (name.len() == 1 && paired(name));
                match end.filter(|_| is_markup) {
                    Some(end) => rest = &after[end + 1..],
                    None => {
                        plain.push('(');
                        rest = after;
                    }
                }
            }
            _ => {
                plain.push(c);
                rest = after;
            }
        }
    }
    plain
}

/// Takes a reply apart.
pub(super) fn pieces(reply: &str) -> Vec<Piece> {
    let plain: String = reply.chars().map(plain_char).collect();
    let mut plain = without_markup(&plain);
    for (word, english) in WORDS {
        if plain.contains(word) {
            plain = plain.replace(word, english);
        } else if word.is_ascii() || word.starts_with(|c: char| c.is_uppercase() || c.is_lowercase()) {
            let lower = plain.to_lowercase();
            if lower.len() == plain.len() && lower.contains(word) {
                let at = lower.find(word).unwrap_or_default();
                plain.replace_range(at..at + word.len(), english);
            }
        }
    }
    let chars: Vec<char> = plain.chars().collect();
    let mut found = Vec::new();
    let mut at = 0;
    while at < chars.len() {
        let c = chars[at];
        if c.is_alphanumeric() {
            let end = word_end(&chars, at);
            found.push(word(&chars[at..end]));
            at = end;
            continue;
        }
        match c {
            '(' | '[' | '{' => found.push(Piece::Mark('(')),
            ')' | ']' | '}' | '>' => found.push(Piece::Mark(')')),
            '\u{2014}' | '-' => found.push(Piece::Mark('-')),
            '.' | ',' | ':' | ';' | '/' | '=' | '!' | '?' | '\n' => found.push(Piece::Mark(c)),
            '|' => found.push(Piece::Mark('/')),
            '&' => found.push(Piece::Word("and".to_owned())),
            _ => {}
        }
        at += 1;
    }
    found
}

/// Letters and digits of a longer word; each Han, kana, Hangul or Thai character is a word by itself.
fn is_joined(c: char) -> bool {
    c.is_alphanumeric() && !is_alone(c)
}

fn is_alone(c: char) -> bool {
    matches!(u32::from(c), 0x0E00..=0x0EFF | 0x1000..=0x109F | 0x1780..=0x17FF | 0x3040..=0x30FF | 0x3400..=0x9FFF | 0xAC00..=0xD7AF)
}

/// Where a word ends. Apostrophes, hyphens and underscores within it belong to it, and so do full stops of "e.g." and
/// "3.5", and signs right behind it, as in "C++" and "C#".
fn word_end(chars: &[char], begin: usize) -> usize {
    if is_alone(chars[begin]) {
        return begin + 1;
    }
    let joined = |at: usize| chars.get(at).copied().is_some_and(is_joined);
    let mut end = begin;
    while end < chars.len() {
        let inner = match chars[end] {
            c if is_joined(c) => true,
            '\'' | '-' | '_' | '@' => joined(end + 1) && end > begin,
            '.' => {
                let (before, after) = (chars[end - 1], chars.get(end + 1).copied().unwrap_or(' '));
                // "e.g", "3.5", but "A.cup" and "B.C" are letters with marks.
                let short = |at: usize| !joined(at + 1) || chars.get(at + 1) == Some(&'.');
                let first_alone = end == begin + 1 || chars[end - 2] == '.';
                (before.is_ascii_digit() && after.is_ascii_digit())
                    || (before.is_ascii_lowercase() && after.is_ascii_lowercase() && first_alone && short(end + 1))
                    // The last stop of "e.g."
                    || (end == begin + 3 && chars[begin + 1] == '.' && before.is_ascii_lowercase())
            }
            '+' | '#' => end == begin + 1,
            _ => false,
        };
        if !inner {
            break;
        }
        end += 1;
    }
    end
}

fn word(chars: &[char]) -> Piece {
    match chars {
        [c] if c.is_ascii_alphabetic() => Piece::Letter(c.to_ascii_uppercase(), c.is_ascii_uppercase()),
        _ => Piece::Word(chars.iter().collect::<String>().to_lowercase()),
    }
}

/// Letters without their case.
pub(super) fn small(piece: Piece) -> Piece {
    match piece {
        Piece::Letter(letter, _) => Piece::Letter(letter, false),
        other => other,
    }
}
