//! Random numbers that depend only on a key and a counter: the same seed gives the same home on every machine, and
//! a branch taken for one purpose never shifts the numbers of another. Not for secrets.

/// Weyl step of splitmix64 (Steele, Lea, Flood 2014).
const STEP: u64 = 0x9e37_79b9_7f4a_7c15;

/// The finaliser of splitmix64.
pub(crate) fn mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// A stream of numbers: number `i` is a function of the key and `i`.
#[derive(Clone, Debug)]
pub struct Rng {
    key: u64,
    counter: u64,
}

impl Rng {
    /// The stream of a seed.
    pub fn new(seed: u64) -> Rng {
        Rng { key: mix(seed ^ 0x5eed_f1e5_7a4d_0001), counter: 0 }
    }

    /// An independent stream for one purpose; taking it does not advance this one.
    pub fn branch(&self, purpose: &str) -> Rng {
        let key = purpose.bytes().fold(self.key, |key, byte| mix(key ^ u64::from(byte)).wrapping_add(STEP));
        Rng { key: mix(key), counter: 0 }
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.counter += 1;
        mix(mix(self.key.wrapping_add(self.counter.wrapping_mul(STEP))) ^ self.key)
    }

    /// Uniform in `0..n`; `n` must not be zero.
    pub fn below(&mut self, n: usize) -> usize {
        assert!(n > 0, "a choice among nothing");
        ((u128::from(self.next()) * n as u128) >> 64) as usize
    }

    /// Uniform in `[low, high)`.
    pub fn range(&mut self, low: f32, high: f32) -> f32 {
        let unit = (self.next() >> 40) as f32 / (1u64 << 24) as f32;
        low + (high - low) * unit
    }

    /// Uniform in `[low, high)`, for clock times.
    pub fn span(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * f64::from(self.range(0.0, 1.0))
    }

    /// True as often as a probability says.
    pub fn chance(&mut self, probability: f32) -> bool {
        self.range(0.0, 1.0) < probability
    }

    /// One of some; there must be at least one.
    pub fn pick<'a, T>(&mut self, items: &'a [T]) -> &'a T {
        &items[self.below(items.len())]
    }

    pub(crate) fn shuffle<T>(&mut self, items: &mut [T]) {
        for i in (1..items.len()).rev() {
            items.swap(i, self.below(i + 1));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn branches_are_independent_of_each_other_and_of_progress() {
        let mut a = Rng::new(7);
        let first = a.branch("plan").next();
        a.next();
        assert_eq!(a.branch("plan").next(), first);
        assert_ne!(a.branch("people").next(), first);
        assert_ne!(Rng::new(8).branch("plan").next(), first);
    }

    #[test]
    fn small_choices_are_uniform() {
        let mut rng = Rng::new(1);
        let mut counts = [0usize; 5];
        for _ in 0..50_000 {
            counts[rng.below(5)] += 1;
        }
        assert!(counts.iter().all(|count| (9_600..10_400).contains(count)), "{counts:?}");
    }
}
