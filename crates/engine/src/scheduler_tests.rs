//! Laws of the scheduler alone, driven without a model: every request ends, in a bounded number of steps, within the
//! budget, and the oldest is never passed over.

use firsthand_base::{ModelInput, SamplingOptions};
use proptest::prelude::*;

use super::*;
use crate::sampler::Sampler;
use crate::toy::text;

impl Scheduler {
    /// Everything that must hold between steps.
    pub(crate) fn check(&self) {
        self.blocks.check(self.running.iter().map(|sequence| &sequence.blocks));
        assert!(self.running.is_sorted_by_key(|sequence| sequence.id));
        assert!(self.waiting.iter().is_sorted_by_key(|sequence| sequence.id));
        if let (Some(youngest), Some(head)) = (self.running.last(), self.waiting.front()) {
            assert!(youngest.id < head.id, "the queue is younger than what runs");
        }
        for sequence in &self.running {
            assert_eq!(
                sequence.blocks.len(),
                sequence.blocks_for(sequence.computed),
                "blocks hold what is computed"
            );
            assert!(sequence.remaining() > 0);
        }
        for sequence in &self.waiting {
            assert!(sequence.blocks.is_empty() && sequence.computed == 0 && sequence.wants_from.is_none());
        }
        assert!(self.running.len() <= self.options.max_sequences);
    }
}

fn sequence(id: u64, input: ModelInput, limits: &Limits, max_tokens: usize) -> Sequence {
    let sampler = Sampler::new(&SamplingOptions::default(), &input.ids).unwrap();
    Sequence::new(SequenceId(id), input, sampler, Vec::new(), max_tokens, limits)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn every_request_ends_in_turn_and_within_the_budget(
        requests in proptest::collection::vec((0..3u32, 1..40usize, 1..30usize, 0..20usize), 1..14),
        block_tokens in 1..5usize,
        tokens in 70..200usize,
        step_tokens in 1..50usize,
        max_sequences in 1..8usize,
    ) {
        let limits = Limits { block_tokens, blocks: tokens.div_ceil(block_tokens), max_context: 1000, vocab: 9 };
        let step_tokens = step_tokens.max(max_sequences);
        let options = EngineOptions { step_tokens, max_sequences, feature_rows: 0 };
        let mut scheduler = Scheduler::new(options, &limits);
        // The oldest advances by a token a step at least: the lengths and the last arrival bound the steps.
        let most_steps = 20 + requests.iter().map(|(_, prompt, new, _)| prompt + new).sum::<usize>();
        let mut left: Vec<u64> = (0..requests.len() as u64).collect();
        let mut step = 0;
        let mut order: Vec<usize> = (0..requests.len()).collect();
        order.sort_by_key(|&i| requests[i].3);
        let mut submitted = 0;
        while !left.is_empty() {
            while submitted < order.len() && requests[order[submitted]].3 <= step {
                let (first, prompt, new, _) = requests[order[submitted]];
                let mut ids = vec![first; prompt];
                ids[prompt / 2] = 7;
                scheduler.enqueue(sequence(submitted as u64, text(&ids), &limits, new));
                submitted += 1;
            }
            let oldest = scheduler.running.first().or(scheduler.waiting.front()).map(|sequence| sequence.id);
            let plan = scheduler.plan();
            prop_assert_eq!(plan.first().map(|planned| planned.id), oldest, "the oldest is not passed over");
            prop_assert!(plan.iter().map(|planned| planned.count).sum::<usize>() <= step_tokens);
            prop_assert!(plan.is_sorted_by(|a, b| a.id < b.id), "one row each, by age");
            for planned in plan {
                prop_assert!(planned.count > 0);
                scheduler.advance(planned);
                let sequence = scheduler.get_mut(planned.id);
                if sequence.computed == sequence.ids.len() {
                    sequence.push(planned.id.0 as u32);
                    if sequence.ids.len() >= sequence.most_tokens {
                        scheduler.remove(planned.id);
                        left.retain(|&id| id != planned.id.0);
                    }
                }
            }
            scheduler.check();
            step += 1;
            prop_assert!(step <= most_steps, "starvation: {:?} left", left);
        }
        prop_assert_eq!(scheduler.blocks.available(), limits.blocks);
        prop_assert!(scheduler.is_idle());
    }
}

#[test]
fn a_prompt_is_computed_in_chunks_beside_those_who_decode() {
    let limits = Limits { block_tokens: 4, blocks: 100, max_context: 300, vocab: 9 };
    let options = EngineOptions { step_tokens: 10, max_sequences: 4, feature_rows: 0 };
    let mut scheduler = Scheduler::new(options, &limits);
    scheduler.enqueue(sequence(0, text(&[2, 3]), &limits, 50));
    let mut counts = Vec::new();
    for step in 0..5 {
        if step == 1 {
            scheduler.enqueue(sequence(1, text(&[4; 22]), &limits, 50));
            scheduler.enqueue(sequence(2, text(&[5; 2]), &limits, 50));
        }
        let plan = scheduler.plan();
        // The third stays in the queue until the step has tokens left for it.
        assert_eq!(
            (scheduler.running(), scheduler.waiting()),
            [(1, 0), (2, 1), (2, 1), (3, 0), (3, 0)][step]
        );
        counts.push(plan.iter().map(|planned| (planned.id.0, planned.count)).collect::<Vec<_>>());
        for planned in plan {
            scheduler.advance(planned);
            let sequence = scheduler.get_mut(planned.id);
            if sequence.computed == sequence.ids.len() {
                sequence.push(5);
            }
        }
    }
    let expected: [&[(u64, usize)]; 5] = [
        &[(0, 2)],
        &[(0, 1), (1, 9)],
        &[(0, 1), (1, 9)],
        &[(0, 1), (1, 4), (2, 2)],
        &[(0, 1), (1, 1), (2, 1)],
    ];
    assert_eq!(counts, expected);
}

#[test]
fn equal_beginnings_submitted_together_are_computed_once() {
    let limits = Limits { block_tokens: 4, blocks: 100, max_context: 300, vocab: 9 };
    let options = EngineOptions { step_tokens: 16, max_sequences: 4, feature_rows: 0 };
    let mut scheduler = Scheduler::new(options, &limits);
    for id in 0..3 {
        let mut ids = vec![2; 24];
        ids.push(3 + id as u32);
        scheduler.enqueue(sequence(id, text(&ids), &limits, 5));
    }
    let mut tokens = Vec::new();
    for _ in 0..3 {
        let plan = scheduler.plan();
        tokens.push(plan.iter().map(|planned| planned.count).sum::<usize>());
        for planned in plan {
            scheduler.advance(planned);
            let sequence = scheduler.get_mut(planned.id);
            if sequence.computed == sequence.ids.len() {
                sequence.push(5);
            }
        }
    }
    // 25 tokens once; then the others only their own last token, beside the first's decoding.
    assert_eq!(tokens, [16, 9, 3]);
}
