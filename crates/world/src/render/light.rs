//! Light in one room: an even part from everywhere and a few lamps or windows. Evaluated per vertex.

use crate::math::Vec3;

/// A bright point.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Lamp {
    pub at: Vec3,
    pub rgb: [f32; 3],
}

/// What falls on the surfaces of a room.
#[derive(Clone, Debug, Default)]
pub(crate) struct Light {
    pub ambient: [f32; 3],
    pub lamps: Vec<Lamp>,
}

impl Light {
    /// Brightness of a surface per channel, 1 for paint as named.
    pub(super) fn at(&self, p: Vec3, normal: Vec3) -> [f32; 3] {
        let sky = 0.86 + 0.14 * normal.z;
        let mut sum = self.ambient.map(|a| a * sky);
        for lamp in &self.lamps {
            let to = lamp.at - p;
            let square = to.dot(to).max(0.04);
            // Half-Lambert: the side away from the lamp keeps its shape.
            let facing = to.dot(normal) / square.sqrt() * 0.5 + 0.5;
            let strength = facing * facing / (1.0 + 0.11 * square);
            for (s, c) in sum.iter_mut().zip(lamp.rgb) {
                *s += c * strength;
            }
        }
        sum
    }
}
