//! Dr. GRPO (Liu et al. 2025, "Understanding R1-Zero-like training"): no division by the deviation, which favours
//! questions that are nearly always or nearly never answered, and no division by the length, which favours long wrong
//! answers: token terms are summed and divided by one constant, the most tokens an answer may have.

use super::{Averaging, Preference, grpo};

pub(super) fn preference() -> Preference {
    Preference { averaging: Averaging::Constant, divides: false, ..grpo::preference() }
}
