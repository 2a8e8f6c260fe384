//! A world: one home, its things and people, and some days of life in it, all from a seed. Read-only once made;
//! every question about a moment is answered from the tracks.

use serde::Serialize;

use crate::colour::Colour;
use crate::error::{Error, Result};
use crate::event::{Event, Habit, Spell};
use crate::home::{Door, Fixture, Home, Room, RoomId, Slot};
use crate::life::{Life, Tracks};
use crate::math::{PI, Vec3, ease, sin_cos, wrap};
use crate::rng::Rng;
use crate::shape::{Mesh, SIGNS, fixture, household, picture, tableware};
use crate::things::{Bulk, FixtureKind, Kind, ObjectKind, Side, Thing, ThingId};
use crate::timeline::{DAY_S, Footing, Place};

/// A year; a day is some 1500 events.
const MOST_DAYS: u32 = 366;

/// People step aside for a wearer nearer than this, by so much, metres. They are talked to from 0.9 m on.
const POLITE: f32 = 0.85;
const ASIDE: f32 = 0.55;

/// Names of people, told apart by their first letter.
const NAMES: [&str; 10] =
    ["Anna", "Ben", "Clara", "David", "Emma", "Felix", "Grace", "Hugo", "Ines", "Jonas"];

/// How a person looks.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Looks {
    pub shirt: [u8; 3],
    pub skin: [u8; 3],
    pub hair: [u8; 3],
    pub trousers: [u8; 3],
}

/// A simulated home and the life in it.
pub struct World {
    /// What it was made from.
    pub seed: u64,
    /// Days that are lived, from 1.
    pub days: u32,
    /// Rooms, furniture, resting places.
    pub home: Home,
    /// The catalogue; the index is the [`ThingId`].
    pub things: Vec<Thing>,
    /// What recurs or is arranged.
    pub habits: Vec<Habit>,
    /// Stretches of dense doings, in order.
    pub spells: Vec<Spell>,
    events: Vec<Event>,
    pub(crate) tracks: Tracks,
    pub(crate) first_person: u16,
    pub(crate) first_object: u16,
    /// By person; the last entry is the wearer.
    pub(crate) looks: Vec<Looks>,
    pub(crate) shells: Vec<Mesh>,
}

/// A world as it is written beside its videos.
#[derive(Clone, Debug, Serialize)]
#[allow(missing_docs)]
pub struct Card<'a> {
    pub seed: u64,
    pub days: u32,
    pub rooms: &'a [Room],
    pub doors: &'a [Door],
    pub fixtures: &'a [Fixture],
    pub slots: &'a [Slot],
    pub things: &'a [Thing],
    pub habits: &'a [Habit],
    pub spells: &'a [Spell],
}

impl World {
    /// The world of a seed, lived for a week.
    pub fn new(seed: u64) -> World {
        World::made(seed, 7)
    }

    /// The world of a seed, lived for so many days. A longer life begins like a shorter one of the same seed only
    /// in its home and things: habits are drawn for the days there are.
    pub fn lived(seed: u64, days: u32) -> Result<World> {
        if !(1..=MOST_DAYS).contains(&days) {
            return Err(Error::Option { name: "days", value: days.to_string(), remedy: "1 to 366" });
        }
        Ok(World::made(seed, days))
    }

    fn made(seed: u64, days: u32) -> World {
        let rng = Rng::new(seed);
        let mut things = vec![
            thing(0, Kind::Building, "building", None, [0.0; 3]),
            thing(1, Kind::Wearer, "me", None, [0.5, 0.3, 1.75]),
            thing(2, Kind::Hand(Side::Left), "left hand", None, [0.1, 0.2, 0.06]),
            thing(3, Kind::Hand(Side::Right), "right hand", None, [0.1, 0.2, 0.06]),
            thing(4, Kind::Arm(Side::Left), "left arm", None, [0.13, 0.13, 0.6]),
            thing(5, Kind::Arm(Side::Right), "right arm", None, [0.13, 0.13, 0.6]),
        ];
        let first_person = things.len() as u16;
        let looks = people(&mut rng.branch("people"), &mut things);
        let home = Home::new(&rng, things.len() as u16);
        fixtures(&mut rng.branch("colours"), &home, &mut things);
        let first_object = things.len() as u16;
        objects(&mut rng.branch("objects"), &home, &mut things);
        let shells = home
            .rooms
            .iter()
            .map(|room| crate::home::shell(&mut rng.branch(room.kind.name()), room, &home.doors))
            .collect();
        let life = Life::new(&rng, &home, &things, first_object).live(days);
        let Life { tracks, events, spells, habits, .. } = life;
        World {
            seed,
            days,
            home,
            things,
            habits,
            spells,
            events,
            tracks,
            first_person,
            first_object,
            looks,
            shells,
        }
    }

    /// The parts of a world that a reader of its videos needs beside them.
    pub fn card(&self) -> Card<'_> {
        Card {
            seed: self.seed,
            days: self.days,
            rooms: &self.home.rooms,
            doors: &self.home.doors,
            fixtures: &self.home.fixtures,
            slots: &self.home.slots,
            things: &self.things,
            habits: &self.habits,
            spells: &self.spells,
        }
    }

    /// Everything that happens, in order of start.
    pub fn events(&self) -> &[Event] {
        &self.events
    }

    /// The catalogue entry of a thing.
    pub fn thing(&self, id: ThingId) -> Option<&Thing> {
        self.things.get(usize::from(id.0))
    }

    /// The other people.
    pub fn people(&self) -> &[Thing] {
        let first = usize::from(self.first_person);
        &self.things[first..first + self.looks.len() - 1]
    }

    /// The movable things.
    pub fn objects(&self) -> &[Thing] {
        &self.things[usize::from(self.first_object)..]
    }

    /// Where an object is at a time of a day; `None` for anything that is not an object.
    pub fn place(&self, object: ThingId, day: u32, time_s: f64) -> Option<Place> {
        let index = object.0.checked_sub(self.first_object)?;
        self.tracks.places.get(usize::from(index)).map(|track| *track.at(absolute(day, time_s)))
    }

    /// Which of its two states a thing is in: `true` is on or open.
    pub fn is_on(&self, thing: ThingId, day: u32, time_s: f64) -> bool {
        self.tracks.states.get(usize::from(thing.0)).is_some_and(|track| *track.at(absolute(day, time_s)))
    }

    /// The room in which a thing is at a time; `None` for the building itself.
    pub fn room_of(&self, thing: ThingId, day: u32, time_s: f64) -> Option<RoomId> {
        if let Some(fixture) = self.home.fixture(thing) {
            return Some(fixture.room);
        }
        match self.place(thing, day, time_s) {
            Some(Place::Resting(slot)) => Some(self.home.slots[slot].room),
            Some(Place::Held(_)) => self.room_of(ThingId::WEARER, day, time_s),
            Some(Place::With(person)) => self.room_of(person, day, time_s),
            None => self.position_on_floor(thing, absolute(day, time_s)).map(|at| self.home.room_at(at)),
        }
    }

    fn position_on_floor(&self, body: ThingId, t: f64) -> Option<[f32; 2]> {
        match self.thing(body)?.kind {
            Kind::Wearer | Kind::Hand(_) | Kind::Arm(_) => Some(self.tracks.wearer.footing(t).at),
            Kind::Person => Some(self.person_footing(body, t).at),
            _ => None,
        }
    }

    /// Where a person stands: beside the way of a wearer who would walk through them.
    pub(crate) fn person_footing(&self, person: ThingId, t: f64) -> Footing {
        let mut footing = self.tracks.people[usize::from(person.0 - self.first_person)].footing(t);
        let wearer = self.tracks.wearer.footing(t);
        let away = [0, 1].map(|i| footing.at[i] - wearer.at[i]);
        let near = ease((POLITE - crate::home::distance(footing.at, wearer.at)) / (POLITE / 2.0));
        if near <= 0.0 {
            return footing;
        }
        let (s, c) = sin_cos(wearer.yaw);
        let aside = c * away[1] - s * away[0];
        let by = (ASIDE * near - aside.abs()).max(0.0) * if aside < 0.0 { -1.0 } else { 1.0 };
        let room = self.home.room_at(footing.at);
        let stepped = |by: f32| [footing.at[0] - s * by, footing.at[1] + c * by];
        // Not through a wall, if the other side is free.
        let other = -(by.signum() * (by.abs() + 2.0 * aside.abs()));
        let free = [by, other].into_iter().find(|by| self.home.room_at(stepped(*by)) == room);
        footing.at = stepped(free.unwrap_or(by));
        footing
    }

    /// Heading of the front of a fixture or a person at a time; for a resting object, of its front.
    pub fn front(&self, thing: ThingId, day: u32, time_s: f64) -> Option<f32> {
        if let Some(fixture) = self.home.fixture(thing) {
            return Some(wrap(fixture.yaw + PI / 2.0));
        }
        if let Some(Place::Resting(slot)) = self.place(thing, day, time_s) {
            return Some(wrap(self.home.slots[slot].yaw - PI / 2.0));
        }
        let t = absolute(day, time_s);
        match self.thing(thing)?.kind {
            Kind::Person => Some(self.tracks.people[usize::from(thing.0 - self.first_person)].footing(t).yaw),
            Kind::Wearer => Some(self.tracks.wearer.footing(t).yaw),
            _ => None,
        }
    }

    /// The base of a fixture, person or resting object at a time; a held object is where its holder stands.
    pub fn position(&self, thing: ThingId, day: u32, time_s: f64) -> Option<Vec3> {
        if let Some(fixture) = self.home.fixture(thing) {
            return Some(fixture.at);
        }
        let t = absolute(day, time_s);
        let body = match self.place(thing, day, time_s) {
            Some(Place::Resting(slot)) => return Some(self.home.slots[slot].at),
            Some(Place::Held(_)) => ThingId::WEARER,
            Some(Place::With(person)) => person,
            None => thing,
        };
        self.position_on_floor(body, t).map(|[x, y]| Vec3 { x, y, z: 0.0 })
    }
}

/// Seconds since midnight before day 1.
pub(crate) fn absolute(day: u32, time_s: f64) -> f64 {
    f64::from(day.max(1) - 1) * DAY_S + time_s
}

fn thing(id: usize, kind: Kind, name: &str, colour: Option<Colour>, size: [f32; 3]) -> Thing {
    Thing { id: ThingId(id as u16), kind, name: name.to_owned(), colour, size }
}

/// Two or three people, and how they and the wearer look.
fn people(rng: &mut Rng, things: &mut Vec<Thing>) -> Vec<Looks> {
    let mut names = NAMES;
    rng.shuffle(&mut names);
    let mut shirts = Colour::ALL;
    rng.shuffle(&mut shirts);
    let skins = [[238, 196, 164], [224, 172, 132], [176, 122, 84], [122, 80, 54], [248, 214, 188]];
    let hairs = [[52, 36, 26], [24, 22, 24], [150, 96, 44], [208, 170, 96], [128, 128, 132]];
    let trousers = [[50, 58, 84], [58, 52, 48], [88, 92, 98], [70, 84, 64]];
    let count = 2 + rng.below(2);
    for i in 0..count {
        things.push(thing(things.len(), Kind::Person, names[i], Some(shirts[i]), [0.55, 0.35, 1.78]));
    }
    (0..=count)
        .map(|i| Looks {
            shirt: shirts[i].rgb(),
            skin: *rng.pick(&skins),
            hair: *rng.pick(&hairs),
            trousers: *rng.pick(&trousers),
        })
        .collect()
}

/// Names and colours of the fixtures; those of one kind differ in colour while colours last.
fn fixtures(rng: &mut Rng, home: &Home, things: &mut Vec<Thing>) {
    for fixture in &home.fixtures {
        let facts = fixture.kind.facts();
        let used: Vec<_> = things
            .iter()
            .filter(|thing| thing.kind == Kind::Fixture(fixture.kind))
            .filter_map(|thing| thing.colour)
            .collect();
        let mut options: Vec<Colour> =
            facts.colours.iter().copied().filter(|colour| !used.contains(colour)).collect();
        if options.is_empty() {
            options = facts.colours.to_vec();
        }
        let colour = (!options.is_empty()).then(|| *rng.pick(&options));
        debug_assert_eq!(usize::from(fixture.id.0), things.len());
        things.push(thing(things.len(), Kind::Fixture(fixture.kind), facts.name, colour, facts.size));
    }
}

/// The objects of a home: those that habits need, then most other kinds, then some again in another colour, as long
/// as enough surfaces stay free to move things to. Kind and colour together are unique, so that "the red cup" is one
/// thing.
fn objects(rng: &mut Rng, home: &Home, things: &mut Vec<Thing>) {
    use ObjectKind as K;
    let needed = [K::PillBottle, K::WateringCan, K::Plant, K::Drill, K::Cup, K::Book];
    let mut others: Vec<K> = K::ALL.iter().copied().filter(|kind| !needed.contains(kind)).collect();
    rng.shuffle(&mut others);
    others.truncate(32);
    let small = |kind: K| kind.facts().bulk == Bulk::Small;
    let twice = (0..14).map(|_| *rng.pick(&others)).filter(|kind| small(*kind)).collect::<Vec<_>>();
    let mut room = home.slots.iter().filter(|slot| slot.support.is_some()).count() * 7 / 10;
    let mut kinds = needed.to_vec();
    kinds.push(K::Cup);
    for kind in others.into_iter().chain(twice) {
        if !small(kind) || room > needed.len() {
            kinds.push(kind);
            room -= usize::from(small(kind));
        }
    }
    for kind in kinds {
        let colour = loop {
            let colour = *rng.pick(&Colour::ALL);
            if !things.iter().any(|t| t.kind == Kind::Object(kind) && t.colour == Some(colour)) {
                break colour;
            }
        };
        let mesh = &library().object(kind, false);
        let size = <[f32; 3]>::from(mesh.high - mesh.low);
        things.push(thing(things.len(), Kind::Object(kind), kind.name(), Some(colour), size));
    }
}

/// Every mesh that does not depend on a world, by kind and state.
pub(crate) struct Library {
    objects: Vec<[Mesh; 2]>,
    fixtures: Vec<[Mesh; 2]>,
    /// By letter, dark and light.
    pictures: Vec<[Mesh; 2]>,
    /// By side (left first) and grip.
    pub hands: [[Mesh; 2]; 2],
    pub forearm: Mesh,
}

/// Made once per process.
pub(crate) fn library() -> &'static Library {
    static LIBRARY: std::sync::OnceLock<Library> = std::sync::OnceLock::new();
    LIBRARY.get_or_init(|| Library {
        objects: ObjectKind::ALL
            .iter()
            .map(|&kind| {
                [false, true].map(|on| {
                    tableware(kind).or_else(|| household(kind, on)).expect("every kind has a shape")
                })
            })
            .collect(),
        fixtures: FixtureKind::ALL.iter().map(|&kind| [false, true].map(|on| fixture(kind, on))).collect(),
        pictures: (0..SIGNS.len()).map(|letter| [false, true].map(|light| picture(letter, light))).collect(),
        hands: [true, false].map(|left| [false, true].map(|grip| crate::shape::hand(grip, left))),
        forearm: crate::shape::forearm(),
    })
}

impl Library {
    pub(crate) fn object(&self, kind: ObjectKind, on: bool) -> &Mesh {
        &self.objects[kind as usize][usize::from(on)]
    }

    pub(crate) fn fixture(&self, kind: FixtureKind, on: bool) -> &Mesh {
        &self.fixtures[kind as usize][usize::from(on)]
    }

    /// A picture with the letter of this number, light on a dark colour.
    pub(crate) fn picture(&self, letter: usize, light: bool) -> &Mesh {
        &self.pictures[letter][usize::from(light)]
    }
}
