//! What a run writes about itself: one JSON line a step, and the same numbers as TensorBoard events. Both files
//! are cut back to a checkpoint's length when a run continues from it. Drawing them is the program's.

mod tensorboard;

use std::collections::BTreeMap;
use std::io::{BufWriter, Seek, SeekFrom, Write};
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::error::Result;
use crate::recipe::Rates;

/// Name of the JSON lines.
pub const LINES: &str = "metrics.jsonl";
/// Name of the events. TensorBoard finds files by `tfevents` in the name.
pub const EVENTS: &str = "events.out.tfevents.0.firsthand";

/// One step.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// Steps over all phases, this one included.
    pub step: u64,
    /// Name of the phase.
    pub phase: String,
    /// Steps of the phase, this one included.
    pub phase_step: u64,
    /// Mean cross-entropy over the scored tokens of the step; null where it was not finite.
    pub loss: Option<f64>,
    /// Learning rates of the parts.
    pub learning_rate: Rates,
    /// Length of the gradient before clipping; null where it was not finite.
    pub gradient_norm: Option<f64>,
    /// Tokens of the step, vision ones included.
    pub tokens: u64,
    /// Tokens that were scored.
    pub scored: u64,
    /// Tokens a second.
    pub tokens_per_second: f64,
    /// Steps skipped so far because of loss or gradients that were not finite.
    pub skipped: u64,
    /// Further numbers of the phase's kind, by name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub more: BTreeMap<String, f64>,
}

/// The files, open for appending.
pub struct Metrics {
    lines: BufWriter<fs_err::File>,
    events: Option<tensorboard::Events>,
}

impl Metrics {
    /// Opens the files of a run and cuts each to the length that `lengths` has for it; to nothing where it has none.
    pub fn open(output: &Path, lengths: &BTreeMap<String, u64>, with_events: bool) -> Result<Metrics> {
        let open = |name: &str| -> Result<BufWriter<fs_err::File>> {
            let path = output.join(name);
            let mut file = fs_err::OpenOptions::new().create(true).truncate(false).write(true).open(path)?;
            let keep = lengths.get(name).copied().unwrap_or(0).min(file.metadata()?.len());
            file.set_len(keep)?;
            file.seek(SeekFrom::Start(keep))?;
            Ok(BufWriter::new(file))
        };
        let events = if with_events { Some(tensorboard::Events::new(open(EVENTS)?)?) } else { None };
        Ok(Metrics { lines: open(LINES)?, events })
    }

    /// Writes one step. It can be read by others at once.
    pub fn write(&mut self, record: &Record) -> Result<()> {
        let line = serde_json::to_string(record).expect("a record is plain data");
        writeln!(self.lines, "{line}")?;
        self.lines.flush()?;
        if let Some(events) = &mut self.events {
            let phase = record.phase.replace(' ', "_");
            let Rates { vision, merger, language, .. } = record.learning_rate;
            let mut scalars = vec![
                ("train/tokens_per_second".to_owned(), record.tokens_per_second),
                ("train/skipped".to_owned(), record.skipped as f64),
                ("learning_rate/vision".to_owned(), vision),
                ("learning_rate/merger".to_owned(), merger),
                ("learning_rate/language".to_owned(), language),
            ];
            scalars.extend(record.loss.map(|loss| ("train/loss".to_owned(), loss)));
            scalars.extend(record.gradient_norm.map(|norm| ("train/gradient_norm".to_owned(), norm)));
            scalars.extend(record.more.iter().map(|(name, &value)| (format!("{phase}/{name}"), value)));
            events.write(record.step, &scalars)?;
        }
        Ok(())
    }

    /// Makes everything durable and tells the files' lengths.
    pub fn sync(&mut self) -> Result<BTreeMap<String, u64>> {
        let mut lengths = BTreeMap::new();
        let events = self.events.as_mut().map(|events| (EVENTS, events.writer()));
        for (name, writer) in std::iter::once((LINES, &mut self.lines)).chain(events) {
            writer.flush()?;
            let file = writer.get_mut();
            file.sync_all()?;
            lengths.insert(name.to_owned(), file.stream_position()?);
        }
        Ok(lengths)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(step: u64) -> Record {
        Record {
            step,
            phase: "first one".into(),
            phase_step: step,
            loss: (step != 3).then_some(1.0 / step as f64),
            learning_rate: Rates { vision: 0.0, merger: 1e-3, language: 2e-3, named: true },
            gradient_norm: Some(2.0),
            tokens: 100,
            scored: 10,
            tokens_per_second: 50.0,
            skipped: 0,
            more: BTreeMap::from([("hits".to_owned(), 0.5)]),
        }
    }

    #[test]
    fn a_continued_run_has_each_step_once() {
        let output = tempfile::tempdir().unwrap();
        let mut metrics = Metrics::open(output.path(), &BTreeMap::new(), true).unwrap();
        (1..=4).for_each(|step| metrics.write(&record(step)).unwrap());
        let lengths = metrics.sync().unwrap();
        // These two come after the checkpoint and are lost with the process.
        (5..=6).for_each(|step| metrics.write(&record(step)).unwrap());
        drop(metrics);
        let mut metrics = Metrics::open(output.path(), &lengths, true).unwrap();
        (5..=7).for_each(|step| metrics.write(&record(step)).unwrap());
        metrics.sync().unwrap();
        let text = fs_err::read_to_string(output.path().join(LINES)).unwrap();
        let lines: Vec<Record> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(lines, (1..=7).map(record).collect::<Vec<_>>());
        let events = tensorboard::read(&fs_err::read(output.path().join(EVENTS)).unwrap());
        let losses: Vec<(u64, f32)> = events
            .iter()
            .filter(|(_, tag, _)| tag == "train/loss")
            .map(|(step, _, value)| (*step, *value))
            .collect();
        let expected: Vec<(u64, f32)> = [1, 2, 4, 5, 6, 7].map(|step| (step, 1.0 / step as f32)).to_vec();
        assert_eq!(losses, expected);
        assert!(events.contains(&(7, "first_one/hits".to_owned(), 0.5)));
        // A fresh run in the same folder starts from nothing.
        Metrics::open(output.path(), &BTreeMap::new(), true).unwrap().sync().unwrap();
        assert_eq!(fs_err::read_to_string(output.path().join(LINES)).unwrap(), "");
    }
}
