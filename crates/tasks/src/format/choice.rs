//! Which option a reply names, read as a person would: `B`, `(B)`, `b.`, `B. chair`, `the answer is B`, `\boxed{\text{B}}`,
//! `B。`, `选B`, "I would choose B.", "A is wrong, B". The article in "a chair" or "A chair" names nothing, nor does the
//! pronoun "I", nor a text that names two options. What is denied is not named: "A, not B" is A. A reply that leaves room
//! for doubt is not read: a false reading is worse than none, because none is counted.

mod reader;
mod vocabulary;
mod words;

use reader::{Reader, is_filler};
use words::{Piece, pieces, small};

/// The option a result names by its letter, of so many; `None` if it names none, several, or one that is not there.
pub fn choice(result: &str, options: usize) -> Option<usize> {
    if let Some(inside) = boxed(result) {
        return choice(inside, options);
    }
    Reader::of(result).letter().map(index).filter(|index| *index < options)
}

/// The option a result names by its words or its letter. Words that are an option's as a whole count first, so that
/// "A cup" is the option "a cup"; a single letter is a letter, even where another option consists of it.
pub fn choice_among<S: AsRef<str>>(result: &str, options: &[S]) -> Option<usize> {
    if let Some(inside) = boxed(result) {
        return choice_among(inside, options);
    }
    let options: Vec<Words> =
        options.iter().map(|option| Words::of(&pieces(unlettered(option.as_ref())))).collect();
    let reply = Words::of(&pieces(result));
    let lettered = || choice(result, options.len());
    if matches!(&reply.all[..], [Piece::Letter(..)]) {
        return lettered().or_else(|| only(&options, &reply));
    }
    with_own_words(&reply, &options).or_else(|| only(&options, &reply)).or_else(lettered).or_else(|| {
        let reader = Reader::of(result);
        // A letter was meant, but which is not clear: words may not decide then.
        if reader.mentions().is_empty() { by_words(&reader.pieces, &options) } else { None }
    })
}

/// The content of the last `\boxed{…}`, or of the rest where it does not close.
pub(super) fn boxed(text: &str) -> Option<&str> {
    let inside = text.rsplit_once("\\boxed")?.1.trim_start().strip_prefix('{')?;
    let mut depth = 0;
    let end = inside.char_indices().find_map(|(at, c)| match c {
        '}' if depth == 0 => Some(at),
        '{' | '}' => {
            depth += if c == '{' { 1 } else { -1 };
            None
        }
        _ => None,
    });
    Some(&inside[..end.unwrap_or(inside.len())])
}

/// An option's text without its own letter: `A. cup` and `(A) cup` become `cup`.
fn unlettered(option: &str) -> &str {
    let bare = option.trim().trim_start_matches('(');
    let mut chars = bare.chars();
    match (chars.next(), chars.next()) {
        (Some(letter), Some('.' | ')' | ':'))
            if letter.is_ascii_alphabetic() && !chars.as_str().is_empty() =>
        {
            chars.as_str()
        }
        _ => option,
    }
}

/// The words of a text, marks and the case of letters aside.
struct Words {
    all: Vec<Piece>,
    /// Where they begin without an article.
    bare: usize,
}

impl Words {
    fn of(pieces: &[Piece]) -> Words {
        let all: Vec<Piece> =
            pieces.iter().filter(|piece| !matches!(piece, Piece::Mark(_))).cloned().map(small).collect();
        // "A cup" begins with an article; "A. cup" and "A. C" do not.
        let article = match pieces {
            [Piece::Letter('A', _), Piece::Word(_), ..] => true,
            [Piece::Word(word), _, ..] => ["an", "the"].contains(&word.as_str()),
            _ => false,
        };
        Words { all, bare: usize::from(article) }
    }

    fn bare(&self) -> &[Piece] {
        self.all.get(self.bare..).unwrap_or_default()
    }
}

/// The only option with these words, else with these but for an article.
fn only(options: &[Words], words: &Words) -> Option<usize> {
    let one = |same: &dyn Fn(&Words) -> bool| {
        let mut found = (0..options.len()).filter(|&at| !options[at].all.is_empty() && same(&options[at]));
        let first = found.next()?;
        found.next().is_none().then_some(first)
    };
    if options.iter().any(|option| option.all == words.all) {
        return one(&|option| option.all == words.all);
    }
    one(&|option| option.bare() == words.bare())
}

/// A letter followed by the words of its own option and nothing else: "B. C" where option B is "C".
fn with_own_words(reply: &Words, options: &[Words]) -> Option<usize> {
    let [Piece::Letter(letter, _), rest @ ..] = &reply.all[..] else { return None };
    let at = index(*letter);
    let own = !rest.is_empty() && options.get(at).is_some_and(|option| option.all == rest);
    // "A cup" where A is "cup" and C is "a cup".
    let other =
        own && options.iter().enumerate().any(|(other, option)| other != at && option.all == reply.all);
    (own && !other).then_some(at)
}

/// The option whose words a reply consists of or opens with, words that only announce aside: "It is the red cup.",
/// "Yes, the man runs.". Nothing where words of another option follow.
fn by_words(reply: &[Piece], options: &[Words]) -> Option<usize> {
    let mut from = 0;
    loop {
        let rest = &reply[from..];
        let clause = rest
            .iter()
            .position(|piece| matches!(piece, Piece::Mark('.' | ',' | ':' | ';' | '!' | '\n' | '-')));
        let (head, tail) = rest.split_at(clause.unwrap_or(rest.len()));
        for skipped in 0..head.len() {
            if let Some(found) = only(options, &Words::of(&head[skipped..])) {
                let tail = Words::of(tail).all;
                let another = options.iter().enumerate().any(|(at, option)| {
                    let words = option.bare();
                    at != found && !words.is_empty() && tail.windows(words.len()).any(|part| part == words)
                });
                return (!another).then_some(found);
            }
            if !is_filler(&head[skipped]) && !matches!(head[skipped], Piece::Mark(_)) {
                return None;
            }
        }
        from += clause? + 1;
    }
}

fn index(letter: char) -> usize {
    letter.to_ascii_uppercase() as usize - 'A' as usize
}

#[cfg(test)]
#[path = "choice/tests.rs"]
mod tests;
