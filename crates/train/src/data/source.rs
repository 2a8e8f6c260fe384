//! One row of JSON to a row of training data: picks the format's reader and holds what the readers share. Which files
//! rows come from is `dataset`'s business.

use std::path::Path;

use firsthand_base::{Conversation, Message, Part, Role, json};
use firsthand_tasks::{Question, Style};
use serde_json::{Map, Value};

use super::config::{Answers, Format, SourceConfig};
use super::fields::{Fields, Reason};
use super::media::MediaRules;
use super::row::{At, Row};
use super::{ego_r1, messages, share_gpt, st_r1, stvqa, video_r1, world};

/// The rules of one source.
pub(super) struct Reader<'a> {
    pub(super) config: &'a SourceConfig,
    pub(super) media: &'a MediaRules,
}

impl Reader<'_> {
    /// Reads a row that stands at a place of `file`.
    pub(super) fn read(&self, value: &Value, file: &Path, at: At) -> Result<Row, Reason> {
        let mut row = Row {
            conversation: Conversation::default(),
            answers: self.config.answers,
            unlearned: Vec::new(),
            tools: None,
            source: self.config.name.clone(),
            file: file.to_path_buf(),
            at,
            id: None,
            kind: None,
            options: Vec::new(),
            solution: None,
            facts: facts(value),
        };
        let fields = || Fields::of(value, &self.config.columns);
        match self.config.format {
            Format::VideoR1 => video_r1::read(self, fields()?, &mut row)?,
            Format::StR1 => st_r1::read(self, fields()?, &mut row)?,
            Format::ShareGpt => share_gpt::read(self, fields()?, &mut row)?,
            Format::Stvqa => stvqa::read(self, fields()?, &mut row)?,
            Format::Messages => messages::read(self, value, &mut row)?,
            Format::World => world::read(self, value, &mut row)?,
            Format::EgoR1 => ego_r1::read(self, fields()?, &mut row)?,
        }
        check(&row.conversation)?;
        check_learned(&row)?;
        Ok(row)
    }

    /// The system turn: the row's own, else the recipe's, else none.
    pub(super) fn open(&self, row: &mut Row, own: Option<&str>) {
        if let Some(text) = own.or(self.config.system.as_deref()) {
            row.conversation.messages.push(Message::new(Role::System, vec![Part::Text(text.to_owned())]));
        }
    }

    /// A question in a style, with its media.
    pub(super) fn ask(
        &self,
        row: &mut Row,
        style: Style,
        media: Vec<Part>,
        question: &Question<'_>,
    ) -> Result<(), Reason> {
        let prompt = style.prompt(question).map_err(|error| one_line(&error.to_string()))?;
        self.open(row, prompt.system.as_deref());
        let mut parts = media;
        parts.insert(if prompt.media_first { parts.len() } else { 0 }, Part::Text(prompt.user));
        row.conversation.messages.push(Message::new(Role::User, parts));
        Ok(())
    }

    /// The assistant's turn.
    pub(super) fn say(&self, row: &mut Row, text: String) {
        let parts = vec![Part::Text(text)];
        row.conversation.messages.push(Message::new(Role::Assistant, parts));
    }
}

/// The keys of a row without its turns and the bytes of its media.
fn facts(value: &Value) -> Map<String, Value> {
    const LEFT_OUT: [&str; 7] = ["messages", "conversations", "images", "image", "history", "scene", "tools"];
    let all = value.as_object().into_iter().flatten();
    let kept = all.filter(|(key, _)| !LEFT_OUT.contains(&key.as_str()));
    kept.map(|(key, value)| (key.clone(), json::without_odd(value.clone()))).collect()
}

/// A row teaches something: its last turn is the assistant's, and assistants speak in words that are there.
fn check(conversation: &Conversation) -> Result<(), Reason> {
    match conversation.messages.last() {
        Some(last) if last.role == Role::Assistant => {}
        Some(last) => {
            return Err(format!("the last turn is the {}'s; end with the assistant's", last.role.name()));
        }
        None => return Err("no turns".into()),
    }
    for (index, message) in
        conversation.messages.iter().enumerate().filter(|(_, m)| m.role == Role::Assistant)
    {
        // Calls are words too: the chat template writes them.
        let mut words = message.fields.contains_key("tool_calls");
        for part in &message.parts {
            match part {
                Part::Text(text) => words |= !text.trim().is_empty(),
                _ => {
                    return Err(format!(
                        "turn {index}: the assistant shows a medium; only words can be learned"
                    ));
                }
            }
        }
        if !words {
            return Err(format!("turn {index}: the assistant says nothing"));
        }
    }
    Ok(())
}

/// Of the turns that the recipe would learn, the row leaves one.
fn check_learned(row: &Row) -> Result<(), Reason> {
    let turns = row.conversation.messages.iter().filter(|message| message.role == Role::Assistant).count();
    let is_learned = |turn: &usize| !row.unlearned.contains(turn);
    let any = match row.answers {
        Answers::All => (0..turns).any(|turn| is_learned(&turn)),
        Answers::Last => turns.checked_sub(1).as_ref().is_some_and(is_learned),
    };
    match any {
        true => Ok(()),
        false => {
            Err("no turn is learned: the row gives those that would be no weight; leave the row out".into())
        }
    }
}

/// Errors of other rooms carry hints on a line of their own.
pub(super) fn one_line(text: &str) -> String {
    text.split('\n').map(|line| line.trim().trim_start_matches("hint: ")).collect::<Vec<_>>().join("; ")
}
