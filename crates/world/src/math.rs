//! Vectors, rigid poses and the few transcendental functions the world needs. They are written out as polynomials
//! because the system's own differ between C libraries, and a seed must give the same frames everywhere.
//! Metres and radians; z is up, yaw 0 looks along +x and grows to the left.

use std::ops::{Add, Mul, Neg, Sub};

use serde::{Deserialize, Serialize};

pub(crate) const PI: f32 = std::f32::consts::PI;
pub(crate) const TAU: f32 = std::f32::consts::TAU;

/// A point or direction in metres; serialised as `[x, y, z]`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(from = "[f32; 3]", into = "[f32; 3]")]
pub struct Vec3 {
    /// East.
    pub x: f32,
    /// North.
    pub y: f32,
    /// Up.
    pub z: f32,
}

/// A point from its coordinates.
pub(crate) const fn v(x: f32, y: f32, z: f32) -> Vec3 {
    Vec3 { x, y, z }
}

impl Vec3 {
    /// Scalar product.
    pub fn dot(self, o: Vec3) -> f32 {
        self.x * o.x + self.y * o.y + self.z * o.z
    }

    pub(crate) fn cross(self, o: Vec3) -> Vec3 {
        v(self.y * o.z - self.z * o.y, self.z * o.x - self.x * o.z, self.x * o.y - self.y * o.x)
    }

    /// Length in metres.
    pub fn length(self) -> f32 {
        self.dot(self).sqrt()
    }

    /// Unit vector of this direction; the zero vector becomes "up".
    pub(crate) fn unit(self) -> Vec3 {
        let length = self.length();
        if length > 1e-9 { self * (1.0 / length) } else { v(0.0, 0.0, 1.0) }
    }

    pub(crate) fn lerp(self, o: Vec3, t: f32) -> Vec3 {
        self + (o - self) * t
    }
}

impl From<[f32; 3]> for Vec3 {
    fn from(a: [f32; 3]) -> Vec3 {
        v(a[0], a[1], a[2])
    }
}

impl From<Vec3> for [f32; 3] {
    fn from(a: Vec3) -> [f32; 3] {
        [a.x, a.y, a.z]
    }
}

impl Add for Vec3 {
    type Output = Vec3;
    fn add(self, o: Vec3) -> Vec3 {
        v(self.x + o.x, self.y + o.y, self.z + o.z)
    }
}

impl Sub for Vec3 {
    type Output = Vec3;
    fn sub(self, o: Vec3) -> Vec3 {
        v(self.x - o.x, self.y - o.y, self.z - o.z)
    }
}

impl Mul<f32> for Vec3 {
    type Output = Vec3;
    fn mul(self, k: f32) -> Vec3 {
        v(self.x * k, self.y * k, self.z * k)
    }
}

impl Neg for Vec3 {
    type Output = Vec3;
    fn neg(self) -> Vec3 {
        v(-self.x, -self.y, -self.z)
    }
}

/// A rigid placement: where the axes of a shape point and where its origin lies.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Pose {
    pub x: Vec3,
    pub y: Vec3,
    pub z: Vec3,
    pub at: Vec3,
}

impl Pose {
    pub(crate) const IDENTITY: Pose =
        Pose { x: v(1.0, 0.0, 0.0), y: v(0.0, 1.0, 0.0), z: v(0.0, 0.0, 1.0), at: v(0.0, 0.0, 0.0) };

    pub(crate) fn shift(x: f32, y: f32, z: f32) -> Pose {
        Pose { at: v(x, y, z), ..Pose::IDENTITY }
    }

    /// Upright, turned by `yaw` about the vertical.
    pub(crate) fn upright(at: Vec3, yaw: f32) -> Pose {
        let (s, c) = sin_cos(yaw);
        Pose { x: v(c, s, 0.0), y: v(-s, c, 0.0), z: v(0.0, 0.0, 1.0), at }
    }

    /// Axes such that z points along `direction`, with x kept as level as possible.
    pub(crate) fn along(at: Vec3, direction: Vec3) -> Pose {
        let z = direction.unit();
        let side = if z.z.abs() > 0.99 { v(1.0, 0.0, 0.0) } else { v(0.0, 0.0, 1.0) };
        let x = side.cross(z).unit();
        Pose { x, y: z.cross(x), z, at }
    }

    /// Rotation about the x axis, then placed at `at`.
    pub(crate) fn tilt(at: Vec3, angle: f32) -> Pose {
        let (s, c) = sin_cos(angle);
        Pose { x: v(1.0, 0.0, 0.0), y: v(0.0, c, s), z: v(0.0, -s, c), at }
    }

    /// Rotation about the y axis, then placed at `at`.
    pub(crate) fn roll(at: Vec3, angle: f32) -> Pose {
        let (s, c) = sin_cos(angle);
        Pose { x: v(c, 0.0, -s), y: v(0.0, 1.0, 0.0), z: v(s, 0.0, c), at }
    }

    pub(crate) fn rotate(&self, p: Vec3) -> Vec3 {
        self.x * p.x + self.y * p.y + self.z * p.z
    }

    pub(crate) fn apply(&self, p: Vec3) -> Vec3 {
        self.rotate(p) + self.at
    }

    /// `self` after `inner`: a pose given within this one.
    pub(crate) fn then(&self, inner: &Pose) -> Pose {
        Pose {
            x: self.rotate(inner.x),
            y: self.rotate(inner.y),
            z: self.rotate(inner.z),
            at: self.apply(inner.at),
        }
    }
}

/// Sine and cosine by quadrant reduction and the Taylor terms up to x^9; error below 1e-6 for |x| < 1e4.
pub(crate) fn sin_cos(x: f32) -> (f32, f32) {
    let x = f64::from(x);
    let quadrant = (x * std::f64::consts::FRAC_2_PI).round();
    let r = x - quadrant * std::f64::consts::FRAC_PI_2;
    let q = r * r;
    let s = r * (1.0 - q / 6.0 * (1.0 - q / 20.0 * (1.0 - q / 42.0 * (1.0 - q / 72.0))));
    let c = 1.0 - q / 2.0 * (1.0 - q / 12.0 * (1.0 - q / 30.0 * (1.0 - q / 56.0 * (1.0 - q / 90.0))));
    let (s, c) = match (quadrant as i64).rem_euclid(4) {
        0 => (s, c),
        1 => (c, -s),
        2 => (-s, -c),
        _ => (-c, s),
    };
    (s as f32, c as f32)
}

/// Angle of `(x, y)` in `(-pi, pi]`; 0 for the zero vector. Abramowitz and Stegun 4.4.49, error below 1e-5.
pub(crate) fn atan2(y: f32, x: f32) -> f32 {
    let (low, high) = if x.abs() < y.abs() { (x.abs(), y.abs()) } else { (y.abs(), x.abs()) };
    if high == 0.0 {
        return 0.0;
    }
    let r = low / high;
    let q = r * r;
    let mut angle =
        r * (0.999_866 + q * (-0.330_299_5 + q * (0.180_141 + q * (-0.085_133 + q * 0.020_835_1))));
    if y.abs() > x.abs() {
        angle = PI / 2.0 - angle;
    }
    if x < 0.0 {
        angle = PI - angle;
    }
    if y < 0.0 { -angle } else { angle }
}

/// The same angle in `(-pi, pi]`.
pub fn wrap(angle: f32) -> f32 {
    let turned = angle - TAU * (angle / TAU).round();
    if turned <= -PI { turned + TAU } else { turned }
}

/// 0 to 1 with level ends.
pub(crate) fn ease(t: f32) -> f32 {
    let t = t.clamp(0.0, 1.0);
    t * t * (3.0 - 2.0 * t)
}

/// A sine wave over clock time, exact in phase even late in a day.
pub(crate) fn wave(t_s: f64, period_s: f64, phase: f32) -> f32 {
    sin_cos((t_s / period_s).fract() as f32 * TAU + phase).0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn angles_agree_with_the_standard_library() {
        for i in -4000..4000 {
            let x = i as f32 * 0.0173;
            let (s, c) = sin_cos(x);
            assert!((s - x.sin()).abs() < 2e-6 && (c - x.cos()).abs() < 2e-6, "{x}");
            let (y, w) = (s * 3.0, c * 3.0);
            assert!((wrap(atan2(y, w) - y.atan2(w))).abs() < 3e-5, "{x}");
        }
    }

    #[test]
    fn a_pose_within_a_pose_maps_as_both() {
        let outer = Pose::upright(v(1.0, 2.0, 3.0), 0.7);
        let inner = Pose::along(v(0.3, 0.1, 0.2), v(0.2, -0.4, 0.5));
        let p = v(0.5, -0.25, 0.75);
        let both = outer.apply(inner.apply(p));
        assert!((outer.then(&inner).apply(p) - both).length() < 1e-5);
        assert!(inner.x.cross(inner.y).dot(inner.z) > 0.999);
    }
}
