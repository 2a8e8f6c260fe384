//! The checkpoint's tokenizer: text to ids and back. The algorithm is the `tokenizers` library's; this file adds the
//! tokens that only tokenizer_config.json lists, and the settings that the reference library gives it.
//! Text from ids that come one by one is the engine's business, which decodes through `Render::text`.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};

use serde_json::Value;
use tokenizers::AddedToken;

use crate::error::{Error, Result, one_line};
use crate::json::{JsonFile, read_text};

/// The named special tokens of the reference, which chat templates may use by these names.
const NAMED: [&str; 7] =
    ["bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token"];

/// A checkpoint's tokenizer.
pub struct Tokenizer {
    inner: tokenizers::Tokenizer,
    path: PathBuf,
    named: Vec<(&'static str, String)>,
    /// Ids of tokens whose names are their text.
    added: HashSet<u32>,
    /// The byte that each character of a token's name stands for; `None` where names are pieces of text.
    byte_of: Option<HashMap<char, u8>>,
}

impl Tokenizer {
    /// Reads tokenizer.json and, where present, tokenizer_config.json of a checkpoint folder.
    pub fn open(dir: &Path) -> Result<Tokenizer> {
        let path = dir.join("tokenizer.json");
        let Some(text) = read_text(&path)? else {
            let what = "no such file; fetch it, or write it with the reference library: \
                        AutoTokenizer.from_pretrained(DIR).save_pretrained(DIR)";
            return Err(Error::checkpoint(&path, what));
        };
        let mut inner = tokenizers::Tokenizer::from_bytes(text).map_err(|error| {
            Error::checkpoint(&path, format!("not a tokenizer: {}; fetch it again", one_line(error)))
        })?;
        // The file may carry the settings of its last use; the reference neither pads nor cuts unless asked.
        inner.with_padding(None);
        inner.with_truncation(None).map_err(|error| Error::checkpoint(&path, one_line(error)))?;
        let mut named = Vec::new();
        if let Some(config) = JsonFile::open(dir, "tokenizer_config.json")? {
            add_tokens(&mut inner, &config)?;
            named = named_tokens(&config);
        }
        let added = inner.get_added_tokens_decoder().into_keys().collect();
        let decoder = inner.get_decoder().and_then(|decoder| serde_json::to_string(decoder).ok());
        let is_of_bytes = decoder.is_some_and(|decoder| decoder.contains("\"ByteLevel\""));
        Ok(Tokenizer { inner, path, named, added, byte_of: is_of_bytes.then(byte_characters) })
    }

    /// Ids of `text`, in which the names of added tokens stand for those tokens.
    pub fn encode(&self, text: &str) -> Result<Vec<u32>> {
        let failed =
            |error| Error::checkpoint(&self.path, format!("cannot encode the prompt: {}", one_line(error)));
        let encoding = self.inner.encode_fast(text, false).map_err(failed)?;
        Ok(encoding.get_ids().to_vec())
    }

    /// Ids of `text` with the marks that the tokenizer puts around one.
    pub(crate) fn encode_marked(&self, text: &str) -> Result<Vec<u32>> {
        let failed =
            |error| Error::checkpoint(&self.path, format!("cannot encode a text: {}", one_line(error)));
        let encoding = self.inner.encode_fast(text, true).map_err(failed)?;
        Ok(encoding.get_ids().to_vec())
    }

    pub(crate) fn inner_mut(&mut self) -> &mut tokenizers::Tokenizer {
        &mut self.inner
    }

    /// Text of `ids`, special tokens left out. Bytes that are no character become U+FFFD.
    pub fn decode(&self, ids: &[u32]) -> String {
        self.inner.decode(ids, true).expect("a tokenizer that was read decodes any ids")
    }

    /// The id of a token by its exact name.
    pub fn token_id(&self, name: &str) -> Option<u32> {
        self.inner.token_to_id(name)
    }

    /// The name of a token.
    pub fn token_name(&self, id: u32) -> Option<String> {
        self.inner.id_to_token(id)
    }

    /// The bytes of one token: its own, also where they are a part of a character. Those of a special token are its name's;
    /// an id without a token has none.
    pub fn bytes_of(&self, id: u32) -> Vec<u8> {
        let Some(name) = self.inner.id_to_token(id) else { return Vec::new() };
        if self.added.contains(&id) {
            return name.into_bytes();
        }
        match &self.byte_of {
            Some(byte_of) => name
                .chars()
                .flat_map(|c| byte_of.get(&c).map_or_else(|| c.to_string().into_bytes(), |byte| vec![*byte]))
                .collect(),
            // A vocabulary of pieces writes a blank as U+2581 and a lone byte as <0xE9>.
            None => match name.strip_prefix("<0x").and_then(|rest| rest.strip_suffix('>')) {
                Some(hex) if hex.len() == 2 && u8::from_str_radix(hex, 16).is_ok() => {
                    u8::from_str_radix(hex, 16).into_iter().collect()
                }
                _ => name.replace('\u{2581}', " ").into_bytes(),
            },
        }
    }

    /// The bytes that each id writes, in order of ids; `None` for special tokens, which write nothing, and for ids
    /// without a token. An error when the tokenizer is not one of bytes.
    pub fn token_bytes(&self) -> Result<Vec<Option<Vec<u8>>>> {
        let added = self.inner.get_added_tokens_decoder();
        let vocabulary = self.inner.get_vocab(true);
        let count = vocabulary.values().max().map_or(0, |&last| last as usize + 1);
        let mut all = vec![None; count];
        let byte_of = byte_characters();
        for (name, id) in vocabulary {
            let bytes = match added.get(&id) {
                Some(token) if token.special => continue,
                Some(_) => name.into_bytes(),
                None => {
                    let bytes: Option<Vec<u8>> = name.chars().map(|c| byte_of.get(&c).copied()).collect();
                    bytes.ok_or_else(|| {
                        let what = format!("token {name:?} is not made of bytes; constraints on answers need a byte-level tokenizer");
                        Error::checkpoint(&self.path, what)
                    })?
                }
            };
            all[id as usize] = Some(bytes);
        }
        Ok(all)
    }

    /// The file the tokenizer came from.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The special tokens that have a role (`eos_token`, `pad_token`, ..) and what they are.
    pub fn named_tokens(&self) -> impl Iterator<Item = (&'static str, &str)> {
        self.named.iter().map(|(role, name)| (*role, name.as_str()))
    }
}

impl std::fmt::Debug for Tokenizer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tokenizer").field("path", &self.path).finish_non_exhaustive()
    }
}

/// The byte that each character of a byte-level vocabulary stands for (GPT-2's table): printable bytes are themselves,
/// the others count up from U+0100.
fn byte_characters() -> HashMap<char, u8> {
    let mut next = 0x100;
    let character = |byte: u8| match byte {
        b'!'..=b'~' | 0xa1..=0xac | 0xae..=0xff => char::from(byte),
        _ => {
            next += 1;
            char::from_u32(next - 1).expect("the table ends below the surrogates")
        }
    };
    (0..=255).map(character).zip(0..=255).collect()
}

/// Adds the tokens that tokenizer_config.json lists and tokenizer.json lacks, and marks as special those that only
/// the former calls special. Their ids must come out as listed.
fn add_tokens(inner: &mut tokenizers::Tokenizer, config: &JsonFile) -> Result<()> {
    let Some(Value::Object(listed)) = config.get("added_tokens_decoder") else { return Ok(()) };
    let mut tokens = Vec::new();
    for (id, value) in listed {
        let flag = |key: &str| value.get(key).and_then(Value::as_bool).unwrap_or(false);
        let (Ok(id), Some(content)) = (id.parse::<u32>(), value.get("content").and_then(Value::as_str))
        else {
            return Err(config.wrong("added_tokens_decoder", "an object from ids to tokens"));
        };
        let token = AddedToken::from(content.to_owned(), flag("special"))
            .single_word(flag("single_word"))
            .lstrip(flag("lstrip"))
            .rstrip(flag("rstrip"))
            .normalized(flag("normalized"));
        tokens.push((id, token));
    }
    tokens.sort_by_key(|(id, _)| *id);
    for (id, token) in tokens {
        let name = token.content.clone();
        let known = inner.token_to_id(&name);
        let added = match (known, token.special) {
            (Some(_), false) => Ok(0),
            (_, true) => inner.add_special_tokens([token]),
            (None, false) => inner.add_tokens([token]),
        };
        added.map_err(|error| Error::checkpoint(&config.path, format!("{name}: {}", one_line(error))))?;
        if inner.token_to_id(&name) != Some(id) {
            let what = format!(
                "added token {name} has id {id} here but not in tokenizer.json; fetch both files again"
            );
            return Err(Error::checkpoint(&config.path, what));
        }
    }
    Ok(())
}

/// Roles are given as a string or as an object with the token as `content`.
fn named_tokens(config: &JsonFile) -> Vec<(&'static str, String)> {
    let name_of = |role: &'static str| {
        let value = config.get(role)?;
        let name = value.as_str().or_else(|| value.get("content")?.as_str())?;
        Some((role, name.to_owned()))
    };
    NAMED.into_iter().filter_map(name_of).collect()
}

#[cfg(test)]
#[path = "tokenizer_tests.rs"]
mod tests;
