//! Questions over days (EgoLifeQA's five types): asked at one time, decided by something earlier. An answer is found
//! in events before the query only, and the reasons name them with their times.

use super::draft::Draft;
use super::family::Family;
use super::question::{Clock, Medium, Question};
use super::{finish, habits, memory};
use crate::event::{Action, Event};
use crate::rng::Rng;
use crate::things::ThingId;
use crate::world::World;

/// Questions are asked while the wearer is up.
const UP_S: [f64; 2] = [8.0 * 3600.0, 22.0 * 3600.0];

/// What has been lived when a question is asked.
pub(crate) struct Past<'a> {
    pub world: &'a World,
    pub query: Clock,
    /// Events that ended before the query, in order of start.
    pub events: Vec<&'a Event>,
}

/// A draft with the moment that decides it.
pub(crate) type Recall = (Draft, Clock);

impl<'a> Past<'a> {
    /// Everything before a random time of a random day.
    fn draw(world: &'a World, rng: &mut Rng) -> Past<'a> {
        let day = 1 + rng.below(world.days as usize) as u32;
        let time_s = rng.span(UP_S[0], UP_S[1]).round();
        let query = Clock { day, time_s };
        let ended = |event: &&Event| (event.day, event.end_s) < (day, time_s);
        Past { world, query, events: world.events().iter().filter(ended).collect() }
    }

    /// Events of the wearer of some kind, the latest first.
    pub(crate) fn mine(&self, actions: &[Action]) -> Vec<&'a Event> {
        let of = |event: &&&Event| event.who == ThingId::WEARER && actions.contains(&event.action);
        self.events.iter().rev().filter(of).copied().collect()
    }

    pub(crate) fn name(&self, id: ThingId) -> String {
        self.world.thing(id).map_or_else(String::new, called)
    }
}

/// What a thing or person is called by one who knows them.
pub(crate) fn called(thing: &crate::things::Thing) -> String {
    if thing.kind == crate::things::Kind::Person {
        thing.name.to_lowercase()
    } else {
        super::words::name(thing)
    }
}

/// `day 2 at 11`.
pub(crate) fn when(event: &Event) -> String {
    format!("day {} at {}", event.day, (event.start_s / 3600.0) as u32)
}

/// The moment of an event.
pub(crate) fn clock(event: &Event) -> Clock {
    Clock { day: event.day, time_s: event.start_s }
}

/// A question of a family about the days of a world; `None` when the drawn query has none.
pub(super) fn recall(world: &World, family: Family, rng: &mut Rng) -> Option<Question> {
    let past = Past::draw(world, rng);
    let (draft, target) = match family {
        Family::EntityLog => memory::entity_log(&past, rng),
        Family::EventRecall => memory::event_recall(&past, rng),
        Family::HabitInsight => habits::habit_insight(&past, rng),
        Family::RelationMap => memory::relation_map(&past, rng),
        Family::TaskMaster => habits::task_master(&past, rng),
        _ => None,
    }?;
    let medium = Medium::Days { query: past.query, target };
    Some(finish(world, family, medium, draft, None, None))
}
