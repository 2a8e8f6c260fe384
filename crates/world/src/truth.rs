//! What is true of a frame, measured on the frame itself: boxes and pixel counts come from its id plane, so they are
//! what a viewer can see, no more. Written as JSON lines beside a video.

use std::io::Write;

use serde::{Deserialize, Serialize};

use crate::error::Result;
use crate::home::RoomId;
use crate::math::{PI, Vec3, atan2, wrap};
use crate::render::{Camera, Frame};
use crate::things::{Side, ThingId};
use crate::timeline::Place;

/// A thing in a frame.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Seen {
    /// Which.
    pub id: ThingId,
    /// Visible pixels.
    pub pixels: u32,
    /// `[x1, y1, x2, y2]` around the visible pixels, the last two exclusive.
    #[serde(rename = "box")]
    pub bounds: [u32; 4],
    /// Mean depth of the visible pixels, metres.
    pub depth: f32,
    /// Depth of the nearest visible pixel, metres.
    pub nearest: f32,
    /// The middle of its base in the world.
    pub at: Vec3,
    /// Heading of its front; see [`Kind::has_front`](crate::Kind::has_front).
    pub yaw: f32,
    /// Where an object is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub place: Option<Place>,
    /// On or open, for things that have two states.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on: Option<bool>,
    /// The letter to be read on it, if there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sign: Option<char>,
}

/// One of the wearer's hands in a frame.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct HandTruth {
    /// Which.
    pub side: Side,
    /// Visible pixels of the hand.
    pub pixels: u32,
    /// Around them; `None` when out of the picture.
    #[serde(rename = "box")]
    pub bounds: Option<[u32; 4]>,
    /// Visible pixels of the arm behind it.
    pub arm_pixels: u32,
    /// Around them.
    #[serde(rename = "arm_box")]
    pub arm_bounds: Option<[u32; 4]>,
    /// What it touches or holds.
    pub contact: Option<ThingId>,
}

/// Everything about one frame.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FrameTruth {
    /// Index in its clip.
    pub index: usize,
    /// Day, from 1.
    pub day: u32,
    /// Seconds since midnight.
    pub time_s: f64,
    /// The camera.
    pub camera: Camera,
    /// Where the wearer's feet are.
    pub feet: [f32; 2],
    /// The wearer's room.
    pub room: RoomId,
    /// Every visible thing but the building, the hands and the arms, by id.
    pub things: Vec<Seen>,
    /// Left, then right.
    pub hands: [HandTruth; 2],
}

impl FrameTruth {
    /// Degrees from the way that leads from a thing to the eye to the way its front points, in `(-180, 180]`: 0 is
    /// towards the eye, 90 to the right of the picture.
    pub fn facing(&self, seen: &Seen) -> f32 {
        let [dx, dy] = [self.camera.at.x - seen.at.x, self.camera.at.y - seen.at.y];
        wrap(seen.yaw - atan2(dy, dx)) * 180.0 / PI
    }
}

/// Counts of one id.
#[derive(Clone, Copy)]
pub(crate) struct Tally {
    pub pixels: u32,
    pub bounds: [u32; 4],
    depth: f64,
    nearest: f32,
}

impl Tally {
    pub(crate) fn depth(&self) -> f32 {
        (self.depth / f64::from(self.pixels.max(1))) as f32
    }

    pub(crate) fn nearest(&self) -> f32 {
        self.nearest
    }
}

/// Counts every id of a frame; the index is the id.
pub(crate) fn tally(frame: &Frame, things: usize) -> Vec<Tally> {
    let empty = Tally { pixels: 0, bounds: [u32::MAX, u32::MAX, 0, 0], depth: 0.0, nearest: f32::INFINITY };
    let mut tallies = vec![empty; things];
    let rows = frame.ids.chunks_exact(frame.width).zip(frame.depth.chunks_exact(frame.width));
    for (y, (ids, depths)) in rows.enumerate() {
        for (x, (id, depth)) in ids.iter().zip(depths).enumerate() {
            let (x, y) = (x as u32, y as u32);
            let tally = &mut tallies[usize::from(*id)];
            let [x1, y1, x2, y2] = tally.bounds;
            tally.bounds = [x1.min(x), y1.min(y), x2.max(x + 1), y2.max(y + 1)];
            tally.pixels += 1;
            tally.depth += f64::from(*depth);
            tally.nearest = tally.nearest.min(*depth);
        }
    }
    tallies
}

/// Writes values as JSON lines: the frames of a clip, the events of a world, its catalogue.
pub fn write_lines<T: Serialize>(out: &mut impl Write, values: impl IntoIterator<Item = T>) -> Result<()> {
    for value in values {
        serde_json::to_writer(&mut *out, &value)?;
        out.write_all(b"\n")?;
    }
    Ok(())
}
