//! The one comparator of the golden tests and its one table of tolerances, by stage and arithmetic.
//! It says how far apart two arrays are; it never decides which of them is right.

use std::fmt;

/// The arithmetic the actual values were computed in. The expected ones are always float32.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dtype {
    /// float32 throughout.
    F32,
    /// bfloat16 weights.
    Bf16,
}

/// How far apart is equal: `|actual - expected| <= absolute + relative * |expected|` for every element, and
/// `‖actual - expected‖ <= norm * ‖expected‖` for the whole.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Tolerance {
    /// Per element.
    pub absolute: f64,
    /// Per element, times the expected magnitude.
    pub relative: f64,
    /// Of the whole array.
    pub norm: f64,
}

/// Last word of a stage name, arithmetic, tolerance. A gradient element may stray by more than a thousandth of
/// itself where it is tiny, so gradients are held by their norm.
const TABLE: &[(&str, Dtype, Tolerance)] = &[
    ("pixel_values", Dtype::F32, tol(1e-6, 0.0, 1e-6)),
    ("embed", Dtype::F32, tol(1e-4, 1e-5, 1e-5)),
    ("block", Dtype::F32, tol(2e-4, 1e-4, 1e-4)),
    ("features", Dtype::F32, tol(2e-4, 1e-4, 1e-4)),
    ("embeds", Dtype::F32, tol(2e-4, 1e-4, 1e-4)),
    ("norm", Dtype::F32, tol(2e-4, 1e-4, 1e-4)),
    ("logits", Dtype::F32, tol(1e-3, 0.0, 1e-4)),
    ("vector", Dtype::F32, tol(1e-5, 0.0, 1e-5)),
    ("logprobs", Dtype::F32, tol(1e-3, 0.0, 1e-3)),
    ("scores", Dtype::F32, tol(1e-5, 1e-5, 1e-5)),
    ("loss", Dtype::F32, tol(1e-4, 0.0, 1e-4)),
    ("gradient", Dtype::F32, tol(f64::INFINITY, 0.0, 1e-3)),
    ("second_per_grid_ts", Dtype::F32, tol(0.0, 0.0, 0.0)),
    ("times", Dtype::F32, tol(1e-6, 0.0, 1e-6)),
    ("block", Dtype::Bf16, tol(0.25, 0.05, 0.02)),
    ("features", Dtype::Bf16, tol(0.25, 0.05, 0.02)),
    ("logits", Dtype::Bf16, tol(0.7, 0.0, 0.02)),
    ("loss", Dtype::Bf16, tol(0.1, 0.0, 0.02)),
];

const fn tol(absolute: f64, relative: f64, norm: f64) -> Tolerance {
    Tolerance { absolute, relative, norm }
}

/// The tolerance of a stage such as `text.block.1` or `logits`: by its last word (dots and spaces divide) that is not a number.
pub fn tolerance(stage: &str, dtype: Dtype) -> Tolerance {
    let word = stage.rsplit(['.', ' ']).find(|word| word.parse::<usize>().is_err()).unwrap_or(stage);
    let found = TABLE.iter().find(|(name, kind, _)| *name == word && *kind == dtype);
    found.unwrap_or_else(|| panic!("golden: no tolerance for {word} in {dtype:?}; add a row to close.rs")).2
}

/// How two arrays differ.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Comparison {
    /// Largest difference of an element.
    pub max_abs: f64,
    /// Norm of the difference over norm of the expected array (0 when both are zero).
    pub relative: f64,
    /// Cosine of the angle between the arrays (1 when both are zero).
    pub cosine: f64,
    /// First element out of tolerance or not a number.
    pub first_bad: Option<usize>,
}

/// Two arrays that differ by more than the tolerance. `Debug` prints the same line as `Display`, for `unwrap`.
#[derive(Clone, PartialEq)]
pub struct Mismatch(String);

impl fmt::Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Mismatch {}

/// Compares with the float32 tolerance of `stage`.
pub fn close(stage: &str, actual: &[f32], expected: &[f32]) -> Result<Comparison, Mismatch> {
    close_in(Dtype::F32, stage, actual, expected)
}

/// Compares with the tolerance of `stage` in the given arithmetic.
pub fn close_in(dtype: Dtype, stage: &str, actual: &[f32], expected: &[f32]) -> Result<Comparison, Mismatch> {
    if actual.len() != expected.len() {
        return Err(Mismatch(format!("{stage}: {} values, expected {}", actual.len(), expected.len())));
    }
    let limit = tolerance(stage, dtype);
    let found = compare(actual, expected, limit);
    if found.first_bad.is_none() && found.relative <= limit.norm {
        return Ok(found);
    }
    let place = match found.first_bad {
        Some(i) => format!("first bad index {i}: {} instead of {}", actual[i], expected[i]),
        None => "every element within its own tolerance".to_owned(),
    };
    Err(Mismatch(format!(
        "{stage} ({dtype:?}): max abs {:.3e} (limit {:.1e} + {:.1e} relative), relative {:.3e} (limit {:.1e}), cosine {:.9}, {place}",
        found.max_abs, limit.absolute, limit.relative, found.relative, limit.norm, found.cosine
    )))
}

fn compare(actual: &[f32], expected: &[f32], limit: Tolerance) -> Comparison {
    let (mut max_abs, mut difference, mut size, mut other, mut product) = (0f64, 0f64, 0f64, 0f64, 0f64);
    let mut first_bad = None;
    for (i, (&a, &e)) in actual.iter().zip(expected).enumerate() {
        let (a, e) = (f64::from(a), f64::from(e));
        // Equal infinities (masked scores) differ by nothing.
        let gap = if a == e { 0.0 } else { (a - e).abs() };
        let within = gap <= limit.absolute + limit.relative * e.abs() && !gap.is_nan();
        if !within && first_bad.is_none() {
            first_bad = Some(i);
        }
        max_abs = if gap.is_nan() { f64::NAN } else { max_abs.max(gap) };
        difference += gap * gap;
        if a.is_finite() && e.is_finite() {
            size += e * e;
            other += a * a;
            product += a * e;
        }
    }
    let relative = if difference == 0.0 { 0.0 } else { (difference / size.max(f64::MIN_POSITIVE)).sqrt() };
    let cosine = if size == 0.0 && other == 0.0 {
        1.0
    } else {
        product / (size * other).sqrt().max(f64::MIN_POSITIVE)
    };
    Comparison { max_abs, relative, cosine, first_bad }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(stage: &str, actual: &[f32], expected: &[f32], holds: bool) {
        let found = close(stage, actual, expected);
        assert_eq!(found.is_ok(), holds, "{stage}: {found:?}");
    }

    #[test]
    fn equal_enough_passes_and_anything_else_fails() {
        check("logits", &[1.0, 2.0], &[1.0, 2.0001], true);
        check("logits", &[1.0, 2.0], &[1.0, 2.01], false);
        check("logits", &[1.0], &[1.0, 2.0], false);
        check("logits", &[f32::NAN, 2.0], &[1.0, 2.0], false);
        check("logits", &[1.0, 2.0], &[f32::NAN, 2.0], false);
        check("logits", &[f32::INFINITY, 2.0], &[1.0, 2.0], false);
        check("logits", &[0.0, 0.0], &[0.0, 0.0], true);
        check("scores", &[f32::NEG_INFINITY, 2.0], &[f32::NEG_INFINITY, 2.0], true);
        check("scores", &[f32::NEG_INFINITY, 2.0], &[-1e9, 2.0], false);
        check("text.block.1", &[100.0], &[100.005], true);
        check("pixel_values", &[1.5], &[1.50001], false);
        check("gradient", &[1e-3, 1.0], &[2e-4, 1.0], true);
        check("gradient", &[1e-3, 1.01], &[2e-4, 1.0], false);
        check("gradient", &[1e-9], &[0.0], false);
    }

    #[test]
    fn the_message_names_stage_size_and_place() {
        let message = close("logits", &[1.0, 5.0], &[1.0, 2.0]).unwrap_err().to_string();
        for part in ["logits", "3.000e0", "first bad index 1: 5 instead of 2", "cosine"] {
            assert!(message.contains(part), "{part} is not in: {message}");
        }
    }

    #[test]
    #[should_panic(expected = "no tolerance for nonsense")]
    fn an_unknown_stage_is_refused() {
        let _ = close("nonsense", &[], &[]);
    }
}
