//! Answers that follow a JSON schema: a mask over the tokens, from the grammar that `llguidance` makes of the schema.
//! It knows the bytes of each token and nothing of the model.

use std::sync::Arc;

use firsthand_engine::TokenMask;
use firsthand_input::Renderer;
use llguidance::api::TopLevelGrammar;
use llguidance::{Matcher, ParserFactory};
use serde_json::Value;
use toktrie::{ApproximateTokEnv, TokEnv, TokRxInfo, TokTrie};

/// Largest schema, in bytes of JSON.
const LARGEST_SCHEMA: usize = 256 << 10;

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

    /// A mask for an answer that follows `schema`, or what is wrong with the schema.
    pub(crate) fn mask(&self, schema: &Value) -> Result<Box<dyn TokenMask>, String> {
        if schema.to_string().len() > LARGEST_SCHEMA {
            return Err(format!("the schema has more than {LARGEST_SCHEMA} bytes"));
        }
        let mut schema = schema.clone();
        if let Value::Object(fields) = &mut schema {
            // No blanks but those a model was trained on: an answer is to end.
            fields.insert("x-guidance".into(), serde_json::json!({"whitespace_flexible": false}));
        }
        let grammar = TopLevelGrammar::from_json_schema(schema);
        let mut matcher = Matcher::new(self.factory.create_parser(grammar));
        // An empty mask or an error shows here and not in the middle of an answer.
        matcher.compute_mask().map_err(|error| first_line(&error.to_string()))?;
        Ok(Box::new(SchemaMask { matcher, end: self.end }))
    }
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
