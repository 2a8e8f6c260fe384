//! Which vision features the runner keeps: those that running sequences still need, and as many idle ones as a
//! bound of feature rows allows, least recently needed first out. It moves no features; it only says which to forget.

use std::collections::{BTreeMap, HashMap};

use firsthand_base::Digest;

#[derive(Default)]
struct Entry {
    /// Running sequences that have placeholder tokens of this item ahead of them.
    wanted: usize,
    /// Feature rows the runner keeps; `None` when it has not encoded the item.
    rows: Option<usize>,
    /// Key in `idle` while encoded and unwanted.
    idle_since: u64,
}

/// The table of wanted and kept features.
pub(crate) struct Features {
    entries: HashMap<Digest, Entry>,
    idle: BTreeMap<u64, Digest>,
    clock: u64,
    rows: usize,
    most_rows: usize,
}

impl Features {
    /// Keeps idle features only while no more than `most_rows` rows are kept in all.
    pub(crate) fn new(most_rows: usize) -> Self {
        Features { entries: HashMap::new(), idle: BTreeMap::new(), clock: 0, rows: 0, most_rows }
    }

    /// Feature rows the runner keeps.
    pub(crate) fn rows(&self) -> usize {
        self.rows
    }

    /// Whether the runner keeps this item.
    pub(crate) fn is_encoded(&self, key: &Digest) -> bool {
        self.entries.get(key).is_some_and(|entry| entry.rows.is_some())
    }

    /// A running sequence will need this item. Balance with [`Features::unwant`].
    pub(crate) fn want(&mut self, key: Digest) {
        let entry = self.entries.entry(key).or_default();
        if entry.wanted == 0 && entry.rows.is_some() {
            self.idle.remove(&entry.idle_since);
        }
        entry.wanted += 1;
    }

    /// The runner has encoded a wanted item into this many rows. Answers what it is to forget for that.
    pub(crate) fn encoded(&mut self, key: &Digest, rows: usize) -> Vec<Digest> {
        let entry = self.entries.get_mut(key).expect("only wanted items are encoded");
        assert!(entry.wanted > 0 && entry.rows.is_none(), "an item is encoded once");
        entry.rows = Some(rows);
        self.rows += rows;
        self.trim()
    }

    /// A sequence no longer needs this item. Answers what the runner is to forget now.
    pub(crate) fn unwant(&mut self, key: &Digest) -> Vec<Digest> {
        let entry = self.entries.get_mut(key).expect("a wanted item has an entry");
        entry.wanted -= 1;
        if entry.wanted > 0 {
            return Vec::new();
        }
        if entry.rows.is_none() {
            self.entries.remove(key);
            return Vec::new();
        }
        self.clock += 1;
        entry.idle_since = self.clock;
        self.idle.insert(self.clock, *key);
        self.trim()
    }

    fn trim(&mut self) -> Vec<Digest> {
        let mut forgotten = Vec::new();
        while self.rows > self.most_rows {
            let Some((_, key)) = self.idle.pop_first() else { break };
            let entry = self.entries.remove(&key).expect("idle items have an entry");
            self.rows -= entry.rows.expect("idle items are encoded");
            forgotten.push(key);
        }
        forgotten
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn key(i: u8) -> Digest {
        Digest([i; 32])
    }

    proptest! {
        /// Against a list ordered by last use: the same items are kept, wanted ones always, and the rows add up.
        #[test]
        fn wanted_items_stay_and_idle_ones_leave_oldest_first(
            most in 0..20usize,
            steps in proptest::collection::vec((0..6u8, any::<bool>()), 0..80),
        ) {
            let rows = |i: u8| usize::from(i) + 1;
            let mut features = Features::new(most);
            let mut wanted = [0usize; 6];
            let mut kept: Vec<u8> = Vec::new(); // encoded items, least recently unwanted first
            for (i, up) in steps {
                let mut forgotten = Vec::new();
                if up {
                    features.want(key(i));
                    wanted[usize::from(i)] += 1;
                    if !features.is_encoded(&key(i)) {
                        prop_assert!(!kept.contains(&i));
                        forgotten = features.encoded(&key(i), rows(i));
                        kept.push(i);
                    }
                } else if wanted[usize::from(i)] > 0 {
                    wanted[usize::from(i)] -= 1;
                    if wanted[usize::from(i)] == 0 {
                        kept.retain(|&k| k != i);
                        kept.push(i);
                    }
                    forgotten = features.unwant(&key(i));
                }
                let mut expected = Vec::new();
                while kept.iter().map(|&k| rows(k)).sum::<usize>() > most {
                    let Some(at) = kept.iter().position(|&k| wanted[usize::from(k)] == 0) else { break };
                    expected.push(key(kept.remove(at)));
                }
                prop_assert_eq!(forgotten, expected);
                prop_assert_eq!(features.rows(), kept.iter().map(|&k| rows(k)).sum::<usize>());
                for k in 0..6 {
                    prop_assert_eq!(features.is_encoded(&key(k)), kept.contains(&k));
                    prop_assert!(wanted[usize::from(k)] == 0 || kept.contains(&k));
                }
            }
        }
    }
}
