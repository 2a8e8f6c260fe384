//! `serve` with the model inside the program: the answers of `ask`, streams, limits, and that nothing a client does
//! ends the service.

use std::io::{Read, Write};
use std::path::Path;
use std::time::{Duration, Instant};

use base64::Engine as _;
use serde_json::{Value, json};

use crate::program::{program, stderr, stdout};
use crate::served::{Served, request};

const QUESTION: &str = "what do i do with my hand ?";

fn golden(name: &str) -> std::path::PathBuf {
    firsthand_golden::root().join("media").join(name)
}

fn inline(kind: &str, path: &Path) -> String {
    let bytes = fs_err::read(path).unwrap();
    format!("data:{kind};base64,{}", base64::engine::general_purpose::STANDARD.encode(bytes))
}

fn user(parts: Value) -> Value {
    json!([{"role": "user", "content": parts}])
}

fn content(reply: &Value) -> &str {
    reply["choices"][0]["message"]["content"].as_str().unwrap_or_else(|| panic!("{reply}"))
}

#[test]
fn a_served_answer_is_the_asked_one() {
    let home = tempfile::tempdir().unwrap();
    let run = |words: &[&str]| {
        let output = program(home.path()).args(words).output().unwrap();
        assert!(output.status.success(), "{}", stderr(&output));
        stdout(&output)
    };
    run(&["world", "make", "--seed", "7", "--minutes", "0.067", "--at", "07:00:25", "--out", "home"]);
    let clip = "home/DAY1/DAY1_07002500.mp4";
    fs_err::copy(golden("photo.jpg"), home.path().join("photo.jpg")).unwrap();
    let served = Served::start(home.path(), &["--media-root", "."]);
    let cases: [(&str, &[&str], Value, Value); 3] = [
        (clip, &[], json!({"type": "video_url", "video_url": {"url": clip}}), json!({})),
        (
            clip,
            &["--frames", "4", "--max-pixels", "20000", "--min-pixels", "3136", "--start", "1"],
            json!({"type": "video_url", "video_url": {"url": clip}}),
            json!({"frames": 4, "max_pixels": 20000, "min_pixels": 3136, "video_start": 1}),
        ),
        ("photo.jpg", &[], json!({"type": "image_url", "image_url": {"url": "photo.jpg"}}), json!({})),
    ];
    for (place, flags, part, extras) in cases {
        let asked: Value =
            serde_json::from_str(&run(
                &[&["ask", place, QUESTION, "--json", "--max-tokens", "40"], flags].concat()
            ))
            .unwrap();
        let mut body =
            json!({"messages": user(json!([part, {"type": "text", "text": QUESTION}])), "max_tokens": 40});
        body.as_object_mut().unwrap().extend(extras.as_object().unwrap().clone());
        let reply = served.chat(&body).ok();
        assert_eq!(content(&reply), asked["text"].as_str().unwrap(), "{place}");
        assert_eq!(reply["firsthand"]["manifest"], asked["manifest"], "{place}");
        assert_eq!(reply["usage"]["prompt_tokens"], asked["prompt_tokens"]);
        assert_eq!(reply["usage"]["completion_tokens"], asked["new_tokens"]);
        let details = &reply["usage"]["prompt_tokens_details"];
        let merged: u64 = reply["firsthand"]["manifest"]["media"][0]["grid"]
            .as_array()
            .unwrap()
            .iter()
            .map(|side| side.as_u64().unwrap())
            .product::<u64>()
            / 4;
        let (images, videos) = if place == clip { (0, merged) } else { (merged, 0) };
        assert_eq!(
            (&details["image_tokens"], &details["video_tokens"]),
            (&json!(images), &json!(videos)),
            "{details}"
        );
    }
    // The same bytes inline have the same frames and give the same words.
    let part =
        json!({"type": "video_url", "video_url": {"url": inline("video/mp4", &home.path().join(clip))}});
    let text = json!({"type": "text", "text": QUESTION});
    let reply = served.chat(&json!({"messages": user(json!([part, text])), "max_tokens": 40})).ok();
    let named = json!({"type": "video_url", "video_url": {"url": format!("file://{clip}")}});
    let again = served.chat(&json!({"messages": user(json!([named, text])), "max_tokens": 40})).ok();
    assert_eq!(content(&reply), content(&again));
    let frames = |reply: &Value| reply["firsthand"]["manifest"]["media"][0]["frames"].clone();
    assert_eq!(frames(&reply), frames(&again));
    assert!(
        reply["firsthand"]["manifest"]["media"][0]["location"].as_str().unwrap().starts_with("data:blake3,")
    );
}

#[test]
fn streams_choices_and_logprobs_say_what_whole_answers_say() {
    let home = tempfile::tempdir().unwrap();
    let served = Served::start(home.path(), &[]);
    let body = json!({
        "messages": [{"role": "system", "content": "be brief"}, {"role": "user", "content": "where is the red cup ?"}],
        "max_completion_tokens": 12, "temperature": 2.0, "top_k": 0, "seed": 5, "n": 3, "logprobs": true, "top_logprobs": 2,
    });
    let whole = served.chat(&body).ok();
    let texts: Vec<&str> = whole["choices"]
        .as_array()
        .unwrap()
        .iter()
        .map(|choice| choice["message"]["content"].as_str().unwrap())
        .collect();
    assert_eq!(texts.len(), 3);
    assert!(texts[0] != texts[1] || texts[1] != texts[2], "seeds of choices differ: {texts:?}");
    let tokens = whole["choices"][0]["logprobs"]["content"].as_array().unwrap();
    let count: usize = whole["choices"]
        .as_array()
        .unwrap()
        .iter()
        .map(|c| c["logprobs"]["content"].as_array().unwrap().len())
        .sum();
    assert_eq!(whole["usage"]["completion_tokens"], count);
    for token in tokens {
        let top = token["top_logprobs"].as_array().unwrap();
        assert!(top.len() == 2 && top[0]["logprob"].as_f64() >= top[1]["logprob"].as_f64(), "{token}");
        assert!(top[0]["logprob"].as_f64() >= token["logprob"].as_f64());
    }
    let mut streamed = body.clone();
    streamed["stream"] = json!(true);
    streamed["stream_options"] = json!({"include_usage": true});
    let reply = served.chat(&streamed);
    assert!(reply.head.to_lowercase().contains("text/event-stream"), "{}", reply.head);
    let events: Vec<&str> = reply.body.lines().filter_map(|line| line.strip_prefix("data: ")).collect();
    assert_eq!(*events.last().unwrap(), "[DONE]");
    let (mut said, mut told, mut usage) = (vec![String::new(); 3], vec![0; 3], Value::Null);
    for event in &events[..events.len() - 1] {
        let chunk: Value = serde_json::from_str(event).unwrap();
        assert_eq!(chunk["object"], "chat.completion.chunk");
        for choice in chunk["choices"].as_array().unwrap() {
            let index = choice["index"].as_u64().unwrap() as usize;
            said[index] += choice["delta"]["content"].as_str().unwrap_or_default();
            told[index] += choice["logprobs"]["content"].as_array().map_or(0, Vec::len);
        }
        if !chunk["usage"].is_null() {
            usage = chunk["usage"].clone();
        }
    }
    assert_eq!(said, texts);
    assert_eq!(usage["completion_tokens"], told.iter().sum::<usize>());
    assert_eq!(usage["completion_tokens"], whole["usage"]["completion_tokens"]);
}

#[test]
fn requests_that_ask_for_what_is_not_done_are_refused_by_name() {
    let home = tempfile::tempdir().unwrap();
    let served = Served::start(home.path(), &["--most-frames", "4"]);
    let hello = || json!([{"role": "user", "content": "hello"}]);
    let with = |key: &str, value: Value| {
        let mut body = json!({"messages": hello()});
        body[key] = value;
        body
    };
    let medium = |part: Value| json!({"messages": user(json!([part]))});
    let image = |url: &str| medium(json!({"type": "image_url", "image_url": {"url": url}}));
    let cases: Vec<(Value, u16, &str)> = vec![
        (with("tempreature", json!(1)), 400, "tempreature"),
        (with("logit_bias", json!({"3": 5})), 400, "logit_bias"),
        (with("presence_penalty", json!(1.5)), 400, "presence_penalty"),
        (with("temperature", json!(-1)), 400, "temperature"),
        (with("max_tokens", json!(0)), 400, "max_tokens"),
        (with("n", json!(1000)), 400, "n:"),
        (with("model", json!("gpt-9")), 404, "gpt-9"),
        (json!({"messages": []}), 400, "messages"),
        (json!({"max_tokens": 3}), 400, "messages"),
        (with("response_format", json!({"type": "yaml"})), 400, "response_format"),
        (image("/etc/passwd"), 400, "not open to requests"),
        (image("file:///etc/passwd"), 400, "not open to requests"),
        (image("../../../../etc/passwd"), 400, "not open to requests"),
        (image("http://169.254.169.254/latest/meta-data"), 400, "--media-host"),
        (image("http://localhost:1/x.png"), 400, "--media-host"),
        (image("file-00000000000000000000000000000000"), 404, "no such file"),
        (image("data:image/png;base64,AAAA"), 400, "picture"),
        (image("data:image/png;base64,!!!"), 400, "base64"),
        (
            medium(json!({"type": "video_url", "video_url": {"url": "data:video/mp4;base64,AAAA"}})),
            400,
            "inline video",
        ),
        (medium(json!({"type": "text", "text": "<|image_pad|>"})), 400, "image_pad"),
    ];
    for (body, status, part) in cases {
        let reply = served.chat(&body);
        let error = reply.json()["error"].clone();
        let message = error["message"].as_str().unwrap_or_default();
        assert_eq!(reply.status, status, "{body}: {message}");
        assert!(message.contains(part), "{part:?} is missing in {message:?}");
        assert!(
            error["type"].is_string() && error["code"].is_string() && error.get("param").is_some(),
            "{error}"
        );
        for internal in ["/tmp/", ".cache", "uploads/", "panicked", home.path().to_str().unwrap()] {
            assert!(!message.contains(internal), "{internal} in {message}");
        }
    }
    // A flood of pictures in one part, as other servers once took it.
    let picture =
        base64::engine::general_purpose::STANDARD.encode(fs_err::read(golden("photo.jpg")).unwrap());
    let flood = format!("data:video/jpeg;base64,{}", vec![picture.as_str(); 500].join(","));
    let reply = served.chat(&medium(json!({"type": "video_url", "video_url": {"url": flood}})));
    assert_eq!(reply.status, 400);
    assert!(reply.body.contains("500 frames are more than the 4"), "{}", reply.body);
    // No page of another site, no other name of this machine.
    let body = json!({"messages": hello(), "max_tokens": 1});
    assert_eq!(
        served.post_with("/v1/chat/completions", &body, "origin: http://evil.example\r\n").status,
        403
    );
    let text = request("evil.example", "/v1/chat/completions", &body.to_string(), "");
    assert_eq!(served.send(&text).status, 403);
    assert!(!served.get("/v1/models").head.to_lowercase().contains("access-control"));
    assert_eq!(served.get("/nowhere").status, 404);
    assert_eq!(served.get("/v1/chat/completions").status, 405);
    served.chat(&body).ok();
    let log = fs_err::read_to_string(&served.log).unwrap();
    assert!(log.contains("\"route\":\"/v1/chat/completions\""), "{log}");
    assert!(!log.contains("hello") && !log.contains("passwd"), "the log holds words of requests: {log}");
}

#[test]
fn the_service_outlives_what_clients_do() {
    let home = tempfile::tempdir().unwrap();
    let flags = ["--head-seconds", "3", "--body-seconds", "3", "--queue", "4", "--media-seconds", "20"];
    let served = Served::start(home.path(), &flags);
    // An answer that cannot end by itself.
    let long = |tokens: usize| {
        let schema = json!({"type": "array", "items": {"enum": ["kitchen"]}, "minItems": 1000});
        let format = json!({"type": "json_schema", "json_schema": {"name": "long", "schema": schema}});
        json!({"messages": [{"role": "user", "content": "tell me"}], "max_tokens": tokens, "response_format": format})
    };
    let streamed = |tokens: usize| {
        let mut body = long(tokens);
        body["stream"] = json!(true);
        body
    };
    // Gone in the middle of an answer: the sequence is cancelled.
    let mut stream = served.connect();
    stream
        .write_all(
            request(&served.address, "/v1/chat/completions", &streamed(1500).to_string(), "").as_bytes(),
        )
        .unwrap();
    let mut some = [0; 400];
    assert!(stream.read(&mut some).unwrap() > 0);
    drop(stream);
    wait(|| served.metric("cancelled_total") >= 1.0 && served.metric("sequences_running") == 0.0);
    // Half a head, half a body, a body that lies about its length, an upload that stops.
    for bytes in [
        "POST /v1/chat/completions HTTP/1.1\r\nhost: ".to_owned(),
        format!(
            "POST /v1/chat/completions HTTP/1.1\r\nhost: {}\r\ncontent-type: application/json\r\ncontent-length: 900\r\n\r\n{{\"mess",
            served.address
        ),
        format!(
            "POST /v1/files HTTP/1.1\r\nhost: {}\r\ncontent-type: multipart/form-data; boundary=x\r\ncontent-length: 900\r\n\r\n--x\r\ncontent-disposition: form-data; name=\"file\"; filename=\"a.mp4\"\r\n\r\nhalf",
            served.address
        ),
    ] {
        let started = Instant::now();
        let reply = served.send(&bytes);
        assert!(matches!(reply.status, 0 | 400 | 408), "{reply:?}");
        assert!(started.elapsed() < Duration::from_secs(20), "a slow client is cut off");
    }
    assert_eq!(served.get("/v1/files").ok()["data"].as_array().unwrap().len(), 0, "no half upload");
    served.until("nobody is inside", || served.metric("requests_inside") == 0.0);
    // Damaged media fail; the next whole one is answered.
    let clip = fs_err::read(golden("clip.mp4")).unwrap();
    let other = golden("clip.mp4");
    let playlist =
        format!("#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:10,\n{}\n#EXT-X-ENDLIST\n", other.display());
    for damage in [&clip[..clip.len() / 2], &clip[..40], &vec![0xff; 5000][..], playlist.as_bytes()] {
        let url =
            format!("data:video/mp4;base64,{}", base64::engine::general_purpose::STANDARD.encode(damage));
        let part = json!({"type": "video_url", "video_url": {"url": url}});
        assert_eq!(served.chat(&json!({"messages": user(json!([part]))})).status, 400);
    }
    let part = json!({"type": "video_url", "video_url": {"url": inline("video/mp4", &golden("clip.mp4"))}, "max_pixels": 6272, "min_pixels": 3136});
    served.chat(&json!({"messages": user(json!([part])), "max_tokens": 2})).ok();
    // More than the queue holds: some are told to come again, none is lost, and the rest is answered.
    let statuses: Vec<(u16, String)> = std::thread::scope(|scope| {
        let body = long(200);
        let asks: Vec<_> = (0..12)
            .map(|_| {
                let (served, body) = (&served, body.clone());
                scope.spawn(move || {
                    let reply = served.chat(&body);
                    (reply.status, reply.head.to_lowercase())
                })
            })
            .collect();
        asks.into_iter().map(|ask| ask.join().unwrap()).collect()
    });
    let busy = statuses.iter().filter(|(status, _)| *status == 429).count();
    assert!(
        busy > 0 && statuses.iter().filter(|(status, _)| *status == 200).count() + busy == 12,
        "{statuses:?}"
    );
    assert!(
        statuses.iter().filter(|(status, _)| *status == 429).all(|(_, head)| head.contains("retry-after: 1"))
    );
    // Told to stop while it answers: the answer is finished, then it is gone.
    let mut stream = served.connect();
    let body = streamed(300);
    stream
        .write_all(request(&served.address, "/v1/chat/completions", &body.to_string(), "").as_bytes())
        .unwrap();
    assert!(stream.read(&mut some).unwrap() > 0);
    served.signal("TERM");
    let mut rest = String::new();
    stream.read_to_string(&mut rest).unwrap();
    assert!(rest.contains("[DONE]"), "{rest}");
    assert_eq!(served.wait(), Some(0), "an ordered end is no failure");
}

fn wait(mut until: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(30);
    while !until() {
        assert!(Instant::now() < deadline, "it never came to be");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn keys_are_needed_off_this_machine_and_keep_uploads_apart() {
    let home = tempfile::tempdir().unwrap();
    let output = program(home.path()).args(["serve", "--host", "0.0.0.0"]).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("FIRSTHAND_API_KEYS"), "{}", stderr(&output));
    let mut command = program(home.path());
    command.args(["serve", "--port", "0"]).env("FIRSTHAND_API_KEYS", "first-key-1234,second-key-5678");
    let served = Served::run(command, home.path());
    let body = json!({"messages": [{"role": "user", "content": "hello"}], "max_tokens": 1});
    assert_eq!(served.chat(&body).status, 401);
    let ask = |key: &str| {
        served.post_with("/v1/chat/completions", &body, &format!("authorization: Bearer {key}\r\n"))
    };
    assert_eq!(ask("first-key-12345").status, 401);
    ask("first-key-1234").ok();
    let upload = |key: &str| {
        let form = "--x\r\ncontent-disposition: form-data; name=\"purpose\"\r\n\r\nvision\r\n--x\r\ncontent-disposition: form-data; name=\"file\"; filename=\"a.bin\"\r\n\r\nabc\r\n--x--\r\n";
        let head = format!(
            "POST /v1/files HTTP/1.1\r\nhost: {}\r\nconnection: close\r\nauthorization: Bearer {key}\r\ncontent-type: multipart/form-data; boundary=x\r\ncontent-length: {}\r\n\r\n",
            served.address,
            form.len()
        );
        served.send(&(head + form))
    };
    let id = upload("first-key-1234").ok()["id"].as_str().unwrap().to_owned();
    let get = |key: &str, path: &str| {
        served.send(&format!(
            "GET {path} HTTP/1.1\r\nhost: {}\r\nconnection: close\r\nauthorization: Bearer {key}\r\n\r\n",
            served.address
        ))
    };
    assert_eq!(get("first-key-1234", &format!("/v1/files/{id}/content")).body, "abc");
    assert_eq!(get("second-key-5678", &format!("/v1/files/{id}")).status, 404);
    let log = fs_err::read_to_string(&served.log).unwrap();
    assert!(!log.contains("key-1234"), "{log}");
    // A disk that takes nothing more: the upload fails, the service goes on.
    let folder = home.path().join("cache/firsthand/uploads");
    fs_err::remove_dir_all(&folder).unwrap();
    fs_err::write(&folder, "").unwrap();
    assert_eq!(upload("first-key-1234").status, 507);
    ask("second-key-5678").ok();
}

#[test]
fn a_memory_is_served_by_the_published_routes() {
    let home = tempfile::tempdir().unwrap();
    let refused = Served::start(home.path(), &[]);
    assert_eq!(refused.post("/query", &json!({})).status, 404);
    drop(refused);
    let clip = golden("clip.mp4").to_str().unwrap().to_owned();
    crate::days::remember(home.path(), crate::days::LIVED, |_| Some(clip.clone()));
    let served = Served::start(home.path(), &["--memory", "week"]);
    let query = json!({"level": "day", "keywords": ["red", "cup"], "start_time": "DAY2_00000000", "query_time": "DAY2_23000000"});
    let found = served.post("/query", &query).ok();
    let text = found["response"]["relevant_content"].as_str().unwrap_or_else(|| panic!("{found}"));
    assert!(text.contains("bedroom") && !text.contains("bathroom"), "{text}");
    assert_eq!(served.post("/query", &json!({"level": "day"})).status, 422);
    let range = json!({"question": "what is it ?", "range": "DAY2_10000000-DAY2_10000100"});
    let watched = served.post("/video_llm", &range).ok();
    assert!(watched["answer"].is_string(), "{watched}");
    assert!(
        served.metric("new_tokens_total") >= 0.0 && served.metric("steps_total") > 0.0,
        "the served model looked"
    );
}

#[test]
fn a_key_asks_so_much_in_a_minute_and_no_more() {
    let home = tempfile::tempdir().unwrap();
    let mut command = program(home.path());
    command.args(["serve", "--port", "0", "--requests-per-minute", "3", "--tokens-per-minute", "2000"]);
    command.env("FIRSTHAND_API_KEYS", "first-key-1234,second-key-5678");
    let served = Served::run(command, home.path());
    let ask = |key: &str, path: &str, body: &Value| {
        served.post_with(path, body, &format!("authorization: Bearer {key}\r\n"))
    };
    let (first, second) = ("first-key-1234", "second-key-5678");
    let hello = json!({"messages": [{"role": "user", "content": "hello"}], "max_tokens": 1});
    for _ in 0..3 {
        ask(first, "/v1/chat/completions", &hello).ok();
    }
    let refused = ask(first, "/v1/embeddings", &json!({"input": "hello"}));
    assert_eq!(refused.status, 429);
    let head = refused.head.to_lowercase();
    let wait = head.lines().find_map(|line| line.strip_prefix("retry-after: ")).unwrap();
    assert!((1..=20).contains(&wait.parse::<u32>().unwrap()), "{head}");
    assert!(refused.body.contains("requests of this minute"), "{}", refused.body);
    // Tokens that were not left are used once; the next request waits for them.
    let schema = json!({"type": "array", "items": {"enum": ["kitchen"]}, "minItems": 1000});
    let format = json!({"type": "json_schema", "json_schema": {"name": "long", "schema": schema}});
    let long = json!({"messages": hello["messages"], "max_tokens": 1500, "response_format": format, "n": 2});
    assert!(
        ask(second, "/v1/chat/completions", &long).ok()["usage"]["total_tokens"].as_u64().unwrap() > 2000
    );
    let refused = ask(second, "/v1/chat/completions", &hello);
    assert!(refused.status == 429 && refused.body.contains("tokens of this minute"), "{refused:?}");
    // What costs no model is not counted.
    assert_eq!(ask(first, "/tokenize", &json!({"prompt": "hello"})).status, 200);
    let key = format!("authorization: Bearer {first}\r\n");
    served.until("nobody is inside", || served.metric_with("requests_inside", &key) == 0.0);
}

#[test]
fn an_encoder_embeds_in_the_place_of_the_model() {
    let home = tempfile::tempdir().unwrap();
    let encoder = firsthand_golden::checkpoint("bert");
    let encoder = encoder.to_str().unwrap();
    let served = Served::start(home.path(), &["--encoder", encoder]);
    let embed = |body: Value| served.post("/v1/embeddings", &body);
    let made = embed(json!({"input": ["the red cup", "a blue door"]})).ok();
    assert_eq!(made["model"], encoder);
    let vector = |reply: &Value, at: usize| -> Vec<f64> {
        let numbers = reply["data"][at]["embedding"].as_array().unwrap();
        numbers.iter().map(|number| number.as_f64().unwrap()).collect()
    };
    let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
    let (cup, door) = (vector(&made, 0), vector(&made, 1));
    assert!(cup.len() == 32 && (dot(&cup, &cup) - 1.0).abs() < 1e-4 && dot(&cup, &door) < 0.999, "{made}");
    assert!(made["usage"]["prompt_tokens"].as_u64().unwrap() >= 6, "{made}");
    // Alone as in company.
    let alone = vector(&embed(json!({"input": "the red cup", "model": encoder})).ok(), 0);
    assert!(dot(&cup, &alone) > 0.99999);
    // The model embeds where it is named.
    let own = embed(json!({"input": "the red cup", "model": "firsthand-tiny"})).ok();
    assert_eq!(own["data"][0]["embedding"].as_array().unwrap().len(), 256);
    assert_eq!(embed(json!({"input": [1, 2]})).status, 400);
    assert_eq!(embed(json!({"input": " "})).status, 400);
    assert_eq!(embed(json!({"input": "a", "model": "other"})).status, 404);
    let names = served.get("/v1/models").ok();
    let names: Vec<&str> =
        names["data"].as_array().unwrap().iter().map(|model| model["id"].as_str().unwrap()).collect();
    assert_eq!(names, ["firsthand-tiny", encoder]);
}

#[test]
fn a_response_as_it_is_said_ends_with_the_whole() {
    let home = tempfile::tempdir().unwrap();
    let served = Served::start(home.path(), &[]);
    let mut body = json!({"input": "where is the red cup ?", "max_output_tokens": 16});
    let whole = served.post("/v1/responses", &body).ok();
    body["stream"] = json!(true);
    let reply = served.post("/v1/responses", &body);
    let lines = |start: &'static str| reply.body.lines().filter_map(move |line| line.strip_prefix(start));
    let events: Vec<Value> = lines("data: ").map(|data| serde_json::from_str(data).unwrap()).collect();
    let kinds: Vec<&str> = lines("event: ").collect();
    assert_eq!(kinds, events.iter().map(|event| event["type"].as_str().unwrap()).collect::<Vec<_>>());
    for (number, event) in events.iter().enumerate() {
        assert_eq!(event["sequence_number"], number, "{event}");
    }
    assert_eq!(
        kinds[..4],
        [
            "response.created",
            "response.in_progress",
            "response.output_item.added",
            "response.content_part.added"
        ]
    );
    let said: String = events.iter().filter_map(|event| event["delta"].as_str()).collect();
    let last = &events.last().unwrap()["response"];
    assert_eq!(whole["output"][0]["content"], last["output"][0]["content"]);
    assert_eq!(last["output"][0]["content"][0]["text"], said);
    for part in ["status", "incomplete_details", "firsthand"] {
        assert_eq!(whole[part], last[part], "{part}");
    }
    assert_eq!(whole["usage"]["total_tokens"], last["usage"]["total_tokens"]);
    for (key, value) in [("n", json!(2)), ("background", json!(true)), ("messages", json!([1]))] {
        let mut wrong = body.clone();
        wrong[key] = value;
        assert_eq!(served.post("/v1/responses", &wrong).status, 400, "{key}");
    }
}

#[test]
fn a_large_upload_goes_out_as_its_reader_takes_it() {
    let home = tempfile::tempdir().unwrap();
    let served = Served::start(home.path(), &[]);
    let bytes = 96 << 20;
    let mut form =
        b"--x\r\ncontent-disposition: form-data; name=\"file\"; filename=\"a.bin\"\r\n\r\n".to_vec();
    form.resize(form.len() + bytes, b'a');
    form.extend(b"\r\n--x--\r\n");
    let upload =
        served.post_bytes("/v1/files", &form, "content-type: multipart/form-data; boundary=x\r\n").ok();
    let path = format!("/v1/files/{}/content", upload["id"].as_str().unwrap());
    let before = served.metric("resident_bytes");
    let mut stream = served.connect();
    let head = format!("GET {path} HTTP/1.1\r\nhost: {}\r\nconnection: close\r\n\r\n", served.address);
    stream.write_all(head.as_bytes()).unwrap();
    let mut some = vec![0; 1 << 20];
    stream.read_exact(&mut some).unwrap();
    std::thread::sleep(Duration::from_millis(300));
    let grown = served.metric("resident_bytes") - before;
    assert!(grown < (bytes / 3) as f64, "{grown} bytes for a reader that waits");
    let mut rest = Vec::new();
    stream.read_to_end(&mut rest).unwrap();
    let start = some.windows(4).position(|four| four == b"\r\n\r\n").unwrap() + 4;
    assert_eq!(some.len() - start + rest.len(), bytes);
    assert!(rest.iter().all(|byte| *byte == b'a'));
    // A client that goes away in the middle holds nothing.
    drop(served.connect().write_all(head.as_bytes()));
    assert_eq!(served.get("/health").status, 200);
}
