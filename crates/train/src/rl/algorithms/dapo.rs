//! DAPO (Yu et al. 2025): a higher upper bound of the ratio, so that rare tokens can rise; a mean over all tokens of the
//! step, so that long answers count for what they are; groups without variance are replaced (`refill` in a recipe); and
//! a price on answers that come near the limit.

use super::{Averaging, Clip, Preference, grpo};

pub(super) fn preference() -> Preference {
    let clip = Clip { low: 0.2, high: 0.28, dual: 0.0 };
    Preference { clip, averaging: Averaging::Token, ..grpo::preference() }
}

/// Price of an answer's length (equation 13): nothing up to `limit - cache` tokens, then linearly to -1 at `limit`.
pub fn overlong(tokens: usize, limit: usize, cache: usize) -> f64 {
    let free = limit.saturating_sub(cache);
    match tokens {
        tokens if tokens <= free => 0.0,
        tokens if tokens <= limit => (free as f64 - tokens as f64) / cache as f64,
        _ => -1.0,
    }
}
