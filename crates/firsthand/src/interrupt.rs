//! Ctrl-C and termination: unfinished output files are removed, then the process ends with code 130. Downloads
//! keep their `.incomplete` files on purpose, so that the next run resumes them. Work that can stop by itself is
//! asked to first; a second signal ends it as any other.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

/// Code of a process that was interrupted, as shells report SIGINT.
pub(crate) const INTERRUPTED: u8 = 130;

/// Work that stopped by itself because it was asked to, and can go on.
#[derive(Debug)]
pub(crate) struct Interrupted;

impl std::fmt::Display for Interrupted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("stopped as asked; the same command goes on")
    }
}

impl std::error::Error for Interrupted {}

/// Files that exist only until they are renamed into place.
static UNFINISHED: Mutex<Vec<PathBuf>> = Mutex::new(Vec::new());

/// Cache folder whose unfinished downloads are removed.
static MEDIA_CACHE: OnceLock<PathBuf> = OnceLock::new();

/// Says where media are downloaded to.
pub(crate) fn media_cache(folder: &Path) {
    // There is one such folder; a second call names it again.
    let _ = MEDIA_CACHE.set(folder.to_owned());
}

/// What else is done before the end.
static LAST: OnceLock<Box<dyn Fn() + Send + Sync>> = OnceLock::new();

/// Cleans up after work that names its unfinished files itself.
pub(crate) fn before_end(work: impl Fn() + Send + Sync + 'static) {
    // A process does one such work.
    let _ = LAST.set(Box::new(work));
}

/// Whether somebody looks at `STOP`.
static ASKS: AtomicBool = AtomicBool::new(false);
/// Whether a signal came.
static STOP: AtomicBool = AtomicBool::new(false);

/// From now on the first signal only sets this; whoever called must look at it and end soon.
pub(crate) fn ask_to_stop() -> &'static AtomicBool {
    ASKS.store(true, Ordering::SeqCst);
    &STOP
}

fn unfinished() -> MutexGuard<'static, Vec<PathBuf>> {
    UNFINISHED.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Takes over SIGINT, SIGTERM and SIGHUP. The handler runs on a thread of its own, so it may take locks.
pub(crate) fn install() {
    let handler = || {
        if ASKS.load(Ordering::SeqCst) && !STOP.swap(true, Ordering::SeqCst) {
            return;
        }
        // Held until the end: no file can be renamed into place or created after the sweep.
        let files = unfinished();
        for path in files.iter() {
            let _ = fs_err::remove_file(path);
        }
        if let Some(folder) = MEDIA_CACHE.get() {
            firsthand_media::discard_downloads(folder);
        }
        if let Some(work) = LAST.get() {
            work();
        }
        end();
    };
    // A host that already handles signals keeps its handlers; outputs are still removed on ordinary failure.
    let _ = ctrlc::set_handler(handler);
}

#[expect(clippy::exit, reason = "the interrupted thread may be deep in a forward pass; nothing to unwind")]
fn end() -> ! {
    std::process::exit(INTERRUPTED.into())
}

/// Creates something that must not outlive an interruption.
pub(crate) fn create<T>(path: &Path, make: impl FnOnce() -> T) -> T {
    let mut files = unfinished();
    files.push(path.to_owned());
    make()
}

/// Runs the step that makes `path` finished (or removes it) and forgets it.
pub(crate) fn finish<T>(path: &Path, step: impl FnOnce() -> T) -> T {
    let mut files = unfinished();
    let outcome = step();
    files.retain(|known| known != path);
    outcome
}
