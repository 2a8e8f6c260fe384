//! GSPO (Zheng et al. 2025): the ratio of a whole answer, the geometric mean of its tokens', is clipped instead of each
//! token's, within bounds a thousand times narrower; advantages are GRPO's.

use super::{Clip, Preference, Ratio, grpo};

pub(super) fn preference() -> Preference {
    let clip = Clip { low: 3e-4, high: 4e-4, dual: 0.0 };
    Preference { ratio: Ratio::Sequence, clip, ..grpo::preference() }
}
