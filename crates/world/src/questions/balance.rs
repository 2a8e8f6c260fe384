//! What keeps a question from being answered without its picture: how much each kind of thing tends to be nearer,
//! larger, higher or earlier than others, and the odds of accepting a question whose answer that would betray.
//!
//! The strengths are of a Bradley-Terry model (Bradley, Terry 1952) fitted to pairs from train worlds by the test
//! `strengths_of_kinds`; in units of a tenth.

use crate::rng::Rng;
use crate::things::{FixtureKind, Kind, ObjectKind, Thing};

/// Kinds that are compared: objects, fixtures, people.
pub(crate) const KINDS: usize = ObjectKind::ALL.len() + FixtureKind::ALL.len() + 1;

/// A quantity that depends on kind.
pub(crate) type Strengths = [i8; KINDS];

/// Row of a kind in the tables.
pub(crate) fn row(thing: &Thing) -> usize {
    match thing.kind {
        Kind::Object(kind) => kind as usize,
        Kind::Fixture(kind) => ObjectKind::ALL.len() + kind as usize,
        _ => KINDS - 1,
    }
}

/// Whether to ask a question whose answer is that `first` is more than `second`: answers that the kinds make
/// likely are turned down as often as it takes to make both equally frequent.
pub(crate) fn fair(rng: &mut Rng, strengths: &Strengths, first: &Thing, second: &Thing) -> bool {
    #[cfg(test)]
    RECORD.with_borrow_mut(|record| record.push((strengths as *const Strengths, row(first), row(second))));
    let odds = (f32::from(strengths[row(first)]) - f32::from(strengths[row(second)])) / 10.0;
    odds <= 0.0 || rng.chance((-odds).exp())
}

/// Picks an answer to look for, so that answers come out equally often: weights are inverse to how often each is
/// found.
pub(crate) fn wish<T: Copy>(rng: &mut Rng, weighted: &[(T, f32)]) -> T {
    let mut left = rng.range(0.0, weighted.iter().map(|(_, weight)| weight).sum());
    for (answer, weight) in weighted {
        left -= weight;
        if left < 0.0 {
            return *answer;
        }
    }
    weighted[weighted.len() - 1].0
}

#[cfg(test)]
thread_local! {
    /// Every comparison that was up for acceptance: table, rows of the one that is more and of the other.
    pub(crate) static RECORD: std::cell::RefCell<Vec<(*const Strengths, usize, usize)>> = Default::default();
}

#[path = "strengths.rs"]
mod strengths;
pub(crate) use strengths::{CLOSER, GONE, HIGHER, LARGER, NEARER, SOONER};
