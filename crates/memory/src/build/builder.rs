//! The incremental rule. At any time each wearer has at most one chain of windows whose summaries are behind: the ten
//! minutes, hour, day and week of the latest clip. A clip outside the ten minutes closes them, one outside the hour the
//! hour as well, and so on; closing writes one summary from the finer records in its window. A clip that comes late opens
//! its own chain in the same way. What waits is noted with every clip, so a killed build knows it.

use firsthand_base::Moment;

use super::ledger::Open;
use super::{Captioned, Clip, Failure, Fault, Ledger, Spans, Summarise, Summary, Totals, window};
use crate::extract::extract;
use crate::{Change, Error, Evidence, Level, Memory, Record, RecordId, Result, Scope, State};

/// Puts clips into a memory, and summaries after them.
pub struct Builder<'a> {
    pub(super) memory: &'a mut Memory,
    pub(super) ledger: Ledger,
    /// Clips that wait to be written with the summary of their ten minutes; only of a grouped builder.
    pub(super) pending: Vec<Record>,
    is_grouped: bool,
    pub(super) brings_back: bool,
}

impl<'a> Builder<'a> {
    /// Writes each clip as it comes.
    pub fn new(memory: &'a mut Memory) -> Builder<'a> {
        Builder {
            memory,
            ledger: Ledger::default(),
            pending: Vec::new(),
            is_grouped: false,
            brings_back: false,
        }
    }

    /// Writes the clips of ten minutes at once. For clips that cost nothing to make again after a kill.
    pub fn grouped(memory: &'a mut Memory) -> Builder<'a> {
        Builder { is_grouped: true, ..Builder::new(memory) }
    }

    /// Takes captions of time that was forgotten, which is then forgotten no longer.
    pub fn bringing_back(self) -> Builder<'a> {
        Builder { brings_back: true, ..self }
    }

    /// The memory below.
    pub fn memory(&mut self) -> &mut Memory {
        self.memory
    }

    /// Stretches of a wearer's time around a clip that are dealt with: remembered, forgotten or failed.
    pub fn covered(&mut self, wearer: &str, start: Moment, end: Moment) -> Result<Spans> {
        self.ledger.covered_near(self.memory.store(), wearer, start, end)
    }

    /// Closes what a clip that starts at a moment leaves behind.
    pub fn advance(&mut self, wearer: &str, start: Moment, writer: &mut dyn Summarise) -> Result<()> {
        while let Some(open) = self.ledger.open(self.memory.store(), wearer)? {
            if window(open.from, open.at).holds(start) {
                break;
            }
            self.close(wearer, open, writer)?;
        }
        Ok(())
    }

    /// Remembers a clip. That it is not there yet, the caller knows.
    pub fn add(&mut self, clip: &Clip, captioned: Captioned, writer: &mut dyn Summarise) -> Result<()> {
        self.advance(&clip.wearer, clip.start, writer)?;
        let cost = captioned.cost;
        let record = record(clip, captioned);
        let bytes = record.words().len() as u64;
        let Builder { memory, ledger, brings_back, .. } = self;
        let store = memory.store();
        let stretch = (clip.start, clip.after());
        // A second caption of a stretch is no more time.
        let known_ms =
            ledger.covered_near(store, &clip.wearer, clip.start, clip.end)?.covered_ms(clip.start, clip.end);
        ledger.cover(store, &clip.wearer, stretch, true)?;
        if *brings_back {
            ledger.bring_back(store, &clip.wearer, stretch)?;
        }
        ledger.set_open(&clip.wearer, Some(Open { at: clip.start, from: Level::TenMinutes }))?;
        ledger.count(store, &clip.wearer, |totals| {
            totals.clips += 1;
            totals.video_ms += (clip.length_ms() - known_ms).max(0) as u64;
            totals.text_bytes += bytes;
            add(&mut totals.captions, cost);
        })?;
        ledger.no_failure(Some(Level::Clip), &clip.wearer, clip.start);
        self.pending.push(record);
        if self.is_grouped { Ok(()) } else { self.flush(None) }
    }

    /// Gives a clip that is remembered other words, and has the summaries above it written again. What was seen stays.
    pub fn reword(&mut self, clip: &Record, words: Option<String>, writer: &mut dyn Summarise) -> Result<()> {
        self.flush(None)?;
        self.advance(&clip.wearer, clip.start, writer)?;
        let record = Record { transcript: words, ..clip.clone() };
        let [before, after] = [clip, &record].map(|record| record.words().len() as u64);
        let Builder { memory, ledger, .. } = self;
        ledger.set_open(&clip.wearer, Some(Open { at: clip.start, from: Level::TenMinutes }))?;
        ledger.count(memory.store(), &clip.wearer, |totals| {
            totals.text_bytes = (totals.text_bytes + after).saturating_sub(before);
        })?;
        self.pending.push(record);
        self.flush(None)
    }

    /// Notes that a clip cannot be remembered; it is not tried again until [`Builder::retry`].
    pub fn fail(&mut self, clip: &Clip, reason: &str) -> Result<()> {
        let Builder { memory, ledger, .. } = self;
        ledger.cover(memory.store(), &clip.wearer, (clip.start, clip.after()), true)?;
        ledger.count(memory.store(), &clip.wearer, |totals| totals.failed += 1)?;
        ledger.failure(&Failure {
            wearer: clip.wearer.clone(),
            level: Some(Level::Clip),
            start: clip.start,
            end: clip.end,
            file: clip.file.clone(),
            reason: reason.to_owned(),
        })?;
        self.flush(None)
    }

    /// Notes that a recording cannot be opened, or with `None` that it can.
    pub fn recording(&mut self, wearer: &str, start: Moment, file: &str, fault: Option<&str>) -> Result<()> {
        match fault {
            None => self.ledger.no_failure(None, wearer, start),
            Some(reason) => self.ledger.failure(&Failure {
                wearer: wearer.to_owned(),
                level: None,
                start,
                end: start,
                file: Some(file.to_owned()),
                reason: reason.to_owned(),
            })?,
        }
        self.flush(None)
    }

    /// Gives up that failed clips are dealt with, so that they come again; gives how many.
    pub fn retry(&mut self) -> Result<usize> {
        let failures = Ledger::failures(self.memory.store())?;
        let clips: Vec<Failure> =
            failures.into_iter().filter(|failure| failure.level == Some(Level::Clip)).collect();
        for failure in &clips {
            let Builder { memory, ledger, .. } = self;
            ledger.cover(memory.store(), &failure.wearer, (failure.start, failure.end), false)?;
            ledger.count(memory.store(), &failure.wearer, |totals| {
                totals.failed = totals.failed.saturating_sub(1);
            })?;
            ledger.no_failure(failure.level, &failure.wearer, failure.start);
        }
        self.flush(None)?;
        Ok(clips.len())
    }

    /// Writes the clips that wait.
    pub fn write_pending(&mut self) -> Result<()> {
        self.flush(None)
    }

    /// Writes every summary that waits.
    pub fn settle(&mut self, writer: &mut dyn Summarise) -> Result<()> {
        for wearer in self.ledger.waiting(self.memory.store())? {
            while let Some(open) = self.ledger.open(self.memory.store(), &wearer)? {
                self.close(&wearer, open, writer)?;
            }
        }
        self.flush(None)
    }

    /// Writes again the summaries that wait because what they stood on was forgotten or failed to be
    /// summarised; gives how many.
    pub fn rewrite(&mut self, writer: &mut dyn Summarise) -> Result<usize> {
        let mut waiting: Vec<(Level, String, Moment)> = Vec::new();
        self.memory.store().walk(&mut |record| {
            if record.state == State::Open && record.level != Level::Clip {
                waiting.push((record.level, record.wearer, record.start));
            }
            Ok(())
        })?;
        // Fine ones first, since coarse ones are made from them.
        waiting.sort();
        let count = waiting.len();
        for (level, wearer, at) in waiting {
            self.write_summary(&wearer, level, at, writer)?;
        }
        Ok(count)
    }

    /// Writes the summary of the finest window that waits.
    fn close(&mut self, wearer: &str, open: Open, writer: &mut dyn Summarise) -> Result<()> {
        let next = open.from.coarser().map(|from| Open { from, ..open });
        let before = self.ledger.open(self.memory.store(), wearer)?;
        self.ledger.set_open(wearer, next)?;
        let written = self.write_summary(wearer, open.from, open.at, writer);
        if written.is_err() {
            self.ledger.set_open(wearer, before)?;
        }
        written
    }

    fn write_summary(
        &mut self,
        wearer: &str,
        level: Level,
        at: Moment,
        writer: &mut dyn Summarise,
    ) -> Result<()> {
        let Some(finer) = level.finer() else { return self.flush(None) };
        let mut parts = self.within(wearer, finer, level, at)?;
        if finer == Level::Clip {
            // What is about to be written counts, under the ids that the same write gives.
            let pending = self
                .pending
                .iter()
                .enumerate()
                .filter(|(_, clip)| clip.wearer == wearer && window(level, at).holds(clip.start));
            parts.extend(
                pending.map(|(index, clip)| Record { id: RecordId::of_change(index), ..clip.clone() }),
            );
            parts.sort_by_key(|clip| clip.start);
        }
        let old = self.within(wearer, level, level, at)?;
        if parts.is_empty() {
            return self.flush(Some((None, old)));
        }
        let mut state = State::Whole;
        let summary = match writer.summarise(level, &parts) {
            Ok(summary) => summary,
            Err(Fault::Stop(reason)) => return Err(Error::Stopped(reason)),
            Err(Fault::This(reason)) => {
                state = State::Open;
                self.ledger.failure(&failed(wearer, level, &parts, reason))?;
                Summary { text: extract(level, &parts), ..Summary::default() }
            }
        };
        if state == State::Whole {
            self.ledger.no_failure(Some(level), wearer, parts[0].start);
        }
        self.ledger.count(self.memory.store(), wearer, |totals: &mut Totals| {
            totals.summaries += 1;
            add(&mut totals.writing, summary.cost);
        })?;
        let record = Record { state, ..summary_of(wearer, level, &parts, summary.text) };
        self.flush(Some((Some(record), old)))
    }

    /// Stored records of a level that start in the window which a moment has at another level.
    fn within(&mut self, wearer: &str, level: Level, of: Level, at: Moment) -> Result<Vec<Record>> {
        let window = window(of, at);
        let scope = Scope {
            level: Some(level),
            wearer: Some(wearer.to_owned()),
            from: Some(window.start),
            to: Some(window.end),
            ended_by: None,
        };
        let mut found = self.memory.store().range(&scope, usize::MAX)?;
        found.retain(|record| window.holds(record.start));
        Ok(found)
    }

    /// One transaction: the clips that wait, a summary in place of those before it, and the notes.
    fn flush(&mut self, summary: Option<(Option<Record>, Vec<Record>)>) -> Result<()> {
        let mut changes: Vec<Change> =
            std::mem::take(&mut self.pending).into_iter().map(Change::put).collect();
        if let Some((record, old)) = summary {
            // Another record, not the same one changed: what was made from the old one is open until it is made again.
            changes.extend(old.iter().map(|old| Change::Delete(old.id)));
            changes.extend(record.map(Change::put));
        }
        changes.extend(self.ledger.changes()?);
        if !changes.is_empty() {
            self.memory.write(&changes)?;
        }
        Ok(())
    }
}

fn add(total: &mut super::Cost, more: super::Cost) {
    total.prompt_tokens += more.prompt_tokens;
    total.new_tokens += more.new_tokens;
    total.wall_ms += more.wall_ms;
}

fn record(clip: &Clip, captioned: Captioned) -> Record {
    let mut people = clip.people.clone();
    people.extend(captioned.people);
    let evidence = clip.file.iter().map(|file| Evidence {
        file: file.clone(),
        start_s: clip.start_s,
        end_s: clip.end_s,
        frames: captioned.frames.clone(),
    });
    Record {
        transcript: clip.words(),
        evidence: evidence.collect(),
        people: once(people),
        ..Record::new(Level::Clip, &clip.wearer, clip.start, clip.end, captioned.text)
    }
}

fn summary_of(wearer: &str, level: Level, parts: &[Record], text: String) -> Record {
    let (start, end) = extent(parts);
    Record {
        people: once(parts.iter().flat_map(|part| part.people.iter().cloned()).collect()),
        sources: parts.iter().map(|part| part.id).collect(),
        ..Record::new(level, wearer, start, end, text)
    }
}

fn failed(wearer: &str, level: Level, parts: &[Record], reason: String) -> Failure {
    let (start, end) = extent(parts);
    Failure { wearer: wearer.to_owned(), level: Some(level), start, end, file: None, reason }
}

/// From the first start to the last end.
fn extent(parts: &[Record]) -> (Moment, Moment) {
    let start = parts.iter().map(|part| part.start).min().unwrap_or_default();
    (start, parts.iter().map(|part| part.end).max().unwrap_or(start))
}

/// Each name once, in order.
fn once(mut names: Vec<String>) -> Vec<String> {
    let mut seen = std::collections::HashSet::new();
    names.retain(|name| seen.insert(name.clone()));
    names
}
