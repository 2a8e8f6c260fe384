//! What a film of hundreds of megabytes costs in memory, for every verb that opens one: far less than the film has
//! bytes. A reader that kept what it has read would need them all.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::time::Duration;

use firsthand_golden::checkpoint;
use serde_json::json;

use crate::chat_server::ChatServer;
use crate::program::program;
use crate::served::Served;

/// Fewest bytes of the film.
const FILM: u64 = 500 << 20;
/// Most memory that a process may ever have held, in bytes.
const MOST: u64 = 320 << 20;

/// A hundred seconds of noise in MJPEG: one second, copied again and again.
fn film(container: &str) -> PathBuf {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    let folder = FOLDER.get_or_init(|| {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("long-film");
        fs_err::create_dir_all(&folder).unwrap();
        folder
    });
    static MAKING: std::sync::Mutex<()> = std::sync::Mutex::new(());
    let _one = MAKING.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let path = folder.join(format!("film.{container}"));
    if path.exists() {
        return path;
    }
    let second = folder.join("second.mkv");
    let noise = "nullsrc=size=640x480:rate=25:duration=1,geq=random(1)*255:128:128";
    ffmpeg(&["-f", "lavfi", "-i", noise, "-c:v", "mjpeg", "-q:v", "2", "-pix_fmt", "yuvj420p"], &second);
    let part = folder.join(format!("part.{container}"));
    ffmpeg(&["-stream_loop", "99", "-i", second.to_str().unwrap(), "-c", "copy"], &part);
    assert!(fs_err::metadata(&part).unwrap().len() > FILM, "the film is too short to show a leak");
    fs_err::rename(part, &path).unwrap();
    path
}

fn ffmpeg(arguments: &[&str], target: &Path) {
    let mut command = Command::new("ffmpeg");
    let status = command.args(["-v", "error", "-y"]).args(arguments).arg(target).status().unwrap();
    assert!(status.success(), "{arguments:?}");
}

/// The most memory that a process has held so far, in bytes; `None` once it is gone.
fn peak(pid: u32) -> Option<u64> {
    let status = fs_err::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().trim_end_matches("kB").trim().parse::<u64>().ok().map(|kib| kib << 10)
}

/// Runs a command to its end and holds what it took against the bound.
#[track_caller]
fn check(verb: &str, command: &mut Command) -> String {
    // Files, not pipes: nobody reads while the process is watched.
    let (out, errors) = (tempfile::NamedTempFile::new().unwrap(), tempfile::NamedTempFile::new().unwrap());
    command.stdout(out.reopen().unwrap()).stderr(errors.reopen().unwrap());
    let mut child = command.spawn().unwrap();
    let mut most = 0;
    let status = loop {
        most = peak(child.id()).unwrap_or(0).max(most);
        if let Some(status) = child.try_wait().unwrap() {
            break status;
        }
        std::thread::sleep(Duration::from_millis(2));
    };
    assert!(status.success(), "{verb}: {}", fs_err::read_to_string(errors.path()).unwrap());
    assert!(most > 4 << 20, "{verb}: nothing was measured");
    assert!(most < MOST, "{verb} took {} MiB", most >> 20);
    fs_err::read_to_string(out.path()).unwrap()
}

/// Few small frames: what is bounded is reading, not looking.
const FEW: [&str; 6] = ["--frames", "6", "--min-pixels", "3136", "--max-pixels", "6272"];

#[test]
fn inspect_reads_a_long_film_in_little_memory() {
    let home = tempfile::tempdir().unwrap();
    for container in ["mp4", "mkv", "avi"] {
        // AVI films are decoded from the start, so early frames are asked for.
        let film = film(container);
        check(container, program(home.path()).arg("inspect").arg(&film).args(["--at", "0.1,0.5,1"]));
    }
    // As many pictures of 640x480 would be 442 MB.
    let film = film("mp4");
    let many = ["--fps", "4.8", "--json"];
    let told = check("inspect at a rate", program(home.path()).arg("inspect").arg(&film).args(many));
    let told: serde_json::Value = serde_json::from_str(&told).unwrap();
    assert_eq!(told["chosen"].as_array().unwrap().len(), 480);
}

#[test]
fn questions_about_a_long_film_take_little_memory() {
    let home = tempfile::tempdir().unwrap();
    let (film, model) = (film("mp4"), checkpoint("qwen2_5_vl"));
    let short = ["--greedy", "--max-tokens", "2"];
    let ask = |verb: &str| {
        let mut command = program(home.path());
        command.arg(verb).arg("--model").arg(&model);
        command
    };
    check("ask", ask("ask").arg(&film).arg("What is it?").args(FEW).args(short));
    let row = json!({"id": 1, "media": film, "question": "What is it?"});
    fs_err::write(home.path().join("in.jsonl"), format!("{row}\n")).unwrap();
    check("batch", ask("batch").args(["in.jsonl", "out.jsonl"]).args(FEW).args(short));
    let part = json!({
        "type": "video", "video": film, "nframes": 6, "min_pixels": 3136, "max_pixels": 6272,
    });
    let messages = json!([{"role": "user", "content": [part, {"type": "text", "text": "What is it?"}]}]);
    fs_err::write(home.path().join("messages.json"), messages.to_string()).unwrap();
    check("dump", ask("dump").args(["--messages", "messages.json", "--out", "dump.safetensors"]));
}

#[test]
fn a_benchmark_and_a_lesson_about_a_long_film_take_little_memory() {
    let row = json!({
        "id": "q", "question": "What is it?", "media": "clip.mp4", "options": ["a cup", "a key"], "gold": "A",
        "room": "hall",
    });
    let home = crate::eval::home(&[row]);
    let film = film("mp4");
    fs_err::remove_file(home.path().join("data/clip.mp4")).unwrap();
    std::os::unix::fs::symlink(&film, home.path().join("data/clip.mp4")).unwrap();
    let mut eval = program(home.path());
    eval.args(["eval", "kitchen.toml", "--data", "data", "--out", "run", "--greedy", "--max-tokens", "2"]);
    check("eval", eval.args(FEW).arg("--model").arg(checkpoint("qwen2_5_vl")));

    let school = crate::train::School::new();
    let medium = json!({"type": "video", "video": film, "nframes": 4, "min_pixels": 784, "max_pixels": 6272});
    let row = json!({"messages": [
        {"role": "user", "content": [medium, {"type": "text", "text": "what is it"}]},
        {"role": "assistant", "content": "it is red"},
    ]});
    fs_err::write(school.path("rows.jsonl"), format!("{row}\n{row}\n")).unwrap();
    let phase = "[[phase]]\nname = \"a\"\nsteps = 2\nbatch = 2\nlearning_rate = { language = 1e-3 }\n";
    let recipe = school.recipe("run", "f32", phase);
    check("train sft", &mut school.train(&recipe));
}

#[test]
fn remembering_a_long_film_takes_little_memory() {
    let home = tempfile::tempdir().unwrap();
    let server = ChatServer::start(&[], 1, |_| "I stand before noise.".to_owned());
    let mut command = program(home.path());
    command.args(["remember", "--endpoint", &server.address, "--endpoint-model", "served"]);
    command.args(["--memory", "memory", "--start", "DAY1_08000000", "--max-pixels", "6272"]);
    check("remember", command.arg(film("mp4")));
}

#[test]
fn serving_a_long_film_takes_little_memory() {
    let home = tempfile::tempdir().unwrap();
    let film = film("mp4");
    let root = film.parent().unwrap().to_str().unwrap().to_owned();
    let served = Served::start(home.path(), &["--media-root", &root]);
    let part = json!({"type": "video_url", "video_url": {"url": "film.mp4"}});
    let text = json!({"type": "text", "text": "what is it ?"});
    // What a server holds without any film: weights, caches, grammars.
    served.chat(&json!({"messages": [{"role": "user", "content": "what ?"}], "max_tokens": 2})).ok();
    let before = peak(served.pid()).unwrap();
    for frames in [4, 6] {
        let body = json!({
            "messages": [{"role": "user", "content": [part, text]}], "max_tokens": 2, "frames": frames,
            "max_pixels": 6272, "min_pixels": 3136,
        });
        served.chat(&body).ok();
    }
    let workers: Vec<u32> = children(served.pid());
    assert!(!workers.is_empty(), "no process opened the film");
    for pid in workers {
        let most = peak(pid).unwrap();
        assert!(most < MOST, "process {pid} took {} MiB", most >> 20);
    }
    let more = peak(served.pid()).unwrap() - before;
    assert!(more < MOST / 2, "the server took {} MiB for the film", more >> 20);
}

/// The processes that a process has started.
fn children(parent: u32) -> Vec<u32> {
    let pids = fs_err::read_dir("/proc").unwrap().flatten();
    let pids = pids.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    let parent_of = |pid: &u32| {
        let status = fs_err::read_to_string(format!("/proc/{pid}/status")).ok()?;
        status.lines().find_map(|line| line.strip_prefix("PPid:"))?.trim().parse::<u32>().ok()
    };
    pids.filter(|pid| parent_of(pid) == Some(parent)).collect()
}
