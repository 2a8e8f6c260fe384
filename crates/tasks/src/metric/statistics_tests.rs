//! Worked values by hand, and laws.

use proptest::prelude::*;

use super::*;

fn close(got: f64, expect: f64) {
    assert!((got - expect).abs() < 1e-4, "got {got}, expected {expect}");
}

fn rows<'a>(values: &[f64], clusters: &[&'a str]) -> Vec<Observation<'a>> {
    values.iter().zip(clusters).map(|(&value, &cluster)| Observation { value, cluster }).collect()
}

#[test]
fn a_mean_of_independent_scores_is_the_textbooks() {
    // 1, 2, 3, 4: mean 2.5, sample deviation 1.290994, error 0.645497, t(3) = 3.182446.
    let got = mean(&rows(&[1.0, 2.0, 3.0, 4.0], &["a", "b", "c", "d"])).unwrap();
    close(got.mean, 2.5);
    close(got.error.unwrap(), 0.645_497);
    close(got.interval.unwrap()[0], 2.5 - 3.182_446 * 0.645_497);
    assert_eq!((got.items, got.clusters), (4, 4));
}

#[test]
fn answers_of_one_video_count_once() {
    // Two videos, all right and all wrong: cluster sums of (x - 0.5)/4 are 0.25 and -0.25; sqrt(0.125 * 2) = 0.5.
    let got = mean(&rows(&[1.0, 1.0, 0.0, 0.0], &["v", "v", "w", "w"])).unwrap();
    close(got.error.unwrap(), 0.5);
    // Binomial variance 0.25/3, so the sample is worth 4/3 answers.
    let [low, high] = got.interval.unwrap();
    let expect = wilson(0.5, 4.0 / 3.0);
    close(low, expect[0]);
    close(high, expect[1]);
}

#[test]
fn what_cancels_within_a_video_is_no_doubt_about_it() {
    let check = |values: &[f64], clusters: &[&str], error: f64| {
        close(mean(&rows(values, clusters)).unwrap().error.unwrap(), error);
    };
    check(&[1.0, 0.0, 1.0, 0.0], &["v", "v", "w", "w"], 0.0);
    // Mean 0.75, cluster sums -0.125 and 0.125: sqrt(2 * 2 * 0.125^2).
    check(&[1.0, 0.0, 1.0, 1.0], &["v", "v", "w", "w"], 0.25);
}

#[test]
fn rights_and_wrongs_of_their_own_are_wilsons() {
    let clusters = ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j"];
    let eight = [1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 0.0, 0.0];
    let got = mean(&rows(&eight, &clusters)).unwrap().interval.unwrap();
    assert_eq!(got.map(|x| (x * 1e9).round()), wilson(0.8, 10.0).map(|x| (x * 1e9).round()));
    // All right: the interval is still one.
    let got = mean(&rows(&[1.0; 10], &["a", "a", "a", "a", "a", "b", "b", "b", "b", "b"])).unwrap();
    assert_eq!(got.interval, Some(wilson(1.0, 2.0)));
}

#[test]
fn nothing_comes_of_nothing() {
    assert_eq!(mean(&[]), None);
    assert_eq!(mean(&rows(&[f64::NAN, 1.0], &["a", "b"])), None);
    let one = mean(&rows(&[1.0, 0.0], &["v", "v"])).unwrap();
    assert_eq!((one.error, one.interval, one.clusters), (None, None, 1));
    assert_eq!(paired(&[]), None);
    assert_eq!(mean_of_groups(&[]), None);
}

#[test]
fn groups_count_alike_whatever_their_size() {
    let check = |rows: &[(f64, &[&str])], expect: Option<f64>| {
        let clusters: Vec<String> = (0..rows.len()).map(|i| i.to_string()).collect();
        let rows: Vec<_> = rows
            .iter()
            .zip(&clusters)
            .map(|((value, path), cluster)| (Observation { value: *value, cluster }, path.to_vec()))
            .collect();
        let got = mean_of_groups(&rows).map(|estimate| estimate.mean);
        assert!(got == expect || (got.unwrap() - expect.unwrap()).abs() < 1e-12, "{got:?} {expect:?}");
    };
    check(&[(1.0, &["a"]), (0.0, &["a"]), (1.0, &["b"])], Some(0.75));
    // CV-Bench: 2D is the mean of its two sources, then the mean with 3D.
    let nested: &[(f64, &[&str])] =
        &[(1.0, &["2D", "ade"]), (1.0, &["2D", "ade"]), (0.0, &["2D", "coco"]), (1.0, &["3D", "omni"])];
    check(nested, Some(0.75));
    check(&[(1.0, &[]), (0.0, &[])], Some(0.5));
    check(&[(1.0, &["a"]), (0.0, &["a", "b"])], None);
}

#[test]
fn runs_are_compared_item_by_item() {
    let pair = |before, after, cluster| Pair { before, after, cluster };
    // Differences 1, 1, 0, 0: mean 0.5, deviation 0.57735, error 0.288675, t = 1.732, p(3) = 0.18169.
    let got = paired(&[pair(0.0, 1.0, "a"), pair(0.0, 1.0, "b"), pair(1.0, 1.0, "c"), pair(0.0, 0.0, "d")]);
    let got = got.unwrap();
    close(got.mean, 0.5);
    close(got.error.unwrap(), 0.288_675);
    close(got.p.unwrap(), 0.181_69);
    close(got.sign_p, 0.5);
    assert_eq!((got.flips, got.items), ([2, 0], 4));
    let same = paired(&[pair(1.0, 1.0, "a"), pair(0.0, 0.0, "b")]).unwrap();
    assert_eq!((same.p, same.sign_p, same.interval), (Some(1.0), 1.0, Some([0.0, 0.0])));
    let all = paired(&[pair(0.0, 1.0, "a"), pair(0.0, 1.0, "b")]).unwrap();
    assert_eq!(all.p, Some(0.0));
}

#[test]
fn a_group_is_right_when_all_of_it_is() {
    let check = |answers: &[(&str, bool)], right, items| {
        let score = all_right(answers.iter().copied());
        assert_eq!((score.right, score.items), (right, items), "{answers:?}");
    };
    check(&[], 0, 0);
    check(&[("a", true), ("b", false), ("a", true)], 1, 2);
    check(&[("a", true), ("a", false)], 0, 1);
}

#[test]
fn positions_give_the_baselines() {
    let mut positions = Positions::default();
    assert_eq!((positions.chance(), positions.favourite()), (None, None));
    [(0, 4), (0, 4), (1, 2), (3, 4)].iter().for_each(|&(right, options)| positions.add(right, options));
    assert_eq!(positions.always(0).accuracy(), Some(0.5));
    assert_eq!(positions.always(7).accuracy(), Some(0.0));
    assert_eq!(positions.favourite(), Some(0));
    close(positions.chance().unwrap(), (3.0 * 0.25 + 0.5) / 4.0);
}

proptest! {
    #[test]
    fn clusters_of_one_are_no_clusters(values in prop::collection::vec(-5.0..5.0f64, 2..40)) {
        let names: Vec<String> = (0..values.len()).map(|i| i.to_string()).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let got = mean(&rows(&values, &names)).unwrap();
        let n = values.len() as f64;
        let spread: f64 = values.iter().map(|x| (x - got.mean).powi(2)).sum::<f64>() / (n - 1.0);
        prop_assert!((got.error.unwrap() - (spread / n).sqrt()).abs() < 1e-9);
        let [low, high] = got.interval.unwrap();
        prop_assert!(low <= got.mean && got.mean <= high);
    }

    #[test]
    fn a_difference_turned_round_is_its_negative(
        scores in prop::collection::vec((0.0..1.0f64, 0.0..1.0f64, 0..5usize), 2..40),
    ) {
        let names = ["a", "b", "c", "d", "e"];
        let there: Vec<Pair<'_>> =
            scores.iter().map(|&(before, after, k)| Pair { before, after, cluster: names[k] }).collect();
        let back: Vec<Pair<'_>> =
            there.iter().map(|p| Pair { before: p.after, after: p.before, cluster: p.cluster }).collect();
        let (there, back) = (paired(&there).unwrap(), paired(&back).unwrap());
        prop_assert!((there.mean + back.mean).abs() < 1e-12);
        prop_assert_eq!(there.sign_p, back.sign_p);
        if let (Some(a), Some(b)) = (there.p, back.p) {
            prop_assert!((a - b).abs() < 1e-9 && (0.0..=1.0).contains(&a));
        }
    }

    #[test]
    fn shares_stay_shares(rights in prop::collection::vec((any::<bool>(), 0..4usize), 1..60)) {
        let names = ["a", "b", "c", "d"];
        let rows: Vec<_> = rights
            .iter()
            .map(|&(right, k)| Observation { value: f64::from(u8::from(right)), cluster: names[k] })
            .collect();
        if let Some([low, high]) = mean(&rows).unwrap().interval {
            prop_assert!(0.0 <= low && low <= high && high <= 1.0);
        }
        let groups: Vec<_> = rows.iter().map(|row| (*row, vec![row.cluster])).collect();
        let got = mean_of_groups(&groups).unwrap().mean;
        prop_assert!((-1e-12..=1.0 + 1e-12).contains(&got));
    }
}
