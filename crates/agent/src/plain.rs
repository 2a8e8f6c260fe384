//! A question put in one turn, without tools: with nothing beside it, with what one search for its words finds, or with
//! the summaries of all days. What an agent that looks for itself is measured against, and taught beside.
//!
//! Like the tools, none of them sees anything that ended after the question was asked.

use firsthand_base::{Conversation, Message, Part, Role};
use firsthand_memory::{Level, Memory, Query, Record, Scope};
use serde::{Deserialize, Serialize};

use crate::tools::cut;
use crate::{Error, Prompt, Question, Result, information};

/// What is shown beside the question.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Plain {
    /// Nothing.
    Blind,
    /// The clips that one search for the question's words finds.
    Flat,
    /// The summaries of all days, and of the hours of the day on which it is asked.
    Summaries,
}

impl Plain {
    /// All of them.
    pub const ALL: [Plain; 3] = [Plain::Blind, Plain::Flat, Plain::Summaries];

    /// The name in flags and tables.
    pub fn name(self) -> &'static str {
        match self {
            Plain::Blind => "blind",
            Plain::Flat => "flat",
            Plain::Summaries => "summaries",
        }
    }

    /// The whole conversation: at most `top` clips, at most `most_characters` of each record.
    pub fn conversation(
        self,
        question: &Question,
        memory: &mut Memory,
        prompt: Prompt,
        (top, most_characters): (usize, usize),
    ) -> Result<Conversation> {
        let records = self.records(question, memory, top)?;
        let say = |role, text| Message::new(role, vec![Part::Text(text)]);
        let [system, user] = self.turns(question, &records, prompt, most_characters);
        Ok(Conversation { messages: vec![say(Role::System, system), say(Role::User, user)] })
    }

    /// The records that are shown.
    pub(crate) fn records(self, question: &Question, memory: &mut Memory, top: usize) -> Result<Vec<Record>> {
        match self {
            Plain::Blind => Ok(Vec::new()),
            Plain::Flat => found(question, memory, top),
            Plain::Summaries => summaries(question, memory),
        }
    }

    /// What the system and the user say when these records are shown.
    pub(crate) fn turns(
        self,
        question: &Question,
        records: &[Record],
        prompt: Prompt,
        most_characters: usize,
    ) -> [String; 2] {
        let shown: Vec<String> = records
            .iter()
            .map(|record| format!("{} : {}", record.start, cut(&record.words(), most_characters)))
            .collect();
        let mut text = question.prompt();
        if self != Plain::Blind {
            text = format!("{}\n{text}", information(&shown.join("\n")));
        }
        [prompt.plain().to_owned(), text]
    }
}

fn broken(error: firsthand_memory::Error) -> Error {
    Error::Tool {
        tool: "memory".into(),
        reason: error.to_string(),
        remedy: "check it: firsthand memory check",
    }
}

/// The clips that the question's words find. A question without a word to look for finds none.
fn found(question: &Question, memory: &mut Memory, top: usize) -> Result<Vec<Record>> {
    let query = Query {
        level: Some(Level::Clip),
        wearer: Some(question.wearer.clone()),
        clock: Some(question.clock),
        top,
        ..Query::new(&question.text)
    };
    match memory.recall(&query) {
        Ok(hits) => Ok(hits.into_iter().map(|hit| hit.record).collect()),
        Err(firsthand_memory::Error::Query(_)) => Ok(Vec::new()),
        Err(error) => Err(broken(error)),
    }
}

/// Days that are over, then the hours of the last one that are.
fn summaries(question: &Question, memory: &mut Memory) -> Result<Vec<Record>> {
    let scope = |level, from| Scope {
        level: Some(level),
        wearer: Some(question.wearer.clone()),
        from,
        to: None,
        ended_by: Some(question.clock),
    };
    let mut all = memory.store().range(&scope(Level::Day, None), 64).map_err(broken)?;
    let today = question.clock.midnight();
    all.retain(|day| day.start < today);
    all.extend(memory.store().range(&scope(Level::Hour, Some(today)), 64).map_err(broken)?);
    Ok(all)
}

#[cfg(test)]
#[path = "plain_tests.rs"]
mod tests;
