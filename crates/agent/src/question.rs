//! What is asked, by whom and when. The clock is part of the question: it comes from the person or the file that
//! asks, never from what a model writes.

use firsthand_base::Moment;
use firsthand_tasks::format::choice_among;
use serde::{Deserialize, Serialize};

/// A question about someone's recordings.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Question {
    /// Names it in traces and result files.
    pub id: String,
    /// The words.
    pub text: String,
    /// Options without their letters; none for a question answered in words.
    #[serde(default)]
    pub options: Vec<String>,
    /// When it is asked. Nothing later is looked at.
    pub clock: Moment,
    /// Whose recordings.
    pub wearer: String,
}

/// What an answer comes to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// One of the options, counted from 0.
    Option(usize),
    /// The memory does not hold it, said so.
    NotInMemory,
    /// Words: of a question without options, or words that name none of them.
    Words(String),
}

impl Question {
    /// The first user turn, as the published rows have it: the question, its time, the options with letters.
    pub fn prompt(&self) -> String {
        let mut text = format!("{} <timestamp>{}</timestamp>", self.text.trim(), self.clock);
        for (letter, option) in ('A'..='Z').zip(&self.options) {
            text.push_str(&format!("\n{letter}. {}", option.trim()));
        }
        text
    }

    /// Reads an answer. Answers over several lines, letters with or without the option's words, and the words alone
    /// all name an option.
    pub fn read(&self, answer: &str) -> Verdict {
        let plain = answer.trim().trim_end_matches('.').trim().to_lowercase();
        if ["n/a", "na", "not in memory", "not in the memory"].contains(&plain.as_str()) {
            return Verdict::NotInMemory;
        }
        match choice_among(answer, &self.options) {
            Some(option) if !self.options.is_empty() => Verdict::Option(option),
            _ => Verdict::Words(answer.trim().to_owned()),
        }
    }

    /// What a verdict says to a person.
    pub fn told(&self, verdict: &Verdict) -> String {
        match verdict {
            Verdict::Option(option) => {
                let letter = char::from(b'A' + (*option).min(25) as u8);
                let words = self.options.get(*option).map_or("", String::as_str);
                format!("{letter}. {words}")
            }
            Verdict::NotInMemory => "not in memory".to_owned(),
            Verdict::Words(words) => words.clone(),
        }
    }
}
