//! `serve`: the model behind OpenAI's HTTP interface. Flags into one checked value; everything else is the room's.

use std::io::Write;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use anyhow::Result;
use clap::Args;
use firsthand_agent::Memories;
use firsthand_media::{Opener, OpenerOptions};
use firsthand_model::ModelRunner;
use firsthand_serve::{
    Beside, Limits, LiveLimits, Loaded, MediaLimits, RateLimits, ServeOptions, Shown, TextEncoder,
};

use crate::checkpoint;
use crate::commands::remember;
use crate::embed::{Here, Reader};
use crate::environment;
use crate::failure;
use crate::interrupt;
use crate::options::model::ModelFlags;
use crate::progress;
use crate::recollection;
use crate::session::{STEP_TOKENS, Session};
use crate::tiny;

const EXAMPLES: &str = "\
Examples:
  firsthand serve
  curl http://127.0.0.1:8000/v1/chat/completions -H 'content-type: application/json' \\
      -d '{\"messages\": [{\"role\": \"user\", \"content\": \"where is the red cup ?\"}]}'
  firsthand serve --model Qwen/Qwen2.5-VL-3B-Instruct --port 9000 --media-root ~/videos
  FIRSTHAND_API_KEYS=a-long-secret firsthand serve --host 0.0.0.0 --media-host media.example.org

A served answer has the frames, tokens and numbers of `firsthand ask`. docs/serve.md has every route with an example.
It listens on this machine alone unless --host says otherwise, which needs a key; it fetches no media but from hosts
named with --media-host and reads no files but uploads and those below --media-root. Each medium is opened in a process
of its own that is killed when it takes too long. SIGTERM and Ctrl-C let what runs end and refuse what comes.";

/// Serve a model over HTTP, as OpenAI's clients expect it.
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct ServeVerb {
    /// Address to listen on. Anything but this machine itself needs --api-key or FIRSTHAND_API_KEYS.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1")]
    host: IpAddr,
    /// Port to listen on; 0 takes a free one and prints it.
    #[arg(long, value_name = "N", default_value_t = 8000)]
    port: u16,
    /// A key of which a request must carry one; may be given several times. FIRSTHAND_API_KEYS keeps it out of the
    /// list of processes.
    #[arg(long, value_name = "KEY")]
    api_key: Vec<String>,
    /// A host from which media may be fetched, `name` or `name:port`; may be given several times.
    #[arg(long, value_name = "HOST")]
    media_host: Vec<String>,
    /// Let these hosts be on private networks, too.
    #[arg(long, requires = "media_host")]
    private_media: bool,
    /// A folder whose files requests may name.
    #[arg(long, value_name = "DIR")]
    media_root: Option<PathBuf>,
    /// A folder in which uploads and live sessions outlive the server. Default: one that is gone with it.
    #[arg(long, value_name = "DIR")]
    state: Option<PathBuf>,
    /// What clients call the model. Default: as --model names it.
    #[arg(long, value_name = "NAME")]
    served_name: Option<String>,
    /// A memory of days, as `firsthand remember` makes it: served by the published tool routes, to MCP clients, and on the
    /// page to look into and to forget from.
    #[arg(long, value_name = "DIR")]
    memory: Option<PathBuf>,
    /// An encoder of BERT's family in the sentence-transformers layout, a directory or owner/name of one that was fetched:
    /// answers /v1/embeddings in the model's place.
    #[arg(long, value_name = "DIR|owner/name")]
    encoder: Option<String>,
    #[command(flatten)]
    page: PageFlags,
    #[command(flatten)]
    limits: LimitFlags,
    #[command(flatten)]
    model: ModelFlags,
}

/// What the page in the browser shows beside the model.
#[derive(Args)]
#[command(next_help_heading = "Page")]
struct PageFlags {
    /// A folder of traces that `ask --memory --trace` wrote.
    #[arg(long, value_name = "DIR")]
    traces: Option<PathBuf>,
    /// A folder with runs of `train` and `eval`.
    #[arg(long, value_name = "DIR")]
    runs: Option<PathBuf>,
}

impl PageFlags {
    fn shown(&self, memories: Option<&Memories>, is_tiny: bool) -> Result<Shown> {
        let folder = |flag: &str, path: &Option<PathBuf>| match path {
            Some(path) if !path.is_dir() => {
                Err(failure::wrong_usage(format!("no folder {}; name one with {flag}", path.display())))
            }
            path => Ok(path.clone()),
        };
        // The very memory that the tools look into: what is forgotten here is forgotten there. Several are for the tools alone.
        let memory = memories.and_then(|memories| match &memories.each().collect::<Vec<_>>()[..] {
            [only] => Some((*only).clone()),
            _ => None,
        });
        Ok(Shown {
            memory,
            traces: folder("--traces", &self.traces)?,
            runs: folder("--runs", &self.runs)?,
            note: is_tiny.then(|| tiny::NOTE.split(';').next().unwrap_or_default().to_owned()),
        })
    }
}

/// Flags that bound requests.
#[derive(Args)]
#[command(next_help_heading = "Limits")]
struct LimitFlags {
    /// Sequences that run together.
    #[arg(long, value_name = "N", default_value_t = 16)]
    sequences: usize,
    /// Requests that wait or run; one more gets 429.
    #[arg(long, value_name = "N", default_value_t = 64)]
    queue: usize,
    /// Requests of one key that wait or run. Default: half the queue.
    #[arg(long, value_name = "N")]
    queue_per_key: Option<usize>,
    /// Requests that a key may ask a model or a memory in a minute; 0 sets no bound.
    #[arg(long, value_name = "N", default_value_t = 0)]
    requests_per_minute: u64,
    /// Tokens that a key may have read and written in a minute; 0 sets no bound.
    #[arg(long, value_name = "N", default_value_t = 0)]
    tokens_per_minute: u64,
    /// Most new tokens of one answer.
    #[arg(long, value_name = "N", default_value_t = 32_768)]
    max_new_tokens: usize,
    /// Most frames of one request.
    #[arg(long, value_name = "N", default_value_t = 768)]
    most_frames: usize,
    /// Most MiB of a request's body.
    #[arg(long, value_name = "N", default_value_t = 64)]
    body_mib: usize,
    /// Most MiB of one upload.
    #[arg(long, value_name = "N", default_value_t = 1024)]
    file_mib: u64,
    /// Most MiB of all uploads together.
    #[arg(long, value_name = "N", default_value_t = 8192)]
    files_mib: u64,
    /// Seconds in which the media of one request must be opened.
    #[arg(long, value_name = "S", default_value_t = 60.0)]
    media_seconds: f64,
    /// Seconds in which a request's body must arrive.
    #[arg(long, value_name = "S", default_value_t = 60.0)]
    body_seconds: f64,
    /// Seconds in which a request's head must arrive.
    #[arg(long, value_name = "S", default_value_t = 10.0)]
    head_seconds: f64,
    /// Processes that open media.
    #[arg(long, value_name = "N", default_value_t = 2)]
    media_workers: usize,
    /// Live sessions at once. Each key may have a quarter of them, or all where there are no keys.
    #[arg(long, value_name = "N", default_value_t = 64)]
    live_sessions: usize,
    /// Newest frames that a live session keeps as pictures; what is older is remembered in words.
    #[arg(long, value_name = "N", default_value_t = 32)]
    live_window: usize,
    /// Most MiB of a live session's pictures.
    #[arg(long, value_name = "N", default_value_t = 64)]
    live_mib: u64,
    /// Seconds after which a live session that nobody asks for is deleted.
    #[arg(long, value_name = "S", default_value_t = 3600.0)]
    live_idle_seconds: f64,
    /// Seconds that running requests get when the server is told to stop.
    #[arg(long, value_name = "S", default_value_t = 30.0)]
    drain_seconds: f64,
}

impl LimitFlags {
    fn limits(&self) -> Limits {
        Limits {
            sequences: self.sequences,
            queue: self.queue,
            queue_per_key: self.queue_per_key.unwrap_or(self.queue.div_ceil(2)),
            max_tokens: self.max_new_tokens,
            body_bytes: self.body_mib << 20,
            file_bytes: self.file_mib << 20,
            files_bytes: self.files_mib << 20,
            body_seconds: self.body_seconds,
            head_seconds: self.head_seconds,
            drain_seconds: self.drain_seconds,
            media: MediaLimits {
                frames: self.most_frames,
                seconds: self.media_seconds,
                workers: self.media_workers,
                ..MediaLimits::default()
            },
            rates: RateLimits { requests: self.requests_per_minute, tokens: self.tokens_per_minute },
            live: LiveLimits {
                sessions: self.live_sessions,
                sessions_per_key: self.live_sessions.div_ceil(4),
                window: self.live_window,
                session_bytes: self.live_mib << 20,
                idle_seconds: self.live_idle_seconds,
                ..LiveLimits::default()
            },
            ..Limits::default()
        }
    }
}

/// An encoder, called as it was named. Memories whose vectors are its own are searched by meaning too.
fn encoder(name: &str, memories: Option<&Memories>) -> Result<TextEncoder> {
    let here = Arc::new(Here::open(&checkpoint::directory(name, "main")?)?);
    if let Some(memories) = memories {
        recollection::attach(memories, &Reader::Here(here.clone()))?;
    }
    let encode = move |texts: &[&str]| here.counted(texts).map_err(|error| format!("{error:#}"));
    Ok(TextEncoder { name: name.to_owned(), encode: Mutex::new(Box::new(encode)) })
}

/// Nobody shares a key with the others when there is none: one client may then take all there is.
fn shared(limits: Limits) -> Limits {
    let live = LiveLimits { sessions_per_key: limits.live.sessions, ..limits.live };
    Limits { queue_per_key: limits.queue, live, ..limits }
}

/// Serves until told to stop.
pub(crate) fn run(verb: ServeVerb) -> Result<()> {
    let name = verb.served_name.or_else(|| verb.model.model.clone()).unwrap_or_else(|| tiny::NAME.to_owned());
    let limits = verb.limits.limits();
    let memories = verb.memory.as_deref().map(recollection::memories).transpose()?;
    let shown = verb.page.shown(memories.as_ref(), verb.model.model.is_none())?;
    let api_keys = if verb.api_key.is_empty() { environment::api_keys() } else { verb.api_key };
    let limits = if api_keys.is_empty() { shared(limits) } else { limits };
    let options = ServeOptions {
        host: verb.host,
        port: verb.port,
        api_keys,
        media_hosts: verb.media_host,
        private_media: verb.private_media,
        media_root: verb.media_root,
        files_dir: environment::firsthand_cache()?.join("uploads"),
        state_dir: verb.state,
        program: environment::program()?,
        limits,
    };
    options.validate()?;
    let encoder = verb.encoder.as_deref().map(|name| encoder(name, memories.as_ref())).transpose()?;
    let days = memories.map(|memories| recollection::days(memories, &name));
    let (flags, sequences) = (verb.model, options.limits.sequences);
    let load = move || load(&flags, sequences).map_err(|error| failure::text(&error));
    let stop = interrupt::ask_to_stop();
    let beside = Beside { days, remember: Some(remember::live::remember()), encoder };
    firsthand_serve::serve(options, &name, shown, load, beside, stop, |address: SocketAddr| {
        // A reader that went away does not keep others from asking.
        let _ = progress::around(|| writeln!(std::io::stdout(), "listening on http://{address}"));
    })?;
    Ok(())
}

/// Opens and loads the checkpoint, on the thread that will own it.
pub(crate) fn load(flags: &ModelFlags, sequences: usize) -> Result<Loaded<ModelRunner>> {
    // Prompts get their media from other processes; this opener opens nothing.
    let opener = Opener::new(OpenerOptions { remote: false, keep_bytes: 0, ..OpenerOptions::default() });
    let session = Session::open(flags, Arc::new(opener))?;
    let (directory, manifest) = (session.directory.clone(), session.manifest.clone());
    let (renderer, runner) = session.load_for_many(sequences)?;
    let embed =
        |runner: &ModelRunner, input: &_| runner.model().pooled(input).map_err(|error| error.to_string());
    Ok(Loaded {
        renderer: Arc::new(renderer),
        runner,
        manifest,
        directory,
        step_tokens: STEP_TOKENS,
        embed: Box::new(embed),
    })
}
