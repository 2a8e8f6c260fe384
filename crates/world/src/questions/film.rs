//! A stretch of a shot as question makers look at it: what is in view when, and what the wearer does meanwhile.

use std::collections::BTreeSet;

use super::question::number;
use super::shot::{SAMPLE_RATE, Shot, Sight};
use super::view::View;
use crate::event::{Action, Event};
use crate::math::wrap;
use crate::things::{FixtureKind as F, Kind, RoomKind, ThingId};
use crate::world::World;

/// A shot with every picture looked at.
pub(crate) struct Film<'a> {
    pub world: &'a World,
    pub shot: &'a Shot,
    pub views: Vec<View<'a>>,
    /// Names that two things share that show anywhere in the stretch, if only a little.
    twins: Vec<String>,
}

impl<'a> Film<'a> {
    pub(crate) fn new(world: &'a World, shot: &'a Shot) -> Film<'a> {
        let views = (0..shot.frames.len()).map(|i| View::new(world, shot, i)).collect();
        let shown = shot.frames.iter().flat_map(|(_, truth)| &truth.things).map(|seen| seen.id);
        let shown: BTreeSet<ThingId> = shown.collect();
        let mut names: Vec<String> =
            shown.iter().filter_map(|id| world.thing(*id)).map(super::words::name).collect();
        names.sort_unstable();
        let twins = names.windows(2).filter(|pair| pair[0] == pair[1]).map(|pair| pair[0].clone()).collect();
        Film { world, shot, views, twins }
    }

    /// Pixels of a thing in a picture.
    pub(crate) fn pixels(&self, index: usize, id: ThingId) -> u32 {
        let seen = self.views[index].truth.things.iter().find(|seen| seen.id == id);
        seen.map_or(0, |seen| seen.pixels)
    }

    /// Whether nothing else that shows anywhere in the stretch has the same name.
    pub(crate) fn unmistakable(&self, sight: &Sight<'_>) -> bool {
        !self.twins.contains(&sight.name)
    }

    /// Change of heading between two pictures; positive is left.
    pub(crate) fn turned(&self, from: usize, to: usize) -> f32 {
        (from..to).map(|i| wrap(self.views[i + 1].truth.camera.yaw - self.views[i].truth.camera.yaw)).sum()
    }

    /// Least and greatest heading against the first picture.
    pub(crate) fn headings(&self) -> (f32, f32) {
        let all = (0..self.views.len()).map(|i| self.turned(0, i));
        all.fold((0.0, 0.0), |(low, high): (f32, f32), turn| (low.min(turn), high.max(turn)))
    }

    /// Metres between the eyes in two pictures, level.
    pub(crate) fn moved(&self, from: usize, to: usize) -> f32 {
        let [a, b] = [from, to].map(|i| self.views[i].truth.camera.at);
        ((a.x - b.x).powi(2) + (a.y - b.y).powi(2)).sqrt()
    }

    /// What the wearer does to things, with its deciding moment inside the stretch by a margin of seconds.
    pub(crate) fn deeds(&self, margin: f64) -> Vec<(&'a Event, f64)> {
        let (start, end) = (self.shot.start_s + margin, self.shot.start_s + self.shot.seconds - margin);
        around(self.world, self.shot)
            .filter(|event| event.who == ThingId::WEARER)
            .filter_map(|event| event.contact_s.map(|contact| (event, contact)))
            .filter(|(_, contact)| (start..end).contains(contact))
            .collect()
    }

    /// The picture that shows a moment, or the last before it.
    pub(crate) fn index_at(&self, time_s: f64) -> usize {
        let index = ((time_s - self.shot.start_s) * SAMPLE_RATE).floor().max(0.0) as usize;
        index.min(self.views.len() - 1)
    }

    /// The room that the things in a picture tell, with the names of those things; `None` where they tell none.
    pub(crate) fn told_room(&self, index: usize) -> Option<(RoomKind, Vec<&str>)> {
        let view = &self.views[index];
        let room = self.world.home.rooms[usize::from(view.truth.room)].kind;
        let mut signs: Vec<&Sight<'_>> = Vec::new();
        let mut strange = 0;
        for sight in &view.sights {
            let Kind::Fixture(kind) = sight.thing.kind else { continue };
            let here = self.world.home.fixture(sight.id()).is_some_and(|f| f.room == view.truth.room);
            match telling(kind) {
                Some(told) if told == room && here => signs.push(sight),
                Some(_) => strange += sight.seen.pixels,
                None => {}
            }
        }
        signs.sort_by_key(|sight| std::cmp::Reverse(sight.seen.pixels));
        let own: u32 = signs.iter().map(|sight| sight.seen.pixels).sum();
        (own > 2 * strange && own >= 2 * super::shot::LEAST_FIXTURE)
            .then(|| (room, signs.iter().take(2).map(|sight| sight.name.as_str()).collect()))
    }
}

/// Events that touch a shot.
pub(crate) fn around<'a>(world: &'a World, shot: &Shot) -> impl Iterator<Item = &'a Event> {
    let (day, start, end) = (shot.day, shot.start_s, shot.start_s + shot.seconds);
    let events = world.events();
    // An event lasts an hour at most; most last seconds.
    let first = events.partition_point(|event| (event.day, event.start_s) < (day, start - 3600.0));
    events[first..]
        .iter()
        .take_while(move |event| (event.day, event.start_s) < (day, end))
        .filter(move |event| event.end_s > start)
}

/// The room that a piece of furniture gives away.
fn telling(kind: F) -> Option<RoomKind> {
    match kind {
        F::Bed | F::Nightstand | F::Wardrobe => Some(RoomKind::Bedroom),
        F::Counter | F::Stove | F::Fridge | F::Table => Some(RoomKind::Kitchen),
        F::Sofa | F::Television | F::CoffeeTable | F::Fireplace | F::Piano => Some(RoomKind::Living),
        F::Bathtub | F::Washbasin | F::Toilet | F::WashingMachine => Some(RoomKind::Bathroom),
        F::Desk => Some(RoomKind::Study),
        F::FrontDoor => Some(RoomKind::Hall),
        F::ToyShelf => Some(RoomKind::Playroom),
        _ => None,
    }
}

/// `at 1.5`: when a picture was taken, seconds from the start.
pub(crate) fn at(index: usize) -> String {
    format!("at {}", number(index as f64 / SAMPLE_RATE))
}

/// What a doing is called, and what undoes it: `("pick up", "put down")`.
pub(crate) fn verb(action: Action) -> Option<(&'static str, &'static str)> {
    match action {
        Action::PickUp => Some(("pick up", "put down")),
        Action::PutDown => Some(("put down", "pick up")),
        Action::SwitchOn => Some(("turn on", "turn off")),
        Action::SwitchOff => Some(("turn off", "turn on")),
        Action::Open => Some(("open", "close")),
        Action::Close => Some(("close", "open")),
        _ => None,
    }
}
