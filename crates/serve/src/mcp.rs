//! The Model Context Protocol: `ask`, `inspect`, and over a memory of days `search_memory`, `look` and `look_at`, each with
//! links to the file, the span and the frame that what it says stands on. Over stdin and stdout, or over HTTP at `/mcp`.

use std::sync::Arc;

use firsthand_agent::{Context, Outcome};
use firsthand_base::MediumId;
use firsthand_tasks::format::ToolCall;
use rmcp::model::{
    CallToolRequestParams, CallToolResponse, CallToolResult, ContentBlock, ErrorData, JsonObject,
    ListToolsResult, PaginatedRequestParams, Resource, ServerCapabilities, ServerConfig, Tool,
};
use rmcp::service::RequestContext;
use rmcp::{RoleServer, ServerHandler};
use serde_json::{Value, json};

use crate::app::{App, brief};
use crate::chat::asking;
use crate::chat::fields::Fields;
use crate::chat::messages;
use crate::chat::reply::gather;
use crate::chat::request::{self, Reading};
use crate::queue::Key;
use crate::refusal::{Answered, Refusal};

/// Most frames that are linked.
const MOST_LINKS: usize = 64;

/// What MCP calls the tools of a memory, and what they are called there.
const OF_MEMORY: [(&str, &str); 3] = [("search_memory", "rag"), ("look", "video_llm"), ("look_at", "vlm")];

/// The tools, for one client.
#[derive(Clone)]
pub(crate) struct Mcp {
    pub(crate) app: Arc<App>,
}

/// What a tool says: words, what they stand on, and the same as a structure.
struct Said {
    words: String,
    links: Vec<Resource>,
    structure: Option<Value>,
}

impl ServerHandler for Mcp {
    fn get_info(&self) -> ServerConfig {
        let mut info = ServerConfig::new(ServerCapabilities::builder().enable_tools().build());
        info.server_info.name = "firsthand".into();
        info.server_info.version = env!("CARGO_PKG_VERSION").into();
        info.instructions = Some(include_str!("mcp.txt").trim().replace("{model}", &self.app.model));
        info
    }

    async fn list_tools(
        &self,
        _: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        Ok(ListToolsResult::with_all_items(self.tools().await?))
    }

    async fn call_tool(
        &self,
        call: CallToolRequestParams,
        _: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        let arguments = Value::Object(call.arguments.unwrap_or_default());
        let said = match &*call.name {
            "ask" => self.ask(arguments).await,
            "inspect" => self.inspect(arguments).await,
            name => {
                let tools = self.tools().await?;
                let names: Vec<&str> = tools.iter().map(|tool| &*tool.name).collect();
                if !names.contains(&name) {
                    let what =
                        format!("there is no tool {:?}; the tools are {}", brief(name), names.join(", "));
                    return Err(ErrorData::invalid_params(what, None));
                }
                self.remember(name, arguments).await
            }
        };
        Ok(match said {
            Ok(Said { words, links, structure }) => {
                let mut content = vec![ContentBlock::text(words)];
                content.extend(links.into_iter().map(ContentBlock::resource_link));
                let mut result = CallToolResult::success(content);
                result.structured_content = structure;
                result.into()
            }
            Err(refusal) => CallToolResult::error(vec![ContentBlock::text(refusal.message)]).into(),
        })
    }
}

fn internal(what: &str) -> ErrorData {
    ErrorData::internal_error(what.to_owned(), None)
}

fn tool(name: &str, about: &str, schema: Value) -> Tool {
    let schema = match schema {
        Value::Object(schema) => schema,
        _ => JsonObject::new(),
    };
    Tool::new(name.to_owned(), about.trim().to_owned(), Arc::new(schema))
}

fn media_schema(has_question: bool) -> Value {
    let whole = json!({"type": "integer", "minimum": 1});
    let mut schema = json!({
        "type": "object",
        "properties": {
            "images": {"type": "array", "items": {"type": "string"}, "description": "locations of images"},
            "videos": {"type": "array", "items": {"type": "string"}, "description": "locations of videos"},
            "frames": whole, "max_pixels": whole, "fps": {"type": "number"},
            "video_start": {"type": "number"}, "video_end": {"type": "number"},
            "damaged": {"enum": ["refuse", "show"], "description": "whether damaged frames are refused or shown"},
        },
        "additionalProperties": false,
    });
    if has_question {
        schema["properties"]["question"] = json!({"type": "string"});
        schema["properties"]["max_tokens"] = whole;
        schema["required"] = json!(["question"]);
    }
    schema
}

/// The messages that the arguments of `ask` and `inspect` are.
fn message(fields: &mut Fields, question: Option<&str>) -> Answered<Value> {
    let mut parts = Vec::new();
    for (key, kind) in [("images", "image_url"), ("videos", "video_url")] {
        for location in fields.strings(key, 64)? {
            parts.push(json!({"type": kind, kind: {"url": location}}));
        }
    }
    if let Some(question) = question {
        parts.push(json!({"type": "text", "text": question}));
    }
    Ok(json!([{"role": "user", "content": parts}]))
}

impl Mcp {
    /// The tools that there are.
    async fn tools(&self) -> Result<Vec<Tool>, ErrorData> {
        let mut tools = vec![
            tool("ask", include_str!("mcp_ask.txt"), media_schema(true)),
            tool("inspect", include_str!("mcp_inspect.txt"), media_schema(false)),
        ];
        if self.app.has_days() {
            let app = self.app.clone();
            let days = tokio::task::spawn_blocking(move || app.days()).await;
            let days = days
                .map_err(|error| internal(&error.to_string()))?
                .map_err(|refusal| internal(&refusal.message))?;
            for described in days.tools.descriptions() {
                let name = OF_MEMORY.iter().find(|(_, own)| *own == described.name).map(|(name, _)| *name);
                let mut schema = described.schema.clone();
                if days.wearers.len() > 1 {
                    schema["properties"]["wearer"] = json!({"type": "string", "enum": days.wearers});
                }
                tools.push(tool(name.unwrap_or(&described.name), &described.about, schema));
            }
        }
        Ok(tools)
    }

    /// Clients of MCP share one place in the queue.
    const KEY: Key = Key::MAX - 2;

    async fn ask(&self, arguments: Value) -> Answered<Said> {
        let mut fields = Fields::of(arguments.clone(), "")?;
        let question =
            fields.string("question")?.ok_or_else(|| Refusal::field("question", "question: missing"))?;
        let messages = message(&mut fields, Some(&question))?;
        let Value::Object(mut body) = arguments else { return Err(Refusal::bad("expected an object")) };
        ["question", "images", "videos"].iter().for_each(|key| drop(body.shift_remove(*key)));
        body.insert("messages".into(), messages);
        let ready = self.app.ready()?;
        let reading =
            Reading { defaults: ready.renderer.generation_defaults(), limits: &self.app.options.limits };
        let asked = request::chat(Value::Object(body), &reading)?;
        let mut answering = asking::begin(&self.app, Mcp::KEY, asked).await?;
        let answers = gather(&mut answering).await?;
        let words = answers.into_iter().next().map(|complete| complete.text).unwrap_or_default();
        let manifest = &answering.facts.manifest;
        let structure = json!({"answer": words, "manifest": manifest});
        Ok(Said { words, links: links(&manifest.media), structure: Some(structure) })
    }

    async fn inspect(&self, arguments: Value) -> Answered<Said> {
        let mut fields = Fields::of(arguments, "")?;
        let messages = message(&mut fields, None)?;
        let conversation = messages::conversation(messages, &messages::extras(&mut fields)?)?;
        fields.end()?;
        let ready = self.app.ready()?;
        let _ticket = self.app.enter(Mcp::KEY)?;
        let none = crate::chat::tools::Tools::read(None, None)?;
        let rendered = asking::render(&self.app, &ready, Mcp::KEY, conversation, &none).await?;
        let mut words = format!("{} tokens", rendered.input.ids.len());
        for medium in &rendered.media {
            let times: Vec<String> =
                medium.frames.iter().map(|frame| format!("{:.3}", frame.time.seconds())).collect();
            let [height, width] = medium.size;
            words += &format!(
                "\n{}: {} frames of {height}x{width} (height x width) at {} s",
                medium.location,
                times.len(),
                times.join(", ")
            );
        }
        let structure = json!({"prompt_tokens": rendered.input.ids.len(), "media": rendered.media});
        Ok(Said { words, links: links(&rendered.media), structure: Some(structure) })
    }

    /// A tool of the memory.
    async fn remember(&self, name: &str, arguments: Value) -> Answered<Said> {
        let own = OF_MEMORY.iter().find(|(known, _)| *known == name).map_or(name, |(_, own)| *own).to_owned();
        let mut arguments = match arguments {
            Value::Object(arguments) => arguments,
            _ => JsonObject::new(),
        };
        let wearer = arguments.shift_remove("wearer").and_then(|name| name.as_str().map(str::to_owned));
        let _ticket = self.app.enter(Mcp::KEY)?;
        let app = self.app.clone();
        let work = move || -> Answered<Said> {
            let days = app.days()?;
            let wearer = wearer.or_else(|| days.wearers.first().cloned()).unwrap_or_default();
            if !days.wearers.contains(&wearer) {
                return Err(Refusal::field("wearer", format!("wearer: one of {}", days.wearers.join(", "))));
            }
            let called =
                days.tools.call(&ToolCall { name: own, arguments }, &Context::new(days.clock, wearer));
            match called.outcome {
                Outcome::Failed(error) => Err(Refusal::bad(match error.remedy {
                    Some(remedy) => format!("{}; {remedy}", error.message),
                    None => error.message,
                })),
                Outcome::Found(observation) => {
                    let seen = observation.evidence.iter().flat_map(|evidence| &evidence.seen);
                    let links =
                        seen.take(MOST_LINKS).map(|seen| span_link(&seen.file, [seen.start_s, seen.end_s]));
                    let structure = json!({"found": observation.value, "evidence": observation.evidence});
                    Ok(Said { words: called.text, links: links.collect(), structure: Some(structure) })
                }
            }
        };
        tokio::task::spawn_blocking(work).await.map_err(|error| Refusal::internal(&error.to_string()))?
    }
}

/// Links to the frames that were looked at: the file with the time as a media fragment, named by the frame's hash.
fn links(media: &[MediumId]) -> Vec<Resource> {
    let frames = media.iter().flat_map(|medium| medium.frames.iter().map(move |frame| (medium, frame)));
    let link = |(medium, frame): (&MediumId, &firsthand_base::FrameId)| {
        let time = frame.time.seconds();
        let uri = match medium.frames.len() {
            1 => file_uri(&medium.location),
            _ => format!("{}#t={time:.3}", file_uri(&medium.location)),
        };
        let mut link = Resource::new(uri, frame.hash.to_hex());
        link.description = Some(format!("frame at {time:.3} s"));
        link
    };
    frames.take(MOST_LINKS).map(link).collect()
}

fn span_link(file: &str, [start_s, end_s]: [f64; 2]) -> Resource {
    let uri = format!("{}#t={start_s:.3},{end_s:.3}", file_uri(file));
    let name = file.rsplit('/').next().unwrap_or(file);
    Resource::new(uri, format!("{name} {start_s:.3}-{end_s:.3} s"))
}

/// A location as a URI.
fn file_uri(location: &str) -> String {
    match location.contains(':') {
        true => location.to_owned(),
        false if location.starts_with('/') => format!("file://{location}"),
        false => format!("firsthand:{location}"),
    }
}
