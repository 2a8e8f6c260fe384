//! Which option a result names, read as a person would: `B`, `(B)`, `b.`, `B. chair`, `the answer is B`. The article
//! in "a chair" or "A chair" names nothing, nor does a text that names two options.

/// The option a result names, of so many; `None` if it names none, several, or one that is not there.
pub fn choice(result: &str, options: usize) -> Option<usize> {
    let text = result.trim();
    let found = leading(text).or_else(|| after_cue(text)).or_else(|| in_parentheses(text))?;
    (found < options).then_some(found)
}

/// The option a result names by its letter, or by the whole of its text.
pub fn choice_among<S: AsRef<str>>(result: &str, options: &[S]) -> Option<usize> {
    choice(result, options.len()).or_else(|| {
        let said = plain(result);
        let mut same =
            options.iter().enumerate().filter(|(_, option)| plain(unlettered(option.as_ref())) == said);
        let (index, _) = same.next().filter(|_| !said.is_empty())?;
        same.next().is_none().then_some(index)
    })
}

/// An option's text without its own letter: `A. cup` and `(A) cup` become `cup`.
fn unlettered(option: &str) -> &str {
    let bare = option.trim().trim_start_matches('(');
    let mut chars = bare.chars();
    match (chars.next(), chars.next()) {
        (Some(letter), Some('.' | ')' | ':')) if letter.is_ascii_alphabetic() => chars.as_str(),
        _ => option,
    }
}

fn plain(text: &str) -> String {
    text.trim().trim_end_matches(['.', '!']).trim().to_lowercase()
}

fn index(letter: char) -> usize {
    letter.to_ascii_uppercase() as usize - 'A' as usize
}

/// Marks that stand around a letter and mean nothing.
fn is_wrapping(c: char) -> bool {
    matches!(c, '(' | '[' | '{' | '*' | '"' | '\'' | '`' | '$') || c.is_whitespace()
}

/// A letter that opens the text.
fn leading(text: &str) -> Option<usize> {
    let bare = text.trim_start_matches(is_wrapping);
    let letter = bare.chars().next().filter(char::is_ascii_alphabetic)?;
    let rest = &bare[1..];
    let next = rest.chars().next();
    let ends = match next {
        None => true,
        Some('.' | ')' | ':' | ',' | ']' | '}' | '*' | '"' | '\'' | '`' | '$' | ';' | '\n') => true,
        // "B chair" names B; "A chair" and "I see" do not name anything; "b chair" is not how options are written.
        Some(c) if c.is_whitespace() => letter.is_ascii_uppercase() && !matches!(letter, 'A' | 'I'),
        _ => false,
    };
    // "e.g." and "I'd" begin words.
    let word =
        matches!(next, Some('.' | '\'')) && rest[1..].chars().next().is_some_and(char::is_alphanumeric);
    let apostrophe = next == Some('\'') && word;
    let abbreviation = next == Some('.') && rest[1..].contains('.') && word && letter.is_ascii_lowercase();
    (ends && !apostrophe && !abbreviation && !names_another(rest, letter)).then(|| index(letter))
}

/// Whether what follows a letter names a second option: `A, B`, `B or C`, `A and/or D`.
fn names_another(rest: &str, letter: char) -> bool {
    let mut words = rest
        .split(|c: char| c.is_whitespace() || matches!(c, ',' | '/' | '&' | '(' | ')' | '.' | '*'))
        .filter(|word| !word.is_empty())
        .skip_while(|word| word.eq_ignore_ascii_case("or") || word.eq_ignore_ascii_case("and"));
    let second = words.next().filter(|word| word.len() == 1).and_then(|word| word.chars().next());
    second.is_some_and(|c| {
        c.is_ascii_uppercase() && c != letter && (c != 'I' && c != 'A' || words.next().is_none())
    })
}

/// The letter after the last of the words that announce one.
fn after_cue(text: &str) -> Option<usize> {
    let lower = text.to_ascii_lowercase();
    let cues = ["answer", "option", "choice", "boxed"];
    let mut ends: Vec<usize> =
        cues.iter().flat_map(|cue| lower.match_indices(cue).map(|(at, cue)| at + cue.len())).collect();
    ends.sort_unstable();
    ends.into_iter().rev().find_map(|end| announced(&text[end..]))
}

fn announced(mut rest: &str) -> Option<usize> {
    loop {
        rest = rest.trim_start_matches(|c: char| is_wrapping(c) || matches!(c, ':' | '='));
        let filler =
            ["is", "would be", "should be", "must be", "option", "choice", "therefore", "the", "letter"]
                .into_iter()
                .find(|word| {
                    rest.get(..word.len()).is_some_and(|head| head.eq_ignore_ascii_case(word))
                        && !rest[word.len()..].starts_with(char::is_alphanumeric)
                });
        match filler {
            Some(word) => rest = &rest[word.len()..],
            None => break,
        }
    }
    let letter = rest.chars().next().filter(char::is_ascii_alphabetic)?;
    let after = &rest[1..];
    let stands_alone = match after.chars().next() {
        None => true,
        // "the answer is a chair"
        Some(c) if c.is_whitespace() => letter.is_ascii_uppercase() || after.trim().is_empty(),
        Some('\'' | '-' | '_') => false,
        Some(c) => !c.is_alphanumeric(),
    };
    (stands_alone && !names_another(after, letter)).then(|| index(letter))
}

/// The only capital that stands in parentheses by itself.
fn in_parentheses(text: &str) -> Option<usize> {
    let mut found = None;
    for (at, _) in text.match_indices('(') {
        let mut chars = text[at + 1..].chars();
        if let (Some(letter @ 'A'..='Z'), Some(')')) = (chars.next(), chars.next()) {
            if found.is_some_and(|before| before != letter) {
                return None;
            }
            found = Some(letter);
        }
    }
    found.map(index)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn letters_as_models_write_them() {
        let check = |text: &str, expect: &str| {
            let found = choice(text, 5).map(|i| (b'A' + i as u8) as char);
            assert_eq!(found, expect.chars().next(), "{text:?}");
        };
        for (text, expect) in [
            ("B", "B"),
            ("b", "B"),
            (" B\n", "B"),
            ("(B)", "B"),
            ("[B]", "B"),
            ("B.", "B"),
            ("B)", "B"),
            ("**B**", "B"),
            ("B. chair", "B"),
            ("(B) chair", "B"),
            ("B: on the plate", "B"),
            ("B chair", "B"),
            ("b. foo", "B"),
            ("A", "A"),
            ("a", "A"),
            ("A.", "A"),
            ("(A) behind", "A"),
            ("A. a cup", "A"),
            ("the answer is B", "B"),
            ("The answer is D", "D"),
            ("Answer: C", "C"),
            ("The correct answer is (C) red cup.", "C"),
            ("The answer is A because it is red.", "A"),
            ("the answer is b.", "B"),
            ("I think option C is right", "C"),
            ("\\boxed{D}", "D"),
            ("$B$", "B"),
            ("Hence, the correct answer is option **B**.", "B"),
            ("It must be (D).", "D"),
            ("answer is not sure; Answer: E", "E"),
            // Nothing is named.
            ("a chair", ""),
            ("A chair is there", ""),
            ("It's a dog", ""),
            ("I can't tell", ""),
            ("the answer is a chair", ""),
            ("Because", ""),
            ("Bowl", ""),
            ("", ""),
            ("()", ""),
            ("I'd say so", ""),
            ("F", ""),
            ("é", ""),
            ("e.g. a cup", ""),
            ("answer", ""),
            ("The man holds a cup", ""),
            ("the answer is I", ""),
            // Two are named.
            ("A, B", ""),
            ("B or C", ""),
            ("A and B", ""),
            ("either (A) or (B)", ""),
            ("answer: B or C", ""),
            ("A/B", ""),
        ] {
            check(text, expect);
        }
    }

    #[test]
    fn options_by_their_text() {
        let options = ["A. red cup", "(B) Blue cup", "green cup"];
        let check =
            |text: &str, expect: Option<usize>| assert_eq!(choice_among(text, &options), expect, "{text}");
        check("blue cup.", Some(1));
        check("Red Cup", Some(0));
        check("C", Some(2));
        check("a green cup", None);
        check("D", None);
        check("", None);
        assert_eq!(choice_among("cup", &["cup", "Cup"]), None, "two options say the same");
    }

    proptest! {
        #[test]
        fn no_text_panics(text in "\\PC{0,40}", options in 0..30usize) {
            prop_assert!(choice(&text, options).is_none_or(|found| found < options));
        }

        #[test]
        fn every_way_of_writing_a_letter_names_it(at in 0..8usize, form in 0..6usize) {
            let letter = (b'A' + at as u8) as char;
            let text = [
                format!("{letter}"), format!("({letter})"), format!("{letter}."), format!("{letter}. thing"),
                format!("the answer is {letter}"), format!("Answer: ({letter}) thing"),
            ][form].clone();
            prop_assert_eq!(choice(&text, 8), Some(at));
        }
    }
}
