//! The small doings that days are made of: taking, laying down, switching, drinking, watering, handing over.

use super::{Life, index};
use crate::event::Action;
use crate::home::{Fixture, RoomId};
use crate::math::{Vec3, v};
use crate::things::{FixtureKind, Kind, Side, ThingId};
use crate::timeline::{Anchor, Gaze, Motion, Place, Reach, Walk};

/// Cosine of the angle from its front within which one stands before a thing.
const FRONTAL: f32 = 0.7;

impl Life<'_> {
    /// Goes before a slot and faces it.
    pub(super) fn approach(&mut self, slot: usize) {
        let slot = self.home.slots[slot].clone();
        self.walk_to(slot.stand);
        self.face(slot.at);
        self.look(Gaze::Point(slot.at));
    }

    fn reach(&mut self, side: Side, to: Anchor, seconds: f32, grip: bool) {
        self.tracks.hands[index(side)].set(self.t, Reach { to, seconds, grip });
    }

    /// How far to bend for something at a height.
    fn bend_for(&mut self, z: f32) {
        let bend = ((1.25 - z) / 1.25).clamp(0.0, 1.0);
        self.tracks.bend.set(self.t, bend);
    }

    /// The wrist that lets a hand hold a thing at a point.
    fn wrist_for(&self, object: ThingId, base: Vec3) -> Vec3 {
        let [w, d, h] = self.thing(object).size;
        let away = v(self.at[0] - base.x, self.at[1] - base.y, 0.0).unit();
        base + v(0.0, 0.0, h * 0.5 + 0.02) + away * (0.09 + w.min(d) * 0.3)
    }

    /// Takes a resting object with a hand that is free.
    pub(super) fn pick_up(&mut self, object: ThingId, side: Side) {
        let Place::Resting(slot) = self.place(object) else { return };
        self.approach(slot);
        let (base, support) = (self.home.slots[slot].at, self.home.slots[slot].support);
        let start = self.t;
        self.bend_for(base.z);
        self.reach(side, Anchor::At(self.wrist_for(object, base)), 0.7, false);
        self.wait(0.75);
        let contact = self.t;
        self.reach(side, Anchor::At(self.wrist_for(object, base)), 0.2, true);
        self.tracks.contact[index(side)].set(self.t, Some(object));
        self.wait(0.2);
        self.set_place(self.t, object, Place::Held(side));
        self.taken[slot] = None;
        self.tracks.bend.set(self.t, 0.0);
        self.reach(side, Anchor::Carry, 0.7, true);
        self.wait(0.75);
        self.record(start, Action::PickUp, |event| {
            (event.object, event.place, event.hand) = (Some(object), support, Some(side));
            event.contact_s = Some(contact);
        });
        self.look(Gaze::Ahead(-0.22));
    }

    /// Lays a held object into a free slot.
    pub(super) fn put_down(&mut self, object: ThingId, side: Side, slot: usize) {
        self.approach(slot);
        let (base, support) = (self.home.slots[slot].at, self.home.slots[slot].support);
        let start = self.t;
        self.bend_for(base.z);
        self.reach(side, Anchor::At(self.wrist_for(object, base)), 0.8, true);
        self.wait(0.85);
        self.set_place(self.t, object, Place::Resting(slot));
        self.taken[slot] = Some(object);
        self.wait(0.3);
        let contact = self.t;
        self.tracks.contact[index(side)].set(self.t, None);
        self.tracks.bend.set(self.t, 0.0);
        self.reach(side, Anchor::Down, 0.7, false);
        self.wait(0.6);
        self.record(start, Action::PutDown, |event| {
            (event.object, event.place, event.hand) = (Some(object), support, Some(side));
            event.contact_s = Some(contact);
        });
        self.look(Gaze::Ahead(-0.15));
    }

    /// Turns a thing over to its other state. It is a fixture, or an object that rests within reach.
    pub(super) fn switch(&mut self, thing: ThingId) {
        let Some((point, stand)) = self.reachable(thing) else { return };
        self.walk_to(stand);
        self.face(point);
        self.look(Gaze::Point(point));
        let start = self.t;
        let side = if self.rng.chance(0.75) { Side::Right } else { Side::Left };
        self.bend_for(point.z);
        let away = v(self.at[0] - point.x, self.at[1] - point.y, 0.0).unit();
        self.reach(side, Anchor::At(point + away * 0.17), 0.7, false);
        self.wait(0.75);
        let contact = self.t;
        self.tracks.contact[index(side)].set(self.t, Some(thing));
        self.wait(0.25);
        let on = !self.is_on(thing);
        self.tracks.states[usize::from(thing.0)].set(self.t, on);
        self.wait(0.25);
        self.tracks.contact[index(side)].set(self.t, None);
        self.tracks.bend.set(self.t, 0.0);
        self.reach(side, Anchor::Down, 0.7, false);
        self.wait(0.9);
        let action = match (self.opens(thing), on) {
            (true, true) => Action::Open,
            (true, false) => Action::Close,
            (false, true) => Action::SwitchOn,
            (false, false) => Action::SwitchOff,
        };
        self.record(start, action, |event| {
            (event.object, event.hand, event.contact_s) = (Some(thing), Some(side), Some(contact));
        });
        self.look(Gaze::Ahead(-0.15));
    }

    /// Whether a thing opens and closes, rather than going on and off.
    pub(super) fn opens(&self, thing: ThingId) -> bool {
        self.thing(thing).kind.states().is_some_and(|[first, _]| first == "closed")
    }

    /// Where to touch a thing and where to stand for it.
    fn reachable(&self, thing: ThingId) -> Option<(Vec3, [f32; 2])> {
        if let Some(fixture) = self.home.fixture(thing) {
            let [_, d, h] = fixture.kind.facts().size;
            // A lamp is touched at its pole; before a door that swings one keeps back.
            let out = if fixture.kind == FixtureKind::FloorLamp { 0.03 } else { d / 2.0 + 0.02 };
            let (low, high) = if self.opens(thing) { (0.75, 1.15) } else { (0.45, 0.95) };
            let point = fixture.at + fixture.front() * out + v(0.0, 0.0, (h * 0.62).min(1.15));
            let stand = self.stand_before(fixture, point, low, high)?;
            return Some((point, stand));
        }
        let Place::Resting(slot) = self.place(thing) else { return None };
        let slot = &self.home.slots[slot];
        Some((slot.at + v(0.0, 0.0, self.thing(thing).size[2] * 0.6), slot.stand))
    }

    /// The standing point of a room nearest to a distance between two bounds from a point.
    pub(super) fn stand_near(&self, p: Vec3, low: f32, high: f32, room: RoomId) -> Option<[f32; 2]> {
        self.stand_where(p, low, high, room, |_| true)
    }

    /// The same before the front of a fixture, where it has one: from the side one sees neither screen nor inside.
    pub(super) fn stand_before(&self, fixture: &Fixture, p: Vec3, low: f32, high: f32) -> Option<[f32; 2]> {
        let front = fixture.front();
        self.stand_where(p, low, high, fixture.room, |at| {
            let across = v(at[0] - p.x, at[1] - p.y, 0.0).unit();
            !Kind::Fixture(fixture.kind).has_front() || across.dot(front) > FRONTAL
        })
    }

    fn stand_where(
        &self,
        p: Vec3,
        low: f32,
        high: f32,
        room: RoomId,
        suits: impl Fn(&[f32; 2]) -> bool,
    ) -> Option<[f32; 2]> {
        let middle = (low + high) / 2.0;
        let cost = |at: &[f32; 2]| (crate::home::distance(*at, [p.x, p.y]) - middle).abs();
        let floor = &self.home.rooms[usize::from(room)].floor;
        self.home
            .ways
            .standing(floor)
            .into_iter()
            .filter(|at| (low..high).contains(&crate::home::distance(*at, [p.x, p.y])) && suits(at))
            .min_by(|a, b| cost(a).total_cmp(&cost(b)))
    }

    /// Lifts a held thing to the mouth and back.
    pub(super) fn sip_from(&mut self, object: ThingId, side: Side, action: Action) {
        let start = self.t;
        self.look(Gaze::Ahead(0.05));
        self.reach(side, Anchor::Mouth, 0.8, true);
        self.wait(2.2);
        self.reach(side, Anchor::Carry, 0.8, true);
        self.wait(0.9);
        self.record(start, action, |event| (event.object, event.hand) = (Some(object), Some(side)));
        self.look(Gaze::Ahead(-0.22));
    }

    /// Reads a held book for a while; it is open meanwhile.
    pub(super) fn read(&mut self, book: ThingId, seconds: f64) {
        let (start, was) = (self.t, self.is_on(book));
        let states = usize::from(book.0);
        self.look(Gaze::Ahead(-0.42));
        self.tracks.states[states].set(self.t, true);
        self.wait(seconds);
        self.tracks.states[states].set(self.t, was);
        self.record(start, Action::Read, |event| event.object = Some(book));
        self.look(Gaze::Ahead(-0.22));
    }

    /// Holds a watering can over a plant.
    pub(super) fn water(&mut self, can: ThingId, plant: ThingId, side: Side) {
        let Place::Resting(slot) = self.place(plant) else { return };
        self.approach(slot);
        let start = self.t;
        let base = self.home.slots[slot].at + v(0.0, 0.0, 0.32);
        self.bend_for(base.z);
        self.reach(side, Anchor::At(self.wrist_for(can, base)), 0.9, true);
        self.wait(4.0);
        self.tracks.bend.set(self.t, 0.0);
        self.reach(side, Anchor::Carry, 0.8, true);
        self.wait(0.9);
        self.record(start, Action::Water, |event| {
            (event.object, event.place, event.hand) = (Some(can), Some(plant), Some(side));
        });
        self.look(Gaze::Ahead(-0.22));
    }

    /// Hands a held thing to the person one stands before, or takes one from them.
    pub(super) fn hand_over(&mut self, object: ThingId, side: Side, person: ThingId, give: bool) {
        let start = self.t;
        self.reach(side, Anchor::Offer, 0.8, give);
        self.wait(1.0);
        let contact = self.t;
        let (place, held) =
            if give { (Place::With(person), None) } else { (Place::Held(side), Some(object)) };
        self.set_place(self.t, object, place);
        self.tracks.contact[index(side)].set(self.t, held);
        self.wait(0.4);
        self.reach(side, if give { Anchor::Down } else { Anchor::Carry }, 0.7, !give);
        self.wait(0.8);
        let action = if give { Action::Give } else { Action::Receive };
        self.record(start, action, |event| {
            (event.object, event.other, event.hand) = (Some(object), Some(person), Some(side));
            event.contact_s = Some(contact);
        });
    }

    /// Lets an idle person walk to another room while the wearer goes on.
    pub(super) fn person_moves(&mut self, i: usize) {
        if self.people[i].free_s > self.t {
            return;
        }
        let from = self.people[i].at;
        let room = self.rng.below(self.home.rooms.len()) as RoomId;
        let to = self.spot(room);
        let others: Vec<[f32; 2]> =
            self.people.iter().map(|person| person.at).filter(|at| *at != from).chain([self.at]).collect();
        let Some(path) = self.home.ways.path(from, to, &others) else { return };
        let walk = Walk::new(path);
        let (start, end) = (self.t, self.t + super::on_grid(walk.duration_s()));
        let yaw = walk.yaw(walk.length());
        self.tracks.people[i].set(start, Motion::Walk(walk));
        self.tracks.people[i].set(end, Motion::Still { at: to, yaw });
        (self.people[i].at, self.people[i].yaw, self.people[i].free_s) = (to, yaw, end + 4.0);
        let (id, rooms) = (self.people[i].id, (self.home.room_at(from), self.home.room_at(to)));
        let ahead = end - self.t;
        self.record(start, Action::Walk, |event| {
            event.who = id;
            event.end_s += ahead;
            (event.room, event.to_room) = rooms;
            event.habit = None;
        });
    }
}
