//! Runs the program in an environment of its own: its own caches, no colours, no token, no hub but the one named.

use std::path::Path;
use std::process::{Command, Output};

/// The program with an environment that reaches nothing outside `home`.
pub(crate) fn program(home: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_firsthand"));
    for name in [
        "HF_TOKEN",
        "HF_TOKEN_PATH",
        "HF_HUB_CACHE",
        "HF_HUB_OFFLINE",
        "NO_COLOR",
        "http_proxy",
        "https_proxy",
        "HTTP_PROXY",
        "HTTPS_PROXY",
        "ALL_PROXY",
        "all_proxy",
    ] {
        command.env_remove(name);
    }
    command.env("XDG_CACHE_HOME", home.join("cache")).env("HF_HOME", home.join("hf"));
    command.env("HF_ENDPOINT", "http://127.0.0.1:9").current_dir(home);
    command
}

/// stdout as text.
pub(crate) fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).expect("output is UTF-8")
}

/// stderr as text.
pub(crate) fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).expect("output is UTF-8")
}

/// Asserts a failure with exit code 1, one `error:` line that names all of `parts`, and nothing but hints and notes
/// besides.
#[track_caller]
pub(crate) fn assert_failure(output: &Output, parts: &[&str]) {
    let text = stderr(output);
    assert_eq!(output.status.code(), Some(1), "exit code; stderr: {text}");
    let errors: Vec<_> = text.lines().filter(|line| line.starts_with("error: ")).collect();
    assert_eq!(errors.len(), 1, "one error line: {text}");
    for line in text.lines() {
        let known = ["error: ", "hint: ", "note: "].iter().any(|start| line.starts_with(start));
        assert!(known, "unexpected line {line:?} in {text}");
    }
    for part in parts {
        assert!(text.contains(part), "{part:?} is missing in {text}");
    }
}

/// Every file below a directory, relative, sorted.
pub(crate) fn files(root: &Path) -> Vec<String> {
    let mut found = Vec::new();
    let mut queue = vec![root.to_path_buf()];
    while let Some(directory) = queue.pop() {
        for entry in fs_err::read_dir(&directory).unwrap() {
            let entry = entry.unwrap();
            if entry.file_type().unwrap().is_dir() {
                queue.push(entry.path());
            } else {
                found.push(entry.path().strip_prefix(root).unwrap().to_str().unwrap().to_owned());
            }
        }
    }
    found.sort();
    found
}
