//! Who runs in the next step. Strictly first come, first served: sequences are admitted in order, an older one may
//! take blocks from a younger one and never the reverse, so the oldest always advances and every sequence ends.
//! It runs nothing; the engine carries out the plan and reports back with `advance`.

use std::collections::{HashSet, VecDeque};

use firsthand_base::Digest;

use crate::blocks::Blocks;
use crate::features::Features;
use crate::sequence::{Sequence, SequenceId};
use crate::{EngineOptions, Limits};

/// The next `count` tokens of one running sequence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Planned {
    pub(crate) id: SequenceId,
    pub(crate) count: usize,
}

/// The queue, the running set, and what they hold.
pub(crate) struct Scheduler {
    options: EngineOptions,
    pub(crate) blocks: Blocks,
    pub(crate) features: Features,
    /// Not started or preempted; oldest first, all younger than anything in `running`.
    waiting: VecDeque<Sequence>,
    /// Oldest first.
    running: Vec<Sequence>,
    /// Items the runner is to forget before the next encode.
    forgotten: Vec<Digest>,
    pub(crate) preemptions: u64,
}

impl Scheduler {
    /// An empty queue over an empty cache.
    pub(crate) fn new(options: EngineOptions, limits: &Limits) -> Self {
        Scheduler {
            blocks: Blocks::new(limits.blocks as u32),
            features: Features::new(options.feature_rows),
            options,
            waiting: VecDeque::new(),
            running: Vec::new(),
            forgotten: Vec::new(),
            preemptions: 0,
        }
    }

    pub(crate) fn is_idle(&self) -> bool {
        self.waiting.is_empty() && self.running.is_empty()
    }

    pub(crate) fn waiting(&self) -> usize {
        self.waiting.len()
    }

    pub(crate) fn running(&self) -> usize {
        self.running.len()
    }

    /// Queues a sequence younger than all others.
    pub(crate) fn enqueue(&mut self, sequence: Sequence) {
        self.waiting.push_back(sequence);
    }

    /// A running sequence.
    pub(crate) fn get(&self, id: SequenceId) -> &Sequence {
        &self.running[self.index(id).expect("planned sequences are running")]
    }

    /// A running sequence.
    pub(crate) fn get_mut(&mut self, id: SequenceId) -> &mut Sequence {
        let index = self.index(id).expect("planned sequences are running");
        &mut self.running[index]
    }

    /// Takes a sequence out, wherever it is, and gives back what it held.
    pub(crate) fn remove(&mut self, id: SequenceId) -> Option<Sequence> {
        if let Some(index) = self.index(id) {
            let mut sequence = self.running.remove(index);
            self.release(&mut sequence);
            return Some(sequence);
        }
        let index = self.waiting.binary_search_by_key(&id, |sequence| sequence.id).ok()?;
        self.waiting.remove(index)
    }

    /// What the runner is to forget now.
    pub(crate) fn forgotten(&mut self) -> Vec<Digest> {
        std::mem::take(&mut self.forgotten)
    }

    /// The runner keeps the features of a wanted item now.
    pub(crate) fn encoded(&mut self, key: &Digest, rows: usize) {
        let forgotten = self.features.encoded(key, rows);
        self.forgotten.extend(forgotten);
    }

    /// The runner has computed a planned row: its full blocks can be shared from now on.
    pub(crate) fn advance(&mut self, planned: Planned) {
        let index = self.index(planned.id).expect("planned sequences are running");
        let sequence = &mut self.running[index];
        for (block, hash) in sequence.advance(planned.count) {
            self.blocks.publish(block, hash);
        }
        self.want_less(index);
    }

    /// The rows of the next step: one token of every sequence that decodes, and prompts in order of age with what
    /// is left of `step_tokens`. Blocks for all of them are taken. Never empty unless idle.
    pub(crate) fn plan(&mut self) -> Vec<Planned> {
        let decoding = self.running.iter().filter(|sequence| sequence.remaining() == 1).count();
        let mut budget = self.options.step_tokens - decoding;
        let before = self.preemptions;
        // Blocks that older sequences are computing: who needs the same ones waits for them.
        let mut pending: HashSet<Digest> = HashSet::new();
        let mut plan = Vec::new();
        let mut at = 0;
        let mut admitted = false;
        loop {
            if at == self.running.len() {
                if budget == 0 || self.preemptions > before || !self.admit() {
                    break;
                }
                admitted = true;
            }
            let decodes = !admitted && self.running[at].remaining() == 1;
            let count = self.reserve(at, if decodes { 1 } else { budget }, &pending);
            if !decodes {
                budget -= count;
                pending.extend(self.running[at].pending());
            }
            if count > 0 {
                self.running[at].started();
                plan.push(Planned { id: self.running[at].id, count });
            }
            at += 1;
        }
        debug_assert!(!plan.is_empty() || self.is_idle(), "the oldest sequence always has a row");
        plan
    }

    /// Adopts what is cached, then takes blocks for at most `most` tokens of one running sequence, from younger
    /// ones if need be. Answers for how many tokens there is room.
    fn reserve(&mut self, at: usize, most: usize, pending: &HashSet<Digest>) -> usize {
        let sequence = &mut self.running[at];
        while let Some(block) = sequence.adoptable().first().and_then(|hash| self.blocks.share(hash)) {
            sequence.adopt(block);
        }
        if sequence.adoptable().first().is_some_and(|hash| pending.contains(hash)) {
            return 0;
        }
        let end = sequence.computed + sequence.remaining().min(most);
        while self.running[at].capacity() < end {
            match self.blocks.take() {
                Some(block) => self.running[at].blocks.push(block),
                None if at + 1 < self.running.len() => self.preempt_youngest(),
                None => break,
            }
        }
        let sequence = &self.running[at];
        end.min(sequence.capacity()) - sequence.computed
    }

    /// Moves the head of the queue to the running set if its tokens and those the others still lack fit, with a
    /// spare block for each, so that it is not preempted at once.
    fn admit(&mut self) -> bool {
        let Some(head) = self.waiting.front() else { return false };
        if self.running.len() >= self.options.max_sequences {
            return false;
        }
        if !self.running.is_empty() {
            let cached = head.adoptable().iter().map_while(|hash| self.blocks.find(hash));
            let (found, idle) =
                cached.fold((0, 0), |(found, idle), is_idle| (found + 1, idle + usize::from(is_idle)));
            let lacking = |sequence: &Sequence| {
                sequence.blocks_for(sequence.ids.len()).saturating_sub(sequence.blocks.len())
            };
            let outstanding: usize = self.running.iter().map(lacking).sum();
            let needed = lacking(head) - found + idle + outstanding + self.running.len() + 1;
            if needed > self.blocks.available() {
                return false;
            }
        }
        let mut sequence = self.waiting.pop_front().expect("there is a head");
        sequence.vision.iter().for_each(|item| self.features.want(item.key));
        sequence.wants_from = Some(0);
        self.running.push(sequence);
        true
    }

    /// Puts the youngest running sequence back at the head of the queue; it will compute its tokens again.
    fn preempt_youngest(&mut self) {
        let mut sequence = self.running.pop().expect("there is a younger sequence");
        self.release(&mut sequence);
        self.waiting.push_front(sequence);
        self.preemptions += 1;
    }

    fn release(&mut self, sequence: &mut Sequence) {
        self.blocks.release(&mut sequence.blocks);
        sequence.computed = 0;
        let first = sequence.wants_from.take().expect("running sequences say what they want");
        for item in &sequence.vision[first..] {
            self.forgotten.extend(self.features.unwant(&item.key));
        }
    }

    /// Items whose placeholders are all in the cache are no longer wanted.
    fn want_less(&mut self, at: usize) {
        let sequence = &mut self.running[at];
        let first = sequence.wants_from.as_mut().expect("running sequences say what they want");
        while let Some(item) = sequence.vision.get(*first).filter(|item| item.span.end <= sequence.computed) {
            self.forgotten.extend(self.features.unwant(&item.key));
            *first += 1;
        }
    }

    fn index(&self, id: SequenceId) -> Option<usize> {
        self.running.binary_search_by_key(&id, |sequence| sequence.id).ok()
    }
}

#[cfg(test)]
#[path = "scheduler_tests.rs"]
mod tests;
