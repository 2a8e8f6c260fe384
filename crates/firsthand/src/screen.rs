//! What people see on a terminal: colours that follow NO_COLOR, sizes and durations in words. Progress is in
//! `progress.rs`; machine output never passes through here.

use std::io::{IsTerminal, Write};

use crate::environment;

/// Wraps text in colours, or not.
#[derive(Clone, Copy)]
pub(crate) struct Paint(bool);

impl Paint {
    /// For text on stdout.
    pub(crate) fn stdout() -> Self {
        Paint(std::io::stdout().is_terminal() && environment::colours())
    }

    /// For text on stderr.
    pub(crate) fn stderr() -> Self {
        Paint(std::io::stderr().is_terminal() && environment::colours())
    }

    fn wrap(self, code: &str, text: &str) -> String {
        if self.0 { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }

    /// Something wrong.
    pub(crate) fn bad(self, text: &str) -> String {
        self.wrap("1;31", text)
    }

    /// A heading.
    pub(crate) fn strong(self, text: &str) -> String {
        self.wrap("1", text)
    }

    /// Something beside the point.
    pub(crate) fn faint(self, text: &str) -> String {
        self.wrap("2", text)
    }

    /// Something right, or a way out.
    pub(crate) fn good(self, text: &str) -> String {
        self.wrap("1;32", text)
    }
}

/// `1.5 GiB`.
pub(crate) fn bytes(count: u64) -> String {
    const UNITS: [&str; 5] = ["B", "KiB", "MiB", "GiB", "TiB"];
    let mut value = count as f64;
    let mut unit = 0;
    while value >= 1024.0 && unit + 1 < UNITS.len() {
        value /= 1024.0;
        unit += 1;
    }
    if unit == 0 { format!("{count} B") } else { format!("{value:.1} {}", UNITS[unit]) }
}

/// One line beside what is asked for, on stderr.
pub(crate) fn note(text: &str) -> anyhow::Result<()> {
    writeln!(std::io::stderr(), "{} {text}", Paint::stderr().faint("note:"))?;
    Ok(())
}
