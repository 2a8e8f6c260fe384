//! How much a key may ask in a minute: requests, and tokens read and written. What is used comes back steadily. Tokens are
//! counted when they are known, so that an answer may use more than was left; the next request waits for it.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use crate::options::RateLimits;
use crate::queue::Key;
use crate::refusal::{Answered, Refusal};

/// A minute, in seconds.
const MINUTE_S: f64 = 60.0;

/// What keys have left.
#[derive(Debug)]
pub(crate) struct Rates {
    limits: RateLimits,
    left: Mutex<HashMap<Key, Left>>,
}

/// What one key has left of requests and of tokens; less than nothing where more was used.
#[derive(Clone, Copy, Debug)]
struct Left {
    amounts: [f64; 2],
    at: Instant,
}

impl Rates {
    pub(crate) fn new(limits: RateLimits) -> Rates {
        Rates { limits, left: Mutex::default() }
    }

    fn most(&self) -> [f64; 2] {
        [self.limits.requests as f64, self.limits.tokens as f64]
    }

    /// Works on what a key has left now.
    fn with<T>(&self, key: Key, now: Instant, work: impl FnOnce(&mut [f64; 2]) -> T) -> T {
        let most = self.most();
        let mut all = self.left.lock().unwrap_or_else(PoisonError::into_inner);
        let left = all.entry(key).or_insert(Left { amounts: most, at: now });
        let passed = now.saturating_duration_since(left.at).as_secs_f64() / MINUTE_S;
        for (amount, most) in left.amounts.iter_mut().zip(most) {
            *amount = (*amount + most * passed).min(most);
        }
        left.at = now;
        work(&mut left.amounts)
    }

    /// Counts a request, or says how long to wait.
    pub(crate) fn ask(&self, key: Key) -> Answered<()> {
        self.ask_at(key, Instant::now())
    }

    fn ask_at(&self, key: Key, now: Instant) -> Answered<()> {
        let [most_requests, most_tokens] = self.most();
        self.with(key, now, |[requests, tokens]| {
            let late = |what: &str, lacks: f64, most: f64| {
                let wait_s = (lacks / most * MINUTE_S).ceil().clamp(1.0, 3600.0) as u32;
                let refusal = Refusal::busy(&format!("this key has used its {what} of this minute"));
                Err(Refusal { retry_after_s: Some(wait_s), ..refusal })
            };
            if most_tokens > 0.0 && *tokens < 1.0 {
                return late("tokens", 1.0 - *tokens, most_tokens);
            }
            if most_requests > 0.0 && *requests < 1.0 {
                return late("requests", 1.0 - *requests, most_requests);
            }
            *requests -= 1.0;
            Ok(())
        })
    }

    /// Counts tokens that were read or written.
    pub(crate) fn charge(&self, key: Key, tokens: usize) {
        self.with(key, Instant::now(), |[_, left]| *left -= tokens as f64);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn what_is_used_comes_back_and_debts_are_waited_for() {
        let rates = Rates::new(RateLimits { requests: 2, tokens: 600 });
        let start = Instant::now();
        let later = |seconds: u64| start + Duration::from_secs(seconds);
        assert!(rates.ask_at(1, start).is_ok() && rates.ask_at(1, start).is_ok());
        let refused = rates.ask_at(1, start).unwrap_err();
        assert_eq!((refused.status.as_u16(), refused.retry_after_s), (429, Some(30)));
        assert!(rates.ask_at(2, start).is_ok(), "another key has its own");
        assert!(rates.ask_at(1, later(31)).is_ok() && rates.ask_at(1, later(31)).is_err());
        // 900 tokens of 600: the next request waits until the debt is gone, half a minute.
        rates.with(2, later(60), |left| left[1] -= 900.0);
        assert_eq!(rates.ask_at(2, later(60)).unwrap_err().retry_after_s, Some(31));
        assert!(rates.ask_at(2, later(91)).is_ok());
    }

    #[test]
    fn without_limits_everything_passes() {
        let rates = Rates::new(RateLimits::default());
        rates.charge(1, 1 << 40);
        assert!((0..1000).all(|_| rates.ask(1).is_ok()));
    }
}
