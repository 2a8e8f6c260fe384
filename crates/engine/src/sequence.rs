//! One generation in progress: its tokens, how many of them are in the cache and in which blocks, and the chained
//! hashes by which full blocks are shared. It takes no decisions; the scheduler moves it.

use std::ops::Range;
use std::time::{Duration, Instant};

use firsthand_base::{Digest, ModelInput, Position, VisionItem};

use crate::sampler::Sampler;
use crate::{Error, Limits, Result, Row, VisionSlot};

/// Names a sequence for as long as its engine lives; later submissions are larger.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SequenceId(pub(crate) u64);

/// Where the time of one sequence went.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Timing {
    /// Opening and preparing media and text, before the engine saw it.
    pub render: Duration,
    /// In the queue, before its first row was planned.
    pub wait: Duration,
    /// In the vision tower on this sequence's account.
    pub encode: Duration,
    /// From leaving the queue to the first token, without `encode`.
    pub prefill: Duration,
    /// From the first token to the last.
    pub decode: Duration,
}

/// One generation in progress.
pub(crate) struct Sequence {
    pub(crate) id: SequenceId,
    /// Prompt and generated tokens.
    pub(crate) ids: Vec<u32>,
    positions: Vec<Position>,
    next_position: i32,
    pub(crate) vision: Vec<VisionItem>,
    pub(crate) prompt_tokens: usize,
    /// Tokens whose keys and values are in `blocks`; always fewer than `ids` while the sequence lives.
    pub(crate) computed: usize,
    /// Blocks that hold `computed` tokens, and during a step those about to be computed.
    pub(crate) blocks: Vec<u32>,
    /// Chained hash of every full block of `ids`.
    hashes: Vec<Digest>,
    block_tokens: usize,
    /// Most tokens, prompt included.
    pub(crate) most_tokens: usize,
    pub(crate) stop_tokens: Vec<u32>,
    pub(crate) sampler: Sampler,
    /// Items from this one on are registered as wanted; `None` outside the running set.
    pub(crate) wants_from: Option<usize>,
    /// Prompt tokens another sequence had computed.
    pub(crate) cached_tokens: usize,
    /// Largest `computed` so far: what is adopted below it was this sequence's own.
    reached: usize,
    clock: Clock,
}

struct Clock {
    submitted: Instant,
    started: Option<Instant>,
    first: Option<Instant>,
    last: Option<Instant>,
    encode: Duration,
    encode_before_first: Duration,
}

/// Refuses arrays that contradict each other or do not fit.
pub(crate) fn check(input: &ModelInput, limits: &Limits) -> Result<()> {
    let tokens = input.ids.len();
    if tokens == 0 {
        return Err(Error::EmptyPrompt);
    }
    if input.positions.len() != tokens {
        return Err(Error::MalformedInput(format!("{tokens} ids but {} positions", input.positions.len())));
    }
    let mut end = 0;
    for (i, item) in input.vision.iter().enumerate() {
        if item.span.start < end || item.span.is_empty() || item.span.end > tokens {
            let Range { start, end } = item.span;
            return Err(Error::MalformedInput(format!(
                "vision item {i} has span {start}..{end} in a prompt of {tokens} tokens: spans ascend and are not empty"
            )));
        }
        end = item.span.end;
    }
    if tokens >= limits.max_context {
        return Err(Error::PromptExceedsContext { tokens, context: limits.max_context });
    }
    if tokens >= limits.longest_sequence() {
        return Err(Error::PromptExceedsCache { tokens, cache: limits.longest_sequence() });
    }
    Ok(())
}

impl Sequence {
    /// A sequence of a checked input.
    pub(crate) fn new(
        id: SequenceId,
        input: ModelInput,
        sampler: Sampler,
        stop_tokens: Vec<u32>,
        max_tokens: usize,
        limits: &Limits,
    ) -> Self {
        let prompt_tokens = input.ids.len();
        let mut sequence = Sequence {
            id,
            next_position: input.next_position(),
            ids: input.ids,
            positions: input.positions,
            vision: input.vision,
            prompt_tokens,
            computed: 0,
            blocks: Vec::new(),
            hashes: Vec::new(),
            block_tokens: limits.block_tokens,
            most_tokens: prompt_tokens.saturating_add(max_tokens).min(limits.longest_sequence()),
            stop_tokens,
            sampler,
            wants_from: None,
            cached_tokens: 0,
            reached: 0,
            clock: Clock {
                submitted: Instant::now(),
                started: None,
                first: None,
                last: None,
                encode: Duration::ZERO,
                encode_before_first: Duration::ZERO,
            },
        };
        sequence.hash_full_blocks();
        sequence
    }

    /// Tokens that are not in the cache yet; at least 1.
    pub(crate) fn remaining(&self) -> usize {
        self.ids.len() - self.computed
    }

    /// Blocks that hold the first `tokens` tokens.
    pub(crate) fn blocks_for(&self, tokens: usize) -> usize {
        tokens.div_ceil(self.block_tokens)
    }

    /// Tokens the blocks it has can hold.
    pub(crate) fn capacity(&self) -> usize {
        self.blocks.len() * self.block_tokens
    }

    /// Hashes of the blocks that could be adopted one after the other from here on. The last token is never
    /// adopted: its logits have to be computed.
    pub(crate) fn adoptable(&self) -> &[Digest] {
        if !self.computed.is_multiple_of(self.block_tokens) {
            return &[];
        }
        let most = (self.ids.len() - 1) / self.block_tokens;
        self.hashes.get(self.computed / self.block_tokens..most).unwrap_or(&[])
    }

    /// Hashes of the full blocks it has still to compute.
    pub(crate) fn pending(&self) -> &[Digest] {
        &self.hashes[self.computed / self.block_tokens..]
    }

    /// Takes over a shared block that holds the next `block_tokens` tokens.
    pub(crate) fn adopt(&mut self, block: u32) {
        self.blocks.push(block);
        if self.computed >= self.reached {
            self.cached_tokens += self.block_tokens;
        }
        self.computed += self.block_tokens;
        self.reached = self.reached.max(self.computed);
    }

    /// The runner has computed `count` tokens. Answers the blocks that became full, with their hashes.
    pub(crate) fn advance(&mut self, count: usize) -> impl Iterator<Item = (u32, Digest)> + '_ {
        let before = self.computed / self.block_tokens;
        self.computed += count;
        self.reached = self.reached.max(self.computed);
        (before..self.computed / self.block_tokens).map(|i| (self.blocks[i], self.hashes[i]))
    }

    /// Adds a generated token.
    pub(crate) fn push(&mut self, id: u32) {
        self.ids.push(id);
        self.positions.push([self.next_position; 3]);
        self.next_position = self.next_position.saturating_add(1);
        self.hash_full_blocks();
        let now = Instant::now();
        self.clock.last = Some(now);
        if self.clock.first.is_none() {
            self.clock.first = Some(now);
            self.clock.encode_before_first = self.clock.encode;
        }
    }

    /// The row that computes the next `count` tokens.
    pub(crate) fn row(&self, count: usize) -> Row<'_> {
        let new = self.computed..self.computed + count;
        Row {
            tokens: &self.ids[new.clone()],
            positions: &self.positions[new.clone()],
            start: self.computed,
            blocks: &self.blocks,
            logits: new.end == self.ids.len(),
            vision: slots(&self.vision, new),
        }
    }

    /// Items with placeholders among the next `count` tokens.
    pub(crate) fn items(&self, count: usize) -> &[VisionItem] {
        overlapping(&self.vision, &(self.computed..self.computed + count))
    }

    /// The first row of the sequence has been planned.
    pub(crate) fn started(&mut self) {
        self.clock.started.get_or_insert_with(Instant::now);
    }

    /// The vision tower ran for it.
    pub(crate) fn encoded(&mut self, duration: Duration) {
        self.clock.encode += duration;
    }

    /// Where its time went so far.
    pub(crate) fn timing(&self) -> Timing {
        let clock = &self.clock;
        let now = Instant::now();
        let started = clock.started.unwrap_or(now);
        let first = clock.first.unwrap_or(now);
        let encode_before = if clock.first.is_some() { clock.encode_before_first } else { clock.encode };
        Timing {
            render: Duration::ZERO,
            wait: started - clock.submitted,
            encode: clock.encode,
            prefill: first.saturating_duration_since(started).saturating_sub(encode_before),
            decode: clock.last.map_or(Duration::ZERO, |last| last - first),
        }
    }

    fn hash_full_blocks(&mut self) {
        while (self.hashes.len() + 1) * self.block_tokens <= self.ids.len() {
            let start = self.hashes.len() * self.block_tokens;
            let range = start..start + self.block_tokens;
            let hash = chain(
                self.hashes.last(),
                &self.ids[range.clone()],
                &self.positions[range.clone()],
                &slots(&self.vision, range),
            );
            self.hashes.push(hash);
        }
    }
}

/// The items whose spans meet `range`; spans ascend.
fn overlapping<'a>(vision: &'a [VisionItem], range: &Range<usize>) -> &'a [VisionItem] {
    let first = vision.partition_point(|item| item.span.end <= range.start);
    let end = vision.partition_point(|item| item.span.start < range.end);
    &vision[first..end.max(first)]
}

/// The parts of the items that lie in `range`, relative to its start.
fn slots(vision: &[VisionItem], range: Range<usize>) -> Vec<VisionSlot> {
    let part = |item: &VisionItem| {
        let at = item.span.start.max(range.start)..item.span.end.min(range.end);
        VisionSlot {
            key: item.key,
            from: at.start - item.span.start,
            at: at.start - range.start..at.end - range.start,
        }
    };
    overlapping(vision, &range).iter().map(part).collect()
}

/// Hash of a block and of everything before it: equal hashes mean equal keys and values in every layer.
fn chain(parent: Option<&Digest>, ids: &[u32], positions: &[Position], slots: &[VisionSlot]) -> Digest {
    let mut hasher = blake3::Hasher::new();
    hasher.update(parent.map_or(&[0; 32], |digest| &digest.0));
    for (id, position) in ids.iter().zip(positions) {
        hasher.update(&id.to_le_bytes());
        position.iter().for_each(|axis| {
            hasher.update(&axis.to_le_bytes());
        });
    }
    for slot in slots {
        hasher.update(&slot.key.0);
        // `from` follows from where the item starts, which is hashed here or before.
        for number in [slot.at.start, slot.at.end] {
            hasher.update(&(number as u64).to_le_bytes());
        }
    }
    Digest(*hasher.finalize().as_bytes())
}

#[cfg(test)]
mod tests {
    use firsthand_base::SamplingOptions;

    use super::*;
    use crate::toy::Piece::{Picture, Word};
    use crate::toy::{prompt, text};

    fn hashes(input: ModelInput) -> Vec<Digest> {
        let limits = Limits { block_tokens: 2, blocks: 50, max_context: 90, vocab: 9 };
        let sampler = Sampler::new(&SamplingOptions::default(), &input.ids).unwrap();
        Sequence::new(SequenceId(0), input, sampler, Vec::new(), 1, &limits).hashes
    }

    #[test]
    fn a_block_hash_stands_for_everything_up_to_its_end() {
        let base = hashes(text(&[2, 3, 4, 5, 6, 7, 8]));
        assert_eq!(base.len(), 3, "the last block is not full");
        let mut moved = text(&[2, 3, 4, 5, 6, 7]);
        moved.positions[3][1] += 1;
        let cases = [
            ("longer", text(&[2, 3, 4, 5, 6, 7, 8, 9, 9]), 3),
            ("another first token", text(&[1, 3, 4, 5, 6, 7]), 0),
            ("another middle token", text(&[2, 3, 4, 4, 6, 7]), 1),
            ("another last token", text(&[2, 3, 4, 5, 6, 8]), 2),
            ("another position", moved, 1),
        ];
        for (label, input, equal) in cases {
            let other = hashes(input);
            let shared = base.iter().zip(&other).map(|(a, b)| a == b).collect::<Vec<_>>();
            let expected: Vec<bool> = (0..3).map(|i| i < equal).collect();
            assert_eq!(shared, expected, "{label}");
        }
    }

    #[test]
    fn a_block_hash_knows_which_picture_fills_its_placeholders() {
        let picture = |name, rows| hashes(prompt(&[Word(2), Picture(name, rows), Word(3), Word(3)]));
        assert_eq!(picture(1, 4), picture(1, 4));
        assert!(picture(1, 4).iter().zip(picture(2, 4)).all(|(a, b)| *a != b));
        // The same ids and positions without a picture, or with it one token later.
        let mut plain = prompt(&[Word(2), Picture(1, 4), Word(3), Word(3)]);
        plain.vision[0].span = 2..5;
        assert_ne!(picture(1, 4)[0], hashes(plain.clone())[0]);
        plain.vision.clear();
        assert_ne!(picture(1, 4)[0], hashes(plain)[0]);
    }

    #[test]
    fn rows_say_which_part_of_an_item_they_hold() {
        type Slot = (u8, Range<usize>, usize);
        let input = prompt(&[Word(2), Picture(1, 4), Picture(2, 2), Word(3)]);
        let cases: [(Range<usize>, &[Slot]); 5] = [
            (0..8, &[(1, 1..5, 0), (2, 5..7, 0)]),
            (0..1, &[]),
            (2..4, &[(1, 0..2, 1)]),
            (4..6, &[(1, 0..1, 3), (2, 1..2, 0)]),
            (7..8, &[]),
        ];
        for (range, expected) in cases {
            let expected: Vec<VisionSlot> = expected
                .iter()
                .map(|(name, at, from)| VisionSlot { key: Digest([*name; 32]), at: at.clone(), from: *from })
                .collect();
            assert_eq!(slots(&input.vision, range.clone()), expected, "{range:?}");
        }
    }
}
