//! Habits and plans of a home: what recurs, and what is arranged on one day and matters on another.

use super::Life;
use crate::event::{Action, Habit, HabitKind};
use crate::things::{FixtureKind, Kind, ObjectKind, Side, ThingId};
use crate::timeline::Place;

const HOUR: f64 = 3600.0;

impl Life<'_> {
    /// Draws the habits of this home for so many days.
    pub(super) fn draw_habits(&mut self, days: u32) {
        let every: Vec<u32> = (1..=days).collect();
        let mut add = |kind, at_s, days: Vec<u32>, object, with| {
            let id = self.habits.len();
            if !days.is_empty() {
                self.habits.push(Habit { id, kind, at_s, days, object, with });
            }
        };
        let things = self.things;
        let find = |kind: ObjectKind| things.iter().find(|t| t.kind == Kind::Object(kind)).map(|t| t.id);
        let mut rng = self.rng.branch("habits");
        let person = |i: usize| self.people.get(i % self.people.len().max(1)).map(|p| p.id);
        if let Some(pills) = find(ObjectKind::PillBottle) {
            add(HabitKind::Pills, 8.0 * HOUR, every.clone(), Some(pills), None);
        }
        if let (Some(can), Some(plant)) = (find(ObjectKind::WateringCan), find(ObjectKind::Plant)) {
            let first = 1 + rng.below(3) as u32;
            let gap = 2 + rng.below(2) as u32;
            let days =
                every.iter().copied().filter(|d| *d >= first && (d - first).is_multiple_of(gap)).collect();
            add(HabitKind::Water, (16 + rng.below(3)) as f64 * HOUR, days, Some(can), Some(plant));
        }
        if let (Some(drill), Some(friend)) = (find(ObjectKind::Drill), person(rng.below(8))) {
            let lent = 1 + rng.below(3) as u32;
            let back = lent + 1 + rng.below(3) as u32;
            let on = |day: u32| every.iter().copied().filter(|d| *d == day).collect::<Vec<_>>();
            add(HabitKind::Lend, 11.0 * HOUR, on(lent), Some(drill), Some(friend));
            add(HabitKind::Return, (14 + rng.below(2)) as f64 * HOUR, on(back), Some(drill), Some(friend));
        }
        if let Some(cup) = find(ObjectKind::Cup) {
            add(HabitKind::MorningDrink, (9 + rng.below(2)) as f64 * HOUR, every.clone(), Some(cup), None);
        }
        if let Some(book) = find(ObjectKind::Book) {
            add(HabitKind::EveningReading, 20.75 * HOUR, every.clone(), Some(book), None);
        }
        let television =
            self.home.fixtures.iter().find(|f| f.kind == FixtureKind::Television).map(|fixture| fixture.id);
        if let Some(television) = television {
            let days = every.iter().copied().filter(|_| rng.chance(0.5)).collect();
            add(HabitKind::Television, 19.5 * HOUR, days, Some(television), None);
        }
        for _ in 0..2 {
            let day = 1 + rng.below(days.max(1) as usize) as u32;
            add(
                HabitKind::Shopping,
                (12 + rng.below(3)) as f64 * HOUR + 1200.0,
                vec![day],
                None,
                person(rng.below(8)),
            );
        }
        if self.people.len() > 1 {
            let day = 1 + rng.below(days.max(1) as usize) as u32;
            add(HabitKind::Relation, 15.5 * HOUR, vec![day], person(0), person(1));
        }
    }

    /// Does what is due.
    pub(super) fn keep(&mut self, id: usize) {
        self.habit = Some(id);
        let habit = self.habits[id].clone();
        let side = Side::Right;
        match (habit.kind, habit.object, habit.with) {
            (HabitKind::Pills, Some(object), _) => self.with_object(object, |life| {
                life.sip_from(object, side, Action::TakePills);
            }),
            (HabitKind::MorningDrink, Some(object), _) => self.with_object(object, |life| {
                life.sip_from(object, side, Action::Drink);
                life.wait(2.0);
                life.sip_from(object, side, Action::Drink);
            }),
            (HabitKind::Water, Some(can), Some(plant)) => self.with_object(can, |life| {
                life.water(can, plant, side);
            }),
            (HabitKind::EveningReading, Some(book), _) => self.with_object(book, |life| {
                life.read(book, 240.0);
            }),
            (HabitKind::Television, Some(television), _) => self.watch(television),
            (HabitKind::Lend, Some(object), Some(person)) => self.lend(object, person),
            (HabitKind::Return, Some(object), _) => self.get_back(object),
            (HabitKind::Shopping, _, Some(person)) => self.errand(person),
            (HabitKind::Relation, Some(one), Some(other)) => self.told_relation(one, other),
            _ => {}
        }
        self.habit = None;
    }

    /// Takes an object, does something with it, lays it back where it was.
    pub(super) fn with_object(&mut self, object: ThingId, act: impl FnOnce(&mut Self)) {
        let Place::Resting(slot) = self.place(object) else { return };
        self.pick_up(object, Side::Right);
        act(self);
        self.put_down(object, Side::Right, slot);
    }

    fn watch(&mut self, television: ThingId) {
        if !self.is_on(television) {
            self.switch(television);
        }
        let Some(fixture) = self.home.fixture(television) else { return };
        let screen = fixture.at + crate::math::v(0.0, 0.0, 0.85);
        if let Some(stand) = self.stand_before(fixture, screen, 1.6, 3.0) {
            self.walk_to(stand);
        }
        self.face(screen);
        self.look(crate::timeline::Gaze::Point(screen));
        let start = self.t;
        self.wait(300.0);
        self.record(start, Action::Watch, |event| event.object = Some(television));
        self.switch(television);
    }

    fn lend(&mut self, object: ThingId, person: ThingId) {
        let Some(i) = self.people.iter().position(|p| p.id == person) else { return };
        if !matches!(self.place(object), Place::Resting(_)) {
            return;
        }
        self.pick_up(object, Side::Right);
        if !self.meet(i) {
            if let Some(slot) = self.free_slot(object, None) {
                self.put_down(object, Side::Right, slot);
            }
            return;
        }
        let phrase = self.thing(object).phrase();
        self.say(i, true, &format!("Could you lend me {phrase}?"));
        self.say(i, false, &format!("Of course, here is {phrase}."));
        self.hand_over(object, Side::Right, person, true);
        self.say(i, true, "Thank you, I will bring it back soon.");
        self.part(i);
    }

    fn get_back(&mut self, object: ThingId) {
        let Some(i) = self.holder(object) else { return };
        if !self.meet(i) {
            return;
        }
        let (phrase, person) = (self.thing(object).phrase(), self.people[i].id);
        self.say(i, true, &format!("I am done with {phrase}, here it is."));
        self.hand_over(object, Side::Right, person, false);
        self.part(i);
        if let Some(slot) = self.free_slot(object, None) {
            self.put_down(object, Side::Right, slot);
        }
    }

    fn errand(&mut self, person: ThingId) {
        let Some(i) = self.people.iter().position(|p| p.id == person) else { return };
        if !self.meet(i) {
            return;
        }
        let goods =
            ["milk", "bread", "eggs", "coffee", "butter", "batteries", "soap", "light bulbs", "stamps"];
        let first = self.rng.below(goods.len());
        let second = (first + 1 + self.rng.below(goods.len() - 1)) % goods.len();
        self.say(i, true, &format!("Please buy {} and {} tomorrow.", goods[first], goods[second]));
        self.say(i, false, &format!("I will buy {} and {}.", goods[first], goods[second]));
        self.part(i);
    }

    fn told_relation(&mut self, one: ThingId, other: ThingId) {
        let Some(i) = self.people.iter().position(|p| p.id == one) else { return };
        if !self.meet(i) {
            return;
        }
        let relation = *self.rng.pick(&["cousin", "neighbour", "colleague", "flatmate", "teacher"]);
        let name = self.thing(other).name.clone();
        self.say(i, true, &format!("{name} is my {relation}."));
        self.say(i, false, &format!("I did not know that {name} is your {relation}."));
        self.part(i);
    }
}
