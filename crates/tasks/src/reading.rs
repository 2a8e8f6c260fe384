//! Short results read as values: an option's letter, numbers, and how much intervals and boxes overlap. Tolerant of
//! how models write them; what counts as right is the caller's decision.

/// The option a result names: `B`, `(B)`, `B.`, `(B) red cup`; never a word that begins with a capital.
pub fn letter(result: &str) -> Option<usize> {
    let mut letters = result.trim().trim_start_matches('(').chars();
    let first = letters.next().filter(char::is_ascii_uppercase)?;
    match letters.next() {
        Some(next) if next.is_alphanumeric() => None,
        _ => Some(first as usize - 'A' as usize),
    }
}

/// Every decimal number of a text, without its sign.
pub fn numbers(text: &str) -> Vec<f64> {
    text.split(|c: char| !c.is_ascii_digit() && c != '.').filter_map(|piece| piece.parse().ok()).collect()
}

/// Intersection over union of two intervals `[start, end]`.
pub fn interval_overlap(a: [f64; 2], b: [f64; 2]) -> f64 {
    let shared = a[1].min(b[1]) - a[0].max(b[0]);
    let union = a[1].max(b[1]) - a[0].min(b[0]);
    if shared > 0.0 && union > 0.0 { shared / union } else { 0.0 }
}

/// Intersection over union of two boxes `[x1, y1, x2, y2]`.
pub fn box_overlap(a: [f64; 4], b: [f64; 4]) -> f64 {
    let area = |[x1, y1, x2, y2]: [f64; 4]| (x2 - x1).max(0.0) * (y2 - y1).max(0.0);
    let shared = area([a[0].max(b[0]), a[1].max(b[1]), a[2].min(b[2]), a[3].min(b[3])]);
    let union = area(a) + area(b) - shared;
    if union > 0.0 { shared / union } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters() {
        let check = |text: &str, expected: Option<usize>| assert_eq!(letter(text), expected, "{text}");
        check("B", Some(1));
        check(" (C) red cup", Some(2));
        check("A. a cup", Some(0));
        check("Bowl", None);
        check("b", None);
        check("", None);
    }

    #[test]
    fn numbers_and_overlaps() {
        assert_eq!(numbers("(1.50,3.00)"), [1.5, 3.0]);
        assert_eq!(numbers("[12, 3, 40, 60]"), [12.0, 3.0, 40.0, 60.0]);
        assert_eq!(numbers("no ... number"), [0.0; 0]);
        assert_eq!(interval_overlap([0.0, 2.0], [1.0, 3.0]), 1.0 / 3.0);
        assert_eq!(interval_overlap([0.0, 1.0], [2.0, 3.0]), 0.0);
        assert_eq!(box_overlap([0.0, 0.0, 2.0, 2.0], [1.0, 0.0, 3.0, 2.0]), 1.0 / 3.0);
        assert_eq!(box_overlap([5.0, 5.0, 1.0, 1.0], [0.0, 0.0, 2.0, 2.0]), 0.0);
    }
}
