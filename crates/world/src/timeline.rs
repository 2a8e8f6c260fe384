//! What changes, as functions of time: every track holds its changes in order and can be read at any moment, so a
//! frame depends on its time alone. Time is seconds since midnight before day 1.

use serde::{Deserialize, Serialize};

use crate::home::distance;
use crate::math::{Vec3, atan2, ease, v, wrap};
use crate::things::{Side, ThingId};

/// Seconds of a day.
pub(crate) const DAY_S: f64 = 86_400.0;

/// Walking speed and the time to reach it.
const SPEED: f32 = 1.05;
const RAMP_S: f32 = 0.5;

/// A value that changes at known times.
#[derive(Clone, Debug)]
pub(crate) struct Track<T> {
    keys: Vec<(f64, T)>,
}

impl<T> Track<T> {
    pub(crate) fn new(first: T) -> Track<T> {
        Track { keys: vec![(f64::NEG_INFINITY, first)] }
    }

    /// Adds a change, or replaces the one of the same moment; times never go back.
    pub(crate) fn set(&mut self, t: f64, value: T) {
        let last = self.keys.last_mut().expect("a track has a first value");
        assert!(t >= last.0, "a change at {t} after one at {}", last.0);
        if last.0 == t {
            last.1 = value;
        } else {
            self.keys.push((t, value));
        }
    }

    /// The value at a time, when it was set, and the one before it.
    pub(crate) fn around(&self, t: f64) -> (&T, f64, &T) {
        let after = self.keys.partition_point(|(key, _)| *key <= t).max(1);
        let (set, value) = &self.keys[after - 1];
        (value, *set, &self.keys[after.max(2) - 2].1)
    }

    pub(crate) fn at(&self, t: f64) -> &T {
        self.around(t).0
    }
}

/// Where an object is.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Place {
    /// In the resting place of this index in [`crate::Home::slots`].
    Resting(usize),
    /// In the wearer's hand.
    Held(Side),
    /// In the hands of a person.
    With(ThingId),
}

/// A walk along a line of points.
#[derive(Clone, Debug)]
pub(crate) struct Walk {
    points: Vec<[f32; 2]>,
    /// Distance of each point from the start.
    along: Vec<f32>,
}

impl Walk {
    pub(crate) fn new(points: Vec<[f32; 2]>) -> Walk {
        let mut along = vec![0.0];
        for pair in points.windows(2) {
            along.push(along[along.len() - 1] + distance(pair[0], pair[1]));
        }
        Walk { points, along }
    }

    pub(crate) fn length(&self) -> f32 {
        self.along[self.along.len() - 1]
    }

    fn ramp(&self) -> f32 {
        RAMP_S.min(self.length() / SPEED)
    }

    pub(crate) fn duration_s(&self) -> f64 {
        f64::from(self.length() / SPEED + self.ramp())
    }

    /// Metres walked so many seconds after the start.
    pub(crate) fn walked(&self, t: f64) -> f32 {
        let (t, ramp, whole) = (t as f32, self.ramp(), self.duration_s() as f32);
        if t <= 0.0 || ramp == 0.0 {
            0.0
        } else if t >= whole {
            self.length()
        } else if t < ramp {
            SPEED * t * t / (2.0 * ramp)
        } else if t > whole - ramp {
            self.length() - SPEED * (whole - t) * (whole - t) / (2.0 * ramp)
        } else {
            SPEED * (t - ramp / 2.0)
        }
    }

    pub(crate) fn point(&self, metres: f32) -> [f32; 2] {
        let s = metres.clamp(0.0, self.length());
        let next = self.along.partition_point(|a| *a < s).clamp(1, self.points.len() - 1);
        let (from, to) = (self.along[next - 1], self.along[next]);
        let t = if to > from { (s - from) / (to - from) } else { 1.0 };
        [0, 1].map(|i| self.points[next - 1][i] + (self.points[next][i] - self.points[next - 1][i]) * t)
    }

    /// Heading of one who looks a little ahead.
    pub(crate) fn yaw(&self, metres: f32) -> f32 {
        let (a, b) =
            (self.point((metres - 0.2).min(self.length() - 0.5)), self.point(metres.max(0.0) + 0.55));
        atan2(b[1] - a[1], b[0] - a[0])
    }
}

/// What a body's feet do.
#[derive(Clone, Debug)]
pub(crate) enum Motion {
    Still { at: [f32; 2], yaw: f32 },
    Turn { at: [f32; 2], from: f32, by: f32, seconds: f64 },
    Walk(Walk),
}

/// Where a body stands and how it walks.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Footing {
    pub at: [f32; 2],
    pub yaw: f32,
    /// Metres into the present walk; `None` when not walking.
    pub walked: Option<f32>,
    /// 0 standing, 1 at full pace.
    pub pace: f32,
}

impl Track<Motion> {
    pub(crate) fn footing(&self, t: f64) -> Footing {
        let (motion, start, _) = self.around(t);
        let since = t - start;
        match motion {
            Motion::Still { at, yaw } => Footing { at: *at, yaw: *yaw, walked: None, pace: 0.0 },
            Motion::Turn { at, from, by, seconds } => {
                let yaw = wrap(from + by * ease((since / seconds) as f32));
                Footing { at: *at, yaw, walked: None, pace: 0.0 }
            }
            Motion::Walk(walk) => {
                let metres = walk.walked(since);
                let whole = walk.duration_s();
                let edge = since.min(whole - since) as f32 / RAMP_S;
                let walking = since < whole;
                Footing {
                    at: walk.point(metres),
                    yaw: walk.yaw(metres),
                    walked: walking.then_some(metres),
                    pace: if walking { ease(edge) } else { 0.0 },
                }
            }
        }
    }
}

/// What the eyes rest on.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Gaze {
    /// Straight on, so far above the horizon.
    Ahead(f32),
    Point(Vec3),
    /// Slowly from side to side, by so much.
    Wander(f32),
}

/// Where a hand is headed and how long it takes to get there.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Reach {
    pub to: Anchor,
    pub seconds: f32,
    pub grip: bool,
}

/// A position of a hand.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Anchor {
    /// Hanging, out of sight.
    Down,
    /// Before the body, low in the picture.
    Carry,
    /// At the mouth.
    Mouth,
    /// Stretched out towards someone.
    Offer,
    /// The wrist at a point in the world.
    At(Vec3),
}

impl Anchor {
    /// The wrist for a hand, in the body's frame (x ahead, y left, z up from the eyes); world anchors are kept.
    pub(crate) fn local(self, side: Side) -> Option<Vec3> {
        let across = if side == Side::Left { 1.0 } else { -1.0 };
        match self {
            Anchor::Down => Some(v(0.12, across * 0.34, -0.85)),
            Anchor::Carry => Some(v(0.33, across * 0.19, -0.3)),
            Anchor::Mouth => Some(v(0.2, across * 0.13, -0.17)),
            Anchor::Offer => Some(v(0.5, across * 0.08, -0.26)),
            Anchor::At(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_walk_starts_and_ends_at_rest_and_never_jumps() {
        let walk = Walk::new(vec![[0.0, 0.0], [3.0, 0.0], [3.0, 2.0], [2.9, 2.1]]);
        let whole = walk.duration_s();
        let mut before = walk.point(0.0);
        for i in 0..=2000 {
            let t = whole * f64::from(i) / 2000.0;
            let here = walk.point(walk.walked(t));
            assert!(distance(before, here) <= 1.06 * (whole / 2000.0) as f32 * SPEED + 1e-5, "at {t}");
            before = here;
        }
        assert!(distance(before, [2.9, 2.1]) < 1e-4);
    }

    #[test]
    fn a_track_gives_the_last_change_and_the_one_before() {
        let mut track = Track::new('a');
        track.set(1.0, 'b');
        track.set(2.0, 'c');
        let read = |t: f64| (*track.at(t), *track.around(t).2);
        assert_eq!(
            [read(0.0), read(1.0), read(1.5), read(9.0)],
            [('a', 'a'), ('b', 'a'), ('b', 'a'), ('c', 'b')]
        );
    }
}
