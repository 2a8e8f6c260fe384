//! Answers that follow a JSON schema, or are the call of a function with one: a mask over the tokens, from the grammar that
//! `llguidance` makes of the schema. It knows the bytes of each token and nothing of the model.

use std::sync::Arc;

use firsthand_engine::TokenMask;
use firsthand_input::Renderer;
use llguidance::api::TopLevelGrammar;
use llguidance::{Matcher, ParserFactory};
use serde_json::{Value, json};
use toktrie::{ApproximateTokEnv, TokEnv, TokRxInfo, TokTrie};

use crate::chat::parameters;

/// Largest schema, in bytes of JSON.
const LARGEST_SCHEMA: usize = 256 << 10;

/// What an answer must be.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Form {
    /// JSON that follows a schema.
    Json(Value),
    /// The call of one of these functions, as JSON with `name` and `arguments`.
    Call(Vec<Function>),
}

/// A function that may be called.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Function {
    /// Its place among the tools of the request.
    pub(crate) index: usize,
    pub(crate) name: String,
    /// The schema of its arguments, as the client sent it; null for none.
    pub(crate) parameters: Value,
}

/// A form that no answer can be held to: the field that asks for it, and what is wrong.
#[derive(Debug, PartialEq)]
pub(crate) struct Unfit {
    pub(crate) param: String,
    pub(crate) what: String,
}

/// Makes masks for one checkpoint. Building one takes a look at every token; it is kept.
pub(crate) struct Schemas {
    factory: ParserFactory,
    end: u32,
}

/// The grammar of one answer.
struct SchemaMask {
    matcher: Matcher,
    end: u32,
}

impl Schemas {
    /// Learns the tokens of a checkpoint; one line of why when they cannot be constrained.
    pub(crate) fn new(renderer: &Renderer) -> Result<Schemas, String> {
        let words = renderer.tokenizer().token_bytes().map_err(|error| error.to_string())?;
        let end = *renderer
            .generation_defaults()
            .stop
            .tokens
            .first()
            .ok_or("the checkpoint names no token that ends an answer")?;
        let special = |id: usize| {
            // Special tokens are marked so that no text can spell them.
            let mut bytes = vec![TokTrie::SPECIAL_TOKEN_MARKER];
            bytes.extend(renderer.tokenizer().token_name(id as u32).unwrap_or_default().into_bytes());
            bytes
        };
        let words: Vec<Vec<u8>> =
            words.into_iter().enumerate().map(|(id, bytes)| bytes.unwrap_or_else(|| special(id))).collect();
        let trie = TokTrie::from(&TokRxInfo::new(words.len() as u32, end), &words);
        let environment: TokEnv = Arc::new(ApproximateTokEnv::new(trie));
        let mut factory = ParserFactory::new_simple(&environment).map_err(|error| error.to_string())?;
        factory.quiet();
        Ok(Schemas { factory, end })
    }

    /// A mask for an answer of a form.
    pub(crate) fn mask(&self, form: &Form) -> Result<Box<dyn TokenMask>, Unfit> {
        match form {
            Form::Json(schema) => {
                // No blanks but those a model was trained on: an answer is to end.
                let style = json!({"whitespace_flexible": false});
                let made = bounded(schema, parameters::ready, style);
                made.and_then(|schema| self.matcher(TopLevelGrammar::from_json_schema(schema)))
                    .map(|matcher| self.boxed(matcher))
                    .map_err(|what| Unfit { param: "response_format".into(), what })
            }
            Form::Call(functions) => {
                // As models were trained to write calls, which is as Python writes JSON.
                let style = json!({
                    "whitespace_flexible": false, "item_separator": ", ", "key_separator": ": ", "coerce_one_of": true,
                });
                let made = |function: &Function| {
                    let made = bounded(&function.parameters, parameters::of_object, style.clone());
                    made.map_err(|what| unfit(function, what))
                };
                let schemas: Vec<Value> = functions.iter().map(made).collect::<Result<_, _>>()?;
                let all = self.matcher(TopLevelGrammar::from_lark(grammar(functions, &schemas)));
                all.map(|matcher| self.boxed(matcher)).map_err(|what| {
                    // The first whose parameters cannot be followed by themselves.
                    let alone = |(function, schema): (&Function, &Value)| {
                        let found = self.matcher(TopLevelGrammar::from_json_schema(schema.clone()));
                        found.err().map(|what| unfit(function, what))
                    };
                    let first = functions.iter().zip(&schemas).find_map(alone);
                    first.unwrap_or(Unfit { param: "tools".into(), what })
                })
            }
        }
    }

    fn matcher(&self, grammar: TopLevelGrammar) -> Result<Matcher, String> {
        let mut matcher = Matcher::new(self.factory.create_parser(grammar));
        // An empty mask or an error shows here and not in the middle of an answer.
        matcher.compute_mask().map_err(|error| first_line(&error.to_string()))?;
        Ok(matcher)
    }

    fn boxed(&self, matcher: Matcher) -> Box<dyn TokenMask> {
        Box::new(SchemaMask { matcher, end: self.end })
    }
}

fn unfit(function: &Function, what: String) -> Unfit {
    Unfit { param: format!("tools[{}].function.parameters", function.index), what }
}

/// A schema made ready, with the style in which its JSON is written.
fn bounded(
    schema: &Value,
    ready: fn(&Value) -> Result<Value, String>,
    style: Value,
) -> Result<Value, String> {
    if schema.to_string().len() > LARGEST_SCHEMA {
        return Err(format!("the schema has more than {LARGEST_SCHEMA} bytes"));
    }
    let mut schema = ready(schema)?;
    if let Value::Object(fields) = &mut schema {
        fields.insert("x-guidance".into(), style);
    }
    Ok(schema)
}

/// The grammar of one call. Each function's schema is a document of its own, so that the pointers of one never meet those of
/// another.
fn grammar(functions: &[Function], schemas: &[Value]) -> String {
    let names: Vec<String> = (0..functions.len()).map(|index| format!("call{index}")).collect();
    let mut text = format!("start: {}\n", names.join(" | "));
    for ((function, schema), rule) in functions.iter().zip(schemas).zip(&names) {
        let open = Value::from(call_opening(&function.name));
        text += &format!("{rule}: {open} %json {schema} \"}}\"\n");
    }
    text
}

/// What a call says before its arguments.
pub(crate) fn call_opening(name: &str) -> String {
    format!("{{\"name\": {}, \"arguments\": ", Value::from(name))
}

fn first_line(text: &str) -> String {
    text.lines().next().unwrap_or_default().chars().take(300).collect()
}

impl TokenMask for SchemaMask {
    fn apply(&mut self, logits: &mut [f32]) -> Result<(), String> {
        let allowed = self.matcher.compute_mask_or_eos().map_err(|error| first_line(&error.to_string()))?;
        let known = allowed.len();
        for (id, logit) in logits.iter_mut().enumerate() {
            if id >= known || !allowed.is_allowed(id as u32) {
                *logit = f32::NEG_INFINITY;
            }
        }
        Ok(())
    }

    fn accept(&mut self, id: u32) -> Result<(), String> {
        if id == self.end {
            return Ok(());
        }
        self.matcher.consume_token(id).map_err(|error| first_line(&error.to_string()))
    }

    fn is_complete(&self) -> bool {
        self.matcher.is_stopped()
    }
}

#[cfg(test)]
#[path = "schema_tests.rs"]
mod tests;
