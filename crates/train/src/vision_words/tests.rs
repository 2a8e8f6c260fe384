//! Batches are functions of their number, labels agree with the truth they were read from, and the gradient is the
//! gradient of the loss.

use super::*;

fn settings() -> WorldPairs {
    WorldPairs { seeds: [900, 904], size: size() }
}

#[test]
fn a_batch_does_not_depend_on_those_before_it() {
    let second = {
        let mut pairs = Pairs::start(&settings(), 4, 6).unwrap();
        pairs.next_batch().unwrap();
        pairs.next_batch().unwrap()
    };
    let direct = Pairs::start(&settings(), 4, 7).unwrap().next_batch().unwrap();
    assert_eq!(second.labels, direct.labels);
    assert!(second.pictures.iter().zip(&direct.pictures).all(|(a, b)| a.rgb == b.rgb));
    assert_eq!((direct.pictures.len(), direct.labels.len()), (8, 4 * 48));
}

#[test]
fn labels_are_shares_of_listed_words() {
    let batch = Pairs::start(&settings(), 8, 0).unwrap().next_batch().unwrap();
    let words = words();
    let mut objects = 0;
    for (index, label) in batch.labels.iter().enumerate() {
        for (group, words) in words.iter().enumerate() {
            let shares = &label.shares[group];
            if label.weight[group] == 0.0 {
                continue;
            }
            let sum: f32 = shares.iter().map(|(_, share)| share).sum();
            assert!((sum - 1.0).abs() < 1e-4, "group {group} of patch {index}: {shares:?}");
            assert!(shares.iter().all(|&(word, _)| word < words.len()));
        }
        let cell = index % 48;
        assert_eq!((label.shares[2][0].0, label.shares[3][0].0), (cell % 8, cell / 8));
        objects += usize::from(!label.shares[7].is_empty());
    }
    assert!(objects > 20, "{objects} patches of {} show an object", batch.labels.len());
}

#[test]
fn the_gradient_of_a_row_is_that_of_its_loss() {
    let shares = [(0, 0.25), (2, 0.75)];
    let row = [0.3f32, -1.0, 0.8, 0.1];
    let mut gradient = row;
    let (loss, right) = cross_entropy(&mut gradient, &shares, 0.5);
    assert!(right);
    for column in 0..4 {
        let mut moved = row;
        moved[column] += 1e-2;
        let difference = (cross_entropy(&mut moved, &shares, 0.5).0 - loss) / 1e-2;
        assert!((difference - gradient[column]).abs() < 3e-3, "{column}: {difference} {}", gradient[column]);
    }
}
