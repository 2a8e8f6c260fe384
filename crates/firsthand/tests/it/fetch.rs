//! `fetch` against a hub that cuts connections, lies and refuses.

use std::path::Path;
use std::process::{Output, Stdio};

use crate::hub_server::{COMMIT, Fault, Server, sha256};
use crate::program::{assert_failure, files, program, stdout};

const LARGE: usize = 300_000;

fn weights() -> Vec<u8> {
    (0..LARGE).map(|i| (i * 31 % 251) as u8).collect()
}

fn model() -> Vec<(&'static str, Vec<u8>, bool)> {
    vec![
        ("config.json", b"{\"model_type\": \"qwen2_5_vl\"}".to_vec(), false),
        ("model.safetensors", weights(), true),
        ("sub/dir/notes.txt", b"hello".to_vec(), false),
        ("pytorch_model.bin", vec![1; 100], true),
    ]
}

fn fetch(home: &Path, server: &Server, more: &[&str]) -> Output {
    let mut command = program(home);
    command.env("HF_ENDPOINT", &server.address).args(["fetch", "owner/model", "--pause-ms", "1"]).args(more);
    command.output().unwrap()
}

fn snapshot(home: &Path) -> std::path::PathBuf {
    home.join("hf/hub/models--owner--model/snapshots").join(COMMIT)
}

#[track_caller]
fn assert_whole(home: &Path) {
    assert_eq!(fs_err::read(snapshot(home).join("model.safetensors")).unwrap(), weights());
    assert_eq!(fs_err::read(snapshot(home).join("sub/dir/notes.txt")).unwrap(), b"hello");
    let left: Vec<_> =
        files(home).into_iter().filter(|f| f.contains("incomplete") || f.contains("part")).collect();
    assert!(left.is_empty(), "left behind: {left:?}");
}

#[test]
fn lays_out_the_cache_like_the_python_client_and_skips_other_formats() {
    let (home, server) = (tempfile::tempdir().unwrap(), Server::start(model()));
    let output = fetch(home.path(), &server, &["--json"]);
    assert!(output.status.success(), "{output:?}");
    let report: serde_json::Value = serde_json::from_str(&stdout(&output)).unwrap();
    assert_eq!(report["commit"], COMMIT);
    assert_eq!(report["files"].as_array().unwrap().len(), 3, "the .bin is left out");
    assert_whole(home.path());
    let root = home.path().join("hf/hub/models--owner--model");
    assert_eq!(fs_err::read_to_string(root.join("refs/main")).unwrap(), COMMIT);
    let link = fs_err::read_link(snapshot(home.path()).join("model.safetensors")).unwrap();
    assert_eq!(link, Path::new("../../blobs").join(sha256(&weights())));
    let deep = fs_err::read_link(snapshot(home.path()).join("sub/dir/notes.txt")).unwrap();
    assert!(deep.starts_with("../../../../blobs"), "{deep:?}");

    let before = server.log().len();
    assert!(fetch(home.path(), &server, &[]).status.success());
    let again = server.log().split_off(before);
    assert_eq!(again.len(), 1, "only the listing is asked for the second time: {again:?}");
    assert!(fetch(home.path(), &server, &["--all"]).status.success());
    assert!(snapshot(home.path()).join("pytorch_model.bin").exists());
}

#[test]
fn survives_what_passes() {
    use Fault::*;
    let cases: &[(&str, &[Fault])] = &[
        ("cut twice", &[CutAfter(100_000), CutAfter(50_000)]),
        ("cut before the first byte", &[CutAfter(0), CutAfter(0)]),
        ("announces more than it sends", &[AnnounceMore(1000)]),
        ("server errors", &[Status(500), Status(503), Status(502)]),
        ("busy", &[Busy]),
        ("cannot resume", &[CutAfter(100_000), NoRange]),
        ("refuses the range", &[CutAfter(100_000), Status(416)]),
        ("garbled once", &[Garble]),
        ("many cuts that each bring something", &[CutAfter(30_000); 9]),
    ];
    for (name, faults) in cases {
        let (home, server) = (tempfile::tempdir().unwrap(), Server::start(model()));
        server.fault("model.safetensors", faults);
        server.fault("listing", &[Status(503)]);
        let output = fetch(home.path(), &server, &[]);
        assert!(output.status.success(), "{name}: {output:?}");
        assert_whole(home.path());
    }
}

#[test]
fn resumes_where_it_stopped_in_a_later_run() {
    let (home, server) = (tempfile::tempdir().unwrap(), Server::start(model()));
    server.fault("model.safetensors", &[Fault::CutAfter(120_000), Fault::Status(503), Fault::Status(503)]);
    let output = fetch(home.path(), &server, &["--retries", "2"]);
    assert_failure(&output, &["gave up", "model.safetensors", "run the command again"]);
    assert!(
        !home.path().join("hf/hub/models--owner--model/refs/main").exists(),
        "a partial download is no revision"
    );
    assert!(!snapshot(home.path()).join("model.safetensors").exists());

    let before = server.log().len();
    assert!(fetch(home.path(), &server, &[]).status.success());
    assert_whole(home.path());
    let ranges: Vec<_> =
        server.log().split_off(before).into_iter().filter(|line| line.contains("bytes=")).collect();
    assert!(ranges.iter().all(|line| line.contains("bytes=120000-")) && !ranges.is_empty(), "{ranges:?}");
}

#[test]
fn refuses_what_does_not_pass() {
    let cases: &[(&str, &[Fault], &[&str])] = &[
        (
            "model.safetensors",
            &[Fault::Garble, Fault::Garble],
            &["wrong SHA-256", "model.safetensors", "HF_ENDPOINT"],
        ),
        ("model.safetensors", &[Fault::SendMore(10)], &["more than the 300000 bytes", "model.safetensors"]),
        ("model.safetensors", &[Fault::Status(403)], &["403", "conditions"]),
        ("model.safetensors", &[Fault::Status(404)], &["404", "spelling"]),
        ("model.safetensors", &[Fault::Status(500); 9], &["500", "gave up after 6 tries"]),
        ("listing", &[Fault::Status(401)], &["401", "HF_TOKEN", "owner/model"]),
    ];
    for (path, faults, parts) in cases {
        let (home, server) = (tempfile::tempdir().unwrap(), Server::start(model()));
        server.fault(path, faults);
        assert_failure(&fetch(home.path(), &server, &[]), parts);
        assert!(!snapshot(home.path()).join("model.safetensors").exists(), "{faults:?}");
    }
}

#[test]
fn refuses_listings_that_lead_out_of_the_cache() {
    let commit = COMMIT;
    for (listing, part) in [
        (format!(r#"{{"sha":"{commit}","siblings":[{{"rfilename":"../../evil"}}]}}"#), "unsafe path"),
        (format!(r#"{{"sha":"{commit}","siblings":[{{"rfilename":"/etc/evil"}}]}}"#), "unsafe path"),
        (r#"{"sha":"../../evil","siblings":[]}"#.to_owned(), "commit"),
        ("<html>".to_owned(), "not a listing"),
        (format!(r#"{{"sha":"{commit}","siblings":[]}}"#), "no file"),
    ] {
        let (home, server) = (tempfile::tempdir().unwrap(), Server::start(model()));
        server.state.lock().unwrap().listing = Some(listing);
        assert_failure(&fetch(home.path(), &server, &[]), &[part]);
        assert!(files(home.path()).is_empty());
    }
}

#[test]
fn the_token_goes_to_the_hub_and_nowhere_else() {
    let (home, server, storage) =
        (tempfile::tempdir().unwrap(), Server::start(model()), Server::start(model()));
    {
        let mut state = server.state.lock().unwrap();
        state.token = Some("secret".to_owned());
        state.storage = Some(storage.address.clone());
    }
    assert_failure(&fetch(home.path(), &server, &[]), &["401", "HF_TOKEN"]);
    let mut command = program(home.path());
    command.env("HF_ENDPOINT", &server.address).env("HF_TOKEN", "secret").args(["fetch", "owner/model"]);
    let output = command.output().unwrap();
    assert!(output.status.success(), "{output:?}");
    assert_whole(home.path());
    let leaked: Vec<_> = storage.log().into_iter().filter(|line| !line.contains("token=None")).collect();
    assert!(leaked.is_empty() && !storage.log().is_empty(), "{leaked:?}");

    fs_err::write(home.path().join("hf/token"), "secret\n").unwrap();
    assert!(fetch(home.path(), &server, &["--all"]).status.success(), "the login file is read");
}

#[test]
fn two_downloads_at_once_share_the_work() {
    let (home, server) = (tempfile::tempdir().unwrap(), Server::start(model()));
    let start = || {
        let mut command = program(home.path());
        command.env("HF_ENDPOINT", &server.address).args(["fetch", "owner/model"]);
        command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap()
    };
    let (first, second) = (start(), start());
    for child in [first, second] {
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{output:?}");
    }
    assert_whole(home.path());
}

#[test]
fn bad_names_are_refused_before_any_connection() {
    let home = tempfile::tempdir().unwrap();
    for (arguments, part) in [
        (vec!["fetch", "model"], "owner/name"),
        (vec!["fetch", "../../etc"], "owner/name"),
        (vec!["fetch", "a/b/c"], "owner/name"),
        (vec!["fetch", "a/b", "--revision", "../x"], "revision"),
    ] {
        assert_failure(&program(home.path()).args(&arguments).output().unwrap(), &[part]);
    }
    let output = program(home.path()).args(["fetch", "a/b"]).env("HF_HUB_OFFLINE", "1").output().unwrap();
    assert_failure(&output, &["HF_HUB_OFFLINE"]);
    let output = program(home.path()).args(["fetch", "a/b", "--retries", "1"]).output().unwrap();
    assert_failure(&output, &["cannot reach", "HF_ENDPOINT"]);
}
