//! Progress of long work: what is done now, how far it is and what is left, on stderr, once it has taken more than two
//! seconds. A terminal shows one line that changes; anything else gets a line now and then, beginning with `note: `.
//!
//! Work nests: what was begun last is told beside the outermost. One thread draws for the whole process.

use std::io::{IsTerminal, Write};
use std::sync::{Condvar, LazyLock, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use firsthand_base::Report;
pub(crate) use firsthand_base::Unit;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::pace::{self, Pace};
use crate::screen;

/// Work shorter than this shows nothing.
const PATIENCE: Duration = Duration::from_secs(2);
/// Between two pictures of a line on a terminal.
const FRAME: Duration = Duration::from_millis(200);
/// Between two lines elsewhere.
const LINE: Duration = Duration::from_secs(30);
/// Characters of a bar.
const BAR: usize = 30;

/// A piece of work, from when it is made to when it is dropped. Cheap to update often.
pub(crate) struct Progress {
    number: u64,
}

/// One piece of work as it stands.
struct Entry {
    number: u64,
    what: String,
    total: Option<u64>,
    unit: Unit,
    at: u64,
    started: Duration,
    pace: Pace,
    /// The surrounding work pauses for it.
    aside: bool,
}

/// All work of the process, the outermost first.
struct Board {
    entries: Vec<Entry>,
    last: u64,
    /// The line of a terminal.
    bar: Option<ProgressBar>,
    is_drawn: bool,
    /// When a line was last written elsewhere, and of which outermost work.
    written: Option<(Duration, u64)>,
    has_thread: bool,
}

static BEGAN: LazyLock<Instant> = LazyLock::new(Instant::now);
static CHANGED: Condvar = Condvar::new();
static BOARD: LazyLock<Mutex<Board>> = LazyLock::new(|| {
    let bar = std::io::stderr().is_terminal().then(|| {
        let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::hidden());
        bar.set_style(ProgressStyle::with_template("{spinner} {wide_msg}").expect("it is valid"));
        bar
    });
    Mutex::new(Board { entries: Vec::new(), last: 0, bar, is_drawn: false, written: None, has_thread: false })
});

fn board() -> MutexGuard<'static, Board> {
    BOARD.lock().unwrap_or_else(PoisonError::into_inner)
}

fn now() -> Duration {
    BEGAN.elapsed()
}

impl Progress {
    /// Work of a known size.
    pub(crate) fn new(what: &str, total: u64, unit: &Unit) -> Progress {
        Progress { number: board().begin(what, Some(total), *unit, false) }
    }

    /// Work that cannot say how far it is.
    pub(crate) fn working(what: &str) -> Progress {
        Progress { number: board().begin(what, None, Unit::Things(""), false) }
    }

    fn with(&self, change: impl FnOnce(&mut Entry, Duration)) {
        let (mut board, now) = (board(), now());
        if let Some(entry) = board.entries.iter_mut().find(|entry| entry.number == self.number) {
            change(entry, now);
        }
    }

    /// `count` more are done.
    pub(crate) fn add(&self, count: u64) {
        self.with(|entry, now| entry.add(count, now));
    }

    /// `count` must be done again.
    pub(crate) fn take_back(&self, count: u64) {
        self.with(|entry, _| {
            entry.at = entry.at.saturating_sub(count);
            entry.pace.undone(count);
        });
    }

    /// `count` of the total were there already.
    pub(crate) fn skip(&self, count: u64) {
        self.with(|entry, _| entry.at = entry.at.saturating_add(count));
    }

    /// Says what is being done now.
    pub(crate) fn say(&self, what: &str) {
        self.with(|entry, _| what.clone_into(&mut entry.what));
    }

    /// A line that stays, above what is shown.
    pub(crate) fn note(&self, line: &str) {
        note(line);
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        board().end(self.number);
    }
}

/// A line that stays, above what is shown of work.
pub(crate) fn note(line: &str) {
    let board = board();
    match &board.bar {
        Some(bar) if board.is_drawn => bar.println(line),
        // Nobody to tell is no reason to stop.
        _ => drop(writeln!(std::io::stderr(), "{line}")),
    }
}

/// Writes to stdout while work goes on, without what is shown of it in the line.
pub(crate) fn around<T>(write: impl FnOnce() -> T) -> T {
    board().clear();
    // The line comes back with the next picture of it.
    write()
}

/// Shows what the rooms below tell.
#[derive(Default)]
pub(crate) struct Shown(Mutex<Vec<Progress>>);

impl Shown {
    fn open(&self) -> MutexGuard<'_, Vec<Progress>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Report for Shown {
    fn begin(&self, what: &str, total: Option<u64>, unit: Unit) {
        self.open().push(Progress { number: board().begin(what, total, unit, false) });
    }

    fn begin_aside(&self, what: &str, total: Option<u64>, unit: Unit) {
        self.open().push(Progress { number: board().begin(what, total, unit, true) });
    }

    fn advance(&self, count: u64) {
        if let Some(newest) = self.open().last() {
            newest.add(count);
        }
    }

    fn end(&self) {
        let newest = self.open().pop();
        drop(newest);
    }
}

impl Entry {
    fn add(&mut self, count: u64, now: Duration) {
        self.at = self.at.saturating_add(count);
        self.pace.done(now, count);
    }

    /// `7/20 clips`, or nothing where nothing is counted.
    fn count(&self) -> String {
        let told = |count: u64| match self.unit {
            Unit::Bytes => screen::bytes(count),
            Unit::Things(_) => count.to_string(),
        };
        let name = match self.unit {
            Unit::Bytes => String::new(),
            Unit::Things(name) => format!(" {name}"),
        };
        match self.total {
            Some(total) => format!("{}/{}{name}", told(self.at), told(total)),
            None if self.at > 0 => format!("{}{name}", told(self.at)),
            None => String::new(),
        }
    }

    /// What is left, or for how long it goes on where that cannot be said.
    fn time(&self, now: Duration) -> String {
        let left = self.total.and_then(|total| self.pace.left(now, total.saturating_sub(self.at)));
        match left {
            Some(left) => format!("{} left", pace::words(left)),
            None => format!("{} so far", pace::words(now.saturating_sub(self.started))),
        }
    }

    fn line(&self, now: Duration, with_bar: bool) -> String {
        let mut line = self.what.clone();
        if let (true, Some(total)) = (with_bar, self.total.filter(|total| *total > 0)) {
            let full = (self.at.min(total) as f64 / total as f64 * BAR as f64) as usize;
            line += &format!(" [{:<BAR$}]", "=".repeat(full));
        }
        let count = self.count();
        if count.is_empty() {
            return format!("{line}, {}", self.time(now));
        }
        format!("{line} {count}, {}", self.time(now))
    }
}

impl Board {
    fn begin(&mut self, what: &str, total: Option<u64>, unit: Unit, aside: bool) -> u64 {
        let started = now();
        self.last += 1;
        if let (true, Some(around)) = (aside, self.entries.last_mut()) {
            around.pace.pause(started);
        }
        let (number, what, pace) = (self.last, what.to_owned(), Pace::new(started));
        self.entries.push(Entry { number, what, total, unit, at: 0, started, pace, aside });
        if !std::mem::replace(&mut self.has_thread, true) {
            std::thread::spawn(draw);
        }
        CHANGED.notify_all();
        number
    }

    fn end(&mut self, number: u64) {
        let Some(place) = self.entries.iter().position(|entry| entry.number == number) else { return };
        let ended = self.entries.remove(place);
        if let (true, Some(around)) = (ended.aside, place.checked_sub(1)) {
            self.entries[around].pace.resume(now());
        }
        if self.entries.is_empty() {
            self.clear();
        }
    }

    /// Takes the line off the terminal.
    fn clear(&mut self) {
        if let (true, Some(bar)) = (std::mem::take(&mut self.is_drawn), &self.bar) {
            bar.set_message("");
            bar.set_draw_target(ProgressDrawTarget::hidden());
            // The cursor stands in the line that was drawn last.
            let _ = write!(std::io::stderr(), "\r\x1b[2K");
        }
    }

    /// The outermost work, and beside it what was begun last, once that takes long too.
    fn text(&self, now: Duration, with_bar: bool) -> Option<String> {
        let is_long = |entry: &&Entry| now.saturating_sub(entry.started) >= PATIENCE;
        let first = self.entries.first().filter(is_long)?;
        let mut text = first.line(now, with_bar);
        if let Some(newest) = self.entries[1..].last().filter(is_long) {
            text += &format!("; {}", newest.line(now, false));
        }
        Some(text)
    }

    /// Shows how things stand.
    fn show(&mut self) {
        let now = now();
        let Some(text) = self.text(now, self.bar.is_some()) else { return };
        let Some(bar) = &self.bar else { return self.write(now, &text) };
        if !std::mem::replace(&mut self.is_drawn, true) {
            bar.set_draw_target(ProgressDrawTarget::stderr());
        }
        bar.set_message(text);
        bar.tick();
    }

    /// A line where there is no terminal: when work turns out to be long, and seldom afterwards.
    fn write(&mut self, now: Duration, text: &str) {
        let outermost = self.entries.first().map_or(0, |entry| entry.number);
        let is_due = match self.written {
            Some((at, of)) => of != outermost || now.saturating_sub(at) >= LINE,
            None => true,
        };
        if is_due {
            self.written = Some((now, outermost));
            let _ = writeln!(std::io::stderr(), "note: {text}");
        }
    }
}

/// Draws for as long as the process lives.
fn draw() {
    let mut board = board();
    loop {
        board = match board.entries.is_empty() {
            true => CHANGED.wait(board).unwrap_or_else(PoisonError::into_inner),
            false => CHANGED.wait_timeout(board, FRAME).unwrap_or_else(PoisonError::into_inner).0,
        };
        board.show();
    }
}
