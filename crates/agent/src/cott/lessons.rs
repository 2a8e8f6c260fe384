//! Short rows for a model that knows nothing yet: what a long trace asks of it at once, one thing at a time. First to
//! find the letter of an answer that is given in words; then to find the sentence that decides among a few, to say it
//! and when it was, and to answer. No tool is called, and nothing is said that the records do not.

use firsthand_base::Moment;
use firsthand_memory::Record;
use serde_json::Value;

use super::plain_rows::row;
use crate::seeker::{Reading, told};
use crate::{Prompt, Question, information};

/// Other sentences that stand beside the one that decides, at most.
const MOST_OTHERS: usize = 3;

/// The answer is given in words.
pub(super) fn named(question: &Question, gold: usize, prompt: Prompt) -> Value {
    lesson(question, prompt, "named", &question.options[gold], told(question, gold, None))
}

/// The sentence that decides stands among others of the same records; `number` says where, and among how many.
pub(super) fn fact(
    question: &Question,
    gold: usize,
    prompt: Prompt,
    reading: &Reading,
    records: &[Record],
    number: usize,
) -> Value {
    let shown = among(reading, records, number);
    lesson(question, prompt, "fact", &shown, told(question, gold, Some(reading)))
}

fn lesson(question: &Question, prompt: Prompt, kind: &str, shown: &str, reply: String) -> Value {
    let user = format!("{}\n{}", information(shown), question.prompt());
    let id = format!("{}-{}-{kind}", question.wearer, question.id);
    row(&id, [prompt.plain().to_owned(), user], reply)
}

fn among(reading: &Reading, records: &[Record], number: usize) -> String {
    let line = |at: Moment, sentence: &str| format!("{at} : {sentence}.");
    let own = line(reading.at, &reading.sentence);
    let words: Vec<(Moment, String)> = records.iter().map(|record| (record.start, record.words())).collect();
    let sentences = words.iter().flat_map(|(at, text)| {
        let each = text.split(['.', '\n']).map(str::trim).filter(|sentence| !sentence.is_empty());
        each.map(|sentence| line(*at, sentence))
    });
    let others: Vec<String> = sentences.filter(|other| *other != own).collect();
    let count = (number % (MOST_OTHERS + 1)).min(others.len());
    let step = others.len() / count.max(1);
    let mut shown: Vec<String> =
        (0..count).map(|i| others[(number + i * step) % others.len()].clone()).collect();
    shown.insert(number / (MOST_OTHERS + 1) % (count + 1), own);
    shown.join("\n")
}
