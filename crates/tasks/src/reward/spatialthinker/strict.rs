//! Mode `strict`: the published reward without its faults. The form asks for the sections in order with nothing around
//! them and for a scene graph that hangs together. An answer may be the letter, the text or both. Things pay by how
//! well they lie *and* are named, things too many cost, a box that covers the picture earns (almost) nothing, and
//! relations pay if both ends were found and the predicate agrees. Every score lies in 0 to 1.

use super::passage::Passage;
use super::{NAME, Row, Scored, SpatialThinker, size};
use crate::assignment::assign;
use crate::boxes::Coordinates;
use crate::format::without_inner_tags;
use crate::likeness::{Likeness, Name};
use crate::metric::overlap::Shape;
use crate::{Error, Result, Scene};

/// Likeness of two spellings of one name.
const SAME_NAME: f64 = 0.99;

const PICTURE: [f64; 4] = [0.0, 0.0, 1.0, 1.0];

impl SpatialThinker {
    pub(super) fn strict(&self, row: &Row) -> Result<Scored> {
        let [width, height] = size::tolerant(row)?;
        let (truth, gold) = truth(&row.solution)?;
        let frame = self.frame(row, [width, height])?;
        let text = without_inner_tags(&row.completion);
        let reply = Passage::of(&text);
        let scene = reply.scene().filter(|_| reply.is_exact());
        let Some(drawn) = scene.and_then(|text| Scene::strict(text).ok()) else {
            let mut nothing = self.total(0.0, 0.0, 0.0, 0.0);
            nothing.parts.insert("boxes", 0.0);
            return Ok(nothing);
        };
        let things = [drawn.objects.len(), truth.objects.len()];
        let count = self.count(things, [drawn.relationships.len(), truth.relationships.len()]);
        let right = same_option(reply.answer().unwrap_or_default(), gold);
        let found = self.placed(&drawn, frame);
        let wanted = self.placed(&truth, Coordinates::Pixels { height, width });
        let spatial = if right { self.strict_spatial(&drawn, &found, &truth, &wanted) } else { 0.0 };
        let mut scored = self.total(1.0, count, f64::from(u8::from(right)), spatial);
        // Measured, never paid: what a true box is covered by, whatever the answer.
        scored.parts.insert("boxes", boxes(&found, &wanted));
        Ok(scored)
    }

    /// Names and shapes of a scene's things, in fractions of the sides.
    fn placed<'a>(&self, scene: &'a Scene, frame: Coordinates) -> Vec<(Name<'a>, Shape)> {
        let placed = scene.objects.iter().map(|object| {
            let label = object.id.rsplit_once('.').map_or(object.id.as_str(), |(name, _)| name);
            (
                self.likeness.name(plain(label).into()),
                Shape::new(object.bbox.convert(frame, Coordinates::Unit).0, 0.0),
            )
        });
        placed.collect()
    }

    fn strict_spatial(
        &self,
        drawn: &Scene,
        found: &[(Name<'_>, Shape)],
        truth: &Scene,
        wanted: &[(Name<'_>, Shape)],
    ) -> f64 {
        let free: Vec<f64> = wanted.iter().map(|(_, shape)| free(shape)).collect();
        let worth = |(name, shape): &(Name<'_>, Shape), at: usize| {
            let (wanted_name, wanted_shape) = &wanted[at];
            let gain = (wanted_shape.complete_overlap(shape) - free[at]) / (1.0 - free[at]);
            if gain > 0.0 { gain * name.likeness(wanted_name).max(0.0) } else { 0.0 }
        };
        let worths: Vec<f64> =
            found.iter().flat_map(|one| (0..wanted.len()).map(move |at| worth(one, at))).collect();
        let (things, partners) = agreement(&worths, found.len(), wanted.len());
        if truth.relationships.is_empty() {
            return things;
        }
        self.blend(things, relations(drawn, truth, &partners))
    }
}

/// What a box over the whole picture is given for this true box: b(1 - b), where b is its overlap. Taken off every
/// box, it leaves the whole picture b² at most: next to nothing for a small thing, its due for one that fills the
/// picture.
fn free(wanted: &Shape) -> f64 {
    let whole = wanted.complete_overlap(&Shape::new(PICTURE, 0.0));
    if whole > 0.0 { whole * (1.0 - whole) } else { 0.0 }
}

/// Twice the worth of the best pairing over all things on both sides (1 if there are none), and the partner of each
/// wanted one where the pair is worth something.
fn agreement(worths: &[f64], found: usize, wanted: usize) -> (f64, Vec<Option<usize>>) {
    if found + wanted == 0 {
        return (1.0, Vec::new());
    }
    let prices: Vec<f64> = worths.iter().map(|worth| 1.0 - worth).collect();
    let mut partners = vec![None; wanted];
    let mut total = 0.0;
    for (one, pair) in assign(&prices, found, wanted).into_iter().enumerate() {
        if let Some((at, worth)) =
            pair.map(|at| (at, worths[one * wanted + at])).filter(|(_, worth)| *worth > 0.0)
        {
            partners[at] = Some(one);
            total += worth;
        }
    }
    (2.0 * total / (found + wanted) as f64, partners)
}

/// Mean overlap of the true boxes with those drawn for them: things of one name in the best pairing, 0 for a thing that
/// was not drawn, 1 where there is nothing to draw.
fn boxes(found: &[(Name<'_>, Shape)], wanted: &[(Name<'_>, Shape)]) -> f64 {
    let overlap = |(name, shape): &(Name<'_>, Shape), (wanted_name, wanted_shape): &(Name<'_>, Shape)| {
        if name.likeness(wanted_name) > SAME_NAME { wanted_shape.overlap(shape) } else { 0.0 }
    };
    let overlaps: Vec<f64> =
        found.iter().flat_map(|one| wanted.iter().map(move |other| overlap(one, other))).collect();
    let (_, partners) = agreement(&overlaps, found.len(), wanted.len());
    let drawn =
        partners.iter().enumerate().filter_map(|(at, one)| Some(overlaps[(*one)? * wanted.len() + at]));
    if wanted.is_empty() { 1.0 } else { drawn.sum::<f64>() / wanted.len() as f64 }
}

/// Agreement of the relations. Both ends must have been found; predicates are compared by their letters, since word
/// vectors hold left and right for nearly the same.
fn relations(drawn: &Scene, truth: &Scene, partners: &[Option<usize>]) -> f64 {
    let ends = |scene: &Scene| -> Vec<_> {
        let place = |id: &str| scene.objects.iter().position(|object| object.id == id);
        let links = scene.relationships.iter();
        links
            .map(|link| {
                (
                    place(&link.subject),
                    place(&link.object),
                    Likeness::Letters.name(plain(&link.predicate).into()),
                )
            })
            .collect()
    };
    let (found, wanted) = (ends(drawn), ends(truth));
    let partner = |end: Option<usize>| end.and_then(|at| partners[at]);
    let worths: Vec<f64> = found
        .iter()
        .flat_map(|(subject, object, predicate)| {
            wanted.iter().map(move |(from, to, wish)| {
                let met = subject.is_some() && partner(*from) == *subject && partner(*to) == *object;
                if met { predicate.likeness(wish) } else { 0.0 }
            })
        })
        .collect();
    agreement(&worths, found.len(), wanted.len()).0
}

/// The gold scene and answer. A row without either, or whose scene does not hang together, judges nothing.
fn truth(solution: &str) -> Result<(Scene, &str)> {
    let gold = Passage::of(solution);
    let section = |inner: Option<_>, name| {
        let inner = inner.map(str::trim).filter(|inner| !inner.is_empty());
        inner.ok_or_else(|| Error::row(NAME, format!("no {name} in the solution")))
    };
    let (scene, answer) = (section(gold.scene(), "<scene>")?, section(gold.answer(), "<answer>")?);
    let scene = Scene::parse(scene).and_then(|scene| scene.check().map(|()| scene));
    Ok((scene.map_err(|error| Error::row(NAME, format!("the solution is {error}")))?, answer))
}

/// Lower case, one blank between words.
fn plain(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    for word in
        text.split(|c: char| c.is_whitespace() || c == '_' || c == '-').filter(|word| !word.is_empty())
    {
        if !plain.is_empty() {
            plain.push(' ');
        }
        plain.extend(word.chars().flat_map(char::to_lowercase));
    }
    plain
}

/// Whether a reply names the gold option: by letter, by text, or by both if both agree.
fn same_option(reply: &str, gold: &str) -> bool {
    let ((letter, text), (gold_letter, gold_text)) = (option(reply), option(gold));
    let same_text = text == gold_text;
    match (letter, gold_letter) {
        (Some(letter), Some(gold_letter)) => {
            letter == gold_letter && (same_text || text.is_empty() || gold_text.is_empty())
        }
        _ => same_text && !text.is_empty(),
    }
}

/// The letter and the text of `(B) on top`, `B. on top`, `B`, `on top`.
fn option(text: &str) -> (Option<char>, String) {
    let text = text.trim();
    let (bracket, rest) = text.strip_prefix('(').map_or((false, text), |rest| (true, rest));
    let mut letters = rest.chars();
    let letter = letters.next().filter(char::is_ascii_alphabetic).map(|letter| letter.to_ascii_uppercase());
    let rest = letters.as_str();
    let after = if bracket { rest.strip_prefix(')') } else { rest.strip_prefix(['.', ')', ':']) };
    let after = after.or((!bracket && rest.is_empty()).then_some(""));
    match letter.and(after) {
        Some(after) => (letter, plain(after.trim_end_matches('.'))),
        None => (None, plain(text.trim_end_matches('.'))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_agree() {
        let check = |reply: &str, gold: &str, expect: bool| {
            assert_eq!(same_option(reply, gold), expect, "{reply} / {gold}")
        };
        for right in [
            "(B) on top of",
            "B",
            "(b)",
            "B.",
            "B. On  top of.",
            " on top of ",
            "B) on top of",
            "B: on top of",
        ] {
            check(right, "(B) on top of", true);
        }
        for wrong in ["", "A", "(A) on top of", "(B) below", "a table", "Bowl", "top", "(B", "B on top of"] {
            check(wrong, "(B) on top of", false);
        }
        check("(A) yes", "yes", true);
        check("(C) 3", "C", true);
        check("", "", false);
    }
}
