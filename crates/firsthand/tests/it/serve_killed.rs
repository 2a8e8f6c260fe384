//! A server that is killed while many ask of it: the next one on the same folder has every upload, every frame and every
//! record of which a client was told, and answers.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use base64::Engine as _;
use firsthand_memory::{Level, Memory, Scope};
use serde_json::{Value, json};

use crate::live::{ask, create, picture, settled};
use crate::served::{Reply, Served, attempt, request, request_of_bytes};

const FLAGS: [&str; 9] =
    ["--state", "state", "--live-window", "8", "--live-mib", "1", "--memory", "week", "--media-root"];
/// Times that the server is killed.
const KILLS: u32 = 3;

/// What clients were told is done.
#[derive(Default)]
struct Told {
    /// Ids of uploads with their bytes.
    uploads: Vec<(String, String)>,
    /// Numbers and hashes of frames, by session.
    frames: [Vec<(u64, String)>; 2],
    answers: usize,
}

fn form(text: &str) -> Vec<u8> {
    let form = "--x\r\ncontent-disposition: form-data; name=\"file\"; filename=\"a.txt\"\r\n\r\n";
    format!("{form}{text}\r\n--x--\r\n").into_bytes()
}

/// The reply if there was one: a killed server gives none, or half of one.
fn whole(reply: std::io::Result<Reply>) -> Option<Value> {
    let reply = reply.ok()?;
    assert!(matches!(reply.status, 0 | 200 | 429), "{reply:?}");
    serde_json::from_str(&reply.body).ok().filter(|_| reply.status == 200)
}

/// One client until the server is gone. `round` makes its words unlike those before.
fn client(kind: usize, round: u32, address: &str, sessions: &[String], until: Instant, told: &Mutex<Told>) {
    let photo = fs_err::read(firsthand_golden::root().join("media/photo.jpg")).unwrap();
    let photo = base64::engine::general_purpose::STANDARD.encode(photo);
    let mut turn = 0u32;
    while Instant::now() < until {
        turn += 1;
        match kind {
            0 | 1 => {
                let number = told.lock().unwrap().frames[kind].last().map_or(0, |last| last.0 + 1);
                let path = format!("/v1/live/{}/frames?at={}", sessions[kind], number as f64 * 2.0);
                let bytes = picture(number as u32 + 1000 * kind as u32);
                let reply = whole(attempt(address, &request_of_bytes(address, &path, &bytes, "")));
                if let Some(seen) = reply {
                    assert_eq!(seen["number"], number, "{seen}");
                    let frame = (number, seen["hash"].as_str().unwrap().to_owned());
                    told.lock().unwrap().frames[kind].push(frame);
                }
            }
            2 => {
                let text = format!("upload {turn} of round {round}");
                let lines = "content-type: multipart/form-data; boundary=x\r\n";
                let bytes = request_of_bytes(address, "/v1/files", &form(&text), lines);
                if let Some(file) = whole(attempt(address, &bytes)) {
                    let id = file["id"].as_str().unwrap().to_owned();
                    told.lock().unwrap().uploads.push((id, text));
                }
            }
            3 => {
                let query = json!({"level": "day", "keywords": ["red", "cup"], "start_time": "DAY2_00000000", "query_time": "DAY2_23000000"});
                let found =
                    whole(attempt(address, request(address, "/query", &query.to_string(), "").as_bytes()));
                told.lock().unwrap().answers += usize::from(found.is_some());
            }
            _ => {
                let url = format!("data:image/jpeg;base64,{photo}");
                let part = json!({"type": "image_url", "image_url": {"url": url}, "max_pixels": 12544, "min_pixels": 3136});
                let messages = json!([{"role": "user", "content": [part, {"type": "text", "text": "what is on the table ?"}]}]);
                let body = json!({"messages": messages, "max_tokens": 24, "stream": kind == 5 && turn.is_multiple_of(2)});
                let text = request(address, "/v1/chat/completions", &body.to_string(), "");
                let said = whole(attempt(address, text.as_bytes()));
                told.lock().unwrap().answers += usize::from(said.is_some());
            }
        }
    }
}

/// Checks that everything told is there; how many frames are remembered.
fn check(home: &Path, served: &Served, sessions: &[String], told: &Told) -> usize {
    for (id, text) in &told.uploads {
        let reply = served.get(&format!("/v1/files/{id}/content"));
        assert_eq!((reply.status, reply.body.as_str()), (200, text.as_str()), "{id}");
    }
    let listed = served.get("/v1/files").ok()["data"].as_array().unwrap().len();
    // One more may have been stored whose reply was lost, in each round.
    assert!((told.uploads.len()..=told.uploads.len() + KILLS as usize).contains(&listed), "{listed}");
    let mut remembered = 0;
    for (id, frames) in sessions.iter().zip(&told.frames) {
        let state = settled(served, id);
        let seen = state["seen"].as_u64().unwrap();
        assert!((0..=1).contains(&(seen - frames.len() as u64)), "{seen} of {} frames", frames.len());
        let folder = home.join("state/live").join(id);
        let held: BTreeSet<u64> = fs_err::read_dir(folder.join("seen"))
            .unwrap()
            .map(|file| file.unwrap().file_name().to_string_lossy()[..8].parse().unwrap())
            .collect();
        let mut hashes = BTreeSet::new();
        if folder.join("memory").is_dir() {
            let mut memory = Memory::open(&folder.join("memory")).unwrap();
            assert_eq!(memory.store().check(false).unwrap(), Vec::<String>::new());
            let scope = Scope { level: Some(Level::Clip), ..Scope::default() };
            let records = memory.store().range(&scope, usize::MAX).unwrap();
            assert!(
                records.windows(2).all(|pair| pair[0].end <= pair[1].start),
                "no time is remembered twice"
            );
            let frames = records.iter().flat_map(|record| &record.evidence[0].frames);
            hashes.extend(frames.map(|frame| frame.hash.to_hex()));
        }
        let lost: Vec<u64> = frames
            .iter()
            .filter(|(number, hash)| !held.contains(number) && !hashes.contains(hash))
            .map(|frame| frame.0)
            .collect();
        assert_eq!(lost, Vec::<u64>::new(), "frames that are neither held nor remembered");
        remembered += hashes.len();
    }
    remembered
}

#[test]
fn a_server_killed_under_load_goes_on_with_all_it_said_it_had() {
    let home = tempfile::tempdir().unwrap();
    crate::days::remember(home.path(), crate::days::LIVED, |_| None);
    let flags = [&FLAGS[..], &["."]].concat();
    let mut served = Served::start(home.path(), &flags);
    let sessions: Vec<String> = (0..2).map(|_| create(&served, &json!({}))).collect();
    let told = Mutex::new(Told::default());
    for round in 0..KILLS {
        let address = served.address.clone();
        let until = Instant::now() + Duration::from_millis(1500 + 700 * u64::from(round));
        std::thread::scope(|scope| {
            for kind in 0..6 {
                let (address, sessions, told) = (&address, &sessions, &told);
                scope.spawn(move || client(kind, round, address, sessions, until, told));
            }
            std::thread::sleep(until.duration_since(Instant::now()).mul_f64(0.9));
            served.signal("KILL");
        });
        served.wait();
        served = Served::start(home.path(), &flags);
        let told = told.lock().unwrap();
        let remembered = check(home.path(), &served, &sessions, &told);
        let (uploads, frames) = (told.uploads.len(), told.frames[0].len() + told.frames[1].len());
        println!(
            "round {round}: {uploads} uploads, {frames} frames, {remembered} remembered, {} answers",
            told.answers
        );
        assert!(uploads > 0 && frames > 0 && told.answers > 0);
    }
    // A memory of days and both sessions are asked as before.
    let query = json!({"level": "day", "keywords": ["red", "cup"], "start_time": "DAY2_00000000", "query_time": "DAY2_23000000"});
    assert!(served.post("/query", &query).ok().to_string().contains("bedroom"));
    for id in &sessions {
        let answer = ask(&served, id, "what is on the table ?");
        assert!(answer["firsthand"]["live"]["window"]["frames"].as_u64().unwrap() > 0, "{answer}");
    }
    served.until("nobody is inside", || served.metric("requests_inside") == 0.0);
}
