//! Texts for an encoder in the sentence-transformers layout: ids with the marks the tokenizer puts around a text, cut to
//! the length the folder asks for. Chats are the renderer's business.

use std::path::Path;

use serde_json::Value;
use tokenizers::{TruncationParams, TruncationStrategy};

use crate::error::{Error, Result, one_line};
use crate::json::JsonFile;
use crate::tokenizer::Tokenizer;

/// An encoder's tokenizer.
#[derive(Debug)]
pub struct MarkedTokenizer {
    inner: Tokenizer,
    longest: usize,
}

impl MarkedTokenizer {
    /// Reads the tokenizer of an encoder's folder. Texts are cut to `max_seq_length` of sentence_bert_config.json, or to
    /// the positions that config.json has.
    pub fn open(dir: &Path) -> Result<MarkedTokenizer> {
        let mut longest = usize::MAX;
        for (name, key) in
            [("config.json", "max_position_embeddings"), ("sentence_bert_config.json", "max_seq_length")]
        {
            let Some(file) = JsonFile::open(dir, name)? else { continue };
            match file.get(key) {
                None | Some(Value::Null) => {}
                Some(value) => match value.as_u64() {
                    Some(tokens @ 3..) => longest = longest.min(tokens as usize),
                    _ => return Err(file.wrong(key, "a whole number above 2")),
                },
            }
        }
        let mut inner = Tokenizer::open(dir)?;
        inner.cut_to(longest)?;
        Ok(MarkedTokenizer { inner, longest })
    }

    /// Most tokens of a text.
    pub fn longest(&self) -> usize {
        self.longest
    }

    /// Ids of a text, marks included.
    pub fn encode(&self, text: &str) -> Result<Vec<u32>> {
        self.inner.encode_marked(text)
    }
}

/// How the library cuts: the end of the text goes, the marks stay.
pub(crate) fn cut(longest: usize) -> TruncationParams {
    TruncationParams { max_length: longest, strategy: TruncationStrategy::LongestFirst, ..Default::default() }
}

impl Tokenizer {
    fn cut_to(&mut self, longest: usize) -> Result<()> {
        let path = self.path().to_owned();
        let done = self.inner_mut().with_truncation(Some(cut(longest)));
        done.map(|_| ()).map_err(|error| Error::checkpoint(&path, one_line(error)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_equal_the_reference_and_are_cut_as_it_cuts() {
        let tokenizer = MarkedTokenizer::open(&firsthand_golden::checkpoint("bert")).unwrap();
        let fixture = firsthand_golden::Fixture::open("bert", "texts");
        let texts = fs_err::read_to_string(firsthand_golden::root().join("cases/bert.json")).unwrap();
        let texts: Vec<String> = serde_json::from_str(&texts).unwrap();
        assert!(texts.len() > 5);
        for (i, text) in texts.iter().enumerate() {
            let expect = fixture.i64(&format!("text.{i}.ids"));
            let ids: Vec<i64> = tokenizer.encode(text).unwrap().into_iter().map(i64::from).collect();
            assert_eq!(ids, expect, "{text}");
        }
        assert_eq!(tokenizer.longest(), 20);
    }
}
