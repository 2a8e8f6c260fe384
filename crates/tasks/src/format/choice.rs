//! Which option a reply names, read as a person would: `B`, `(B)`, `b.`, `B. chair`, `the answer is B`, `\boxed{\text{B}}`,
//! `B。`, `选B`, "I would choose B.", "A is wrong, B". The article in "a chair" or "A chair" names nothing, nor does the
//! pronoun "I", nor a text that names two options. What is denied is not named: "A, not B" is A. A reply that leaves room
//! for doubt is not read: a false reading is worse than none, because none is counted.

mod words;

use words::{Piece, pieces};

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

/// Letters without their case.
fn small(piece: Piece) -> Piece {
    match piece {
        Piece::Letter(letter, _) => Piece::Letter(letter, false),
        other => other,
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

/// Words between what announces an option and its letter, or around a letter that stands for an answer by itself.
const FILLERS: &[&str] = &[
    "i",
    "i'd",
    "i'll",
    "i'm",
    "we",
    "you",
    "my",
    "our",
    "your",
    "it",
    "it's",
    "its",
    "this",
    "that",
    "that's",
    "is",
    "be",
    "are",
    "was",
    "would",
    "will",
    "should",
    "must",
    "may",
    "might",
    "could",
    "can",
    "the",
    "an",
    "correct",
    "right",
    "best",
    "true",
    "final",
    "most",
    "likely",
    "probable",
    "definitely",
    "certainly",
    "probably",
    "clearly",
    "obviously",
    "surely",
    "simply",
    "just",
    "therefore",
    "thus",
    "hence",
    "so",
    "then",
    "yes",
    "no",
    "ok",
    "okay",
    "sure",
    "well",
    "think",
    "believe",
    "guess",
    "say",
    "feel",
    "with",
    "to",
    "of",
    "for",
    "in",
    "conclusion",
    "here",
    "being",
    "as",
    "only",
    "single",
    "either",
    "between",
    "out",
    "and",
    "either",
    "seems",
    "sentence",
    "caption",
    "one",
    "which",
    "as",
    "follows",
    "going",
    "go",
    "me",
    "him",
    "opt",
    "vote",
    "question",
    "there",
    "appears",
    "seem",
    "assistant",
    "both",
    "es",
    "est",
    "la",
    "ist",
    "é",
    "è",
    "o",
];

/// Words that announce an option.
const CUES: &[&str] = &[
    "answer",
    "answers",
    "answer's",
    "option",
    "choice",
    "letter",
    "choose",
    "chose",
    "chosen",
    "pick",
    "picked",
    "select",
    "selected",
    "selecting",
    "choosing",
    "go",
    "going",
    "opt",
];

/// Words that deny what follows.
const DENIALS: &[&str] = &[
    "not",
    "cannot",
    "never",
    "neither",
    "nor",
    "than",
    "instead",
    "except",
    "unlike",
    "excluding",
    "exclude",
    "eliminate",
    "eliminated",
    "rule",
    "ruled",
    "over",
    "versus",
    "vs",
    "against",
    "without",
    "wrong",
    "incorrect",
    "besides",
];

/// Words that deny what stands before them, and words that affirm it.
const WRONG: &[&str] = &[
    "not",
    "cannot",
    "never",
    "wrong",
    "incorrect",
    "false",
    "out",
    "eliminated",
    "unlikely",
    "impossible",
    "invalid",
    "excluded",
];
const CORRECT: &[&str] = &[
    "correct",
    "right",
    "true",
    "answer",
    "best",
    "accurate",
    "choice",
    "likely",
    "fits",
    "matches",
    "mine",
    "appropriate",
];

/// Words that may follow a letter that was named, and never an article.
const AFTER: &[&str] = &[
    "because",
    "since",
    "as",
    "for",
    "rather",
    "instead",
    "over",
    "so",
    "which",
    "not",
    "therefore",
    "but",
    "based",
    "due",
    "option",
    "given",
];

/// Verbs between a letter and what is said of it.
const IS: &[&str] = &[
    "is", "are", "was", "seems", "seem", "looks", "appears", "must", "should", "would", "might", "may",
    "could", "can", "fits", "matches", "isn't", "can't", "aren't",
];

fn is_any(piece: &Piece, words: &[&str]) -> bool {
    matches!(piece, Piece::Word(word) if words.contains(&word.as_str()))
}

fn is_denial(piece: &Piece) -> bool {
    matches!(piece, Piece::Word(word) if DENIALS.contains(&word.as_str()) || word.ends_with("n't"))
}

fn is_filler(piece: &Piece) -> bool {
    is_any(piece, FILLERS)
        || is_any(piece, CUES)
        || matches!(piece, Piece::Letter('I', true) | Piece::Mark('('))
}

/// How surely a letter is named.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Weight {
    /// It stands where options stand, in a list perhaps.
    Shown,
    /// It opens the reply.
    Opening,
    /// It is announced or called right.
    Announced,
}

/// A letter that was named or denied.
#[derive(Clone, Copy, Debug)]
struct Mention {
    letter: char,
    denied: bool,
    weight: Weight,
    /// Which sentence it stands in.
    sentence: usize,
}

struct Reader {
    pieces: Vec<Piece>,
}

impl Reader {
    fn of(text: &str) -> Reader {
        let mut pieces = pieces(text.trim());
        let shouted = pieces.iter().all(|piece| !matches!(piece, Piece::Letter(_, false)))
            && text.chars().filter(|c| c.is_alphabetic()).count() > 3
            && !text.chars().any(char::is_lowercase);
        if shouted && pieces.iter().any(|piece| matches!(piece, Piece::Word(_))) && text.is_ascii() {
            // Where everything is a capital, capitals say nothing.
            pieces = pieces.into_iter().map(small).collect();
        }
        Reader { pieces }
    }

    /// The letter that is named beyond doubt.
    fn letter(&self) -> Option<char> {
        let words: Vec<&Piece> =
            self.pieces.iter().filter(|piece| !matches!(piece, Piece::Mark(_))).collect();
        if let [Piece::Letter(letter, _)] = words[..] {
            return Some(*letter);
        }
        let mentions = self.mentions();
        let named: Vec<&Mention> = mentions.iter().filter(|mention| !mention.denied).collect();
        let announced: Vec<&&Mention> =
            named.iter().filter(|mention| mention.weight == Weight::Announced).collect();
        let shown = distinct(named.iter().map(|mention| mention.letter));
        let found = if let Some(last) = announced.last() {
            // Of several the last sentence counts, in which one thinks no longer.
            let found = one(announced.iter().filter(|m| m.sentence == last.sentence).map(|m| m.letter))?;
            // A letter that opens the reply contradicts, unless it begins a list.
            let opening = named.iter().find(|mention| mention.weight == Weight::Opening);
            if opening.is_some_and(|opening| opening.letter != found) && shown < 3 {
                return None;
            }
            found
        } else {
            one(named.iter().map(|mention| mention.letter))?
        };
        let last = mentions.iter().rfind(|mention| mention.letter == found);
        last.is_some_and(|mention| !mention.denied).then_some(found)
    }

    /// Every letter that stands for an option, named or denied.
    fn mentions(&self) -> Vec<Mention> {
        let mut found: Vec<Mention> = Vec::new();
        let (mut sentence, mut last) = (0, None);
        for at in 0..self.pieces.len() {
            if self.ends_sentence(at) {
                sentence += 1;
            }
            let Piece::Letter(letter, _) = self.pieces[at] else { continue };
            // "A or B", "A, C and D": what holds for the first holds for the others.
            let joined = last.filter(|&(before, _)| self.joins(before, at));
            let mention = match joined {
                Some((_, first @ Mention { .. })) => Some(Mention { letter, ..first }),
                None => self.mention(at).map(|(denied, weight)| Mention { letter, denied, weight, sentence }),
            };
            if let Some(mention) = mention {
                // Of "A and B are wrong" both are.
                if joined.is_some() && self.denied_after(at) && !mention.denied {
                    found.iter_mut().filter(|m| m.sentence == sentence).for_each(|m| m.denied = true);
                }
                let denied = mention.denied || self.denied_after(at);
                let mention = Mention { denied, ..mention };
                last = Some((at, mention));
                found.push(mention);
            } else {
                last = None;
            }
        }
        found
    }

    /// Whether a sentence ends here. The mark right behind a letter that opens a line is the letter's.
    fn ends_sentence(&self, at: usize) -> bool {
        match self.pieces[at] {
            Piece::Mark('\n' | '!' | '?' | ';') => true,
            Piece::Mark('.') => {
                !(at > 0 && matches!(self.pieces[at - 1], Piece::Letter(..)) && self.begins(at - 1))
            }
            _ => false,
        }
    }

    /// Whether a letter opens the text or a line.
    fn begins(&self, at: usize) -> bool {
        let before = self.pieces[..at].iter().rfind(|piece| !matches!(piece, Piece::Mark('(' | '-')));
        matches!(before, None | Some(Piece::Mark('\n')))
    }

    fn next(&self, at: usize) -> Option<&Piece> {
        self.pieces[at + 1..].iter().find(|piece| !matches!(piece, Piece::Mark(')')))
    }

    /// Whether only joining words and marks lie between two letters, as in "A or B", "A/B", "A, B", "A and (B)".
    fn joins(&self, before: usize, at: usize) -> bool {
        let between = &self.pieces[before + 1..at];
        let joining = |piece: &Piece| match piece {
            Piece::Word(word) => ["or", "and", "nor"].contains(&word.as_str()),
            Piece::Mark(mark) => matches!(mark, '/' | ',' | '(' | ')' | '-'),
            Piece::Letter(..) => false,
        };
        let word = between.iter().any(|piece| matches!(piece, Piece::Word(_) | Piece::Mark('/')));
        let alone = matches!(self.next(at), None | Some(Piece::Mark(_)))
            || self.next(at).is_some_and(|next| is_any(next, &["and", "or"]));
        let denied = self.mention(before).is_some_and(|(denied, _)| denied) || self.denied_after(before);
        !between.is_empty() && between.iter().all(joining) && (word || (alone && !denied))
    }

    /// How a letter is named, if it is: whether it is denied, and how surely.
    fn mention(&self, at: usize) -> Option<(bool, Weight)> {
        let Piece::Letter(letter, capital) = self.pieces[at] else { return None };
        let bracketed = at > 0
            && self.pieces[at - 1] == Piece::Mark('(')
            && self.pieces.get(at + 1) == Some(&Piece::Mark(')'));
        let next = self.next(at);
        let marked = match self.pieces.get(at + 1) {
            None => true,
            Some(Piece::Mark(mark)) => *mark != '=',
            Some(_) => false,
        };
        let listed = next.is_some_and(|next| is_any(next, &["and", "or", "nor"]));
        let listed =
            listed && self.pieces[at + 1..].iter().any(|piece| matches!(piece, Piece::Letter(_, true)));
        let free =
            bracketed || marked || (capital && (listed || next.is_some_and(|next| is_any(next, AFTER))));
        let (announced, alone, denied) = self.before(at);
        let affirmed = (capital || bracketed) && self.affirmed_after(at);
        let article = matches!(letter, 'A' | 'I');
        let after_cue =
            announced && (free || affirmed || (capital && letter != 'I' && self.cue_is_answer(at)));
        // "the answer is a" may have been cut off before its noun.
        let cut = !capital && next.is_none() && !bracketed && article && !self.pointed(at);
        if (after_cue && !cut) || affirmed {
            return Some((denied, Weight::Announced));
        }
        if self.begins(at) {
            let opens = marked || bracketed || (capital && (free || !article) && !self.is_said_of(at));
            let weight = if at <= 1 { Weight::Opening } else { Weight::Shown };
            return opens.then_some((denied, weight));
        }
        let closed = self.pieces.get(at + 1) == Some(&Piece::Mark(')'));
        let item = capital && (bracketed || (closed && self.pieces[at - 1] != Piece::Mark('(')));
        let answer = alone && free && (capital || marked) && !cut;
        let refused = denied && (free || capital) || capital && self.denied_after(at);
        (item || answer || refused).then_some((denied, Weight::Shown))
    }

    /// What stands before a letter: whether words announce it, whether its clause holds nothing else, whether it is denied.
    fn before(&self, at: usize) -> (bool, bool, bool) {
        let (mut announced, mut denied) = (false, false);
        for place in (0..at).rev() {
            let piece = &self.pieces[place];
            match piece {
                Piece::Mark('(' | ')' | '-' | ':' | '=') => {}
                Piece::Mark(',' | '.') if announced => return (announced, false, denied),
                Piece::Mark(_) => return (announced, true, denied),
                _ if is_any(
                    piece,
                    &["but", "so", "because", "since", "while", "then", "thus", "hence", "therefore"],
                ) =>
                {
                    return (announced, true, denied);
                }
                _ if is_denial(piece) => {
                    denied = true;
                    if announced {
                        return (announced, false, denied);
                    }
                }
                _ if is_any(piece, CUES) => announced = true,
                _ if is_filler(piece) => {}
                _ => return (announced, false, denied),
            }
        }
        (announced, true, denied)
    }

    /// Whether the cue before a letter is the word "answer", after which a word may follow: "the answer is B because".
    fn cue_is_answer(&self, at: usize) -> bool {
        let cue = self.pieces[..at].iter().rfind(|piece| is_any(piece, CUES));
        cue.is_some_and(|cue| is_any(cue, &["answer", "answer's"])) && !self.is_said_of(at)
    }

    /// Whether a colon, an equals sign or the cue itself stands right before a letter.
    fn pointed(&self, at: usize) -> bool {
        self.pieces[..at]
            .iter()
            .rfind(|piece| !matches!(piece, Piece::Mark('(')))
            .is_some_and(|piece| matches!(piece, Piece::Mark(':' | '=')) || is_any(piece, CUES))
    }

    /// Whether a verb follows that says something of the letter: "A is wrong", "B is on the left".
    fn is_said_of(&self, at: usize) -> bool {
        self.next(at).is_some_and(|next| is_any(next, IS))
    }

    /// The words after a letter up to the end of the clause, where a verb comes first.
    fn predicate(&self, at: usize) -> &[Piece] {
        let skipped =
            self.pieces[at + 1..].iter().take_while(|piece| matches!(piece, Piece::Mark(')'))).count();
        let rest = &self.pieces[at + 1 + skipped..];
        let verb = rest
            .first()
            .is_some_and(|piece| is_any(piece, IS) || is_any(piece, &["cannot"]) || is_denial(piece));
        let ends = |piece: &Piece| {
            matches!(piece, Piece::Mark(mark) if *mark != '(' && *mark != ')')
                || is_any(piece, &["and", "but", "so", "because", "since", "while", "whereas", "as"])
        };
        let end = rest.iter().position(ends).unwrap_or(rest.len());
        if verb { &rest[..end] } else { &[] }
    }

    fn denied_after(&self, at: usize) -> bool {
        let predicate = self.predicate(at);
        let said = predicate
            .first()
            .is_some_and(|piece| is_any(piece, IS) || is_any(piece, &["cannot"]) || is_contracted(piece));
        said && predicate.iter().take(8).any(|piece| is_any(piece, WRONG) || is_contracted(piece))
    }

    fn affirmed_after(&self, at: usize) -> bool {
        let predicate = self.predicate(at);
        let said = predicate.first().is_some_and(|piece| is_any(piece, IS));
        said && predicate.iter().take(8).any(|piece| is_any(piece, CORRECT)) && !self.denied_after(at)
    }
}

fn is_contracted(piece: &Piece) -> bool {
    matches!(piece, Piece::Word(word) if word.ends_with("n't"))
}

/// How many different letters.
fn distinct(letters: impl Iterator<Item = char>) -> usize {
    letters.collect::<std::collections::BTreeSet<_>>().len()
}

/// The letter that all of them are.
fn one(mut letters: impl Iterator<Item = char>) -> Option<char> {
    let first = letters.next()?;
    letters.all(|letter| letter == first).then_some(first)
}

#[cfg(test)]
#[path = "choice/tests.rs"]
mod tests;
