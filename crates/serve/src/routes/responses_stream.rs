//! A response as it is said: the events that OpenAI's clients expect of `/v1/responses`, in their order, each with its
//! number. The last holds the whole response, the same as without streaming.

use std::collections::VecDeque;

use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use firsthand_base::Finish;
use firsthand_engine::Answer;
use futures_util::stream;
use serde_json::{Value, json};

use super::responses::{Shell, call_item, message_item, text_part};
use crate::chat::asking::{Answering, Piece};
use crate::chat::tools::{Call, Heard, Listening};
use crate::refusal::Refusal;

/// A response on its way.
struct Streaming {
    shell: Shell,
    answering: Answering,
    listening: Listening,
    /// The answer so far where it is to be one call.
    whole: String,
    /// The message being said: its id and its text.
    open: Option<(String, String)>,
    /// Blanks that are said if words follow them.
    blanks: String,
    output: Vec<Value>,
    queue: VecDeque<(&'static str, Value)>,
    number: u64,
    is_over: bool,
}

/// The response as server-sent events. Dropped when the client goes, it takes the answer with it.
pub(super) fn streamed(shell: Shell, answering: Answering) -> Response {
    let mut streaming = Streaming {
        shell,
        answering,
        listening: Listening::default(),
        whole: String::new(),
        open: None,
        blanks: String::new(),
        output: Vec::new(),
        queue: VecDeque::new(),
        number: 0,
        is_over: false,
    };
    for kind in ["response.created", "response.in_progress"] {
        let response = streaming.shell.object("in_progress", json!([]), Value::Null);
        streaming.tell(kind, json!({"response": response}));
    }
    let events = stream::unfold(streaming, |mut streaming| async move {
        let (kind, data) = streaming.next().await?;
        Some((Ok::<_, std::convert::Infallible>(Event::default().event(kind).data(data)), streaming))
    });
    Sse::new(events).keep_alive(KeepAlive::default()).into_response()
}

impl Streaming {
    async fn next(&mut self) -> Option<(&'static str, String)> {
        loop {
            if let Some((kind, data)) = self.queue.pop_front() {
                return Some((kind, data.to_string()));
            }
            if self.is_over {
                return None;
            }
            match self.answering.next().await {
                Some((_, piece)) => self.take(piece),
                None => self.is_over = true,
            }
        }
    }

    /// Queues an event.
    fn tell(&mut self, kind: &'static str, mut data: Value) {
        data["type"] = kind.into();
        data["sequence_number"] = self.number.into();
        self.number += 1;
        self.queue.push_back((kind, data));
    }

    fn take(&mut self, piece: Piece) {
        match piece {
            Piece::Token(_) => {}
            Piece::Text(text) if self.answering.facts.is_call() => self.whole.push_str(&text),
            Piece::Text(text) if self.answering.facts.has_tools() => {
                self.listening.push(&text).into_iter().for_each(|heard| self.hear(heard));
            }
            Piece::Text(text) => self.say(&text),
            Piece::Over(answer) => self.close(&answer),
            Piece::Failed(refusal) => self.fail(&refusal),
        }
    }

    fn hear(&mut self, heard: Heard) {
        match heard {
            Heard::Words(words) => self.say(&words),
            Heard::Call(call) => self.call(&call),
        }
    }

    fn say(&mut self, words: &str) {
        if self.open.is_none() {
            if words.trim().is_empty() {
                return self.blanks.push_str(words);
            }
            let id = self.shell.app.files.name("msg");
            let at = self.output.len();
            let item = message_item(&id, "in_progress", None);
            self.tell("response.output_item.added", json!({"output_index": at, "item": item}));
            let part = json!({"item_id": id, "output_index": at, "content_index": 0, "part": text_part("")});
            self.tell("response.content_part.added", part);
            self.open = Some((id, String::new()));
        }
        let words = std::mem::take(&mut self.blanks) + words;
        let at = self.output.len();
        if let Some((id, text)) = &mut self.open {
            text.push_str(&words);
            let id = id.clone();
            let delta = json!({"item_id": id, "output_index": at, "content_index": 0, "delta": words, "logprobs": []});
            self.tell("response.output_text.delta", delta);
        }
    }

    /// Ends the message that is being said, if one is.
    fn end_message(&mut self) {
        let Some((id, text)) = self.open.take() else { return };
        let at = self.output.len();
        let place = |name: &str, value: Value| {
            let mut data = json!({"item_id": id, "output_index": at, "content_index": 0});
            data[name] = value;
            data
        };
        let mut done = place("text", text.as_str().into());
        done["logprobs"] = json!([]);
        self.tell("response.output_text.done", done);
        self.tell("response.content_part.done", place("part", text_part(&text)));
        self.end_item(message_item(&id, "completed", Some(&text)));
    }

    fn end_item(&mut self, item: Value) {
        self.tell("response.output_item.done", json!({"output_index": self.output.len(), "item": item}));
        self.output.push(item);
    }

    fn call(&mut self, call: &Call) {
        self.end_message();
        self.blanks.clear();
        let (id, at) = (self.shell.app.files.name("call"), self.output.len());
        let begun = call_item(&id, "in_progress", &Call { arguments: String::new(), ..call.clone() });
        self.tell("response.output_item.added", json!({"output_index": at, "item": begun}));
        let delta = json!({"item_id": id, "output_index": at, "delta": call.arguments});
        self.tell("response.function_call_arguments.delta", delta);
        let done = json!({"item_id": id, "output_index": at, "name": call.name, "arguments": call.arguments});
        self.tell("response.function_call_arguments.done", done);
        self.end_item(call_item(&id, "completed", call));
    }

    fn close(&mut self, answer: &Answer) {
        let is_cut = answer.generation.finish == Finish::Length;
        self.listening.finish(is_cut).into_iter().for_each(|heard| self.hear(heard));
        if let Some(call) = self.answering.facts.tools.forced(&self.whole) {
            self.call(&call);
        }
        self.end_message();
        let output = std::mem::take(&mut self.output);
        let response = self.shell.over(&self.answering.facts, Some(answer), output);
        let kind = match response["status"] == "incomplete" {
            true => "response.incomplete",
            false => "response.completed",
        };
        self.tell(kind, json!({"response": response}));
        self.is_over = true;
    }

    fn fail(&mut self, refusal: &Refusal) {
        let mut response = self.shell.object("failed", json!(self.output), Value::Null);
        response["error"] = json!({"code": refusal.code, "message": refusal.message});
        self.tell("response.failed", json!({"response": response}));
        self.is_over = true;
    }
}
