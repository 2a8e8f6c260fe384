//! Summaries without a model: the sentences of the finer records that say the most in the fewest words, in order, each
//! group under its clock. Nothing is made up, and the same records give the same text, whether a build, a cut at a clock
//! or a forgotten hour asks for it.

use std::collections::HashSet;

use crate::fold::{Gap, letters};
use crate::script::{Class, class};
use crate::terms::DICTIONARY;
use crate::{Level, Record, terms};

/// Words that a summary of a level may have.
fn budget(level: Level) -> usize {
    match level {
        Level::Clip | Level::TenMinutes => 90,
        Level::Hour => 180,
        Level::Day => 320,
        Level::Week => 480,
    }
}

/// A sentence of a part.
struct Sentence<'a> {
    part: usize,
    text: &'a str,
    terms: HashSet<String>,
    words: usize,
    is_speech: bool,
}

/// A summary of a level, put together from sentences of finer records, which come by start.
pub(crate) fn extract(level: Level, parts: &[Record]) -> String {
    let mut all: Vec<Sentence<'_>> = Vec::new();
    let mut seen = HashSet::new();
    for (part, record) in parts.iter().enumerate() {
        let said = (record.level == Level::Clip).then_some(record.transcript.as_deref()).flatten();
        for (is_said, text) in [(false, Some(record.text.as_str())), (true, said)] {
            for text in text.map(sentences).unwrap_or_default() {
                let terms: HashSet<String> = terms(text).into_iter().collect();
                let fresh = seen.insert(text);
                if !terms.is_empty() && fresh {
                    let is_speech = is_said || text.contains('"');
                    all.push(Sentence { part, text, terms, words: count_words(text), is_speech });
                }
            }
        }
    }
    let chosen = choose(&all, budget(level));
    let mut summary = String::new();
    let mut last = None;
    for sentence in chosen.into_iter().map(|index| &all[index]) {
        if last != Some(sentence.part) {
            if !summary.is_empty() {
                summary.push('\n');
            }
            summary.push_str(&label(level, &parts[sentence.part]));
            last = Some(sentence.part);
        }
        if !summary.is_empty() && !summary.ends_with(['\n', ' ']) {
            summary.push(' ');
        }
        summary.push_str(sentence.text);
    }
    summary
}

/// Words of a text: of Han, kana and Hangul two letters are one, of Southeast Asia those of the dictionary are.
fn count_words(text: &str) -> usize {
    let spaced = text.split_whitespace().count();
    if text.is_ascii() {
        return spaced;
    }
    let (mut wide, mut run, mut clustered) = (0, String::new(), 0);
    for letter in letters(text) {
        if letter.class != Class::Clustered || letter.gap != Gap::None {
            clustered += dictionary_words(&std::mem::take(&mut run));
        }
        match letter.class {
            Class::Ideographic | Class::Hangul => wide += 1,
            Class::Clustered => run.push(letter.letter),
            Class::Spaced => {}
        }
    }
    spaced + wide / 2 + clustered + dictionary_words(&run)
}

/// Words of a run without spaces; the first is one already.
fn dictionary_words(run: &str) -> usize {
    if run.is_empty() { 0 } else { DICTIONARY.segment_str(run).count().saturating_sub(2) }
}

/// Greedy cover: the sentence with the most words that nothing chosen says yet, for its length. What people said
/// weighs more, since no picture shows it.
fn choose(sentences: &[Sentence<'_>], budget: usize) -> Vec<usize> {
    let mut known: HashSet<&str> = HashSet::new();
    let mut left = budget;
    let mut chosen: Vec<usize> = Vec::new();
    let mut gains: Vec<f64> = sentences.iter().map(|sentence| gain(sentence, &known)).collect();
    loop {
        let best = (0..sentences.len())
            .filter(|index| sentences[*index].words <= left && gains[*index] > 0.0)
            .max_by(|a, b| gains[*a].total_cmp(&gains[*b]).then(b.cmp(a)));
        let Some(best) = best else { break };
        chosen.push(best);
        left -= sentences[best].words;
        known.extend(sentences[best].terms.iter().map(String::as_str));
        for (index, sentence) in sentences.iter().enumerate() {
            gains[index] = if index == best || gains[index] == 0.0 { 0.0 } else { gain(sentence, &known) };
        }
    }
    // One sentence longer than the budget is better than none.
    if chosen.is_empty() && !sentences.is_empty() {
        chosen.push(0);
    }
    chosen.sort_unstable();
    chosen
}

fn gain(sentence: &Sentence<'_>, known: &HashSet<&str>) -> f64 {
    let new = sentence.terms.iter().filter(|term| !known.contains(term.as_str())).count() as f64;
    new * if sentence.is_speech { 1.5 } else { 1.0 } / (sentence.words as f64).sqrt()
}

/// `09:10 ` before what a part of an hour or a day gives, `DAY3 ` in a week, nothing within ten minutes.
fn label(level: Level, part: &Record) -> String {
    let minutes = part.start.ms_of_day() / 60_000;
    match level {
        Level::Clip | Level::TenMinutes => String::new(),
        Level::Hour | Level::Day => format!("{:02}:{:02} ", minutes / 60, minutes % 60),
        Level::Week => format!("DAY{} ", part.start.day()),
    }
}

/// Full stops after which no blank need follow.
const STOPS: [char; 13] = ['。', '！', '？', '．', '｡', '।', '॥', '۔', '؟', '။', '។', '៕', '։'];

/// Whether a blank ends a sentence here: Thai, Lao, Khmer and Burmese have blanks between sentences and phrases, and
/// around words of other scripts.
fn is_between_phrases(before: &str, after: Option<char>) -> bool {
    let (Some(before), Some(after)) = (before.chars().next_back(), after) else { return false };
    let is_clustered = |letter: char| letter >= '\u{e00}' && class(letter) == Class::Clustered;
    let is_other = |letter: char| letter.is_alphabetic() && !is_clustered(letter);
    (is_clustered(before) || is_clustered(after)) && !is_other(before) && !is_other(after)
}

/// Sentences of a text, labels taken off. Speech in quotation marks is not cut.
pub(crate) fn sentences(text: &str) -> Vec<&str> {
    let mut found = Vec::new();
    for line in text.lines() {
        let line = unlabelled(line.trim());
        let (mut start, mut quoted) = (0, false);
        let mut letters = line.char_indices().peekable();
        while let Some((at, letter)) = letters.next() {
            quoted ^= letter == '"';
            let ends = match letter {
                '.' | '!' | '?' => !quoted,
                '"' => !quoted && line[..at].ends_with(['.', '!', '?']),
                stop if STOPS.contains(&stop) => !quoted,
                ' ' => !quoted && is_between_phrases(&line[..at], letters.peek().map(|(_, next)| *next)),
                _ => false,
            };
            let wide = letter == ' ' || STOPS.contains(&letter);
            let next = letters.peek().map(|(_, next)| *next);
            if ends && (wide || next.is_none_or(char::is_whitespace)) {
                let end = at + letter.len_utf8();
                found.push(line[start..end].trim());
                start = end;
            }
        }
        found.push(line[start..].trim());
    }
    found.retain(|sentence| !sentence.is_empty());
    found
}

/// A line without the `09:10 ` or `DAY3 ` before it.
fn unlabelled(line: &str) -> &str {
    let Some((label, rest)) = line.split_once(' ') else { return line };
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let is_clock = label.len() == 5
        && label.split_once(':').is_some_and(|(hours, minutes)| digits(hours) && digits(minutes));
    let is_day = label.strip_prefix("DAY").is_some_and(digits);
    if is_clock || is_day { rest } else { line }
}

#[cfg(test)]
mod tests {
    use firsthand_base::Moment;
    use proptest::prelude::*;

    use super::*;

    fn part(level: Level, minute: i64, text: &str) -> Record {
        let start = Moment::from_ms(9 * 3_600_000 + minute * 60_000).unwrap();
        Record::new(level, "A1", start, start.plus_ms(30_000), text)
    }

    #[test]
    fn texts_fall_into_sentences() {
        for (text, expect) in [
            ("I walk. I sit!", vec!["I walk.", "I sit!"]),
            (
                "Anna says to me: \"Yes. It is here.\" I nod.",
                vec!["Anna says to me: \"Yes. It is here.\"", "I nod."],
            ),
            ("09:10 I walk at 3.5 km. Then", vec!["I walk at 3.5 km.", "Then"]),
            ("DAY3 我走。我坐。", vec!["我走。", "我坐。"]),
            ("मैं चला। मैं बैठा।", vec!["मैं चला।", "मैं बैठा।"]),
            ("ฉันเดินไปครัว ฉันนั่งลง", vec!["ฉันเดินไปครัว", "ฉันนั่งลง"]),
            ("جلستُ؟ نعم.", vec!["جلستُ؟", "نعم."]),
            ("\"Open\" and never closed. I", vec!["\"Open\" and never closed.", "I"]),
            ("", vec![]),
        ] {
            assert_eq!(sentences(text), expect, "{text:?}");
        }
    }

    #[test]
    fn what_is_new_is_kept_and_what_is_said_again_is_not() {
        let parts = [
            part(Level::Clip, 0, "I pick up the red cup from the table. I walk to the hall."),
            part(Level::Clip, 1, "I walk to the hall. Ben says to me: \"Please buy milk and eggs.\""),
        ];
        assert_eq!(
            extract(Level::TenMinutes, &parts),
            "I pick up the red cup from the table. I walk to the hall.\nBen says to me: \"Please buy milk and eggs.\""
        );
        let tens =
            [part(Level::TenMinutes, 0, "I read."), part(Level::TenMinutes, 20, "I read.\nI cook rice.")];
        assert_eq!(extract(Level::Hour, &tens), "09:00 I read.\n09:20 I cook rice.");
        let hours = [part(Level::Hour, 0, "09:00 I read.\n09:20 I cook rice.")];
        assert_eq!(extract(Level::Day, &hours), "09:00 I read. I cook rice.");
        assert_eq!(extract(Level::Week, &hours), "DAY1 I read. I cook rice.");
        assert_eq!(extract(Level::Week, &[]), "");
    }

    #[test]
    fn a_summary_keeps_to_its_budget_and_speech_comes_first() {
        let mut text: String = (0..400).map(|i| format!("I look at item{i} near shelf{i}. ")).collect();
        text.push_str("Anna says to me: \"Cleo is my cousin.\"");
        let summary = extract(Level::TenMinutes, &[part(Level::Clip, 0, &text)]);
        assert!(summary.contains("Cleo is my cousin"), "{summary}");
        let words = summary.split_whitespace().count();
        assert!((budget(Level::TenMinutes) - 8..=budget(Level::TenMinutes)).contains(&words), "{words}");
        let wide: String = (0..400).map(|i| format!("我看{i}号的红色杯子。")).collect();
        let summary = extract(Level::TenMinutes, &[part(Level::Clip, 0, &wide)]);
        let words = count_words(&summary);
        assert!((budget(Level::TenMinutes) - 8..=budget(Level::TenMinutes) + 10).contains(&words), "{words}");
        let thai: String = (0..400).map(|i| format!("ฉันเห็นแก้วน้ำสีแดงใบที่{i} ")).collect();
        let summary = extract(Level::TenMinutes, &[part(Level::Clip, 0, &thai)]);
        let words = terms(&summary).len();
        assert!((100..900).contains(&words) && summary.chars().count() < 700, "{words} {summary}");
        let long = "word ".repeat(300);
        assert_eq!(extract(Level::TenMinutes, &[part(Level::Clip, 0, &long)]), long.trim());
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn an_extract_is_made_of_its_sources(
            texts in proptest::collection::vec("([a-d]{1,3}[ .\n]){0,12}", 0..30),
        ) {
            let parts: Vec<Record> =
                texts.iter().enumerate().map(|(i, text)| part(Level::Clip, i as i64, text)).collect();
            let summary = extract(Level::TenMinutes, &parts);
            let known: HashSet<String> = texts.iter().flat_map(|text| terms(text)).collect();
            prop_assert!(terms(&summary).iter().all(|term| known.contains(term)), "{}", summary);
            prop_assert!(summary.split_whitespace().count() <= budget(Level::TenMinutes), "{}", summary);
        }
    }
}
