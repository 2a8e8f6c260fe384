//! Triangle meshes from a few primitives. Shapes are modelled upright with the origin at the middle of the base,
//! in metres. A paint names either the thing's own colour or a fixed one, so one mesh serves every colour.

mod body;
mod fixtures;
mod household;
mod letters;
mod tableware;

#[cfg(test)]
mod tests;

use crate::math::{PI, Pose, TAU, Vec3, ease, sin_cos, v};

pub(crate) use body::{FOREARM_LENGTH, forearm, hand, person};
pub(crate) use fixtures::{fixture, picture};
pub(crate) use household::household;
pub use letters::SIGNS;
pub(crate) use tableware::tableware;

/// Where a surface's colour comes from.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Base {
    /// The colour of the thing, times a factor.
    Own(f32),
    /// The thing's second colour: hair of a person, sleeve of a hand.
    Second,
    Rgb([u8; 3]),
}

/// Patterns computed per pixel from surface coordinates in metres.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Texture {
    Plain,
    Planks,
    Tiles,
    Carpet,
    /// Painted wall: a skirting board at the foot.
    Wall,
    /// The same with vertical stripes.
    Wallpaper,
    /// Long grain along u.
    Grain,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Paint {
    pub base: Base,
    pub texture: Texture,
    /// Shines by itself: unaffected by light.
    pub glow: bool,
}

/// The thing's own colour.
pub(crate) const OWN: Paint = Paint { base: Base::Own(1.0), texture: Texture::Plain, glow: false };
/// The thing's own colour, darker.
pub(crate) const OWN_DARK: Paint = Paint { base: Base::Own(0.6), texture: Texture::Plain, glow: false };
/// The thing's second colour.
pub(crate) const SECOND: Paint = Paint { base: Base::Second, texture: Texture::Plain, glow: false };

/// A fixed colour.
pub(crate) const fn rgb(r: u8, g: u8, b: u8) -> Paint {
    Paint { base: Base::Rgb([r, g, b]), texture: Texture::Plain, glow: false }
}

/// A fixed colour that shines.
pub(crate) const fn glow(r: u8, g: u8, b: u8) -> Paint {
    Paint { base: Base::Rgb([r, g, b]), texture: Texture::Plain, glow: true }
}

impl Paint {
    pub(crate) const fn with(self, texture: Texture) -> Paint {
        Paint { texture, ..self }
    }
}

pub(crate) const DARK: Paint = rgb(38, 38, 42);
pub(crate) const METAL: Paint = rgb(176, 180, 186);
pub(crate) const WOOD: Paint = rgb(150, 108, 66).with(Texture::Grain);
pub(crate) const CREAM: Paint = rgb(236, 230, 214);

#[derive(Clone, Copy, Debug)]
pub(crate) struct Vertex {
    pub at: Vec3,
    pub normal: Vec3,
    /// Surface coordinates in metres.
    pub u: f32,
    pub v: f32,
}

/// Triangles over vertices, counter-clockwise seen from outside, each with the index of its paint.
#[derive(Clone, Debug, Default)]
pub(crate) struct Mesh {
    pub vertices: Vec<Vertex>,
    pub triangles: Vec<([u32; 3], u8)>,
    pub paints: Vec<Paint>,
    /// Centre and radius of a sphere around everything.
    pub centre: Vec3,
    pub radius: f32,
    /// Corners of the axis-parallel box around everything.
    pub low: Vec3,
    pub high: Vec3,
}

/// Collects primitives under a current pose and paint.
pub(crate) struct Builder {
    mesh: Mesh,
    pose: Pose,
    paint: u8,
    /// Facets per turn of the round primitives.
    pub facets: usize,
}

impl Builder {
    pub(crate) fn new() -> Builder {
        Builder { mesh: Mesh::default(), pose: Pose::IDENTITY, paint: 0, facets: 12 }
    }

    pub(crate) fn paint(&mut self, paint: Paint) -> &mut Builder {
        let found = self.mesh.paints.iter().position(|p| *p == paint);
        let index = found.unwrap_or_else(|| {
            self.mesh.paints.push(paint);
            self.mesh.paints.len() - 1
        });
        self.paint = u8::try_from(index).expect("a shape has few paints");
        self
    }

    /// Builds `inner` in a pose within the current one.
    pub(crate) fn within(&mut self, pose: Pose, inner: impl FnOnce(&mut Builder)) {
        let outer = self.pose;
        self.pose = outer.then(&pose);
        inner(self);
        self.pose = outer;
    }

    pub(crate) fn vertex(&mut self, at: Vec3, normal: Vec3, u: f32, v: f32) -> u32 {
        let vertex = Vertex { at: self.pose.apply(at), normal: self.pose.rotate(normal.unit()), u, v };
        self.mesh.vertices.push(vertex);
        self.mesh.vertices.len() as u32 - 1
    }

    /// A triangle turned to face the way its vertices' normals point.
    pub(crate) fn triangle(&mut self, a: u32, b: u32, c: u32) {
        let [p, q, r] = [a, b, c].map(|i| self.mesh.vertices[i as usize]);
        let face = (q.at - p.at).cross(r.at - p.at);
        if face.length() < 1e-10 {
            return;
        }
        let outward = face.dot(p.normal + q.normal + r.normal) >= 0.0;
        self.mesh.triangles.push((if outward { [a, b, c] } else { [a, c, b] }, self.paint));
    }

    /// A parallelogram from a corner and two sides, split into `cells`; its outside is `side_u` x `side_v`.
    pub(crate) fn panel(&mut self, corner: Vec3, side_u: Vec3, side_v: Vec3, cells: [usize; 2]) {
        let normal = side_u.cross(side_v);
        let (length_u, length_v) = (side_u.length(), side_v.length());
        let first = self.mesh.vertices.len() as u32;
        for j in 0..=cells[1] {
            for i in 0..=cells[0] {
                let (s, t) = (i as f32 / cells[0] as f32, j as f32 / cells[1] as f32);
                self.vertex(corner + side_u * s + side_v * t, normal, s * length_u, t * length_v);
            }
        }
        let row = cells[0] as u32 + 1;
        for j in 0..cells[1] as u32 {
            for i in 0..cells[0] as u32 {
                let a = first + j * row + i;
                self.triangle(a, a + 1, a + row + 1);
                self.triangle(a, a + row + 1, a + row);
            }
        }
    }

    /// A box from its centre and full size.
    pub(crate) fn cuboid(&mut self, centre: Vec3, size: Vec3) {
        let h = size * 0.5;
        let (x, y, z) = (v(size.x, 0.0, 0.0), v(0.0, size.y, 0.0), v(0.0, 0.0, size.z));
        let one = [1, 1];
        self.panel(centre + v(-h.x, -h.y, h.z), x, y, one);
        self.panel(centre + v(-h.x, h.y, -h.z), x, -y, one);
        self.panel(centre + v(-h.x, -h.y, -h.z), x, z, one);
        self.panel(centre + v(h.x, h.y, -h.z), -x, z, one);
        self.panel(centre + v(h.x, -h.y, -h.z), y, z, one);
        self.panel(centre + v(-h.x, h.y, -h.z), -y, z, one);
    }

    /// A box standing on `z`, centred at `(x, y)`.
    pub(crate) fn block(&mut self, x: f32, y: f32, z: f32, size: [f32; 3]) {
        self.cuboid(v(x, y, z + size[2] / 2.0), v(size[0], size[1], size[2]));
    }

    /// A profile of (radius, height) pairs turned about the vertical through `at`. Going up, the outside is away
    /// from the axis; going down, towards it, so a profile that returns inside makes a hollow vessel.
    pub(crate) fn lathe(&mut self, at: Vec3, profile: &[(f32, f32)]) {
        for pair in profile.windows(2) {
            let ((r0, z0), (r1, z1)) = (pair[0], pair[1]);
            let first = self.mesh.vertices.len() as u32;
            for i in 0..=self.facets {
                let (s, c) = sin_cos(i as f32 * TAU / self.facets as f32);
                let normal = v((z1 - z0) * c, (z1 - z0) * s, r0 - r1);
                let u = i as f32 * 0.1;
                self.vertex(at + v(r0 * c, r0 * s, z0), normal, u, z0);
                self.vertex(at + v(r1 * c, r1 * s, z1), normal, u, z1);
            }
            for i in 0..self.facets as u32 {
                let a = first + 2 * i;
                self.triangle(a, a + 2, a + 3);
                self.triangle(a, a + 3, a + 1);
            }
        }
    }

    /// A closed cylinder standing on `at`.
    pub(crate) fn cylinder(&mut self, at: Vec3, radius: f32, height: f32) {
        self.lathe(at, &[(0.0, 0.0), (radius, 0.0), (radius, height), (0.0, height)]);
    }

    /// A closed cone or truncated cone standing on `at`.
    pub(crate) fn cone(&mut self, at: Vec3, low: f32, high: f32, height: f32) {
        self.lathe(at, &[(0.0, 0.0), (low, 0.0), (high, height), (0.0, height)]);
    }

    /// A closed cylinder from one point to another.
    pub(crate) fn rod(&mut self, from: Vec3, to: Vec3, radius: f32) {
        let along = to - from;
        self.within(Pose::along(from, along), |b| b.cylinder(Vec3::default(), radius, along.length()));
    }

    /// An ellipsoid from its centre and half axes.
    pub(crate) fn ball(&mut self, centre: Vec3, half: Vec3) {
        let rings = (self.facets / 2).max(4);
        let first = self.mesh.vertices.len() as u32;
        for j in 0..=rings {
            let (sj, cj) = sin_cos(PI * j as f32 / rings as f32);
            for i in 0..=self.facets {
                let (si, ci) = sin_cos(TAU * i as f32 / self.facets as f32);
                let d = v(sj * ci, sj * si, -cj);
                let normal = v(d.x / half.x, d.y / half.y, d.z / half.z);
                self.vertex(centre + v(d.x * half.x, d.y * half.y, d.z * half.z), normal, 0.0, 0.0);
            }
        }
        let row = self.facets as u32 + 1;
        for j in 0..rings as u32 {
            for i in 0..self.facets as u32 {
                let a = first + j * row + i;
                self.triangle(a, a + 1, a + row + 1);
                self.triangle(a, a + row + 1, a + row);
            }
        }
    }

    /// Part of a ring about the z axis of `pose`: `radius` to the middle of a tube of radius `tube`, over angles
    /// `from..to`.
    pub(crate) fn ring(&mut self, pose: Pose, radius: f32, tube: f32, from: f32, to: f32) {
        let around = self.facets;
        let section = 6;
        self.within(pose, |b| {
            let first = b.mesh.vertices.len() as u32;
            for i in 0..=around {
                let (s, c) = sin_cos(from + (to - from) * i as f32 / around as f32);
                for j in 0..=section {
                    let (sj, cj) = sin_cos(TAU * j as f32 / section as f32);
                    let normal = v(c * cj, s * cj, sj);
                    b.vertex(v(c * radius, s * radius, 0.0) + normal * tube, normal, 0.0, 0.0);
                }
            }
            let row = section as u32 + 1;
            for i in 0..around as u32 {
                for j in 0..section as u32 {
                    let a = first + i * row + j;
                    b.triangle(a, a + 1, a + row + 1);
                    b.triangle(a, a + row + 1, a + row);
                }
            }
        });
    }

    pub(crate) fn torus(&mut self, centre: Vec3, radius: f32, tube: f32) {
        self.ring(Pose { at: centre, ..Pose::IDENTITY }, radius, tube, 0.0, TAU);
    }

    /// A tube through points, tapering from one radius to another.
    pub(crate) fn tube(&mut self, points: &[Vec3], from: f32, to: f32) {
        let steps = points.len() - 1;
        for (i, pair) in points.windows(2).enumerate() {
            let along = pair[1] - pair[0];
            let radius = |k: usize| from + (to - from) * ease(k as f32 / steps as f32);
            let (low, high) = (radius(i), radius(i + 1));
            self.within(Pose::along(pair[0], along), |b| {
                b.lathe(Vec3::default(), &[(low, 0.0), (high, along.length()), (0.0, along.length())]);
            });
        }
    }

    /// The shape with the middle of its footprint at the origin.
    pub(crate) fn finish_centred(self) -> Mesh {
        let mut mesh = self.finish();
        let off = v(mesh.centre.x, mesh.centre.y, 0.0);
        mesh.vertices.iter_mut().for_each(|vertex| vertex.at = vertex.at - off);
        for corner in [&mut mesh.centre, &mut mesh.low, &mut mesh.high] {
            *corner = *corner - off;
        }
        mesh
    }

    pub(crate) fn finish(self) -> Mesh {
        let mut mesh = self.mesh;
        let (mut low, mut high) = (v(1e9, 1e9, 1e9), v(-1e9, -1e9, -1e9));
        for vertex in &mesh.vertices {
            let p = vertex.at;
            low = v(low.x.min(p.x), low.y.min(p.y), low.z.min(p.z));
            high = v(high.x.max(p.x), high.y.max(p.y), high.z.max(p.z));
        }
        (mesh.low, mesh.high) = (low, high);
        mesh.centre = low.lerp(high, 0.5);
        mesh.radius = mesh.vertices.iter().map(|p| (p.at - mesh.centre).length()).fold(0.0, f32::max);
        mesh
    }
}
