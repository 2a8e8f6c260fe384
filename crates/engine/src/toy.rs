//! A deterministic runner for tests. It stores every token in the block and slot it is told to, and its logits are
//! a hash over what it reads back through the row's table, so that a wrong table, a missing feature or a stale
//! block gives wrong tokens. It checks the contract of `Runner` and fails on request.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use firsthand_base::{Digest, ModelInput, Patches, Position, VisionItem, VisionKind};

use crate::{Limits, Row, Runner};

/// What one token leaves in the cache.
type Entry = (u32, Position, u64);

/// Never equal to a real entry.
const POISON: Entry = (u32::MAX, [i32::MIN; 3], u64::MAX);

#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct ToyError(pub(crate) String);

pub(crate) struct Toy {
    pub(crate) limits: Limits,
    slots: Vec<Entry>,
    pub(crate) features: HashMap<Digest, Vec<u64>>,
    /// Encoded keys in order, for counting.
    pub(crate) encoded: Vec<Digest>,
    /// Tokens of each forward call.
    pub(crate) steps: Vec<usize>,
    /// Items that cannot be encoded.
    pub(crate) bad_items: HashSet<Digest>,
    /// Rows with this token fail.
    pub(crate) bad_token: Option<u32>,
    /// Sequences whose cache holds this token get NaN.
    pub(crate) nan_token: Option<u32>,
}

impl Toy {
    pub(crate) fn new(limits: Limits) -> Self {
        Toy {
            limits,
            slots: vec![POISON; limits.block_tokens * limits.blocks],
            features: HashMap::new(),
            encoded: Vec::new(),
            steps: Vec::new(),
            bad_items: HashSet::new(),
            bad_token: None,
            nan_token: None,
        }
    }

    fn slot(&self, row: &Row<'_>, index: usize) -> usize {
        row.blocks[index / self.limits.block_tokens] as usize * self.limits.block_tokens
            + index % self.limits.block_tokens
    }

    fn check(&self, rows: &[Row<'_>]) {
        let mut written = HashMap::new();
        for (i, row) in rows.iter().enumerate() {
            assert!(!row.tokens.is_empty() && row.tokens.len() == row.positions.len());
            let end = row.start + row.tokens.len();
            assert_eq!(
                row.blocks.len(),
                end.div_ceil(self.limits.block_tokens),
                "blocks cover the row exactly"
            );
            for block in &row.blocks[row.start / self.limits.block_tokens..] {
                assert_eq!(written.insert(*block, i), None, "block {block} is written twice");
            }
        }
        for (i, row) in rows.iter().enumerate() {
            for block in row.blocks {
                assert!(
                    written.get(block).is_none_or(|&writer| writer == i),
                    "block {block} is read while written"
                );
            }
        }
    }

    fn run_row(&mut self, row: &Row<'_>) -> Option<Vec<f32>> {
        let mut features = vec![0; row.tokens.len()];
        for slot in &row.vision {
            let rows = self.features.get(&slot.key).expect("features are there when a row needs them");
            for (k, at) in slot.at.clone().enumerate() {
                features[at] = rows[slot.from + k];
            }
        }
        for (i, feature) in features.into_iter().enumerate() {
            let slot = self.slot(row, row.start + i);
            self.slots[slot] = (row.tokens[i], row.positions[i], feature);
        }
        let end = row.start + row.tokens.len();
        let entries: Vec<Entry> = (0..end).map(|index| self.slots[self.slot(row, index)]).collect();
        assert!(!entries.contains(&POISON), "a row reads what was never written");
        let broken = self.nan_token.is_some_and(|bad| entries.iter().any(|entry| entry.0 == bad));
        let mut logits = logits(&entries, self.limits.vocab);
        if broken {
            logits[0] = f32::NAN;
        }
        row.logits.then_some(logits)
    }
}

impl Runner for Toy {
    type Error = ToyError;

    fn limits(&self) -> Limits {
        self.limits
    }

    fn encode(&mut self, item: &VisionItem) -> Result<(), ToyError> {
        if self.bad_items.contains(&item.key) {
            return Err(ToyError("the picture is cursed".into()));
        }
        self.encoded.push(item.key);
        assert!(self.features.insert(item.key, item_features(item)).is_none(), "encoded twice");
        Ok(())
    }

    fn forget(&mut self, key: &Digest) {
        assert!(self.features.remove(key).is_some(), "what is forgotten was kept");
    }

    fn log_probability(&self, logits: &[f32], id: u32) -> f32 {
        let total: f64 = logits.iter().map(|&logit| f64::from(logit).exp()).sum();
        (f64::from(logits[id as usize]) - total.ln()) as f32
    }

    fn forward(&mut self, rows: &[Row<'_>]) -> Result<Vec<Option<Vec<f32>>>, ToyError> {
        self.check(rows);
        self.steps.push(rows.iter().map(|row| row.tokens.len()).sum());
        if rows.iter().any(|row| self.bad_token.is_some_and(|bad| row.tokens.contains(&bad))) {
            for row in rows {
                for index in row.start..row.start + row.tokens.len() {
                    let slot = self.slot(row, index);
                    self.slots[slot] = POISON;
                }
            }
            return Err(ToyError("the device stumbled".into()));
        }
        Ok(rows.iter().map(|row| self.run_row(row)).collect())
    }
}

fn mix(mut x: u64) -> u64 {
    x ^= x >> 32;
    x = x.wrapping_mul(0xd6e8_feb8_6659_fd93);
    x ^= x >> 32;
    x = x.wrapping_mul(0xd6e8_feb8_6659_fd93);
    x ^ (x >> 32)
}

fn logits(entries: &[Entry], vocab: usize) -> Vec<f32> {
    let state = entries.iter().fold(1, |state, (id, position, feature)| {
        let place = position.iter().fold(0, |sum, &axis| mix(sum ^ axis as u64));
        mix(state ^ mix(u64::from(*id) ^ mix(place ^ mix(*feature))))
    });
    (0..vocab as u64).map(|id| (mix(state ^ mix(id)) >> 40) as f32 / 1_677_721.6 - 5.0).collect()
}

fn item_features(item: &VisionItem) -> Vec<u64> {
    let of_row = |row: usize| mix(u64::from(item.patches.to_vec()[0].to_bits()) ^ mix(row as u64 + 1));
    (0..item.span.len()).map(of_row).collect()
}

/// The reference: no blocks, no batch, no reuse. Greedy ids with a final stop token.
pub(crate) fn naive(input: &ModelInput, vocab: usize, most: usize, stops: &[u32]) -> Vec<u32> {
    let mut entries: Vec<Entry> =
        input.ids.iter().zip(&input.positions).map(|(&id, &p)| (id, p, 0)).collect();
    for item in &input.vision {
        let features = item_features(item);
        item.span.clone().zip(features).for_each(|(at, feature)| entries[at].2 = feature);
    }
    let mut ids = Vec::new();
    let mut position = input.next_position();
    while ids.len() < most && !ids.last().is_some_and(|id| stops.contains(id)) {
        let logits = logits(&entries, vocab);
        let best = (0..vocab).rev().max_by(|&a, &b| logits[a].total_cmp(&logits[b])).unwrap() as u32;
        entries.push((best, [position; 3], 0));
        position += 1;
        ids.push(best);
    }
    ids
}

/// An item of `rows` features whose content is `name`.
pub(crate) fn item(name: u8, start: usize, rows: usize) -> VisionItem {
    VisionItem {
        kind: VisionKind::Image,
        grid: [1, 2, 2 * rows],
        patches: Arc::new(Patches::of_values(&[f32::from(name); 3], 1)),
        key: Digest([name; 32]),
        span: start..start + rows,
    }
}

/// A piece of a prompt.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Piece {
    /// A text token.
    Word(u32),
    /// An item by content and feature rows.
    Picture(u8, usize),
}

/// A prompt of these pieces.
pub(crate) fn prompt(pieces: &[Piece]) -> ModelInput {
    let mut input = ModelInput::default();
    for piece in pieces {
        let next = input.next_position();
        match *piece {
            Piece::Word(id) => {
                input.ids.push(id);
                input.positions.push([next; 3]);
            }
            Piece::Picture(name, rows) => {
                input.vision.push(item(name, input.ids.len(), rows));
                input.ids.extend(std::iter::repeat_n(1, rows));
                input.positions.extend((0..rows as i32).map(|i| [next, next + i / 2, next + i % 2]));
            }
        }
    }
    input
}

/// A prompt of text alone.
pub(crate) fn text(ids: &[u32]) -> ModelInput {
    prompt(&ids.iter().map(|&id| Piece::Word(id)).collect::<Vec<_>>())
}
