//! Benchmarks by name or file, the folders of their files, and the reader of tables that the room of tasks is lent.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use firsthand_base::Digest;
use firsthand_tasks::benchmark::{self, Benchmark, TableRows};

use crate::failure::failure;

/// The benchmark of a name, or of a TOML file.
pub(super) fn find(name: &str) -> Result<Benchmark> {
    if !name.ends_with(".toml") {
        return Ok(benchmark::find(name)?);
    }
    let text = fs_err::read_to_string(name)?;
    Benchmark::from_toml(&text).with_context(|| format!("in {name}"))
}

/// The folder of a benchmark's files: of its name in `data`, else `data` itself.
pub(super) fn folder(data: &Path, benchmark: &Benchmark) -> Result<PathBuf> {
    let own = data.join(&benchmark.name);
    if own.is_dir() {
        return Ok(own);
    }
    if data.is_dir() {
        return Ok(data.to_owned());
    }
    Err(failure(
        format!("no such folder: {}", data.display()),
        format!("get the files from {} (see `firsthand eval list`)", benchmark.source.home),
    ))
}

/// Opens parquet files.
pub(super) fn tables(path: &Path, columns: &[&str]) -> Result<TableRows, String> {
    Ok(Box::new(firsthand_train::data::table_rows(path, columns)?))
}

/// BLAKE3 over the description and the annotation files: what is asked and what is right.
pub(super) fn digest(benchmark: &Benchmark, folder: &Path) -> Result<String> {
    let mut hasher = blake3::Hasher::new();
    hasher.update(format!("{benchmark:?}").as_bytes());
    for path in benchmark.annotation_files(folder) {
        hasher.update(path.strip_prefix(folder).unwrap_or(&path).to_string_lossy().as_bytes());
        std::io::copy(&mut fs_err::File::open(&path)?, &mut hasher)?;
    }
    Ok(Digest(*hasher.finalize().as_bytes()).to_hex()[..16].to_owned())
}
