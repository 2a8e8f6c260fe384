//! Options that a file keeps inside the text of its question: `A. the cup, B. the bowl`, one to a line or one after
//! the other. Only an unbroken run of letters from A counts; where there is none, there are no options.

/// The text before the options, and the options without their letters.
pub(super) fn split(text: &str) -> Option<(String, Vec<String>)> {
    let mut starts: Vec<(usize, usize)> = Vec::new();
    let mut from = 0;
    for letter in 'A'..='Z' {
        let Some((mark, end)) = marker(text, from, letter) else { break };
        starts.push((mark, end));
        from = end;
    }
    let first = starts.first()?.0;
    let ends = starts.iter().skip(1).map(|(mark, _)| *mark).chain([text.len()]);
    let options = starts.iter().zip(ends).map(|((_, start), end)| {
        let option = text[*start..end].trim();
        // The comma that led to the next letter is not part of the words.
        option.strip_suffix([',', ';']).unwrap_or(option).trim().to_owned()
    });
    Some((text[..first].trim().to_owned(), options.collect()))
}

/// Where a letter's mark begins and its words do: `A.`, `A)`, `A:`, `(A)`, in either case, after a space or at the
/// beginning. The last option may end in words that look like the next letter; nothing can tell.
fn marker(text: &str, from: usize, letter: char) -> Option<(usize, usize)> {
    let mut at = from;
    while let Some(found) = text[at..].find([letter, letter.to_ascii_lowercase()]) {
        let place = at + found;
        let before = text[..place].chars().next_back();
        let after = text[place + 1..].chars().next();
        let opened = before == Some('(');
        let mark = if opened { place - 1 } else { place };
        let free =
            text[..mark].chars().next_back().is_none_or(|c| c.is_whitespace() || matches!(c, ',' | ';'));
        let capital = text[place..].starts_with(letter);
        let closed = match after {
            Some(')') => capital || opened,
            Some('.' | ':') => capital && !opened,
            _ => false,
        };
        if free && closed && mark >= from {
            return Some((mark, place + 2));
        }
        at = place + 1;
    }
    None
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn options_are_found_in_the_ways_files_write_them() {
        let check = |text: &str, expect: Option<(&str, &[&str])>| {
            let found = split(text);
            let found = found.as_ref().map(|(stem, options)| {
                (stem.as_str(), options.iter().map(String::as_str).collect::<Vec<_>>())
            });
            assert_eq!(found, expect.map(|(stem, options)| (stem, options.to_vec())), "{text:?}");
        };
        check("A. a cup, B. a bowl, C. tea, or two", Some(("", &["a cup", "a bowl", "tea, or two"])));
        check("Which?\nA: left\nB: right", Some(("Which?", &["left", "right"])));
        check("(A) yes\n(B) no", Some(("", &["yes", "no"])));
        check("(a) Open (b) Closed", Some(("", &["Open", "Closed"])));
        check("A)x B)y", Some(("", &["x", "y"])));
        check("A.x,B.y", Some(("", &["x", "y"])));
        check("A. wooden door", Some(("", &["wooden door"])));
        check("A. one C. three", Some(("", &["one C. three"])));
        check("A. , B. two", Some(("", &["", "two"])));
        check("Is it a. b. or c.?", None);
        check("B. only", None);
        check("Vitamin A is good.", None);
        check("", None);
    }

    proptest! {
        #[test]
        fn any_text_is_split_or_not(text in "[A-Da-d().:, é\n]{0,40}") {
            if let Some((_, options)) = split(&text) {
                prop_assert!(!options.is_empty() && options.len() <= 26);
            }
        }
    }
}
