//! `docs` (hidden): the reference pages of all verbs, written from the declarations that `--help` prints, so that
//! they cannot disagree with the program. A test compares them with the ones in the repository.

use std::fmt::Write;
use std::path::PathBuf;

use anyhow::Result;
use clap::{Arg, Args, Command, CommandFactory};

use crate::cli::Cli;
use crate::environment;

/// Write the reference page of every verb into a directory.
#[derive(Args)]
pub(crate) struct DocsOptions {
    /// The directory, made if missing.
    directory: PathBuf,
}

/// Writes `<verb>.md` for every public verb, and `README.md`, which lists them.
pub(crate) fn run(options: &DocsOptions) -> Result<()> {
    fs_err::create_dir_all(&options.directory)?;
    let mut program = Cli::command();
    program.build();
    let mut index = String::from("# Commands\n\nWritten by `firsthand docs`; do not edit.\n\n");
    for verb in program.get_subcommands().filter(|verb| !verb.is_hide_set() && verb.get_name() != "help") {
        let about = verb.get_about().map(ToString::to_string).unwrap_or_default();
        writeln!(index, "- [`firsthand {0}`]({0}.md): {about}.", verb.get_name())?;
        fs_err::write(
            options.directory.join(format!("{}.md", verb.get_name())),
            page(verb.get_name(), verb)?,
        )?;
    }
    if let Some(after) = program.get_after_help() {
        writeln!(index, "\n{after}")?;
    }
    writeln!(index, "\n## Environment\n\n| variable | meaning |\n|---|---|")?;
    for (name, meaning) in environment::ALL {
        writeln!(index, "| `{name}` | {meaning} |")?;
    }
    fs_err::write(options.directory.join("README.md"), index)?;
    Ok(())
}

/// One verb as Markdown, its own verbs below it.
fn page(name: &str, verb: &Command) -> Result<String> {
    let mut out = format!("# firsthand {name}\n\n");
    let about =
        verb.get_long_about().or_else(|| verb.get_about()).map(ToString::to_string).unwrap_or_default();
    writeln!(out, "{}.\n", about.trim_end_matches('.'))?;
    let usage = verb.clone().color(clap::ColorChoice::Never).render_usage().to_string();
    writeln!(out, "```text\n{}\n```", usage.trim())?;
    let shown = |arg: &&Arg| !arg.is_hide_set() && arg.get_id() != "help" && arg.get_id() != "version";
    let (positional, options): (Vec<_>, Vec<_>) =
        verb.get_arguments().filter(shown).partition(|arg| arg.is_positional());
    section(&mut out, "Arguments", &positional)?;
    let mut headings: Vec<Option<&str>> = Vec::new();
    for arg in &options {
        if !headings.contains(&arg.get_help_heading()) {
            headings.push(arg.get_help_heading());
        }
    }
    for heading in headings {
        let group: Vec<_> = options.iter().copied().filter(|arg| arg.get_help_heading() == heading).collect();
        section(&mut out, heading.unwrap_or("Options"), &group)?;
    }
    if let Some(after) = verb.get_after_help() {
        writeln!(out, "\n## More\n\n```text\n{after}\n```")?;
    }
    for inner in verb.get_subcommands().filter(|inner| !inner.is_hide_set() && inner.get_name() != "help") {
        write!(out, "\n{}", page(&format!("{name} {}", inner.get_name()), inner)?)?;
    }
    Ok(out)
}

fn section(out: &mut String, title: &str, args: &[&Arg]) -> Result<()> {
    if args.is_empty() {
        return Ok(());
    }
    writeln!(out, "\n## {title}\n")?;
    for arg in args {
        let help =
            arg.get_long_help().or_else(|| arg.get_help()).map(ToString::to_string).unwrap_or_default();
        // clap drops the last full stop.
        let help =
            help.split_whitespace().collect::<Vec<_>>().join(" ").trim_end_matches('.').to_owned() + ".";
        write!(out, "- `{}`: {help}", spelling(arg))?;
        let defaults: Vec<_> = arg.get_default_values().iter().map(|value| value.to_string_lossy()).collect();
        if !defaults.is_empty() && arg.get_action().takes_values() {
            write!(out, " Default: `{}`.", defaults.join(" "))?;
        }
        let values: Vec<_> = arg.get_possible_values();
        let values: Vec<_> = values.iter().filter(|value| !value.is_hide_set()).collect();
        if !values.is_empty() && arg.get_action().takes_values() {
            let names: Vec<_> = values.iter().map(|value| format!("`{}`", value.get_name())).collect();
            write!(out, " One of {}.", names.join(", "))?;
        }
        writeln!(out)?;
        for value in values.iter().filter(|_| arg.get_action().takes_values()) {
            if let Some(help) = value.get_help() {
                writeln!(out, "  - `{}`: {help}", value.get_name())?;
            }
        }
    }
    Ok(())
}

/// `--model DIR`, `MEDIA...`.
fn spelling(arg: &Arg) -> String {
    let names = arg.get_value_names().unwrap_or_default();
    let values: Vec<String> = names.iter().map(|name| name.to_string()).collect();
    let many = arg.get_num_args().is_some_and(|range| range.max_values() > 1);
    let dots = if many && !values.iter().any(|name| name.contains("...")) { "..." } else { "" };
    match arg.get_long() {
        _ if arg.is_positional() => format!("{}{dots}", values.join(" ")),
        Some(long) if arg.get_action().takes_values() => format!("--{long} {}{dots}", values.join(" ")),
        Some(long) => format!("--{long}"),
        None => arg.get_short().map_or_else(|| arg.get_id().to_string(), |short| format!("-{short}")),
    }
}
