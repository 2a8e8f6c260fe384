//! Official clients, unmodified, against the program with the model inside it. They are installed below `target/` the
//! first time; where that cannot be done, the test says so aloud and passes.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use crate::program::program;
use crate::served::Served;

pub(crate) fn target() -> PathBuf {
    let tests = Path::new(env!("CARGO_BIN_EXE_firsthand"));
    tests.ancestors().find(|folder| folder.ends_with("target")).unwrap_or(tests.parent().unwrap()).to_owned()
}

pub(crate) fn script(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients").join(name)
}

pub(crate) fn runs(command: &mut Command) -> bool {
    command.stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok_and(|status| status.success())
}

/// A Python that can import `module`, with `packages` installed where it could not.
pub(crate) fn python(module: &str, packages: &[&str]) -> Option<PathBuf> {
    let folder = target().join("clients");
    let python = folder.join("bin/python");
    let import = || runs(Command::new(&python).args(["-c", &format!("import {module}")]));
    if !import() {
        runs(Command::new("python3").args(["-m", "venv"]).arg(&folder));
        runs(Command::new(&python).args(["-m", "pip", "install", "--quiet"]).args(packages));
    }
    import().then_some(python)
}

/// A folder in which node finds `packages`.
fn node(packages: &[&str]) -> Option<PathBuf> {
    let folder = target().join("clients-js");
    let is_there = || packages.iter().all(|package| folder.join("node_modules").join(package).is_dir());
    if !is_there() {
        fs_err::create_dir_all(&folder).unwrap();
        let mut install = Command::new("npm");
        install.args(["install", "--silent", "--no-save"]).args(packages);
        runs(install.current_dir(&folder));
    }
    (is_there() && runs(Command::new("node").arg("--version"))).then_some(folder)
}

#[expect(clippy::print_stderr, reason = "a test that does not run must say so")]
pub(crate) fn skipped(what: &str) {
    eprintln!("skipped: {what} cannot be installed here");
}

/// Asks with a client; what it saw.
fn asked(mut command: Command, name: &str, served: &Served) -> Value {
    let media = firsthand_golden::root().join("media");
    let output = command.arg(script(name)).arg(served.url()).arg(media).output().unwrap();
    let (said, wrong) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    let log = || fs_err::read_to_string(&served.log).unwrap();
    assert!(output.status.success(), "{wrong}\n{said}\n{}", log());
    serde_json::from_str(&said).unwrap()
}

#[test]
fn the_official_python_client_is_served() {
    let Some(python) = python("openai", &["openai"]) else { return skipped("the OpenAI client for Python") };
    let home = tempfile::tempdir().unwrap();
    let served = Served::start(home.path(), &[]);
    let seen = asked(Command::new(python), "openai_client.py", &served);
    assert_eq!(seen["model"], "firsthand-tiny");
    assert_eq!(seen["width"], 256);
}

#[test]
fn the_official_javascript_client_is_served() {
    let Some(folder) = node(&["openai", "zod"]) else { return skipped("the OpenAI client for JavaScript") };
    let home = tempfile::tempdir().unwrap();
    let served = Served::start(home.path(), &[]);
    let mut command = Command::new("node");
    command.current_dir(folder);
    assert_eq!(asked(command, "openai_client.mjs", &served)["width"], 256);
}

#[test]
fn the_examples_of_the_page_run() {
    let home = tempfile::tempdir().unwrap();
    for name in ["clip.mp4", "photo.jpg"] {
        fs_err::copy(firsthand_golden::root().join("media").join(name), home.path().join(name)).unwrap();
    }
    crate::days::remember(home.path(), crate::days::LIVED, |_| Some("clip.mp4".to_owned()));
    let served = Served::start(home.path(), &["--media-root", ".", "--memory", "week"]);
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/serve.md");
    let page = fs_err::read_to_string(page).unwrap();
    let examples: Vec<&str> =
        page.split("```sh\n").skip(1).map(|rest| rest.split("```").next().unwrap()).collect();
    assert!(examples.len() > 10, "the page has examples");
    for example in examples {
        let output = Command::new("bash")
            .args(["-euo", "pipefail", "-c", example])
            .env("URL", served.url())
            .current_dir(home.path())
            .output()
            .unwrap();
        assert!(output.status.success(), "{example}\n{output:?}");
        assert!(!output.stdout.is_empty() || example.contains("-o "), "{example} says nothing");
    }
}

#[test]
fn a_client_of_mcp_that_writes_wrongly_is_told_and_goes_on() {
    let home = tempfile::tempdir().unwrap();
    let mut child = program(home.path())
        .arg("mcp")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let call = |id: u64, method: &str, params: Value| {
        json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params}).to_string()
    };
    let who = json!({"name": "test", "version": "1"});
    let lines = [
        ("{\"jsonrpc\": ".to_owned(), -32700),
        (call(1, "initialize", json!({"capabilities": {}, "clientInfo": who})), -32602),
        (
            call(
                2,
                "initialize",
                json!({"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": who}),
            ),
            0,
        ),
        ("not JSON".to_owned(), -32700),
        (call(3, "tools/call", json!({"name": "rag", "arguments": {}})), -32602),
        (call(4, "tools/list", json!({})), 0),
    ];
    let (mut input, mut output) = (child.stdin.take().unwrap(), BufReader::new(child.stdout.take().unwrap()));
    for (line, code) in &lines {
        writeln!(input, "{line}").unwrap();
        let mut answer = String::new();
        output.read_line(&mut answer).unwrap();
        let answer: Value =
            serde_json::from_str(&answer).unwrap_or_else(|error| panic!("{line}: {error}: {answer}"));
        assert_eq!(answer["error"]["code"].as_i64().unwrap_or(0), *code, "{line}: {answer}");
        if line.contains("rag") {
            let said = answer["error"]["message"].as_str().unwrap();
            assert!(said.ends_with("the tools are ask, inspect"), "{said}");
        }
    }
    drop(input);
    assert!(child.wait().unwrap().success());
}

#[test]
fn the_official_mcp_client_is_served_over_http_and_over_pipes() {
    let Some(python) = python("mcp", &["mcp"]) else { return skipped("the MCP client for Python") };
    let home = tempfile::tempdir().unwrap();
    let media = firsthand_golden::root().join("media");
    let served = Served::start(home.path(), &["--media-root", media.to_str().unwrap()]);
    let output = Command::new(python)
        .arg(script("mcp_client.py"))
        .arg(served.url())
        .arg(&media)
        .args(["--", env!("CARGO_BIN_EXE_firsthand"), "mcp", "--media-root", "."])
        .env("XDG_CACHE_HOME", home.path().join("cache"))
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let seen: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(seen["tools"], serde_json::json!(["ask", "inspect"]));
}
