//! Triangles to samples: clipping to the picture, whole-number edge functions with the top-left rule, a buffer of
//! inverse depth. Neighbouring triangles neither overlap nor leave a gap.

use super::Frame;
use super::camera::{NEAR, View};
use super::texture::brightness;
use crate::math::Vec3;
use crate::shape::Texture;

/// Steps per sample of the screen grid on which corners are placed.
const GRID: f32 = 16.0;

/// A triangle corner in camera space with what is interpolated.
#[derive(Clone, Copy, Debug)]
pub(super) struct Corner {
    at: Vec3,
    light: [f32; 3],
    u: f32,
    v: f32,
    /// One bit per side of the picture the corner lies outside of.
    outside: u8,
}

/// What a triangle is covered with.
pub(super) struct Surface {
    pub colour: [f32; 3],
    pub texture: Texture,
    pub glow: bool,
    pub id: u16,
}

/// Signed distance of a camera-space point to side `side` of the viewing pyramid; negative is outside.
fn beyond(view: &View, p: Vec3, side: usize) -> f32 {
    match side {
        0 => p.z - NEAR,
        1 => p.x * view.focal + view.half[0] * p.z,
        2 => -p.x * view.focal + view.half[0] * p.z,
        3 => p.y * view.focal + view.half[1] * p.z,
        _ => -p.y * view.focal + view.half[1] * p.z,
    }
}

impl Corner {
    pub(super) fn new(view: &View, at: Vec3, light: [f32; 3], u: f32, v: f32) -> Corner {
        let outside = (0..5).fold(0, |bits, side| bits | (u8::from(beyond(view, at, side) < 0.0) << side));
        Corner { at, light, u, v, outside }
    }

    fn between(&self, view: &View, other: &Corner, t: f32) -> Corner {
        let mix = |a: f32, b: f32| a + (b - a) * t;
        let light = [0, 1, 2].map(|i| mix(self.light[i], other.light[i]));
        Corner::new(view, self.at.lerp(other.at, t), light, mix(self.u, other.u), mix(self.v, other.v))
    }
}

/// A quantity that is linear on the screen: value at the origin, change per sample right and down.
#[derive(Clone, Copy)]
struct Plane {
    value: f32,
    dx: f32,
    dy: f32,
}

impl Plane {
    fn at(&self, x: f32, y: f32) -> f32 {
        self.value + self.dx * x + self.dy * y
    }
}

/// A triangle on the screen grid, ready to be walked.
struct Setup {
    /// Edge functions: value at sample (0, 0), steps right and down; inside is `>= 0` on all three.
    edges: [(i64, i64, i64); 3],
    low: [usize; 2],
    high: [usize; 2],
    points: [[f32; 2]; 3],
    area: f32,
}

impl Setup {
    /// `None` for triangles that face away, have no area or cover no sample.
    fn new(view: &View, corners: &[&Corner; 3], width: usize, height: usize) -> Option<Setup> {
        let fixed = corners.map(|c| {
            let x = view.half[0] + view.focal * c.at.x / c.at.z;
            let y = view.half[1] - view.focal * c.at.y / c.at.z;
            [(x * GRID).round() as i64, (y * GRID).round() as i64]
        });
        let [a, b, c] = fixed;
        // Counter-clockwise in a picture whose rows grow downwards.
        let area = (c[0] - a[0]) * (b[1] - a[1]) - (b[0] - a[0]) * (c[1] - a[1]);
        if area <= 0 {
            return None;
        }
        let step = GRID as i64;
        let bound = |i: usize, limit: usize| {
            let low = a[i].min(b[i]).min(c[i]) / step;
            let high = a[i].max(b[i]).max(c[i]) / step + 1;
            (low.clamp(0, limit as i64) as usize, high.clamp(0, limit as i64) as usize)
        };
        let ((x0, x1), (y0, y1)) = (bound(0, width), bound(1, height));
        if x0 >= x1 || y0 >= y1 {
            return None;
        }
        let edges = [(b, c), (c, a), (a, b)].map(|(p, q)| {
            let (dx, dy) = (q[0] - p[0], q[1] - p[1]);
            // Samples lie at half steps; the top-left rule gives shared edges to one side.
            let (sx, sy) = (step / 2 - p[0], step / 2 - p[1]);
            let tie = i64::from(!(dy > 0 || (dy == 0 && dx < 0)));
            (dy * sx - dx * sy - tie, dy * step, -dx * step)
        });
        let points = fixed.map(|p| [p[0] as f32 / GRID - 0.5, p[1] as f32 / GRID - 0.5]);
        Some(Setup { edges, low: [x0, y0], high: [x1, y1], points, area: area as f32 / (GRID * GRID) })
    }

    fn plane(&self, values: [f32; 3]) -> Plane {
        let [a, b, c] = self.points;
        let (du, dv) = (values[1] - values[0], values[2] - values[0]);
        let dx = (dv * (b[1] - a[1]) - du * (c[1] - a[1])) / self.area;
        let dy = (du * (c[0] - a[0]) - dv * (b[0] - a[0])) / self.area;
        Plane { value: values[0] - dx * a[0] - dy * a[1], dx, dy }
    }

    /// Calls `row` with every row and its stretch of covered samples.
    fn rows(&self, mut row: impl FnMut(usize, usize, usize)) {
        for y in self.low[1]..self.high[1] {
            let (mut from, mut to) = (self.low[0] as i64, self.high[0] as i64);
            for &(value, dx, dy) in &self.edges {
                let start = value + dy * y as i64;
                if dx > 0 {
                    from = from.max((-start + dx - 1).div_euclid(dx));
                } else if dx < 0 {
                    to = to.min(start.div_euclid(-dx) + 1);
                } else if start < 0 {
                    to = from;
                }
            }
            if from < to {
                row(y, from as usize, to as usize);
            }
        }
    }
}

/// The sample buffers.
#[derive(Default)]
pub(super) struct Target {
    width: usize,
    height: usize,
    colour: Vec<[u8; 3]>,
    inverse_depth: Vec<f32>,
    ids: Vec<u16>,
}

impl Target {
    pub(super) fn clear(&mut self, width: usize, height: usize) {
        (self.width, self.height) = (width, height);
        refill(&mut self.colour, width * height, [0; 3]);
        refill(&mut self.inverse_depth, width * height, 0.0);
        refill(&mut self.ids, width * height, 0);
    }

    pub(super) fn triangle(&mut self, view: &View, corners: [Corner; 3], surface: &Surface) {
        self.clipped(view, corners, |target, setup, corners| target.fill(view, setup, corners, surface));
    }

    /// Darkens what lies directly under a triangle whose (u, v) run over the unit disc.
    pub(super) fn shadow(&mut self, view: &View, corners: [Corner; 3]) {
        self.clipped(view, corners, |target, setup, corners| target.darken(setup, corners));
    }

    /// Cuts a triangle to the picture and hands over the pieces.
    fn clipped(
        &mut self,
        view: &View,
        corners: [Corner; 3],
        mut draw: impl FnMut(&mut Target, &Setup, &[&Corner; 3]),
    ) {
        let [a, b, c] = &corners;
        if a.outside & b.outside & c.outside != 0 {
            return;
        }
        let crossed = a.outside | b.outside | c.outside;
        if crossed == 0 {
            if let Some(setup) = Setup::new(view, &[a, b, c], self.width, self.height) {
                draw(self, &setup, &[a, b, c]);
            }
            return;
        }
        let mut polygon = corners.to_vec();
        for side in (0..5).filter(|side| crossed >> side & 1 == 1) {
            let mut kept = Vec::with_capacity(polygon.len() + 1);
            for (i, here) in polygon.iter().enumerate() {
                let next = &polygon[(i + 1) % polygon.len()];
                let (d0, d1) = (beyond(view, here.at, side), beyond(view, next.at, side));
                if d0 >= 0.0 {
                    kept.push(*here);
                }
                // From the inner corner, so that both triangles of a shared edge find the same point.
                if d0 >= 0.0 && d1 < 0.0 {
                    kept.push(here.between(view, next, d0 / (d0 - d1)));
                } else if d0 < 0.0 && d1 >= 0.0 {
                    kept.push(next.between(view, here, d1 / (d1 - d0)));
                }
            }
            polygon = kept;
            if polygon.len() < 3 {
                return;
            }
        }
        for i in 1..polygon.len() - 1 {
            let piece = [&polygon[0], &polygon[i], &polygon[i + 1]];
            if let Some(setup) = Setup::new(view, &piece, self.width, self.height) {
                draw(self, &setup, &piece);
            }
        }
    }

    fn fill(&mut self, view: &View, setup: &Setup, corners: &[&Corner; 3], surface: &Surface) {
        let inverse = corners.map(|c| 1.0 / c.at.z);
        let depth = setup.plane(inverse);
        let channel = |i: usize| {
            let full = surface.colour[i];
            setup.plane(corners.map(|c| if surface.glow { full } else { full * c.light[i] }))
        };
        let colour = [channel(0), channel(1), channel(2)];
        let coordinate = |f: fn(&Corner) -> f32| setup.plane([0, 1, 2].map(|i| f(corners[i]) * inverse[i]));
        let (u, v) = (coordinate(|c| c.u), coordinate(|c| c.v));
        let plain = surface.texture == Texture::Plain;
        setup.rows(|y, from, to| {
            let start = y * self.width;
            let row = start + from..start + to;
            let samples = self.inverse_depth[row.clone()]
                .iter_mut()
                .zip(&mut self.colour[row.clone()])
                .zip(&mut self.ids[row]);
            let fy = y as f32;
            for (x, ((nearest, rgb), id)) in (from..to).zip(samples) {
                let fx = x as f32;
                let here = depth.at(fx, fy);
                if here <= *nearest {
                    continue;
                }
                *nearest = here;
                *id = surface.id;
                let factor = if plain {
                    1.0
                } else {
                    let z = 1.0 / here;
                    brightness(surface.texture, u.at(fx, fy) * z, v.at(fx, fy) * z, z / view.focal)
                };
                *rgb = colour.map(|plane| (plane.at(fx, fy) * factor) as u8);
            }
        });
    }

    fn darken(&mut self, setup: &Setup, corners: &[&Corner; 3]) {
        let inverse = corners.map(|c| 1.0 / c.at.z);
        let depth = setup.plane(inverse);
        let coordinate = |f: fn(&Corner) -> f32| setup.plane([0, 1, 2].map(|i| f(corners[i]) * inverse[i]));
        let (u, v) = (coordinate(|c| c.u), coordinate(|c| c.v));
        let strength = corners[0].light[0];
        setup.rows(|y, from, to| {
            let fy = y as f32;
            for x in from..to {
                let (fx, sample) = (x as f32, y * self.width + x);
                let (here, there) = (depth.at(fx, fy), self.inverse_depth[sample]);
                // Only the surface right below: neither what stands before it nor the floor far behind.
                if here < there || there < here * 0.97 {
                    continue;
                }
                let z = 1.0 / here;
                let (s, t) = (u.at(fx, fy) * z, v.at(fx, fy) * z);
                let inner = (1.0 - s * s - t * t).max(0.0);
                let factor = 1.0 - strength * inner;
                self.colour[sample] = self.colour[sample].map(|c| (f32::from(c) * factor) as u8);
            }
        });
    }

    /// Averages the samples of each pixel; id and depth are those of its first sample.
    pub(super) fn resolve(&self, width: usize, height: usize, samples: usize) -> Frame {
        let mut rgb = Vec::with_capacity(width * height * 3);
        let mut depth = Vec::with_capacity(width * height);
        let mut ids = Vec::with_capacity(width * height);
        let count = (samples * samples) as u32;
        for y in 0..height {
            for x in 0..width {
                let first = y * samples * self.width + x * samples;
                let mut sum = [0u32; 3];
                for j in 0..samples {
                    for colour in &self.colour[first + j * self.width..][..samples] {
                        for (s, c) in sum.iter_mut().zip(colour) {
                            *s += u32::from(*c);
                        }
                    }
                }
                rgb.extend(sum.map(|s| ((s + count / 2) / count) as u8));
                let inverse = self.inverse_depth[first];
                depth.push(if inverse > 0.0 { 1.0 / inverse } else { 0.0 });
                ids.push(self.ids[first]);
            }
        }
        Frame { width, height, rgb, depth, ids }
    }
}

fn refill<T: Clone>(buffer: &mut Vec<T>, length: usize, value: T) {
    buffer.clear();
    buffer.resize(length, value);
}
