//! Questions over days (EgoLifeQA's five types): asked at one time, decided by something earlier. An answer is found
//! in events before the query only.

use super::family::Family;
use super::question::Question;
use crate::rng::Rng;
use crate::world::World;

/// A question of a family about the days of a world.
pub(super) fn recall(_world: &World, _family: Family, _rng: &mut Rng) -> Option<Question> {
    None
}
