//! Furniture against the walls and in the middle of rooms, never in a doorway nor where it cuts the home in two;
//! then the resting places that a standing person can reach.

use super::ways::{Ways, blocks, distance, passage};
use super::{DOOR_WIDTH, Door, Fixture, Rect, Room, Slot, WALL};
use crate::math::{PI, Pose, Vec3, atan2, v};
use crate::rng::Rng;
use crate::things::{FixtureKind as F, RoomKind, ThingId};

/// Free floor kept before furniture.
const FRONT: f32 = 0.62;

/// Furniture of a room, most needed first.
fn wanted(kind: RoomKind) -> &'static [F] {
    match kind {
        RoomKind::Living => &[
            F::Window,
            F::Sofa,
            F::Television,
            F::Rug,
            F::CoffeeTable,
            F::Bookshelf,
            F::Fireplace,
            F::FloorLamp,
            F::Armchair,
            F::Piano,
            F::Picture,
            F::Picture,
        ],
        RoomKind::Kitchen => &[F::Window, F::Counter, F::Stove, F::Fridge, F::Table, F::Dresser, F::Picture],
        RoomKind::Bedroom => {
            &[F::Window, F::Bed, F::Nightstand, F::Wardrobe, F::Dresser, F::Rug, F::FloorLamp, F::Picture]
        }
        RoomKind::Bathroom => &[F::Window, F::Bathtub, F::Washbasin, F::Toilet, F::WashingMachine],
        RoomKind::Study => &[F::Window, F::Desk, F::Bookshelf, F::Armchair, F::Rug, F::FloorLamp, F::Picture],
        RoomKind::Hall => &[F::FrontDoor, F::Dresser, F::Bench, F::Rug, F::Picture, F::Chair],
        RoomKind::Playroom => &[F::Window, F::ToyShelf, F::Bench, F::Rug, F::Armchair, F::Chair, F::Picture],
    }
}

struct Furnisher<'a> {
    rng: &'a mut Rng,
    rooms: &'a [Room],
    doors: &'a [Door],
    fixtures: Vec<Fixture>,
    /// Floor that stays free: doorways and the front of furniture.
    keep: Vec<Rect>,
    first: u16,
}

pub(super) fn furnish(rng: &mut Rng, rooms: &[Room], doors: &mut [Door], first: u16) -> Vec<Fixture> {
    for (i, door) in doors.iter_mut().enumerate() {
        door.id = ThingId(first + i as u16);
    }
    let fixtures = doors.iter().map(|door| Fixture {
        id: door.id,
        kind: F::Doorway,
        room: door.rooms[0],
        at: v(door.at[0], door.at[1], 0.0),
        yaw: if door.along_x { 0.0 } else { PI / 2.0 },
    });
    let keep = doors.iter().map(|door| passage(door, DOOR_WIDTH / 2.0 + 0.1, 0.95)).collect();
    let mut furnisher = Furnisher { rng, rooms, doors, fixtures: fixtures.collect(), keep, first };
    for room in rooms {
        for &kind in wanted(room.kind) {
            furnisher.place(room, kind);
        }
    }
    furnisher.fixtures
}

impl Furnisher<'_> {
    fn place(&mut self, room: &Room, kind: F) {
        for _ in 0..60 {
            let central = matches!(kind, F::Table | F::CoffeeTable | F::Rug);
            let fixture = if central { self.central(room, kind) } else { self.against_wall(room, kind) };
            if let Some(fixture) = fixture
                && self.fits(room, &fixture)
            {
                let table = fixture.kind == F::Table;
                self.add(fixture);
                if table {
                    self.chairs(room);
                }
                return;
            }
        }
    }

    fn next_id(&self) -> ThingId {
        ThingId(self.first + self.fixtures.len() as u16)
    }

    fn add(&mut self, fixture: Fixture) {
        if blocks(fixture.kind) && fixture.kind != F::Table && fixture.kind != F::CoffeeTable {
            let front = fixture.front();
            let mut zone = fixture.footprint();
            for (i, along) in [front.x, front.y].into_iter().enumerate() {
                zone.low[i] += (along * FRONT).min(0.0);
                zone.high[i] += (along * FRONT).max(0.0);
            }
            self.keep.push(zone);
        }
        self.fixtures.push(fixture);
    }

    /// Two chairs at the back of the table just placed.
    fn chairs(&mut self, room: &Room) {
        let table = self.fixtures[self.fixtures.len() - 1].clone();
        let pose = Pose::upright(table.at, table.yaw);
        for x in [-0.35, 0.35] {
            let at = pose.apply(v(x, -0.62, 0.0));
            let chair = Fixture { id: self.next_id(), kind: F::Chair, room: room.id, at, yaw: table.yaw };
            if self.fits(room, &chair) {
                self.fixtures.push(chair);
            }
        }
    }

    fn central(&mut self, room: &Room, kind: F) -> Option<Fixture> {
        let [x, y] = room.floor.centre();
        let [w, d] = room.floor.size();
        let at = v(x + self.rng.range(-0.18, 0.18) * w, y + self.rng.range(-0.18, 0.18) * d, 0.0);
        let yaw = if w >= d { 0.0 } else { PI / 2.0 } + if self.rng.chance(0.5) { PI } else { 0.0 };
        Some(Fixture { id: self.next_id(), kind, room: room.id, at, yaw })
    }

    fn against_wall(&mut self, room: &Room, kind: F) -> Option<Fixture> {
        let side = self.rng.below(4);
        if matches!(kind, F::Window | F::FrontDoor) && !self.outer(room, side) {
            return None;
        }
        let [w, d, _] = kind.facts().size;
        let inner = room.floor.grown(-WALL);
        let along = side % 2;
        let (low, high) = (inner.low[along] + w / 2.0 + 0.02, inner.high[along] - w / 2.0 - 0.02);
        if low >= high {
            return None;
        }
        let place = self.rng.range(low, high);
        // Against south, east, north and west walls, facing into the room.
        let (x, y) = match side {
            0 => (place, inner.low[1] + d / 2.0),
            1 => (inner.high[0] - d / 2.0, place),
            2 => (place, inner.high[1] - d / 2.0),
            _ => (inner.low[0] + d / 2.0, place),
        };
        let z = match kind {
            F::Window => 0.95,
            F::Picture => 1.3,
            _ => 0.0,
        };
        let yaw = [0.0, PI / 2.0, PI, -PI / 2.0][side];
        Some(Fixture { id: self.next_id(), kind, room: room.id, at: v(x, y, z), yaw })
    }

    /// Whether this side of the room is an outer wall of the home.
    fn outer(&self, room: &Room, side: usize) -> bool {
        let edge = |i: usize| self.rooms.iter().map(|room| room.floor.high[i]).fold(0.0, f32::max);
        match side {
            0 => room.floor.low[1] == 0.0,
            1 => room.floor.high[0] == edge(0),
            2 => room.floor.high[1] == edge(1),
            _ => room.floor.low[0] == 0.0,
        }
    }

    fn fits(&self, room: &Room, fixture: &Fixture) -> bool {
        let body = fixture.footprint();
        if !body.inside(&room.floor.grown(0.01 - WALL)) {
            return false;
        }
        let (z, height) = (fixture.at.z, fixture.kind.facts().size[2]);
        let flat = fixture.kind == F::Rug;
        let others = self.fixtures.iter().filter(|other| other.room == room.id && other.kind != F::Doorway);
        for other in others {
            let both_flat = flat || other.kind == F::Rug;
            let apart = z >= other.at.z + other.kind.facts().size[2] || other.at.z >= z + height;
            if !both_flat && !apart && body.grown(0.04).overlaps(&other.footprint()) {
                return false;
            }
        }
        let free = |rect: &Rect| !self.keep.iter().any(|keep| keep.overlaps(rect));
        if !blocks(fixture.kind) {
            return flat || self.doors.iter().all(|d| !passage(d, 0.65, 0.2).overlaps(&body));
        }
        if !free(&body) {
            return false;
        }
        let mut with = self.fixtures.clone();
        with.push(fixture.clone());
        whole(self.rooms, self.doors, &with)
    }
}

/// Whether every doorway can still be walked through.
fn whole(rooms: &[Room], doors: &[Door], fixtures: &[Fixture]) -> bool {
    let ways = Ways::new(rooms, doors, fixtures);
    doors.iter().all(|door| !ways.standing(&passage(door, 0.4, 0.3)).is_empty())
        && rooms.iter().all(|room| ways.standing(&room.floor).len() >= 25)
}

/// Every place where a thing can rest and be reached.
pub(super) fn slots(
    rng: &mut Rng,
    rooms: &[Room],
    doors: &[Door],
    fixtures: &[Fixture],
    ways: &Ways,
) -> Vec<Slot> {
    let mut slots = Vec::new();
    for fixture in fixtures {
        let pose = Pose::upright(fixture.at, fixture.yaw);
        let room = &rooms[usize::from(fixture.room)];
        for ([x, y, z], large) in fixture.kind.facts().slots {
            let at = pose.apply(v(x, y, z));
            if let Some(stand) = stand(ways, room, at, Some(fixture.front())) {
                let towards = atan2(stand[1] - at.y, stand[0] - at.x);
                let yaw =
                    if blocks_from_behind(fixture.kind) { fixture.yaw + PI } else { towards + PI / 2.0 };
                slots.push(Slot { at, yaw, support: Some(fixture.id), room: room.id, large, stand });
            }
        }
    }
    for room in rooms {
        floor_slots(rng, room, doors, fixtures, ways, &mut slots);
    }
    slots
}

/// Whether a fixture has its back to a wall, so that things on it face its front.
fn blocks_from_behind(kind: F) -> bool {
    !matches!(kind, F::Table | F::CoffeeTable)
}

fn floor_slots(
    rng: &mut Rng,
    room: &Room,
    doors: &[Door],
    fixtures: &[Fixture],
    ways: &Ways,
    slots: &mut Vec<Slot>,
) {
    let inner = room.floor.grown(-WALL - 0.22);
    let mut found = 0;
    for _ in 0..60 {
        if found == 4 {
            return;
        }
        let side = rng.below(4);
        let (x, y) = (rng.range(inner.low[0], inner.high[0]), rng.range(inner.low[1], inner.high[1]));
        let (x, y) = [(x, inner.low[1]), (inner.high[0], y), (x, inner.high[1]), (inner.low[0], y)][side];
        let body = Rect::around([x, y], [0.24, 0.24]);
        let blocked = fixtures.iter().any(|f| blocks(f.kind) && f.footprint().grown(0.05).overlaps(&body))
            || fixtures.iter().any(|f| f.kind == F::FrontDoor && f.footprint().grown(0.4).overlaps(&body))
            || doors.iter().any(|d| passage(d, 0.7, 0.9).overlaps(&body))
            || slots.iter().any(|s| s.support.is_none() && distance([s.at.x, s.at.y], [x, y]) < 0.55);
        let at = v(x, y, 0.0);
        if blocked {
            continue;
        }
        if let Some(stand) = stand(ways, room, at, None) {
            let yaw = [0.0, PI / 2.0, PI, -PI / 2.0][side] + PI;
            slots.push(Slot { at, yaw, support: None, room: room.id, large: true, stand });
            found += 1;
        }
    }
}

/// The best place to stand for reaching a point: near, and before the fixture rather than beside it.
fn stand(ways: &Ways, room: &Room, at: Vec3, front: Option<Vec3>) -> Option<[f32; 2]> {
    let cost = |p: &[f32; 2]| {
        let d = distance(*p, [at.x, at.y]);
        let side = front.map_or(0.0, |f| ((p[0] - at.x) * f.x + (p[1] - at.y) * f.y) / d.max(0.1));
        (d - 0.55).abs() - 0.35 * side
    };
    ways.standing(&Rect::around([at.x, at.y], [0.9, 0.9]))
        .into_iter()
        .filter(|p| room.floor.contains(*p) && (0.3..0.95).contains(&distance(*p, [at.x, at.y])))
        .min_by(|a, b| cost(a).total_cmp(&cost(b)))
}
