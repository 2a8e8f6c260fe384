//! Answers in OpenAI's words: one JSON object, or chunks as they come. What the project adds stands under `firsthand`.

use std::collections::BTreeMap;

use axum::Json;
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use firsthand_base::Finish;
use firsthand_engine::{Answer, Told};
use firsthand_input::Renderer;
use futures_util::stream;
use serde_json::{Value, json};

use crate::chat::asking::{Answering, Facts, Piece};
use crate::chat::tools::{Call, Heard, Listening};
use crate::refusal::Answered;

/// How answers are told.
pub(crate) struct Telling {
    pub(crate) id: String,
    pub(crate) created_s: u64,
    pub(crate) model: String,
    pub(crate) tells_usage: bool,
    pub(crate) logprobs: bool,
    pub(crate) manifest: bool,
    /// Whether the prompt's text is told.
    pub(crate) prompt: bool,
    /// What a live session showed and remembered.
    pub(crate) live: Option<Value>,
}

impl Telling {
    /// What the project adds to an answer, if anything.
    fn extras(&self, facts: &Facts) -> Option<Value> {
        let mut extras = serde_json::Map::new();
        if self.manifest {
            extras.insert("manifest".into(), json!(facts.manifest));
        }
        if self.prompt {
            extras.insert("prompt_text".into(), facts.prompt.as_str().into());
        }
        extras.extend(self.live.clone().map(|live| ("live".to_owned(), live)));
        (!extras.is_empty()).then_some(Value::Object(extras))
    }
}

/// One answer as far as it is known.
#[derive(Default)]
pub(crate) struct Complete {
    pub(crate) text: String,
    pub(crate) calls: Vec<Call>,
    tokens: Vec<Value>,
    pub(crate) over: Option<Box<Answer>>,
}

/// All answers to their ends, or the first failure.
pub(crate) async fn gather(answering: &mut Answering) -> Answered<Vec<Complete>> {
    let mut answers: BTreeMap<usize, (Complete, Listening)> = BTreeMap::new();
    while let Some((index, piece)) = answering.next().await {
        let (complete, listening) = answers.entry(index).or_default();
        match piece {
            Piece::Failed(refusal) => return Err(refusal),
            Piece::Token(told) => complete.tokens.push(token(&told, answering.renderer())),
            Piece::Text(text) if answering.facts.has_tools() && !answering.facts.is_call() => {
                for heard in listening.push(&text) {
                    complete.hear(heard);
                }
            }
            Piece::Text(text) => complete.text.push_str(&text),
            Piece::Over(answer) => {
                let is_cut = answer.generation.finish == Finish::Length;
                listening.finish(is_cut).into_iter().for_each(|heard| complete.hear(heard));
                if let Some(call) = answering.facts.tools.forced(&complete.text) {
                    complete.text.clear();
                    complete.calls.push(call);
                }
                complete.over = Some(answer);
            }
        }
    }
    Ok(answers.into_values().map(|(complete, _)| complete).collect())
}

impl Complete {
    fn hear(&mut self, heard: Heard) {
        match heard {
            Heard::Words(words) => self.text.push_str(&words),
            Heard::Call(call) => self.calls.push(call),
        }
    }

    fn finish(&self) -> Value {
        let finish = self.over.as_ref().map(|answer| answer.generation.finish);
        reason(finish, !self.calls.is_empty())
    }
}

/// The whole reply as one object.
pub(crate) async fn whole(telling: &Telling, answering: &mut Answering) -> Answered<Value> {
    let answers = gather(answering).await?;
    let choices: Vec<Value> = answers
        .iter()
        .enumerate()
        .map(|(index, complete)| {
            let content = match complete.text.trim().is_empty() && !complete.calls.is_empty() {
                true => Value::Null,
                false => Value::from(complete.text.as_str()),
            };
            let mut message = json!({"role": "assistant", "content": content, "refusal": null});
            if !complete.calls.is_empty() {
                let calls = complete
                    .calls
                    .iter()
                    .enumerate()
                    .map(|(number, call)| called(telling, index, number, call, false));
                message["tool_calls"] = calls.collect();
            }
            let logprobs =
                if telling.logprobs { json!({"content": complete.tokens, "refusal": null}) } else { Value::Null };
            json!({"index": index, "message": message, "logprobs": logprobs, "finish_reason": complete.finish()})
        })
        .collect();
    let finished = answers.iter().filter_map(|complete| complete.over.as_deref());
    let mut reply = json!({
        "id": telling.id, "object": "chat.completion", "created": telling.created_s, "model": telling.model,
        "choices": choices, "usage": usage(&answering.facts, finished), "system_fingerprint": fingerprint(&answering.facts),
    });
    if let Some(extras) = telling.extras(&answering.facts) {
        reply["firsthand"] = extras;
    }
    Ok(reply)
}

/// The weights that answered, briefly.
fn fingerprint(facts: &Facts) -> String {
    format!("fh_{}", facts.manifest.weights.get(..16).unwrap_or_default())
}

fn called(telling: &Telling, index: usize, number: usize, call: &Call, is_streamed: bool) -> Value {
    let id = format!("call_{}_{index}_{number}", telling.id.rsplit('-').next().unwrap_or_default());
    let function = json!({"name": call.name, "arguments": call.arguments});
    match is_streamed {
        true => json!({"index": number, "id": id, "type": "function", "function": function}),
        false => json!({"id": id, "type": "function", "function": function}),
    }
}

fn reason(finish: Option<Finish>, has_calls: bool) -> Value {
    Value::from(match finish {
        Some(Finish::Length) => "length",
        _ if has_calls => "tool_calls",
        _ => "stop",
    })
}

/// Tokens counted: the prompt once, what was generated in all answers.
pub(crate) fn usage<'a>(facts: &Facts, answers: impl Iterator<Item = &'a Answer>) -> Value {
    let (mut prompt, mut cached, mut new) = (0, usize::MAX, 0);
    for answer in answers {
        prompt = answer.generation.prompt_tokens;
        cached = cached.min(answer.generation.cached_tokens);
        new += answer.generation.new_tokens;
    }
    let cached = if cached == usize::MAX { 0 } else { cached };
    json!({
        "prompt_tokens": prompt, "completion_tokens": new, "total_tokens": prompt + new,
        "prompt_tokens_details": {
            "cached_tokens": cached, "image_tokens": facts.image_tokens, "video_tokens": facts.video_tokens,
            "text_tokens": prompt - facts.image_tokens - facts.video_tokens,
        },
        "completion_tokens_details": {"reasoning_tokens": 0},
    })
}

/// A token with its log-probability and its rivals.
fn token(told: &Told, renderer: &Renderer) -> Value {
    let entry = |id: u32, logprob: f32| {
        // The token's own: a part of a character has bytes and, as text, U+FFFD.
        let bytes = renderer.tokenizer().bytes_of(id);
        json!({"token": String::from_utf8_lossy(&bytes), "bytes": bytes, "logprob": logprob})
    };
    let mut value = entry(told.id, told.logprob);
    value["top_logprobs"] = told.top.iter().map(|(id, logprob)| entry(*id, *logprob)).collect();
    value
}

/// A stream in progress.
struct Streaming {
    telling: Telling,
    answering: Answering,
    answers: BTreeMap<usize, Streamed>,
    finished: Vec<Answer>,
    queue: std::collections::VecDeque<Value>,
    state: End,
}

#[derive(Default)]
struct Streamed {
    listening: Listening,
    tokens: Vec<Value>,
    whole: String,
    calls: usize,
}

/// How far the end of a stream is.
#[derive(PartialEq)]
enum End {
    Open,
    Answered,
    Told,
}

/// The reply as server-sent events. Dropped when the client goes, it takes the answers with it.
pub(crate) fn streamed(telling: Telling, answering: Answering) -> Response {
    let mut streaming = Streaming {
        telling,
        answering,
        answers: BTreeMap::new(),
        finished: Vec::new(),
        queue: Default::default(),
        state: End::Open,
    };
    for index in 0..streaming.answering.left() {
        let open = streaming.chunk(index, json!({"role": "assistant", "content": ""}), Value::Null);
        streaming.queue.push_back(open);
    }
    let events = stream::unfold(streaming, |mut streaming| async move {
        let data = streaming.data().await?;
        Some((Ok::<_, std::convert::Infallible>(Event::default().data(data)), streaming))
    });
    Sse::new(events).keep_alive(KeepAlive::default()).into_response()
}

impl Streaming {
    fn chunk(&self, index: usize, delta: Value, finish: Value) -> Value {
        self.envelope(json!([{"index": index, "delta": delta, "logprobs": null, "finish_reason": finish}]))
    }

    fn envelope(&self, choices: Value) -> Value {
        json!({
            "id": self.telling.id, "object": "chat.completion.chunk", "created": self.telling.created_s,
            "model": self.telling.model, "system_fingerprint": fingerprint(&self.answering.facts), "choices": choices,
        })
    }

    /// The next event's data.
    async fn data(&mut self) -> Option<String> {
        loop {
            if let Some(chunk) = self.queue.pop_front() {
                return Some(chunk.to_string());
            }
            match self.state {
                End::Told => return None,
                End::Answered => {
                    self.state = End::Told;
                    return Some("[DONE]".to_owned());
                }
                End::Open => {}
            }
            match self.answering.next().await {
                Some((index, piece)) => self.take(index, piece),
                None => {
                    if self.telling.tells_usage {
                        let mut last = self.envelope(json!([]));
                        last["usage"] = usage(&self.answering.facts, self.finished.iter());
                        self.queue.push_back(last);
                    }
                    self.state = End::Answered;
                }
            }
        }
    }

    fn take(&mut self, index: usize, piece: Piece) {
        match piece {
            Piece::Failed(refusal) => {
                self.queue.push_back(refusal.body());
                self.state = End::Answered;
            }
            Piece::Token(told) => {
                let token = token(&told, self.answering.renderer());
                self.answers.entry(index).or_default().tokens.push(token);
            }
            Piece::Text(text) if self.answering.facts.is_call() => {
                self.answers.entry(index).or_default().whole.push_str(&text);
            }
            Piece::Text(text) if self.answering.facts.has_tools() => {
                let heard = self.answers.entry(index).or_default().listening.push(&text);
                heard.into_iter().for_each(|heard| self.hear(index, heard));
            }
            Piece::Text(text) => self.hear(index, Heard::Words(text)),
            Piece::Over(answer) => self.close(index, answer),
        }
    }

    fn hear(&mut self, index: usize, heard: Heard) {
        let streamed = self.answers.entry(index).or_default();
        let tokens = std::mem::take(&mut streamed.tokens);
        let delta = match heard {
            Heard::Words(words) => json!({"content": words}),
            Heard::Call(call) => {
                streamed.calls += 1;
                let number = streamed.calls - 1;
                json!({"tool_calls": [called(&self.telling, index, number, &call, true)]})
            }
        };
        let mut chunk = self.chunk(index, delta, Value::Null);
        if self.telling.logprobs {
            chunk["choices"][0]["logprobs"] = json!({"content": tokens, "refusal": null});
        }
        self.queue.push_back(chunk);
    }

    fn close(&mut self, index: usize, answer: Box<Answer>) {
        let mut streamed = self.answers.remove(&index).unwrap_or_default();
        let mut rest = streamed.listening.finish(answer.generation.finish == Finish::Length);
        rest.extend(self.answering.facts.tools.forced(&streamed.whole).map(Heard::Call));
        self.answers.insert(index, streamed);
        rest.into_iter().for_each(|heard| self.hear(index, heard));
        let streamed = self.answers.remove(&index).unwrap_or_default();
        let finish = reason(Some(answer.generation.finish), streamed.calls > 0);
        let mut last = self.chunk(index, json!({}), finish);
        if self.telling.logprobs && !streamed.tokens.is_empty() {
            last["choices"][0]["logprobs"] = json!({"content": streamed.tokens, "refusal": null});
        }
        if let Some(extras) = self.telling.extras(&self.answering.facts) {
            last["firsthand"] = extras;
        }
        self.queue.push_back(last);
        self.finished.push(*answer);
    }
}

/// A whole reply as a response.
pub(crate) fn response(reply: Value) -> Response {
    Json(reply).into_response()
}
