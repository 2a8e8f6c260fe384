//! The small vocabulary of questions and reasons: names of things, squares of the picture, words for distances.

use crate::rng::Rng;
use crate::things::{Kind, Side, Thing};

/// Squares of a picture, across and down, named like a chess board's from the top left.
pub(crate) const COLUMNS: usize = 8;
pub(crate) const ROWS: usize = 6;

/// Distance words and the metres they end at.
pub const DEPTHS: [(&str, f32); 6] = [
    ("touching", 0.6),
    ("close", 1.2),
    ("near", 2.0),
    ("mid", 3.2),
    ("far", 5.0),
    ("distant", f32::INFINITY),
];

/// Words for the area of a box, and the squares they end at.
pub const AREAS: [(&str, f32); 7] = [
    ("minute", 0.35),
    ("tiny", 0.8),
    ("small", 1.8),
    ("medium", 4.0),
    ("large", 9.0),
    ("huge", 20.0),
    ("giant", f32::INFINITY),
];

/// What a thing is called: `red cup`, `window`, `person in red`.
pub(crate) fn name(thing: &Thing) -> String {
    match (thing.kind, thing.colour) {
        (Kind::Person, Some(colour)) => format!("person in {}", colour.name()),
        (_, Some(colour)) => format!("{} {}", colour.name(), thing.name),
        _ => thing.name.clone(),
    }
}

pub(crate) fn side(side: Side) -> &'static str {
    match side {
        Side::Left => "left",
        Side::Right => "right",
    }
}

/// The middle of a box in squares from the left and the top.
pub(crate) fn cell_at([x1, y1, x2, y2]: [u32; 4], [width, height]: [usize; 2]) -> [f32; 2] {
    let middle = |a: u32, b: u32, n: usize, of: usize| (a + b) as f32 / 2.0 * n as f32 / of as f32;
    [middle(x1, x2, COLUMNS, width), middle(y1, y2, ROWS, height)]
}

/// `e3`.
pub(crate) fn cell([x, y]: [f32; 2]) -> String {
    format!("{}{}", column(x), (y as usize).min(ROWS - 1) + 1)
}

/// The letter of a column.
pub(crate) fn column(x: f32) -> char {
    char::from(b'a' + (x as usize).min(COLUMNS - 1) as u8)
}

/// Rank of a distance among [`DEPTHS`].
pub fn depth_rank(metres: f32) -> usize {
    DEPTHS.iter().position(|(_, end)| metres < *end).unwrap_or(DEPTHS.len() - 1)
}

/// Rank of a box's area among [`AREAS`].
pub fn area_rank([x1, y1, x2, y2]: [u32; 4], [width, height]: [usize; 2]) -> usize {
    let share = ((x2 - x1) * (y2 - y1)) as f32 / (width * height) as f32;
    let squares = share * (COLUMNS * ROWS) as f32;
    AREAS.iter().position(|(_, end)| squares < *end).unwrap_or(AREAS.len() - 1)
}

pub(crate) fn area_word(bounds: [u32; 4], size: [usize; 2]) -> &'static str {
    AREAS[area_rank(bounds, size)].0
}

pub(crate) fn depth_word(metres: f32) -> &'static str {
    DEPTHS[depth_rank(metres)].0
}

/// Puts words into one of some templates, which name their places `{0}`, `{1}`.
pub(crate) fn say(rng: &mut Rng, templates: &[&str], words: &[&str]) -> String {
    let mut text = (*rng.pick(templates)).to_owned();
    for (i, word) in words.iter().enumerate() {
        text = text.replace(&format!("{{{i}}}"), word);
    }
    text
}

/// With its article: `a red cup`, `an orange cup`.
pub(crate) fn one(name: &str) -> String {
    let article = if name.starts_with(['a', 'e', 'i', 'o', 'u']) { "an" } else { "a" };
    format!("{article} {name}")
}
