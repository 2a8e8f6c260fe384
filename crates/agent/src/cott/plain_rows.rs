//! Rows that teach answering in one turn, without tools: each question with what one search finds, with the summaries
//! of all days, and alone. The reply cites the sentence that decides where the records show it, and otherwise is the
//! right letter without a reason: a policy that is asked blind must have learned to guess as well as can be.
//!
//! Beside them lessons, short rows for a model that knows nothing yet (`lessons`), from the same searches.

use std::sync::PoisonError;

use serde_json::{Value, json};

use super::lessons;
use super::questions::Asked;
use crate::seeker::{decisive, told};
use crate::{Error, Memories, Plain, Prompt, Result};

/// Rows of ShareGPT.
#[derive(Debug, Default)]
pub struct PlainRows {
    /// Three for each question.
    pub plain: Vec<Value>,
    /// One or two for each question.
    pub lessons: Vec<Value>,
}

/// The rows of some questions. At most `top` clips of a search are shown, and `most_characters` of each record.
pub fn plain_rows(
    asked: &[&Asked],
    memories: &Memories,
    prompt: Prompt,
    (top, most_characters): (usize, usize),
) -> Result<PlainRows> {
    let mut rows = PlainRows::default();
    for (number, Asked { question, gold, .. }) in asked.iter().copied().enumerate() {
        let memory = memories.of(&question.wearer).ok_or_else(|| Error::Tool {
            tool: "memory".into(),
            reason: format!("{} is not remembered", question.wearer),
            remedy: "give the questions of this memory",
        })?;
        let mut memory = memory.lock().unwrap_or_else(PoisonError::into_inner);
        rows.lessons.push(lessons::named(question, *gold, prompt));
        for plain in Plain::ALL {
            let records = plain.records(question, &mut memory, top)?;
            let reading = decisive(question, *gold, &records);
            let turns = plain.turns(question, &records, prompt, most_characters);
            let reply = told(question, *gold, reading.as_ref());
            rows.plain.push(row(
                &format!("{}-{}-{}", question.wearer, question.id, plain.name()),
                turns,
                reply,
            ));
            if let (Plain::Flat, Some(reading)) = (plain, &reading) {
                rows.lessons.push(lessons::fact(question, *gold, prompt, reading, &records, number));
            }
        }
    }
    Ok(rows)
}

/// A question with its answer in one turn each.
pub(super) fn row(id: &str, [system, user]: [String; 2], reply: String) -> Value {
    json!({
        "id": id,
        "system": system,
        "conversations": [{"from": "human", "value": user}, {"from": "gpt", "value": reply}],
    })
}
