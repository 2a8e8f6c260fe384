//! A chat request in OpenAI's words, read into the project's own. Nothing that would change an answer is dropped: a
//! field that is not known, or asks for what cannot be done, is refused by name.

use std::ops::Bound;

use firsthand_base::{Conversation, SamplingOptions, StopRules};
use firsthand_input::GenerationDefaults;
use serde_json::{Value, json};

use crate::chat::fields::Fields;
use crate::chat::messages;
use crate::chat::tools::{CLOSE, Tools};
use crate::options::Limits;
use crate::refusal::{Answered, Refusal};

/// Most stop strings of a request.
const MOST_STOPS: usize = 16;
/// Most alternatives that are told in each token's place.
const MOST_TOP: u64 = 20;

/// Fields of vLLM's and OpenAI's interfaces that are not supported, each with the value that means what is done here.
pub(crate) const OFF: [(&str, &str); 38] = [
    ("add_generation_prompt", "true"),
    ("add_special_tokens", "false"),
    ("allowed_token_ids", "[]"),
    ("bad_words", "[]"),
    ("best_of", "1"),
    ("chat_template_kwargs", "{}"),
    ("continue_final_message", "false"),
    ("detokenize", "true"),
    ("documents", "[]"),
    ("echo", "false"),
    ("early_stopping", "false"),
    ("functions", "[]"),
    ("guided_decoding_backend", "\"auto\""),
    ("ignore_eos", "false"),
    ("include_reasoning", "true"),
    ("include_stop_str_in_output", "false"),
    ("length_penalty", "1"),
    ("logits_processors", "[]"),
    ("media_io_kwargs", "{}"),
    ("min_p", "0"),
    ("min_tokens", "0"),
    ("mm_processor_kwargs", "{}"),
    ("priority", "0"),
    ("reasoning", "{}"),
    ("reasoning_effort", "\"none\""),
    ("return_token_ids", "false"),
    ("return_token_strs", "false"),
    ("return_tokens_as_token_ids", "false"),
    ("skip_special_tokens", "true"),
    ("spaces_between_special_tokens", "true"),
    ("stop_token_ids", "[]"),
    ("structured_outputs", "{}"),
    ("suffix", "\"\""),
    ("typical_p", "1"),
    ("use_beam_search", "false"),
    ("vllm_xargs", "{}"),
    ("verbosity", "\"medium\""),
    ("truncation", "\"disabled\""),
];

/// A question, checked.
#[derive(Debug)]
pub(crate) struct Asked {
    pub(crate) model: String,
    pub(crate) conversation: Conversation,
    pub(crate) tools: Tools,
    /// The schema that the answer must follow.
    pub(crate) schema: Option<Value>,
    pub(crate) sampling: SamplingOptions,
    pub(crate) stop: StopRules,
    pub(crate) choices: usize,
    pub(crate) is_streamed: bool,
    /// Whether the stream ends with the usage.
    pub(crate) tells_usage: bool,
    /// Alternatives told with each token; `None` tells no log-probabilities.
    pub(crate) top: Option<usize>,
    /// Whether the manifest is told; by default in answers that are not streamed.
    pub(crate) manifest: Option<bool>,
    /// Whether the prompt's text is told.
    pub(crate) prompt: bool,
}

/// What is read of a request besides its words.
pub(crate) struct Reading<'a> {
    pub(crate) defaults: &'a GenerationDefaults,
    pub(crate) limits: &'a Limits,
}

/// Reads the body of `/v1/chat/completions`.
pub(crate) fn chat(body: Value, reading: &Reading<'_>) -> Answered<Asked> {
    let mut fields = Fields::of(body, "")?;
    let model = fields.string("model")?.unwrap_or_default();
    let tools = Tools::read(fields.take("tools"), fields.take("tool_choice"))?;
    let is_parallel = fields.flag("parallel_tool_calls")?.unwrap_or(true);
    let extras = messages::extras(&mut fields)?;
    let list = fields.take("messages").ok_or_else(|| Refusal::field("messages", "messages: missing"))?;
    let conversation = messages::conversation(list, &extras)?;
    let schema = format(fields.take("response_format"))?;
    let choices = fields.count("n", [1, reading.limits.choices as u64])?.unwrap_or(1) as usize;
    let is_streamed = fields.flag("stream")?.unwrap_or(false);
    let tells_usage = match fields.take("stream_options") {
        None => false,
        Some(_) if !is_streamed => return Err(fields.wrong("stream_options", "only with stream")),
        Some(value) => {
            let mut options = Fields::of(value, "stream_options")?;
            options.ignore(&["include_obfuscation"]);
            options.only_off(&[("continuous_usage_stats", "false")])?;
            let tells = options.flag("include_usage")?.unwrap_or(false);
            options.end()?;
            tells
        }
    };
    let logprobs = fields.flag("logprobs")?.unwrap_or(false);
    let top = fields.count("top_logprobs", [0, MOST_TOP])?;
    if top.is_some_and(|top| top > 0) && !logprobs {
        return Err(fields.wrong("top_logprobs", "only with logprobs: true"));
    }
    let manifest = fields.flag("manifest")?;
    let prompt = fields.flag("prompt_text")?.unwrap_or(false);
    let (sampling, mut stop) = sampling(&mut fields, reading)?;
    if !is_parallel && !tools.offered.is_empty() && !tools.is_forced() {
        // One call is the end of the turn.
        stop.strings.push(CLOSE.to_owned());
    }
    refuse_effects(&mut fields)?;
    fields.end()?;
    if schema.is_some() && tools.is_forced() {
        return Err(Refusal::field(
            "response_format",
            "response_format: not together with a forced tool_choice",
        ));
    }
    let top = logprobs.then(|| top.unwrap_or(0) as usize);
    Ok(Asked {
        model,
        conversation,
        tools,
        schema,
        sampling,
        stop,
        choices,
        is_streamed,
        tells_usage,
        top,
        manifest,
        prompt,
    })
}

/// How tokens are chosen and when to stop: the request over the checkpoint's own settings.
pub(crate) fn sampling(fields: &mut Fields, reading: &Reading<'_>) -> Answered<(SamplingOptions, StopRules)> {
    let defaults = reading.defaults;
    let mut sampling = defaults.sampling.clone();
    let mut given = Vec::new();
    if let Some(temperature) = fields.number("temperature", 0.0..=1e3)? {
        sampling.temperature = temperature as f32;
        given.push("temperature");
        if temperature == 0.0 {
            given.extend(["top_p", "top_k"]);
        }
    }
    if let Some(top_p) = fields.number("top_p", (Bound::Excluded(0.0), Bound::Included(1.0)))? {
        sampling.top_p = top_p as f32;
        given.push("top_p");
    }
    if let Some(value) = fields.take("top_k") {
        // vLLM writes -1 for all tokens.
        let all = (value.as_i64() == Some(-1)).then_some(0);
        let top_k = all.or_else(|| value.as_u64()).filter(|&top_k| top_k <= 1 << 24);
        let wrong =
            || fields.wrong("top_k", "expected a whole number from 0 to 16777216, or -1 for all tokens");
        sampling.top_k = top_k.ok_or_else(wrong)? as usize;
        given.push("top_k");
    }
    if let Some(penalty) = fields.number("repetition_penalty", 1e-3..=1e3)? {
        sampling.repetition_penalty = penalty as f32;
        given.push("repetition_penalty");
    }
    sampling.seed = match fields.take("seed") {
        None => 0,
        Some(value) => {
            let seed = value.as_u64().or_else(|| value.as_i64().map(i64::cast_unsigned));
            seed.ok_or_else(|| fields.wrong("seed", "expected a whole number"))?
        }
    };
    let mut stop = defaults.stop.clone();
    let most = reading.limits.max_tokens as u64;
    let named = [fields.count("max_completion_tokens", [1, most])?, fields.count("max_tokens", [1, most])?];
    if let [Some(_), Some(_)] = named {
        return Err(fields.wrong("max_tokens", "given together with max_completion_tokens; give one of them"));
    }
    let asked = named.into_iter().flatten().next();
    given.extend(asked.map(|_| "max_new_tokens"));
    defaults.check(&given).map_err(|error| Refusal::bad(error.to_string()))?;
    stop.max_tokens = asked.map_or(stop.max_tokens, |asked| asked as usize).min(reading.limits.max_tokens);
    let strings = fields.strings("stop", MOST_STOPS)?;
    if strings.iter().any(|text| text.is_empty() || text.len() > 1024) {
        return Err(fields.wrong("stop", "a stop string has 1 to 1024 bytes"));
    }
    stop.strings.extend(strings);
    Ok((sampling, stop))
}

/// The schema that a `response_format` asks for.
fn format(value: Option<Value>) -> Answered<Option<Value>> {
    let Some(value) = value else { return Ok(None) };
    let mut fields = Fields::of(value, "response_format")?;
    let schema = match fields.string("type")?.as_deref() {
        Some("text") => None,
        Some("json_object") => Some(json!({"type": "object"})),
        Some("json_schema") => {
            let inner = fields.take("json_schema").unwrap_or(Value::Null);
            let mut inner = Fields::of(inner, "response_format.json_schema")?;
            inner.ignore(&["name", "description", "strict"]);
            let schema = inner.take("schema");
            inner.end()?;
            Some(schema.ok_or_else(|| {
                Refusal::field("response_format", "response_format.json_schema.schema: missing")
            })?)
        }
        _ => return Err(fields.wrong("type", "expected text, json_object or json_schema")),
    };
    fields.end()?;
    Ok(schema)
}

/// Drops what has no effect on an answer and refuses what would have one.
pub(crate) fn refuse_effects(fields: &mut Fields) -> Answered<()> {
    fields.ignore(&[
        "user",
        "metadata",
        "safety_identifier",
        "prompt_cache_key",
        "prompt_cache_retention",
        "service_tier",
        "request_id",
        "cache_salt",
    ]);
    fields.only_off(&OFF)?;
    let is_zero = |value: &Value| value.as_f64() == Some(0.0);
    fields.only("frequency_penalty", is_zero, "not supported; use repetition_penalty")?;
    fields.only("presence_penalty", is_zero, "not supported; use repetition_penalty")?;
    fields.only(
        "logit_bias",
        |bias| bias.as_object().is_some_and(serde_json::Map::is_empty),
        "not supported",
    )?;
    fields.only("store", |store| store == &json!(false), "nothing is stored here")?;
    fields.only("modalities", |modes| modes == &json!(["text"]), "answers are text")
}
