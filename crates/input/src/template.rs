//! The checkpoint's own chat template, rendered in the environment the reference library gives it. The template
//! decides every word around the conversation; this file only feeds it and reports what it says. Which file it comes from
//! is `template_file`'s business, what is said of tools where it knows none `tools`'.

use std::io;
use std::path::{Path, PathBuf};

use firsthand_base::{Conversation, Message, Part, VideoSource};
use minijinja::value::Value;
use minijinja::{Environment, ErrorKind, context};
use minijinja_contrib::pycompat::unknown_method_callback;

use crate::error::{Error, Result, one_line};
use crate::python;
use crate::template_file::{Source, Sources, find};
use crate::tools::{Takes, in_words};

/// Steps a template may take: more than a hundred for each part of the longest conversation that is read.
const MOST_STEPS: u64 = 8_000_000;
/// Largest prompt, in bytes.
const LARGEST_PROMPT: usize = 256 << 20;
const NAME: &str = "chat";

/// A checkpoint's chat template, and the one for prompts with tools where it has two.
#[derive(Debug)]
pub(crate) struct Template {
    default: Form,
    tool_use: Option<Form>,
}

/// One template.
#[derive(Debug)]
struct Form {
    environment: Environment<'static>,
    path: PathBuf,
    /// Whether the template writes content that is one string, and content that is a list of parts.
    takes_text: bool,
    takes_parts: bool,
    /// What of tools the template writes.
    takes: Takes,
    /// Whether a turn that only calls may have no content, as the reference gives it.
    takes_silence: bool,
    /// What it says for the system where no turn does.
    system: Option<String>,
}

impl Template {
    /// Finds and compiles the templates of a checkpoint, which `sees` images or does not. `tokens` are the special tokens by
    /// role, as templates may use them.
    pub(crate) fn open<'a>(
        dir: &Path,
        sees: bool,
        tokens: impl Iterator<Item = (&'static str, &'a str)>,
    ) -> Result<Template> {
        let Sources { default, tool_use } = find(dir, sees)?;
        let tokens: Vec<(&str, &str)> = tokens.collect();
        let tool_use = tool_use.map(|source| Form::open(source, &tokens)).transpose()?;
        Ok(Template { default: Form::open(default, &tokens)?, tool_use })
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
        let form = if tools.is_empty() { None } else { self.tool_use.as_ref() };
        form.unwrap_or(&self.default).render(conversation, tools, true)
    }

    /// A conversation as it stands, with nothing after its last turn.
    pub(crate) fn render_answered(&self, conversation: &Conversation) -> Result<String> {
        self.default.render(conversation, &[], false)
    }

    pub(crate) fn wrong(&self, what: &str) -> Error {
        self.default.wrong(what)
    }
}

impl Form {
    fn open((path, source): Source, tokens: &[(&'static str, &str)]) -> Result<Form> {
        let mut environment = environment();
        for (role, name) in tokens {
            environment.add_global(*role, *name);
        }
        environment
            .add_template_owned(NAME, without_generation_tags(&source))
            .map_err(|error| Error::checkpoint(&path, format!("chat template: {}", one_line(error))))?;
        let (takes_text, takes_parts, takes) = (true, true, Takes::default());
        let mut form =
            Form { environment, path, takes_text, takes_parts, takes, takes_silence: true, system: None };
        form.probe()?;
        Ok(form)
    }

    fn render(
        &self,
        conversation: &Conversation,
        tools: &[serde_json::Value],
        opens: bool,
    ) -> Result<String> {
        let (conversation, tools) = in_words(conversation, tools, self.takes, self.system.as_deref());
        let messages: Vec<Value> =
            conversation.messages.iter().map(|message| self.message(message)).collect::<Result<_>>()?;
        self.render_all(&messages, tools, opens)
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
        (self.takes, self.takes_silence) = self.probe_tools(&message);
        self.system = self.probe_system(&message);
        Ok(())
    }

    /// What of tools the template writes, after a user's turn, and whether calls need no content beside them.
    fn probe_tools(&self, user: &Value) -> (Takes, bool) {
        let word = "probing";
        let tool = serde_json::json!({"type": "function", "function": {
            "name": word, "description": "", "parameters": {"type": "object", "properties": {}},
        }});
        let told = self.render_all(std::slice::from_ref(user), &[tool], true);
        // Nine letters and digits, which Mistral's templates demand.
        let id = "call00001";
        let function = context! { name => word, arguments => context! {} };
        let calls = vec![context! { id => id, type => "function", function => function }];
        let silent = context! { role => "assistant", tool_calls => calls };
        let spoken = context! { role => "assistant", content => "", tool_calls => calls };
        let writes = |call: &Value| {
            let called = self.render_all(&[user.clone(), call.clone()], &[], true);
            called.is_ok_and(|prompt| prompt.contains(word))
        };
        let takes_silence = writes(&silent);
        let call = if takes_silence { silent } else { spoken };
        let calls = takes_silence || writes(&call);
        let content = self.words("found");
        let after = |role: &str| {
            let result = context! { role => role, content => content, tool_call_id => id, name => "f" };
            let turns = [user.clone(), call.clone(), result];
            self.render_all(&turns, &[], true).ok().filter(|prompt| prompt.contains("found"))
        };
        // A role that is written as any other would be is none that the template knows.
        let results = match (after("tool"), after("elder")) {
            (None, _) => false,
            (Some(_), None) => true,
            (Some(known), Some(unknown)) => known != unknown.replace("elder", "tool"),
        };
        let tools = told.is_ok_and(|prompt| prompt.contains(word));
        (Takes { tools, calls, results: calls && results }, takes_silence)
    }

    /// What the template says for the system where no turn does: a prompt without a system turn, less what stands around the
    /// words of one.
    fn probe_system(&self, user: &Value) -> Option<String> {
        let mark = "probed system";
        let system = context! { role => "system", content => self.words(mark) };
        let with = self.render_values(&[system, user.clone()], true).ok()?;
        let without = self.render_values(std::slice::from_ref(user), true).ok()?;
        let (before, after) = with.split_once(mark)?;
        let words = without.strip_prefix(before)?.strip_suffix(after)?;
        (!words.is_empty()).then(|| words.to_owned())
    }

    /// Words as the template takes them.
    fn words(&self, text: &str) -> Value {
        match self.takes_text {
            true => Value::from(text),
            false => vec![context! { type => "text", text => text }].into(),
        }
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
        let role = ("role".to_owned(), Value::from(message.role.name()));
        // A turn that only calls has no content, as in the reference, which drops what is null.
        let is_silent =
            self.takes_silence && message.parts.is_empty() && message.fields.contains_key("tool_calls");
        let content = (!is_silent).then(|| ("content".to_owned(), content));
        let fields = message.fields.iter().map(|(key, value)| (key.clone(), Value::from_serialize(value)));
        Ok(std::iter::once(role).chain(content).chain(fields).collect())
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

    fn wrong(&self, what: &str) -> Error {
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
