//! How a failure reaches the user: one line `error: what: where`, a `hint:` line when there is a remedy, and an
//! exit code. Any error text line that starts with `hint: ` is a remedy, whichever room wrote it.

use std::io::Write;
use std::process::ExitCode;

use firsthand_train::TrainError;

use crate::interrupt;
use crate::screen;

/// The operation failed.
const FAILED: u8 = 1;
/// The command line is wrong.
const USAGE: u8 = 2;

/// Attaches a remedy to an error.
pub(crate) trait Hint<T> {
    /// Adds a `hint:` line, shown below the error.
    fn hint(self, remedy: impl FnOnce() -> String) -> anyhow::Result<T>;
}

impl<T, E: Into<anyhow::Error>> Hint<T> for Result<T, E> {
    fn hint(self, remedy: impl FnOnce() -> String) -> anyhow::Result<T> {
        self.map_err(|error| error.into().context(format!("hint: {}", remedy())))
    }
}

/// An error with its remedy.
pub(crate) fn failure(what: impl Into<String>, remedy: impl Into<String>) -> anyhow::Error {
    anyhow::Error::msg(what.into()).context(format!("hint: {}", remedy.into()))
}

/// Flags that contradict each other in a way clap cannot see. Reported as any wrong command line.
pub(crate) fn wrong_usage(what: impl std::fmt::Display) -> anyhow::Error {
    let text = format!("{what}\n\nFor more information, try '--help'.\n");
    clap::Error::raw(clap::error::ErrorKind::ArgumentConflict, text).into()
}

/// One line that says what failed, and the remedies. A cause that an outer text already quotes is not repeated.
pub(crate) fn lines(error: &anyhow::Error) -> (String, Vec<String>) {
    let (mut message, mut hints) = (String::new(), Vec::new());
    for cause in error.chain() {
        let text = cause.to_string();
        // Some libraries append a backtrace to their message.
        let said = text.lines().map(str::trim).take_while(|line| !line.starts_with("0: "));
        for line in said.filter(|line| !line.is_empty()) {
            if let Some(hint) = line.strip_prefix("hint: ") {
                if !hints.iter().any(|known| known == hint) {
                    hints.push(hint.to_owned());
                }
            } else if !message.contains(line) {
                if !message.is_empty() {
                    message.push_str(": ");
                }
                message.push_str(line);
            }
        }
    }
    (message, hints)
}

/// The same as one text, remedies on lines of their own.
pub(crate) fn text(error: &anyhow::Error) -> String {
    let (message, hints) = lines(error);
    hints.iter().fold(message, |text, hint| format!("{text}\nhint: {hint}"))
}

/// Prints a failed operation and gives its exit code. A reader that went away (`| head`) is no failure.
pub(crate) fn report(error: &anyhow::Error) -> ExitCode {
    if let Some(wrong) = error.downcast_ref::<clap::Error>() {
        return usage(wrong);
    }
    if let Some(stopped @ TrainError::Stopped { .. }) = error.downcast_ref::<TrainError>() {
        let _ = writeln!(std::io::stderr(), "note: {stopped}");
        return ExitCode::from(interrupt::INTERRUPTED);
    }
    if let Some(stopped) = error.downcast_ref::<interrupt::Interrupted>() {
        let _ = writeln!(std::io::stderr(), "note: {stopped}");
        return ExitCode::from(interrupt::INTERRUPTED);
    }
    let broken_pipe = error.chain().any(|cause| {
        cause.downcast_ref::<std::io::Error>().is_some_and(|e| e.kind() == std::io::ErrorKind::BrokenPipe)
    });
    if broken_pipe {
        return ExitCode::SUCCESS;
    }
    let (message, hints) = lines(error);
    let paint = screen::Paint::stderr();
    let mut stderr = std::io::stderr().lock();
    let _ = writeln!(stderr, "{} {message}", paint.bad("error:"));
    for hint in hints {
        let _ = writeln!(stderr, "{} {hint}", paint.good("hint:"));
    }
    ExitCode::from(FAILED)
}

/// Prints help or a wrong command line and gives its exit code.
pub(crate) fn usage(error: &clap::Error) -> ExitCode {
    let _ = error.print();
    if error.use_stderr() { ExitCode::from(USAGE) } else { ExitCode::SUCCESS }
}
