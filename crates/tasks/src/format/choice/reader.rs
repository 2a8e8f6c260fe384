//! How a reply names letters: which of them are announced, open the reply or stand in a list, and which are denied. Words
//! decide: those that announce an option, those that may stand around a letter that is an answer by itself, those that
//! deny, and those that no article can have behind it.

use super::vocabulary::{AFTER, CORRECT, CUES, DENIALS, FILLERS, IS, WRONG};
use super::words::{Piece, pieces, small};

fn is_any(piece: &Piece, words: &[&str]) -> bool {
    matches!(piece, Piece::Word(word) if words.contains(&word.as_str()))
}

fn is_denial(piece: &Piece) -> bool {
    matches!(piece, Piece::Word(word) if DENIALS.contains(&word.as_str()) || word.ends_with("n't"))
}

pub(super) fn is_filler(piece: &Piece) -> bool {
    is_any(piece, FILLERS)
        || is_any(piece, CUES)
        || matches!(piece, Piece::Letter('I', true) | Piece::Mark('('))
}

/// How surely a letter is named.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Weight {
    /// It stands where options stand, in a list perhaps.
    Shown,
    /// It opens the reply.
    Opening,
    /// It is announced or called right.
    Announced,
}

/// A letter that was named or denied.
#[derive(Clone, Copy, Debug)]
pub(super) struct Mention {
    letter: char,
    denied: bool,
    weight: Weight,
    /// Which sentence it stands in.
    sentence: usize,
}

pub(super) struct Reader {
    pub(super) pieces: Vec<Piece>,
}

impl Reader {
    pub(super) fn of(text: &str) -> Reader {
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
    pub(super) fn letter(&self) -> Option<char> {
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
    pub(super) fn mentions(&self) -> Vec<Mention> {
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
