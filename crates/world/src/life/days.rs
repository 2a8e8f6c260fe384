//! How a day goes: habits when they are due, and between them spells of chores and longer quiet times.

use super::Life;
use crate::event::{Action, Spell};
use crate::home::RoomId;
use crate::math::v;
use crate::things::{FixtureKind, Kind, ObjectKind, Side, ThingId};
use crate::timeline::{DAY_S, Gaze, Place};

/// Getting up and going to bed, seconds since midnight.
pub(crate) const WAKE_S: f64 = 7.0 * 3600.0;
pub(crate) const SLEEP_S: f64 = 22.0 * 3600.0;
/// Nothing new is begun so close before a habit is due.
const NEAR_S: f64 = 300.0;

impl Life<'_> {
    /// Lives so many days.
    pub(crate) fn live(mut self, days: u32) -> Self {
        self.draw_habits(days);
        for day in 1..=days {
            let midnight = f64::from(day - 1) * DAY_S;
            self.t = midnight + WAKE_S;
            let mut due: Vec<(f64, usize)> = self
                .habits
                .iter()
                .filter(|habit| habit.days.contains(&day))
                .map(|habit| (midnight + habit.at_s, habit.id))
                .collect();
            due.sort_by(|a, b| b.0.total_cmp(&a.0).then(b.1.cmp(&a.1)));
            self.tracks.wearer.set(self.t, crate::timeline::Motion::Still { at: self.at, yaw: self.yaw });
            let mut quiet = false;
            while self.t < midnight + SLEEP_S {
                let next = due.last().map_or(midnight + SLEEP_S, |(at, _)| *at);
                if self.t >= next && !due.is_empty() {
                    let (_, habit) = due.pop().expect("one is due");
                    self.spell(|life| life.keep(habit));
                } else if quiet || next - self.t < NEAR_S {
                    let until = (self.t + super::on_grid(self.rng.span(360.0, 1200.0))).min(next);
                    self.quiet(until);
                    quiet = false;
                } else {
                    self.spell(|life| life.chores());
                    quiet = true;
                }
            }
        }
        self.events
            .sort_by(|a, b| (a.day, a.start_s).partial_cmp(&(b.day, b.start_s)).expect("finite times"));
        self.events.iter_mut().enumerate().for_each(|(id, event)| event.id = id);
        self
    }

    fn spell(&mut self, act: impl FnOnce(&mut Self)) {
        let (start, midnight) = (self.t, f64::from(self.day() - 1) * DAY_S);
        act(self);
        if self.t - start > 5.0 {
            let (start_s, end_s) = (start - midnight, self.t - midnight);
            self.spells.push(Spell { day: (midnight / DAY_S) as u32 + 1, start_s, end_s });
        }
    }

    fn chores(&mut self) {
        for _ in 0..5 + self.rng.below(5) {
            match self.rng.below(20) {
                0..9 => self.move_something(),
                9..13 => self.switch_something(),
                13..15 => self.chat(),
                15..17 => self.look_into_a_room(),
                _ => self.use_something(),
            }
            if !self.people.is_empty() && self.rng.chance(0.25) {
                let i = self.rng.below(self.people.len());
                self.person_moves(i);
            }
            self.look(Gaze::Wander(0.5));
            let pause = self.rng.span(0.6, 3.5);
            self.wait(pause);
            self.look(Gaze::Ahead(-0.15));
        }
    }

    /// A free resting place that suits an object, in a room if one is given.
    pub(super) fn free_slot(&mut self, object: ThingId, room: Option<RoomId>) -> Option<usize> {
        let fits = |life: &Self, room: Option<RoomId>| -> Vec<usize> {
            (0..life.taken.len())
                .filter(|&s| life.taken[s].is_none() && life.suits(s, object))
                .filter(|&s| room.is_none_or(|room| life.home.slots[s].room == room))
                .collect()
        };
        let mut options = fits(self, room);
        if options.is_empty() {
            options = fits(self, None);
        }
        (!options.is_empty()).then(|| *self.rng.pick(&options))
    }

    fn move_something(&mut self) {
        let resting = self.resting();
        let here: Vec<_> =
            resting.iter().copied().filter(|(_, s)| self.home.slots[*s].room == self.room()).collect();
        let from = if here.is_empty() || self.rng.chance(0.3) { &resting } else { &here };
        let (object, _) = *self.rng.pick(from);
        self.move_object(object);
    }

    /// Takes a resting object and lays it somewhere else, as often in its room as anywhere.
    pub(super) fn move_object(&mut self, object: ThingId) {
        let Place::Resting(slot) = self.place(object) else { return };
        let room = self.rng.chance(0.5).then_some(self.home.slots[slot].room);
        let Some(to) = self.free_slot(object, room) else { return };
        let side = if self.rng.chance(0.7) { Side::Right } else { Side::Left };
        self.pick_up(object, side);
        self.put_down(object, side, to);
    }

    fn switch_something(&mut self) {
        let mut options: Vec<ThingId> = self
            .home
            .fixtures
            .iter()
            .filter(|fixture| fixture.kind.states().is_some())
            .map(|fixture| fixture.id)
            .collect();
        options.extend(self.resting().into_iter().map(|(object, _)| object).filter(
            |object| matches!(self.thing(*object).kind, Kind::Object(kind) if kind.states().is_some()),
        ));
        if !options.is_empty() {
            let thing = *self.rng.pick(&options);
            self.switch(thing);
            // Nobody leaves a fridge or a wardrobe open.
            if self.home.fixture(thing).is_some_and(|_| self.opens(thing)) && self.is_on(thing) {
                self.wait(2.0);
                self.switch(thing);
            }
        }
    }

    fn look_into_a_room(&mut self) {
        let room = self.rng.below(self.home.rooms.len()) as RoomId;
        let to = self.spot(room);
        self.walk_to(to);
        let [x, y] = self.home.rooms[usize::from(room)].floor.centre();
        self.face(v(x, y, 0.0));
        self.look(Gaze::Wander(0.6));
        self.wait(4.0);
        let turn = if self.rng.chance(0.5) { 1.9 } else { -1.9 };
        self.turn_to(self.yaw + turn);
        self.wait(2.5);
    }

    fn use_something(&mut self) {
        let drink = self.rng.chance(0.6);
        let usable: Vec<ThingId> = self
            .resting()
            .into_iter()
            .map(|(object, _)| object)
            .filter(|object| match self.thing(*object).kind {
                Kind::Object(ObjectKind::Cup | ObjectKind::Bottle | ObjectKind::Jug) => drink,
                Kind::Object(ObjectKind::Book) => !drink,
                _ => false,
            })
            .collect();
        if usable.is_empty() {
            return;
        }
        let object = *self.rng.pick(&usable);
        self.with_object(object, |life| {
            if drink {
                life.sip_from(object, Side::Right, Action::Drink);
            } else {
                life.read(object, 6.0);
            }
        });
    }

    /// Something long and calm until a time.
    fn quiet(&mut self, until: f64) {
        use FixtureKind as F;
        let options: Vec<(Action, usize)> = self
            .home
            .fixtures
            .iter()
            .enumerate()
            .filter_map(|(i, fixture)| match fixture.kind {
                F::Stove => Some((Action::Cook, i)),
                F::Desk => Some((Action::Work, i)),
                F::Washbasin => Some((Action::Wash, i)),
                F::Sofa | F::Armchair | F::Window => Some((Action::Rest, i)),
                _ => None,
            })
            .collect();
        let Some(&(action, i)) = (!options.is_empty()).then(|| self.rng.pick(&options)) else {
            self.t = until;
            return;
        };
        let fixture = &self.home.fixtures[i];
        let point = fixture.at + v(0.0, 0.0, if action == Action::Rest { 0.6 } else { 0.85 });
        if let Some(stand) = self.stand_near(point, 0.6, 1.4, fixture.room) {
            self.walk_to(stand);
        }
        self.face(point);
        self.look(Gaze::Point(point));
        if self.t < until {
            let start = self.t;
            self.t = until;
            let id = fixture.id;
            self.record(start, action, |event| event.place = Some(id));
        }
    }
}
