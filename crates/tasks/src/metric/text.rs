//! How near one text is to another: word error rate and ROUGE. ROUGE comes as the `rouge_score` package computes it
//! with stemming, and over the words of every script. Neither strips an article or mends a spelling.

use std::collections::HashMap;

use super::stem::stem;
use crate::format::tags::is_blank;

/// Word insertions, deletions and substitutions that turn `said` into `truth`, over the number of true words (at least
/// one). Case counts; words are what blanks separate.
pub fn word_error_rate(truth: &str, said: &str) -> f64 {
    let words = |text| str::split(text, is_blank).filter(|word: &&str| !word.is_empty()).collect::<Vec<_>>();
    let (truth, said) = (words(truth), words(said));
    let mut row: Vec<usize> = (0..=said.len()).collect();
    for (i, expected) in truth.iter().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, word) in said.iter().enumerate() {
            let substituted = diagonal + usize::from(word != expected);
            diagonal = row[j + 1];
            row[j + 1] = substituted.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[said.len()] as f64 / truth.len().max(1) as f64
}

/// The same where scripts without spaces count each character as a word, so that one wrong character is no whole text.
pub fn character_error_rate(truth: &str, said: &str) -> f64 {
    let apart = |text: &str| {
        text.chars().fold(String::new(), |mut apart, c| {
            let alone = is_unspaced(c);
            apart.extend(alone.then_some(' '));
            apart.push(c);
            apart.extend(alone.then_some(' '));
            apart
        })
    };
    word_error_rate(&apart(truth), &apart(said))
}

/// F-measures of ROUGE, each 0 to 1.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Rouge {
    /// Shared words.
    pub one: f64,
    /// Shared pairs of neighbours.
    pub two: f64,
    /// Longest common subsequence.
    pub longest: f64,
}

impl Rouge {
    /// As the `rouge_score` package with its stemmer: lower case, runs of ASCII letters and digits, words of more than
    /// three letters stemmed. Other scripts have no words here.
    pub fn published(truth: &str, said: &str) -> Rouge {
        Rouge::of(&ascii_words(truth), &ascii_words(said))
    }

    /// The same over the words of every script. Scripts without spaces count each character as a word.
    pub fn unicode(truth: &str, said: &str) -> Rouge {
        Rouge::of(&words(truth), &words(said))
    }

    fn of(truth: &[String], said: &[String]) -> Rouge {
        Rouge {
            one: shared(truth, said, 1),
            two: shared(truth, said, 2),
            longest: f_measure(longest_common(truth, said), said.len(), truth.len()),
        }
    }

    /// The mean of the three.
    pub fn mean(self) -> f64 {
        (self.one + self.two + self.longest) / 3.0
    }
}

/// How many words of `text` are words of every script: what decides whether pairs of neighbours exist.
pub fn word_count(text: &str) -> usize {
    words(text).len()
}

fn ascii_words(text: &str) -> Vec<String> {
    let lower = text.to_lowercase();
    let words = lower.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    words.map(|word| if word.len() > 3 { stem(word) } else { word.to_owned() }).collect()
}

fn words(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut word = String::new();
    let end = |word: &mut String, found: &mut Vec<String>| {
        if !word.is_empty() {
            let whole = std::mem::take(word);
            found.push(if whole.is_ascii() && whole.len() > 3 { stem(&whole) } else { whole });
        }
    };
    for c in text.to_lowercase().chars() {
        if is_word_by_itself(c) {
            end(&mut word, &mut found);
            found.push(c.to_string());
        } else if c.is_alphanumeric() || is_combining(c) {
            word.push(c);
        } else {
            end(&mut word, &mut found);
        }
    }
    end(&mut word, &mut found);
    found
}

/// Letters of scripts written without spaces: Thai, Lao, Burmese, Khmer, kana, Han.
fn is_word_by_itself(c: char) -> bool {
    c.is_alphanumeric() && is_unspaced(c)
}

/// Characters of those scripts, signs that stand on letters included.
fn is_unspaced(c: char) -> bool {
    matches!(u32::from(c),
            0x0E00..=0x0EFF | 0x1000..=0x109F | 0x1780..=0x17FF | 0x3040..=0x30FF | 0x3400..=0x4DBF
            | 0x4E00..=0x9FFF | 0xF900..=0xFAFF | 0x20000..=0x3FFFF)
}

/// Accents and signs that stand on the letter before them.
fn is_combining(c: char) -> bool {
    matches!(u32::from(c), 0x0300..=0x036F | 0x0591..=0x05C7 | 0x0610..=0x061A | 0x064B..=0x065F | 0x0900..=0x0DFF)
        && !c.is_ascii_punctuation()
        && !matches!(c, '\u{0964}' | '\u{0965}')
}

fn f_measure(shared: usize, said: usize, truth: usize) -> f64 {
    let precision = shared as f64 / said.max(1) as f64;
    let recall = shared as f64 / truth.max(1) as f64;
    if precision + recall > 0.0 { 2.0 * precision * recall / (precision + recall) } else { 0.0 }
}

/// F-measure of the n-grams two texts share, each counted as often as both have it.
fn shared(truth: &[String], said: &[String], n: usize) -> f64 {
    let mut counts: HashMap<&[String], usize> = HashMap::new();
    for gram in truth.windows(n) {
        *counts.entry(gram).or_default() += 1;
    }
    let mut found = 0;
    for gram in said.windows(n) {
        if let Some(left) = counts.get_mut(gram).filter(|left| **left > 0) {
            *left -= 1;
            found += 1;
        }
    }
    let grams = |words: &[String]| (words.len() + 1).saturating_sub(n);
    f_measure(found, grams(said), grams(truth))
}

fn longest_common(a: &[String], b: &[String]) -> usize {
    let mut row = vec![0; b.len() + 1];
    for x in a {
        let mut diagonal = 0;
        for (j, y) in b.iter().enumerate() {
            let above = row[j + 1];
            row[j + 1] = if x == y { diagonal + 1 } else { above.max(row[j]) };
            diagonal = above;
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn word_errors() {
        let check = |truth: &str, said: &str, expect: f64| {
            assert_eq!(word_error_rate(truth, said), expect, "{truth:?} {said:?}");
        };
        check("no parking here", "no parking here", 0.0);
        check("no parking here", "no  parking\n", 1.0 / 3.0);
        check("no parking here", "No parking here", 1.0 / 3.0);
        check("stop", "please stop now", 2.0);
        check("a b c d", "b c d e", 0.5);
        check("", "", 0.0);
        check("", "x y", 2.0);
        check("停 车", "停 车", 0.0);
        assert_eq!(character_error_rate("禁止停车", "禁止停车了"), 0.25);
        assert_eq!(character_error_rate("ออก", "ออก"), 0.0);
        assert_eq!(character_error_rate("no 停车", "no 停"), 1.0 / 3.0);
        assert_eq!(character_error_rate("no parking here", "no parking"), 1.0 / 3.0);
    }

    /// From `RougeScorer(["rouge1", "rouge2", "rougeL"], use_stemmer=True)` of rouge_score 0.1.2.
    #[test]
    fn rouge_is_the_packages() {
        let check = |truth: &str, said: &str, expect: [f64; 3]| {
            let found = Rouge::published(truth, said);
            for (found, expect) in [found.one, found.two, found.longest].into_iter().zip(expect) {
                assert!((found - expect).abs() < 1e-8, "{truth:?} {said:?}: {found} {expect}");
            }
        };
        check("the man picks up the cup", "the man picked up a cup", [0.833333333, 0.6, 0.833333333]);
        check("cup", "cup", [1.0, 0.0, 1.0]);
        check("cup", "a cup", [0.666666667, 0.0, 0.666666667]);
        check("杯子", "杯子", [0.0; 3]);
        check("", "", [0.0; 3]);
        check("the cat", "", [0.0; 3]);
        check(
            "The person opens the refrigerator, then takes out milk.",
            "A person opened a refrigerator and took the milk out",
            [0.631578947, 0.117647059, 0.421052632],
        );
        check("a a a b", "a b a", [0.857142857, 0.4, 0.571428571]);
        check("Turn left. Go straight!", "turn LEFT; go_straight", [1.0; 3]);
        check("naïve café", "naive cafe", [0.0; 3]);
        check("It's 3.5 metres", "it is 3 5 metres", [0.8, 0.5, 0.8]);
    }

    #[test]
    fn rouge_of_every_script() {
        let check = |truth: &str, said: &str, expect: f64| {
            assert_eq!(Rouge::unicode(truth, said).one, expect, "{truth:?} {said:?}");
        };
        check("杯子", "杯子", 1.0);
        check("红杯子", "蓝杯子", 2.0 / 3.0);
        check("Чашка стоит", "чашка", 2.0 / 3.0);
        check("naïve café", "NAÏVE CAFÉ", 1.0);
        check("हिन्दी पाठ", "हिन्दी", 2.0 / 3.0);
        check("walking", "walked", 1.0);
        assert_eq!((word_count("one"), word_count("杯子"), word_count("…")), (1, 2, 0));
    }

    proptest! {
        #[test]
        fn scores_are_bounded_and_symmetric(a in "([a-c杯é]{1,3} ){0,6}", b in "([a-c杯é]{1,3} ){0,6}") {
            for score in [Rouge::published, Rouge::unicode] {
                let (there, back) = (score(&a, &b), score(&b, &a));
                for (x, y) in [(there.one, back.one), (there.two, back.two), (there.longest, back.longest)] {
                    prop_assert!((0.0..=1.0).contains(&x) && (x - y).abs() < 1e-12);
                }
                prop_assert!(there.longest <= there.one + 1e-12, "a subsequence is made of shared words");
            }
            prop_assert_eq!(word_error_rate(&a, &a), 0.0);
            prop_assert!(word_error_rate(&a, &b) >= 0.0);
        }
    }
}
