//! The laws of the order: every row once per pass, weights kept all along, any step by itself.

use std::collections::{BTreeSet, HashMap};

use proptest::prelude::*;

use super::*;

/// Sources of rows without shared media.
fn plain(seed: u64, sizes: &[u32], weights: &[Option<f64>]) -> Order {
    let units = sizes.iter().map(|&size| Units::new(&(0..size).collect::<Vec<_>>(), None)).collect();
    Order::mix(seed, weights, units)
}

/// The first `count` items, one step each.
fn items(order: &Order, count: u64) -> Vec<Vec<RowId>> {
    (0..count).map(|step| order.batch(step, 1)).collect()
}

fn sources() -> impl Strategy<Value = Vec<(u32, f64)>> {
    prop::collection::vec((1u32..40, 0.05f64..8.0), 1..5)
}

proptest! {
    #[test]
    fn every_source_shows_all_its_rows_before_it_repeats_one(seed: u64, sources in sources(), weighted: bool) {
        let sizes: Vec<u32> = sources.iter().map(|source| source.0).collect();
        let weights: Vec<_> = sources.iter().map(|source| weighted.then_some(source.1)).collect();
        let order = plain(seed, &sizes, &weights);
        let mut shown: HashMap<usize, Vec<usize>> = HashMap::new();
        for id in items(&order, 3 * order.epoch_items()).concat() {
            shown.entry(id.source).or_default().push(id.index);
        }
        prop_assert_eq!(shown.len(), sizes.len());
        for (source, rows) in shown {
            let size = sizes[source] as usize;
            for pass in rows.chunks(size) {
                let distinct: BTreeSet<_> = pass.iter().copied().collect();
                prop_assert_eq!(distinct.len(), pass.len(), "source {} repeats a row: {:?}", source, pass);
                prop_assert!(pass.iter().all(|&row| row < size));
            }
        }
    }

    #[test]
    fn all_rows_are_shown_when_it_says_so_and_not_long_after(
        seed: u64, sources in sources(), weighted: bool, first in 0u64..50, size in 1usize..5,
    ) {
        let sizes: Vec<u32> = sources.iter().map(|source| source.0).collect();
        let weights: Vec<_> = sources.iter().map(|source| weighted.then_some(source.1)).collect();
        let order = plain(seed, &sizes, &weights);
        let (mut seen, mut end) = (BTreeSet::new(), first);
        while !order.shows_all(first, end, size) {
            seen.extend(order.batch(end, size));
            end += 1;
        }
        prop_assert_eq!(seen.len(), sizes.iter().sum::<u32>() as usize);
        if !weighted {
            prop_assert!((end - first) * size as u64 <= 2 * order.epoch_items() + size as u64);
        }
    }

    #[test]
    fn weights_hold_from_any_step_to_any_other(seed: u64, sources in sources()) {
        let sizes: Vec<u32> = sources.iter().map(|source| 10 * source.0).collect();
        let weights: Vec<_> = sources.iter().map(|source| Some(source.1)).collect();
        let order = plain(seed, &sizes, &weights);
        let sum: f64 = sources.iter().map(|source| source.1).sum();
        let mut counts = vec![0f64; sizes.len()];
        let total = 2 * order.epoch_items();
        for (seen, id) in items(&order, total).concat().into_iter().enumerate() {
            counts[id.source] += 1.0;
            for (source, count) in counts.iter().enumerate() {
                let share = sources[source].1 / sum;
                // Of each epoch's draws the share is rounded to a whole number, at least one; along the way a source
                // is less than two draws ahead or behind.
                let off = (count - share * (seen + 1) as f64).abs();
                prop_assert!(off < 2.0 * (sizes.len() as f64 + 2.0), "source {}: {} of {}", source, count, seen + 1);
            }
        }
    }

    #[test]
    fn any_step_is_computed_without_the_others(seed: u64, sources in sources(), size in 1usize..9, step in 0u64..1_000_000_000) {
        let sizes: Vec<u32> = sources.iter().map(|source| source.0).collect();
        let order = plain(seed, &sizes, &vec![None; sizes.len()]);
        let batch = order.batch(step, size);
        let one_by_one: Vec<RowId> =
            (0..size as u64).flat_map(|i| plain(seed, &sizes, &vec![None; sizes.len()]).batch(step * size as u64 + i, 1)).collect();
        prop_assert_eq!(batch, one_by_one);
    }

    #[test]
    fn items_of_a_medium_hold_its_rows_and_no_others(seed: u64, media in prop::collection::vec(0u32..8, 1..60), most in 1usize..6) {
        let order = Order::mix(seed, &[None], vec![Units::new(&media, Some(most))]);
        let mut kinds: HashMap<u32, usize> = HashMap::new();
        media.iter().for_each(|&medium| *kinds.entry(medium).or_default() += 1);
        let expected: usize = kinds.values().map(|rows| rows.div_ceil(most)).sum();
        prop_assert_eq!(order.epoch_items(), expected as u64);
        let mut passes = Vec::new();
        for pass in 0..3 {
            let mut seen = BTreeSet::new();
            for step in 0..expected as u64 {
                let item = order.batch(pass * expected as u64 + step, 1);
                prop_assert!(!item.is_empty() && item.len() <= most);
                prop_assert!(item.iter().all(|id| media[id.index] == media[item[0].index]), "{:?}", item);
                prop_assert!(item.iter().all(|id| seen.insert(id.index)), "a row twice: {:?}", item);
            }
            prop_assert_eq!(seen.len(), media.len());
            passes.push(seen);
        }
    }

    #[test]
    fn the_permutation_is_one(key: u64, count in 1u64..300) {
        let all: BTreeSet<u64> = (0..count).map(|place| permute(key, count, place)).collect();
        prop_assert_eq!(all.len() as u64, count);
        prop_assert!(all.iter().all(|&value| value < count));
    }
}

#[test]
fn epochs_and_seeds_differ_and_shuffle_well() {
    let order = plain(1, &[1000], &[None]);
    let epoch = |order: &Order, epoch: u64| -> Vec<usize> {
        order.batch(epoch, 1000).into_iter().map(|id| id.index).collect()
    };
    let (first, second, other) = (epoch(&order, 0), epoch(&order, 1), epoch(&plain(2, &[1000], &[None]), 0));
    for (a, b) in [(&first, &second), (&first, &other)] {
        let same = a.iter().zip(b).filter(|(a, b)| a == b).count();
        assert!(same < 10, "{same} of 1000 rows keep their place");
    }
    // Neighbours in the file are not neighbours in the order, and the mean place of the first half is the middle.
    let close = first.windows(2).filter(|pair| pair[0].abs_diff(pair[1]) < 10).count();
    assert!(close < 60, "{close} of 999 neighbours stay close");
    let mean = first[..500].iter().sum::<usize>() as f64 / 500.0;
    assert!((400.0..600.0).contains(&mean), "{mean}");
}

/// A run that is resumed by a later version must see the rows it would have seen.
#[test]
fn the_order_of_a_seed_is_fixed() {
    let order = plain(7, &[5, 3], &[Some(1.0), Some(3.0)]);
    let rows: Vec<(usize, usize)> = order.batch(3, 8).into_iter().map(|id| (id.source, id.index)).collect();
    assert_eq!(rows, [(1, 2), (1, 0), (0, 3), (1, 1), (1, 0), (0, 0), (1, 2), (1, 1)]);
}

#[test]
fn shares_are_whole_and_never_nothing() {
    let check = |total, weights: &[f64], expected: &[u64]| assert_eq!(share_out(total, weights), expected);
    check(10, &[1.0, 1.0], &[5, 5]);
    check(10, &[1.0, 2.0], &[3, 7]);
    check(10, &[1e-9, 1.0], &[1, 9]);
    check(2, &[1e-9, 1.0, 1e-9], &[1, 1, 1]);
    check(7, &[1.0, 1.0, 1.0], &[3, 2, 2]);
}
