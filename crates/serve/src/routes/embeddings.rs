//! `/v1/embeddings`: by an encoder made for retrieval where the server was given one, else the mean of the model's last
//! hidden states over a text, with length 1: good enough to compare texts that a model of this family knows.

use std::sync::{Arc, PoisonError};

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
use crate::worker::{Command, Ready};

/// A text or the tokens of one.
#[derive(Debug, PartialEq)]
pub(crate) enum Input {
    Text(String),
    Tokens(Vec<u32>),
}

/// A request for embeddings, checked.
#[derive(Debug)]
pub(crate) struct Wanted {
    pub(crate) model: String,
    pub(crate) inputs: Vec<Input>,
    pub(crate) is_base64: bool,
}

/// Reads the body of a request for at most `most` embeddings.
pub(crate) fn read(body: Value, most: usize) -> Answered<Wanted> {
    let mut fields = Fields::of(body, "")?;
    let model = fields.string("model")?.unwrap_or_default();
    let inputs = inputs(&mut fields, most)?;
    let is_base64 = match fields.string("encoding_format")?.as_deref() {
        None | Some("float") => false,
        Some("base64") => true,
        Some(_) => return Err(fields.wrong("encoding_format", "expected float or base64")),
    };
    fields.only("dimensions", |_| false, "the length of these embeddings is fixed")?;
    refuse_effects(&mut fields)?;
    fields.end()?;
    Ok(Wanted { model, inputs, is_base64 })
}

/// A text, tokens, or a list of either.
fn inputs(fields: &mut Fields, most: usize) -> Answered<Vec<Input>> {
    let wrong = |fields: &Fields| fields.wrong("input", "expected a text, tokens, or a list of them");
    let tokens = |value: &Value| -> Option<Input> {
        let ids: Option<Vec<u32>> =
            value.as_array()?.iter().map(|id| u32::try_from(id.as_u64()?).ok()).collect();
        ids.filter(|ids| !ids.is_empty()).map(Input::Tokens)
    };
    let value = fields.take("input").ok_or_else(|| wrong(fields))?;
    if let Value::String(text) = value {
        return Ok(vec![Input::Text(text)]);
    }
    if let Some(ids) = tokens(&value) {
        return Ok(vec![ids]);
    }
    let list = value.as_array().filter(|list| !list.is_empty()).ok_or_else(|| wrong(fields))?;
    if list.len() > most {
        return Err(fields.wrong("input", &format!("more than {most} of them")));
    }
    let one = |item: &Value| match item {
        Value::String(text) => Ok(Input::Text(text.clone())),
        other => tokens(other).ok_or_else(|| wrong(fields)),
    };
    list.iter().map(one).collect()
}

/// Embeds texts.
pub(crate) async fn embed(State(app): State<Arc<App>>, request: Request) -> Answered<Json<Value>> {
    let key = key_of(&request);
    let body = app.json(request).await?;
    let Wanted { model, inputs, is_base64 } = read(body, app.options.limits.inputs)?;
    let ready = app.ready()?;
    let by_encoder = app.encoder.as_ref().is_some_and(|encoder| model.is_empty() || model == encoder.name);
    if !by_encoder {
        app.check_model(&model)?;
    }
    let _ticket = app.enter(key)?;
    let (vectors, tokens) = match by_encoder {
        true => encoded(&app, inputs).await?,
        false => pooled(&app, &ready, inputs).await?,
    };
    app.rates.charge(key, tokens);
    let data = vectors.into_iter().enumerate().map(|(index, vector)| {
        let bytes = || vector.iter().flat_map(|value| value.to_le_bytes()).collect::<Vec<u8>>();
        let embedding = match is_base64 {
            true => Value::from(base64::engine::general_purpose::STANDARD.encode(bytes())),
            false => json!(vector),
        };
        json!({"object": "embedding", "index": index, "embedding": embedding})
    });
    let name = if by_encoder { app.encoder.as_ref().map(|encoder| &encoder.name) } else { None };
    Ok(Json(json!({
        "object": "list", "model": name.unwrap_or(&app.model), "data": data.collect::<Vec<_>>(),
        "usage": {"prompt_tokens": tokens, "total_tokens": tokens},
    })))
}

/// Vectors of the encoder, and how many tokens it read.
async fn encoded(app: &Arc<App>, inputs: Vec<Input>) -> Answered<(Vec<Vec<f32>>, usize)> {
    let texts = inputs.into_iter().enumerate().map(|(index, input)| match input {
        Input::Text(text) if !text.trim().is_empty() => Ok(text),
        Input::Text(_) => Err(Refusal::field(format!("input[{index}]"), format!("input[{index}]: empty"))),
        Input::Tokens(_) => {
            let at = format!("input[{index}]");
            Err(Refusal::field(at.clone(), format!("{at}: tokens of another tokenizer; give texts")))
        }
    });
    let texts = texts.collect::<Answered<Vec<String>>>()?;
    let app = app.clone();
    let work = move || {
        let encoder = app.encoder.as_ref().ok_or("there is no encoder")?;
        // One that panicked has nothing half done that another text could see.
        let mut encode = encoder.encode.lock().unwrap_or_else(PoisonError::into_inner);
        let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
        encode(&texts)
    };
    let made =
        tokio::task::spawn_blocking(work).await.map_err(|error| Refusal::internal(&error.to_string()))?;
    made.map_err(|error| Refusal::internal(&error))
}

/// Means of the served model's last hidden states, and how many tokens it read.
async fn pooled(app: &App, ready: &Ready, inputs: Vec<Input>) -> Answered<(Vec<Vec<f32>>, usize)> {
    let (mut vectors, mut tokens) = (Vec::new(), 0);
    for (index, input) in inputs.into_iter().enumerate() {
        let ids = match input {
            Input::Tokens(ids) => ids,
            Input::Text(text) => {
                let ids = ready.renderer.tokenizer().encode(&text);
                ids.map_err(|error| Refusal::bad(app.public(&error.to_string())))?
            }
        };
        let (count, most) = (ids.len(), ready.renderer.context_length());
        if count == 0 || count > most {
            let at = format!("input[{index}]");
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
        vectors.push(unit(answer.map_err(|error| Refusal::internal(&error))?));
    }
    Ok((vectors, tokens))
}

fn unit(mut vector: Vec<f32>) -> Vec<f32> {
    let length = vector.iter().map(|value| f64::from(*value).powi(2)).sum::<f64>().sqrt();
    if length > 0.0 {
        vector.iter_mut().for_each(|value| *value = (f64::from(*value) / length) as f32);
    }
    vector
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_tokens_or_lists_of_them() {
        let text = |text: &str| Input::Text(text.to_owned());
        for (input, expect) in [
            (json!("a"), vec![text("a")]),
            (json!(["a", "b"]), vec![text("a"), text("b")]),
            (json!([1, 2]), vec![Input::Tokens(vec![1, 2])]),
            (json!([[1], "a"]), vec![Input::Tokens(vec![1]), text("a")]),
        ] {
            assert_eq!(read(json!({"input": input}), 2).unwrap().inputs, expect, "{input}");
        }
        for wrong in [json!([]), json!(3), json!([[]]), json!([-1]), json!(["a", "b", "c"]), json!([1.5])] {
            assert_eq!(read(json!({"input": wrong}), 2).unwrap_err().status, 400, "{wrong}");
        }
        assert!(read(json!({"input": "a", "dimensions": 4}), 2).is_err());
    }
}
