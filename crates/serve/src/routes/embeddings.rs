//! `/v1/embeddings`: the mean of the model's last hidden states over a text, with length 1. Good enough to compare
//! texts that a model of this family knows; a model made for retrieval does better.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Request, State};
use base64::Engine as _;
use firsthand_base::ModelInput;
use serde_json::{Value, json};
use tokio::sync::oneshot;

use crate::app::{App, key_of};
use crate::chat::fields::Fields;
use crate::chat::request::refuse_effects;
use crate::refusal::{Answered, Refusal};
use crate::worker::Command;

/// Embeds texts.
pub(crate) async fn embed(State(app): State<Arc<App>>, request: Request) -> Answered<Json<Value>> {
    let key = key_of(&request);
    let mut fields = Fields::of(app.json(request).await?, "")?;
    let ready = app.ready()?;
    app.check_model(&fields.string("model")?.unwrap_or_default())?;
    let inputs = inputs(&mut fields, &app)?;
    let is_base64 = match fields.string("encoding_format")?.as_deref() {
        None | Some("float") => false,
        Some("base64") => true,
        Some(_) => return Err(fields.wrong("encoding_format", "expected float or base64")),
    };
    fields.only("dimensions", |_| false, "the length of these embeddings is fixed")?;
    refuse_effects(&mut fields)?;
    fields.end()?;
    let _ticket = app.gate.enter(key)?;
    let (mut data, mut tokens) = (Vec::new(), 0);
    for (index, ids) in inputs.into_iter().enumerate() {
        let count = ids.len();
        if count == 0 || count > ready.renderer.context_length() {
            let at = format!("input[{index}]");
            let most = ready.renderer.context_length();
            return Err(Refusal::field(at.clone(), format!("{at}: {count} tokens; give 1 to {most}")));
        }
        tokens += count;
        let positions = (0..count as i32).map(|at| [at; 3]).collect();
        let (reply, answer) = oneshot::channel();
        let input = ModelInput { ids, positions, vision: Vec::new() };
        if !app.worker.tell(Command::Embed(input, reply)) {
            return Err(Refusal::unavailable("the model does not answer"));
        }
        let answer = answer.await.map_err(|_| Refusal::unavailable("the model has stopped"))?;
        let vector = unit(answer.map_err(|error| Refusal::internal(&error))?);
        let bytes = || vector.iter().flat_map(|value| value.to_le_bytes()).collect::<Vec<u8>>();
        let embedding = match is_base64 {
            true => Value::from(base64::engine::general_purpose::STANDARD.encode(bytes())),
            false => json!(vector),
        };
        data.push(json!({"object": "embedding", "index": index, "embedding": embedding}));
    }
    Ok(Json(json!({
        "object": "list", "model": app.model, "data": data,
        "usage": {"prompt_tokens": tokens, "total_tokens": tokens},
    })))
}

/// A text, tokens, or a list of either.
fn inputs(fields: &mut Fields, app: &App) -> Answered<Vec<Vec<u32>>> {
    let renderer = app.ready()?.renderer;
    let wrong = |fields: &Fields| fields.wrong("input", "expected a text, tokens, or a list of them");
    let tokens = |value: &Value| -> Option<Vec<u32>> {
        value.as_array()?.iter().map(|id| u32::try_from(id.as_u64()?).ok()).collect()
    };
    let encode = |text: &str| {
        renderer.tokenizer().encode(text).map_err(|error| Refusal::bad(app.public(&error.to_string())))
    };
    let value = fields.take("input").ok_or_else(|| wrong(fields))?;
    if let Value::String(text) = &value {
        return Ok(vec![encode(text)?]);
    }
    if let Some(ids) = tokens(&value).filter(|ids| !ids.is_empty()) {
        return Ok(vec![ids]);
    }
    let list = value.as_array().filter(|list| !list.is_empty()).ok_or_else(|| wrong(fields))?;
    if list.len() > app.options.limits.inputs {
        return Err(fields.wrong("input", &format!("more than {} of them", app.options.limits.inputs)));
    }
    let one = |item: &Value| match item {
        Value::String(text) => encode(text),
        other => tokens(other).ok_or_else(|| wrong(fields)),
    };
    list.iter().map(one).collect()
}

fn unit(mut vector: Vec<f32>) -> Vec<f32> {
    let length = vector.iter().map(|value| f64::from(*value).powi(2)).sum::<f64>().sqrt();
    if length > 0.0 {
        vector.iter_mut().for_each(|value| *value = (f64::from(*value) / length) as f32);
    }
    vector
}
