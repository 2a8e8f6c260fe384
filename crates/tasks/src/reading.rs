//! Short results read as values: an option's letter, numbers. Tolerant of
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
    fn decimal_numbers() {
        assert_eq!(numbers("(1.50,3.00)"), [1.5, 3.0]);
        assert_eq!(numbers("[12, 3, 40, 60]"), [12.0, 3.0, 40.0, 60.0]);
        assert_eq!(numbers("no ... number"), [0.0; 0]);
    }
}
