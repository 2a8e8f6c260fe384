//! Many clients that behave badly at once: a thousand that go away in the middle, and hundreds that send a byte now and
//! then. Whoever behaves is answered meanwhile, and nothing of the others is left.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::served::{Served, request};

fn hello(served: &Served) {
    let body = json!({"messages": [{"role": "user", "content": "hello"}], "max_tokens": 2});
    served.chat(&body).ok();
}

/// An answer that does not end by itself.
fn endless(is_streamed: bool) -> Value {
    let schema = json!({"type": "array", "items": {"enum": ["kitchen"]}, "minItems": 1000});
    let format = json!({"type": "json_schema", "json_schema": {"name": "long", "schema": schema}});
    let messages = json!([{"role": "user", "content": "tell me"}]);
    json!({"messages": messages, "max_tokens": 1500, "response_format": format, "stream": is_streamed})
}

#[test]
fn a_thousand_clients_that_go_away_leave_nothing_behind() {
    let home = tempfile::tempdir().unwrap();
    let served = Served::start(home.path(), &["--queue", "32"]);
    hello(&served);
    let next = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..24 {
            scope.spawn(|| {
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if number >= 1000 {
                        return;
                    }
                    let text = request(
                        &served.address,
                        "/v1/chat/completions",
                        &endless(number.is_multiple_of(2)).to_string(),
                        "",
                    );
                    let mut stream = TcpStream::connect(&served.address).unwrap();
                    // Gone before the request is whole, before the answer, or in its middle.
                    let cut = if number.is_multiple_of(5) { text.len() / 2 } else { text.len() };
                    stream.write_all(&text.as_bytes()[..cut]).unwrap();
                    match number % 3 {
                        0 => {}
                        1 => std::thread::sleep(Duration::from_millis(30)),
                        _ => {
                            stream.set_read_timeout(Some(Duration::from_millis(60))).unwrap();
                            // Nothing has to come.
                            let _ = stream.read(&mut [0; 64]);
                        }
                    }
                }
            });
        }
    });
    served.until("places are free again", || {
        served.metric("requests_inside") == 0.0
            && served.metric("sequences_running") == 0.0
            && served.metric("sequences_waiting") == 0.0
    });
    println!("{} cancelled", served.metric("cancelled_total"));
    assert!(served.metric("cancelled_total") > 20.0);
    // All of the cache's blocks are free or can be: a full queue of requests is answered.
    std::thread::scope(|scope| {
        for _ in 0..16 {
            scope.spawn(|| hello(&served));
        }
    });
    let log = fs_err::read_to_string(&served.log).unwrap();
    assert!(!log.contains("panicked") && !log.contains("\"fault\""), "{log}");
}

#[test]
fn slow_clients_keep_nobody_out() {
    let home = tempfile::tempdir().unwrap();
    let served = Served::start(home.path(), &["--head-seconds", "60", "--body-seconds", "60"]);
    hello(&served);
    let over = AtomicBool::new(false);
    let address = &served.address;
    std::thread::scope(|scope| {
        // 150 heads that never end, 50 bodies of which each says that it will be as large as one may be.
        scope.spawn(|| {
            let head = format!("POST /v1/chat/completions HTTP/1.1\r\nhost: {address}\r\n");
            let most = 64 << 20;
            let body = format!("{head}content-type: application/json\r\ncontent-length: {most}\r\n\r\n{{");
            let mut slow: Vec<(TcpStream, &str)> = (0..200)
                .map(|number| {
                    let mut stream = TcpStream::connect(address).unwrap();
                    let (first, drip) = if number < 150 { (&head, "x-a: b\r\n") } else { (&body, " ") };
                    stream.write_all(first.as_bytes()).unwrap();
                    (stream, drip)
                })
                .collect();
            while !over.load(Ordering::Relaxed) {
                std::thread::sleep(Duration::from_millis(200));
                for (stream, drip) in &mut slow {
                    stream.write_all(drip.as_bytes()).unwrap();
                }
            }
        });
        std::thread::sleep(Duration::from_millis(700));
        for turn in 0..40 {
            let started = Instant::now();
            match turn % 2 {
                0 => hello(&served),
                _ => drop(served.post("/tokenize", &json!({"prompt": "the red cup"})).ok()),
            }
            // Not a speed: less than the time that a slow client is given.
            assert!(started.elapsed() < Duration::from_secs(20), "turn {turn} waited for the slow ones");
        }
        over.store(true, Ordering::Relaxed);
    });
    served.until("nobody is inside", || served.metric("requests_inside") == 0.0);
    hello(&served);
}

#[test]
fn large_bodies_do_not_wait_for_each_other() {
    let home = tempfile::tempdir().unwrap();
    // Room for eight bodies of a MiB.
    let served = Served::start(home.path(), &["--body-mib", "1"]);
    let body = format!("{{\"prompt\": \"hello\"{}}}", " ".repeat(1_000_000));
    let text = request(&served.address, "/tokenize", &body, "");
    let (started, together) = (Instant::now(), Barrier::new(12));
    let answered = std::thread::scope(|scope| {
        let send = || {
            let mut stream = served.connect();
            let (first, rest) = text.as_bytes().split_at(text.len() - 100_000);
            // One that is refused on the way may be told so or cut off.
            let sent = stream.write_all(first);
            together.wait();
            // The server takes in what it has room for.
            std::thread::sleep(Duration::from_millis(700));
            let mut reply = String::new();
            let _ =
                sent.and_then(|()| stream.write_all(rest)).and_then(|()| stream.read_to_string(&mut reply));
            assert!(reply.is_empty() || reply.contains(" 200 ") || reply.contains(" 429 "), "{reply}");
            usize::from(reply.contains(" 200 "))
        };
        let clients: Vec<_> = (0..12).map(|_| scope.spawn(send)).collect();
        clients.into_iter().map(|client| client.join().unwrap()).sum::<usize>()
    });
    assert!(answered >= 6, "{answered} of 12");
    // Not a speed: less than the time after which a body that does not come is given up.
    assert!(started.elapsed() < Duration::from_secs(50));
    hello(&served);
}
