//! One picture of a shot as question makers look at it: the things in it that can be named, found and paired.

use super::draft::Draft;
use super::question::{Graph, Link, Node};
use super::shot::{Shot, Sight};
use super::words;
use crate::rng::Rng;
use crate::things::ThingId;
use crate::truth::FrameTruth;
use crate::world::World;

/// Tries at finding a pair.
const TRIES: usize = 24;

/// One picture.
pub(crate) struct View<'a> {
    pub world: &'a World,
    pub shot: &'a Shot,
    pub truth: &'a FrameTruth,
    pub sights: Vec<Sight<'a>>,
}

impl<'a> View<'a> {
    pub(crate) fn new(world: &'a World, shot: &'a Shot, index: usize) -> View<'a> {
        View { world, shot, truth: shot.truth(index), sights: shot.sights(world, index) }
    }

    pub(crate) fn find(&self, id: ThingId) -> Option<&Sight<'a>> {
        self.sights.iter().find(|sight| sight.id() == id)
    }

    /// A random thing that meets a condition.
    pub(crate) fn one(&self, rng: &mut Rng, fits: impl Fn(&Sight<'a>) -> bool) -> Option<&Sight<'a>> {
        let options: Vec<&Sight<'a>> = self.sights.iter().filter(|sight| fits(sight)).collect();
        (!options.is_empty()).then(|| *rng.pick(&options))
    }

    /// Two random things in random order that meet a symmetric condition.
    pub(crate) fn pair(
        &self,
        rng: &mut Rng,
        fits: impl Fn(&Sight<'a>, &Sight<'a>) -> bool,
    ) -> Option<(&Sight<'a>, &Sight<'a>)> {
        if self.sights.len() < 2 {
            return None;
        }
        (0..TRIES).find_map(|_| {
            let (a, b) = (rng.pick(&self.sights), rng.pick(&self.sights));
            (a.id() != b.id() && fits(a, b)).then_some((a, b))
        })
    }

    /// What is seen, in a sentence: the things that take most of the picture.
    pub(crate) fn observation(&self) -> String {
        let mut largest: Vec<&Sight<'a>> = self.sights.iter().collect();
        largest.sort_by_key(|sight| (std::cmp::Reverse(sight.seen.pixels), sight.id()));
        let names: Vec<&str> = largest.iter().take(4).map(|sight| sight.name.as_str()).collect();
        if names.is_empty() { "i see a room".to_owned() } else { format!("i see {}", names.join(" , ")) }
    }

    /// The scene graph of what a draft names.
    pub(crate) fn graph(&self, draft: &Draft) -> Graph {
        let mut objects: Vec<(ThingId, Node)> = Vec::new();
        for id in &draft.things {
            let Some(bounds) = self.bounds(*id) else { continue };
            let Some(name) = self.name(*id) else { continue };
            if objects.iter().any(|(known, _)| known == id) {
                continue;
            }
            let name = name.replace(' ', "_");
            let number =
                1 + objects.iter().filter(|(_, node)| node.id.starts_with(&format!("{name}."))).count();
            objects.push((*id, Node { id: format!("{name}.{number}"), bbox: bounds }));
        }
        let id_of =
            |id: ThingId| objects.iter().find(|(known, _)| *known == id).map(|(_, node)| node.id.clone());
        let relationships = draft
            .links
            .iter()
            .filter_map(|(subject, predicate, object)| {
                let (subject, object) = (id_of(*subject)?, id_of(*object)?);
                Some(Link { subject, predicate: (*predicate).to_owned(), object })
            })
            .collect();
        Graph { objects: objects.into_iter().map(|(_, node)| node).collect(), relationships }
    }

    fn name(&self, id: ThingId) -> Option<String> {
        self.world.thing(id).map(words::name)
    }

    /// Box of a thing or a hand.
    fn bounds(&self, id: ThingId) -> Option<[u32; 4]> {
        match id {
            ThingId::LEFT_HAND => self.truth.hands[0].bounds,
            ThingId::RIGHT_HAND => self.truth.hands[1].bounds,
            _ => self.truth.things.iter().find(|seen| seen.id == id).map(|seen| seen.bounds),
        }
    }
}
