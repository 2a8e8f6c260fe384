//! Where patches are: coordinates for the rotary embedding, segments for attention, and the window order of
//! Qwen2.5-VL. Integer arithmetic over one `[t, h, w]` grid; no numbers of the model.

use std::ops::Range;

/// Row and column of every patch, in the order patches arrive: merge window by merge window, the same for each
/// temporal slice. `[t*h*w]`
pub fn coordinates([t, h, w]: [usize; 3], merge: usize) -> Vec<[i32; 2]> {
    let mut slice = Vec::with_capacity(h * w);
    for row in (0..h).step_by(merge) {
        for column in (0..w).step_by(merge) {
            for inner_row in 0..merge {
                for inner_column in 0..merge {
                    slice.push([(row + inner_row) as i32, (column + inner_column) as i32]);
                }
            }
        }
    }
    slice.repeat(t)
}

/// The temporal slices, each of which attends to itself.
pub fn slices([t, h, w]: [usize; 3]) -> Vec<Range<usize>> {
    (0..t).map(|slice| slice * h * w..(slice + 1) * h * w).collect()
}

/// Patches grouped by attention window.
#[derive(Clone, Debug, PartialEq)]
pub struct Windows {
    /// Merge units in window order: position in the new order -> old position. `[t*h*w / merge²]`
    pub order: Vec<usize>,
    /// The windows in patches, in the new order.
    pub ranges: Vec<Range<usize>>,
}

impl Windows {
    /// Cuts each temporal slice into squares of `side` merge units; windows at the right and lower edge are
    /// smaller. `side` is `window_size / merge / patch_size`.
    pub fn new([t, h, w]: [usize; 3], merge: usize, side: usize) -> Windows {
        let (rows, columns) = (h / merge, w / merge);
        let mut order = Vec::with_capacity(t * rows * columns);
        let mut ranges = Vec::new();
        for slice in 0..t {
            for row in (0..rows).step_by(side) {
                for column in (0..columns).step_by(side) {
                    let start = order.len() * merge * merge;
                    for r in row..rows.min(row + side) {
                        for c in column..columns.min(column + side) {
                            order.push((slice * rows + r) * columns + c);
                        }
                    }
                    ranges.push(start..order.len() * merge * merge);
                }
            }
        }
        Windows { order, ranges }
    }

    /// Old position -> position in the new order.
    pub fn inverse(&self) -> Vec<usize> {
        let mut inverse = vec![0; self.order.len()];
        for (new, &old) in self.order.iter().enumerate() {
            inverse[old] = new;
        }
        inverse
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn patches_of_a_merge_window_are_neighbours() {
        assert_eq!(
            coordinates([1, 2, 4], 2),
            [[0, 0], [0, 1], [1, 0], [1, 1], [0, 2], [0, 3], [1, 2], [1, 3]]
        );
        assert_eq!(coordinates([3, 2, 2], 2).len(), 12);
    }

    #[test]
    fn windows_at_the_edge_are_smaller() {
        // 3 x 3 merge units in windows of 2 x 2, two temporal slices.
        let windows = Windows::new([2, 6, 6], 2, 2);
        assert_eq!(windows.order[..9], [0, 1, 3, 4, 2, 5, 6, 7, 8]);
        assert_eq!(windows.order[9..], [9, 10, 12, 13, 11, 14, 15, 16, 17]);
        let ends: Vec<usize> = windows.ranges.iter().map(|range| range.end).collect();
        assert_eq!(ends, [16, 24, 32, 36, 52, 60, 68, 72]);
    }

    proptest! {
        #[test]
        fn window_order_is_a_permutation(t in 1usize..4, h in 1usize..9, w in 1usize..9, side in 1usize..5) {
            let windows = Windows::new([t, 2 * h, 2 * w], 2, side);
            let inverse = windows.inverse();
            for (old, &new) in inverse.iter().enumerate() {
                prop_assert_eq!(windows.order[new], old);
            }
            prop_assert_eq!(windows.ranges[0].start, 0);
            prop_assert!(windows.ranges.windows(2).all(|pair| pair[0].end == pair[1].start));
            prop_assert_eq!(windows.ranges.last().unwrap().end, t * h * w * 4);
        }
    }
}
