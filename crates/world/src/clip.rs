//! A stretch of the wearer's time as frames and truths, drawn one by one as they are asked for.

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::home::Fixture;
use crate::math::{PI, atan2};
use crate::render::{Frame, Renderer};
use crate::scene::Wearer;
use crate::things::{Kind, Side};
use crate::timeline::DAY_S;
use crate::truth::{FrameTruth, HandTruth, Seen, tally};
use crate::world::{World, absolute};

/// How a clip is drawn.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ClipOptions {
    /// Pixels per row, 16 to 2048.
    pub width: usize,
    /// Rows, 16 to 2048.
    pub height: usize,
    /// Frames per second, above 0 to 240.
    pub rate: f64,
    /// Samples per pixel and direction, 1 to 4; more make smoother edges and take their square in time.
    pub samples: usize,
    /// Horizontal field of view, degrees, 20 to 120.
    pub field_of_view: f32,
}

impl Default for ClipOptions {
    fn default() -> Self {
        ClipOptions { width: 224, height: 168, rate: 20.0, samples: 2, field_of_view: 82.0 }
    }
}

impl ClipOptions {
    /// Refuses what no frame can be drawn with.
    pub fn validate(&self) -> Result<()> {
        let check = |fine: bool, name, value: String, remedy| {
            if fine { Ok(()) } else { Err(Error::Option { name, value, remedy }) }
        };
        let side = 16..=2048;
        check(side.contains(&self.width), "width", self.width.to_string(), "16 to 2048 pixels")?;
        check(side.contains(&self.height), "height", self.height.to_string(), "16 to 2048 pixels")?;
        check(
            self.rate > 0.0 && self.rate <= 240.0,
            "rate",
            self.rate.to_string(),
            "up to 240 frames per second",
        )?;
        check((1..=4).contains(&self.samples), "samples", self.samples.to_string(), "1 to 4")?;
        let lens = (20.0..=120.0).contains(&self.field_of_view);
        check(lens, "field_of_view", self.field_of_view.to_string(), "20 to 120 degrees")
    }
}

/// An iterator over the frames of a stretch of time.
pub struct Clip<'a> {
    world: &'a World,
    options: ClipOptions,
    day: u32,
    start_s: f64,
    next: usize,
    frames: usize,
    renderer: Renderer,
}

impl World {
    /// The frames of `seconds` from `start_s` on a day. Frame `i` shows the moment `start_s + i / rate`.
    pub fn clip(&self, day: u32, start_s: f64, seconds: f64, options: &ClipOptions) -> Result<Clip<'_>> {
        options.validate()?;
        let end_s = start_s + seconds;
        let lived = (1..=self.days).contains(&day) && start_s >= 0.0 && seconds >= 0.0 && end_s <= DAY_S;
        if !lived {
            return Err(Error::Time { day, start_s, end_s, days: self.days });
        }
        // A frame whose moment is the end belongs to the next clip.
        let frames = (seconds * options.rate - 1e-6).ceil().max(0.0) as usize;
        let renderer = Renderer::default();
        Ok(Clip { world: self, options: *options, day, start_s, next: 0, frames, renderer })
    }

    pub(crate) fn truth(
        &self,
        frame: &Frame,
        index: usize,
        day: u32,
        time_s: f64,
        wearer: &Wearer,
    ) -> FrameTruth {
        let t = absolute(day, time_s);
        let tallies = tally(frame, self.things.len());
        let mut things = Vec::new();
        for (thing, tally) in self.things.iter().zip(&tallies) {
            if tally.pixels == 0 || matches!(thing.kind, Kind::Building | Kind::Hand(_) | Kind::Arm(_)) {
                continue;
            }
            let (at, yaw) = match thing.kind {
                // The front of an object is -y of its pose.
                Kind::Object(_) => {
                    let pose = self.object_pose(wearer, thing.id, t);
                    (pose.at, atan2(-pose.y.y, -pose.y.x))
                }
                _ => (
                    self.position(thing.id, day, time_s).unwrap_or_default(),
                    self.front(thing.id, day, time_s).unwrap_or_default(),
                ),
            };
            things.push(Seen {
                id: thing.id,
                pixels: tally.pixels,
                bounds: tally.bounds,
                depth: tally.depth(),
                nearest: tally.nearest(),
                at,
                yaw,
                place: self.place(thing.id, day, time_s),
                on: thing.kind.states().map(|_| self.is_on(thing.id, day, time_s)),
                sign: self.home.fixture(thing.id).and_then(Fixture::sign),
            });
        }
        let hands = [Side::Left, Side::Right].map(|side| {
            let [hand, arm] = [side.hand(), side.arm()].map(|id| &tallies[usize::from(id.0)]);
            HandTruth {
                side,
                pixels: hand.pixels,
                bounds: (hand.pixels > 0).then_some(hand.bounds),
                arm_pixels: arm.pixels,
                arm_bounds: (arm.pixels > 0).then_some(arm.bounds),
                contact: *self.tracks.contact[crate::life::index(side)].at(t),
            }
        });
        let feet = self.tracks.wearer.footing(t).at;
        let room = self.home.room_at(feet);
        FrameTruth { index, day, time_s, camera: wearer.camera, feet, room, things, hands }
    }
}

impl Clip<'_> {
    /// Only the frames of these indices, which they keep: several threads can draw parts of one clip.
    pub fn between(mut self, indices: std::ops::Range<usize>) -> Self {
        self.frames = self.frames.min(indices.end);
        self.next = indices.start.min(self.frames);
        self
    }
}

impl Iterator for Clip<'_> {
    type Item = (Frame, FrameTruth);

    fn next(&mut self) -> Option<(Frame, FrameTruth)> {
        if self.next == self.frames {
            return None;
        }
        let index = self.next;
        self.next += 1;
        let options = self.options;
        // Whole microseconds survive being written as decimals.
        let time_s = ((self.start_s + index as f64 / options.rate) * 1e6).round() / 1e6;
        let field_of_view = options.field_of_view / 180.0 * PI;
        let renderer = &mut self.renderer;
        let t = absolute(self.day, time_s);
        let wearer = self.world.wearer(t, field_of_view);
        let frame = self.world.staged(t, &wearer, None, |stage| {
            renderer.draw(stage, options.width, options.height, options.samples)
        });
        let truth = self.world.truth(&frame, index, self.day, time_s, &wearer);
        Some((frame, truth))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.frames - self.next, Some(self.frames - self.next))
    }
}

impl ExactSizeIterator for Clip<'_> {}
