//! Texts to vectors for the memory: an encoder on this machine in the sentence-transformers layout, or a model behind an
//! OpenAI-compatible address. Vectors have length one, whoever makes them.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use clap::Args;
use firsthand_input::MarkedTokenizer;
use firsthand_memory::Embed;
use firsthand_model::bert::Encoder;
use serde_json::{Value, json};

use crate::chat::{self, Chat};
use crate::checkpoint;
use crate::progress::Progress;
use crate::session::weights_hash;

/// Longest wait for vectors.
const PATIENCE: Duration = Duration::from_secs(120);
/// Tokens of one forward pass; longer batches are cut into several.
const PASS_TOKENS: usize = 4096;

/// Flags that name an encoder.
#[derive(Args)]
#[command(next_help_heading = "Text encoder (finds what is said in other words)")]
pub(crate) struct EncoderFlags {
    /// An encoder of BERT's family in the sentence-transformers layout, e.g. all-MiniLM-L6-v2: a directory, or owner/name
    /// of one that `firsthand fetch` downloaded.
    #[arg(long, value_name = "DIR|owner/name", conflicts_with = "encoder_endpoint")]
    encoder: Option<String>,
    /// An OpenAI-compatible server with /embeddings, e.g. http://127.0.0.1:8000/v1.
    #[arg(long, value_name = "URL", requires = "encoder_name")]
    encoder_endpoint: Option<String>,
    /// What that server calls the encoder.
    #[arg(long, value_name = "NAME", requires = "encoder_endpoint")]
    encoder_name: Option<String>,
}

impl EncoderFlags {
    /// The encoder, where one is named.
    pub(crate) fn open(&self) -> Result<Option<Reader>> {
        if let Some(encoder) = &self.encoder {
            return Ok(Some(Reader::Here(Arc::new(Here::open(&checkpoint::directory(encoder, "main")?)?))));
        }
        let (Some(url), Some(name)) = (&self.encoder_endpoint, &self.encoder_name) else { return Ok(None) };
        Ok(Some(Reader::Served(Arc::new(Served::open(url, name)?))))
    }
}

/// An encoder that any number of memories share.
#[derive(Clone)]
pub(crate) enum Reader {
    Here(Arc<Here>),
    Served(Arc<Served>),
}

impl Embed for Reader {
    fn name(&self) -> &str {
        match self {
            Reader::Here(here) => &here.name,
            Reader::Served(served) => &served.name,
        }
    }

    fn dimensions(&self) -> usize {
        match self {
            Reader::Here(here) => here.encoder.config.width,
            Reader::Served(served) => served.dimensions,
        }
    }

    fn embed(&mut self, texts: &[&str]) -> Result<Vec<Vec<f32>>, String> {
        match self {
            Reader::Here(here) => Ok(here.counted(texts).map_err(|error| format!("{error:#}"))?.0),
            Reader::Served(_) if texts.is_empty() => Ok(Vec::new()),
            Reader::Served(served) => served.ask(texts),
        }
    }
}

/// An encoder on this machine.
pub(crate) struct Here {
    name: String,
    encoder: Encoder,
    tokenizer: MarkedTokenizer,
}

impl Here {
    /// Opens an encoder's folder. Its name holds the fingerprint of the weights, so that vectors of a fine-tuned copy are
    /// never taken for those of its base.
    pub(crate) fn open(directory: &Path) -> Result<Here> {
        let working = Progress::working(&format!("loading {}", directory.display()));
        let encoder = Encoder::open(directory)?;
        let tokenizer = MarkedTokenizer::open(directory)?;
        let place = fs_err::canonicalize(directory).unwrap_or_else(|_| PathBuf::from(directory));
        let stem = place.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned());
        let name = format!("{stem}-{}", &weights_hash(encoder.weights())[..16]);
        drop(working);
        Ok(Here { name, encoder, tokenizer })
    }

    /// Vectors, and how many tokens were read for them.
    pub(crate) fn counted(&self, texts: &[&str]) -> Result<(Vec<Vec<f32>>, usize)> {
        let ids: Vec<Vec<u32>> =
            texts.iter().map(|text| Ok(self.tokenizer.encode(text)?)).collect::<Result<_>>()?;
        let read = ids.iter().map(Vec::len).sum();
        let mut vectors = Vec::with_capacity(ids.len());
        let mut rest = ids.as_slice();
        while !rest.is_empty() {
            let mut tokens = 0;
            let fits = rest.iter().take_while(|text| {
                tokens += text.len();
                tokens <= PASS_TOKENS
            });
            let (now, later) = rest.split_at(fits.count().max(1));
            vectors.extend(self.encoder.embed(&now.iter().map(Vec::as_slice).collect::<Vec<_>>())?);
            rest = later;
        }
        Ok((vectors, read))
    }
}

/// An encoder behind an address.
pub(crate) struct Served {
    name: String,
    model: String,
    address: String,
    chat: Chat,
    dimensions: usize,
}

impl Served {
    /// Asks once, to learn how many numbers a vector has.
    pub(crate) fn open(url: &str, model: &str) -> Result<Served> {
        let chat = Chat::open("encoder-endpoint", url, model, PATIENCE)?;
        let url = url.trim_end_matches('/');
        let (name, address) = (format!("{model} at {url}"), format!("{url}/embeddings"));
        let mut served = Served { name, model: model.to_owned(), address, chat, dimensions: 0 };
        let first = served.ask(&["hello"]).map_err(anyhow::Error::msg)?;
        served.dimensions = first.first().map(Vec::len).context("the encoder gives no vector")?;
        Ok(served)
    }

    fn ask(&self, texts: &[&str]) -> Result<Vec<Vec<f32>>, String> {
        let request = json!({"model": self.model, "input": texts, "encoding_format": "float"});
        self.chat.call(&self.address, &request, &|text| vectors(text, texts.len()))
    }
}

/// The vectors of a reply, in the order of the texts, each made of length one.
fn vectors(text: &str, count: usize) -> Result<Vec<Vec<f32>>, String> {
    let reply = chat::json(text)?;
    let rows = reply["data"].as_array().ok_or("its reply has no data")?;
    let mut found: Vec<Option<Vec<f32>>> = vec![None; count];
    for (place, row) in rows.iter().enumerate() {
        let index = row["index"].as_u64().map_or(place, |index| index as usize);
        let numbers: Option<Vec<f32>> = row["embedding"]
            .as_array()
            .map(|numbers| numbers.iter().filter_map(Value::as_f64).map(|number| number as f32).collect());
        let mut vector = numbers.ok_or("its reply has a row without an embedding")?;
        let length = vector.iter().map(|number| number * number).sum::<f32>().sqrt();
        if length == 0.0 || !length.is_finite() {
            return Err("its reply has a vector without a direction".to_owned());
        }
        vector.iter_mut().for_each(|number| *number /= length);
        *found.get_mut(index).ok_or("its reply has more vectors than texts")? = Some(vector);
    }
    found.into_iter().collect::<Option<_>>().ok_or_else(|| "its reply lacks vectors".to_owned())
}
