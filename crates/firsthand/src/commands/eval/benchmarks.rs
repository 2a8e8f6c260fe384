//! Benchmarks by name or file, the folders of their files, and the reader of tables that the room of tasks is lent.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use firsthand_base::Digest;
use firsthand_tasks::benchmark::{self, Benchmark, TableRows};

use crate::failure::failure;
use crate::reading;

/// The benchmark of a name, or of a TOML file.
pub(super) fn find(name: &str) -> Result<Benchmark> {
    if !name.ends_with(".toml") {
        return Ok(benchmark::find(name)?);
    }
    let text = reading::text(Path::new(name))?;
    Benchmark::from_toml(&text).with_context(|| format!("in {name}"))
}

/// The folder of a benchmark's files: the one of its name in `data` where the files with its questions are there, else
/// `data` itself. A folder of that name may hold nothing but the films of a layout that lies in `data`.
pub(super) fn folder(data: &Path, benchmark: &Benchmark) -> Result<PathBuf> {
    let own = data.join(&benchmark.name);
    let holds = |dir: &Path| !benchmark.annotation_files(dir).is_empty();
    if own.is_dir() && (holds(&own) || !holds(data)) {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_of_films_is_not_the_benchmarks() {
        let check = |name: &str, files: &[&str], expect: &str| {
            let dir = tempfile::tempdir().unwrap();
            for file in files {
                let path = dir.path().join(file);
                fs_err::create_dir_all(path.parent().unwrap()).unwrap();
                fs_err::write(path, "[]").unwrap();
            }
            let found = folder(dir.path(), &benchmark::find(name).unwrap()).unwrap();
            assert_eq!(found, dir.path().join(expect), "{name} {files:?}");
        };
        check("egotaskqa", &["egotaskqa.json", "egotaskqa/a.mp4"], "");
        check("egotaskqa", &["egotaskqa/egotaskqa.json", "egotaskqa/egotaskqa/a.mp4"], "egotaskqa");
        check("egotaskqa", &["egotaskqa.json", "egotaskqa/egotaskqa.json"], "egotaskqa");
        check("egotaskqa", &["egotaskqa/a.mp4"], "egotaskqa");
        check("vlnqa", &["vlnqa.json", "vlnqa/left/a.mp4"], "");
        check("egoplan2", &["egoplan2.json", "egoplan2/a.mp4"], "");
        check("egoschema", &["egoschema/questions.json"], "egoschema");
        check("tempcompass", &["questions/multi-choice.json", "videos/1.mp4"], "");
        let own = "name = \"mine\"\ntitle = \"t\"\n[source]\nhome = \"h\"\nlicence = \"l\"\ndocumented = \"d\"\n\
            layout = \"rows.csv; clips in mine\"\n[[files]]\npath = \"rows.csv\"\n[item]\nid = \"{id}\"\n\
            question = \"{question}\"\n[answer]\ntype = \"free-form\"\ngold = \"{answer}\"\n";
        let dir = tempfile::tempdir().unwrap();
        fs_err::create_dir_all(dir.path().join("mine")).unwrap();
        fs_err::write(dir.path().join("rows.csv"), "id,question,answer\n").unwrap();
        assert_eq!(folder(dir.path(), &Benchmark::from_toml(own).unwrap()).unwrap(), dir.path());
    }
}
