//! The checkpoint's own chat template, rendered in the environment the reference library gives it. The template
//! decides every word around the conversation; this file only finds it, feeds it and reports what it says.

use std::io;
use std::path::{Path, PathBuf};

use firsthand_base::{Conversation, Message, Part, VideoSource};
use minijinja::value::Value;
use minijinja::{Environment, ErrorKind, context};
use minijinja_contrib::pycompat::unknown_method_callback;

use crate::error::{Error, Result, one_line};
use crate::json::{JsonFile, read_text};
use crate::python;

/// Steps a template may take: more than a hundred for each part of the longest conversation that is read.
const MOST_STEPS: u64 = 8_000_000;
/// Largest prompt, in bytes.
const LARGEST_PROMPT: usize = 256 << 20;
const NAME: &str = "chat";

/// A checkpoint's chat template.
#[derive(Debug)]
pub(crate) struct Template {
    environment: Environment<'static>,
    path: PathBuf,
    /// Whether the template writes content that is one string, and content that is a list of parts.
    takes_text: bool,
    takes_parts: bool,
    /// Whether the template writes the tools it is given.
    takes_tools: bool,
}

impl Template {
    /// Finds and compiles the template: chat_template.jinja, else chat_template.json, else tokenizer_config.json.
    /// `tokens` are the special tokens by role, as the template may use them.
    pub(crate) fn open<'a>(
        dir: &Path,
        tokens: impl Iterator<Item = (&'static str, &'a str)>,
    ) -> Result<Template> {
        let (path, source) = find(dir)?;
        let mut environment = environment();
        for (role, name) in tokens {
            environment.add_global(role, name);
        }
        environment
            .add_template_owned(NAME, without_generation_tags(&source))
            .map_err(|error| Error::checkpoint(&path, format!("chat template: {}", one_line(error))))?;
        let mut template =
            Template { environment, path, takes_text: true, takes_parts: true, takes_tools: false };
        template.probe()?;
        Ok(template)
    }

    /// The prompt for a conversation, with the opening of the assistant's turn at its end.
    pub(crate) fn render(&self, conversation: &Conversation) -> Result<String> {
        self.render_with(conversation, &[])
    }

    /// The same with tools.
    pub(crate) fn render_with(
        &self,
        conversation: &Conversation,
        tools: &[serde_json::Value],
    ) -> Result<String> {
        self.render_all(&self.messages(conversation)?, tools, true)
    }

    pub(crate) fn takes_tools(&self) -> bool {
        self.takes_tools
    }

    /// A conversation as it stands, with nothing after its last turn.
    pub(crate) fn render_answered(&self, conversation: &Conversation) -> Result<String> {
        self.render_values(&self.messages(conversation)?, false)
    }

    fn messages(&self, conversation: &Conversation) -> Result<Vec<Value>> {
        conversation.messages.iter().map(|message| self.message(message)).collect()
    }

    /// Tries both forms of content on the template, and whether it opens the assistant's turn when asked to.
    fn probe(&mut self) -> Result<()> {
        let word = "probe";
        let text = context! { role => "user", content => word };
        let parts = context! { role => "user", content => vec![context! { type => "text", text => word }] };
        let writes = |message: &Value| match self.render_values(std::slice::from_ref(message), true) {
            // A template that does not know parts writes the list itself, with the quoted key.
            Ok(prompt) => {
                Ok(prompt.contains(word) && !prompt.contains("\"text\"") && !prompt.contains("'text'"))
            }
            Err(error) => Err(error),
        };
        let (from_text, from_parts) = (writes(&text), writes(&parts));
        let message = match (&from_text, &from_parts) {
            (Ok(true), _) => text,
            (_, Ok(true)) => parts,
            (Err(_), _) => return from_text.map(|_| ()),
            _ => {
                return Err(
                    self.wrong("does not write the words of a user's message; use the model's own template")
                );
            }
        };
        (self.takes_text, self.takes_parts) = (matches!(from_text, Ok(true)), matches!(from_parts, Ok(true)));
        let with = self.render_values(std::slice::from_ref(&message), true)?;
        let without = self.render_values(std::slice::from_ref(&message), false)?;
        if with == without {
            let what = "writes no generation prompt (add_generation_prompt changes nothing), so the model would not \
                        know it is its turn; use the model's own template";
            return Err(self.wrong(what));
        }
        let tool = serde_json::json!({"type": "function", "function": {
            "name": "probing", "description": "", "parameters": {"type": "object", "properties": {}},
        }});
        let told = self.render_all(std::slice::from_ref(&message), &[tool], true);
        self.takes_tools = told.is_ok_and(|prompt| prompt.contains("probing"));
        Ok(())
    }

    /// A message as the reference gives it to templates. Words alone are one string, as text-only templates demand;
    /// templates that take both forms write the same for either.
    fn message(&self, message: &Message) -> Result<Value> {
        let only_text: Option<Vec<&str>> = message
            .parts
            .iter()
            .map(|part| match part {
                Part::Text(text) => Some(text.as_str()),
                _ => None,
            })
            .collect();
        let content = match only_text {
            Some(texts) if self.takes_text => Value::from(texts.concat()),
            None if !self.takes_parts => {
                return Err(
                    self.wrong("takes no images or videos; use a vision checkpoint, or its own template")
                );
            }
            _ => message.parts.iter().map(part_value).collect(),
        };
        Ok(context! { role => message.role.name(), content })
    }

    fn render_values(&self, messages: &[Value], add_generation_prompt: bool) -> Result<String> {
        self.render_all(messages, &[], add_generation_prompt)
    }

    fn render_all(
        &self,
        messages: &[Value],
        tools: &[serde_json::Value],
        add_generation_prompt: bool,
    ) -> Result<String> {
        // No tools are none to a template, as in the reference; an empty list would be some.
        let tools = if tools.is_empty() { Value::from(()) } else { Value::from_serialize(tools) };
        let template =
            self.environment.get_template(NAME).expect("the template was added when it was opened");
        let mut out = Bounded(Vec::new());
        let context = context! { messages, add_generation_prompt, tools, documents => () };
        template.render_captured_to(context, &mut out).map_err(|error| self.failed(&error))?;
        String::from_utf8(out.0).map_err(|_| self.wrong("wrote bytes that are not UTF-8"))
    }

    fn failed(&self, error: &minijinja::Error) -> Error {
        let mut reason = error.detail().map_or_else(|| error.to_string(), str::to_owned);
        if error.kind() == ErrorKind::OutOfFuel {
            reason = format!("did not end after {MOST_STEPS} steps");
        }
        let line = error.line().map_or_else(String::new, |line| format!(" (line {line})"));
        Error::checkpoint(
            &self.path,
            format!("chat template refused the conversation: {}{line}", one_line(reason)),
        )
    }

    pub(crate) fn wrong(&self, what: &str) -> Error {
        Error::checkpoint(&self.path, format!("chat template {what}"))
    }
}

/// Image and video parts carry their location, as in the reference; templates only ask which key is there.
fn part_value(part: &Part) -> Value {
    match part {
        Part::Text(text) => context! { type => "text", text => text },
        Part::Image(image) => context! { type => "image", image => image.location },
        Part::Video(video) => match &video.source {
            VideoSource::File(location) => context! { type => "video", video => location },
            VideoSource::Images(locations) => context! { type => "video", video => locations },
        },
    }
}

fn environment() -> Environment<'static> {
    let mut environment = Environment::new();
    environment.set_trim_blocks(true);
    environment.set_lstrip_blocks(true);
    environment.set_fuel(Some(MOST_STEPS));
    environment.set_auto_escape_callback(|_| minijinja::AutoEscape::None);
    environment.set_unknown_method_callback(unknown_method_callback);
    environment.add_filter("tojson", python::tojson);
    environment.add_function("strftime_now", python::strftime_now);
    environment.add_function("raise_exception", |message: String| {
        Err::<Value, _>(minijinja::Error::new(ErrorKind::InvalidOperation, message))
    });
    environment
}

fn find(dir: &Path) -> Result<(PathBuf, String)> {
    let jinja = dir.join("chat_template.jinja");
    if let Some(source) = read_text(&jinja)? {
        return Ok((jinja, source));
    }
    for name in ["chat_template.json", "tokenizer_config.json"] {
        let Some(file) = JsonFile::open(dir, name)? else { continue };
        if let Some(source) = choose(&file)? {
            return Ok((file.path, source));
        }
    }
    let what = "no chat_template.jinja, chat_template.json or chat_template in tokenizer_config.json; \
                fetch the model's own template";
    Err(Error::checkpoint(dir, what))
}

/// A template is a string, or several by name, of which `default` is taken; a single one needs no name.
fn choose(file: &JsonFile) -> Result<Option<String>> {
    use serde_json::Value as Json;
    let named: Vec<(&str, &str)> = match file.get("chat_template") {
        None => return Ok(None),
        Some(Json::String(source)) => return Ok(Some(source.clone())),
        Some(Json::Object(by_name)) => {
            by_name.iter().filter_map(|(name, source)| Some((name.as_str(), source.as_str()?))).collect()
        }
        Some(Json::Array(entries)) => entries
            .iter()
            .filter_map(|e| Some((e.get("name")?.as_str()?, e.get("template")?.as_str()?)))
            .collect(),
        Some(_) => Vec::new(),
    };
    match (named.iter().find(|(name, _)| *name == "default"), &named[..]) {
        (Some((_, source)), _) | (None, [(_, source)]) => Ok(Some((*source).to_owned())),
        (None, []) => Err(file.wrong("chat_template", "a template, or templates by name")),
        (None, several) => {
            let names: Vec<&str> = several.iter().map(|(name, _)| *name).collect();
            let what = format!("chat_template: none of {} is named default; rename one", names.join(", "));
            Err(Error::checkpoint(&file.path, what))
        }
    }
}

/// `{% generation %} .. {% endgeneration %}` marks the assistant's words for training and writes nothing itself;
/// to this engine it is a block that is always taken.
fn without_generation_tags(source: &str) -> String {
    let mut out = String::with_capacity(source.len());
    let mut rest = source;
    while let Some(start) = rest.find("{%") {
        let (before, tag) = rest.split_at(start);
        out.push_str(before);
        let Some(end) = tag.find("%}") else {
            rest = tag;
            break;
        };
        let (tag, after) = tag.split_at(end + 2);
        let word = tag[2..end].trim_matches(|c: char| c.is_whitespace() || c == '-' || c == '+');
        match word {
            "generation" => out.push_str(&tag.replace("generation", "if true")),
            "endgeneration" => out.push_str(&tag.replace("endgeneration", "endif")),
            _ => out.push_str(tag),
        }
        rest = after;
    }
    out.push_str(rest);
    out
}

/// Output that ends with an error instead of filling the memory.
struct Bounded(Vec<u8>);

impl io::Write for Bounded {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.0.len() + bytes.len() > LARGEST_PROMPT {
            return Err(io::Error::other("the prompt is too long"));
        }
        self.0.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
#[path = "template_tests.rs"]
mod tests;
