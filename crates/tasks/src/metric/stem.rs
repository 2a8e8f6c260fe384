//! Porter's stemmer (M. F. Porter, "An algorithm for suffix stripping", 1980) with the departures NLTK makes by default,
//! because published ROUGE scores depend on them. Lower-case ASCII words only; anything else is returned as it is.

/// The stem of a lower-case word.
pub(crate) fn stem(word: &str) -> String {
    if let Some(irregular) = irregular(word) {
        return irregular.to_owned();
    }
    if word.len() <= 2 || !word.is_ascii() {
        return word.to_owned();
    }
    let steps = [plural, past, final_y, double_suffix, single_suffix, bare_suffix, final_e, final_ll];
    steps.into_iter().fold(word.to_owned(), |word, step| step(&word))
}

/// Words that NLTK answers from a table.
fn irregular(word: &str) -> Option<&'static str> {
    Some(match word {
        "sky" | "skies" => "sky",
        "dying" => "die",
        "lying" => "lie",
        "tying" => "tie",
        "news" => "news",
        "inning" | "innings" => "inning",
        "outing" | "outings" => "outing",
        "canning" | "cannings" => "canning",
        "howe" => "howe",
        "proceed" => "proceed",
        "exceed" => "exceed",
        "succeed" => "succeed",
        _ => return None,
    })
}

/// Per letter, whether it is a consonant. A `y` is one at the start and after a vowel.
fn consonants(word: &str) -> Vec<bool> {
    let mut found: Vec<bool> = Vec::with_capacity(word.len());
    for (at, letter) in word.bytes().enumerate() {
        found.push(match letter {
            b'a' | b'e' | b'i' | b'o' | b'u' => false,
            b'y' => at == 0 || !found[at - 1],
            _ => true,
        });
    }
    found
}

/// How often a vowel is followed by a consonant: Porter's m.
fn measure(stem: &str) -> usize {
    consonants(stem).windows(2).filter(|pair| !pair[0] && pair[1]).count()
}

fn has_vowel(stem: &str) -> bool {
    consonants(stem).contains(&false)
}

fn ends_double_consonant(word: &str) -> bool {
    let bytes = word.as_bytes();
    matches!(bytes, [.., a, b] if a == b) && consonants(word).last() == Some(&true)
}

/// Consonant, vowel, consonant other than w, x, y; NLTK adds two-letter words of vowel and consonant.
fn ends_short(word: &str) -> bool {
    match consonants(word)[..] {
        [false, true] => true,
        [.., true, false, true] => !word.ends_with(['w', 'x', 'y']),
        _ => false,
    }
}

/// The first rule whose suffix fits decides, whether or not its condition holds.
fn apply(word: &str, rules: &[(&str, &str)], condition: impl Fn(&str) -> bool) -> String {
    for (suffix, replacement) in rules {
        if let Some(stem) = word.strip_suffix(suffix) {
            return if condition(stem) { format!("{stem}{replacement}") } else { word.to_owned() };
        }
    }
    word.to_owned()
}

/// Step 1a.
fn plural(word: &str) -> String {
    if word.len() == 4 && word.ends_with("ies") {
        return word[..3].to_owned();
    }
    apply(word, &[("sses", "ss"), ("ies", "i"), ("ss", "ss"), ("s", "")], |_| true)
}

/// Step 1b.
fn past(word: &str) -> String {
    if let Some(stem) = word.strip_suffix("ied") {
        return format!("{stem}{}", if word.len() == 4 { "ie" } else { "i" });
    }
    if let Some(stem) = word.strip_suffix("eed") {
        return if measure(stem) > 0 { format!("{stem}ee") } else { word.to_owned() };
    }
    let Some(stem) =
        ["ed", "ing"].iter().find_map(|suffix| word.strip_suffix(suffix).filter(|stem| has_vowel(stem)))
    else {
        return word.to_owned();
    };
    if ["at", "bl", "iz"].iter().any(|end| stem.ends_with(end)) {
        return format!("{stem}e");
    }
    if ends_double_consonant(stem) {
        let keeps = stem.ends_with(['l', 's', 'z']);
        return stem[..stem.len() - usize::from(!keeps)].to_owned();
    }
    if measure(stem) == 1 && ends_short(stem) { format!("{stem}e") } else { stem.to_owned() }
}

/// Step 1c.
fn final_y(word: &str) -> String {
    apply(word, &[("y", "i")], |stem| stem.len() > 1 && consonants(stem).last() == Some(&true))
}

/// Step 2.
fn double_suffix(word: &str) -> String {
    if let Some(stem) = word.strip_suffix("alli").filter(|stem| measure(stem) > 0) {
        return double_suffix(&format!("{stem}al"));
    }
    // NLTK counts the l of "logi" to the stem.
    if word.ends_with("logi") {
        return apply(word, &[("ogi", "og")], |_| measure(&word[..word.len() - 3]) > 0);
    }
    const RULES: &[(&str, &str)] = &[
        ("ational", "ate"),
        ("tional", "tion"),
        ("enci", "ence"),
        ("anci", "ance"),
        ("izer", "ize"),
        ("bli", "ble"),
        ("alli", "al"),
        ("entli", "ent"),
        ("eli", "e"),
        ("ousli", "ous"),
        ("ization", "ize"),
        ("ation", "ate"),
        ("ator", "ate"),
        ("alism", "al"),
        ("iveness", "ive"),
        ("fulness", "ful"),
        ("ousness", "ous"),
        ("aliti", "al"),
        ("iviti", "ive"),
        ("biliti", "ble"),
        ("fulli", "ful"),
    ];
    apply(word, RULES, |stem| measure(stem) > 0)
}

/// Step 3.
fn single_suffix(word: &str) -> String {
    const RULES: &[(&str, &str)] = &[
        ("icate", "ic"),
        ("ative", ""),
        ("alize", "al"),
        ("iciti", "ic"),
        ("ical", "ic"),
        ("ful", ""),
        ("ness", ""),
    ];
    apply(word, RULES, |stem| measure(stem) > 0)
}

/// Step 4.
fn bare_suffix(word: &str) -> String {
    const SUFFIXES: &[&str] = &[
        "al", "ance", "ence", "er", "ic", "able", "ible", "ant", "ement", "ment", "ent", "ion", "ou", "ism",
        "ate", "iti", "ous", "ive", "ize",
    ];
    let Some((suffix, stem)) = SUFFIXES.iter().find_map(|suffix| Some((*suffix, word.strip_suffix(suffix)?)))
    else {
        return word.to_owned();
    };
    let fits = measure(stem) > 1 && (suffix != "ion" || stem.ends_with(['s', 't']));
    if fits { stem.to_owned() } else { word.to_owned() }
}

/// Step 5a.
fn final_e(word: &str) -> String {
    apply(word, &[("e", "")], |stem| measure(stem) > 1 || (measure(stem) == 1 && !ends_short(stem)))
}

/// Step 5b.
fn final_ll(word: &str) -> String {
    apply(word, &[("ll", "l")], |_| measure(&word[..word.len() - 1]) > 1)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// From `PorterStemmer().stem(word)` of NLTK 3.10.
    #[test]
    fn stems_are_nltks() {
        let table = "caresses caress ponies poni ties tie caress caress cats cat feed feed agreed agre plastered plaster \
            bled bled motoring motor sing sing conflated conflat troubled troubl sized size hopping hop tanned tan \
            falling fall hissing hiss fizzed fizz failing fail filing file happy happi sky sky relational relat \
            conditional condit rational ration valenci valenc hesitanci hesit digitizer digit conformabli conform \
            radicalli radic differentli differ vileli vile analogousli analog vietnamization vietnam predication predic \
            operator oper feudalism feudal decisiveness decis hopefulness hope callousness callous formaliti formal \
            sensitiviti sensit sensibiliti sensibl triplicate triplic formative form formalize formal electriciti electr \
            electrical electr hopeful hope goodness good revival reviv allowance allow inference infer airliner airlin \
            gyroscopic gyroscop adjustable adjust defensible defens irritant irrit replacement replac adjustment adjust \
            dependent depend adoption adopt homologou homolog communism commun activate activ angulariti angular \
            effective effect bowdlerize bowdler probate probat rate rate cease ceas controll control roll roll skies sky \
            dying die news news innings inning proceed proceed spied spi died die flies fli dies die enjoy enjoy \
            spray spray pharmaceutically pharmaceut geology geolog theologi theolog archaeology archaeolog yyyy yyyi \
            ayes aye kitchen kitchen refrigerator refriger generalizations gener oscillators oscil 1234 1234 3rds 3rd \
            successfully success usefully use fully fulli apology apolog dog2s dog2 bliss bliss enally enal oed o \
            sied sie eeds eed bies bie oing o aaing aa abed abe toying toy playing play eyed eye used use";
        let words: Vec<&str> = table.split_whitespace().collect();
        for pair in words.chunks(2) {
            assert_eq!(stem(pair[0]), pair[1], "{}", pair[0]);
        }
    }

    proptest! {
        #[test]
        fn no_word_panics(word in "[a-z0-9]{0,12}|\\PC{0,8}") {
            prop_assert!(stem(&word).len() <= word.len() + 1);
        }
    }
}
