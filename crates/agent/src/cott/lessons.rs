//! Short rows for a model that knows nothing yet: what a long trace asks of it at once, one thing at a time. First to
//! find the letter of an answer that is given in words; then to find the sentence that decides among a few, to say it
//! and when it was, and to answer. No tool is called, and nothing is said that the records do not.

use std::sync::PoisonError;

use firsthand_base::Moment;
use firsthand_memory::Record;
use serde_json::{Value, json};

use super::questions::Asked;
use crate::seeker::{Reading, decisive, told};
use crate::{Error, Memories, Plain, Prompt, Question, Result, information};

/// Other sentences that stand beside the one that decides, at most.
const MOST_OTHERS: usize = 3;

/// One or two rows of ShareGPT for each question: the second where a sentence of the `top` clips that a search finds
/// decides it.
pub fn lesson_rows(asked: &[&Asked], memories: &Memories, prompt: Prompt, top: usize) -> Result<Vec<Value>> {
    let mut rows = Vec::new();
    for (number, Asked { question, gold, .. }) in asked.iter().copied().enumerate() {
        let memory = memories.of(&question.wearer).ok_or_else(|| Error::Tool {
            tool: "memory".into(),
            reason: format!("{} is not remembered", question.wearer),
            remedy: "give the questions of this memory",
        })?;
        let mut memory = memory.lock().unwrap_or_else(PoisonError::into_inner);
        rows.push(row(question, prompt, "named", &question.options[*gold], told(question, *gold, None)));
        let records = Plain::Flat.records(question, &mut memory, top)?;
        if let Some(reading) = decisive(question, *gold, &records) {
            let shown = among(&reading, &records, number);
            rows.push(row(question, prompt, "fact", &shown, told(question, *gold, Some(&reading))));
        }
    }
    Ok(rows)
}

fn row(question: &Question, prompt: Prompt, kind: &str, shown: &str, reply: String) -> Value {
    let user = format!("{}\n{}", information(shown), question.prompt());
    json!({
        "id": format!("{}-{}-{kind}", question.wearer, question.id),
        "system": prompt.plain(),
        "conversations": [{"from": "human", "value": user}, {"from": "gpt", "value": reply}],
    })
}

/// The sentence that decides among up to three others of the same records, in another place each time.
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
