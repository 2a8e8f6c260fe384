//! What characters are to [`crate::fold`]: marks, joints of words, and how scripts show where words end.

use icu_properties::props::{DefaultIgnorableCodePoint, GeneralCategory, GeneralCategoryGroup};
use icu_properties::{
    CodePointMapData, CodePointMapDataBorrowed, CodePointSetData, CodePointSetDataBorrowed,
};

pub(crate) static CATEGORY: CodePointMapDataBorrowed<'static, GeneralCategory> =
    CodePointMapData::<GeneralCategory>::new();
/// What nobody sees: joiners, soft hyphens, directions, variation selectors.
pub(crate) static UNSEEN: CodePointSetDataBorrowed<'static> =
    CodePointSetData::new::<DefaultIgnorableCodePoint>();

/// How a script shows where words end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Class {
    /// By spaces.
    Spaced,
    /// By spaces, with particles written onto words.
    Hangul,
    /// Han and kana: not at all, and few letters make a word.
    Ideographic,
    /// Thai, Lao, Khmer, Burmese and their neighbors: not at all, and several letters make a word.
    Clustered,
}

/// Characters that belong to the one before: marks, the later parts of Hangul syllables, what nobody sees.
pub(crate) fn extends(letter: char) -> bool {
    letter >= '\u{ad}'
        && (is_mark(letter)
            || matches!(letter, '\u{1160}'..='\u{11ff}' | '\u{d7b0}'..='\u{d7fb}' | '\u{ff9e}' | '\u{ff9f}')
            || matches!(letter, '\u{309b}' | '\u{309c}')
            // Jamo that stand alone: vowels, and the consonants that only end syllables.
            || matches!(letter, '\u{314f}'..='\u{3163}' | '\u{3133}' | '\u{3135}' | '\u{3136}' | '\u{313a}'..='\u{313f}')
            || matches!(letter, '\u{ffc2}'..='\u{ffdc}' | '\u{ffa3}' | '\u{ffa5}' | '\u{ffa6}' | '\u{ffaa}'..='\u{ffaf}')
            // A vowel of Kirat Rai, which is a letter and composes with the one before.
            || letter == '\u{16d67}'
            || UNSEEN.contains(letter))
}

/// Letters that are what they become: most of what is written in scripts without case.
pub(crate) fn is_itself(letter: char) -> bool {
    matches!(letter,
        '\u{430}'..='\u{44f}' | '\u{e01}'..='\u{e30}' | '\u{e40}'..='\u{e46}' | '\u{3041}'..='\u{3096}'
        | '\u{30a1}'..='\u{30fa}' | '\u{30fc}' | '\u{3400}'..='\u{4dbf}' | '\u{4e00}'..='\u{9fff}'
        | '\u{ac00}'..='\u{d7a3}')
}

/// Marks that stand on letters.
pub(crate) fn is_mark(letter: char) -> bool {
    letter >= '\u{300}' && GeneralCategoryGroup::Mark.contains(CATEGORY.get(letter))
}

/// Whether a character belongs to words: letters, digits, and the marks and joiners within them.
pub(crate) fn is_of_words(letter: char) -> bool {
    letter.is_alphanumeric() || is_mark(letter) || (!letter.is_ascii() && UNSEEN.contains(letter))
}

/// Apostrophes, what is typed in their place, and the dot within a word.
pub(crate) fn is_apostrophe(letter: char) -> bool {
    matches!(
        letter,
        '\'' | '`'
            | '\u{b4}'
            | '\u{b7}'
            | '\u{2b9}'
            | '\u{2bb}'
            | '\u{2bc}'
            | '\u{2be}'
            | '\u{2bf}'
            | '\u{55a}'
            | '\u{5f3}'
            | '\u{2018}'
            | '\u{2019}'
            | '\u{201b}'
            | '\u{2027}'
            | '\u{2032}'
            | '\u{a78c}'
            | '\u{ff07}'
    )
}

/// Hyphens, and the dashes that are as short.
pub(crate) fn is_hyphen(letter: char) -> bool {
    matches!(
        letter,
        '-' | '\u{58a}' | '\u{5be}' | '\u{2010}'..='\u{2013}' | '\u{2212}' | '\u{fe63}' | '\u{ff0d}'
    )
}

/// Hebrew letters.
pub(crate) fn is_hebrew(letter: char) -> bool {
    matches!(letter, '\u{5d0}'..='\u{5ea}')
}

/// Katakana, whose runs are words.
pub(crate) fn is_katakana(letter: char) -> bool {
    matches!(letter, '\u{30a1}'..='\u{30fa}' | '\u{30fc}'..='\u{30ff}' | '\u{31f0}'..='\u{31ff}')
}

/// How the script of a folded letter shows where words end.
pub(crate) fn class(letter: char) -> Class {
    match letter {
        ..'\u{e00}' => Class::Spaced,
        '\u{e00}'..='\u{eff}'
        | '\u{1000}'..='\u{109f}'
        | '\u{1780}'..='\u{17ff}'
        | '\u{1950}'..='\u{19df}' => Class::Clustered,
        '\u{1a20}'..='\u{1aaf}'
        | '\u{1b00}'..='\u{1b7f}'
        | '\u{a980}'..='\u{a9ff}'
        | '\u{aa60}'..='\u{aadf}' => Class::Clustered,
        '\u{1100}'..='\u{11ff}' | '\u{a960}'..='\u{a97f}' | '\u{ac00}'..='\u{d7ff}' => Class::Hangul,
        '\u{3005}'..='\u{3007}'
        | '\u{3041}'..='\u{312f}'
        | '\u{31a0}'..='\u{31ff}'
        | '\u{3400}'..='\u{4dbf}' => Class::Ideographic,
        '\u{4e00}'..='\u{9fff}'
        | '\u{a000}'..='\u{a48c}'
        | '\u{f900}'..='\u{faff}'
        | '\u{20000}'..='\u{3ffff}' => Class::Ideographic,
        _ => Class::Spaced,
    }
}
