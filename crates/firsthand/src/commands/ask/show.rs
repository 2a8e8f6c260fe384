//! How `ask` looks: notes before the answer on stderr, sections on stdout as they are written.

use std::io::{StdoutLock, Write};

use anyhow::Result;
use firsthand_base::{Manifest, Rendered};
use firsthand_input::Tokenizer;
use firsthand_tasks::{Section, Splitter};
use serde_json::json;

use crate::options::media::Moving;
use crate::options::sampling::Choosing;
use crate::screen::Paint;

pub(super) use crate::screen::note;

/// What is asked of what, and how tokens will be chosen.
pub(super) fn notes(rendered: &Rendered, moving: &[Moving], choosing: &Choosing) -> Result<()> {
    for (medium, item) in rendered.media.iter().zip(&rendered.input.vision) {
        let [height, width] = medium.size;
        let (frames, tokens) = (medium.frames.len(), item.span.len());
        let frames = if frames == 1 { String::new() } else { format!("{frames} frames of ") };
        note(&format!("{}: {frames}{width} x {height}, {tokens} tokens", medium.location))?;
    }
    moving.iter().try_for_each(|moving| note(&moving.note()))?;
    note(&choosing.note)
}

/// What the model would read: as text, each placeholder with how many tokens it stands for, or as JSON, as it is.
pub(super) fn prompt(
    rendered: &Rendered,
    manifest: &Manifest,
    tokenizer: &Tokenizer,
    is_json: bool,
) -> Result<()> {
    let mut out = std::io::stdout().lock();
    if is_json {
        let tokens = rendered.input.ids.len();
        let report = json!({"prompt_text": rendered.prompt, "prompt_tokens": tokens, "manifest": manifest});
        return Ok(writeln!(out, "{}", serde_json::to_string_pretty(&report)?)?);
    }
    let mut rest = rendered.prompt.as_str();
    for item in &rendered.input.vision {
        let name = tokenizer.token_name(rendered.input.ids[item.span.start]).unwrap_or_default();
        let Some((before, after)) = rest.split_once(&name) else { break };
        write!(out, "{before}{name} x {}", item.span.len())?;
        rest = after;
    }
    writeln!(out, "{rest}")?;
    Ok(())
}

/// Text on its way to the terminal.
#[derive(Default)]
pub(super) struct Streamed {
    splitter: Splitter,
    section: Option<Section>,
    /// Line breaks at the end of a section are held back until more text follows.
    blank: String,
}

impl Streamed {
    /// Shows the next piece.
    pub(super) fn push(&mut self, piece: &str) -> Result<()> {
        let parts = self.splitter.push(piece);
        self.show(parts)
    }

    /// Shows what was held back and `more`, and ends the line.
    pub(super) fn finish(mut self, more: &str) -> Result<()> {
        let parts = self.splitter.finish();
        self.show(parts)?;
        writeln!(std::io::stdout(), "{more}")?;
        Ok(())
    }

    fn show(&mut self, parts: Vec<(Section, String)>) -> Result<()> {
        let mut out = std::io::stdout().lock();
        for (section, text) in parts {
            if self.section != Some(section) {
                if text.trim().is_empty() {
                    continue;
                }
                self.begin(&mut out, section)?;
                self.put(&mut out, section, text.trim_start())?;
            } else {
                self.put(&mut out, section, &text)?;
            }
        }
        out.flush()?;
        Ok(())
    }

    fn begin(&mut self, out: &mut StdoutLock<'_>, section: Section) -> Result<()> {
        let first = self.section.replace(section).is_none();
        self.blank.clear();
        let gap = if first { "" } else { "\n\n" };
        let title = match section {
            Section::Outside => return Ok(write!(out, "{gap}")?),
            Section::Observe => "Observed",
            Section::Scene => "Scene",
            Section::Think => "Thinking",
            Section::Answer => "Answer",
        };
        Ok(writeln!(out, "{gap}{}", Paint::stdout().strong(&format!("{title}:")))?)
    }

    fn put(&mut self, out: &mut StdoutLock<'_>, section: Section, text: &str) -> Result<()> {
        let body = text.trim_end();
        let (held, rest) = (std::mem::take(&mut self.blank), &text[body.len()..]);
        if body.is_empty() {
            self.blank = held + rest;
            return Ok(());
        }
        self.blank = rest.to_owned();
        let paint = Paint::stdout();
        let painted = match section {
            Section::Observe | Section::Scene | Section::Think => paint.faint(body),
            Section::Answer | Section::Outside => body.to_owned(),
        };
        Ok(write!(out, "{held}{painted}")?)
    }
}
