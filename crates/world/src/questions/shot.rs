//! A moment or a stretch of a world, drawn once, with its truth; any number of questions share it.

use super::words;
use crate::clip::ClipOptions;
use crate::error::Result;
use crate::math::Vec3;
use crate::render::Frame;
use crate::things::{FixtureKind, Kind, Thing, ThingId};
use crate::truth::{FrameTruth, Seen};
use crate::world::World;

/// Pictures per second of a drawn stretch; questions about it can be answered from these.
pub const SAMPLE_RATE: f64 = 2.0;
/// Pixels of a 224 x 168 picture that a thing must show to be asked about.
const LEAST_OBJECT: u32 = 120;
const LEAST_PERSON: u32 = 240;
/// Height of the middle of a shirt, metres.
const CHEST: f32 = 1.15;
pub(crate) const LEAST_FIXTURE: u32 = 500;

/// A drawn moment or stretch.
pub struct Shot {
    /// Day, from 1.
    pub day: u32,
    /// Seconds since midnight.
    pub start_s: f64,
    /// Its length; 0 for a moment.
    pub seconds: f64,
    /// `[width, height]` of the pictures.
    pub size: [usize; 2],
    /// The pictures and their truths, in order.
    pub frames: Vec<(Frame, FrameTruth)>,
}

/// A thing in a picture that a person could recognise and name without mistaking it for another.
#[derive(Clone)]
pub(crate) struct Sight<'a> {
    pub thing: &'a Thing,
    pub seen: &'a Seen,
    pub name: String,
    /// Middle of its box in cells, from the left and from the top.
    pub at: [f32; 2],
    /// The cell, e.g. `e3`.
    pub cell: String,
}

impl Sight<'_> {
    pub(crate) fn id(&self) -> ThingId {
        self.thing.id
    }

    pub(crate) fn is_object(&self) -> bool {
        matches!(self.thing.kind, Kind::Object(_))
    }

    pub(crate) fn is_person(&self) -> bool {
        self.thing.kind == Kind::Person
    }

    /// Its distance in a word.
    pub(crate) fn depth_word(&self) -> &'static str {
        words::depth_word(self.seen.depth)
    }

    /// `red cup e3`: the place follows its thing at once, so that one look finds both.
    pub(crate) fn at_cell(&self) -> String {
        format!("{} {}", self.name, self.cell)
    }

    /// `red cup e3 close`.
    pub(crate) fn at_depth(&self) -> String {
        format!("{} {} {}", self.name, self.cell, self.depth_word())
    }
}

impl Shot {
    /// One moment.
    pub fn frame(world: &World, day: u32, time_s: f64, options: &ClipOptions) -> Result<Shot> {
        let options = ClipOptions { rate: SAMPLE_RATE, ..*options };
        let frames = world.clip(day, time_s, 0.5 / SAMPLE_RATE, &options)?.collect();
        Ok(Shot { day, start_s: time_s, seconds: 0.0, size: [options.width, options.height], frames })
    }

    /// A stretch at [`SAMPLE_RATE`] pictures a second.
    pub fn clip(world: &World, day: u32, start_s: f64, seconds: f64, options: &ClipOptions) -> Result<Shot> {
        let options = ClipOptions { rate: SAMPLE_RATE, ..*options };
        let frames = world.clip(day, start_s, seconds, &options)?.collect();
        Ok(Shot { day, start_s, seconds, size: [options.width, options.height], frames })
    }

    pub(crate) fn truth(&self, index: usize) -> &FrameTruth {
        &self.frames[index].1
    }

    /// How many pixels a kind must show in this size of picture.
    pub(crate) fn least(&self, kind: Kind) -> u32 {
        let least = match kind {
            Kind::Person => LEAST_PERSON,
            Kind::Fixture(_) => LEAST_FIXTURE,
            _ => LEAST_OBJECT,
        };
        (u64::from(least) * (self.size[0] * self.size[1]) as u64 / (224 * 168)) as u32
    }

    /// Whether a thing shows enough of itself to be recognised; of a person, the shirt.
    pub(crate) fn clear(&self, kind: Kind, seen: &Seen, truth: &FrameTruth) -> bool {
        if seen.pixels < self.least(kind) || kind != Kind::Person {
            return seen.pixels >= self.least(kind);
        }
        let [width, height] = self.size;
        let chest = truth.camera.project(Vec3 { z: CHEST, ..seen.at }, width, height);
        chest.is_some_and(|([x, y], _)| {
            let [x1, y1, x2, y2] = seen.bounds.map(|side| side as f32);
            (x1..x2).contains(&x) && (y1..y2).contains(&y)
        })
    }

    /// The nameable things of one picture, by id.
    pub(crate) fn sights<'a>(&'a self, world: &'a World, index: usize) -> Vec<Sight<'a>> {
        let truth = self.truth(index);
        let names: Vec<(&Thing, &Seen, String)> = truth
            .things
            .iter()
            .filter_map(|seen| {
                let thing = world.thing(seen.id)?;
                (thing.kind != Kind::Fixture(FixtureKind::Doorway)).then(|| (thing, seen, words::name(thing)))
            })
            .collect();
        names
            .iter()
            .filter(|(thing, seen, name)| {
                self.clear(thing.kind, seen, truth)
                    && names.iter().filter(|other| other.2 == *name).count() == 1
            })
            .map(|(thing, seen, name)| {
                let at = words::cell_at(seen.bounds, self.size);
                Sight { thing, seen, name: name.clone(), at, cell: words::cell(at) }
            })
            .collect()
    }
}
