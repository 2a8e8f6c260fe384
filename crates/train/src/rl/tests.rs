//! Every algorithm against plain torch, against finite differences, and against what its paper says of it.

use serde::Deserialize;

use super::algorithms::{self, critique, overlong};
use super::objective::Judgement;
use super::*;

#[derive(Deserialize)]
struct Case {
    algorithm: Algorithm,
    ratio: Ratio,
    clip: Clip,
    averaging: Averaging,
    kl: KlRecipe,
    place: KlPlace,
    divides: bool,
    divide_epsilon: f64,
    gamma: f64,
    lambda: f64,
    most_tokens: usize,
}

impl Case {
    fn objective(&self) -> Objective {
        Objective {
            algorithm: self.algorithm,
            ratio: self.ratio,
            clip: self.clip,
            averaging: self.averaging,
            kl: self.kl,
            place: self.place,
            divides: self.divides,
            divide_epsilon: self.divide_epsilon,
            gamma: self.gamma,
            lambda: self.lambda,
            most_tokens: self.most_tokens,
        }
    }
}

#[derive(Deserialize)]
struct Seen {
    group: usize,
    reward: f64,
    old: Vec<f32>,
    new: Vec<f32>,
    reference: Vec<f32>,
    distances: Vec<f32>,
    values: Vec<f32>,
    values_now: Vec<f32>,
    is_baseline: bool,
}

#[derive(Deserialize)]
struct Golden {
    case: Case,
    samples: Vec<Seen>,
    loss: f64,
    slopes: Vec<Vec<f64>>,
    shares: Vec<Vec<f64>>,
    critic_loss: Option<f64>,
    critic_slopes: Option<Vec<Vec<f64>>>,
}

fn golden() -> Vec<Golden> {
    let text = fs_err::read_to_string(firsthand_golden::root().join("policies.json")).unwrap();
    serde_json::from_str(&text).unwrap()
}

fn samples(golden: &Golden) -> Vec<Sample> {
    let sample = |seen: &Seen| Sample {
        group: seen.group,
        reward: seen.reward,
        old: seen.old.clone(),
        weights: Vec::new(),
        new: seen.new.clone(),
        reference: if golden.case.kl.weight == 0.0 { Vec::new() } else { seen.reference.clone() },
        distances: if golden.case.kl.estimator == Estimator::Full {
            seen.distances.clone()
        } else {
            Vec::new()
        },
        values: seen.values.clone(),
        bonus: 0.0,
        is_baseline: seen.is_baseline,
    };
    golden.samples.iter().map(sample).collect()
}

fn judge(objective: &Objective, samples: &[Sample]) -> Judgement {
    objective.judge(samples, &algorithms::advantages(samples, objective))
}

#[track_caller]
fn near(what: &str, actual: f64, expected: f64) {
    assert!((actual - expected).abs() <= 1e-6 * expected.abs().max(1.0), "{what}: {actual}, not {expected}");
}

fn all_near(what: &str, actual: &[Vec<f32>], samples: &[Sample], expected: &[Vec<f64>]) {
    let learned = actual.iter().zip(samples).filter(|(_, sample)| !sample.is_baseline);
    let learned: Vec<_> = learned.map(|(row, _)| row).collect();
    assert_eq!(learned.len(), expected.len());
    for (row, expected) in learned.into_iter().zip(expected) {
        assert_eq!(row.len(), expected.len());
        row.iter().zip(expected).for_each(|(a, e)| near(what, f64::from(*a), *e));
    }
}

#[test]
fn policies_equal_plain_torch() {
    let all = golden();
    for golden in &all {
        let (objective, samples) = (golden.case.objective(), samples(golden));
        let name = format!("{:?}", objective.algorithm);
        let found = judge(&objective, &samples);
        near(&name, found.loss, golden.loss);
        all_near(&name, &found.slopes, &samples, &golden.slopes);
        all_near(&name, &found.shares, &samples, &golden.shares);
        if let (Some(loss), Some(slopes)) = (golden.critic_loss, &golden.critic_slopes) {
            let now: Vec<_> = golden.samples.iter().map(|seen| seen.values_now.clone()).collect();
            let found = critique(&samples, &now, &objective, 0.5);
            near("critic", found.loss, loss);
            all_near("critic", &found.slopes, &samples, slopes);
        }
    }
    let of = |algorithm| all.iter().filter(|golden| golden.case.algorithm == algorithm).count();
    use Algorithm::*;
    assert!([Grpo, DrGrpo, Dapo, Gspo, Cispo, Rloo, ReinforcePp, Remax, Ppo].into_iter().all(|a| of(a) > 0));
}

#[test]
fn slopes_are_those_of_the_loss() {
    const STEP: f32 = 1e-3;
    let (mut corners, mut checked) = (0, 0);
    for golden in golden() {
        let (objective, samples) = (golden.case.objective(), samples(&golden));
        // The loss of CISPO holds its weights constant, so that its differences say something else.
        if objective.ratio == Ratio::Weight {
            continue;
        }
        for (i, t) in (0..samples.len()).flat_map(|i| (0..samples[i].new.len()).map(move |t| (i, t))) {
            let at = |by: f32| {
                let mut moved = samples.clone();
                moved[i].new[t] += by;
                let found = judge(&objective, &moved);
                (found.loss, f64::from(moved[i].new[t]), f64::from(found.slopes[i][t]))
            };
            let ((up, high, above), (down, low, below)) = (at(STEP), at(-STEP));
            let difference = (up - down) / (high - low);
            // At a corner of the clipping the difference lies between the slopes of the two sides.
            let [least, most] = [above.min(below), above.max(below)];
            let slack = 5e-3 * most.abs().max(least.abs()).max(0.1);
            assert!(
                (least - slack..=most + slack).contains(&difference),
                "{:?}: {difference} is not between {least} and {most}",
                objective.algorithm
            );
            corners += usize::from(most - least > slack);
            checked += 1;
        }
    }
    assert!(checked > 500 && corners * 50 < checked, "{corners} corners among {checked} tokens");
}

fn sample(group: usize, reward: f64, tokens: usize) -> Sample {
    Sample { group, reward, old: vec![-1.0; tokens], new: vec![-1.0; tokens], ..Sample::default() }
}

#[test]
fn without_a_difference_there_is_no_slope() {
    for algorithm in [Algorithm::Grpo, Algorithm::DrGrpo, Algorithm::Dapo, Algorithm::Gspo, Algorithm::Rloo] {
        let same: Vec<_> = (0..4).map(|_| sample(0, 1.7, 3)).collect();
        let found = judge(&Objective::new(algorithm, 8), &same);
        assert!(found.slopes.iter().flatten().all(|slope| slope.abs() < 1e-12), "{algorithm:?}");
    }
}

#[test]
fn a_bonus_for_all_right_answers_cancels_in_groups_that_are_divided() {
    // Two right, two wrong: whatever the right ones earn more, advantages are the same.
    let with = |bonus: f64| {
        let samples: Vec<_> = [1.0 + bonus, 1.0 + bonus, 0.0, 0.0].map(|r| sample(0, r, 2)).into();
        algorithms::advantages(&samples, &Objective::new(Algorithm::Grpo, 8))
    };
    for (plain, paid) in with(0.0).iter().flatten().zip(with(0.3).iter().flatten()) {
        assert!((plain - paid).abs() < 1e-4, "{plain} {paid}");
    }
}

#[test]
fn long_answers_pay_as_they_near_the_limit() {
    let check = |tokens, price: f64| near("price", overlong(tokens, 100, 20), price);
    check(80, 0.0);
    check(81, -0.05);
    check(90, -0.5);
    check(100, -1.0);
    check(101, -1.0);
}
