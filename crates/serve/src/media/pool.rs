//! The processes that open media, seen from the server: a bounded number, kept for the next medium, killed when a
//! medium takes too long or nobody waits for it any more.

use std::path::PathBuf;
use std::process::Stdio;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use firsthand_media::Prepared;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::sync::Semaphore;

use crate::gauges::Gauges;
use crate::log;
use crate::media::worker::{Opened, Wanted, framed, prepared};
use crate::refusal::{Answered, Refusal};

/// Most bytes of the header that a process may answer.
const LARGEST_HEADER: u64 = 64 << 20;

/// Processes that open media.
pub(crate) struct Pool {
    program: PathBuf,
    memory_mib: u64,
    permits: Semaphore,
    idle: Mutex<Vec<Opening>>,
    gauges: std::sync::Arc<Gauges>,
}

/// One process. Dropped, it is killed.
struct Opening {
    child: Child,
    stdin: ChildStdin,
    stdout: ChildStdout,
}

/// Why a process gave no medium.
enum Fault {
    /// The medium is at fault.
    Medium(String),
    /// It opened more than is wanted, and the process still speaks.
    Much(String),
    /// The process ended or spoke nonsense.
    Process(String),
}

impl From<std::io::Error> for Fault {
    fn from(error: std::io::Error) -> Self {
        Fault::Process(error.to_string())
    }
}

impl Pool {
    pub(crate) fn new(
        program: PathBuf,
        workers: usize,
        memory_mib: u64,
        gauges: std::sync::Arc<Gauges>,
    ) -> Pool {
        Pool { program, memory_mib, permits: Semaphore::new(workers), idle: Mutex::default(), gauges }
    }

    /// Opens a medium before the deadline. `most_pixels` bounds what it may become; errors name paths as the process
    /// knows them.
    pub(crate) async fn open(
        &self,
        wanted: &Wanted,
        most_pixels: usize,
        until: Instant,
    ) -> Answered<Prepared> {
        let started = Instant::now();
        let work = async {
            let permit =
                self.permits.acquire().await.map_err(|_| Refusal::unavailable("the server is stopping"))?;
            let kept = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
            let mut opening = match kept {
                Some(opening) => opening,
                None => {
                    self.start().map_err(|error| Refusal::internal(&format!("media process: {error}")))?
                }
            };
            let result = opening.open(wanted, most_pixels).await;
            if matches!(result, Ok(_) | Err(Fault::Medium(_))) {
                self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(opening);
            }
            drop(permit);
            match result {
                Ok(prepared) => Ok(prepared),
                Err(Fault::Medium(reason) | Fault::Much(reason)) => Err(Refusal::medium(reason)),
                Err(Fault::Process(reason)) => {
                    self.gauges.media_killed();
                    log::line("medium", serde_json::json!({"lost": reason}));
                    let told = "the medium could not be opened: it took too much memory or broke the decoder";
                    Err(Refusal::medium(told))
                }
            }
        };
        let left = until.saturating_duration_since(started).max(Duration::from_millis(1));
        let opened = tokio::time::timeout(left, work).await.unwrap_or_else(|_| {
            self.gauges.media_killed();
            Err(Refusal::medium("the media took longer to open than one request may; ask for fewer frames"))
        });
        self.gauges.medium(started.elapsed());
        opened
    }

    fn start(&self) -> std::io::Result<Opening> {
        let mut command = Command::new(&self.program);
        command.args(["media-worker", "--memory-mib", &self.memory_mib.to_string()]);
        command
            .env_clear()
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true);
        // A terminal's Ctrl-C is the server's to heed: what it has begun is to be finished.
        command.process_group(0);
        let mut child = command.spawn()?;
        let pipes = child.stdin.take().zip(child.stdout.take());
        let (stdin, stdout) = pipes.ok_or_else(|| std::io::Error::other("no pipes"))?;
        Ok(Opening { child, stdin, stdout })
    }
}

impl Opening {
    async fn open(&mut self, wanted: &Wanted, most_pixels: usize) -> Result<Prepared, Fault> {
        if let Some(status) = self.child.try_wait()? {
            return Err(Fault::Process(format!("it had ended: {status}")));
        }
        self.stdin.write_all(&framed(wanted)?).await?;
        self.stdin.flush().await?;
        let length = self.stdout.read_u64_le().await?;
        if length > LARGEST_HEADER {
            return Err(Fault::Process(format!("a header of {length} bytes")));
        }
        let mut text = vec![0; length as usize];
        self.stdout.read_exact(&mut text).await?;
        let opened = serde_json::from_slice(&text).map_err(|error| Fault::Process(error.to_string()))?;
        let (frames, size, pictures, sample_fps, original_size) = match opened {
            Opened::Badly(reason) => return Err(Fault::Medium(reason)),
            Opened::Well { frames, size, pictures, sample_fps, original_size } => {
                (frames, size, pictures, sample_fps, original_size)
            }
        };
        let pixels = size[0].saturating_mul(size[1]).saturating_mul(pictures);
        if pixels > most_pixels || pixels == 0 {
            // The pixels are on their way and nobody will read them: the process goes.
            let what = format!(
                "{pictures} pictures of {}x{} (height x width) are too many pixels for one request",
                size[0], size[1]
            );
            return Err(Fault::Much(what));
        }
        let mut bytes = vec![0; pixels * 3];
        self.stdout.read_exact(&mut bytes).await?;
        Ok(prepared(frames, size, sample_fps, original_size, &bytes))
    }
}
