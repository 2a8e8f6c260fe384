//! CISPO (MiniMax 2025, M1, equation 4): the clipped ratio weighs the log-probability and takes no part in the gradient,
//! so that no token is ever left out; a mean over all tokens; advantages are GRPO's.

use super::{Averaging, Clip, Preference, Ratio, grpo};

pub(super) fn preference() -> Preference {
    let clip = Clip { low: 0.0, high: 0.28, dual: 0.0 };
    Preference { ratio: Ratio::Weight, clip, averaging: Averaging::Token, ..grpo::preference() }
}
