//! Clients that ask for a while: text, a picture and a film by turns. `race`: against the shipped server and against the
//! same checkpoint behind a plain server of transformers, one after the other in one run. `long`: many more than a server
//! lets in, against ours alone, with every status counted and its memory over time.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use base64::Engine as _;
use serde_json::{Value, json};

use crate::prepare::Bench;

/// Clients of the race.
const CLIENTS: usize = 16;
/// Clients of the long case, and the requests that the server lets in: some are told to come again.
const MANY: usize = 64;
const QUEUE: usize = 48;
/// Between two looks at the server's memory.
const GLANCE: Duration = Duration::from_secs(10);
/// Longest start of a server.
const START: Duration = Duration::from_secs(180);

/// What one side did.
#[derive(Default)]
struct Report {
    seconds: Vec<f64>,
    errors: usize,
    tokens: u64,
    /// Resident MiB after a third of the time, and at the end.
    memory_mib: [u64; 2],
    took_s: f64,
}

struct Server {
    child: Child,
    address: String,
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Races the servers for `seconds` each.
pub(crate) fn race(bench: &Bench, seconds: u64) -> Result<()> {
    let bodies = bodies(bench)?;
    let (ours, tiny) = (product(bench, &[])?, tiny(bench));
    let ours = measure("firsthand", ours, &bodies, seconds)?;
    let mut peer = Command::new(&bench.python);
    peer.arg(bench.root().join("benches/peer_server.py")).arg(&tiny);
    let peer = measure("transformers", peer, &bodies, seconds)?;
    let rate = |report: &Report| report.seconds.len() as f64 / report.took_s;
    let tokens = |report: &Report| report.tokens as f64 / report.took_s;
    writeln!(
        std::io::stdout(),
        "throughput ratio: {:.2} in requests, {:.2} in new tokens",
        rate(&ours) / rate(&peer),
        tokens(&ours) / tokens(&peer)
    )?;
    Ok(())
}

fn tiny(bench: &Bench) -> String {
    bench.root().join("crates/firsthand/tiny").to_string_lossy().into_owned()
}

/// Our server, but for its port.
fn product(bench: &Bench, flags: &[&str]) -> Result<Command> {
    let product = std::env::current_exe()?.with_file_name("firsthand");
    ensure!(product.exists(), "{} is missing: run `make build` first", product.display());
    let mut command = Command::new(product);
    command.args(["serve", "--dtype", "f32", "--model", &tiny(bench)]).args(flags).arg("--port");
    Ok(command)
}

/// What clients of the long case saw.
#[derive(Default)]
struct Seen {
    /// Seconds from the first try to the answer.
    seconds: Vec<f64>,
    tokens: u64,
    /// Tries by status; 0 where there was none.
    statuses: BTreeMap<u16, u64>,
    /// What went wrong, once each.
    wrong: BTreeSet<String>,
}

/// Asks ours for `seconds`; one JSON object.
pub(crate) fn long(bench: &Bench, seconds: u64) -> Result<Value> {
    let bodies = bodies(bench)?;
    let queue = QUEUE.to_string();
    let server = start("firsthand", product(bench, &["--queue", &queue])?)?;
    for body in &bodies {
        let status = post(&server.address, body)?.status;
        ensure!(status == 200, "firsthand answers {status}");
    }
    let (over, started) = (AtomicBool::new(false), Instant::now());
    let time = Duration::from_secs(seconds);
    let (mut all, memory) = std::thread::scope(|scope| -> Result<(Seen, Vec<u64>)> {
        let (over, server, bodies) = (&over, &server, &bodies);
        let client = |number: usize| move || persist(&server.address, bodies, number, over);
        let clients: Vec<_> = (0..MANY).map(|number| scope.spawn(client(number))).collect();
        let mut memory = Vec::new();
        while started.elapsed() < time {
            std::thread::sleep(GLANCE.min(time.saturating_sub(started.elapsed())));
            memory.push(resident_mib(server.child.id()));
        }
        over.store(true, Ordering::Relaxed);
        let mut all = Seen::default();
        for client in clients {
            let own = client.join().map_err(|_| anyhow::anyhow!("a client panicked"))?;
            all.seconds.extend(own.seconds);
            all.tokens += own.tokens;
            own.statuses
                .into_iter()
                .for_each(|(status, count)| *all.statuses.entry(status).or_default() += count);
            all.wrong.extend(own.wrong);
        }
        Ok((all, memory))
    })?;
    let took_s = started.elapsed().as_secs_f64();
    ensure!(!all.seconds.is_empty(), "nothing was answered: {:?} {:?}", all.statuses, all.wrong);
    all.seconds.sort_by(f64::total_cmp);
    let at = |share: f64| all.seconds[((all.seconds.len() - 1) as f64 * share) as usize];
    let minute = (60 / GLANCE.as_secs() as usize).min(memory.len());
    let most = |part: &[u64]| part.iter().max().copied().unwrap_or(0);
    let wrong: u64 =
        all.statuses.iter().filter(|(status, _)| ![200, 429].contains(*status)).map(|(_, count)| count).sum();
    Ok(json!({
        "case": "serve-long", "clients": MANY, "queue": QUEUE, "seconds": took_s,
        "requests_per_s": all.seconds.len() as f64 / took_s, "tokens_per_s": all.tokens as f64 / took_s,
        "p50_s": at(0.5), "p99_s": at(0.99), "statuses": all.statuses, "errors": wrong, "wrong": all.wrong,
        "memory_mib": {"first_minute": most(&memory[..minute]), "last_minute": most(&memory[memory.len() - minute..]), "each_10_s": memory},
    }))
}

/// One client that comes again when it is told to.
fn persist(address: &str, bodies: &[String], number: usize, over: &AtomicBool) -> Seen {
    let mut seen = Seen::default();
    let mut turn = number;
    while !over.load(Ordering::Relaxed) {
        let asked = Instant::now();
        while !over.load(Ordering::Relaxed) {
            let reply = post(address, &bodies[turn % bodies.len()]);
            let status = reply.as_ref().map_or(0, |reply| reply.status);
            *seen.statuses.entry(status).or_default() += 1;
            match reply {
                Ok(reply) if status == 200 => {
                    seen.seconds.push(asked.elapsed().as_secs_f64());
                    seen.tokens += reply.tokens();
                    break;
                }
                Ok(Reply { status: 429, retry_after_s: Some(wait), .. }) => {
                    std::thread::sleep(Duration::from_secs(wait));
                }
                Ok(reply) => {
                    seen.wrong.insert(reply.body.chars().take(200).collect());
                    break;
                }
                Err(error) => {
                    seen.wrong.insert(format!("{error:#}"));
                    break;
                }
            }
        }
        turn += 1;
    }
    seen
}

/// The questions, the same for both sides.
fn bodies(bench: &Bench) -> Result<Vec<String>> {
    let media = bench.root().join("golden/tiny/media");
    let inline = |kind: &str, name: &str| -> Result<String> {
        let bytes = fs_err::read(media.join(name))?;
        Ok(format!("data:{kind};base64,{}", base64::engine::general_purpose::STANDARD.encode(bytes)))
    };
    let sizes = json!({"min_pixels": 3136, "max_pixels": 25088});
    let mut image = json!({"type": "image_url", "image_url": {"url": inline("image/jpeg", "photo.jpg")?}});
    let mut video =
        json!({"type": "video_url", "video_url": {"url": inline("video/mp4", "clip.mp4")?}, "nframes": 4});
    for part in [&mut image, &mut video] {
        let fields = part.as_object_mut().context("a part is an object")?;
        fields.extend(sizes.as_object().context("sizes are an object")?.clone());
    }
    let body = |mut parts: Vec<Value>, question: &str| {
        parts.push(json!({"type": "text", "text": question}));
        json!({"messages": [{"role": "user", "content": parts}], "max_tokens": 32}).to_string()
    };
    Ok(vec![
        body(Vec::new(), "where is the red cup ? tell me about all rooms of the home ."),
        body(vec![image], "what is on the table ?"),
        body(vec![video], "what do i do with my hand ?"),
    ])
}

/// Starts a server on a free port, its last argument, and waits until it answers.
fn start(name: &str, mut command: Command) -> Result<Server> {
    let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
    command.arg(port.to_string()).env("RAYON_NUM_THREADS", "2").env("OMP_NUM_THREADS", "2");
    let child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn()?;
    let mut server = Server { child, address: format!("127.0.0.1:{port}") };
    let started = Instant::now();
    while !matches!(get(&server.address, "/health"), Ok(200)) {
        ensure!(server.child.try_wait()?.is_none(), "{name} ended");
        ensure!(started.elapsed() < START, "{name} does not start");
        std::thread::sleep(Duration::from_millis(100));
    }
    Ok(server)
}

fn measure(name: &str, command: Command, bodies: &[String], seconds: u64) -> Result<Report> {
    let server = start(name, command)?;
    for body in bodies {
        let status = post(&server.address, body)?.status;
        ensure!(status == 200, "{name} answers {status}");
    }
    let mut report = load(&server, bodies, Duration::from_secs(seconds))?;
    report.seconds.sort_by(f64::total_cmp);
    let at = |share: f64| report.seconds[((report.seconds.len() - 1) as f64 * share) as usize];
    writeln!(
        std::io::stdout(),
        "{name}: {:.2} requests/s, {:.1} tokens/s, p50 {:.3} s, p99 {:.3} s, {} errors of {}, memory {} -> {} MiB",
        report.seconds.len() as f64 / report.took_s,
        report.tokens as f64 / report.took_s,
        at(0.5),
        at(0.99),
        report.errors,
        report.seconds.len() + report.errors,
        report.memory_mib[0],
        report.memory_mib[1]
    )?;
    Ok(report)
}

fn load(server: &Server, bodies: &[String], time: Duration) -> Result<Report> {
    let over = AtomicBool::new(false);
    let started = Instant::now();
    let mut report = std::thread::scope(|scope| -> Result<Report> {
        let client = |number: usize| {
            let (over, address) = (&over, &server.address);
            move || {
                let mut own = Report::default();
                let mut turn = number;
                while !over.load(Ordering::Relaxed) {
                    let asked = Instant::now();
                    match post(address, &bodies[turn % bodies.len()]) {
                        Ok(reply) if reply.status == 200 => {
                            own.seconds.push(asked.elapsed().as_secs_f64());
                            own.tokens += reply.tokens();
                        }
                        _ => own.errors += 1,
                    }
                    turn += 1;
                }
                own
            }
        };
        let clients: Vec<_> = (0..CLIENTS).map(|number| scope.spawn(client(number))).collect();
        std::thread::sleep(time / 3);
        let early = resident_mib(server.child.id());
        std::thread::sleep(time.saturating_sub(started.elapsed()));
        over.store(true, Ordering::Relaxed);
        let late = resident_mib(server.child.id());
        let mut all = Report { memory_mib: [early, late], ..Report::default() };
        for client in clients {
            let own = client.join().map_err(|_| anyhow::anyhow!("a client panicked"))?;
            all.seconds.extend(own.seconds);
            all.errors += own.errors;
            all.tokens += own.tokens;
        }
        Ok(all)
    })?;
    report.took_s = started.elapsed().as_secs_f64();
    ensure!(!report.seconds.is_empty(), "nothing was answered");
    Ok(report)
}

fn resident_mib(pid: u32) -> u64 {
    let text =
        fs_err::read_to_string(Path::new("/proc").join(pid.to_string()).join("statm")).unwrap_or_default();
    (text.split(' ').nth(1).and_then(|pages| pages.parse::<u64>().ok()).unwrap_or(0) * 4096) >> 20
}

/// What a server said.
struct Reply {
    status: u16,
    retry_after_s: Option<u64>,
    body: String,
}

impl Reply {
    /// New tokens of the answer.
    fn tokens(&self) -> u64 {
        let reply: Value = serde_json::from_str(&self.body).unwrap_or_default();
        reply["usage"]["completion_tokens"].as_u64().unwrap_or(0)
    }
}

fn get(address: &str, path: &str) -> Result<u16> {
    let head = format!("GET {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n");
    Ok(exchange(address, &head)?.status)
}

fn post(address: &str, body: &str) -> Result<Reply> {
    let head = format!(
        "POST /v1/chat/completions HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    exchange(address, &(head + body))
}

fn exchange(address: &str, request: &str) -> Result<Reply> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(Duration::from_secs(300)))?;
    stream.write_all(request.as_bytes())?;
    let mut text = String::new();
    stream.read_to_string(&mut text)?;
    let (head, body) = text.split_once("\r\n\r\n").context("a reply without a head")?;
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok());
    let status = status.context("a reply without a status")?;
    let wait =
        head.lines().find_map(|line| line.to_ascii_lowercase().strip_prefix("retry-after: ")?.parse().ok());
    Ok(Reply { status, retry_after_s: wait, body: body.to_owned() })
}
