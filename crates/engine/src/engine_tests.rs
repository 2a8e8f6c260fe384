//! Laws of the engine over the toy runner: whatever the mix, everyone gets what a naive loop gives.

use std::collections::HashMap;

use proptest::prelude::*;

use super::*;
use crate::TokenMask;
use crate::toy::Piece::{Picture, Word};
use crate::toy::{Piece, Toy, naive, prompt, text};

const VOCAB: usize = 40;

fn limits(block_tokens: usize, blocks: usize) -> Limits {
    Limits { block_tokens, blocks, max_context: 200, vocab: VOCAB }
}

fn options(step_tokens: usize, max_sequences: usize, feature_rows: usize) -> EngineOptions {
    EngineOptions { step_tokens, max_sequences, feature_rows }
}

fn engine(limits: Limits, options: EngineOptions) -> Engine<Toy> {
    Engine::new(Toy::new(limits), options).unwrap()
}

fn stop(max_tokens: usize, tokens: &[u32]) -> StopRules {
    StopRules { max_tokens, tokens: tokens.to_vec(), strings: Vec::new() }
}

/// What came of each sequence.
#[derive(Default)]
struct Outcome {
    ids: Vec<u32>,
    logprobs: Vec<f32>,
    finish: Option<Finish>,
    summary: Summary,
    error: Option<Error>,
}

#[derive(Default)]
struct Outcomes(HashMap<SequenceId, Outcome>);

impl Outcomes {
    fn take_in(&mut self, events: Vec<Event>) {
        let mut seen = std::collections::HashSet::new();
        for event in events {
            match event {
                Event::Token { sequence, id, logprob, .. } => {
                    assert!(seen.insert(sequence), "two tokens of one sequence in a step");
                    let outcome = self.0.entry(sequence).or_default();
                    assert!(outcome.finish.is_none() && outcome.error.is_none(), "a token after the end");
                    outcome.ids.push(id);
                    outcome.logprobs.push(logprob);
                }
                Event::Finished { sequence, finish, summary } => {
                    let outcome = self.0.entry(sequence).or_default();
                    assert!(outcome.finish.replace(finish).is_none(), "finished twice");
                    outcome.summary = summary;
                }
                Event::Failed { sequence, error } => {
                    let outcome = self.0.entry(sequence).or_default();
                    assert!(outcome.finish.is_none() && outcome.error.replace(error).is_none());
                }
            }
        }
    }
}

fn drain(engine: &mut Engine<Toy>) -> Outcomes {
    let mut outcomes = Outcomes::default();
    for _ in 0..100_000 {
        if engine.is_idle() {
            return outcomes;
        }
        outcomes.take_in(engine.step());
        engine.check();
    }
    panic!("the engine does not end");
}

impl Engine<Toy> {
    /// Everything that must hold between steps.
    fn check(&self) {
        self.scheduler.check();
        let kept: usize = self.runner.features.values().map(Vec::len).sum();
        assert_eq!(kept, self.scheduler.features.rows(), "runner and table keep the same features");
    }
}

#[derive(Clone, Debug)]
struct Ask {
    pieces: Vec<Piece>,
    max_tokens: usize,
    stops: Vec<u32>,
    /// Steps before it is submitted.
    after: usize,
    /// Steps after submission at which it is cancelled.
    cancel: Option<usize>,
}

fn pieces() -> impl Strategy<Value = Vec<Piece>> {
    // Few tokens and few pictures, so that prompts share beginnings.
    let piece = prop_oneof![
        4 => (2..4u32).prop_map(Word),
        1 => (0..3u8).prop_map(|name| Picture(name, 2 + 3 * usize::from(name))),
    ];
    prop_oneof![
        proptest::collection::vec(piece.clone(), 1..12),
        // A long common beginning with its own end.
        proptest::collection::vec(piece, 1..4).prop_map(|tail| {
            let mut pieces = vec![Word(5), Picture(1, 5), Word(6), Word(7), Picture(2, 8), Word(5)];
            pieces.extend(tail);
            pieces
        }),
    ]
}

fn ask() -> impl Strategy<Value = Ask> {
    let stops = proptest::collection::vec(0..VOCAB as u32, 0..4);
    (pieces(), 1..20usize, stops, 0..12usize, proptest::option::weighted(0.2, 0..12usize)).prop_map(
        |(pieces, max_tokens, stops, after, cancel)| Ask { pieces, max_tokens, stops, after, cancel },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    /// The main law: batching, chunks, preemption, sharing and cancels change nothing about anyone's greedy ids;
    /// the token budget holds in every step; nothing leaks.
    #[test]
    fn any_mix_of_requests_equals_the_naive_loop(
        asks in proptest::collection::vec(ask(), 1..10),
        block_tokens in 1..6usize,
        spare in 0..200usize,
        step_tokens in 1..40usize,
        max_sequences in 1..9usize,
        feature_rows in 0..20usize,
    ) {
        let limits = limits(block_tokens, (90 + spare).div_ceil(block_tokens));
        let step_tokens = step_tokens.max(max_sequences);
        let mut engine = engine(limits, options(step_tokens, max_sequences, feature_rows));
        let mut outcomes = Outcomes::default();
        let mut ids: Vec<Option<SequenceId>> = vec![None; asks.len()];
        let mut cancelled = vec![false; asks.len()];
        let mut step = 0;
        while ids.contains(&None) || !engine.is_idle() {
            for (i, ask) in asks.iter().enumerate() {
                if ask.after == step {
                    let rules = stop(ask.max_tokens, &ask.stops);
                    ids[i] = Some(engine.submit(prompt(&ask.pieces), &SamplingOptions::default(), &rules).unwrap());
                }
                if let (Some(id), Some(delay)) = (ids[i], ask.cancel)
                    && ask.after + delay == step
                {
                    cancelled[i] = engine.cancel(id).is_some();
                }
            }
            outcomes.take_in(engine.step());
            engine.check();
            step += 1;
            prop_assert!(step < 20_000, "the engine does not end");
        }
        for (i, ask) in asks.iter().enumerate() {
            let input = prompt(&ask.pieces);
            let room = limits.longest_sequence() - input.ids.len();
            let expected = naive(&input, VOCAB, ask.max_tokens.min(room), &ask.stops);
            let outcome = outcomes.0.remove(&ids[i].unwrap()).unwrap_or_default();
            if cancelled[i] {
                prop_assert!(expected.starts_with(&outcome.ids) && outcome.finish.is_none());
                continue;
            }
            prop_assert_eq!(&outcome.ids, &expected, "request {}", i);
            let stopped = expected.last().is_some_and(|id| ask.stops.contains(id));
            prop_assert_eq!(outcome.finish, Some(if stopped { Finish::Stop } else { Finish::Length }));
            prop_assert_eq!(outcome.summary.prompt_tokens, input.ids.len());
            prop_assert_eq!(outcome.summary.new_tokens, expected.len());
            prop_assert!(outcome.summary.cached_tokens < input.ids.len());
        }
        prop_assert!(engine.runner.steps.iter().all(|&tokens| tokens <= step_tokens));
        prop_assert_eq!(engine.stats().available_blocks, limits.blocks);
        prop_assert!(engine.stats().feature_rows <= feature_rows);
    }

    /// Sampled tokens depend on the request alone: together, in chunks and after preemption they are those it gets
    /// alone, and their log-probabilities too.
    #[test]
    fn sampling_in_a_batch_equals_sampling_alone(
        prompts in proptest::collection::vec(pieces(), 2..6),
        blocks in 80..160usize,
        step_tokens in 6..30usize,
    ) {
        let sampling = |seed| SamplingOptions {
            temperature: 0.8, top_k: 12, top_p: 0.9, repetition_penalty: 1.1, seed,
        };
        let limits = limits(1, blocks);
        let mut together = engine(limits, options(step_tokens, 6, 100));
        let submit = |engine: &mut Engine<Toy>, i: usize| {
            engine.submit(prompt(&prompts[i]), &sampling(i as u64 / 2), &stop(12, &[])).unwrap()
        };
        let ids: Vec<_> = (0..prompts.len()).map(|i| submit(&mut together, i)).collect();
        let outcomes = drain(&mut together);
        for (i, id) in ids.into_iter().enumerate() {
            let mut alone = engine(limits, options(200, 1, 0));
            let single = submit(&mut alone, i);
            let expected = drain(&mut alone);
            prop_assert_eq!(&outcomes.0[&id].ids, &expected.0[&single].ids);
            prop_assert_eq!(&outcomes.0[&id].logprobs, &expected.0[&single].logprobs);
        }
    }
}

#[test]
fn a_video_is_encoded_and_prefilled_once_for_several_questions() {
    let question = |token| {
        let mut pieces = vec![Word(5); 6];
        pieces.push(Picture(9, 16));
        pieces.extend([Word(6), Word(6), Word(token), Word(token)]);
        prompt(&pieces)
    };
    let mut engine = engine(limits(4, 60), options(64, 8, 0));
    let mut expected_tokens = 0;
    let mut ids = Vec::new();
    for token in 10..15 {
        ids.push(engine.submit(question(token), &SamplingOptions::default(), &stop(3, &[])).unwrap());
        // 26 tokens, 24 of them shared; 2 more decode steps.
        expected_tokens += if token == 10 { 26 + 2 } else { 2 + 2 };
    }
    let outcomes = drain(&mut engine);
    let cached: Vec<_> = ids.iter().map(|id| outcomes.0[id].summary.cached_tokens).collect();
    assert_eq!(cached, [0, 24, 24, 24, 24]);
    assert_eq!(engine.stats().tokens, expected_tokens);
    assert_eq!(engine.runner.encoded.len(), 1);
    assert_eq!(engine.stats().feature_rows, 0, "nothing is kept beyond need with a bound of 0");

    // Later, with the features long forgotten, the prefix alone suffices: the tower does not run.
    let id = engine.submit(question(20), &SamplingOptions::default(), &stop(1, &[])).unwrap();
    assert_eq!(drain(&mut engine).0[&id].summary.cached_tokens, 24);
    assert_eq!(engine.runner.encoded.len(), 1);

    // Another beginning, the same video: the cache cannot help, the tower runs again.
    let mut pieces = vec![Word(8), Picture(9, 16), Word(6)];
    let id = engine.submit(prompt(&pieces), &SamplingOptions::default(), &stop(1, &[])).unwrap();
    assert_eq!(drain(&mut engine).0[&id].summary.cached_tokens, 0);
    assert_eq!(engine.runner.encoded.len(), 2);

    // With room for its features it runs once for two different beginnings.
    let mut engine = self::engine(limits(4, 60), options(64, 8, 16));
    for token in [8, 9] {
        pieces[0] = Word(token);
        engine.submit(prompt(&pieces), &SamplingOptions::default(), &stop(1, &[])).unwrap();
        drain(&mut engine);
    }
    assert_eq!(engine.runner.encoded.len(), 1);
    assert_eq!(engine.stats().feature_rows, 16);
}

#[test]
fn a_block_is_found_only_behind_its_own_beginning() {
    let mut engine = engine(limits(2, 60), options(64, 8, 0));
    // The second block of the first prompt, behind the first block of the second one.
    for (ids, cached) in
        [([2, 2, 9, 9, 4], 0), ([3, 3, 8, 8, 4], 0), ([3, 3, 9, 9, 4], 2), ([3, 3, 8, 8, 5], 4)]
    {
        let id = engine.submit(text(&ids), &SamplingOptions::default(), &stop(4, &[])).unwrap();
        let outcome = drain(&mut engine).0.remove(&id).unwrap();
        assert_eq!((outcome.ids, outcome.summary.cached_tokens), (naive(&text(&ids), VOCAB, 4, &[]), cached));
    }
}

#[test]
fn an_answer_continued_in_the_next_turn_is_not_computed_again() {
    let mut engine = engine(limits(2, 60), options(64, 8, 0));
    let first = text(&[2, 3, 4, 5, 6]);
    let id = engine.submit(first.clone(), &SamplingOptions::default(), &stop(7, &[])).unwrap();
    let answer = drain(&mut engine).0.remove(&id).unwrap().ids;
    let mut turn = first.ids;
    turn.extend(answer);
    turn.extend([7, 7]);
    let id = engine.submit(text(&turn), &SamplingOptions::default(), &stop(1, &[])).unwrap();
    // 12 tokens so far, the last of which was never run: 10 are in full blocks.
    assert_eq!(drain(&mut engine).0[&id].summary.cached_tokens, 10);
}

#[test]
fn preemption_happens_and_changes_nothing() {
    let limits = limits(1, 40);
    let mut engine = engine(limits, options(40, 4, 0));
    let inputs: Vec<_> = (0..4).map(|i| text(&[10 + i, 3, 4, 5])).collect();
    let submit =
        |input: &ModelInput| engine.submit(input.clone(), &SamplingOptions::default(), &stop(30, &[]));
    let ids: Vec<_> = inputs.iter().map(submit).map(Result::unwrap).collect();
    let outcomes = drain(&mut engine);
    assert!(engine.stats().preemptions > 0);
    for (id, input) in ids.iter().zip(&inputs) {
        assert_eq!(outcomes.0[id].ids, naive(input, VOCAB, 30, &[]));
        assert_eq!(outcomes.0[id].summary.cached_tokens, 0, "its own tokens found again are no reuse");
    }
}

#[test]
fn a_failure_stays_with_the_sequence_that_caused_it() {
    let mut engine = engine(limits(2, 90), options(64, 8, 0));
    engine.runner.bad_items.insert(firsthand_base::Digest([3; 32]));
    engine.runner.bad_token = Some(30);
    engine.runner.nan_token = Some(31);
    let good = prompt(&[Word(2), Picture(1, 4), Word(3)]);
    let inputs = [
        good.clone(),
        prompt(&[Word(2), Picture(3, 4), Word(3)]),
        text(&[2, 30, 2]),
        text(&[2, 31, 2]),
        prompt(&[Word(4), Picture(1, 4), Word(4)]),
    ];
    let expected: Vec<_> = inputs.iter().map(|input| naive(input, VOCAB, 2, &[])).collect();
    let broken = [30, 31];
    assert!(![&expected[0], &expected[4]].iter().any(|ids| ids.iter().any(|id| broken.contains(id))));
    let submit = |input: ModelInput| engine.submit(input, &SamplingOptions::default(), &stop(2, &[]));
    let ids: Vec<_> = inputs.into_iter().map(submit).map(Result::unwrap).collect();
    let outcomes = drain(&mut engine);
    let line = |i: usize| {
        let error = outcomes.0[&ids[i]].error.as_ref().expect("it failed");
        format!(
            "{error} / {}",
            std::error::Error::source(error).map_or("-".into(), |source| source.to_string())
        )
    };
    assert_eq!(line(1), "the vision tower failed / the picture is cursed");
    assert_eq!(line(2), "the model failed on a step of 3 tokens at position 0 / the device stumbled");
    assert!(line(3).starts_with("the logits of token 3 are not a number: "), "{}", line(3));
    for i in [0, 4] {
        assert_eq!(outcomes.0[&ids[i]].ids, expected[i]);
    }
    assert_eq!(engine.stats().available_blocks, 90);
}

#[test]
fn impossible_requests_are_refused_with_figures() {
    let context = Limits { block_tokens: 4, blocks: 100, max_context: 8, vocab: VOCAB };
    let cache = Limits { block_tokens: 4, blocks: 2, max_context: 100, vocab: VOCAB };
    let sampling = |change: fn(&mut SamplingOptions)| {
        let mut options = SamplingOptions::default();
        change(&mut options);
        options
    };
    let fine = SamplingOptions::default();
    let mut short = text(&[2, 3]);
    short.positions.pop();
    let mut outside = prompt(&[Word(2), Picture(1, 3)]);
    outside.ids.pop();
    outside.positions.pop();
    let cases = [
        (context, text(&[2; 8]), fine.clone(), 1, "8 tokens, and the context holds 8"),
        (cache, text(&[2; 9]), fine.clone(), 1, "9 tokens, and the cache holds 8"),
        (cache, text(&[]), fine.clone(), 1, "the prompt is empty"),
        (cache, short, fine.clone(), 1, "2 ids but 1 positions"),
        (cache, outside, fine.clone(), 1, "span 1..4 in a prompt of 3 tokens"),
        (cache, text(&[2]), fine.clone(), 0, "max_tokens is out of range: 0"),
        (cache, text(&[2]), sampling(|o| o.temperature = -0.5), 1, "temperature is out of range: -0.5"),
        (cache, text(&[2]), sampling(|o| o.temperature = f32::NAN), 1, "temperature is out of range: NaN"),
        (cache, text(&[2]), sampling(|o| o.top_p = 1.5), 1, "top_p is out of range: 1.5"),
        (
            cache,
            text(&[2]),
            sampling(|o| o.repetition_penalty = 0.0),
            1,
            "repetition_penalty is out of range: 0",
        ),
    ];
    for (limits, input, sampling, max_tokens, part) in cases {
        let mut engine = engine(limits, options(8, 2, 0));
        let error = engine.submit(input, &sampling, &stop(max_tokens, &[])).unwrap_err();
        assert!(error.is_request() && error.to_string().contains(part), "{error}");
        assert!(engine.is_idle());
    }
    for (limits, options, part) in [
        (limits(0, 4), options(8, 2, 0), "block_tokens is 0"),
        (limits(4, 0), options(8, 2, 0), "blocks is 0"),
        (limits(4, 4), options(8, 9, 0), "step_tokens is 8 and must be at least 9"),
    ] {
        let error = Engine::new(Toy::new(limits), options).err().expect("refused");
        assert!(error.to_string().contains(part), "{error}");
    }
}

#[test]
fn the_end_of_the_context_ends_the_answer() {
    let limits = Limits { block_tokens: 4, blocks: 100, max_context: 8, vocab: VOCAB };
    let mut engine = engine(limits, options(8, 2, 0));
    let id = engine.submit(text(&[2; 7]), &SamplingOptions::default(), &stop(usize::MAX, &[])).unwrap();
    let outcome = drain(&mut engine).0.remove(&id).unwrap();
    assert_eq!((outcome.ids.len(), outcome.finish), (1, Some(Finish::Length)));
}

/// Lets through multiples of a number, so many of them.
struct Multiples {
    of: u32,
    left: usize,
}

impl TokenMask for Multiples {
    fn apply(&mut self, logits: &mut [f32]) -> std::result::Result<(), String> {
        let forbidden = logits.iter_mut().enumerate().filter(|(id, _)| !(*id as u32).is_multiple_of(self.of));
        forbidden.for_each(|(_, logit)| *logit = f32::NEG_INFINITY);
        Ok(())
    }

    fn accept(&mut self, id: u32) -> std::result::Result<(), String> {
        self.left = self.left.checked_sub(1).ok_or("it was complete")?;
        if id.is_multiple_of(self.of) { Ok(()) } else { Err(format!("{id} was forbidden")) }
    }

    fn is_complete(&self) -> bool {
        self.left == 0
    }
}

#[test]
fn a_mask_decides_what_may_come_and_when_it_ends_whatever_the_sampling() {
    let rules = [(0.0, 0, 1.0), (1.5, 0, 1.0), (1.5, 3, 1.0), (1.5, 0, 0.3), (1.0, 35, 0.9)];
    for (temperature, top_k, top_p) in rules {
        let mut engine = engine(limits(4, 64), options(64, 8, 64));
        let sampling = SamplingOptions { temperature, top_k, top_p, repetition_penalty: 1.3, seed: 3 };
        let submit = |engine: &mut Engine<Toy>, of, left| {
            let wishes = Wishes { mask: Some(Box::new(Multiples { of, left })), top: 0 };
            engine.submit_with(text(&[1, 2, 3]), &sampling, &stop(20, &[]), wishes).unwrap()
        };
        let masked = submit(&mut engine, 7, 5);
        let lone = submit(&mut engine, 39, 2);
        let free = engine.submit(text(&[1, 2, 3]), &sampling, &stop(5, &[])).unwrap();
        let outcomes = drain(&mut engine).0;
        assert!(outcomes[&masked].ids.iter().all(|id| id.is_multiple_of(7)), "{:?}", outcomes[&masked].ids);
        assert_eq!((outcomes[&masked].ids.len(), outcomes[&masked].finish), (5, Some(Finish::Stop)));
        assert!(outcomes[&lone].ids.iter().all(|id| [0, 39].contains(id)));
        assert_eq!(outcomes[&free].finish, Some(Finish::Length), "the mask of another does not reach it");
    }
}

#[test]
fn the_likeliest_tokens_are_told_in_order_where_they_are_wished_for() {
    let mut engine = engine(limits(4, 64), options(64, 8, 64));
    let wishes = Wishes { mask: None, top: 4 };
    let told = engine.submit_with(text(&[1, 2]), &SamplingOptions::default(), &stop(6, &[]), wishes).unwrap();
    engine.submit(text(&[3]), &SamplingOptions::default(), &stop(6, &[])).unwrap();
    let mut seen = 0;
    while !engine.is_idle() {
        for event in engine.step() {
            let Event::Token { sequence, id, logprob, top } = event else { continue };
            if sequence != told {
                assert!(top.is_empty());
                continue;
            }
            seen += 1;
            assert_eq!((top.len(), top[0]), (4, (id, logprob)), "greedy takes the likeliest");
            assert!(top.windows(2).all(|pair| pair[0].1 >= pair[1].1));
        }
    }
    assert_eq!(seen, 6);
}
