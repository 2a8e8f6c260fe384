//! Where the camera is and how points fall onto its picture. A pinhole with square pixels, the principal point in
//! the middle; camera space is x right, y up, z along the view.

use serde::{Deserialize, Serialize};

use crate::math::{Vec3, sin_cos, v};

/// Nothing nearer than this is drawn, metres.
pub(super) const NEAR: f32 = 0.05;

/// Pose and lens of a frame's camera.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Camera {
    /// The eye, metres.
    pub at: Vec3,
    /// Heading, radians; 0 looks along +x, growing to the left.
    pub yaw: f32,
    /// Radians above the horizon.
    pub pitch: f32,
    /// Radians, head leaning to the right is positive.
    pub roll: f32,
    /// Horizontal field of view, radians.
    pub field_of_view: f32,
}

/// A camera made ready for projection at one size.
#[derive(Clone, Copy, Debug)]
pub(crate) struct View {
    pub at: Vec3,
    pub right: Vec3,
    pub up: Vec3,
    pub forward: Vec3,
    tangent: f32,
    /// Pixels per unit of x/z.
    pub focal: f32,
    pub half: [f32; 2],
}

impl Camera {
    /// Picture coordinates and depth of a point in the world on a picture of a size; `None` behind the camera.
    pub fn project(&self, p: Vec3, width: usize, height: usize) -> Option<([f32; 2], f32)> {
        let view = self.view().sized(width, height);
        let c = view.to_camera(p);
        (c.z > NEAR).then(|| {
            let at = [view.half[0] + view.focal * c.x / c.z, view.half[1] - view.focal * c.y / c.z];
            (at, c.z)
        })
    }

    pub(crate) fn view(&self) -> View {
        let ((sy, cy), (sp, cp), (sr, cr)) = (sin_cos(self.yaw), sin_cos(self.pitch), sin_cos(self.roll));
        let forward = v(cp * cy, cp * sy, sp);
        let level = v(sy, -cy, 0.0);
        let above = level.cross(forward);
        let (s, c) = sin_cos(self.field_of_view / 2.0);
        View {
            at: self.at,
            right: level * cr - above * sr,
            up: above * cr + level * sr,
            forward,
            tangent: s / c,
            focal: 1.0,
            half: [1.0, 1.0],
        }
    }
}

impl View {
    pub(super) fn sized(&self, width: usize, height: usize) -> View {
        let half = [width as f32 / 2.0, height as f32 / 2.0];
        View { focal: half[0] / self.tangent, half, ..*self }
    }

    pub(super) fn to_camera(self, p: Vec3) -> Vec3 {
        let d = p - self.at;
        v(d.dot(self.right), d.dot(self.up), d.dot(self.forward))
    }

    /// Whether a sphere given in camera space can touch the picture.
    pub(super) fn may_see(&self, centre: Vec3, radius: f32) -> bool {
        let side = |across: f32, half: f32| {
            let slope = half / self.focal;
            across.abs() - centre.z * slope <= radius * (1.0 + slope * slope).sqrt()
        };
        centre.z + radius > NEAR && side(centre.x, self.half[0]) && side(centre.y, self.half[1])
    }

    /// The same for a sphere in the world and a picture of 4:3 or narrower.
    pub(crate) fn may_see_world(&self, centre: Vec3, radius: f32) -> bool {
        self.sized(4, 4).may_see(self.to_camera(centre), radius)
    }
}
