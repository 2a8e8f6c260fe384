//! A small software renderer: shapes in, colour, depth and thing ids out. One thread, no state between frames, whole
//! numbers wherever a pixel's owner is decided, so that equal scenes give equal bytes.
//!
//! It knows nothing of homes or time; `scene` decides what is drawn.

mod camera;
mod light;
mod raster;
mod texture;

#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};

use crate::math::{Pose, Vec3, v};
use crate::shape::{Base, Mesh};
use crate::things::ThingId;

pub use camera::Camera;
pub(crate) use camera::View;
pub(crate) use light::{Lamp, Light};
use raster::{Corner, Surface, Target};

/// One drawn picture with what the camera cannot tell: depth and the owner of every pixel.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Frame {
    /// Pixels per row.
    pub width: usize,
    /// Rows.
    pub height: usize,
    /// `[height, width, 3]`.
    pub rgb: Vec<u8>,
    /// `[height, width]`, metres along the viewing direction; 0 where nothing is.
    pub depth: Vec<f32>,
    /// `[height, width]`, the [`ThingId`] seen at each pixel.
    pub ids: Vec<u16>,
}

/// A shape in the scene.
pub(crate) struct Instance<'a> {
    pub mesh: &'a Mesh,
    pub pose: Pose,
    pub own: [u8; 3],
    pub second: [u8; 3],
    pub id: ThingId,
    /// Which of the scene's lights falls on it.
    pub light: usize,
}

/// A soft dark spot on a level surface, under a thing that rests there.
pub(crate) struct Blob {
    pub at: Vec3,
    pub radius: [f32; 2],
    /// The x axis of the ellipse.
    pub axis: [f32; 2],
    /// How much light it takes away in the middle.
    pub strength: f32,
}

/// Everything that is drawn.
pub(crate) struct Stage<'a> {
    pub view: View,
    pub lights: Vec<Light>,
    pub instances: Vec<Instance<'a>>,
    pub blobs: Vec<Blob>,
}

/// Draws with buffers that are reused from frame to frame.
#[derive(Default)]
pub(crate) struct Renderer {
    target: Target,
    corners: Vec<Corner>,
}

impl Renderer {
    /// Draws a stage at `width` x `height` with `samples` x `samples` samples per pixel.
    pub(crate) fn draw(&mut self, stage: &Stage<'_>, width: usize, height: usize, samples: usize) -> Frame {
        let view = stage.view.sized(width * samples, height * samples);
        self.target.clear(width * samples, height * samples);
        let mut order: Vec<(f32, usize)> = stage
            .instances
            .iter()
            .enumerate()
            .filter_map(|(i, instance)| {
                let (centre, radius) =
                    (view.to_camera(instance.pose.apply(instance.mesh.centre)), instance.mesh.radius);
                // Near things first, walls last: what is hidden is then never shaded.
                let behind = if instance.id == ThingId::BUILDING { 1e3 } else { -radius };
                view.may_see(centre, radius).then_some((centre.z + behind, i))
            })
            .collect();
        order.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
        for (_, i) in order {
            let instance = &stage.instances[i];
            self.instance(&view, instance, &stage.lights[instance.light]);
        }
        for blob in &stage.blobs {
            self.blob(&view, blob);
        }
        self.target.resolve(width, height, samples)
    }

    fn instance(&mut self, view: &View, instance: &Instance<'_>, light: &Light) {
        self.corners.clear();
        self.corners.extend(instance.mesh.vertices.iter().map(|vertex| {
            let at = instance.pose.apply(vertex.at);
            let shade = light.at(at, instance.pose.rotate(vertex.normal));
            Corner::new(view, view.to_camera(at), shade, vertex.u, vertex.v)
        }));
        for (corners, paint) in &instance.mesh.triangles {
            let paint = instance.mesh.paints[usize::from(*paint)];
            let colour = match paint.base {
                Base::Own(factor) => instance.own.map(|c| f32::from(c) * factor),
                Base::Second => instance.second.map(f32::from),
                Base::Rgb(colour) => colour.map(f32::from),
            };
            let surface = Surface { colour, texture: paint.texture, glow: paint.glow, id: instance.id.0 };
            self.target.triangle(view, corners.map(|i| self.corners[i as usize]), &surface);
        }
    }

    fn blob(&mut self, view: &View, blob: &Blob) {
        let x = v(blob.axis[0] * blob.radius[0], blob.axis[1] * blob.radius[0], 0.0);
        let y = v(-blob.axis[1] * blob.radius[1], blob.axis[0] * blob.radius[1], 0.0);
        let at = blob.at + v(0.0, 0.0, 0.004);
        let corners = [(-1.0, -1.0), (1.0, -1.0), (1.0, 1.0), (-1.0, 1.0)].map(|(s, t): (f32, f32)| {
            Corner::new(view, view.to_camera(at + x * s + y * t), [blob.strength; 3], s, t)
        });
        self.target.shadow(view, [corners[0], corners[1], corners[2]]);
        self.target.shadow(view, [corners[0], corners[2], corners[3]]);
    }
}
