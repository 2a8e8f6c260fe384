//! The dwelling: rooms, doors, furniture, the places where things can rest and the ways between them. Fixed for the
//! life of a world; what moves is in `timeline`.

mod furnish;
mod plan;
mod shell;
mod ways;

#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};

use crate::math::{Vec3, v};
use crate::rng::{Rng, mix};
use crate::shape::SIGNS;
use crate::things::{FixtureKind, RoomKind, ThingId};

pub(crate) use shell::shell;
pub(crate) use ways::{Ways, distance};

/// Floor to ceiling, metres.
pub(crate) const CEILING: f32 = 2.5;
/// From the line between two rooms to the face of the wall.
pub(crate) const WALL: f32 = 0.08;
pub(crate) const DOOR_WIDTH: f32 = 1.0;
pub(crate) const DOOR_HEIGHT: f32 = 2.05;

/// Number of a room in its home.
pub type RoomId = u8;

/// An axis-parallel rectangle on the floor, metres.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Rect {
    /// Least x and y.
    pub low: [f32; 2],
    /// Greatest x and y.
    pub high: [f32; 2],
}

impl Rect {
    pub(crate) fn around(at: [f32; 2], half: [f32; 2]) -> Rect {
        Rect { low: [at[0] - half[0], at[1] - half[1]], high: [at[0] + half[0], at[1] + half[1]] }
    }

    /// Grown (or shrunk) by a margin on every side.
    pub(crate) fn grown(&self, margin: f32) -> Rect {
        Rect {
            low: [self.low[0] - margin, self.low[1] - margin],
            high: [self.high[0] + margin, self.high[1] + margin],
        }
    }

    pub(crate) fn contains(&self, p: [f32; 2]) -> bool {
        p[0] > self.low[0] && p[0] < self.high[0] && p[1] > self.low[1] && p[1] < self.high[1]
    }

    pub(crate) fn overlaps(&self, o: &Rect) -> bool {
        self.low[0] < o.high[0]
            && o.low[0] < self.high[0]
            && self.low[1] < o.high[1]
            && o.low[1] < self.high[1]
    }

    pub(crate) fn inside(&self, o: &Rect) -> bool {
        self.low[0] >= o.low[0]
            && self.low[1] >= o.low[1]
            && self.high[0] <= o.high[0]
            && self.high[1] <= o.high[1]
    }

    pub(crate) fn size(&self) -> [f32; 2] {
        [self.high[0] - self.low[0], self.high[1] - self.low[1]]
    }

    pub(crate) fn centre(&self) -> [f32; 2] {
        [(self.low[0] + self.high[0]) / 2.0, (self.low[1] + self.high[1]) / 2.0]
    }
}

/// One room.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Room {
    /// Its number.
    pub id: RoomId,
    /// What it is for; a home has at most one room of a kind.
    pub kind: RoomKind,
    /// Its floor, to the middle of its walls.
    pub floor: Rect,
}

/// An opening between two rooms.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Door {
    /// The doorway in the catalogue.
    pub id: ThingId,
    /// The rooms it joins.
    pub rooms: [RoomId; 2],
    /// Middle of the threshold.
    pub at: [f32; 2],
    /// Whether the wall it is in runs along x.
    pub along_x: bool,
}

/// A piece of furniture or a named part of the building.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Fixture {
    /// Its number in the catalogue.
    pub id: ThingId,
    /// What it is.
    pub kind: FixtureKind,
    /// Where it stands.
    pub room: RoomId,
    /// Middle of its footprint, and the height of its base.
    pub at: Vec3,
    /// Turn about the vertical; its front is +y at 0.
    pub yaw: f32,
}

impl Fixture {
    /// Which of the letters a picture shows.
    pub(crate) fn letter(&self) -> Option<usize> {
        let place = u64::from(self.at.x.to_bits()) << 32 | u64::from(self.at.y.to_bits());
        (self.kind == FixtureKind::Picture).then(|| (mix(place) % SIGNS.len() as u64) as usize)
    }

    /// The letter to be read on it, if there is one.
    pub fn sign(&self) -> Option<char> {
        self.letter().map(|letter| SIGNS[letter])
    }

    /// Footprint on the floor; fixtures stand square to the walls.
    pub(crate) fn footprint(&self) -> Rect {
        let [w, d, _] = self.kind.facts().size;
        let turned = crate::math::sin_cos(self.yaw).0.abs() > 0.5;
        let half = if turned { [d / 2.0, w / 2.0] } else { [w / 2.0, d / 2.0] };
        Rect::around([self.at.x, self.at.y], half)
    }

    /// Unit vector its front looks along.
    pub(crate) fn front(&self) -> Vec3 {
        let (s, c) = crate::math::sin_cos(self.yaw);
        v(-s, c, 0.0)
    }
}

/// A place where one object can rest, within reach of a place to stand.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Slot {
    /// Where the base of the object goes.
    pub at: Vec3,
    /// The yaw an object takes there, its front towards the one who stands before it.
    pub yaw: f32,
    /// What carries it; `None` is the floor.
    pub support: Option<ThingId>,
    /// The room.
    pub room: RoomId,
    /// Whether a large object fits.
    pub large: bool,
    /// Where to stand to reach it.
    pub stand: [f32; 2],
}

/// Everything about a home that does not change.
#[derive(Clone, Debug)]
pub struct Home {
    /// The rooms, by id.
    pub rooms: Vec<Room>,
    /// The doors.
    pub doors: Vec<Door>,
    /// Furniture, windows, doorways, pictures.
    pub fixtures: Vec<Fixture>,
    /// Resting places.
    pub slots: Vec<Slot>,
    /// Where one can walk.
    pub(crate) ways: Ways,
}

impl Home {
    /// A home from random numbers; fixture ids start at `first`.
    pub(crate) fn new(rng: &Rng, first: u16) -> Home {
        let (rooms, mut doors) = plan::plan(&mut rng.branch("plan"));
        let fixtures = furnish::furnish(&mut rng.branch("furnish"), &rooms, &mut doors, first);
        let ways = Ways::new(&rooms, &doors, &fixtures);
        let slots = furnish::slots(&mut rng.branch("slots"), &rooms, &doors, &fixtures, &ways);
        Home { rooms, doors, fixtures, slots, ways }
    }

    /// The room around a point; the nearest one for a point inside a wall.
    pub fn room_at(&self, p: [f32; 2]) -> RoomId {
        let distance = |room: &Room| {
            let out = |i: usize| (room.floor.low[i] - p[i]).max(p[i] - room.floor.high[i]).max(0.0);
            out(0) + out(1)
        };
        self.rooms
            .iter()
            .min_by(|a, b| distance(a).total_cmp(&distance(b)))
            .map(|room| room.id)
            .expect("a home has rooms")
    }

    /// The fixture with this id.
    pub fn fixture(&self, id: ThingId) -> Option<&Fixture> {
        self.fixtures.iter().find(|fixture| fixture.id == id)
    }
}
