//! What people say. Every line carries a fact of the world, so that questions about it have one answer.

use super::Life;
use crate::event::Action;
use crate::math::{atan2, v, wrap};
use crate::things::ThingId;
use crate::timeline::{Gaze, Motion, Place};

/// Words per second of an easy talker.
const PACE: f64 = 2.6;

impl Life<'_> {
    /// Goes to a person, who turns to the wearer; `false` when one cannot get near.
    pub(super) fn meet(&mut self, i: usize) -> bool {
        if self.people[i].free_s > self.t {
            self.look(Gaze::Wander(0.35));
            self.wait(self.people[i].free_s - self.t);
        }
        let at = self.people[i].at;
        let head = v(at[0], at[1], 1.55);
        let Some(stand) = self.stand_near(head, 0.9, 1.6, self.home.room_at(at)) else { return false };
        // Nobody walks off while the wearer is on the way.
        self.people[i].free_s = f64::INFINITY;
        self.walk_to(stand);
        self.face(head);
        self.look(Gaze::Point(head - v(0.0, 0.0, 0.12)));
        let (from, to) = (self.people[i].yaw, atan2(self.at[1] - at[1], self.at[0] - at[0]));
        let by = wrap(to - from);
        self.tracks.people[i].set(self.t, Motion::Turn { at, from, by, seconds: 0.6 });
        self.people[i].yaw = to;
        self.wait(0.7);
        self.tracks.people[i].set(self.t, Motion::Still { at, yaw: to });
        true
    }

    /// Ends a meeting: the person is free again.
    pub(super) fn part(&mut self, i: usize) {
        self.people[i].free_s = self.t + 3.0;
        self.look(Gaze::Ahead(-0.15));
    }

    /// One line, by the wearer or by the person of this index.
    pub(super) fn say(&mut self, i: usize, by_person: bool, line: &str) {
        let start = self.t;
        self.wait(0.6 + line.split_whitespace().count() as f64 / PACE);
        let id = self.people[i].id;
        self.record(start, Action::Say, |event| {
            let (who, to) = if by_person { (id, ThingId::WEARER) } else { (ThingId::WEARER, id) };
            (event.who, event.other) = (who, Some(to));
            event.transcript = Some(line.to_owned());
        });
        self.wait(0.3);
    }

    /// A short exchange about where something is or what is wanted.
    pub(super) fn chat(&mut self) {
        if self.people.is_empty() {
            return;
        }
        let i = self.rng.below(self.people.len());
        if !self.meet(i) {
            return;
        }
        let resting = self.resting();
        let (object, slot) = *self.rng.pick(&resting);
        let phrase = self.thing(object).phrase();
        let room = self.home.rooms[usize::from(self.home.slots[slot].room)].kind.name();
        match self.rng.below(3) {
            0 => {
                self.say(i, true, &format!("Have you seen {phrase}?"));
                self.say(i, false, &format!("Yes, it is in the {room}."));
            }
            1 => {
                let food = *self.rng.pick(&["soup", "pasta", "rice", "pancakes", "salad", "fish"]);
                self.say(i, false, "What shall we eat tonight?");
                self.say(i, true, &format!("Let us have {food} tonight."));
            }
            _ => {
                let hobby =
                    *self.rng.pick(&["the piano", "chess", "Spanish", "swimming", "drawing", "the guitar"]);
                self.say(i, true, &format!("I have started to learn {hobby}."));
                self.say(i, false, &format!("Good. I will put {phrase} away."));
                self.part(i);
                // What the wearer promises is done.
                self.move_object(object);
                return;
            }
        }
        self.part(i);
    }

    /// Whether a person holds this thing.
    pub(super) fn holder(&self, object: ThingId) -> Option<usize> {
        match self.place(object) {
            Place::With(person) => self.people.iter().position(|p| p.id == person),
            _ => None,
        }
    }
}
