//! Transcripts that come later than the film, or were mended: the clips that are remembered get the words, and the summaries
//! above them are written again. What a model saw is kept. Which transcript a recording was read with is in the ledger,
//! so a run without news looks at no clip.

use super::{Builder, Ledger, Recording, Said, Summarise, ledger, lines_of, said_in};
use crate::{Level, Record, Result, Scope};

/// Gives the clips of a recording the words of its transcript as it is now, and tells how many had others. `watch` hears of
/// each and stops with `false`; what is left is done by the next run. Clips that a file of captions told, and what was
/// forgotten, stay as they are. The summaries of the last clip wait for [`Builder::settle`] or the next clip.
pub fn hear(
    builder: &mut Builder<'_>,
    recording: &Recording,
    said: &[Said],
    writer: &mut dyn Summarise,
    watch: &mut dyn FnMut(&Record) -> bool,
) -> Result<u64> {
    let transcript = Some(number(said));
    let store = builder.memory().store();
    let known = Ledger::recordings_of_day(store, &recording.wearer, recording.start.day())?;
    let is_same = |known: &&Recording| known.file == recording.file && known.start == recording.start;
    let known = known.iter().find(is_same).cloned().unwrap_or_else(|| recording.clone());
    if known.transcript == transcript {
        return Ok(0);
    }
    let scope = Scope {
        level: Some(Level::Clip),
        wearer: Some(recording.wearer.clone()),
        from: Some(recording.start),
        to: Some(recording.end),
        ended_by: None,
    };
    let mut changed = 0;
    for clip in store.range(&scope, usize::MAX)? {
        let was_seen =
            |evidence: &crate::Evidence| evidence.file == recording.file && !evidence.frames.is_empty();
        if !clip.evidence.iter().any(was_seen) {
            continue;
        }
        let [from_ms, to_ms] = [clip.start, clip.end].map(|moment| moment.ms() - recording.start.ms());
        let is_last = clip.end >= recording.end;
        let words = lines_of(&said_in(said, (from_ms, to_ms), from_ms <= 0, is_last));
        if words == clip.transcript {
            continue;
        }
        builder.reword(&clip, words, writer)?;
        changed += 1;
        if !watch(&clip) {
            return Ok(changed);
        }
    }
    Ledger::keep_recording(builder.memory().store(), &Recording { transcript, ..known })?;
    Ok(changed)
}

/// What is said by a number.
fn number(said: &[Said]) -> String {
    let lines = said.iter().map(|said| format!("{} {} {}\n", said.start_ms, said.end_ms, said.text));
    ledger::number(&lines.collect::<String>())
}
