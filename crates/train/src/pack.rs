//! Which examples of a batch go through the model together. The model keeps examples of one pass apart, so packing changes
//! memory, speed and the order of sums, nothing else; there is no padding to save, so the order of the batch is kept.

use std::ops::Range;

use firsthand_base::ModelInput;

/// Cuts a batch, in order, into the fewest runs of at most `most_tokens` tokens each. An input that is longer by
/// itself gets a run of its own: whether it fits is the model's plan to say. With `share_prefix`, what an input has in
/// common with the one before it in its run, through their last shared medium, counts once.
pub fn pack(inputs: &[&ModelInput], most_tokens: usize, share_prefix: bool) -> Vec<Range<usize>> {
    let mut runs: Vec<Range<usize>> = Vec::new();
    let mut filled = 0;
    for (index, input) in inputs.iter().enumerate() {
        let shared = if share_prefix && index > 0 { shared(inputs[index - 1], input) } else { 0 };
        let more = input.ids.len() - shared;
        match runs.last_mut() {
            Some(run) if filled + more <= most_tokens => {
                run.end = index + 1;
                filled += more;
            }
            _ => {
                runs.push(index..index + 1);
                filled = input.ids.len();
            }
        }
    }
    runs
}

/// Tokens two inputs begin with and can share: up to the end of the last medium that both show.
fn shared(a: &ModelInput, b: &ModelInput) -> usize {
    let alike = |i: &usize| a.ids[*i] == b.ids[*i] && a.positions[*i] == b.positions[*i];
    let common = (0..a.ids.len().min(b.ids.len())).take_while(alike).count();
    let media = a.vision.iter().zip(&b.vision).take_while(|(x, y)| x.key == y.key && x.span == y.span);
    media.map(|(item, _)| item.span.end).take_while(|&end| end <= common).last().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use firsthand_base::{Digest, VisionItem, VisionKind};

    use super::*;

    /// `shown` media tokens of medium `key`, then words.
    fn input(key: u8, shown: usize, words: &[u32]) -> ModelInput {
        let mut ids = vec![9; shown];
        ids.extend(words);
        let positions = (0..ids.len()).map(|i| [i as i32; 3]).collect();
        let item = VisionItem {
            kind: VisionKind::Image,
            grid: [1, 2, 2 * shown],
            patches: Arc::default(),
            key: Digest([key; 32]),
            span: 0..shown,
        };
        ModelInput { ids, positions, vision: vec![item] }
    }

    #[test]
    fn runs_are_in_order_and_within_the_limit() {
        let inputs = [
            input(1, 10, &[1, 2]),
            input(1, 10, &[1, 3, 4]),
            input(2, 10, &[1, 2]),
            input(2, 30, &[1]),
            input(2, 30, &[5, 6]),
        ];
        let inputs: Vec<_> = inputs.iter().collect();
        let check = |most, share, expected: &[(usize, usize)]| {
            let runs: Vec<_> = pack(&inputs, most, share).iter().map(|run| (run.start, run.end)).collect();
            assert_eq!(runs, expected, "{most} {share}");
        };
        check(1000, false, &[(0, 5)]);
        check(25, false, &[(0, 2), (2, 3), (3, 4), (4, 5)]);
        check(24, false, &[(0, 1), (1, 2), (2, 3), (3, 4), (4, 5)]);
        check(33, true, &[(0, 3), (3, 5)]);
        check(15, true, &[(0, 2), (2, 3), (3, 4), (4, 5)]);
        check(14, true, &[(0, 1), (1, 2), (2, 3), (3, 4), (4, 5)]);
        assert!(pack(&[], 10, true).is_empty());
    }
}
