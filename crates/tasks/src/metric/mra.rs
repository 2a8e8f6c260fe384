//! Mean relative accuracy: the share of ten tolerances within which a number is near enough to the true one. Two
//! published forms, which differ where an error equals a tolerance. What is not a number earns nothing.

/// Confidence thresholds 0.50, 0.55, …, 0.95; an error must stay within one minus each.
const STEPS: u32 = 10;

/// Video-R1's: the relative error is `|said - truth| / (|truth| + 1e-8)` and must be below a tolerance. Single
/// precision throughout, as there: it decides ties.
pub fn video_r1(said: f64, truth: f64) -> f64 {
    let (said, truth) = (said as f32, truth as f32);
    let error = (said - truth).abs() / (truth.abs() + 1e-8);
    share(|step| error < 1.0 - (0.5 + 0.05 * f64::from(step)) as f32)
}

/// The official one of VSI-Bench: `|said - truth| / truth`, which may equal a tolerance. A truth of 0 has no
/// relative error: only 0 itself is right.
pub fn vsi_bench(said: f64, truth: f64) -> f64 {
    if truth == 0.0 {
        return if said == 0.0 { 1.0 } else { 0.0 };
    }
    let error = ((said - truth) / truth).abs();
    // Ten even points from 0.5 to 0.95, rounded as numpy spaces them.
    let spacing = (0.95 - 0.5) / f64::from(STEPS - 1);
    share(|step| error <= 1.0 - (0.5 + f64::from(step) * spacing))
}

fn share(within: impl Fn(u32) -> bool) -> f64 {
    (0..STEPS).filter(|step| within(*step)).count() as f64 / f64::from(STEPS)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// From torch and numpy with the published formulas.
    #[test]
    fn both_forms() {
        let check = |said: f64, truth: f64, ours: f64, official: f64| {
            let found = (video_r1(said, truth), vsi_bench(said, truth));
            assert_eq!(found, (ours, official), "{said} {truth}");
        };
        check(15.0, 10.0, 0.0, 0.1);
        check(10.0, 10.0, 1.0, 1.0);
        check(0.0, 0.0, 1.0, 1.0);
        check(0.001, 0.0, 0.0, 0.0);
        check(5.0, 10.0, 0.0, 0.1);
        check(9.5, 10.0, 1.0, 1.0);
        check(9.0, 10.0, 0.9, 0.9);
        check(8.5, 10.0, 0.7, 0.8);
        check(14.5, 10.0, 0.1, 0.1);
        check(20.0, 10.0, 0.0, 0.0);
        check(12.0, 10.0, 0.6, 0.6);
        check(7.5, 10.0, 0.5, 0.6);
        check(3.0, 4.0, 0.5, 0.6);
        check(6.0, 10.0, 0.2, 0.3);
        check(13.0, 10.0, 0.4, 0.5);
        check(-10.0, -10.0, 1.0, 1.0);
        check(f64::NAN, 1.0, 0.0, 0.0);
        check(f64::INFINITY, 1.0, 0.0, 0.0);
    }

    proptest! {
        #[test]
        fn nearer_is_never_worse(truth in 0.1..1000.0f64, near in 0.0..1.0f64, more in 0.0..1.0f64) {
            for score in [video_r1, vsi_bench] {
                let (a, b) = (score(truth * (1.0 + near), truth), score(truth * (1.0 + near + more), truth));
                prop_assert!((0.0..=1.0).contains(&a) && a >= b);
            }
        }
    }
}
