//! How much boxes and spans of time overlap, and what a set of overlaps says of a model. Boxes are
//! `[x1, y1, x2, y2]`, spans `[start, end]`, in any one unit. The box measures ending in `_published` keep the
//! arithmetic of the published code for boxes that are turned inside out or larger than floating point; the others
//! take such a box for an empty one.

use std::f64::consts::PI;

/// Intersection over union of two spans of time; 0 for spans that do not meet or have no length.
pub fn interval_overlap(a: [f64; 2], b: [f64; 2]) -> f64 {
    let shared = a[1].min(b[1]) - a[0].max(b[0]);
    let union = a[1].max(b[1]) - a[0].min(b[0]);
    if shared > 0.0 && union > 0.0 { shared / union } else { 0.0 }
}

/// Intersection over union of two boxes, 0 to 1.
pub fn box_overlap(a: [f64; 4], b: [f64; 4]) -> f64 {
    let area = |[x1, y1, x2, y2]: [f64; 4]| (x2 - x1).max(0.0) * (y2 - y1).max(0.0);
    let shared = area(shared(a, b));
    let union = area(a) + area(b) - shared;
    if union > 0.0 { shared / union } else { 0.0 }
}

/// Intersection over union as SpatialThinker computes it: sides may be negative, and so may the result.
pub fn box_overlap_published(a: [f64; 4], b: [f64; 4]) -> f64 {
    let (shared, union) = shared_and_union(a, b);
    if union == 0.0 { 0.0 } else { shared / union }
}

/// Generalised IoU (Rezatofighi et al. 2019), -1 to 1: the overlap less the empty share of the box around both.
pub fn generalised_overlap(a: [f64; 4], b: [f64; 4]) -> f64 {
    let (shared, union) = shared_and_union(a, b);
    let [width, height] = sides(around(a, b));
    let overlap = if union > 0.0 { shared / union } else { 0.0 };
    if width * height == 0.0 { overlap } else { overlap - (width * height - union) / (width * height) }
}

/// Generalised IoU mapped to 0..1 as SpatialThinker does, which leaves it unmapped where the box around both has no
/// area.
pub fn generalised_overlap_published(a: [f64; 4], b: [f64; 4]) -> f64 {
    let generalised = generalised_overlap(a, b);
    let [width, height] = sides(around(a, b));
    if width * height == 0.0 { generalised } else { (generalised + 1.0) / 2.0 }
}

/// A box with what every comparison of it needs.
#[derive(Clone, Copy, Debug)]
pub struct Shape {
    bounds: [f64; 4],
    area: f64,
    centre: [f64; 2],
    slope: f64,
    margin: f64,
}

impl Shape {
    /// Prepares a box. `margin` is added to lengths and areas that are divided by: 0, or the published 1e-7.
    pub fn new(bounds: [f64; 4], margin: f64) -> Shape {
        let [width, height] = sides(bounds);
        let divisor = height + margin;
        Shape {
            bounds,
            area: width * height,
            centre: [(bounds[0] + bounds[2]) / 2.0, (bounds[1] + bounds[3]) / 2.0],
            slope: if divisor == 0.0 { f64::NAN } else { (width / divisor).atan() },
            margin,
        }
    }

    /// Intersection over union of the two boxes.
    pub fn overlap(&self, other: &Shape) -> f64 {
        box_overlap(self.bounds, other.bounds)
    }

    /// Complete IoU (Zheng et al. 2020), at most 1: the overlap, less the squared distance of the centres over the
    /// squared diagonal of the box around both, less a term for unlike proportions. No number where the published
    /// code divides by zero or overflows, and no finite one for most boxes with infinite corners.
    pub fn complete_overlap(&self, other: &Shape) -> f64 {
        let [width, height] = sides(shared(self.bounds, other.bounds));
        let shared = width.max(0.0) * height.max(0.0);
        let overlap = shared / (self.area + other.area - shared + self.margin);
        let away = square(self.centre[0] - other.centre[0]) + square(self.centre[1] - other.centre[1]);
        let [width, height] = sides(around(self.bounds, other.bounds));
        let diagonal = square(width) + square(height) + self.margin;
        let unlike = 4.0 / (PI * PI) * square(other.slope - self.slope);
        let whole = (1.0 - overlap) + unlike;
        let share = if whole == 0.0 { 0.0 } else { unlike / whole };
        overlap - (away / diagonal + share * unlike)
    }

    /// Complete IoU mapped to 0..1 as SpatialThinker does: boxes apart still have about 0.3.
    pub fn complete_overlap_published(&self, other: &Shape) -> f64 {
        (self.complete_overlap(other) + 1.0) / 2.0
    }
}

/// Mean overlap of a set (mIoU); an answer without a box or span counts as 0. `None` of an empty set.
pub fn mean_overlap(overlaps: &[f64]) -> Option<f64> {
    (!overlaps.is_empty()).then(|| overlaps.iter().sum::<f64>() / overlaps.len() as f64)
}

/// Share of a set with an overlap of at least `threshold` (R1@IoU; 0.3, 0.5 and 0.7 are usual). `None` of an empty
/// set.
pub fn recall(overlaps: &[f64], threshold: f64) -> Option<f64> {
    let found = overlaps.iter().filter(|&&overlap| overlap >= threshold).count();
    (!overlaps.is_empty()).then(|| found as f64 / overlaps.len() as f64)
}

/// Share of items with such an overlap among their first `k` answers (Rk@IoU), best answer first.
pub fn recall_at(k: usize, ranked: &[Vec<f64>], threshold: f64) -> Option<f64> {
    let best: Vec<f64> =
        ranked.iter().map(|answers| answers.iter().take(k).copied().fold(0.0, f64::max)).collect();
    recall(&best, threshold)
}

/// No number where Python's power overflows; an infinite number has an infinite square there too.
fn square(x: f64) -> f64 {
    let square = x * x;
    if square.is_infinite() && x.is_finite() { f64::NAN } else { square }
}

fn sides([x1, y1, x2, y2]: [f64; 4]) -> [f64; 2] {
    [x2 - x1, y2 - y1]
}

fn shared(a: [f64; 4], b: [f64; 4]) -> [f64; 4] {
    [a[0].max(b[0]), a[1].max(b[1]), a[2].min(b[2]), a[3].min(b[3])]
}

fn around(a: [f64; 4], b: [f64; 4]) -> [f64; 4] {
    [a[0].min(b[0]), a[1].min(b[1]), a[2].max(b[2]), a[3].max(b[3])]
}

/// Areas with their signs.
fn shared_and_union(a: [f64; 4], b: [f64; 4]) -> (f64, f64) {
    let area = |bounds| sides(bounds).into_iter().product::<f64>();
    let [width, height] = sides(shared(a, b));
    let shared = width.max(0.0) * height.max(0.0);
    (shared, area(a) + area(b) - shared)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn mapped(a: [f64; 4], b: [f64; 4]) -> f64 {
        Shape::new(a, 1e-7).complete_overlap_published(&Shape::new(b, 1e-7))
    }

    #[test]
    fn spans_and_boxes() {
        assert_eq!(interval_overlap([0.0, 2.0], [1.0, 3.0]), 1.0 / 3.0);
        assert_eq!(interval_overlap([0.0, 1.0], [2.0, 3.0]), 0.0);
        assert_eq!(interval_overlap([1.0, 1.0], [1.0, 1.0]), 0.0);
        assert_eq!(box_overlap([0.0, 0.0, 2.0, 2.0], [1.0, 0.0, 3.0, 2.0]), 1.0 / 3.0);
        assert_eq!(box_overlap([5.0, 5.0, 1.0, 1.0], [0.0, 0.0, 2.0, 2.0]), 0.0);
    }

    #[test]
    fn complete_overlaps_are_the_published_ones() {
        let truth = [0.1, 0.1, 0.4, 0.5];
        let check = |bounds: [f64; 4], expect: f64| {
            let value = mapped(bounds, truth);
            assert!((value - expect).abs() < 6e-7, "{bounds:?}: {value}, not {expect}");
        };
        check(truth, 0.999_999_6);
        check([0.6, 0.6, 0.9, 0.9], 0.323_209);
        check([0.0, 0.0, 1.0, 1.0], 0.534_338);
        check([0.4, 0.5, 0.1, 0.1], 0.5);
        check([0.1, 0.5, 0.4, 0.1], 0.365_181);
        check([0.2; 4], 0.462_941);
        check([1000.0, 1000.0, 1001.0, 1001.0], 0.000_641);
        check([-5.0, -5.0, 5.0, 5.0], 0.500_186);
        for beyond in [[f64::NAN, 0.0, 1.0, 1.0], [0.0, 0.0, f64::INFINITY, 1.0], [0.0, 0.0, 1e200, 1.0]] {
            assert!(mapped(beyond, truth).is_nan(), "{beyond:?}");
        }
        assert_eq!(mapped([0.0, f64::INFINITY, 1.0, 1.0], truth), -f64::INFINITY);
    }

    #[test]
    fn generalised_overlaps_are_the_published_ones() {
        let unit = [0.0, 0.0, 1.0, 1.0];
        let check = |bounds: [f64; 4], expect: f64| {
            let value = generalised_overlap_published(bounds, unit);
            assert!((value - expect).abs() < 1e-12, "{bounds:?}: {value}, not {expect}");
        };
        check(unit, 1.0);
        check([2.0, 0.0, 3.0, 1.0], 1.0 / 3.0);
        check([0.0, 0.0, 2.0, 1.0], 0.75);
        assert_eq!(generalised_overlap_published([0.0; 4], [0.0; 4]), 0.0);
        assert_eq!(box_overlap_published([1.0, 0.0, 0.0, 1.0], unit), 0.0);
        assert_eq!(box_overlap_published([1.0, 1.0, 0.0, 0.0], [0.0, 0.0, 2.0, 2.0]), 0.0);
        assert_eq!(box_overlap_published([0.0, 0.0, 1.0, 2.0], unit), 0.5);
    }

    #[test]
    fn sets_of_overlaps() {
        assert_eq!(mean_overlap(&[0.0, 0.5, 1.0]), Some(0.5));
        assert_eq!(recall(&[0.0, 0.5, 1.0, 0.3], 0.5), Some(0.5));
        assert_eq!((mean_overlap(&[]), recall(&[], 0.5)), (None, None));
        let ranked = vec![vec![0.1, 0.9], vec![0.6], vec![]];
        assert_eq!(recall_at(1, &ranked, 0.5), Some(1.0 / 3.0));
        assert_eq!(recall_at(2, &ranked, 0.5), Some(2.0 / 3.0));
    }

    fn corners() -> impl Strategy<Value = [f64; 4]> {
        (prop::array::uniform2(0.0..1.0f64), prop::array::uniform2(0.01..1.0f64))
            .prop_map(|([x, y], [width, height])| [x, y, x + width, y + height])
    }

    proptest! {
        #[test]
        fn box_measures_are_bounded_symmetric_and_ordered(a in corners(), b in corners()) {
            let (plain, general) = (box_overlap(a, b), generalised_overlap(a, b));
            let complete = Shape::new(a, 0.0).complete_overlap(&Shape::new(b, 0.0));
            prop_assert!((0.0..=1.0).contains(&plain));
            prop_assert!((-1.0..=plain + 1e-12).contains(&general));
            prop_assert!((-2.0..=plain + 1e-12).contains(&complete));
            prop_assert!((box_overlap_published(a, b) - plain).abs() < 1e-12);
            prop_assert!((mapped(a, b) - (complete + 1.0) / 2.0).abs() < 1e-3);
            prop_assert_eq!(plain, box_overlap(b, a));
            prop_assert_eq!(general, generalised_overlap(b, a));
            prop_assert_eq!(mapped(a, b), mapped(b, a));
            prop_assert!((Shape::new(a, 0.0).complete_overlap(&Shape::new(a, 0.0)) - 1.0).abs() < 1e-12);
        }

        #[test]
        fn moving_away_never_helps(a in corners(), step in 0.0..1.0f64, further in 0.0..1.0f64) {
            let moved = |by: f64| [a[0] + by, a[1], a[2] + by, a[3]];
            let (near, far) = (moved(step), moved(step + further));
            prop_assert!(mapped(a, near) >= mapped(a, far) - 1e-12);
            prop_assert!(box_overlap(a, near) >= box_overlap(a, far) - 1e-12);
        }

        #[test]
        fn recall_falls_with_the_threshold(overlaps in prop::collection::vec(0.0..1.0f64, 1..9), low in 0.0..1.0f64, step in 0.0..1.0f64) {
            prop_assert!(recall(&overlaps, low) >= recall(&overlaps, low + step));
        }
    }
}
