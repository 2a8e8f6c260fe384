//! What a build must know from one step to the next, kept as notes in the store, in the transaction of the step: which
//! stretches are dealt with, which summaries wait, what it has cost, what failed, which recordings there were, and what
//! made the texts. Everything is per wearer or per day, so that none of it grows with the memory.

use std::collections::{BTreeMap, BTreeSet};

use firsthand_base::{Manifest, Moment};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::{Cost, Spans};
use crate::{Change, Error, Level, Record, Result, Store};

const COVERED: &str = "build/covered/";
const FORGOTTEN: &str = "build/forgotten/";
const OPEN: &str = "build/open/";
const TOTALS: &str = "build/totals/";
const FAILURE: &str = "build/failure/";
const RECORDING: &str = "build/recording/";
const MAKER: &str = "build/maker/";

/// The windows of `at` that wait for a summary: those of level `from` and coarser.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Open {
    pub at: Moment,
    pub from: Level,
}

/// What a wearer's records have cost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Totals {
    /// Clips remembered.
    pub clips: u64,
    /// Clips that failed.
    pub failed: u64,
    /// Summaries written, each time anew.
    pub summaries: u64,
    /// Milliseconds of the remembered clips.
    pub video_ms: u64,
    /// Bytes of captions and transcripts.
    pub text_bytes: u64,
    /// What the captions took.
    pub captions: Cost,
    /// What the summaries took.
    pub writing: Cost,
}

/// Something that could not be remembered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Failure {
    /// Whose.
    pub wearer: String,
    /// A clip, a summary of a level, or `None` for a whole recording.
    pub level: Option<Level>,
    /// When it starts.
    pub start: Moment,
    /// When it ends; the start where nobody knows.
    pub end: Moment,
    /// The file, for clips and recordings.
    #[serde(default)]
    pub file: Option<String>,
    /// Why.
    pub reason: String,
}

/// A recording that clips came from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Recording {
    /// Whose.
    pub wearer: String,
    /// The file.
    pub file: String,
    /// When it starts.
    pub start: Moment,
    /// When it ends.
    pub end: Moment,
    /// What was odd about it, a line each.
    #[serde(default)]
    pub notes: Vec<String>,
    /// A number of the transcript that its clips were remembered with; `None` where there was none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub transcript: Option<String>,
}

/// What made texts of this memory.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Maker {
    /// Who wrote the summaries.
    pub summaries: String,
    /// What made the captions.
    pub captions: Manifest,
}

/// The notes of a build, read as they are needed and written with each step.
#[derive(Default)]
pub struct Ledger {
    covered: BTreeMap<(String, u32), Spans>,
    open: BTreeMap<String, Option<Open>>,
    totals: BTreeMap<String, Totals>,
    changed: BTreeMap<String, Option<String>>,
    changed_days: BTreeSet<(String, u32)>,
}

impl Ledger {
    /// Stretches of a day of a wearer that are dealt with; a clip counts to the day it starts on.
    pub(super) fn covered(&mut self, store: &mut dyn Store, wearer: &str, day: u32) -> Result<&mut Spans> {
        let key = (wearer.to_owned(), day);
        if !self.covered.contains_key(&key) {
            // A build goes through the days in order: few are needed at a time.
            if self.covered.len() > 16 && self.changed_days.is_empty() {
                self.covered.clear();
            }
            let spans = read(store, &covered_key(wearer, day))?.unwrap_or_default();
            self.covered.insert(key.clone(), spans);
        }
        Ok(self.covered.entry(key).or_default())
    }

    /// Marks a stretch as dealt with, or as not.
    pub(super) fn cover(
        &mut self,
        store: &mut dyn Store,
        wearer: &str,
        (start, end): (Moment, Moment),
        is_done: bool,
    ) -> Result<()> {
        let spans = self.covered(store, wearer, start.day())?;
        if is_done {
            spans.add(start, end)
        } else {
            spans.remove(start, end)
        }
        self.changed_days.insert((wearer.to_owned(), start.day()));
        Ok(())
    }

    /// All stretches that may lie in this one.
    pub(super) fn covered_near(
        &mut self,
        store: &mut dyn Store,
        wearer: &str,
        start: Moment,
        end: Moment,
    ) -> Result<Spans> {
        near(start, end, |day| self.covered(store, wearer, day).cloned())
    }

    /// Stretches around this one whose clips were forgotten.
    pub(super) fn forgotten_near(
        store: &mut dyn Store,
        wearer: &str,
        start: Moment,
        end: Moment,
    ) -> Result<Spans> {
        near(start, end, |day| Ok(read(store, &forgotten_key(wearer, day))?.unwrap_or_default()))
    }

    /// Marks a stretch as forgotten no longer.
    pub(super) fn bring_back(
        &mut self,
        store: &mut dyn Store,
        wearer: &str,
        (start, end): (Moment, Moment),
    ) -> Result<()> {
        for day in start.day().saturating_sub(1).max(1)..=end.day() {
            let key = forgotten_key(wearer, day);
            let Some(mut spans) = read::<Spans>(store, &key)? else { continue };
            spans.remove(start, end);
            let text = (!spans.is_empty()).then(|| write(&spans)).transpose()?;
            self.changed.insert(key, text);
        }
        Ok(())
    }

    /// Which summaries wait.
    pub(super) fn open(&mut self, store: &mut dyn Store, wearer: &str) -> Result<Option<Open>> {
        if !self.open.contains_key(wearer) {
            let open = read(store, &format!("{OPEN}{wearer}"))?;
            self.open.insert(wearer.to_owned(), open);
        }
        Ok(self.open.get(wearer).copied().flatten())
    }

    pub(super) fn set_open(&mut self, wearer: &str, open: Option<Open>) -> Result<()> {
        self.open.insert(wearer.to_owned(), open);
        let text = open.as_ref().map(write).transpose()?;
        self.changed.insert(format!("{OPEN}{wearer}"), text);
        Ok(())
    }

    /// Wearers with summaries that wait.
    pub(super) fn waiting(&mut self, store: &mut dyn Store) -> Result<Vec<String>> {
        let mut wearers: BTreeSet<String> = store
            .notes(OPEN)?
            .into_iter()
            .filter_map(|(key, _)| key.strip_prefix(OPEN).map(str::to_owned))
            .collect();
        // What was changed since and is not written yet.
        for (wearer, open) in &self.open {
            if open.is_some() {
                wearers.insert(wearer.clone())
            } else {
                wearers.remove(wearer)
            };
        }
        Ok(wearers.into_iter().collect())
    }

    /// Changes what a wearer's records have cost.
    pub(super) fn count(
        &mut self,
        store: &mut dyn Store,
        wearer: &str,
        change: impl FnOnce(&mut Totals),
    ) -> Result<()> {
        let key = format!("{TOTALS}{wearer}");
        if !self.totals.contains_key(wearer) {
            let totals = read(store, &key)?.unwrap_or_default();
            self.totals.insert(wearer.to_owned(), totals);
        }
        let totals = self.totals.entry(wearer.to_owned()).or_default();
        change(totals);
        let text = write(totals)?;
        self.changed.insert(key, Some(text));
        Ok(())
    }

    pub(super) fn failure(&mut self, failure: &Failure) -> Result<()> {
        let text = write(failure)?;
        self.changed.insert(failure_key(failure.level, &failure.wearer, failure.start), Some(text));
        Ok(())
    }

    pub(super) fn no_failure(&mut self, level: Option<Level>, wearer: &str, start: Moment) {
        self.changed.insert(failure_key(level, wearer, start), None);
    }

    /// The notes that changed since the last step.
    pub(super) fn changes(&mut self) -> Result<Vec<Change>> {
        let mut changes = Vec::new();
        for (wearer, day) in std::mem::take(&mut self.changed_days) {
            let key = covered_key(&wearer, day);
            let spans = self.covered.get(&(wearer, day));
            let text = spans.filter(|spans| !spans.is_empty()).map(write).transpose()?;
            changes.push(Change::Note { key, text });
        }
        let changed = std::mem::take(&mut self.changed);
        changes.extend(changed.into_iter().map(|(key, text)| Change::Note { key, text }));
        Ok(changes)
    }
}

/// Reading what builds have left; these are for people and take all there is.
impl Ledger {
    /// What each wearer's records have cost.
    pub fn totals(store: &mut dyn Store) -> Result<BTreeMap<String, Totals>> {
        let notes = store.notes(TOTALS)?;
        notes
            .into_iter()
            .map(|(key, text)| Ok((key[TOTALS.len()..].to_owned(), parse(&key, &text)?)))
            .collect()
    }

    /// What failed, by wearer and time.
    pub fn failures(store: &mut dyn Store) -> Result<Vec<Failure>> {
        store.notes(FAILURE)?.into_iter().map(|(key, text)| parse(&key, &text)).collect()
    }

    /// The recordings, by wearer and time.
    pub fn recordings(store: &mut dyn Store) -> Result<Vec<Recording>> {
        store.notes(RECORDING)?.into_iter().map(|(key, text)| parse(&key, &text)).collect()
    }

    /// The recordings of a wearer that start on a day.
    pub fn recordings_of_day(store: &mut dyn Store, wearer: &str, day: u32) -> Result<Vec<Recording>> {
        let prefix = format!("{RECORDING}{wearer}/{day:07}");
        store.notes(&prefix)?.into_iter().map(|(key, text)| parse(&key, &text)).collect()
    }

    /// What failed of a wearer.
    pub(super) fn failures_of(store: &mut dyn Store, wearer: &str) -> Result<Vec<Failure>> {
        let notes = store.notes(&format!("{FAILURE}{wearer}/"))?;
        notes.into_iter().map(|(key, text)| parse(&key, &text)).collect()
    }

    /// Keeps a recording.
    pub fn keep_recording(store: &mut dyn Store, recording: &Recording) -> Result<()> {
        let Recording { wearer, start, file, .. } = recording;
        let key = format!("{RECORDING}{wearer}/{:07}/{:08}/{file}", start.day(), start.ms_of_day());
        store.write(&[Change::Note { key, text: Some(write(recording)?) }])?;
        Ok(())
    }

    /// What made the texts.
    pub fn makers(store: &mut dyn Store) -> Result<Vec<Maker>> {
        store.notes(MAKER)?.into_iter().map(|(key, text)| parse(&key, &text)).collect()
    }

    /// Keeps what makes the texts from now on, under a name of its own.
    pub fn keep_maker(store: &mut dyn Store, name: &str, maker: &Maker) -> Result<()> {
        store.write(&[Change::Note { key: format!("{MAKER}{name}"), text: Some(write(maker)?) }])?;
        Ok(())
    }
}

/// Before records are removed: notes the time of clips, under a number in place of the name, so that no caption of it comes
/// back by itself where another one of the same time stays.
pub(crate) fn note_forgotten(store: &mut dyn Store, removed: &[Record]) -> Result<()> {
    let mut notes: BTreeMap<String, Spans> = BTreeMap::new();
    for clip in removed.iter().filter(|record| record.level == Level::Clip) {
        let key = forgotten_key(&clip.wearer, clip.start.day());
        if !notes.contains_key(&key) {
            let spans = read(store, &key)?.unwrap_or_default();
            notes.insert(key.clone(), spans);
        }
        notes.entry(key).or_default().add(clip.start, clip.end.max(clip.start.plus_ms(1)));
    }
    let note = |(key, spans): (String, Spans)| Ok(Change::Note { key, text: Some(write(&spans)?) });
    let changes: Vec<Change> = notes.into_iter().map(note).collect::<Result<_>>()?;
    if changes.is_empty() {
        return Ok(());
    }
    store.write(&changes).map(|_| ())
}

/// The notes of what has been remembered without clips that are taken out for others. Their time stays counted.
pub(crate) fn uncounted<'a>(
    store: &mut dyn Store,
    clips: impl Iterator<Item = &'a Record>,
) -> Result<Vec<Change>> {
    let mut ledger = Ledger::default();
    for clip in clips {
        ledger.count(store, &clip.wearer, |totals| {
            totals.clips = totals.clips.saturating_sub(1);
            totals.text_bytes = totals.text_bytes.saturating_sub(clip.words().len() as u64);
        })?;
    }
    ledger.changes()
}

/// After records were removed: takes out of the notes what would still tell of them. That their time is dealt with stays,
/// under a number in place of the name, so that what is forgotten does not come back.
pub(crate) fn forget_notes(store: &mut dyn Store, removed: &[Record]) -> Result<()> {
    let files: BTreeSet<&str> =
        removed.iter().flat_map(|record| &record.evidence).map(|evidence| evidence.file.as_str()).collect();
    let overlaps = |wearer: &str, start: Moment, end: Moment| {
        removed.iter().any(|record| record.wearer == wearer && record.start <= end && start <= record.end)
    };
    let mut gone: Vec<String> = Vec::new();
    for (key, text) in store.notes(RECORDING)? {
        let recording: Recording = parse(&key, &text)?;
        if files.contains(recording.file.as_str()) {
            gone.push(key);
        }
    }
    for (key, text) in store.notes(FAILURE)? {
        let Failure { wearer, start, end, file, .. } = parse(&key, &text)?;
        if file.is_some_and(|file| files.contains(file.as_str())) || overlaps(&wearer, start, end) {
            gone.push(key);
        }
    }
    let left = store.counts()?.wearers;
    for wearer in removed.iter().map(|record| &record.wearer).collect::<BTreeSet<_>>() {
        if !left.contains_key(wearer) {
            gone.extend([OPEN, TOTALS].map(|kind| format!("{kind}{wearer}")));
            for kind in [RECORDING, FAILURE] {
                let notes = store.notes(&format!("{kind}{wearer}/"))?;
                gone.extend(notes.into_iter().map(|(key, _)| key));
            }
        }
    }
    let changes: Vec<Change> = gone.into_iter().map(|key| Change::Note { key, text: None }).collect();
    if changes.is_empty() {
        return Ok(());
    }
    store.write(&changes).map(|_| ())
}

/// All that `of` has for the days around a stretch: a clip may begin on the day before.
fn near(start: Moment, end: Moment, mut of: impl FnMut(u32) -> Result<Spans>) -> Result<Spans> {
    let mut near = Spans::new();
    for day in start.day().saturating_sub(1).max(1)..=end.day() {
        of(day)?.iter().for_each(|(from, to)| near.add(from, to));
    }
    Ok(near)
}

/// Takes out failures whose reason or file says something.
pub(crate) fn forget_failures(store: &mut dyn Store, says: impl Fn(&str) -> bool) -> Result<()> {
    let mut changes = Vec::new();
    for (key, text) in store.notes(FAILURE)? {
        let failure: Failure = parse(&key, &text)?;
        if says(&failure.reason) || failure.file.as_deref().is_some_and(&says) {
            changes.push(Change::Note { key, text: None });
        }
    }
    if changes.is_empty() {
        return Ok(());
    }
    store.write(&changes).map(|_| ())
}

/// A text by a number (FNV-1a), which tells nothing of it.
pub(super) fn number(text: &str) -> String {
    let hash = text
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3));
    format!("{hash:016x}")
}

/// The wearer's name by a number: these notes outlive the wearer.
fn covered_key(wearer: &str, day: u32) -> String {
    format!("{COVERED}{}/{day:07}", number(wearer))
}

fn forgotten_key(wearer: &str, day: u32) -> String {
    format!("{FORGOTTEN}{}/{day:07}", number(wearer))
}

fn failure_key(level: Option<Level>, wearer: &str, start: Moment) -> String {
    let level = level.map_or("recording", Level::name);
    format!("{FAILURE}{wearer}/{:015}/{level}", start.ms())
}

fn write(value: &impl Serialize) -> Result<String> {
    serde_json::to_string(value).map_err(|error| Error::Io(error.into()))
}

fn read<T: DeserializeOwned>(store: &mut dyn Store, key: &str) -> Result<Option<T>> {
    store.note(key)?.map(|text| parse(key, &text)).transpose()
}

fn parse<T: DeserializeOwned>(key: &str, text: &str) -> Result<T> {
    serde_json::from_str(text).map_err(|error| Error::File {
        location: format!("the note {key}"),
        reason: format!("{error}; it was written by another version, or damaged"),
    })
}
