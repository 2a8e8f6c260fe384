//! A home as a camera sees it that nobody wears: any one frame, and pairs from before its things. For teaching eyes more
//! than a wearer's way shows; questions and films are never made of these.

use crate::clip::ClipOptions;
use crate::error::Result;
use crate::math::{PI, Vec3, atan2, sin_cos, v};
use crate::render::{Camera, Frame, Renderer};
use crate::rng::Rng;
use crate::timeline::Place;
use crate::truth::FrameTruth;
use crate::world::{World, absolute};

/// Least distance of a free camera from the walls of its room, metres.
const FROM_WALL: f32 = 0.25;

impl World {
    /// The frame of a camera anywhere. The wearer is not in it, and touches nothing.
    pub fn glance(
        &self,
        day: u32,
        time_s: f64,
        camera: Camera,
        options: &ClipOptions,
    ) -> Result<(Frame, FrameTruth)> {
        // The checks of a clip without a frame.
        drop(self.clip(day, time_s, 0.0, options)?);
        let t = absolute(day, time_s);
        let wearer = self.wearer(t, camera.field_of_view);
        let frame = self.staged(t, &wearer, Some(&camera), |stage| {
            Renderer::default().draw(stage, options.width, options.height, options.samples)
        });
        let mut truth = self.truth(&frame, 0, day, time_s, &wearer);
        truth.camera = camera;
        truth.hands.iter_mut().for_each(|hand| hand.contact = None);
        Ok((frame, truth))
    }

    /// Two frames from before a random object, near it or some steps back. Half of the pairs are one frame twice, as a
    /// picture is; in the others the camera moves. `None` when the object is being carried.
    pub fn glances(
        &self,
        day: u32,
        time_s: f64,
        rng: &mut Rng,
        options: &ClipOptions,
    ) -> Result<Option<[(Frame, FrameTruth); 2]>> {
        let object = rng.pick(self.objects()).id;
        let Some(Place::Resting(slot)) = self.place(object, day, time_s) else { return Ok(None) };
        let camera = self.before(slot, rng, options.field_of_view / 180.0 * PI);
        let second = self.glance(day, time_s, camera, options)?;
        if rng.chance(0.5) {
            return Ok(Some([second.clone(), second]));
        }
        let (turned, ahead) = (rng.range(-0.4, 0.4), rng.range(-0.1, 0.4));
        let (s, c) = sin_cos(camera.yaw);
        let earlier = Camera { at: camera.at - v(c, s, 0.0) * ahead, yaw: camera.yaw - turned, ..camera };
        Ok(Some([self.glance(day, time_s, earlier, options)?, second]))
    }

    /// A camera at the height of eyes that looks roughly at a resting place.
    fn before(&self, slot: usize, rng: &mut Rng, field_of_view: f32) -> Camera {
        let slot = &self.home.slots[slot];
        let floor = self.home.rooms[usize::from(slot.room)].floor.grown(-FROM_WALL);
        // From where one stands to reach it, nearer by up to 0.2 m or back by up to 1.6, aside by up to 0.6.
        let away = v(slot.stand[0] - slot.at.x, slot.stand[1] - slot.at.y, 0.0).unit();
        let aside = v(-away.y, away.x, 0.0) * rng.range(-0.6, 0.6);
        let feet = v(slot.stand[0], slot.stand[1], 0.0) + away * rng.range(-0.2, 1.6) + aside;
        let at = v(
            feet.x.clamp(floor.low[0], floor.high[0]),
            feet.y.clamp(floor.low[1], floor.high[1]),
            rng.range(1.2, 1.75),
        );
        let aim: Vec3 = slot.at - at;
        let level = (aim.x * aim.x + aim.y * aim.y).sqrt();
        Camera {
            at,
            yaw: atan2(aim.y, aim.x) + rng.range(-0.4, 0.4),
            pitch: (atan2(aim.z, level) + rng.range(-0.25, 0.35)).clamp(-1.1, 0.4),
            roll: rng.range(-0.04, 0.04),
            field_of_view,
        }
    }
}
