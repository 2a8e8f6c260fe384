//! How alike two names of things are, 0 for unlike to 1 for the same. Without a file of word vectors, by their
//! letters; with one, by the angle between them, as published measures do. Names are lower-case; nothing here knows
//! that a sofa is a couch unless the vectors do.

use std::borrow::Cow;
use std::collections::HashMap;
use std::io::BufRead;
use std::path::Path;

use crate::{Error, Result};

/// A way to compare names.
pub(crate) enum Likeness {
    /// Twice the pairs of neighbouring letters that two names share, over all they have (Dice 1945). Pairs lie within
    /// a word; a word of one letter is a pair of its own.
    Letters,
    /// The cosine between the summed vectors of their words, -1 to 1. A name without a known word is like no other.
    Vectors(WordVectors),
}

/// A name, ready to be compared by the [`Likeness`] that made it.
pub(crate) struct Name<'a> {
    text: Cow<'a, str>,
    sense: Sense,
}

enum Sense {
    /// Sorted.
    Letters(Vec<u64>),
    Vector {
        sum: Vec<f32>,
        length: f32,
    },
}

impl Likeness {
    /// By the vectors of a file if there is one, else by letters.
    pub(crate) fn of(vectors: Option<&Path>) -> Result<Likeness> {
        Ok(vectors.map(WordVectors::open).transpose()?.map_or(Likeness::Letters, Likeness::Vectors))
    }

    pub(crate) fn name<'a>(&self, text: Cow<'a, str>) -> Name<'a> {
        let sense = match self {
            Likeness::Letters => Sense::Letters(pairs(&text)),
            Likeness::Vectors(vectors) => {
                let sum = vectors.sum(&text);
                Sense::Vector { length: dot(&sum, &sum).sqrt(), sum }
            }
        };
        Name { text, sense }
    }
}

impl Name<'_> {
    /// 1 for the same words.
    pub(crate) fn likeness(&self, other: &Name<'_>) -> f64 {
        if self.text == other.text {
            return 1.0;
        }
        match (&self.sense, &other.sense) {
            (Sense::Letters(a), Sense::Letters(b)) if a.len() + b.len() > 0 => {
                2.0 * common(a, b) as f64 / (a.len() + b.len()) as f64
            }
            (Sense::Vector { sum: a, length: la }, Sense::Vector { sum: b, length: lb }) if la * lb > 0.0 => {
                f64::from(dot(a, b) / (la * lb)).clamp(-1.0, 1.0)
            }
            _ => 0.0,
        }
    }
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty())
}

fn pairs(text: &str) -> Vec<u64> {
    let mut found = Vec::with_capacity(text.len());
    for word in words(text) {
        let mut letters = word.chars().map(u64::from);
        let mut last = letters.next().unwrap_or_default();
        let before = found.len();
        for letter in letters {
            found.push(last << 32 | letter);
            last = letter;
        }
        if found.len() == before {
            found.push(last);
        }
    }
    found.sort_unstable();
    found
}

/// Items that two sorted lists share, repeats counted.
fn common(mut a: &[u64], mut b: &[u64]) -> usize {
    let mut count = 0;
    while let (Some(x), Some(y)) = (a.first(), b.first()) {
        count += usize::from(x == y);
        (a, b) = (&a[usize::from(x <= y)..], &b[usize::from(y <= x)..]);
    }
    count
}

/// Eight running sums, so that the compiler may use vector instructions.
fn dot(a: &[f32], b: &[f32]) -> f32 {
    let mut sums = [0f32; 8];
    let (a_blocks, b_blocks) = (a.chunks_exact(8), b.chunks_exact(8));
    let rest: f32 = a_blocks.remainder().iter().zip(b_blocks.remainder()).map(|(x, y)| x * y).sum();
    for (x, y) in a_blocks.zip(b_blocks) {
        for lane in 0..8 {
            sums[lane] += x[lane] * y[lane];
        }
    }
    sums.iter().sum::<f32>() + rest
}

/// Vectors of words, from a text file of word2vec or GloVe: a line per word, the word and its numbers with blanks
/// between them; word2vec's first line, two counts, is passed over. Words with capitals are left out, since names
/// are compared in lower case. Of equal words the first counts.
pub(crate) struct WordVectors {
    rows: HashMap<Box<str>, usize>,
    numbers: Vec<f32>,
    width: usize,
}

impl WordVectors {
    pub(crate) fn open(path: &Path) -> Result<WordVectors> {
        let refuse = |reason: String| Error::Vectors { path: path.display().to_string(), reason };
        let file = fs_err::File::open(path).map_err(|error| refuse(error.to_string()))?;
        WordVectors::read(std::io::BufReader::new(file)).map_err(refuse)
    }

    fn read(mut source: impl BufRead) -> std::result::Result<WordVectors, String> {
        let mut vectors = WordVectors { rows: HashMap::new(), numbers: Vec::new(), width: 0 };
        let mut bytes = Vec::new();
        for line in 1.. {
            bytes.clear();
            if source.read_until(b'\n', &mut bytes).map_err(|error| format!("line {line}: {error}"))? == 0 {
                break;
            }
            let text = String::from_utf8_lossy(&bytes);
            vectors.line(text.trim_end(), line).map_err(|reason| format!("line {line}: {reason}"))?;
        }
        if vectors.rows.is_empty() {
            return Err(
                "no lower-case word in it\nhint: give the text form, a word and its numbers per line"
                    .to_owned(),
            );
        }
        Ok(vectors)
    }

    fn line(&mut self, text: &str, line: usize) -> std::result::Result<(), String> {
        let fields = text.split([' ', '\t']).count();
        if text.is_empty()
            || (line == 1 && fields == 2 && text.split(' ').all(|field| field.parse::<u64>().is_ok()))
        {
            return Ok(());
        }
        if self.width == 0 {
            self.width = fields - 1;
        }
        // A few words of published files contain blanks: the numbers are counted from the end.
        if self.width == 0 || fields <= self.width {
            return Err(format!("a word and {} numbers expected, {fields} fields found", self.width.max(1)));
        }
        let word = text.rsplitn(self.width + 1, [' ', '\t']).last().unwrap_or_default();
        if word.chars().any(char::is_uppercase) || self.rows.contains_key(word) {
            return Ok(());
        }
        let start = self.numbers.len();
        for field in text[word.len()..].split([' ', '\t']).skip(1) {
            let number = field.parse().ok().filter(|number: &f32| number.is_finite());
            self.numbers.push(number.ok_or_else(|| format!("\"{field}\" is no number"))?);
        }
        self.rows.insert(word.into(), start / self.width);
        Ok(())
    }

    fn sum(&self, text: &str) -> Vec<f32> {
        let mut sum = vec![0.0; self.width];
        for row in words(text).filter_map(|word| self.rows.get(word)) {
            for (total, number) in sum.iter_mut().zip(&self.numbers[row * self.width..]) {
                *total += number;
            }
        }
        sum
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const FILE: &str = "4 3\ncup 1 0 0\nmug 0.8 0.6 0\nNew 9 9 9\nred 0 0 2\nthe end 0 -1 0\n";

    fn like(likeness: &Likeness, a: &str, b: &str) -> f64 {
        likeness.name(a.into()).likeness(&likeness.name(b.into()))
    }

    #[test]
    fn letters_shared() {
        let check =
            |a: &str, b: &str, expect: f64| assert_eq!(like(&Likeness::Letters, a, b), expect, "{a} {b}");
        check("cup", "cup", 1.0);
        check("cup", "cups", 0.8);
        check("fire hydrant", "hydrant", 2.0 * 6.0 / 15.0);
        check("left of", "right of", 2.0 / 9.0);
        check("above", "below", 0.0);
        check("a", "a b", 2.0 / 3.0);
        check("", "", 1.0);
        check("", "!", 0.0);
    }

    #[test]
    fn vectors_from_a_file() {
        let likeness = Likeness::Vectors(WordVectors::read(FILE.as_bytes()).unwrap());
        let check = |a: &str, b: &str, expect: f64| {
            let value = like(&likeness, a, b);
            assert!((value - expect).abs() < 1e-6, "{a} {b}: {value}");
        };
        check("cup", "mug", 0.8);
        check("red cup", "cup", 1.0 / 5f64.sqrt());
        check("cup", "new", 0.0);
        check("unheard", "unheard", 1.0);
        check("unheard", "cup", 0.0);
    }

    #[test]
    fn files_that_are_none() {
        let check = |text: &str, expect: &str| {
            let reason = WordVectors::read(text.as_bytes()).err().unwrap_or_default();
            assert!(reason.contains(expect), "{text:?}: {reason}");
        };
        check("", "no lower-case word");
        check("2 3\n", "no lower-case word");
        check("cup\n", "line 1: a word and 1 numbers expected, 1 fields");
        check("cup 1 2\nmug 1\n", "line 2: a word and 2 numbers expected, 2 fields");
        check("cup 1 2\nmug 1 x\n", "line 2: \"x\" is no number");
        check("cup nan 2\n", "line 1: \"nan\" is no number");
        assert!(WordVectors::open(Path::new("no/such/file")).is_err());
    }

    proptest! {
        #[test]
        fn likeness_is_bounded_and_symmetric(a in "[a-z ]{0,9}", b in "\\PC{0,9}") {
            let vectors = Likeness::Vectors(WordVectors::read(FILE.as_bytes()).unwrap());
            for (likeness, low) in [(&Likeness::Letters, 0.0), (&vectors, -1.0)] {
                let value = like(likeness, &a, &b);
                prop_assert!((low..=1.0).contains(&value));
                prop_assert_eq!(value, like(likeness, &b, &a));
                prop_assert_eq!(like(likeness, &a, &a), 1.0);
            }
        }

        #[test]
        fn no_file_panics(text in "[a-c 0-9.\\-\\n\\t\u{e9}]{0,60}") {
            let _ = WordVectors::read(text.as_bytes());
        }
    }
}
