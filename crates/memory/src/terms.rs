//! Words of a text as a full-text index knows them: lower case, accents off, function words left out. Scripts written
//! without spaces give single characters and pairs. Changing what this file gives makes stored indexes wrong: raise
//! [`TERMS_VERSION`] with it, and stores make theirs again.

/// Version of the rules of this file and of [`crate::stem()`].
pub const TERMS_VERSION: u32 = 1;

/// Letters of a longer word are left out.
const LONGEST_TERM: usize = 48;

/// English words that say nothing about what happened.
const FUNCTION_WORDS: &str = " a about again all am an and any are as at be been but by c can could d did do does for from \
had has have he her here him his how i if in into is it its just ll m me my of on or our out re s she so t than that the \
their them then there these they this those to too over during within up us ve was we were what when where which who whom whose why will with \
would you your ";

/// Whether a lower-case word is a function word.
pub(crate) fn is_function_word(word: &str) -> bool {
    // Words never hold spaces, so surrounding ones make it a whole-word search.
    let mut padded = String::with_capacity(word.len() + 2);
    padded.push(' ');
    padded.push_str(word);
    padded.push(' ');
    word.len() <= 6 && FUNCTION_WORDS.contains(&padded)
}

/// All words of a text in order, function words included.
pub(crate) fn words(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut word = String::new();
    let mut previous_wide: Option<char> = None;
    let flush = |word: &mut String, found: &mut Vec<String>| {
        if !word.is_empty() {
            found.push(std::mem::take(word));
        }
    };
    let mut letters = text.chars().peekable();
    while let Some(letter) = letters.next() {
        if is_wide(letter) {
            flush(&mut word, &mut found);
            if let Some(previous) = previous_wide {
                found.push([previous, letter].iter().collect());
            }
            found.push(letter.into());
            previous_wide = Some(letter);
            continue;
        }
        previous_wide = None;
        if letter.is_alphanumeric() {
            for low in letter.to_lowercase() {
                match fold(low) {
                    Some(plain) => word.push_str(plain),
                    None if low.is_alphanumeric() => word.push(low),
                    None => {}
                }
            }
            while word.len() > LONGEST_TERM {
                word.pop();
            }
        } else if matches!(letter, '\'' | '\u{2019}') && !word.is_empty() {
            // "Jake's" is a word about Jake; "don't" is one word.
            let mut ahead = letters.clone();
            let of =
                matches!(ahead.next(), Some('s' | 'S')) && ahead.next().is_none_or(|c| !c.is_alphanumeric());
            if of {
                letters.next();
                flush(&mut word, &mut found);
            }
        } else if !('\u{300}'..='\u{36f}').contains(&letter) {
            flush(&mut word, &mut found);
        }
    }
    flush(&mut word, &mut found);
    found
}

/// The words of a text that a search looks for, in order, repeated ones repeated.
pub fn terms(text: &str) -> Vec<String> {
    let mut found = words(text);
    found.retain(|word| !is_function_word(word));
    found
}

/// Scripts without spaces between words: Han, kana, Hangul.
fn is_wide(letter: char) -> bool {
    matches!(letter, '\u{3040}'..='\u{30ff}' | '\u{3400}'..='\u{4dbf}' | '\u{4e00}'..='\u{9fff}' | '\u{ac00}'..='\u{d7af}' | '\u{20000}'..='\u{2fa1f}')
}

/// A Latin letter without its accent.
fn fold(letter: char) -> Option<&'static str> {
    const FOLDED: &[(&str, &str)] = &[
        ("àáâãäåāăą", "a"),
        ("çćĉċč", "c"),
        ("ďđð", "d"),
        ("èéêëēĕėęě", "e"),
        ("ĝğġģ", "g"),
        ("ĥħ", "h"),
        ("ìíîïĩīĭįı", "i"),
        ("ĵ", "j"),
        ("ķ", "k"),
        ("ĺļľŀł", "l"),
        ("ñńņň", "n"),
        ("òóôõöøōŏő", "o"),
        ("ŕŗř", "r"),
        ("śŝşšș", "s"),
        ("ţťŧț", "t"),
        ("ùúûüũūŭůűų", "u"),
        ("ŵ", "w"),
        ("ýÿŷ", "y"),
        ("źżž", "z"),
        ("æ", "ae"),
        ("œ", "oe"),
        ("ß", "ss"),
        ("þ", "th"),
    ];
    if letter.is_ascii() {
        return None;
    }
    FOLDED.iter().find(|(from, _)| from.contains(letter)).map(|(_, to)| *to)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn texts_become_terms() {
        for (text, expect) in [
            ("Where did I put the red cup?", "put red cup"),
            ("49:#C C takes scissors", "49 takes scissors"),
            ("Jake's keys, don't move!", "jake keys dont move"),
            ("Crème brûlée in the CAFÉ", "creme brulee cafe"),
            ("cafe\u{301}", "cafe"),
            ("她拿剪刀", "她 她拿 拿 拿剪 剪 剪刀 刀"),
            ("用USB线", "用 usb 线"),
            ("\"AND\" OR* NEAR(x) -y ^z", "near x y z"),
            ("", ""),
            ("...", ""),
        ] {
            assert_eq!(terms(text).join(" "), expect, "{text:?}");
        }
        assert_eq!(terms(&"x".repeat(200)), ["x".repeat(LONGEST_TERM)]);
    }

    proptest! {
        #[test]
        fn terms_are_never_empty_and_read_back_as_themselves(text in any::<String>()) {
            for term in words(&text).into_iter().filter(|term| !term.chars().any(is_wide)) {
                prop_assert!(!term.is_empty() && term.len() <= LONGEST_TERM);
                prop_assert_eq!(words(&term), vec![term.clone()]);
            }
        }
    }
}
