//! Laws that need no reference: a later token leaves earlier logits alone, a row in a batch equals the row alone,
//! prefill and decode equal one pass, chunks equal the whole, recomputing equals keeping, freezing costs nothing
//! and changes nothing.

use firsthand_base::ModelInput;
use firsthand_engine::{Row, Runner, VisionSlot};
use firsthand_golden::{FAMILIES, Fixture, cases};

use super::{flat, input, load};
use crate::layers::CacheType;
use crate::training::{Example, Loss, Training, next_tokens};
use crate::{CacheOptions, Model, ModelRunner};

const BLOCK: usize = 16;

fn hardest(family: &str) -> ModelInput {
    let case = if family == "qwen2" { "turns" } else { "mixed" };
    input(family, &Fixture::open(family, case), "")
}

fn runner(model: Model) -> ModelRunner {
    ModelRunner::new(model, CacheOptions { block_tokens: BLOCK, tokens: 4096, kind: CacheType::F32 })
}

/// The part `from..to` of an input as a row, with blocks from a scattered table.
fn row<'a>(input: &'a ModelInput, from: usize, to: usize, table: &'a [u32]) -> Row<'a> {
    let vision = input
        .vision
        .iter()
        .filter_map(|item| {
            let (start, end) = (item.span.start.max(from), item.span.end.min(to));
            (start < end).then(|| VisionSlot {
                key: item.key,
                at: start - from..end - from,
                from: start - item.span.start,
            })
        })
        .collect();
    Row {
        tokens: &input.ids[from..to],
        positions: &input.positions[from..to],
        start: from,
        blocks: &table[..to.div_ceil(BLOCK)],
        vision,
        logits: true,
    }
}

/// Blocks in an order that no arithmetic on the token index would give.
fn table(offset: u32) -> Vec<u32> {
    (0..100).map(|i| (i * 37 + offset) % 256).collect()
}

fn near(what: &str, actual: &[f32], expected: &[f32]) {
    assert_eq!(actual.len(), expected.len(), "{what}");
    for (i, (a, e)) in actual.iter().zip(expected).enumerate() {
        assert!((a - e).abs() <= 1e-4 * e.abs().max(1.0), "{what}: {a} instead of {e} at {i}");
    }
}

fn last_row(model: &Model, input: &ModelInput) -> Vec<f32> {
    let logits = model.logits(input).unwrap();
    let n = logits.dims()[0];
    flat(&logits.narrow(0, n - 1, 1).unwrap())
}

#[test]
fn a_later_token_leaves_earlier_logits_alone() {
    for family in FAMILIES {
        let (model, mut input) = (load(family), hardest(family));
        let before = model.logits(&input).unwrap();
        let n = input.ids.len();
        input.ids[n - 1] = (input.ids[n - 1] + 7) % 300;
        let after = model.logits(&input).unwrap();
        assert_eq!(flat(&before.narrow(0, 0, n - 1).unwrap()), flat(&after.narrow(0, 0, n - 1).unwrap()));
        assert_ne!(flat(&before.narrow(0, n - 1, 1).unwrap()), flat(&after.narrow(0, n - 1, 1).unwrap()));
    }
}

#[test]
fn a_row_in_a_batch_equals_the_row_alone() {
    for family in ["qwen2_vl", "qwen2_5_vl"] {
        let model = load(family);
        let mut inputs: Vec<_> = ["text", "mixed", "image"]
            .iter()
            .map(|case| input(family, &Fixture::open(family, case), ""))
            .collect();
        // Equal keys would mean equal features.
        for (i, input) in inputs.iter_mut().enumerate() {
            input.vision.iter_mut().for_each(|item| item.key.0[1] = 100 + i as u8);
        }
        let together = model.logits_batch(&inputs.iter().collect::<Vec<_>>()).unwrap();
        for (input, logits) in inputs.iter().zip(&together) {
            near("logits", &flat(logits), &flat(&model.logits(input).unwrap()));
        }
    }
}

/// Feeds an input in pieces that end at `cuts` and compares the logits at each with those of one pass.
fn fed_in_pieces(family: &str, cuts: &[usize]) {
    let input = hardest(family);
    let whole = load(family).logits(&input).unwrap();
    let mut runner = runner(load(family));
    for item in &input.vision {
        runner.encode(item).unwrap();
    }
    let table = table(3);
    let mut from = 0;
    for &to in cuts.iter().filter(|&&cut| cut < input.ids.len()).chain([&input.ids.len()]) {
        let answer = runner.forward(&[row(&input, from, to, &table)]).unwrap();
        let expected = flat(&whole.narrow(0, to - 1, 1).unwrap());
        near(&format!("{family} {from}..{to}"), answer[0].as_ref().unwrap(), &expected);
        from = to;
    }
}

#[test]
fn prefill_and_decode_equal_one_pass() {
    for family in FAMILIES {
        let n = hardest(family).ids.len();
        fed_in_pieces(family, &(n / 2..n).collect::<Vec<_>>());
    }
}

#[test]
fn chunked_prefill_equals_the_whole() {
    for family in FAMILIES {
        for chunk in [1, 5, BLOCK, BLOCK + 1, 50] {
            let n = hardest(family).ids.len();
            fed_in_pieces(family, &(1..=n / chunk).map(|i| i * chunk).collect::<Vec<_>>());
        }
    }
}

#[test]
fn ragged_rows_in_one_call_equal_rows_alone() {
    let family = "qwen2_5_vl";
    let (long, short) = (hardest(family), input(family, &Fixture::open(family, "text"), ""));
    let model = load(family);
    let expected = [last_row(&model, &long), last_row(&model, &short)];
    let mut runner = runner(model);
    for item in &long.vision {
        runner.encode(item).unwrap();
    }
    let (n, m) = (long.ids.len(), short.ids.len());
    let (one, other): (Vec<u32>, Vec<u32>) = ((0..100).collect(), (100..200).rev().collect());
    // The long one has its past in the cache; the short one starts.
    let mut first = row(&long, 0, n - 3, &one);
    first.logits = false;
    assert_eq!(runner.forward(&[first]).unwrap(), [None]);
    let answers = runner.forward(&[row(&long, n - 3, n, &one), row(&short, 0, m, &other)]).unwrap();
    for (answer, expected) in answers.iter().zip(&expected) {
        near("ragged", answer.as_ref().unwrap(), expected);
    }
}

#[test]
fn greedy_ids_equal_the_reference() {
    for family in FAMILIES {
        let mut runner = runner(load(family));
        for case in cases(family).iter().filter(|case| **case != "batch") {
            let fixture = Fixture::open(family, case);
            let mut input = input(family, &fixture, "");
            for item in &input.vision {
                runner.forget(&item.key);
                runner.encode(item).unwrap();
            }
            let table = table(11);
            let (mut from, mut greedy) = (0, Vec::new());
            while greedy.len() < 64 {
                let answer = runner.forward(&[row(&input, from, input.ids.len(), &table)]).unwrap();
                let logits = answer[0].as_ref().unwrap();
                let best = (0..logits.len()).rev().max_by(|&a, &b| logits[a].total_cmp(&logits[b])).unwrap();
                from = input.ids.len();
                let next = input.next_position();
                input.ids.push(best as u32);
                input.positions.push([next; 3]);
                greedy.push(best as i64);
            }
            assert_eq!(greedy, fixture.i64("greedy_ids"), "{family} {case}");
        }
    }
}

#[test]
fn recomputing_equals_keeping_and_freezing_changes_nothing() {
    for family in ["qwen2_vl", "qwen2_5_vl"] {
        let (model, input) = (load(family), hardest(family));
        let targets = next_tokens(&input.ids, 20..input.ids.len());
        let examples = [Example { input: &input, targets: &targets }];
        let gradients = |wanted: &dyn Fn(&str) -> bool, recompute| {
            model.loss_and_gradients(&examples, &Training { recompute, ..Training::new(wanted) }).unwrap()
        };
        let (loss, all) = gradients(&|_| true, false);
        let (again, recomputed) = gradients(&|_| true, true);
        assert_eq!(loss, again);
        for (key, gradient) in &all {
            assert_eq!(flat(gradient), flat(&recomputed[key]), "{key}");
        }
        for part in [
            "model.layers.1.",
            "visual.blocks.1.",
            "lm_head",
            "model.embed_tokens",
            "visual.merger",
            "model.norm",
        ] {
            let (_, some) = gradients(&|key| key.starts_with(part), true);
            let names: Vec<_> = all.keys().filter(|key| key.starts_with(part)).collect();
            assert_eq!(some.keys().collect::<Vec<_>>(), names, "{part}");
            for (key, gradient) in &some {
                assert_eq!(flat(gradient), flat(&all[key]), "{key}");
            }
        }
    }
}

#[test]
fn an_item_that_examples_share_counts_for_each() {
    let family = "qwen2_5_vl";
    let (model, input) = (load(family), hardest(family));
    let targets = next_tokens(&input.ids, 20..input.ids.len());
    let example = Example { input: &input, targets: &targets };
    let training = Training { recompute: true, ..Training::new(&|key| key.starts_with("visual.")) };
    let (Loss { total: one, .. }, alone) = model.loss_and_gradients(&[example], &training).unwrap();
    let (Loss { total: two, .. }, twice) = model.loss_and_gradients(&[example, example], &training).unwrap();
    assert!((two - 2.0 * one).abs() < 1e-5 * one);
    for (key, gradient) in &alone {
        let double = (gradient * 2.0).unwrap();
        near(key, &flat(&twice[key]), &flat(&double));
    }
}
