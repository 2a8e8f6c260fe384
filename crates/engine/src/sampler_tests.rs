//! The sampler against transformers' own logits processors, against a full sort, and as a source of draws.

use firsthand_golden::Fixture;
use proptest::prelude::*;

use super::*;

fn options(temperature: f32, top_k: usize, top_p: f32, repetition_penalty: f32) -> SamplingOptions {
    SamplingOptions { temperature, top_k, top_p, repetition_penalty, seed: 5 }
}

/// The distribution draws come from.
fn probabilities(sampler: &Sampler, logits: &[f32]) -> Vec<f64> {
    let scores = sampler.adjusted(logits);
    let summary = summarise(&scores).unwrap();
    let total = total_from(&scores, summary.max);
    let Some(kept) = sampler.keep(&scores, summary, total) else {
        return scores.iter().map(|&score| f64::from(score - summary.max).exp() / total).collect();
    };
    let sum: f64 = kept.iter().map(|candidate| candidate.weight).sum();
    let mut out = vec![0.0; logits.len()];
    kept.iter().for_each(|candidate| out[candidate.id as usize] = candidate.weight / sum);
    out
}

fn assert_close(actual: &[f64], expected: &[f64], label: &str) {
    for (id, (a, e)) in actual.iter().zip(expected).enumerate() {
        assert_eq!(*a > 1e-30, *e > 1e-30, "{label}: token {id} is {a}, expected {e}");
        assert!((a - e).abs() < 1e-6, "{label}: token {id} is {a}, expected {e}");
    }
}

#[test]
fn the_distribution_is_that_of_transformers() {
    let table = Fixture::table("sampling");
    let vocab = table.shape("scores")[1];
    let (scores, ids) = (table.f32("scores"), table.i64("ids"));
    let (settings, expected) = (table.f64("settings"), table.f32("probabilities"));
    assert!(settings.len() >= 40, "the table has rows");
    for (row, setting) in settings.chunks(4).enumerate() {
        let prompt: Vec<u32> = ids[row * 12..(row + 1) * 12].iter().map(|&id| id as u32).collect();
        let options = options(setting[0] as f32, setting[1] as usize, setting[2] as f32, setting[3] as f32);
        let sampler = Sampler::new(&options, &prompt).unwrap();
        let of_row = row * vocab..(row + 1) * vocab;
        let expected: Vec<f64> = expected[of_row.clone()].iter().map(|&p| f64::from(p)).collect();
        assert_close(&probabilities(&sampler, &scores[of_row]), &expected, &format!("row {row} {options:?}"));
    }
}

#[test]
fn ties_are_cut_as_transformers_cuts_them() {
    type Kept<'a> = &'a [(usize, f64)];
    let logits = [1.5, -0.25, 3.0, 3.0, 0.75, -2.0, 2.25, 3.0, 0.0, 2.25];
    // Printed by transformers 5.23 (RepetitionPenalty, Temperature, TopK, TopP in this order).
    let cases: [(&[u32], SamplingOptions, Kept<'_>); 7] = [
        (&[0], options(1.0, 2, 1.0, 1.0), &[(2, 0.3333333), (3, 0.3333333), (7, 0.3333333)]),
        (&[0], options(1.0, 0, 0.5, 1.0), &[(2, 0.3333333), (3, 0.3333333), (7, 0.3333333)]),
        (&[0], options(1.0, 0, 0.2, 1.0), &[(7, 1.0)]),
        (&[0], options(1.0, 0, 0.0, 1.0), &[(7, 1.0)]),
        (&[0], options(0.01, 1, 0.001, 1.0), &[(7, 1.0)]),
        (
            &[2, 7, 9],
            options(0.6, 6, 0.9, 1.05),
            &[(2, 0.2540371), (3, 0.3223299), (6, 0.0923491), (7, 0.2540371), (9, 0.0772467)],
        ),
        (&[3], options(1.5, 5, 0.7, 2.0), &[(2, 0.3112297), (6, 0.1887703), (7, 0.3112297), (9, 0.1887703)]),
    ];
    for (prompt, options, kept) in cases {
        let mut expected = vec![0.0; logits.len()];
        kept.iter().for_each(|&(id, p)| expected[id] = p);
        let sampler = Sampler::new(&options, prompt).unwrap();
        assert_close(&probabilities(&sampler, &logits), &expected, &format!("{options:?}"));
    }
}

/// Top-k and top-p with a full sort in f64, as the processors are written.
fn by_full_sort(scores: &[f32], top_k: usize, top_p: f64) -> Vec<f64> {
    let mut kept: Vec<usize> = (0..scores.len()).collect();
    kept.sort_by(|&a, &b| scores[a].total_cmp(&scores[b])); // stable, ascending
    if top_k > 0 && top_k < kept.len() {
        let kth = scores[kept[kept.len() - top_k]];
        kept.retain(|&id| scores[id] >= kth);
    }
    let weight = |id: usize| f64::from(scores[id]).exp();
    if top_p < 1.0 {
        let total: f64 = kept.iter().map(|&id| weight(id)).sum();
        let mut below = 0.0;
        let cut = kept.iter().take_while(|&&id| {
            below += weight(id) / total;
            below <= 1.0 - top_p
        });
        let cut = cut.count().min(kept.len() - 1);
        kept.drain(..cut);
    }
    let total: f64 = kept.iter().map(|&id| weight(id)).sum();
    let mut out = vec![0.0; scores.len()];
    kept.iter().for_each(|&id| out[id] = weight(id) / total);
    out
}

proptest! {
    /// Partial selection keeps what a full sort keeps, on peaked, flat and tied rows.
    #[test]
    fn partial_selection_equals_a_full_sort(
        raw in proptest::collection::vec(-40..40i32, 1..600),
        step in prop_oneof![Just(0.37f32), Just(0.01), Just(1.0)],
        top_k in 0..80usize,
        top_p in prop_oneof![Just(1.0f32), 0.0..1.0f32],
    ) {
        // An irrational step keeps sums away from the edge, where rounding may decide.
        let scores: Vec<f32> = raw.iter().map(|&x| x as f32 * step).collect();
        let sampler = Sampler::new(&options(1.0, top_k, top_p, 1.0), &[]).unwrap();
        let expected = by_full_sort(&scores, top_k, f64::from(top_p));
        for (id, (a, e)) in probabilities(&sampler, &scores).iter().zip(&expected).enumerate() {
            prop_assert!((a - e).abs() < 1e-6, "token {}: {} and {}", id, a, e);
        }
    }
}

#[test]
fn draws_follow_the_distribution_and_the_seed() {
    let logits: Vec<f32> =
        (0..1100).map(|id| if id % 200 == 7 { 3.0 + id as f32 / 800.0 } else { -9.0 }).collect();
    for cut in [options(1.0, 0, 1.0, 1.0), options(0.7, 5, 0.95, 1.0), options(1.4, 0, 0.8, 1.0)] {
        let expected = probabilities(&Sampler::new(&cut, &[]).unwrap(), &logits);
        let draws = 3000;
        let count = |seed, draws| {
            let mut sampler = Sampler::new(&SamplingOptions { seed, ..cut.clone() }, &[]).unwrap();
            let mut counts = vec![0u32; logits.len()];
            (0..draws).for_each(|_| counts[sampler.choose(&logits, 0).unwrap() as usize] += 1);
            counts
        };
        let counts = count(1, draws);
        assert_eq!(count(1, 50), count(1, 50));
        assert_ne!(count(1, 50), count(2, 50));
        for (id, &probability) in expected.iter().enumerate() {
            let mean = probability * f64::from(draws);
            let spread = (mean * (1.0 - probability)).sqrt();
            let difference = (f64::from(counts[id]) - mean).abs();
            assert!(
                difference <= 5.0 * spread + 3.0,
                "token {id}: {} draws of {mean} ± {spread}",
                counts[id]
            );
        }
    }
}

#[test]
fn draws_are_uniform_over_seeds_and_counters() {
    for fixed_seed in [true, false] {
        let mut bins = [0u32; 64];
        for i in 0..64_000 {
            let x = if fixed_seed { uniform(3, i) } else { uniform(i, 3) };
            bins[(x * 64.0) as usize] += 1;
        }
        let chi: f64 = bins.iter().map(|&count| (f64::from(count) - 1000.0).powi(2) / 1000.0).sum();
        assert!((25.0..120.0).contains(&chi), "chi-square with 63 degrees of freedom: {chi}");
    }
}

#[test]
fn greedy_takes_the_lowest_of_equals() {
    let mut logits = vec![0.0f32; 2000];
    logits[1200] = 4.0;
    logits[77] = 4.0;
    let mut greedy = Sampler::new(&options(0.0, 0, 1.0, 1.0), &[]).unwrap();
    assert_eq!(greedy.choose(&logits, 0).unwrap(), 77);
    // The new token is penalised next.
    let mut penalised = Sampler::new(&options(0.0, 0, 1.0, 2.0), &[77, 5]).unwrap();
    assert_eq!(penalised.choose(&logits, 0).unwrap(), 1200);
    logits[1201] = 2.5;
    assert_eq!(penalised.choose(&logits, 0).unwrap(), 1201);
    // So low a temperature overflows: the limit is greedy.
    let mut cold = Sampler::new(&options(1e-40, 0, 1.0, 1.0), &[]).unwrap();
    assert_eq!(cold.choose(&logits, 0).unwrap(), 77);
}

#[test]
fn a_token_that_cannot_come_never_comes() {
    let mut logits = vec![f32::NEG_INFINITY; 3000];
    logits[2999] = 1.0;
    logits[0] = 1.0;
    for (top_k, top_p) in [(0, 1.0), (50, 1.0), (0, 0.99), (50, 0.99)] {
        let mut sampler = Sampler::new(&options(0.9, top_k, top_p, 1.0), &[]).unwrap();
        let ids: Vec<u32> = (0..200).map(|_| sampler.choose(&logits, 0).unwrap()).collect();
        assert!(ids.iter().all(|id| [0, 2999].contains(id)) && ids.contains(&0) && ids.contains(&2999));
    }
    let error =
        Sampler::new(&options(0.9, 0, 1.0, 1.0), &[]).unwrap().choose(&[f32::NAN; 40], 12).unwrap_err();
    assert!(error.to_string().starts_with("the logits of token 12 are not a number"));
}
