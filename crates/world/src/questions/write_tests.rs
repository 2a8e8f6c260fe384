//! Datasets on disk: the same bytes on every run, whatever was cut short before, and the keys of each schema.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::Value;

use super::*;

/// A folder that goes away with the test.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Folder {
        let path = std::env::temp_dir().join(format!("firsthand-questions-{name}-{}", std::process::id()));
        let _ = fs_err::remove_dir_all(&path);
        Folder(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs_err::remove_dir_all(&self.0);
    }
}

fn small() -> WriteOptions {
    let plan = Plan { frames: 6, clips: 6, days: 6, lived: 2, ..Plan::default() };
    WriteOptions { plan, threads: 2, truth: true }
}

fn rows(folder: &Path, file: &str) -> Vec<Value> {
    let text = fs_err::read_to_string(folder.join(file)).unwrap();
    if file.ends_with(".json") {
        return serde_json::from_str(&text).unwrap();
    }
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn a_run_that_was_cut_short_ends_in_the_same_bytes() {
    let (whole, cut) = (Folder::new("whole"), Folder::new("cut"));
    let seeds = [3, held_out(4), 5];
    let calls = AtomicUsize::new(0);
    let count = |_: Progress| _ = calls.fetch_add(1, Ordering::Relaxed);
    let written = write(&whole.0, &seeds, &small(), &count).unwrap();
    assert_eq!(calls.load(Ordering::Relaxed), 3);
    write(&cut.0, &seeds[..1], &small(), &|_| ()).unwrap();
    // A world whose media are there but whose part is not was cut short.
    fs_err::remove_file(cut.0.join("parts/3.jsonl")).unwrap();
    fs_err::write(cut.0.join("media/3/0000.png"), b"half").unwrap();
    assert_eq!(write(&cut.0, &seeds, &small(), &|_| ()).unwrap(), written);
    let files = written.files.iter().map(|(file, _)| *file).chain(["questions.jsonl", "media/3/truth.jsonl"]);
    for file in files {
        let [a, b] = [&whole, &cut].map(|folder| fs_err::read(folder.0.join(file)).unwrap());
        assert!(a == b, "{file} differs");
    }
    let other = WriteOptions { truth: false, ..small() };
    let error = write(&whole.0, &seeds, &other, &|_| ()).unwrap_err().to_string();
    assert!(error.contains("made with other options"), "{error}");
}

#[test]
fn files_have_the_keys_of_their_schemas() {
    let folder = Folder::new("keys");
    let written = write(&folder.0, &[11, 12], &small(), &|_| ()).unwrap();
    let check = |file: &str, keys: &[&str]| {
        let rows = rows(&folder.0, file);
        let counted = written.files.iter().find(|(name, _)| *name == file).unwrap().1;
        assert_eq!(rows.len(), counted, "{file}");
        assert!(!rows.is_empty(), "{file}");
        for row in &rows {
            for key in keys {
                assert!(row.get(key).is_some(), "{file}: no {key} in {row}");
            }
            for key in ["path", "video", "image", "vid"] {
                let Some(Value::String(path)) = row.get(key) else { continue };
                assert!(folder.0.join(path.trim_start_matches("./")).exists(), "{file}: {path}");
            }
        }
        rows
    };
    let video = check(
        "video-r1.json",
        &[
            "problem_id",
            "problem",
            "data_type",
            "problem_type",
            "options",
            "solution",
            "process",
            "path",
            "data_source",
        ],
    );
    assert!(video.iter().all(|row| row["process"].as_str().unwrap().starts_with("<think>")));
    check("st-r1.jsonl", &["problem", "solution", "video", "original_question", "original_answer"]);
    let spatial = check(
        "stvqa.jsonl",
        &[
            "image_id",
            "images",
            "problem",
            "question_only",
            "question_with_options",
            "options",
            "answer",
            "answer_only",
            "answer_text",
            "answer_text_only",
            "answer_option_text",
            "answer_option_text_only",
            "category",
            "level",
        ],
    );
    assert!(spatial.iter().all(|row| row["problem"].as_str().unwrap().contains("Image size: (224 x 168)")));
    check("egothinker-sft.json", &["conversations"]);
    check("egothinker-egoexo.json", &["vid", "question", "start", "end"]);
    check("egothinker-visor.json", &["path", "object", "gt"]);
    check(
        "egolife-qa.json",
        &["ID", "query_time", "type", "question", "choice_a", "choice_d", "answer", "target_time"],
    );
    assert_eq!(rows(&folder.0, "questions.jsonl").len(), written.questions);
}
