//! Mode `compatible`: the published arithmetic, case for case. What looks wrong here is wrong there: boxes apart are
//! worth about 0.3, things too many cost nothing, a name only matters for the pairing, predicates never do.

use super::passage::Passage;
use super::published::{Drawn, Link, Thing, Truth, broken, drawn, graph, truth};
use super::{NAME, Overlap, Row, Scored, SpatialThinker, Variant, size};
use crate::assignment::assign;
use crate::format::tags::strip;
use crate::json::Json;
use crate::likeness::Name;
use crate::metric::overlap::{Shape, box_overlap_published, generalised_overlap_published};
use crate::{Error, Result};

/// Price of leaving a true thing without a partner.
const ALONE: f64 = 1e5;
/// Added to what boxes are divided by.
const MARGIN: f64 = 1e-7;
/// Weights of subject, object and predicate when relations are paired.
const ENDS: [f64; 3] = [0.3, 0.3, 0.4];
/// Weights of overlap and of nearness for a box, of a box and its name for a thing, of things and relations.
const NEARNESS: [f64; 2] = [1.0, 5.0];
const HALVES: [f64; 2] = [0.5, 0.5];

impl SpatialThinker {
    pub(super) fn compatible(&self, row: &Row) -> Result<Scored> {
        let picture = size::published(row)?;
        let (reply, gold) = (Passage::of(&row.completion), Passage::of(&row.solution));
        let scene = if reply.is_complete() { graph(&reply) } else { None };
        let Some(drawn) = scene.as_ref().and_then(drawn) else {
            return Ok(self.total(0.0, 0.0, 0.0, 0.0));
        };
        let truth = graph(&gold).unwrap_or(Json::Object(Vec::new()));
        let count = self.published_count(&drawn, &truth)?;
        let right = answer(&reply) == answer(&gold);
        let spatial = if right { self.published_spatial(row, picture, &drawn, &truth)? } else { 0.0 };
        Ok(self.total(1.0, count, f64::from(u8::from(right)), spatial))
    }

    fn published_count(&self, drawn: &Drawn<'_>, truth: &Json<'_>) -> Result<f64> {
        let Some(things) = truth.get("objects").and_then(Json::list).filter(|_| drawn.listed) else {
            return Ok(0.0);
        };
        let links = match truth.get("relationships").filter(|value| value.is_truthy()) {
            None => 0,
            Some(Json::List(items)) => items.len(),
            Some(Json::Text(text)) => text.chars().count(),
            Some(Json::Object(members)) => members.len(),
            Some(_) => return Err(broken("relationships is no list")),
        };
        Ok(self.count([drawn.things.len(), things.len()], [drawn.links.len(), links]))
    }

    fn published_spatial(
        &self,
        row: &Row,
        picture: [f64; 2],
        drawn: &Drawn<'_>,
        truth: &Json<'_>,
    ) -> Result<f64> {
        let Some(truth) = self::truth(truth, !drawn.links.is_empty())? else { return Ok(0.0) };
        if truth.things.len() + drawn.things.len() > 0 && picture.contains(&0.0) {
            return Err(Error::row(NAME, "an image without pixels"));
        }
        let found = self.scaled(&drawn.things, self.frame(row, picture)?.sides());
        let wanted = self.scaled(&truth.things, picture);
        let score = match self.settings.variant {
            Variant::Boxes if wanted.is_empty() && truth.links.is_empty() => {
                Some(all_or_nothing(found.is_empty()))
            }
            Variant::Boxes => self.boxes(&found, &wanted, |_, _, overlap| overlap),
            Variant::BoxesAndRelations => self.boxes_and_relations(&found, &wanted, drawn, &truth),
        };
        let gated = self.settings.relation_gate
            && self.settings.variant == Variant::Boxes
            && drawn.links.is_empty()
            && !truth.links.is_empty();
        Ok(if gated { 0.0 } else { score.filter(|score| !score.is_nan()).unwrap_or(0.0) })
    }

    /// Boxes as fractions of these sides, names as they are compared.
    fn scaled<'a>(&self, things: &[Thing<'a>], sides: [f64; 2]) -> Vec<Scaled<'a>> {
        let scale = sides.map(|side| 1.0 / side);
        let scaled = |thing: &Thing<'a>| {
            let bounds = std::array::from_fn(|i| thing.bounds[i] * scale[i % 2]);
            Scaled { name: self.name(thing.id), bounds, shape: Shape::new(bounds, MARGIN) }
        };
        things.iter().map(scaled).collect()
    }

    /// What is compared of an id or a predicate: before the first dot, without marks between words.
    fn name<'a>(&self, id: &'a str) -> Name<'a> {
        let label = id.split('.').next().unwrap_or_default();
        let plain = |c: char| c.is_ascii_lowercase();
        if label.chars().all(plain) {
            return self.likeness.name(label.into());
        }
        self.likeness.name(strip(&label.replace(['_', '-'], " ")).to_lowercase().into())
    }

    /// Mean worth of the true things, from `worth(found, wanted, overlap)` of each pair. `None` where the published
    /// code dies of numbers that are none.
    fn boxes(
        &self,
        found: &[Scaled<'_>],
        wanted: &[Scaled<'_>],
        worth: impl Fn(&Scaled<'_>, &Scaled<'_>, f64) -> f64,
    ) -> Option<f64> {
        if wanted.is_empty() {
            return Some(1.0);
        }
        let overlap = |a: &Scaled<'_>, b: &Scaled<'_>| match self.settings.overlap {
            Overlap::Complete => b.shape.complete_overlap_published(&a.shape),
            Overlap::Generalised => generalised_overlap_published(b.bounds, a.bounds),
        };
        let overlaps: Vec<f64> =
            found.iter().flat_map(|a| wanted.iter().map(move |b| overlap(a, b))).collect();
        if overlaps.iter().any(|overlap| overlap.is_nan() || *overlap == f64::INFINITY) {
            return None;
        }
        let price = |at: usize| {
            let likeness = found[at / wanted.len()].name.likeness(&wanted[at % wanted.len()].name);
            self.settings.label_cost * (1.0 - likeness) + self.settings.overlap_cost * (1.0 - overlaps[at])
        };
        let partners = partners((0..overlaps.len()).map(price).collect(), found.len(), wanted.len())?;
        let worths = partners.iter().zip(wanted).enumerate().map(|(at, (partner, thing))| {
            partner.map_or(0.0, |one| worth(&found[one], thing, overlaps[one * wanted.len() + at]))
        });
        Some(worths.sum::<f64>() / wanted.len() as f64)
    }

    /// The variant that the published code never calls.
    fn boxes_and_relations(
        &self,
        found: &[Scaled<'_>],
        wanted: &[Scaled<'_>],
        drawn: &Drawn<'_>,
        truth: &Truth<'_>,
    ) -> Option<f64> {
        let things = if wanted.is_empty() {
            all_or_nothing(found.is_empty())
        } else {
            let near = self.boxes(found, wanted, |a, b, _| {
                let apart: f64 = b.bounds.iter().zip(a.bounds).map(|(b, a)| (b - a).abs()).sum();
                let [overlap, nearness] = NEARNESS;
                (overlap * box_overlap_published(b.bounds, a.bounds) + nearness * (-apart).exp())
                    / (overlap + nearness)
            })?;
            let named = self.boxes(found, wanted, |a, b, _| b.name.likeness(&a.name))?;
            HALVES[0] * near + HALVES[1] * named
        };
        Some(HALVES[0] * things + HALVES[1] * self.relations(&drawn.links, &truth.links)?)
    }

    fn ends<'a>(&self, links: &[Link<'a>]) -> Vec<[Name<'a>; 3]> {
        links.iter().map(|link| link.0.map(|end| self.name(end))).collect()
    }

    /// Mean likeness of the true relations to their partners.
    fn relations(&self, found: &[Link<'_>], wanted: &[Link<'_>]) -> Option<f64> {
        if wanted.is_empty() {
            return Some(all_or_nothing(found.is_empty()));
        }
        let (found, wanted) = (self.ends(found), self.ends(wanted));
        let likeness = |a: &[Name<'_>; 3], b: &[Name<'_>; 3]| -> f64 {
            (0..3).map(|end| ENDS[end] * a[end].likeness(&b[end])).sum()
        };
        let prices: Vec<f64> =
            found.iter().flat_map(|a| wanted.iter().map(move |b| 1.0 - likeness(a, b))).collect();
        let partners = partners(prices.clone(), found.len(), wanted.len())?;
        let worths = partners
            .iter()
            .enumerate()
            .filter_map(|(at, one)| one.map(|one| 1.0 - prices[one * wanted.len() + at]));
        Some(worths.sum::<f64>() / wanted.len() as f64)
    }
}

/// A thing in fractions of the picture's sides.
struct Scaled<'a> {
    name: Name<'a>,
    bounds: [f64; 4],
    shape: Shape,
}

fn all_or_nothing(all: bool) -> f64 {
    f64::from(u8::from(all))
}

/// For each of `wanted` the one of `found` it is paired with. Too few found: rows of a high price stand in, as they
/// do in the published code, so that ties come out alike. `None` where infinite prices leave no pairing.
fn partners(mut prices: Vec<f64>, found: usize, wanted: usize) -> Option<Vec<Option<usize>>> {
    let rows = found.max(wanted);
    prices.resize(rows * wanted, ALONE);
    let pairs = assign(&prices, rows, wanted);
    let mut partners = vec![None; wanted];
    for (row, column) in pairs.iter().enumerate().take(found) {
        if let Some(column) = column {
            partners[*column] = Some(row);
        }
    }
    (pairs.iter().flatten().count() == wanted).then_some(partners)
}

/// The answer as it is compared; an absent one is empty.
fn answer(passage: &Passage<'_>) -> String {
    strip(passage.answer().unwrap_or_default()).to_lowercase()
}
