//! The one rule by which letters are compared. A text becomes letters without case, without the marks that people leave
//! out, in one spelling of each (compatibility decomposition, case folding, composition), with what stands between them.
//! Search, forgetting and summaries all read texts through [`Letters`]; whoever changes a rule here raises
//! [`crate::TERMS_VERSION`].
//!
//! - Accents of Latin and Greek, vowel points of Hebrew and Arabic and the nukta of Devanagari go. Of Cyrillic the letters
//!   й, ў, ї, ѓ and ќ stay letters of their own; ё is е. Every other script keeps its marks.
//! - Digits of every script are ASCII digits. Characters that nobody sees (joiners, soft hyphens, directions) are gone.
//! - Arabic alef, ya, kaf and ha are one letter each in all their forms; tatweel is gone.

use std::borrow::Cow;
use std::collections::VecDeque;

use icu_casemap::{CaseMapper, CaseMapperBorrowed};
use icu_normalizer::{ComposingNormalizerBorrowed, DecomposingNormalizerBorrowed};
use icu_properties::props::{GeneralCategory, Script};
use icu_properties::{CodePointMapData, CodePointMapDataBorrowed};

use crate::script::{
    CATEGORY, Class, UNSEEN, class, extends, is_apostrophe, is_hebrew, is_hyphen, is_itself, is_mark,
};

static CASE: CaseMapperBorrowed<'static> = CaseMapper::new();
static DECOMPOSE: DecomposingNormalizerBorrowed<'static> = DecomposingNormalizerBorrowed::new_nfkd();
static COMPOSE: ComposingNormalizerBorrowed<'static> = ComposingNormalizerBorrowed::new_nfc();
static COMPATIBLE: ComposingNormalizerBorrowed<'static> = ComposingNormalizerBorrowed::new_nfkc();
static SCRIPT: CodePointMapDataBorrowed<'static, Script> = CodePointMapData::<Script>::new();

/// Thai and Lao: a ring above and the vowel aa are together the vowel am.
const AM: [(char, char, char); 2] = [('\u{e4d}', '\u{e32}', '\u{e33}'), ('\u{ecd}', '\u{eb2}', '\u{eb3}')];

/// What stands between two letters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Gap {
    /// Nothing.
    None,
    /// Nothing, but the next letter belongs to another kind of script.
    Seam,
    /// One apostrophe, or the dot within a word.
    Apostrophe,
    /// One hyphen.
    Hyphen,
    /// Blanks, or the dot between the names of a person.
    Space,
    /// Anything else.
    Break,
}

/// A letter as it is compared. A mark that its script keeps is a letter too, which never begins a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Letter {
    pub(crate) letter: char,
    pub(crate) class: Class,
    pub(crate) is_mark: bool,
    /// What stands before it; the first letter of a text comes after a [`Gap::Break`].
    pub(crate) gap: Gap,
    /// Where it stands in the text, in bytes; several letters of one character share its place.
    pub(crate) start: usize,
    pub(crate) end: usize,
}

/// The letters of a text, one after another.
pub(crate) struct Letters<'a> {
    text: &'a str,
    at: usize,
    gap: Gap,
    /// The letter before, while nothing stands between; marks need one to stand on.
    base: Option<(char, Class)>,
    /// What the character at `start..at` became.
    pending: VecDeque<char>,
    start: usize,
    decomposed: String,
}

/// The letters of a text.
pub(crate) fn letters(text: &str) -> Letters<'_> {
    Letters {
        text,
        at: 0,
        gap: Gap::Break,
        base: None,
        pending: VecDeque::new(),
        start: 0,
        decomposed: String::new(),
    }
}

/// The letters of a text written one after another: two names are the same if these are.
pub(crate) fn folded(text: &str) -> String {
    letters(text).map(|letter| letter.letter).collect()
}

/// The same text in plain characters: compatibility composition, ASCII digits. Case stays.
pub(crate) fn plain(text: &str) -> Cow<'_, str> {
    if text.is_ascii() {
        return Cow::Borrowed(text);
    }
    let composed = COMPATIBLE.normalize(text);
    match composed.chars().any(|letter| !letter.is_ascii() && digit(letter).is_some()) {
        true => Cow::Owned(composed.chars().map(|letter| digit(letter).unwrap_or(letter)).collect()),
        false => composed,
    }
}

/// A text in the normal forms of Unicode: composed and decomposed, as written and by compatibility.
pub(crate) fn normal_forms(text: &str) -> [String; 4] {
    let canonical = DecomposingNormalizerBorrowed::new_nfd();
    [
        COMPOSE.normalize(text).into_owned(),
        canonical.normalize(text).into_owned(),
        COMPATIBLE.normalize(text).into_owned(),
        DECOMPOSE.normalize(text).into_owned(),
    ]
}

impl Iterator for Letters<'_> {
    type Item = Letter;

    fn next(&mut self) -> Option<Letter> {
        loop {
            if let Some(letter) = self.pending.pop_front() {
                if let Some(found) = self.take(letter) {
                    return Some(found);
                }
                continue;
            }
            let rest = &self.text.as_bytes()[self.at..];
            let first = *rest.first()?;
            self.start = self.at;
            if first.is_ascii() && rest.get(1).is_none_or(u8::is_ascii) {
                self.at += 1;
                if first.is_ascii_alphanumeric() {
                    return Some(self.plain_letter(char::from(first.to_ascii_lowercase())));
                }
                self.separate(char::from(first));
            } else {
                self.character();
            }
        }
    }
}

impl Letters<'_> {
    fn plain_letter(&mut self, letter: char) -> Letter {
        let class = class(letter);
        let gap = match (self.gap, self.base) {
            (Gap::None, Some((_, before))) if before != class => Gap::Seam,
            (gap, _) => gap,
        };
        self.gap = Gap::None;
        self.base = Some((letter, class));
        Letter { letter, class, is_mark: false, gap, start: self.start, end: self.at }
    }

    /// A folded character as a letter, as a mark on the one before, or as something that separates.
    fn take(&mut self, letter: char) -> Option<Letter> {
        if is_mark(letter) {
            let (_, class) = self.base?;
            return Some(Letter {
                letter,
                class,
                is_mark: true,
                gap: Gap::None,
                start: self.start,
                end: self.at,
            });
        }
        if letter.is_alphanumeric() && !is_apostrophe(letter) {
            return Some(self.plain_letter(letter));
        }
        self.separate(letter);
        None
    }

    fn separate(&mut self, by: char) {
        let rest = || self.text[self.at..].chars().next();
        let gap = match by {
            _ if is_apostrophe(by) => Gap::Apostrophe,
            // Hebrew writes abbreviations so.
            '"' | '״'
                if self.base.is_some_and(|(base, _)| is_hebrew(base)) && rest().is_some_and(is_hebrew) =>
            {
                Gap::Apostrophe
            }
            _ if is_hyphen(by) => Gap::Hyphen,
            '・' => Gap::Space,
            _ if by.is_whitespace() => Gap::Space,
            _ => Gap::Break,
        };
        self.gap = match (self.gap, gap) {
            (Gap::None, gap) => gap,
            (Gap::Space, Gap::Space) => Gap::Space,
            _ => Gap::Break,
        };
        self.base = None;
    }

    /// Reads a character with the marks that follow it, and folds it.
    fn character(&mut self) {
        let mut rest = self.text[self.at..].chars();
        let Some(first) = rest.next() else { return };
        self.at += first.len_utf8();
        let mut is_alone = true;
        for mark in rest.take_while(|mark| extends(*mark)) {
            self.at += mark.len_utf8();
            is_alone = false;
        }
        if is_alone && (is_apostrophe(first) || is_hyphen(first)) {
            return self.separate(first);
        }
        if is_alone && (is_itself(first) || AM.iter().any(|(.., am)| *am == first)) {
            return self.pending.push_back(first);
        }
        let whole = &self.text[self.start..self.at];
        let rest = &self.text[self.at..];
        let am = AM.into_iter().find(|(ring, aa, _)| whole.contains(*ring) && rest.starts_with(*aa));
        self.at += am.map_or(0, |(_, aa, _)| aa.len_utf8());
        let am = am.map(|(ring, _, am)| (ring, am));
        let seen = whole
            .chars()
            .filter(|letter| !UNSEEN.contains(*letter) && am.is_none_or(|(ring, _)| ring != *letter))
            .map(|letter| match letter {
                // The marks of voice that stand alone.
                '\u{309b}' => '\u{3099}',
                '\u{309c}' => '\u{309a}',
                letter => letter,
            });
        self.decomposed.clear();
        let mut base = self.base.map(|(base, _)| base);
        for letter in DECOMPOSE.normalize_iter(seen) {
            if is_mark(letter) {
                if base.is_none_or(|base| keeps(base, letter)) {
                    // Chandrabindu and anusvara are written for each other.
                    self.decomposed.push(if letter == '\u{901}' { '\u{902}' } else { letter });
                }
                continue;
            }
            let folded = base_of(letter);
            if folded != Some('\u{df}') {
                // A mark after a tatweel stands on the letter before it.
                base = folded.or(base);
                self.decomposed.extend(folded);
            } else {
                base = Some('s');
                self.decomposed.push_str("ss");
            }
            spelled_out(&mut self.decomposed);
        }
        if self.decomposed.is_ascii() {
            self.pending.extend(self.decomposed.chars());
        } else {
            self.pending.extend(COMPOSE.normalize_iter(self.decomposed.chars()));
        }
        self.pending.extend(am.map(|(_, am)| am));
    }
}

/// One decomposed character without case and in the form that stands for its variants; `None` for tatweel.
fn base_of(letter: char) -> Option<char> {
    if letter.is_ascii() {
        return Some(letter.to_ascii_lowercase());
    }
    if let Some(digit) = digit(letter) {
        return Some(digit);
    }
    Some(match CASE.simple_fold(letter) {
        'ı' => 'i',
        'đ' | 'ð' => 'd',
        'ħ' => 'h',
        'ł' => 'l',
        'ø' => 'o',
        'ŧ' => 't',
        'ẞ' => 'ß',
        'ٱ' => 'ا',
        'ى' | 'ی' => 'ي',
        'ک' => 'ك',
        'ة' | 'ہ' | 'ە' | 'ھ' => 'ه',
        'ـ' => return None,
        folded => folded,
    })
}

/// Letters that stand for two.
fn spelled_out(text: &mut String) {
    for (letter, two) in [('æ', "ae"), ('œ', "oe"), ('þ', "th")] {
        if text.ends_with(letter) {
            text.pop();
            text.push_str(two);
        }
    }
}

/// The ASCII digit of a decimal digit. Digits of a script stand together from 0 to 9.
fn digit(letter: char) -> Option<char> {
    let is_digit = |letter: char| CATEGORY.get(letter) == GeneralCategory::DecimalNumber;
    if letter.is_ascii() || !is_digit(letter) {
        return None;
    }
    let before = |back: u32| char::from_u32(letter as u32 - back).is_some_and(is_digit);
    let value = (1..=9).take_while(|back| before(*back)).count() as u32;
    char::from_digit(value, 10)
}

/// Whether a mark makes another letter of its base; all others of these scripts are left out by many people.
fn keeps(base: char, mark: char) -> bool {
    match SCRIPT.get(base) {
        Script::Latin | Script::Greek | Script::Hebrew | Script::Arabic | Script::Syriac | Script::Common => {
            false
        }
        Script::Cyrillic => {
            matches!((base, mark), ('и' | 'у', '\u{306}') | ('і', '\u{308}') | ('г' | 'к', '\u{301}'))
        }
        Script::Devanagari => mark != '\u{93c}',
        _ => true,
    }
}
