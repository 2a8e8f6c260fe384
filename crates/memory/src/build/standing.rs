//! What there is of a caption that somebody has already. A stretch may have many: narrations of two passes, speech beside
//! doing, one stretch inside another. So "there" means the same caption of the same stretch. Time that was forgotten takes
//! no caption by itself.

use super::run::SLACK_MS;
use super::{Builder, Clip, Ledger};
use crate::{Level, Memory, Record, Result, Scope};

/// What there is of a clip that comes with its caption.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// Nothing.
    New,
    /// The same caption.
    Known,
    /// Its time was forgotten.
    Forgotten,
}

impl Builder<'_> {
    pub(super) fn standing(&mut self, clip: &Clip) -> Result<Standing> {
        let stretch = (clip.start, clip.after());
        let covered = self.covered(&clip.wearer, stretch.0, stretch.1)?;
        if covered.covered_ms(stretch.0, stretch.1) == 0 {
            return Ok(Standing::New);
        }
        let mut records = self.memory.store().range(&scope(clip), usize::MAX)?;
        records.extend(self.pending.iter().filter(|record| record.wearer == clip.wearer).cloned());
        if records.iter().any(|record| is_of(record, clip)) {
            return Ok(Standing::Known);
        }
        if self.brings_back {
            return Ok(Standing::New);
        }
        let store = self.memory.store();
        let mut gone = covered;
        for record in &records {
            gone.remove(record.start, record.end.max(record.start.plus_ms(1)));
        }
        if !gone.is_empty() {
            for failure in Ledger::failures_of(store, &clip.wearer)? {
                gone.remove(failure.start, failure.end.max(failure.start.plus_ms(1)));
            }
        }
        // Time of which another caption is still there is forgotten all the same.
        Ledger::forgotten_near(store, &clip.wearer, stretch.0, stretch.1)?
            .iter()
            .for_each(|(from, to)| gone.add(from, to));
        let is_forgotten = gone.covered_ms(stretch.0, stretch.1) > SLACK_MS.min(clip.length_ms() / 2);
        Ok(if is_forgotten { Standing::Forgotten } else { Standing::New })
    }
}

/// Clips of the wearer that overlap a clip.
fn scope(clip: &Clip) -> Scope {
    Scope {
        level: Some(Level::Clip),
        wearer: Some(clip.wearer.clone()),
        from: Some(clip.start),
        to: Some(clip.after()),
        ended_by: None,
    }
}

/// Whether two clips are the same caption of the same stretch.
pub(super) fn says(one: &Clip, other: &Clip) -> bool {
    one.wearer == other.wearer
        && (one.start, one.end) == (other.start, other.end)
        && one.text == other.text
        && one.words() == other.words()
}

/// Whether a record is what a clip with its caption becomes.
fn is_of(record: &Record, clip: &Clip) -> bool {
    record.wearer == clip.wearer
        && (record.start, record.end) == (clip.start, clip.end)
        && Some(record.text.as_str()) == clip.text.as_deref()
        && record.transcript == clip.words()
}

/// Records of the very stretches that clips with captions have, which none of these clips says: what
/// [`Memory::replace_clips`] is to take out.
pub fn outdated(memory: &mut Memory, clips: &[Clip]) -> Result<Vec<Record>> {
    let key = |clip: &Clip| (clip.wearer.clone(), clip.start, clip.end);
    let mut by_stretch: std::collections::BTreeMap<_, Vec<&Clip>> = std::collections::BTreeMap::new();
    for clip in clips.iter().filter(|clip| clip.text.is_some()) {
        by_stretch.entry(key(clip)).or_default().push(clip);
    }
    let mut found = Vec::new();
    for ((_, start, end), clips) in by_stretch {
        let records = memory.store().range(&scope(clips[0]), usize::MAX)?;
        let is_outdated = |record: &Record| {
            (record.start, record.end) == (start, end)
                && !clips.iter().any(|clip| is_of(record, clip) && record.people == clip.people)
        };
        found.extend(records.into_iter().filter(is_outdated));
    }
    Ok(found)
}
