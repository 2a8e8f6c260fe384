//! Scene graphs as the published code takes them: of a reply, its form checked one value at a time; of the truth,
//! nothing checked, so that a row the published code stops at is an error here.

use super::NAME;
use super::passage::Passage;
use crate::format::tags::strip;
use crate::json::Json;
use crate::{Error, Result, python};

/// An object of a scene graph.
pub(super) struct Thing<'a> {
    pub(super) id: &'a str,
    pub(super) bounds: [f64; 4],
}

/// A relation of a scene graph: subject, object, predicate.
pub(super) struct Link<'a>(pub(super) [&'a str; 3]);

/// A reply's scene graph in the published form.
pub(super) struct Drawn<'a> {
    pub(super) things: Vec<Thing<'a>>,
    pub(super) links: Vec<Link<'a>>,
    /// Whether there was a list of objects at all.
    pub(super) listed: bool,
}

/// The truth, where it is a graph.
pub(super) struct Truth<'a> {
    pub(super) things: Vec<Thing<'a>>,
    pub(super) links: Vec<Link<'a>>,
}

/// The object that a scene section holds.
pub(super) fn graph<'a>(passage: &Passage<'a>) -> Option<Json<'a>> {
    let value = Json::parse(strip(passage.scene()?))?;
    matches!(value, Json::Object(_)).then_some(value)
}

/// A reply's graph if it has the published form.
pub(super) fn drawn<'a>(graph: &'a Json<'a>) -> Option<Drawn<'a>> {
    let list = |key| graph.get(key).map_or(Some(&[][..]), Json::list);
    let things: Vec<_> = list("objects")?.iter().map(thing).collect::<Option<_>>()?;
    let links = list("relationships")?.iter().map(link).collect::<Option<_>>()?;
    let mut ids: Vec<&str> = things.iter().map(|thing| thing.id).collect();
    ids.sort_unstable();
    let alone = ids.windows(2).all(|pair| pair[0] != pair[1]);
    (alone && graph.is_truthy()).then_some(Drawn { things, links, listed: graph.get("objects").is_some() })
}

fn thing<'a>(value: &'a Json<'a>) -> Option<Thing<'a>> {
    let Json::Object(members) = value else { return None };
    let known = members.iter().all(|(key, _)| key == "id" || key == "bbox");
    let id = value.get("id")?.text().filter(|id| known && is_id(id))?;
    let corners = value.get("bbox")?.list()?;
    (corners.len() == 4).then_some(())?;
    Some(Thing { id, bounds: bounds(corners)? })
}

/// The first four numbers of a list; Python counts true and false among them.
fn bounds(corners: &[Json<'_>]) -> Option<[f64; 4]> {
    let mut bounds = [0.0; 4];
    for (at, bound) in bounds.iter_mut().enumerate() {
        *bound = match corners.get(at)? {
            Json::Number(number) => *number,
            Json::Bool(value) => f64::from(u8::from(*value)),
            _ => return None,
        };
    }
    Some(bounds)
}

fn link<'a>(value: &'a Json<'a>) -> Option<Link<'a>> {
    let end = |key| value.get(key).and_then(Json::text);
    let ends = [end("subject")?, end("object")?, end("predicate")?];
    (is_id(ends[0]) && is_id(ends[1])).then_some(Link(ends))
}

/// Letters and underscores, a dot, decimal digits of any script.
fn is_id(id: &str) -> bool {
    let Some((name, number)) = id.split_once('.') else { return false };
    let named = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphabetic() || byte == b'_');
    named && !number.is_empty() && number.chars().all(|c| python::digit(c).is_some())
}

pub(super) fn broken(reason: &str) -> Error {
    Error::row(
        NAME,
        format!("the solution's scene graph: {reason}\nhint: mend the row, the published code stops there"),
    )
}

/// The truth, whose form the published code does not check: `None` where its lists are none, an error where it stops.
pub(super) fn truth<'a>(graph: &'a Json<'a>, predicates: bool) -> Result<Option<Truth<'a>>> {
    let list = |key| match graph.get(key).filter(|value| value.is_truthy()) {
        None => Some(&[][..]),
        Some(value) => value.list(),
    };
    let (Some(things), Some(links)) = (list("objects"), list("relationships")) else { return Ok(None) };
    let thing = |value: &'a Json<'a>| {
        let id = value.get("id").and_then(Json::text);
        let bounds = value.get("bbox").and_then(Json::list).and_then(bounds);
        Some(Thing { id: id?, bounds: bounds.filter(|bounds| bounds.iter().all(|n| n.is_finite()))? })
    };
    let link = |value: &'a Json<'a>| {
        let end = |key| value.get(key).and_then(Json::text);
        let predicate = end("predicate").or((!predicates).then_some(""));
        Some(Link([end("subject")?, end("object")?, predicate?]))
    };
    let things: Option<Vec<_>> = things.iter().map(thing).collect();
    let links: Option<Vec<_>> = links.iter().map(link).collect();
    match (things, links) {
        (Some(things), Some(links)) => Ok(Some(Truth { things, links })),
        (None, _) => Err(broken("an object without an id or four numbers of a box")),
        _ => Err(broken("a relation without subject, predicate or object")),
    }
}
