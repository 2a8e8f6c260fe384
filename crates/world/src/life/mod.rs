//! The wearer's days, lived forward once: every doing is appended to the tracks and to the list of events. Frames
//! are read from the tracks later; nothing here draws.

mod days;
mod doings;
mod habits;
mod talk;

use crate::event::{Action, Event, Habit, Spell};
use crate::home::{Home, RoomId, distance};
use crate::math::{Vec3, atan2, wrap};
use crate::rng::Rng;
use crate::things::{Bulk, Kind, Side, Thing, ThingId};
use crate::timeline::{Anchor, DAY_S, Gaze, Motion, Place, Reach, Track, Walk};

/// Turning on the spot, radians per second.
const TURN_RATE: f32 = 2.2;

/// Everything that changes, readable at any time.
#[derive(Clone, Debug)]
pub(crate) struct Tracks {
    pub wearer: Track<Motion>,
    pub gaze: Track<Gaze>,
    /// How far the wearer bends, 0 upright to 1.
    pub bend: Track<f32>,
    pub hands: [Track<Reach>; 2],
    pub contact: [Track<Option<ThingId>>; 2],
    /// By person, in catalogue order.
    pub people: Vec<Track<Motion>>,
    /// By object, in catalogue order.
    pub places: Vec<Track<Place>>,
    /// By thing id; `false` is the first of the kind's two states.
    pub states: Vec<Track<bool>>,
}

struct Person {
    id: ThingId,
    at: [f32; 2],
    yaw: f32,
    free_s: f64,
}

/// A life being lived.
pub(crate) struct Life<'a> {
    rng: Rng,
    home: &'a Home,
    things: &'a [Thing],
    /// Id of the first object.
    first_object: u16,
    t: f64,
    at: [f32; 2],
    yaw: f32,
    people: Vec<Person>,
    /// What rests in each slot.
    taken: Vec<Option<ThingId>>,
    habit: Option<usize>,
    pub tracks: Tracks,
    pub events: Vec<Event>,
    pub spells: Vec<Spell>,
    pub habits: Vec<Habit>,
}

/// The next moment of the grid that all changes lie on.
fn on_grid(seconds: f64) -> f64 {
    (seconds * 64.0).ceil() / 64.0
}

/// Index of a side in the pairs of tracks.
pub(crate) fn index(side: Side) -> usize {
    usize::from(side == Side::Right)
}

impl<'a> Life<'a> {
    /// Puts every object and person somewhere sensible and the wearer in the first room.
    pub(crate) fn new(rng: &Rng, home: &'a Home, things: &'a [Thing], first_object: u16) -> Life<'a> {
        let mut rng = rng.branch("life");
        let (taken, resting) = lay_out(&mut rng, home, &things[usize::from(first_object)..]);
        let at = *rng.pick(&home.ways.standing(&home.rooms[0].floor));
        let yaw = rng.range(-3.0, 3.0);
        let mut life = Life {
            tracks: Tracks {
                wearer: Track::new(Motion::Still { at, yaw }),
                gaze: Track::new(Gaze::Ahead(-0.15)),
                bend: Track::new(0.0),
                hands: [0, 1].map(|_| Track::new(Reach { to: Anchor::Down, seconds: 0.0, grip: false })),
                contact: [0, 1].map(|_| Track::new(None)),
                people: Vec::new(),
                places: resting.into_iter().map(|slot| Track::new(Place::Resting(slot))).collect(),
                states: things.iter().map(|_| Track::new(false)).collect(),
            },
            rng,
            home,
            things,
            first_object,
            t: 0.0,
            at,
            yaw,
            people: Vec::new(),
            taken,
            habit: None,
            events: Vec::new(),
            spells: Vec::new(),
            habits: Vec::new(),
        };
        for thing in things.iter().filter(|thing| thing.kind == Kind::Person) {
            let room = life.rng.below(home.rooms.len()) as RoomId;
            let at = life.spot(room);
            let yaw = life.rng.range(-3.0, 3.0);
            life.tracks.people.push(Track::new(Motion::Still { at, yaw }));
            life.people.push(Person { id: thing.id, at, yaw, free_s: 0.0 });
        }
        life
    }

    fn day(&self) -> u32 {
        (self.t / DAY_S) as u32 + 1
    }

    fn room(&self) -> RoomId {
        self.home.room_at(self.at)
    }

    /// A place for a person to stand, away from the others.
    fn spot(&mut self, room: RoomId) -> [f32; 2] {
        let options = self.home.ways.standing(&self.home.rooms[usize::from(room)].floor.grown(-0.4));
        let options = if options.is_empty() {
            self.home.ways.standing(&self.home.rooms[usize::from(room)].floor)
        } else {
            options
        };
        for _ in 0..20 {
            let at = *self.rng.pick(&options);
            if self.people.iter().all(|person| distance(person.at, at) > 0.8) && distance(self.at, at) > 0.8 {
                return at;
            }
        }
        options[0]
    }

    fn place(&self, object: ThingId) -> Place {
        *self.tracks.places[usize::from(object.0 - self.first_object)].at(self.t)
    }

    fn set_place(&mut self, t: f64, object: ThingId, place: Place) {
        self.tracks.places[usize::from(object.0 - self.first_object)].set(t, place);
    }

    fn is_on(&self, thing: ThingId) -> bool {
        *self.tracks.states[usize::from(thing.0)].at(self.t)
    }

    fn thing(&self, id: ThingId) -> &'a Thing {
        &self.things[usize::from(id.0)]
    }

    /// Objects lying somewhere.
    fn resting(&self) -> Vec<(ThingId, usize)> {
        self.taken.iter().enumerate().filter_map(|(slot, thing)| thing.map(|thing| (thing, slot))).collect()
    }

    /// Whether an object of this bulk may lie in a slot.
    fn suits(&self, slot: usize, object: ThingId) -> bool {
        suits(self.home, slot, self.thing(object))
    }

    /// Adds an event that ends now.
    fn record(&mut self, start: f64, action: Action, fill: impl FnOnce(&mut Event)) {
        let room = self.room();
        let midnight = f64::from(self.day() - 1) * DAY_S;
        let mut event = Event {
            id: 0,
            day: self.day(),
            start_s: start - midnight,
            end_s: self.t - midnight,
            who: ThingId::WEARER,
            action,
            object: None,
            place: None,
            room,
            to_room: room,
            other: None,
            hand: None,
            contact_s: None,
            transcript: None,
            habit: self.habit,
            text: String::new(),
        };
        fill(&mut event);
        event.contact_s = event.contact_s.map(|t| t - midnight);
        event.text = crate::narrate::sentence(&event, self.home, self.things);
        self.events.push(event);
    }

    /// Turns on the spot to a heading.
    fn turn_to(&mut self, yaw: f32) {
        let by = wrap(yaw - self.yaw);
        if by.abs() > 0.02 {
            let seconds = f64::from((by.abs() / TURN_RATE).max(0.25));
            self.tracks.wearer.set(self.t, Motion::Turn { at: self.at, from: self.yaw, by, seconds });
            self.wait(seconds);
        }
        self.yaw = wrap(yaw);
        self.tracks.wearer.set(self.t, Motion::Still { at: self.at, yaw: self.yaw });
    }

    fn face(&mut self, p: Vec3) {
        self.turn_to(atan2(p.y - self.at[1], p.x - self.at[0]));
    }

    fn look(&mut self, gaze: Gaze) {
        self.tracks.gaze.set(self.t, gaze);
    }

    /// Lets time pass. Times lie on a grid of 1/64 s, so that sums, differences and their decimals are exact.
    fn wait(&mut self, seconds: f64) {
        self.t += on_grid(seconds);
    }

    /// Walks to a point that is open; what is in the way is walked around.
    fn walk_to(&mut self, to: [f32; 2]) {
        if distance(self.at, to) < 0.05 {
            return;
        }
        let others: Vec<[f32; 2]> = self.people.iter().map(|person| person.at).collect();
        let path =
            self.home.ways.path(self.at, to, &others).expect("resting places and rooms can be walked to");
        let walk = Walk::new(path);
        self.look(Gaze::Ahead(-0.2));
        let start = self.t;
        self.turn_to(walk.yaw(0.0));
        let (from, end) = (self.room(), walk.yaw(walk.length()));
        let seconds = walk.duration_s();
        self.tracks.wearer.set(self.t, Motion::Walk(walk));
        self.wait(seconds);
        (self.at, self.yaw) = (to, end);
        self.tracks.wearer.set(self.t, Motion::Still { at: to, yaw: end });
        let room = self.room();
        self.record(start, Action::Walk, |event| (event.room, event.to_room) = (from, room));
    }
}

fn suits(home: &Home, slot: usize, object: &Thing) -> bool {
    let Kind::Object(kind) = object.kind else { return false };
    let slot = &home.slots[slot];
    match kind.facts().bulk {
        Bulk::Small => slot.support.is_some(),
        Bulk::Large => slot.large,
        Bulk::Floor => slot.support.is_none(),
    }
}

/// First places: most objects where their kind belongs. Returns what lies in each slot and each object's slot.
fn lay_out(rng: &mut Rng, home: &Home, objects: &[Thing]) -> (Vec<Option<ThingId>>, Vec<usize>) {
    let mut taken = vec![None; home.slots.len()];
    let mut resting = Vec::new();
    for object in objects {
        let Kind::Object(kind) = object.kind else { continue };
        let free: Vec<usize> =
            (0..taken.len()).filter(|&s| taken[s].is_none() && suits(home, s, object)).collect();
        let homely: Vec<usize> = free
            .iter()
            .copied()
            .filter(|&s| kind.facts().home.contains(&home.rooms[usize::from(home.slots[s].room)].kind))
            .collect();
        let options = if homely.is_empty() || rng.chance(0.2) { &free } else { &homely };
        let slot = *rng.pick(options);
        taken[slot] = Some(object.id);
        resting.push(slot);
    }
    (taken, resting)
}
