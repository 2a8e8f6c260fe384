//! `doctor` reports on this machine, whatever it is.

use serde_json::Value;

use crate::program::{assert_failure, program, stdout};

#[test]
fn every_check_has_a_finding_and_every_trouble_a_remedy() {
    let home = tempfile::tempdir().unwrap();
    let output = program(home.path()).args(["doctor", "--json"]).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let report: Value = serde_json::from_str(&stdout(&output)).unwrap();
    let checks = report["checks"].as_array().unwrap();
    let names: Vec<_> = checks.iter().map(|check| check["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["video", "processor", "threads", "memory", "gpu", "cache", "models", "hub"]);
    for check in checks {
        assert!(!check["found"].as_str().unwrap().is_empty(), "{check}");
        assert_eq!(check["state"] == "good", check.get("remedy").is_none(), "{check}");
    }
    assert!(checks[0]["found"].as_str().unwrap().contains("libavcodec"));
    assert!(checks[7]["found"].as_str().unwrap().contains("127.0.0.1:9"));
}

#[test]
fn a_cache_that_cannot_be_written_is_bad() {
    let home = tempfile::tempdir().unwrap();
    fs_err::write(home.path().join("file"), "").unwrap();
    let mut command = program(home.path());
    command.env("HF_HUB_CACHE", home.path().join("file/hub")).arg("doctor");
    let output = command.output().unwrap();
    assert_failure(&output, &["not ready: models"]);
    assert!(stdout(&output).contains("set HF_HOME"), "{output:?}");
}
