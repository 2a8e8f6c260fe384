//! Words of a text as a full-text index knows them: letters as [`crate::fold`] makes them, cut by the rules of Unicode
//! (UAX 29) with what search needs more. A hyphen or an apostrophe ends a word and joins it as well (`e-mail` is found by
//! `email` and by `mail`), full stops, colons and underscores end words. Scripts written without spaces give single letters
//! and pairs, so that a name is found in whatever sentence it stands, and those of Southeast Asia the words of a dictionary
//! as well. Changing what this file gives makes stored indexes wrong: raise [`TERMS_VERSION`] with it, and stores make
//! theirs again.

use std::collections::{HashMap, HashSet};
use std::sync::LazyLock;

use icu_segmenter::options::WordBreakInvariantOptions;
use icu_segmenter::{WordSegmenter, WordSegmenterBorrowed};

use crate::fold::{Gap, Letter, letters};
use crate::script::Class;
use crate::{Record, stem};

/// Version of the rules of this file, of `fold` and of [`crate::stem()`].
pub const TERMS_VERSION: u32 = 2;

/// Bytes of a word; letters of a longer one are left out.
const LONGEST_TERM: usize = 48;
/// Bytes of one letter with its marks.
const LONGEST_LETTER: usize = 24;
/// Fewer letters are found as single ones and pairs.
const LEAST_DICTIONARY_LETTERS: usize = 3;

/// English words that say nothing about what happened.
const FUNCTION_WORDS: &str = "a about again all am an and any are as at be been but by c can could d did do does for from \
had has have he her here him his how i if in into is it its just ll m me my of on or our out re s she so t than that the \
their them then there these they this those to too over during within up us ve was we were what when where which who whom whose why will with \
would you your";

/// What English leaves of a verb after an apostrophe; what stands before is the word.
const CONTRACTED: [&str; 6] = ["s", "ll", "ve", "re", "d", "m"];

/// The dictionaries of Chinese, Japanese, Thai, Lao, Khmer and Burmese.
pub(crate) static DICTIONARY: LazyLock<WordSegmenterBorrowed<'static>> =
    LazyLock::new(|| WordSegmenter::new_dictionary(WordBreakInvariantOptions::default()));

/// Whether a folded word is a function word.
pub(crate) fn is_function_word(word: &str) -> bool {
    static WORDS: LazyLock<HashSet<&str>> = LazyLock::new(|| FUNCTION_WORDS.split_whitespace().collect());
    word.len() <= 6 && WORDS.contains(word)
}

/// A word of a text. `also` marks another reading of the word before: `email` after `e`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Word {
    pub(crate) text: String,
    pub(crate) also: bool,
}

/// All words of a text in order, function words and other readings included.
pub fn words(text: &str) -> Vec<String> {
    split(text).into_iter().map(|word| word.text).collect()
}

/// The words of a text that a search looks for, in order, repeated ones repeated.
pub fn terms(text: &str) -> Vec<String> {
    let mut found = words(text);
    found.retain(|word| !is_function_word(word));
    found
}

/// What an index keeps of a word: its stem. Function words are kept as they are and apart from all stems, for names such
/// as Will and US: `uses` has the stem `us`.
pub(crate) fn key(word: &str) -> String {
    if is_function_word(word) { format!("={word}") } else { stem(word) }
}

/// What an index keeps of a record, each with its count, and how long the record is in words. Names of people count as
/// words; function words are found, but make no record longer.
pub(crate) fn keys(record: &Record) -> (HashMap<String, u32>, u32) {
    let mut counts = HashMap::new();
    let mut length = 0;
    for text in std::iter::once(&record.text).chain(&record.transcript).chain(&record.people) {
        for word in words(text) {
            length += u32::from(!is_function_word(&word));
            *counts.entry(key(&word)).or_insert(0) += 1;
        }
    }
    (counts, length)
}

/// All words of a text in order, with other readings marked.
pub(crate) fn split(text: &str) -> Vec<Word> {
    let mut splitter = Splitter::default();
    letters(text).for_each(|letter| splitter.take(letter));
    splitter.flush();
    splitter.found
}

/// Words on their way: either a word between spaces, in parts, or a run of a script without spaces.
#[derive(Default)]
struct Splitter {
    found: Vec<Word>,
    /// Parts before the last, each with what stands after it.
    parts: Vec<(String, Gap)>,
    word: String,
    run: String,
    /// Where the letters of the run begin, marks left with their letters.
    begins: Vec<usize>,
    class: Option<Class>,
}

impl Splitter {
    fn take(&mut self, letter: Letter) {
        let is_same = self.class == Some(letter.class);
        match (letter.class, letter.gap) {
            (_, Gap::None) if is_same => {}
            (Class::Spaced, joint @ (Gap::Apostrophe | Gap::Hyphen)) if is_same => {
                self.parts.push((std::mem::take(&mut self.word), joint));
            }
            _ => self.flush(),
        }
        self.class = Some(letter.class);
        let length = letter.letter.len_utf8();
        if letter.class == Class::Spaced {
            if self.word.len() + length <= LONGEST_TERM {
                self.word.push(letter.letter);
            }
            return;
        }
        let begun = self.begins.last().copied().unwrap_or(0);
        if !letter.is_mark || self.begins.is_empty() {
            self.begins.push(self.run.len());
        } else if self.run.len() - begun + length > LONGEST_LETTER {
            return;
        }
        self.run.push(letter.letter);
    }

    fn push(&mut self, text: String, also: bool) {
        self.found.push(Word { text, also });
    }

    fn flush(&mut self) {
        if !self.parts.is_empty() {
            self.compound();
        } else if !self.word.is_empty() {
            let word = std::mem::take(&mut self.word);
            self.push(word, false);
        } else if !self.begins.is_empty() {
            self.unspaced();
        }
        self.class = None;
    }

    /// A word with hyphens or apostrophes: its parts, and all of it as one word.
    fn compound(&mut self) {
        let mut parts: Vec<String> = Vec::new();
        let mut is_hyphenated = false;
        let mut joint = Gap::None;
        for (part, next) in
            std::mem::take(&mut self.parts).into_iter().chain([(std::mem::take(&mut self.word), Gap::None)])
        {
            let after_apostrophe = std::mem::replace(&mut joint, next) == Gap::Apostrophe;
            match parts.last_mut() {
                // "Jake's" is a word about Jake.
                Some(_) if after_apostrophe && CONTRACTED.contains(&part.as_str()) => {}
                // "don't" is one word.
                Some(last) if after_apostrophe && part == "t" => last.push('t'),
                _ => {
                    is_hyphenated |= !parts.is_empty() && !after_apostrophe;
                    parts.push(part);
                }
            }
        }
        let joined = parts.concat();
        let is_word = parts.len() > 1
            && joined.len() <= LONGEST_TERM
            && !joined.bytes().all(|byte| byte.is_ascii_digit());
        let mut parts = parts.into_iter();
        // "o'clock" is one word first of all, "twenty-two" is two.
        if is_word && !is_hyphenated {
            self.push(joined, false);
            parts.for_each(|part| self.push(part, true));
            return;
        }
        if let Some(first) = parts.next() {
            self.push(first, false);
        }
        if is_word {
            self.push(joined, true);
        }
        parts.for_each(|part| self.push(part, false));
    }

    /// A run without spaces: letters and pairs, and of some scripts words.
    fn unspaced(&mut self) {
        let run = std::mem::take(&mut self.run);
        let mut begins = std::mem::take(&mut self.begins);
        let is_clustered = self.class == Some(Class::Clustered);
        begins.push(run.len());
        for place in 0..begins.len() - 1 {
            if place > 0 {
                self.push(run[begins[place - 1]..begins[place + 1]].to_owned(), false);
            }
            self.push(run[begins[place]..begins[place + 1]].to_owned(), false);
        }
        if !is_clustered {
            return;
        }
        let mut start = 0;
        for end in DICTIONARY.segment_str(&run) {
            let letters = begins.partition_point(|at| *at < end) - begins.partition_point(|at| *at < start);
            if letters >= LEAST_DICTIONARY_LETTERS && end - start <= LONGEST_TERM {
                self.push(run[start..end].to_owned(), false);
            }
            start = end;
        }
    }
}

#[cfg(test)]
#[path = "terms_tests.rs"]
mod tests;
