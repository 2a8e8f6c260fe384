//! Progress of long work. Crates below the program report it here; the program decides when and how to show it.

/// What work is counted in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// Bytes.
    Bytes,
    /// Anything else, by its plural name.
    Things(&'static str),
}

/// Receives the progress of work. Several threads may report at once.
pub trait Report: Send + Sync {
    /// Work begins: in words like "reading rows", with its size where that is known. What was begun before and has not
    /// ended goes on when this ends.
    fn begin(&self, what: &str, total: Option<u64>, unit: Unit);
    /// The same for work that says nothing about the pace of what surrounds it, as checkpoints between steps.
    fn begin_aside(&self, what: &str, total: Option<u64>, unit: Unit);
    /// So many more are done.
    fn advance(&self, count: u64);
    /// The newest work that has not ended ends.
    fn end(&self);
}

/// Shows nothing.
pub struct Silent;

impl Report for Silent {
    fn begin(&self, _what: &str, _total: Option<u64>, _unit: Unit) {}
    fn begin_aside(&self, _what: &str, _total: Option<u64>, _unit: Unit) {}
    fn advance(&self, _count: u64) {}
    fn end(&self) {}
}

/// Work that has begun; it ends when this is dropped.
pub struct Begun<'a>(&'a dyn Report);

impl<'a> Begun<'a> {
    /// Begins work; see [`Report::begin`].
    pub fn new(report: &'a dyn Report, what: &str, total: Option<u64>, unit: Unit) -> Begun<'a> {
        report.begin(what, total, unit);
        Begun(report)
    }

    /// Begins work aside; see [`Report::begin_aside`].
    pub fn aside(report: &'a dyn Report, what: &str, total: Option<u64>, unit: Unit) -> Begun<'a> {
        report.begin_aside(what, total, unit);
        Begun(report)
    }

    /// Begins work of unknown size.
    pub fn working(report: &'a dyn Report, what: &str) -> Begun<'a> {
        Begun::aside(report, what, None, Unit::Things(""))
    }

    /// So many more are done.
    pub fn advance(&self, count: u64) {
        self.0.advance(count);
    }
}

impl Drop for Begun<'_> {
    fn drop(&mut self) {
        self.0.end();
    }
}
