//! Progress of long work: a bar with the time left, on stderr, only on a terminal, only when the work has taken
//! more than two seconds.

use std::io::IsTerminal;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// Work shorter than this shows nothing.
const PATIENCE: Duration = Duration::from_secs(2);

/// Progress of one piece of work. Cheap to update often.
pub(crate) struct Progress {
    bar: ProgressBar,
    started: Instant,
    shown: AtomicBool,
}

/// What is counted.
pub(crate) enum Unit {
    /// Bytes.
    Bytes,
    /// Anything else, with its plural name.
    Things(&'static str),
}

impl Progress {
    /// Work of a known size.
    pub(crate) fn new(what: &str, total: u64, unit: &Unit) -> Self {
        let template = match unit {
            Unit::Bytes => "{msg} [{bar:30}] {bytes}/{total_bytes} {bytes_per_sec}, {eta} left".to_owned(),
            Unit::Things(name) => format!("{{msg}} [{{bar:30}}] {{pos}}/{{len}} {name}, {{eta}} left"),
        };
        let style = ProgressStyle::with_template(&template).expect("the templates above are valid");
        let bar = ProgressBar::with_draw_target(Some(total), ProgressDrawTarget::hidden());
        bar.set_style(style.progress_chars("=> "));
        bar.set_message(what.to_owned());
        let silent = !std::io::stderr().is_terminal();
        Progress { bar, started: Instant::now(), shown: AtomicBool::new(silent) }
    }

    /// `count` more are done.
    pub(crate) fn add(&self, count: u64) {
        self.bar.inc(count);
        self.show();
    }

    /// `count` must be done again.
    pub(crate) fn take_back(&self, count: u64) {
        self.bar.dec(count);
    }

    /// `count` of the total were there already.
    pub(crate) fn skip(&self, count: u64) {
        self.bar.inc(count);
        self.bar.reset_eta();
    }

    /// Says what is being done now.
    pub(crate) fn say(&self, what: &str) {
        self.bar.set_message(what.to_owned());
    }

    /// Whether anybody sees it.
    pub(crate) fn is_shown(&self) -> bool {
        !self.bar.is_hidden()
    }

    /// A line above the bar, where there is one.
    pub(crate) fn note(&self, line: &str) {
        self.bar.println(line);
    }

    fn show(&self) {
        if self.started.elapsed() > PATIENCE && !self.shown.swap(true, Ordering::Relaxed) {
            self.bar.set_draw_target(ProgressDrawTarget::stderr());
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}

/// Work of unknown size: a turning wheel, when it takes long.
pub(crate) struct Working {
    bar: ProgressBar,
    /// Dropping it ends the waiting thread.
    _end: mpsc::Sender<()>,
}

impl Working {
    /// Starts waiting for the moment to be shown.
    pub(crate) fn new(what: &str) -> Self {
        let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::hidden());
        bar.set_message(what.to_owned());
        let (end, ended) = mpsc::channel();
        if std::io::stderr().is_terminal() {
            let bar = bar.clone();
            std::thread::spawn(move || {
                if ended.recv_timeout(PATIENCE) == Err(mpsc::RecvTimeoutError::Timeout) && !bar.is_finished()
                {
                    bar.set_style(
                        ProgressStyle::with_template("{spinner} {msg} {elapsed}").expect("it is valid"),
                    );
                    bar.set_draw_target(ProgressDrawTarget::stderr());
                    bar.enable_steady_tick(Duration::from_millis(200));
                }
            });
        }
        Working { bar, _end: end }
    }
}

impl Drop for Working {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}
