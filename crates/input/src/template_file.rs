//! Which of a checkpoint's files holds its chat template, in the reference's order of precedence (transformers 5.23). A
//! checkpoint that sees goes by its processor, a text checkpoint by its tokenizer; leftover files of older versions lose.

use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::error::{Error, Result};
use crate::json::{JsonFile, read_text};

const JINJA: &str = "chat_template.jinja";
const JSON: &str = "chat_template.json";
const FOLDER: &str = "additional_chat_templates";
const PROCESSOR: &str = "processor_config.json";
const TOKENIZER: &str = "tokenizer_config.json";
const DEFAULT: &str = "default";

/// A template's text and the file it came from.
pub(crate) type Source = (PathBuf, String);

/// The templates of a checkpoint.
#[derive(Debug)]
pub(crate) struct Sources {
    pub(crate) default: Source,
    /// The one that text checkpoints may have for prompts with tools.
    pub(crate) tool_use: Option<Source>,
}

/// Templates by name.
#[derive(Clone, Default)]
struct Named(Vec<(String, Source)>);

/// Finds the templates of `dir`. A checkpoint that `sees`: the `chat_template` of processor_config.json, else
/// chat_template.json, else chat_template.jinja and `additional_chat_templates/*.jinja`. A text checkpoint: the folder and
/// chat_template.jinja, else `chat_template` of tokenizer_config.json, several by name where it has several. Where the
/// reference finds none, the other kind's file is taken.
pub(crate) fn find(dir: &Path, sees: bool) -> Result<Sources> {
    let (folder, jinja) = (Named::folder(dir)?, Named::jinja(dir)?);
    let legacy = Named::json(dir, JSON)?;
    if sees && legacy.is_some() && !folder.0.is_empty() {
        let what =
            format!("{JSON} stands beside the folder {FOLDER}, and only one of them can hold; remove one");
        return Err(Error::checkpoint(dir, what));
    }
    // Of two that are called default, a processor takes the file and a tokenizer that of the folder.
    let files = if sees { jinja.with(folder) } else { folder.with(jinja) };
    let files = (!files.0.is_empty()).then_some(files);
    let mut found = match sees {
        true => Named::json(dir, PROCESSOR)?.or(legacy.clone()).or(files),
        false => files,
    };
    if found.is_none() {
        found = Named::json(dir, TOKENIZER)?.or(legacy);
    }
    let Some(named) = found else {
        let what =
            format!("no {JINJA}, {JSON} or chat_template in {TOKENIZER}; fetch the model's own template");
        return Err(Error::checkpoint(dir, what));
    };
    named.sources(sees)
}

impl Named {
    fn jinja(dir: &Path) -> Result<Named> {
        let path = dir.join(JINJA);
        let source = read_text(&path)?;
        Ok(Named(source.map(|source| (DEFAULT.to_owned(), (path, source))).into_iter().collect()))
    }

    fn folder(dir: &Path) -> Result<Named> {
        let Ok(entries) = fs_err::read_dir(dir.join(FOLDER)) else { return Ok(Named::default()) };
        let mut paths = entries.map(|entry| Ok(entry?.path())).collect::<std::io::Result<Vec<_>>>()?;
        paths.sort();
        let mut named = Named::default();
        for path in paths {
            let name = path.file_name().and_then(|name| name.to_str()?.strip_suffix(".jinja"));
            let Some(name) = name.map(str::to_owned) else { continue };
            if let Some(source) = read_text(&path)? {
                named.0.push((name, (path, source)));
            }
        }
        Ok(named)
    }

    /// The `chat_template` of a JSON file: a template, or several by name; a single one needs no name.
    fn json(dir: &Path, name: &str) -> Result<Option<Named>> {
        let Some(file) = JsonFile::open(dir, name)? else { return Ok(None) };
        let named = |name: &str, source: &Value| {
            Some((name.to_owned(), (file.path.clone(), source.as_str()?.to_owned())))
        };
        let found: Vec<_> = match file.get("chat_template") {
            None => return Ok(None),
            Some(source @ Value::String(_)) => named(DEFAULT, source).into_iter().collect(),
            Some(Value::Object(by_name)) => {
                by_name.iter().filter_map(|(name, source)| named(name, source)).collect()
            }
            Some(Value::Array(entries)) => entries
                .iter()
                .filter_map(|entry| named(entry.get("name")?.as_str()?, entry.get("template")?))
                .collect(),
            Some(_) => Vec::new(),
        };
        match found.is_empty() {
            true => Err(file.wrong("chat_template", "a template, or templates by name")),
            false => Ok(Some(Named(found))),
        }
    }

    /// These, and those of `others` whose names are not among them.
    fn with(mut self, others: Named) -> Named {
        for (name, source) in others.0 {
            if self.get(&name).is_none() {
                self.0.push((name, source));
            }
        }
        self
    }

    fn get(&self, name: &str) -> Option<&Source> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, source)| source)
    }

    fn sources(self, sees: bool) -> Result<Sources> {
        let default = self.get(DEFAULT).or(match &self.0[..] {
            [(_, only)] => Some(only),
            _ => None,
        });
        let Some(default) = default.cloned() else {
            let names: Vec<&str> = self.0.iter().map(|(name, _)| name.as_str()).collect();
            let path = self.0.first().map(|(_, (path, _))| path.clone()).unwrap_or_default();
            let what = format!("chat_template: none of {} is named default; rename one", names.join(", "));
            return Err(Error::checkpoint(&path, what));
        };
        // Processors know no second template.
        let tool_use = self.get("tool_use").filter(|_| !sees).cloned();
        Ok(Sources { default, tool_use })
    }
}
