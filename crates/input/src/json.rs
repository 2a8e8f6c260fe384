//! Reading the JSON files of a checkpoint: every error names the file and the key. It knows no particular file.

use std::path::{Path, PathBuf};

use firsthand_base::json;
pub(crate) use firsthand_base::json::brief;
use serde_json::Value;

use crate::error::{Error, Result, one_line};

/// Largest file read whole. Published tokenizers reach 20 MB.
const LARGEST_FILE: u64 = 512 << 20;

/// A parsed JSON object and where it came from.
#[derive(Clone, Debug)]
pub(crate) struct JsonFile {
    pub(crate) path: PathBuf,
    pub(crate) value: Value,
}

/// The text of a file, or `None` if there is no such file.
pub(crate) fn read_text(path: &Path) -> Result<Option<String>> {
    match fs_err::metadata(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error.into()),
        Ok(metadata) if metadata.len() > LARGEST_FILE => {
            return Err(Error::checkpoint(path, format!("too large: {} bytes", metadata.len())));
        }
        Ok(_) => {}
    }
    let bytes = fs_err::read(path)?;
    json::text(bytes).map(Some).map_err(|what| Error::checkpoint(path, format!("{what}; fetch it again")))
}

impl JsonFile {
    /// `dir/name` as a JSON object, or `None` if there is no such file.
    pub(crate) fn open(dir: &Path, name: &str) -> Result<Option<JsonFile>> {
        let path = dir.join(name);
        let Some(text) = read_text(&path)? else { return Ok(None) };
        let value: Value = json::read(text.as_bytes()).map_err(|error| {
            Error::checkpoint(&path, format!("broken JSON: {error}; fetch the file again"))
        })?;
        if !value.is_object() {
            return Err(Error::checkpoint(&path, "expected a JSON object"));
        }
        Ok(Some(JsonFile { path, value }))
    }

    /// The object under `key` as a file of its own (same path), or `None` if absent.
    pub(crate) fn section(&self, key: &str) -> Option<JsonFile> {
        let value = self.value.get(key)?;
        value.is_object().then(|| JsonFile { path: self.path.clone(), value: value.clone() })
    }

    /// The value of `key`; JSON null counts as absent.
    pub(crate) fn get(&self, key: &str) -> Option<&Value> {
        self.value.get(key).filter(|value| !value.is_null())
    }

    pub(crate) fn wrong(&self, key: &str, expected: &str) -> Error {
        let found = self.value.get(key).map_or_else(|| "nothing".to_owned(), |value| one_line(brief(value)));
        Error::checkpoint(&self.path, format!("{key}: expected {expected}, found {found}"))
    }

    pub(crate) fn integer(&self, key: &str) -> Result<Option<usize>> {
        let Some(value) = self.get(key) else { return Ok(None) };
        let number = integral(value).filter(|&number| number <= u64::from(u32::MAX));
        number.map(|number| Some(number as usize)).ok_or_else(|| self.wrong(key, "a whole number"))
    }

    pub(crate) fn number(&self, key: &str) -> Result<Option<f64>> {
        let Some(value) = self.get(key) else { return Ok(None) };
        value.as_f64().map(Some).ok_or_else(|| self.wrong(key, "a number"))
    }

    pub(crate) fn flag(&self, key: &str) -> Result<Option<bool>> {
        let Some(value) = self.get(key) else { return Ok(None) };
        value.as_bool().map(Some).ok_or_else(|| self.wrong(key, "true or false"))
    }

    pub(crate) fn text(&self, key: &str) -> Result<Option<&str>> {
        let Some(value) = self.get(key) else { return Ok(None) };
        value.as_str().map(Some).ok_or_else(|| self.wrong(key, "a string"))
    }
}

/// A non-negative whole number, also when written as a float (`256.0`).
pub(crate) fn integral(value: &Value) -> Option<u64> {
    value.as_u64().or_else(|| {
        let number = value.as_f64()?;
        // 2^53: beyond it a float no longer names one whole number.
        ((0.0..=9_007_199_254_740_992.0).contains(&number) && number.fract() == 0.0).then_some(number as u64)
    })
}
