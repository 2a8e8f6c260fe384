//! A server from start to end: the address is taken, the model's thread started, requests served until told to stop or
//! until the model is gone.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use firsthand_engine::Runner;
use tokio::net::TcpListener;
use tokio::sync::oneshot;

use crate::app::{App, TextEncoder, body_room, now_s};
use crate::days::OpenDays;
use crate::files::Files;
use crate::gauges::Gauges;
use crate::http::listener::listen;
use crate::live::{Live, Remember};
use crate::mcp::Mcp;
use crate::mcp_lines::Lines;
use crate::media::Media;
use crate::media::fetch::Remote;
use crate::media::pool::Pool;
use crate::options::ServeOptions;
use crate::page::Shown;
use crate::queue::Gate;
use crate::rates::Rates;
use crate::state::State;
use crate::worker::{Loaded, Ready, Worker};
use crate::{Error, Result, log, routes};

/// How often the order to stop is looked at.
const GLANCE: Duration = Duration::from_millis(50);

/// What a server may have beside its model.
#[derive(Default)]
pub struct Beside {
    /// A memory of days.
    pub days: Option<OpenDays>,
    /// Who puts the past of live sessions into words; without it there are none.
    pub remember: Option<Remember>,
    /// An encoder for `/v1/embeddings`.
    pub encoder: Option<TextEncoder>,
}

/// Serves until `stop` is set. `load` makes the model, on the thread that will own it; `bound` hears the address as
/// soon as connections are taken, which is before the model is loaded.
pub fn serve<R: Runner + 'static>(
    options: ServeOptions,
    model: &str,
    shown: Shown,
    load: impl FnOnce() -> std::result::Result<Loaded<R>, String> + Send + 'static,
    beside: Beside,
    stop: &'static AtomicBool,
    bound: impl FnOnce(SocketAddr),
) -> Result<()> {
    options.validate()?;
    let system = |error: std::io::Error| Error::System(error.to_string());
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .max_blocking_threads(options.limits.media.workers + 16)
        .enable_all()
        .build()
        .map_err(system)?;
    let (over, mut ended) = oneshot::channel();
    let limits = options.limits.clone();
    let gauges = Arc::new(Gauges::default());
    let loaded = Arc::new(OnceLock::new());
    let ready = {
        let loaded = loaded.clone();
        move |ready| {
            log::line("ready", serde_json::json!({}));
            // It is told once.
            let _ = loaded.set(ready);
        }
    };
    let room = limits.queue * limits.choices.max(limits.inputs);
    let address = SocketAddr::new(options.host, options.port);
    let result = runtime.block_on(async {
        let listener = TcpListener::bind(address).await;
        let taken = listener.and_then(|listener| Ok((listener.local_addr()?, listener)));
        let (address, listener) = taken
            .map_err(|error| Error::Listen { address: address.to_string(), reason: error.to_string() })?;
        let worker =
            Worker::start(load, limits.sequences, room, gauges.clone(), ready, over).map_err(system)?;
        let app = Arc::new(app(options, model, shown, worker, gauges, loaded, beside)?);
        tokio::spawn(crate::live::keep(app.clone()));
        bound(address);
        let gate = app.gate.clone();
        let wait = async {
            loop {
                tokio::select! {
                    result = &mut ended => return Some(result),
                    () = tokio::time::sleep(GLANCE) => {}
                }
                if stop.load(Ordering::SeqCst) {
                    return None;
                }
            }
        };
        let mut lost = None;
        let stopping = async {
            lost = wait.await;
            gate.close();
            log::line("stopping", serde_json::json!({"inside": gate.inside()}));
        };
        listen(listener, routes::router(app), &limits, stopping).await;
        match lost {
            None => Ok(()),
            Some(Ok(Err(reason))) => Err(Error::Model(reason)),
            Some(_) => Err(Error::Model("the model's thread ended".into())),
        }
    });
    runtime.shutdown_timeout(Duration::from_secs(1));
    result
}

/// Serves the Model Context Protocol over stdin and stdout until the client goes away.
pub fn serve_stdio<R: Runner + 'static>(
    options: ServeOptions,
    model: &str,
    load: impl FnOnce() -> std::result::Result<Loaded<R>, String> + Send + 'static,
    days: Option<OpenDays>,
) -> Result<()> {
    let beside = Beside { days, ..Beside::default() };
    let system = |error: std::io::Error| Error::System(error.to_string());
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().map_err(system)?;
    let (over, ended) = oneshot::channel();
    let (ready, loaded) = (Arc::new(tokio::sync::Notify::new()), Arc::new(OnceLock::new()));
    let gauges = Arc::new(Gauges::default());
    let result = runtime.block_on(async {
        let tell = {
            let (ready, loaded) = (ready.clone(), loaded.clone());
            move |is: Ready| {
                // It is told once.
                let _ = loaded.set(is);
                ready.notify_one();
            }
        };
        let limits = &options.limits;
        let room = limits.queue * limits.choices;
        let worker =
            Worker::start(load, limits.sequences, room, gauges.clone(), tell, over).map_err(system)?;
        let app = Arc::new(app(options, model, Shown::default(), worker, gauges, loaded, beside)?);
        tokio::select! {
            () = ready.notified() => {}
            ended = ended => {
                let reason = ended.ok().and_then(std::result::Result::err);
                return Err(Error::Model(reason.unwrap_or_else(|| "the model's thread ended".into())));
            }
        }
        let (input, output) = rmcp::transport::stdio();
        let (lines, library) = Lines::between(input, output);
        let wrong = |error: &dyn std::fmt::Display| Error::System(error.to_string());
        let ended = match rmcp::serve_server(Mcp { app }, library).await {
            Ok(served) => served.waiting().await.map_err(|error| wrong(&error)).map(drop),
            // A client that goes before it has begun is no fault.
            Err(rmcp::service::ServerInitializeError::ConnectionClosed(_)) => Ok(()),
            Err(error) => Err(wrong(&error)),
        };
        lines.finish().await;
        ended
    });
    runtime.shutdown_timeout(Duration::from_secs(1));
    result
}

fn app(
    options: ServeOptions,
    model: &str,
    shown: Shown,
    worker: Worker,
    gauges: Arc<Gauges>,
    loaded: Arc<OnceLock<Ready>>,
    beside: Beside,
) -> Result<App> {
    let limits = options.limits.clone();
    let Beside { days, remember, encoder } = beside;
    let state = Arc::new(State::open(&options)?);
    let files = Arc::new(Files::open(state.clone(), limits.files, limits.files_bytes)?);
    let live = Arc::new(Live::open(state, &limits, remember)?);
    let root = options.media_root.as_ref().map(|root| {
        fs_err::canonicalize(root).map_err(|error| Error::Options {
            what: error.to_string(),
            remedy: "name a folder with --media-root",
        })
    });
    let media = Media {
        pool: Pool::new(
            options.program.clone(),
            limits.media.workers,
            limits.media.memory_mib,
            gauges.clone(),
        ),
        files: files.clone(),
        live: live.clone(),
        remote: Remote {
            hosts: options.media_hosts.iter().map(|host| host.to_ascii_lowercase()).collect(),
            private: options.private_media,
            most_bytes: limits.file_bytes,
        },
        root: root.transpose()?,
        limits: limits.clone(),
    };
    Ok(App {
        model: model.to_owned(),
        shown,
        gate: Gate::new(limits.queue, limits.queue_per_key),
        rates: Rates::new(limits.rates),
        gauges,
        files,
        live,
        media,
        worker,
        encoder,
        loaded,
        created_s: now_s(),
        bodies: body_room(&options),
        schemas: OnceLock::new(),
        has_days: days.is_some(),
        open_days: Mutex::new(days),
        days: OnceLock::new(),
        options,
    })
}
