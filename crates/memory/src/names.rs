//! Whether a text names somebody: the letters of a name, whole words, in whatever spelling they stand. Two names are the
//! same if their folded letters are ([`crate::fold`]): José is Jose, O'Brien is OBrien, Jean-Pierre is Jean Pierre.
//!
//! Where a word ends depends on the script. Between spaces it is a blank, a mark or a hyphen; Korean particles and the
//! prefixes of Arabic (and "and" in Hebrew) may be written onto a name. In scripts without spaces a name ends where it ends, unless a
//! longer word of the dictionary holds it (明 in 明天) or a longer name that the memory lists beside it.

use std::ops::Range;

use crate::fold::{Gap, Letter, letters};
use crate::script::{Class, is_katakana};
use crate::stem::is_arabic_prefix;
use crate::terms::DICTIONARY;

/// A name as it is looked for.
pub(crate) struct Name {
    letters: Vec<Letter>,
    /// Longer names that hold this one, as folded letters; what stands within them is not this name.
    longer: Vec<Vec<char>>,
}

/// Where a text names somebody, and the longer words that merely hold the letters.
#[derive(Default)]
pub(crate) struct Found {
    /// In bytes of the text.
    pub(crate) named: Vec<Range<usize>>,
    pub(crate) within: Vec<Range<usize>>,
}

impl Name {
    /// A name; `None` if it has no letters.
    pub(crate) fn new(name: &str) -> Option<Name> {
        let letters: Vec<Letter> = letters(name).collect();
        (!letters.is_empty()).then_some(Name { letters, longer: Vec::new() })
    }

    /// Takes in the people that the memory lists. Of two names in a script without spaces, one within the other, each is
    /// a person of its own if both are listed.
    pub(crate) fn beside<'a>(&mut self, people: impl Iterator<Item = &'a str>) {
        if !self.letters.iter().all(|letter| is_unspaced(letter.class)) {
            return;
        }
        let own: Vec<char> = self.letters.iter().map(|letter| letter.letter).collect();
        let mut is_listed = false;
        for person in people {
            let other: Vec<char> = letters(person).map(|letter| letter.letter).collect();
            is_listed |= other == own;
            if other.len() > own.len() && other.windows(own.len()).any(|part| part == own) {
                self.longer.push(other);
            }
        }
        if !is_listed {
            self.longer.clear();
        }
    }

    /// Whether a text names it.
    pub(crate) fn is_in(&self, text: &str) -> bool {
        !self.find(text).named.is_empty()
    }

    /// Every place where a text has the letters of the name.
    pub(crate) fn find(&self, text: &str) -> Found {
        let mut found = Found::default();
        let all: Vec<Letter> = letters(text).collect();
        let length = self.letters.len();
        if all.len() < length {
            return found;
        }
        for start in 0..=all.len() - length {
            let end = start + length;
            if !self.is_at(&all[start..end]) || all.get(end).is_some_and(|next| next.is_mark) {
                continue;
            }
            let place = Place { text: &all, start, end };
            if place.begins() && place.ends() && !place.is_within(&self.longer) {
                found.named.push(all[start].start..all[end - 1].end);
            } else if place.may_be_written_on(text) {
                let word = place.word();
                found.within.push(all[word.start].start..all[word.end - 1].end);
            }
        }
        found
    }

    /// Whether letters are those of the name, with gaps that it may have.
    fn is_at(&self, there: &[Letter]) -> bool {
        self.letters
            .iter()
            .zip(there)
            .enumerate()
            .all(|(place, (own, other))| own.letter == other.letter && (place == 0 || fits(own.gap, other)))
    }
}

fn is_unspaced(class: Class) -> bool {
    matches!(class, Class::Ideographic | Class::Clustered)
}

/// Whether a letter may stand in a text after this gap where the name has it after that one.
fn fits(own: Gap, other: &Letter) -> bool {
    let is_unspaced = is_unspaced(other.class);
    match (own, other.gap) {
        (Gap::None | Gap::Seam, gap) => match gap {
            Gap::None | Gap::Seam | Gap::Apostrophe | Gap::Hyphen => true,
            Gap::Space => is_unspaced,
            Gap::Break => false,
        },
        (Gap::Apostrophe | Gap::Hyphen, gap) => gap != Gap::Break,
        (Gap::Space | Gap::Break, gap) => gap != Gap::None || is_unspaced,
    }
}

/// Letters of a text that may be a name.
struct Place<'a> {
    text: &'a [Letter],
    start: usize,
    end: usize,
}

impl Place<'_> {
    /// Whether a word begins or ends between a letter and the one before it.
    fn is_edge(&self, at: usize) -> bool {
        self.text.get(at).is_none_or(|letter| letter.gap != Gap::None)
    }

    fn string(&self, range: Range<usize>) -> String {
        self.text[range].iter().map(|letter| letter.letter).collect()
    }

    /// The word between gaps around the place.
    fn word(&self) -> Range<usize> {
        let start = (0..=self.start).rev().find(|at| self.is_edge(*at)).unwrap_or(0);
        let end = (self.end..=self.text.len()).find(|at| self.is_edge(*at)).unwrap_or(self.text.len());
        start..end
    }

    fn begins(&self) -> bool {
        let first = &self.text[self.start];
        if self.is_edge(self.start) {
            return true;
        }
        match first.class {
            Class::Spaced => {
                let word = self.word();
                let before = self.string(word.start..self.start);
                before == "ו" || is_arabic_prefix(&before, &self.string(self.start..word.end))
            }
            Class::Hangul => false,
            Class::Ideographic => {
                let before = self.text[self.start - 1].letter;
                // Little, old and dear make a name of one letter another name.
                let is_address = self.end - self.start == 1 && matches!(before, '小' | '老' | '阿');
                let is_one_word = is_katakana(before) && is_katakana(first.letter);
                !(is_address || is_one_word)
            }
            Class::Clustered => true,
        }
    }

    fn ends(&self) -> bool {
        if self.is_edge(self.end) {
            return true;
        }
        let (last, next) = (&self.text[self.end - 1], &self.text[self.end]);
        match last.class {
            Class::Spaced => false,
            Class::Hangul => is_particle(&self.string(self.end..self.word().end), self.end - self.start),
            Class::Ideographic => !(is_katakana(last.letter) && is_katakana(next.letter)),
            Class::Clustered => true,
        }
    }

    /// Whether a longer name, or in a script without spaces a longer word of the dictionary, holds the place.
    fn is_within(&self, longer: &[Vec<char>]) -> bool {
        let class = self.text[self.start].class;
        let is_one_run = (self.start + 1..self.end).all(|at| !self.is_edge(at));
        if !is_unspaced(class) {
            return false;
        }
        let holds = |name: &Vec<char>| {
            let first = (self.end).saturating_sub(name.len());
            (first..=self.start).any(|at| {
                let there = self.text.get(at..at + name.len());
                there.is_some_and(|there| there.iter().map(|letter| letter.letter).eq(name.iter().copied()))
            })
        };
        if longer.iter().any(holds) {
            return true;
        }
        let run = self.word();
        if !is_one_run || run == (self.start..self.end) {
            return false;
        }
        let before = self.string(run.start..self.start).len();
        let place = before..before + self.string(self.start..self.end).len();
        let text = self.string(run);
        let mut start = 0;
        for end in DICTIONARY.segment_str(&text) {
            let word = start..end;
            start = end;
            if word.start <= place.start && place.end <= word.end && word.len() > place.len() {
                return is_word(&text[word]);
            }
        }
        false
    }

    /// Whether the letters may be the name with something written onto it: worth telling, as other names in words that merely share
    /// letters are not.
    fn may_be_written_on(&self, text: &str) -> bool {
        let word = self.word();
        let first = &self.text[word.start];
        let is_capital =
            || text[first.start..first.end].chars().next().is_some_and(|letter| letter.is_uppercase());
        match first.class {
            Class::Spaced if first.letter.is_lowercase() => word.start == self.start && is_capital(),
            _ => self.end - self.start > 1,
        }
    }
}

/// Whether a piece that the dictionary's segmenter gave is one of its words. It also gives what begins like a word and is
/// none, up to the first letter that does not fit. Of such a piece no beginning is a word, else it would have ended there.
fn is_word(piece: &str) -> bool {
    // Rare signs, after which no word goes on.
    let stranger = match piece.chars().next() {
        Some('\u{e00}'..='\u{e7f}') => 'ฯ',
        Some('\u{e80}'..='\u{eff}') => 'ຯ',
        Some('\u{1000}'..='\u{109f}') => 'ႏ',
        Some('\u{1780}'..='\u{17ff}') => 'ៗ',
        _ => '龘',
    };
    let ends = piece.char_indices().skip(1).map(|(at, _)| at);
    ends.into_iter().any(|end| {
        let beginning = format!("{}{stranger}", &piece[..end]);
        DICTIONARY.segment_str(&beginning).nth(1) == Some(end)
    })
}

/// Whether Korean letters are particles and forms of address that are written onto a name of so many syllables.
fn is_particle(rest: &str, syllables: usize) -> bool {
    const PARTICLES: &str = "가 께 께서 과 까지 네 는 님 님께 대로 더러 도 들 라고 라는 랑 로 로부터 를 마다 마저 만 만큼 밖에 \
        보고 보다 뿐 씨 양 군 에 에게 에게서 에서 와 으로 은 을 의 이가 이는 이를 이의 이와 이도 이랑 이에게 이라고 이라는 입니다 \
        조차 처럼 치고 하고 한테 한테서 같이 부터 예요 이에요 였다 이었다 이다";
    // After one syllable these make other names.
    const SHORT: &str = "나 다 라 아 야 여 이 이나 이야 요";
    let is_one = |part: &str| {
        PARTICLES.split_whitespace().any(|particle| particle == part)
            || syllables > 1 && SHORT.split_whitespace().any(|particle| particle == part)
    };
    // Up to three, one after another: 님께서는.
    fn parse(rest: &str, most: usize, is_one: &dyn Fn(&str) -> bool) -> bool {
        let cuts = rest.char_indices().skip(1).map(|(at, _)| at).chain([rest.len()]);
        rest.is_empty()
            || most > 0
                && cuts.into_iter().any(|cut| is_one(&rest[..cut]) && parse(&rest[cut..], most - 1, is_one))
    }
    // Particles are short; a longer rest is another word.
    rest.len() <= 24
        && (syllables > 1 || !matches!(rest, "은" | "도" | "만" | "로" | "라" | "의"))
        && parse(rest, 3, &is_one)
}

#[cfg(test)]
#[path = "names_tests.rs"]
mod tests;
