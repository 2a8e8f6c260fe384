//! The page of `serve`: its types, what it may read, and a person's way through its four views in a real browser, with
//! the keyboard alone. What has no browser or no npm says so aloud and passes.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use crate::page_home::Home;
use crate::program::{program, stdout};
use crate::serve_clients::{runs, script, skipped, target};
use crate::served::{Reply, Served};

/// Packages at the versions the tests were written with.
const PACKAGES: [(&str, &str); 3] =
    [("playwright-core", "1.65.1"), ("axe-core", "4.14.1"), ("typescript", "7.0.2")];
/// Names of the browser.
const BROWSERS: [&str; 5] = [
    "chromium",
    "chromium-browser",
    "google-chrome",
    "google-chrome-stable",
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
];

/// A folder in which node finds the packages.
fn packages() -> Option<PathBuf> {
    static ONCE: std::sync::OnceLock<Option<PathBuf>> = std::sync::OnceLock::new();
    let install = || {
        let folder = target().join("page-js");
        let is_there = || PACKAGES.iter().all(|(name, _)| folder.join("node_modules").join(name).is_dir());
        if !is_there() {
            fs_err::create_dir_all(&folder).unwrap();
            let named = PACKAGES.iter().map(|(name, version)| format!("{name}@{version}"));
            runs(
                Command::new("npm")
                    .args(["install", "--silent", "--no-save", "--no-audit", "--no-fund"])
                    .args(named)
                    .current_dir(&folder),
            );
        }
        (is_there() && runs(Command::new("node").arg("--version"))).then_some(folder)
    };
    ONCE.get_or_init(install).clone()
}

/// Where a browser is that runs.
fn browser() -> Option<PathBuf> {
    let folders = std::env::var_os("PATH").unwrap_or_default();
    let folders: Vec<PathBuf> = std::env::split_paths(&folders).collect();
    // A name that is a whole path stays it.
    let places = BROWSERS.iter().flat_map(|name| folders.iter().map(move |folder| folder.join(name)));
    places.filter(|place| place.is_file()).find(|place| runs(Command::new(place).arg("--version")))
}

fn sources() -> PathBuf {
    fs_err::canonicalize(Path::new(env!("CARGO_MANIFEST_DIR")).join("../serve/page")).unwrap()
}

#[test]
fn the_scripts_of_the_page_have_types() {
    let Some(folder) = packages() else { return skipped("typescript") };
    let options = "--allowJs --checkJs --noEmit --strict --noUncheckedIndexedAccess --target es2023 --module es2022 \
        --moduleResolution bundler --lib es2023,dom,dom.iterable,dom.asynciterable";
    let scripts = fs_err::read_dir(sources()).unwrap().map(|entry| entry.unwrap().path());
    let scripts: Vec<_> =
        scripts.filter(|path| path.extension().is_some_and(|ending| ending == "js")).collect();
    assert!(scripts.len() > 10);
    let mut check = Command::new("node");
    check.arg(folder.join("node_modules/typescript/bin/tsc")).args(options.split_whitespace()).args(&scripts);
    let output = check.current_dir(&folder).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
}

#[test]
fn a_person_walks_through_the_page() {
    let (Some(folder), Some(browser)) = (packages(), browser()) else {
        return skipped("a Chromium (Debian: apt-get install chromium) or playwright-core");
    };
    let home = Home::make();
    let served = Served::start(home.path(), &home.flags());
    let picture = target().join("page.png");
    let mut walk = Command::new("node");
    walk.arg(script("page_walk.mjs")).arg(served.url()).arg(&folder).arg(browser);
    walk.arg(home.path()).arg(&picture);
    let output = walk.stdin(Stdio::null()).output().unwrap();
    let (said, wrong) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{wrong}\n{said}\n{}", fs_err::read_to_string(&served.log).unwrap());
    // The picture of the README is the one that was just taken, and small enough for it.
    assert!(fs_err::metadata(&picture).unwrap().len() < 300 << 10);
}

fn upload(served: &Served, path: &Path) -> String {
    let bytes = fs_err::read(path).unwrap();
    let form = ureq::post(format!("{}/v1/files", served.url()));
    let edge = "edge-of-a-part";
    let mut body = format!(
        "--{edge}\r\ncontent-disposition: form-data; name=\"file\"; filename=\"film.mp4\"\r\ncontent-type: video/mp4\r\n\r\n"
    )
    .into_bytes();
    body.extend(bytes);
    body.extend(format!("\r\n--{edge}--\r\n").into_bytes());
    let mut reply =
        form.header("content-type", format!("multipart/form-data; boundary={edge}")).send(&body[..]).unwrap();
    let text = reply.body_mut().read_to_string().unwrap();
    let stored: Value = serde_json::from_str(&text).unwrap();
    stored["id"].as_str().unwrap().to_owned()
}

/// The frames on the page are the frames of `inspect` and of the answer's manifest.
#[test]
fn the_frames_that_are_shown_are_the_frames_that_are_asked_about() {
    let home = Home::make();
    let served = Served::start(home.path(), &[]);
    let film = home.film();
    let file = upload(&served, &film);
    for (rules, flags) in [
        (json!({}), &[][..]),
        (json!({"frames": "6"}), &["--frames", "6"][..]),
        (
            json!({"fps": "1", "start": "1", "end": "3.5"}),
            &["--fps", "1", "--start", "1", "--end", "3.5"][..],
        ),
    ] {
        let asked = json!({"file": file, "kind": "video", "rules": rules});
        let look = served.post("/page/api/look", &asked).ok();
        let inspect =
            program(home.path()).args(["inspect", "--json"]).args(flags).arg(&film).output().unwrap();
        let inspect: Value = serde_json::from_str(&stdout(&inspect)).unwrap();
        let frames = |value: &Value| -> Vec<Value> {
            let chosen = value["chosen"].as_array().unwrap().iter();
            chosen.map(|frame| json!([frame["index"], frame["time_s"], frame["hash"]])).collect()
        };
        assert_eq!(frames(&look), frames(&inspect), "{rules}");

        let question = json!({"file": file, "kind": "video", "size": look["size"], "text": "where is the red toy car ?", "rules": rules});
        let mut body = served.post("/page/api/question", &question).ok();
        body["stream"] = json!(false);
        body.as_object_mut().unwrap().remove("stream_options");
        let reply = served.chat(&body).ok();
        let seen = reply["firsthand"]["manifest"]["media"][0]["frames"].as_array().unwrap();
        let hashes: Vec<&Value> = seen.iter().map(|frame| &frame["hash"]).collect();
        let shown: Vec<&Value> =
            look["chosen"].as_array().unwrap().iter().map(|frame| &frame["hash"]).collect();
        assert_eq!(hashes, shown, "{rules}");
        assert_eq!(look["tokens"], reply["usage"]["prompt_tokens_details"]["video_tokens"], "{rules}");
    }
}

#[test]
fn the_page_reads_nothing_but_what_it_was_given() {
    let home = Home::make();
    fs_err::write(home.path().join("secret.json"), "{}").unwrap();
    fs_err::write(home.path().join("metrics.jsonl"), "{}\n").unwrap();
    #[cfg(unix)]
    std::os::unix::fs::symlink(home.path(), home.path().join("runs/link")).unwrap();
    #[cfg(unix)]
    std::os::unix::fs::symlink(home.path().join("secret.json"), home.path().join("traces/link.json"))
        .unwrap();
    let served = Served::start(home.path(), &home.flags());
    let refused = |path: &str| {
        let Reply { status, head, body } = served.get(path);
        assert!((400..500).contains(&status), "{path}: {head}");
        assert!(!body.contains(home.path().to_str().unwrap()), "{path} tells a path: {body}");
    };
    for name in ["..", "../runs", "%2e%2e", "..%2f", "/", "/etc", "link", "grpo/../..", "", "nothing"] {
        for verb in ["metrics", "rollouts"] {
            refused(&format!("/page/api/runs/{verb}?run={name}"));
        }
    }
    for name in
        ["../secret.json", "link.json", "..%2fsecret.json", ".hidden.json", "nothing.json", "%00.json"]
    {
        refused(&format!("/page/api/trace?name={name}"));
    }
    for path in [
        "/page/..%2fCargo.toml",
        "/page/types.js",
        "/page/api/nothing",
        "/page/api/frame?file=file-0&at=0",
        "/page/api/frame?file=/etc/passwd&at=0",
        "/page/api/memory/record/999999",
        "/page/api/memory/still?record=1&evidence=7&at=0",
        "/page/api/memory/still?record=1&evidence=0&at=3600",
        "/page/api/memory/range?level=clip&from=x&to=1&limit=1",
    ] {
        refused(path);
    }
    let asked = json!({"file": "/etc/passwd", "kind": "image"});
    assert_eq!(served.post("/page/api/look", &asked).status, 404);
    let list = served.get("/page/api/runs").ok();
    let names: Vec<&str> =
        list["runs"].as_array().unwrap().iter().filter_map(|run| run["name"].as_str()).collect();
    assert_eq!(names, ["eval-4", "eval-8", "grpo", "grpo-long"], "what a link leads to is no run");
}

#[test]
fn the_page_runs_under_a_strict_policy_and_the_rest_wants_the_key() {
    let home = tempfile::tempdir().unwrap();
    let served = Served::start(home.path(), &["--api-key", "a-key-of-the-test"]);
    let page = served.get("/");
    assert_eq!(page.status, 200);
    let head = page.head.to_ascii_lowercase();
    for part in ["default-src 'none'", "script-src 'self'", "frame-ancestors 'none'", "nosniff"] {
        assert!(head.contains(part), "{part} is missing in {head}");
    }
    assert!(!head.contains("unsafe"));
    assert_eq!(served.get("/page/app.js").status, 200);
    assert_eq!(served.get("/page/api/state").status, 401);
    let with_key = served.send(&format!(
        "GET /page/api/state HTTP/1.1\r\nhost: {}\r\nauthorization: Bearer a-key-of-the-test\r\nconnection: close\r\n\r\n",
        served.address
    ));
    assert_eq!(with_key.ok()["models"], json!(["firsthand-tiny"]));
}
