//! The reference pages in `docs/cli` say what the program says.

use std::path::Path;

use crate::program::{files, program};

#[test]
fn reference_pages_are_current() {
    let home = tempfile::tempdir().unwrap();
    let fresh = home.path().join("fresh");
    assert!(program(home.path()).arg("docs").arg(&fresh).status().unwrap().success());
    let kept = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/cli");
    let remedy = "run `cargo run -p firsthand -- docs docs/cli` in the repository root and commit the result";
    assert_eq!(files(&fresh), files(&kept), "the set of pages differs: {remedy}");
    for name in files(&fresh) {
        let (new, old) =
            (fs_err::read_to_string(fresh.join(&name)), fs_err::read_to_string(kept.join(&name)));
        assert!(new.unwrap() == old.unwrap(), "docs/cli/{name} is stale: {remedy}");
    }
}

#[test]
fn wrong_command_lines_exit_with_two_and_help_with_zero() {
    let home = tempfile::tempdir().unwrap();
    for (arguments, code) in [
        (vec!["--help"], 0),
        (vec!["fetch", "--help"], 0),
        (vec!["--version"], 0),
        (vec![], 2),
        (vec!["no-such-verb"], 2),
        (vec!["fetch"], 2),
        (vec!["fetch", "a/b", "--no-such-flag"], 2),
    ] {
        let output = program(home.path()).args(&arguments).output().unwrap();
        assert_eq!(output.status.code(), Some(code), "{arguments:?}");
    }
}
