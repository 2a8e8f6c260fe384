//! Rows that teach answering in one turn, without tools: each question with what one search finds, with the summaries
//! of all days, and alone. The reply cites the sentence that decides where the records show it, and otherwise is the
//! right letter without a reason: a policy that is asked blind must have learned to guess as well as can be.

use std::sync::PoisonError;

use serde_json::{Value, json};

use super::questions::Asked;
use crate::seeker::{decisive, told};
use crate::{Error, Memories, Plain, Prompt, Result};

/// Three rows of ShareGPT for each question. At most `top` clips of a search are shown, and `most_characters` of each
/// record.
pub fn plain_rows(
    asked: &[&Asked],
    memories: &Memories,
    prompt: Prompt,
    (top, most_characters): (usize, usize),
) -> Result<Vec<Value>> {
    let mut rows = Vec::new();
    for Asked { question, gold, .. } in asked.iter().copied() {
        let memory = memories.of(&question.wearer).ok_or_else(|| Error::Tool {
            tool: "memory".into(),
            reason: format!("{} is not remembered", question.wearer),
            remedy: "give the questions of this memory",
        })?;
        let mut memory = memory.lock().unwrap_or_else(PoisonError::into_inner);
        for plain in Plain::ALL {
            let records = plain.records(question, &mut memory, top)?;
            let [system, user] = plain.turns(question, &records, prompt, most_characters);
            rows.push(json!({
                "id": format!("{}-{}-{}", question.wearer, question.id, plain.name()),
                "system": system,
                "conversations": [
                    {"from": "human", "value": user},
                    {"from": "gpt", "value": told(question, *gold, decisive(question, *gold, &records).as_ref())},
                ],
            }));
        }
    }
    Ok(rows)
}
