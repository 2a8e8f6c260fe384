//! The way the wearer took over a stretch of time, in the words of someone who describes a route: rooms, turns,
//! what was passed on which side. And the same way walked back.
//!
//! Geometry only: whether a landmark was in the picture is for the truth of the frames to say.

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::home::{RoomId, distance};
use crate::math::{PI, atan2, wrap};
use crate::things::{FixtureKind, Side, ThingId};
use crate::timeline::DAY_S;
use crate::world::{World, absolute};

/// Seconds between looks at the body.
const STEP_S: f64 = 0.0625;
/// Slower changes of heading are drift, not turning; radians per second.
const TURNING: f32 = 0.3;
/// Pauses in turning up to this long belong to the turn.
const PAUSE_S: f64 = 0.45;
/// Smaller turns are not worth a word, larger ones are turning around; radians.
const LEAST_TURN: f32 = 0.6;
const AROUND: f32 = 2.35;
/// How near one passes a landmark, metres from its footprint.
const PASSED: f32 = 1.3;

/// A change of heading.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// To the left.
    Left,
    /// To the right.
    Right,
    /// Back to where one came from.
    Around,
}

/// One turn.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Turn {
    /// Its middle, seconds since midnight.
    pub at_s: f64,
    /// Which way.
    pub direction: Direction,
    /// By how much; positive is left.
    pub radians: f32,
    /// The room.
    pub room: RoomId,
}

/// A piece of furniture passed.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Landmark {
    /// When one was nearest, seconds since midnight.
    pub at_s: f64,
    /// Which.
    pub id: ThingId,
    /// On which side.
    pub side: Side,
    /// Metres from the body to its footprint.
    pub distance: f32,
}

/// A way through the home.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Route {
    /// Day, from 1.
    pub day: u32,
    /// Start and end, seconds since midnight.
    pub start_s: f64,
    /// The end.
    pub end_s: f64,
    /// Metres walked.
    pub metres: f32,
    /// Rooms in the order they were entered, the first included.
    pub rooms: Vec<RoomId>,
    /// Turns in order.
    pub turns: Vec<Turn>,
    /// Landmarks in order.
    pub landmarks: Vec<Landmark>,
}

/// The body at one look.
struct Look {
    t: f64,
    at: [f32; 2],
    yaw: f32,
    room: RoomId,
    walking: bool,
}

impl Route {
    /// The way back: everything in the opposite order, left and right exchanged. Times stay those of the way there.
    pub fn reversed(&self) -> Route {
        let mut back = self.clone();
        back.rooms.reverse();
        back.turns.reverse();
        back.landmarks.reverse();
        for turn in &mut back.turns {
            turn.radians = -turn.radians;
            turn.direction = direction(turn.radians);
        }
        for landmark in &mut back.landmarks {
            landmark.side = if landmark.side == Side::Left { Side::Right } else { Side::Left };
        }
        back
    }
}

fn direction(radians: f32) -> Direction {
    if radians.abs() > AROUND {
        Direction::Around
    } else if radians > 0.0 {
        Direction::Left
    } else {
        Direction::Right
    }
}

impl World {
    /// The way the wearer took between two times of a day.
    pub fn route(&self, day: u32, start_s: f64, end_s: f64) -> Result<Route> {
        let lived = (1..=self.days).contains(&day) && start_s >= 0.0 && end_s >= start_s && end_s <= DAY_S;
        if !lived {
            return Err(Error::Time { day, start_s, end_s, days: self.days });
        }
        let looks: Vec<Look> = (0..=((end_s - start_s) / STEP_S) as usize)
            .map(|i| {
                let t = start_s + i as f64 * STEP_S;
                let footing = self.tracks.wearer.footing(absolute(day, t));
                let (at, yaw, room) = (footing.at, footing.yaw, self.home.room_at(footing.at));
                Look { t, at, yaw, room, walking: footing.pace > 0.3 }
            })
            .collect();
        let mut rooms: Vec<RoomId> = looks.iter().map(|look| look.room).collect();
        rooms.dedup();
        let metres = looks.windows(2).map(|pair| distance(pair[0].at, pair[1].at)).sum();
        let (turns, landmarks) = (turns(&looks), self.landmarks(&looks));
        Ok(Route { day, start_s, end_s, metres, rooms, turns, landmarks })
    }

    fn landmarks(&self, looks: &[Look]) -> Vec<Landmark> {
        use FixtureKind as F;
        let mut found: Vec<Landmark> = self
            .home
            .fixtures
            .iter()
            .filter(|f| !matches!(f.kind, F::Rug | F::Picture | F::Window | F::Doorway))
            .filter_map(|fixture| {
                let footprint = fixture.footprint();
                let away = |p: [f32; 2]| {
                    let out = |i: usize| (footprint.low[i] - p[i]).max(p[i] - footprint.high[i]).max(0.0);
                    (out(0) * out(0) + out(1) * out(1)).sqrt()
                };
                let near = looks
                    .iter()
                    .filter(|look| look.walking && look.room == fixture.room)
                    .min_by(|a, b| away(a.at).total_cmp(&away(b.at)))?;
                let bearing = wrap(atan2(fixture.at.y - near.at[1], fixture.at.x - near.at[0]) - near.yaw);
                let beside = (0.45..PI - 0.45).contains(&bearing.abs());
                let side = if bearing > 0.0 { Side::Left } else { Side::Right };
                (beside && away(near.at) < PASSED).then(|| Landmark {
                    at_s: near.t,
                    id: fixture.id,
                    side,
                    distance: away(near.at),
                })
            })
            .collect();
        found.sort_by(|a, b| a.at_s.total_cmp(&b.at_s).then(a.id.cmp(&b.id)));
        found
    }
}

/// Stretches of turning to one side, joined over short pauses.
fn turns(looks: &[Look]) -> Vec<Turn> {
    let mut turns: Vec<(f64, f64, Turn)> = Vec::new();
    for pair in looks.windows(2) {
        let by = wrap(pair[1].yaw - pair[0].yaw);
        if by.abs() < TURNING * STEP_S as f32 {
            continue;
        }
        match turns.last_mut() {
            Some((_, end, turn)) if pair[0].t - *end < PAUSE_S && turn.radians * by > 0.0 => {
                turn.radians += by;
                *end = pair[1].t;
            }
            _ => {
                let turn = Turn { at_s: 0.0, direction: Direction::Left, radians: by, room: pair[0].room };
                turns.push((pair[0].t, pair[1].t, turn));
            }
        }
    }
    turns
        .into_iter()
        .filter(|(_, _, turn)| turn.radians.abs() >= LEAST_TURN)
        .map(|(start, end, turn)| Turn {
            at_s: (start + end) / 2.0,
            direction: direction(turn.radians),
            ..turn
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Action;

    #[test]
    fn a_route_goes_through_the_rooms_of_its_events_and_turns_add_up() {
        let world = World::lived(4, 1).unwrap();
        let mut several = 0;
        for event in world.events().iter().filter(|e| e.who == ThingId::WEARER && e.action == Action::Walk) {
            let route = world.route(event.day, event.start_s, event.end_s).unwrap();
            assert_eq!(route.rooms.first(), Some(&event.room), "{event:?}");
            assert_eq!(route.rooms.last(), Some(&event.to_room), "{event:?}");
            several += usize::from(route.rooms.len() > 2);
            for pair in route.rooms.windows(2) {
                let joined =
                    world.home.doors.iter().any(|d| d.rooms.contains(&pair[0]) && d.rooms.contains(&pair[1]));
                assert!(joined, "{event:?}: no door between rooms {pair:?}");
            }
            let yaw = |t| world.tracks.wearer.footing(absolute(event.day, t)).yaw;
            let sum: f32 = route.turns.iter().map(|turn| turn.radians).sum();
            // Turns too small for a word are left out, so the sum is only near.
            let off = wrap(yaw(event.end_s) - yaw(event.start_s) - sum).abs();
            assert!(off < 1.8, "{event:?}: off by {off}");
        }
        assert!(several > 10, "{several}");
    }

    #[test]
    fn the_way_back_of_the_way_back_is_the_way_and_sides_are_exchanged() {
        let world = World::lived(4, 1).unwrap();
        let spell = world.spells[5];
        let route = world.route(1, spell.start_s, spell.end_s).unwrap();
        let back = route.reversed();
        assert!(route.turns.len() > 3 && route.landmarks.len() > 2, "{route:?}");
        assert_eq!(back.reversed(), route);
        let (first, last) = (route.landmarks[0], back.landmarks[back.landmarks.len() - 1]);
        assert!(first.id == last.id && first.side != last.side);
        let opposite = |a: Direction, b: Direction| {
            matches!(
                (a, b),
                (Direction::Left, Direction::Right)
                    | (Direction::Right, Direction::Left)
                    | (Direction::Around, Direction::Around)
            )
        };
        assert!(
            route.turns.iter().zip(back.turns.iter().rev()).all(|(a, b)| opposite(a.direction, b.direction))
        );
        assert!(world.route(2, 0.0, 1.0).is_err() && world.route(1, 5.0, 1.0).is_err());
    }
}
