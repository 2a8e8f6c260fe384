//! Live sessions: a stream of pictures stays bounded and its past is found in words, a killed server goes on where it was,
//! and nothing a client sends is taken on trust.

use std::path::Path;
use std::time::{Duration, Instant};

use firsthand_memory::{Level, Memory, Scope};
use serde_json::{Value, json};

use crate::program::program;
use crate::served::{Reply, Served};

/// A picture of 64 x 48 pixels like no other.
pub(crate) fn picture(number: u32) -> Vec<u8> {
    let shade = |x: u32, y: u32| {
        let value = x.wrapping_mul(2_654_435_761).wrapping_add(y * 40_503).wrapping_add(number * 97);
        [(value >> 3) as u8, (number * 5) as u8, (x * 4) as u8]
    };
    let image = image::RgbImage::from_fn(64, 48, |x, y| image::Rgb(shade(x, y)));
    let mut bytes = std::io::Cursor::new(Vec::new());
    image.write_to(&mut bytes, image::ImageFormat::Png).unwrap();
    bytes.into_inner()
}

fn golden(name: &str) -> Vec<u8> {
    fs_err::read(firsthand_golden::root().join("media").join(name)).unwrap()
}

pub(crate) fn create(served: &Served, body: &Value) -> String {
    served.post("/v1/live", body).ok()["id"].as_str().unwrap().to_owned()
}

/// Sends until there is room.
pub(crate) fn send(served: &Served, id: &str, kind: &str, at: f64, bytes: &[u8]) -> Value {
    let until = Instant::now() + Duration::from_secs(60);
    loop {
        let reply = served.post_bytes(&format!("/v1/live/{id}/{kind}?at={at}"), bytes, "");
        if reply.status != 429 {
            return reply.ok();
        }
        assert!(reply.head.to_lowercase().contains("retry-after: 1") && Instant::now() < until, "{reply:?}");
        std::thread::sleep(Duration::from_millis(200));
    }
}

pub(crate) fn ask(served: &Served, id: &str, words: &str) -> Value {
    let body = json!({"messages": [{"role": "user", "content": words}], "max_tokens": 16});
    served.post(&format!("/v1/live/{id}/ask"), &body).ok()
}

/// How it stands once nothing is due any more.
pub(crate) fn settled(served: &Served, id: &str) -> Value {
    let until = Instant::now() + Duration::from_secs(60);
    loop {
        let state = served.get(&format!("/v1/live/{id}")).ok();
        if state["waiting"]["due"] == false {
            return state;
        }
        assert!(Instant::now() < until, "{state}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

fn start(home: &Path, flags: &[&str]) -> Served {
    Served::start(home, &[&["--state", "state", "--live-window", "16"], flags].concat())
}

#[test]
fn a_long_stream_stays_bounded_is_remembered_and_survives_a_kill() {
    let home = tempfile::tempdir().unwrap();
    let served = start(home.path(), &["--live-mib", "1"]);
    let id = create(&served, &json!({"wearer": "W1", "start": "DAY2_08000000"}));
    let folder = home.path().join("state/live").join(&id);
    let mut first = Value::Null;
    for number in 0..200 {
        let seen = send(&served, &id, "frames", f64::from(number) * 0.5, &picture(number));
        assert_eq!((&seen["number"], &seen["frames"]), (&json!(number), &json!(1)), "{seen}");
        if number == 0 {
            first = seen;
        }
        if number % 10 == 9 {
            let state = served.get(&format!("/v1/live/{id}")).ok();
            assert!(state["window"]["frames"].as_u64().unwrap() <= 16, "{state}");
            let sizes = fs_err::read_dir(folder.join("seen")).unwrap().flatten();
            let bytes: u64 = sizes.filter_map(|file| Some(file.metadata().ok()?.len())).sum();
            assert!(bytes <= 1 << 20, "{bytes} bytes of pictures");
        }
    }
    let state = settled(&served, &id);
    assert_eq!((&state["seen"], &state["window"]["frames"]), (&json!(200), &json!(16)), "{state}");
    let held = fs_err::read_dir(folder.join("seen")).unwrap().count();
    assert!(held < 48, "{held} pictures are left of 200");
    let clips = state["remembered"]["clips"].as_u64().unwrap();
    assert!(clips >= 5, "{state}");
    // What is older than the window is found by its words, with the frames that were looked at.
    let mut memory = Memory::open(&folder.join("memory")).unwrap();
    assert_eq!(memory.store().check(false).unwrap(), Vec::<String>::new());
    let scope = Scope { level: Some(Level::Clip), ..Scope::default() };
    let records = memory.store().range(&scope, usize::MAX).unwrap();
    drop(memory);
    assert_eq!((records[0].wearer.as_str(), records[0].start.to_string().as_str()), ("W1", "DAY2_08000000"));
    let frames: Vec<String> = records[0].evidence[0].frames.iter().map(|frame| frame.hash.to_hex()).collect();
    assert_eq!(json!(frames[0]), first["hash"]);
    let words = format!("{} ?", records[0].text);
    let answer = ask(&served, &id, &words);
    let live = &answer["firsthand"]["live"];
    let recalled = live["recalled"].as_array().unwrap();
    assert!(recalled.iter().any(|record| record["start"] == "DAY2_08000000"), "{live}");
    assert_eq!(answer["firsthand"]["manifest"]["media"][0]["frames"].as_array().unwrap().len() % 2, 0);
    assert_eq!(live["window"]["to"], 99.5);
    assert!(answer["usage"]["prompt_tokens_details"]["video_tokens"].as_u64().unwrap() > 0, "{answer}");
    // Killed and started again: the same pictures, the same answer; and time goes on.
    served.signal("KILL");
    served.wait();
    let served = start(home.path(), &["--live-mib", "1"]);
    assert_eq!(served.get(&format!("/v1/live/{id}")).ok(), state);
    let again = ask(&served, &id, &words);
    for part in ["choices", "usage", "firsthand"] {
        // Only how much of the prompt was in the cache differs.
        let plain = |answer: &Value| {
            let mut part = answer[part].clone();
            part["prompt_tokens_details"]
                .as_object_mut()
                .map(|details| details.shift_remove("cached_tokens"));
            part
        };
        match part {
            "usage" => assert_eq!(plain(&again), plain(&answer)),
            _ => assert_eq!(again[part], answer[part], "{part}"),
        }
    }
    assert_eq!(send(&served, &id, "frames", 100.0, &picture(200))["number"], 200);
    // Deleted: nothing is left of it.
    let path = format!("/v1/live/{id}");
    let gone = served
        .send(&format!("DELETE {path} HTTP/1.1\r\nhost: {}\r\nconnection: close\r\n\r\n", served.address));
    assert_eq!(gone.ok()["deleted"], true);
    assert!(!folder.exists() && served.get(&path).status == 404);
}

#[test]
fn film_is_seen_in_pieces_and_answers_may_be_streamed() {
    let home = tempfile::tempdir().unwrap();
    let served = start(home.path(), &[]);
    let id = create(&served, &json!({"fps": 2}));
    let film = golden("clip.mp4");
    let seen = send(&served, &id, "segments", 3.0, &film);
    let (frames, to) = (seen["frames"].as_u64().unwrap(), seen["to"].as_f64().unwrap());
    assert!(frames >= 2 && to > 3.0, "{seen}");
    send(&served, &id, "frames", to + 1.0, &golden("photo.jpg"));
    let answer = ask(&served, &id, "what do i do with my hand ?");
    let media = answer["firsthand"]["manifest"]["media"].as_array().unwrap();
    assert_eq!(media.len(), 2, "{media:?}");
    assert_eq!(media[0]["frames"].as_array().unwrap().len() as u64, frames);
    assert!(media[0]["location"].as_str().unwrap().starts_with(&format!("{id}/00000000-")), "{media:?}");
    let body = json!({"messages": [{"role": "user", "content": "what do i do with my hand ?"}], "max_tokens": 16, "stream": true});
    let reply = served.post(&format!("/v1/live/{id}/ask"), &body);
    let said: String = reply
        .body
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line.strip_prefix("data: ")?).ok())
        .filter_map(|chunk| Some(chunk["choices"][0]["delta"]["content"].as_str()?.to_owned()))
        .collect();
    assert_eq!(json!(said), answer["choices"][0]["message"]["content"]);
    assert!(reply.body.contains("\"recalled\":[]"), "{}", reply.body);
    // Pieces in a row become memory like pictures, their frames with the session's times.
    for number in 0..12u32 {
        send(&served, &id, "segments", 20.0 + f64::from(number) * 10.0, &film);
    }
    let state = settled(&served, &id);
    assert!(state["remembered"]["clips"].as_u64().unwrap() >= 2, "{state}");
    let mut memory = Memory::open(&home.path().join("state/live").join(&id).join("memory")).unwrap();
    let scope = Scope { level: Some(Level::Clip), ..Scope::default() };
    for record in memory.store().range(&scope, usize::MAX).unwrap() {
        let evidence = &record.evidence[0];
        let span = evidence.start_s..=evidence.end_s;
        assert!(evidence.frames.iter().all(|frame| span.contains(&frame.time.seconds())), "{evidence:?}");
    }
}

#[test]
fn what_is_long_past_is_summed_up() {
    let home = tempfile::tempdir().unwrap();
    let served = start(home.path(), &[]);
    let id = create(&served, &json!({"start": "DAY1_08000000"}));
    // Twenty-five minutes, a picture every five seconds.
    for number in 0..300 {
        send(&served, &id, "frames", f64::from(number) * 5.0, &picture(number));
    }
    let state = settled(&served, &id);
    // Half minutes hold six pictures each; what has left the window of sixteen is remembered.
    assert!(state["remembered"]["clips"].as_u64().unwrap() >= 46, "{state}");
    // 08:00 and 08:10 are over; 08:20 goes on.
    assert_eq!(
        (&state["remembered"]["summaries"], &state["remembered"]["failed"]),
        (&json!(2), &json!(0)),
        "{state}"
    );
    let mut memory = Memory::open(&home.path().join("state/live").join(&id).join("memory")).unwrap();
    let scope = Scope { level: Some(Level::TenMinutes), ..Scope::default() };
    let summaries = memory.store().range(&scope, usize::MAX).unwrap();
    assert!(summaries.iter().all(|summary| summary.sources.len() == 20), "{summaries:?}");
    let answer = ask(&served, &id, "what did i see this morning ?");
    assert!(!answer["firsthand"]["live"]["recalled"].as_array().unwrap().is_empty(), "{answer}");
}

fn error(reply: &Reply) -> (u16, String) {
    (reply.status, reply.json()["error"]["message"].as_str().unwrap_or_default().to_owned())
}

#[test]
fn what_is_wrong_is_refused_by_name() {
    let home = tempfile::tempdir().unwrap();
    let served = start(home.path(), &["--live-sessions", "3", "--live-idle-seconds", "6"]);
    let id = create(&served, &json!({}));
    let photo = golden("photo.jpg");
    let frames = format!("/v1/live/{id}/frames");
    let segments = format!("/v1/live/{id}/segments");
    let ask = format!("/v1/live/{id}/ask");
    let words = |content: Value| json!({"messages": [{"role": "user", "content": content}]});
    assert_eq!(error(&served.post(&ask, &words(json!("what ?")))).0, 400, "nothing is seen yet");
    let seen = served.post_bytes(&format!("{frames}?at=5"), &photo, "").ok();
    assert_eq!(
        served.post_bytes(&format!("{frames}?at=5"), &photo, "").ok(),
        seen,
        "its reply may have been lost"
    );
    let huge = {
        // A picture that says it is larger than it may be.
        let mut bytes = picture(1);
        bytes[16..20].copy_from_slice(&60_000u32.to_be_bytes());
        bytes
    };
    for (path, bytes, status, part) in [
        (format!("{frames}?at=5"), &huge[..], 400, "is not after 5 s"),
        (format!("{frames}?at=4.5"), &photo, 400, "is not after"),
        (frames.clone(), &photo, 400, "at: expected seconds"),
        (format!("{frames}?at=-1"), &photo, 400, "at: expected seconds"),
        (format!("{frames}?at=NaN"), &photo, 400, "at: expected seconds"),
        (format!("{frames}?at=soon"), &photo, 400, "at: expected seconds"),
        (format!("{frames}?at=6&fps=3"), &photo, 400, "at: expected seconds"),
        (format!("{frames}?at=6"), b"GIF89a", 400, "JPEG or PNG"),
        (format!("{frames}?at=6"), b"", 400, "JPEG or PNG"),
        (format!("{frames}?at=6"), &photo[..900], 400, "the frame"),
        (format!("{frames}?at=6"), &huge, 400, "the frame"),
        (format!("{segments}?at=6"), &photo, 400, "MP4"),
        (format!("{segments}?at=6"), b"\0\0\0\x20ftypisom", 400, "the segment"),
        ("/v1/live/live-0/frames?at=6".to_owned(), &photo, 404, "no such session"),
    ] {
        let (got, message) = error(&served.post_bytes(&path, bytes, ""));
        assert_eq!(got, status, "{path}: {message}");
        assert!(message.contains(part), "{part:?} is missing in {message:?}");
        assert!(!message.contains("drafts") && !message.contains(home.path().to_str().unwrap()), "{message}");
    }
    let image = json!([{"type": "image_url", "image_url": {"url": "data:image/png;base64,AA=="}}]);
    assert!(error(&served.post(&ask, &words(image))).1.contains("words alone"));
    let unknown = json!({"messages": [{"role": "user", "content": "what ?"}], "tempreature": 1});
    assert!(error(&served.post(&ask, &unknown)).1.contains("tempreature"));
    let frames = json!({"messages": [{"role": "user", "content": "what ?"}], "frames": 3});
    assert!(error(&served.post(&ask, &frames)).1.contains("frames"));
    let assistant =
        json!({"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]});
    assert_eq!(served.post(&ask, &assistant).status, 400);
    for body in [
        json!({"start": "noon"}),
        json!({"wearer": ""}),
        json!({"fps": 0}),
        json!({"size": 3}),
        json!({"max_pixels": 1}),
    ] {
        assert_eq!(served.post("/v1/live", &body).status, 400, "{body}");
    }
    // As many sessions as there may be, until nobody asks for them any more.
    create(&served, &json!({}));
    create(&served, &json!({}));
    assert_eq!(served.post("/v1/live", &json!({})).status, 429);
    assert_eq!(served.get("/v1/live").ok()["data"].as_array().unwrap().len(), 3);
    let until = Instant::now() + Duration::from_secs(30);
    while !served.get("/v1/live").ok()["data"].as_array().unwrap().is_empty() {
        assert!(Instant::now() < until, "idle sessions are deleted");
        std::thread::sleep(Duration::from_millis(200));
    }
    assert_eq!(fs_err::read_dir(home.path().join("state/live")).unwrap().count(), 0);
    served.until("nobody is inside", || served.metric("requests_inside") == 0.0);
}

#[test]
fn sessions_of_another_key_are_not_there() {
    let home = tempfile::tempdir().unwrap();
    let mut command = program(home.path());
    command.args(["serve", "--port", "0"]).env("FIRSTHAND_API_KEYS", "first-key-1234,second-key-5678");
    let served = Served::run(command, home.path());
    let first = "authorization: Bearer first-key-1234\r\n";
    let second = "authorization: Bearer second-key-5678\r\n";
    let id = served.post_with("/v1/live", &json!({}), first).ok()["id"].as_str().unwrap().to_owned();
    let path = format!("/v1/live/{id}/frames?at=1");
    assert_eq!(served.post_bytes(&path, &picture(1), "").status, 401);
    assert_eq!(served.post_bytes(&path, &picture(1), second).status, 404);
    let seen = served.post_bytes(&path, &picture(1), first).ok();
    let name = format!("{id}/00000000-1000000-1000000-1-48x64.png");
    assert_eq!(seen["at"], 1.0);
    let part = json!([{"type": "image_url", "image_url": {"url": name}, "max_pixels": 6272}]);
    let body = json!({"messages": [{"role": "user", "content": part}], "max_tokens": 1});
    served.post_with("/v1/chat/completions", &body, first).ok();
    assert_eq!(served.post_with("/v1/chat/completions", &body, second).status, 404);
    // A disk that takes nothing more: the frame is refused, what was seen is still asked about.
    let uploads = fs_err::read_dir(home.path().join("cache/firsthand/uploads")).unwrap();
    let folder = uploads.flatten().next().unwrap().path();
    fs_err::remove_dir_all(folder.join("drafts")).unwrap();
    fs_err::write(folder.join("drafts"), "").unwrap();
    assert_eq!(served.post_bytes(&format!("/v1/live/{id}/frames?at=2"), &picture(2), first).status, 507);
    let body = json!({"messages": [{"role": "user", "content": "what ?"}], "max_tokens": 1});
    served.post_with(&format!("/v1/live/{id}/ask"), &body, first).ok();
}
