//! The rows of a batch: read once to find every id, read again one at a time to ask. A row that is not a question
//! fails when its turn comes; only what makes the whole file unusable (two rows with one id) fails at once.

use std::collections::HashMap;
use std::fmt;
use std::path::Path;

use anyhow::{Context, Result, anyhow, bail};
use firsthand_base::{Conversation, json};
use firsthand_media::Opener;
use firsthand_tasks::Style;
use serde::Deserialize;
use serde_json::Value;

use crate::failure::failure;
use crate::options::media::{MediaRules, Moving};
use crate::options::question::{self, QuestionFlags, StyleFlag, TypeFlag};
use crate::reading;

/// What a row is known by in OUT: its id as JSON, or its line where it has none.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Key {
    /// The id, as JSON text.
    Id(String),
    /// The line, counted from 1.
    Line(usize),
}

/// A row of IN.
pub(super) struct Row {
    pub(super) key: Key,
    pub(super) id: Value,
    pub(super) line: usize,
    /// As it stands in the file; a line that is not UTF-8 fails alone.
    text: Vec<u8>,
}

/// All rows of IN.
pub(super) struct Rows {
    rows: Vec<Row>,
    style: StyleFlag,
    kind: Option<TypeFlag>,
    options: Vec<String>,
}

/// What of a row matters once it is answered.
pub(super) struct Asked {
    pub(super) style: Style,
    pub(super) conversation: Conversation,
    /// What the question offers.
    pub(super) options: Vec<String>,
    pub(super) moving: Vec<Moving>,
    pub(super) extra: Option<Value>,
}

/// A line of IN.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    id: Value,
    messages: Option<Value>,
    media: Option<Media>,
    question: Option<String>,
    style: Option<String>,
    #[serde(rename = "type")]
    kind: Option<String>,
    #[serde(default)]
    options: Vec<String>,
    extra: Option<Value>,
}

#[derive(Deserialize)]
#[serde(untagged, expecting = "media: expected a location, or a list of locations")]
enum Media {
    One(String),
    Several(Vec<String>),
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Key::Id(id) => write!(f, "id {id}"),
            Key::Line(line) => write!(f, "line {line}"),
        }
    }
}

impl Key {
    /// The key of an id, which is a string or an integer.
    pub(super) fn of(id: &Value) -> Option<Key> {
        (id.is_string() || id.is_i64() || id.is_u64()).then(|| Key::Id(id.to_string()))
    }
}

impl Rows {
    /// Reads the file and finds the ids.
    pub(super) fn open(path: &Path, flags: &QuestionFlags) -> Result<Rows> {
        let bytes = reading::bytes(path, reading::LARGEST_QUESTIONS)?;
        let found = json::rows(&bytes).map_err(|what| anyhow!("{what}: {}", path.display()))?;
        let (mut rows, mut lines) = (Vec::new(), HashMap::new());
        for json::Row { line, bytes: text } in found {
            let id = json::read::<Value>(text).ok().and_then(|row| row.get("id").cloned());
            let id = json::without_odd(id.unwrap_or_default());
            let key = Key::of(&id).unwrap_or(Key::Line(line));
            let other = lines.insert(key.clone(), line);
            // Rows of a list may share a line; without an id they fail.
            if let (Key::Id(_), Some(other)) = (&key, other) {
                return Err(failure(
                    format!("lines {other} and {line} have the same {key}: {}", path.display()),
                    "give every row an id of its own",
                ));
            }
            rows.push(Row { key, id, line, text: text.to_owned() });
        }
        if rows.is_empty() {
            return Err(failure(
                format!("no rows: {}", path.display()),
                "write one JSON object per line; see `firsthand batch --help`",
            ));
        }
        Ok(Rows { rows, style: flags.style, kind: flags.kind, options: flags.options.clone() })
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.rows.len()
    }

    /// In the order of the file.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Row> {
        self.rows.iter()
    }

    /// The conversation a row stands for.
    pub(super) fn ask(&self, row: &Row, rules: &MediaRules, opener: &Opener) -> Result<Asked> {
        let line: Line = json::read_object(&row.text).map_err(|fault| {
            let inside = json::nested(&row.text).filter(|_| self.rows.len() == 1);
            let inside = inside.map(|hint| format!("; {hint}")).unwrap_or_default();
            anyhow!("not a row: {}{inside}", fault.from_line(row.line))
        })?;
        if Key::of(&line.id).is_none() {
            let what = format!("id is neither a string nor an integer: {}", json::brief(&line.id));
            bail!(json::explain(&row.text, row.line, "", what));
        }
        let style = match &line.style {
            Some(name) => StyleFlag::named(name).with_context(|| format!("unknown style: {name}"))?,
            None => self.style,
        };
        let kind = match &line.kind {
            Some(name) => Some(TypeFlag::named(name).with_context(|| format!("unknown type: {name}"))?),
            None => self.kind,
        };
        let style = style.style();
        let options = match (&line.question, line.options.is_empty()) {
            (None, _) => Vec::new(),
            (Some(_), true) => self.options.clone(),
            (Some(_), false) => line.options.clone(),
        };
        let conversation = match (&line.messages, &line.question) {
            (Some(messages), None) if line.media.is_none() && line.options.is_empty() => {
                let mut conversation = firsthand_input::read_message_list(messages)?;
                rules.override_all(&mut conversation)?;
                conversation
            }
            (None, Some(text)) => {
                let media = match &line.media {
                    None => Vec::new(),
                    Some(Media::One(location)) => vec![rules.part(location, opener)?],
                    Some(Media::Several(all)) => {
                        all.iter().map(|location| rules.part(location, opener)).collect::<Result<_>>()?
                    }
                };
                question::conversation(
                    style,
                    question::kind_of(kind, &options),
                    text,
                    &options,
                    media,
                    opener,
                )?
            }
            _ => bail!("give either messages, or question with media and options"),
        };
        let moving = Moving::find(&conversation, opener);
        Ok(Asked { style, conversation, options, moving, extra: line.extra.map(json::without_odd) })
    }
}
