//! Writes a safetensors file entry by entry, so that a large one is never held twice. The header comes first, so
//! shapes are declared before values.

use std::io::Write;

use anyhow::{Result, bail};
use serde_json::{Map, Value, json};

use crate::atomic::AtomicFile;

/// Number type of an entry.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// 64-bit integers.
    I64,
    /// Single precision.
    F32,
}

impl Kind {
    fn bytes(self) -> usize {
        match self {
            Kind::I64 => 8,
            Kind::F32 => 4,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Kind::I64 => "I64",
            Kind::F32 => "F32",
        }
    }
}

/// An entry to come.
pub(crate) struct Declared {
    pub(crate) name: &'static str,
    pub(crate) kind: Kind,
    pub(crate) shape: Vec<usize>,
}

/// A file whose header is written and whose values follow in the declared order.
pub(crate) struct TensorWriter {
    file: AtomicFile,
    left: usize,
}

impl TensorWriter {
    /// Writes the header. Entries of wider numbers come first, so that all are aligned.
    pub(crate) fn start(
        mut file: AtomicFile,
        entries: &[Declared],
        metadata: Map<String, Value>,
    ) -> Result<Self> {
        let mut header = Map::new();
        header.insert("__metadata__".to_owned(), Value::Object(metadata));
        let mut offset = 0;
        for entry in entries {
            let end = offset + entry.shape.iter().product::<usize>() * entry.kind.bytes();
            let described =
                json!({ "dtype": entry.kind.name(), "shape": entry.shape, "data_offsets": [offset, end] });
            header.insert(entry.name.to_owned(), described);
            offset = end;
        }
        let mut text = serde_json::to_vec(&header)?;
        text.resize(text.len().next_multiple_of(8), b' ');
        file.write_all(&(text.len() as u64).to_le_bytes())?;
        file.write_all(&text)?;
        Ok(TensorWriter { file, left: offset })
    }

    /// The next values, of an `I64` entry.
    pub(crate) fn integers(&mut self, values: impl IntoIterator<Item = i64>) -> Result<()> {
        for value in values {
            self.put(&value.to_le_bytes())?;
        }
        Ok(())
    }

    /// The next values, of an `F32` entry.
    pub(crate) fn floats(&mut self, values: &[f32]) -> Result<()> {
        for value in values {
            self.put(&value.to_le_bytes())?;
        }
        Ok(())
    }

    fn put(&mut self, bytes: &[u8]) -> Result<()> {
        self.left = match self.left.checked_sub(bytes.len()) {
            Some(left) => left,
            None => bail!("more values than were declared"),
        };
        Ok(self.file.write_all(bytes)?)
    }

    /// Puts the file in its place; refuses while values are missing.
    pub(crate) fn finish(self) -> Result<()> {
        if self.left > 0 {
            bail!("{} bytes of declared values are missing", self.left);
        }
        self.file.commit()
    }
}
