//! Furniture and named parts of the building. Local axes: x along the wall, +y the front, z up; the origin is the
//! middle of the footprint on the floor.

use super::{
    Base, Builder, CREAM, DARK, METAL, Mesh, OWN, OWN_DARK, Paint, Texture, WOOD, glow, letters, rgb,
};
use crate::math::{PI, Pose, Vec3, v};
use crate::things::FixtureKind as F;

const TIMBER: Paint = OWN.with(Texture::Grain);

/// The mesh of a fixture in its state.
pub(crate) fn fixture(kind: F, on: bool) -> Mesh {
    let mut b = Builder::new();
    let size = kind.facts().size;
    b.paint(OWN);
    match kind {
        F::Counter | F::Stove | F::Fridge | F::WashingMachine => kitchen(&mut b, kind, size, on),
        F::Table | F::CoffeeTable | F::Desk | F::Bench | F::Nightstand | F::Dresser | F::ToyShelf => {
            tables(&mut b, kind, size);
        }
        F::Bookshelf | F::Wardrobe | F::Piano | F::Fireplace | F::Television => {
            tall(&mut b, kind, size, on);
        }
        F::Chair | F::Sofa | F::Armchair | F::Bed => seats(&mut b, kind, size),
        F::Bathtub | F::Toilet | F::Washbasin => bath(&mut b, kind, size),
        F::FloorLamp | F::Rug | F::Picture | F::Window | F::Doorway | F::FrontDoor => {
            decor(&mut b, kind, size, on);
        }
    }
    b.finish()
}

/// A picture that shows a letter, dark or light.
pub(crate) fn picture(letter: usize, light: bool) -> Mesh {
    let mut b = Builder::new();
    let size = F::Picture.facts().size;
    decor(&mut b, F::Picture, size, false);
    letters::raise(&mut b, letter, light, size[1] / 2.0 + 0.003, 0.08);
    b.finish()
}

fn kitchen(b: &mut Builder, kind: F, [w, d, h]: [f32; 3], on: bool) {
    let front = d / 2.0;
    match kind {
        F::Counter => {
            b.paint(TIMBER).block(0.0, -0.02, 0.1, [w, d - 0.06, h - 0.14]);
            b.paint(DARK).block(0.0, -0.05, 0.0, [w, d - 0.12, 0.1]);
            b.paint(rgb(205, 200, 190)).block(0.0, 0.0, h - 0.04, [w, d, 0.04]);
            for door in 0..4 {
                let x = (door as f32 - 1.5) * w / 4.0;
                b.paint(OWN_DARK).block(x + w / 8.0 - 0.01, front - 0.049, 0.12, [0.012, 0.002, h - 0.2]);
                b.paint(METAL).block(x, front - 0.045, h - 0.14, [0.16, 0.02, 0.02]);
            }
            b.paint(METAL).block(0.0, -0.2, h, [0.5, 0.16, 0.006]);
            b.tube(
                &[v(0.0, -0.26, h), v(0.0, -0.26, h + 0.24), v(0.0, -0.2, h + 0.28), v(0.0, -0.14, h + 0.22)],
                0.016,
                0.014,
            );
        }
        F::Stove => {
            b.block(0.0, 0.0, 0.0, [w, d, h]);
            b.paint(DARK).block(0.0, front, 0.16, [w - 0.12, 0.006, 0.42]);
            b.paint(METAL).rod(v(-0.22, front + 0.035, 0.63), v(0.22, front + 0.035, 0.63), 0.014);
            b.paint(rgb(60, 60, 64)).block(0.0, 0.0, h, [w - 0.02, d - 0.02, 0.008]);
            for (x, y) in [(-0.15, -0.14), (0.15, -0.14), (-0.15, 0.15), (0.15, 0.15)] {
                b.paint(rgb(20, 20, 22)).torus(v(x, y, h + 0.01), 0.085, 0.012);
            }
            for knob in 0..4 {
                let x = (knob as f32 - 1.5) * 0.12;
                b.paint(CREAM).rod(v(x, front, 0.76), v(x, front + 0.03, 0.76), 0.026);
            }
        }
        F::Fridge => {
            b.block(0.0, -0.03, 0.0, [w, d - 0.06, h]);
            b.paint(OWN_DARK).block(0.0, front - 0.058, h * 0.66, [w, 0.004, 0.016]);
            let door = |b: &mut Builder, low: f32, high: f32| {
                b.paint(OWN).block(w / 2.0, 0.03, low, [w, 0.05, high - low]);
                b.paint(METAL).rod(v(w - 0.06, 0.075, low + 0.1), v(w - 0.06, 0.075, high - 0.1), 0.014);
            };
            let hinge = Pose::upright(v(-w / 2.0, front - 0.055, 0.0), 0.0);
            b.within(hinge, |b| door(b, h * 0.67, h));
            let swing = Pose::upright(v(-w / 2.0, front - 0.055, 0.0), if on { 1.5 } else { 0.0 });
            b.within(swing, |b| door(b, 0.03, h * 0.655));
            if on {
                b.paint(glow(235, 240, 235)).block(0.0, front - 0.057, 0.06, [w - 0.08, 0.004, h * 0.6]);
                for shelf in 0..3 {
                    let z = 0.14 + shelf as f32 * 0.34;
                    b.paint(rgb(150, 170, 180)).block(0.0, front - 0.05, z, [w - 0.08, 0.012, 0.018]);
                    b.paint(rgb(220, 90, 60)).block(-0.15, front - 0.05, z + 0.018, [0.12, 0.02, 0.13]);
                    b.paint(rgb(80, 150, 80)).block(0.08, front - 0.05, z + 0.018, [0.16, 0.02, 0.09]);
                }
            }
        }
        _ => {
            b.block(0.0, 0.0, 0.0, [w, d, h]);
            b.paint(rgb(210, 212, 216)).block(0.0, front, h - 0.14, [w - 0.04, 0.006, 0.12]);
            b.paint(DARK).rod(v(0.2, front, h - 0.08), v(0.2, front + 0.03, h - 0.08), 0.035);
            b.facets = 18;
            b.within(Pose::tilt(v(0.0, front + 0.002, 0.38), -PI / 2.0), |b| {
                b.paint(METAL).torus(Vec3::default(), 0.2, 0.024);
                b.paint(rgb(70, 85, 105)).lathe(v(0.0, 0.0, 0.01), &[(0.19, 0.0), (0.0, 0.02)]);
            });
        }
    }
}

fn legs(b: &mut Builder, w: f32, d: f32, h: f32, thick: f32) {
    for (sx, sy) in [(-1.0, -1.0), (1.0, -1.0), (-1.0, 1.0), (1.0, 1.0)] {
        b.block(sx * (w / 2.0 - thick), sy * (d / 2.0 - thick), 0.0, [thick, thick, h]);
    }
}

fn tables(b: &mut Builder, kind: F, [w, d, h]: [f32; 3]) {
    b.paint(TIMBER);
    match kind {
        F::Nightstand | F::Dresser => {
            b.block(0.0, 0.0, 0.06, [w, d, h - 0.06]);
            legs(b, w, d, 0.06, 0.05);
            let rows = if kind == F::Dresser { 3 } else { 2 };
            let gap = (h - 0.1) / rows as f32;
            for row in 0..rows {
                let z = 0.09 + row as f32 * gap;
                b.paint(OWN_DARK).block(0.0, d / 2.0, z, [w - 0.06, 0.006, gap - 0.03]);
                b.paint(OWN).block(0.0, d / 2.0 + 0.003, z + 0.01, [w - 0.08, 0.006, gap - 0.05]);
                for x in if kind == F::Dresser { vec![-w / 4.0, w / 4.0] } else { vec![0.0] } {
                    b.paint(METAL).ball(v(x, d / 2.0 + 0.02, z + gap / 2.0), v(0.022, 0.018, 0.022));
                }
            }
        }
        F::ToyShelf => {
            for z in [0.03, 0.4, h - 0.03] {
                b.block(0.0, 0.0, z, [w, d, 0.03]);
            }
            for x in [-w / 2.0, -w / 6.0, w / 6.0, w / 2.0] {
                b.block(x * 0.975, 0.0, 0.0, [0.03, d, h - 0.03]);
            }
            b.paint(OWN_DARK).block(0.0, -d / 2.0, 0.0, [w, 0.01, h]);
            for (i, tone) in
                [rgb(230, 200, 90), rgb(120, 180, 210), rgb(220, 130, 120)].into_iter().enumerate()
            {
                b.paint(tone).block((i as f32 - 1.0) * w / 3.0, 0.02, 0.06, [w / 3.0 - 0.07, d - 0.08, 0.24]);
            }
        }
        F::Desk => {
            b.block(0.0, 0.0, h - 0.035, [w, d, 0.035]);
            b.block(w / 2.0 - 0.22, 0.0, 0.0, [0.4, d - 0.06, h - 0.035]);
            b.block(-w / 2.0 + 0.03, 0.0, 0.0, [0.04, d - 0.06, h - 0.035]);
            b.block(-0.2, -d / 2.0 + 0.04, 0.3, [w - 0.5, 0.02, h - 0.33]);
            for row in 0..3 {
                let z = 0.06 + row as f32 * 0.22;
                b.paint(OWN_DARK).block(w / 2.0 - 0.22, d / 2.0 - 0.03, z, [0.36, 0.006, 0.19]);
                b.paint(METAL).block(w / 2.0 - 0.22, d / 2.0 - 0.022, z + 0.09, [0.12, 0.02, 0.02]);
            }
        }
        _ => {
            b.block(0.0, 0.0, h - 0.04, [w, d, 0.04]);
            legs(b, w, d, h - 0.04, 0.07);
            if kind == F::Table {
                b.paint(OWN_DARK).block(0.0, 0.0, h - 0.12, [w - 0.16, d - 0.16, 0.08]);
            }
            if kind == F::CoffeeTable {
                b.paint(OWN_DARK).block(0.0, 0.0, 0.12, [w - 0.16, d - 0.12, 0.02]);
            }
        }
    }
}

fn tall(b: &mut Builder, kind: F, [w, d, h]: [f32; 3], on: bool) {
    let front = d / 2.0;
    b.paint(TIMBER);
    match kind {
        F::Bookshelf => {
            for x in [-w / 2.0 + 0.015, w / 2.0 - 0.015] {
                b.block(x, 0.0, 0.0, [0.03, d, h]);
            }
            for z in [0.03, 0.39, 0.79, 1.19, h - 0.03] {
                b.block(0.0, 0.0, z, [w, d, 0.03]);
            }
            b.paint(OWN_DARK).block(0.0, -front + 0.005, 0.0, [w, 0.01, h]);
            let spines = [
                rgb(140, 70, 62),
                rgb(70, 92, 130),
                rgb(190, 168, 110),
                rgb(86, 118, 88),
                rgb(120, 100, 130),
            ];
            for i in 0..16 {
                let tall = 0.2 + 0.016 * ((i * 7) % 5) as f32;
                b.paint(spines[(i * 3) % 5]);
                b.block(-w / 2.0 + 0.09 + i as f32 * 0.053, -0.03, 0.06, [0.048, 0.2, tall]);
            }
        }
        F::Wardrobe => wardrobe(b, [w, d, h], on),
        F::Piano => {
            b.block(0.0, -0.12, 0.0, [w, 0.36, h]);
            b.block(0.0, 0.06, 0.58, [w, 0.48, 0.12]);
            for x in [-w / 2.0 + 0.05, w / 2.0 - 0.05] {
                b.block(x, 0.2, 0.0, [0.08, 0.1, 0.6]);
            }
            b.paint(rgb(248, 246, 238)).block(0.0, 0.19, 0.7, [w - 0.14, 0.17, 0.012]);
            b.paint(rgb(20, 20, 20));
            for key in 0..15 {
                if key % 7 != 2 && key % 7 != 6 {
                    b.block(-w / 2.0 + 0.15 + key as f32 * 0.08, 0.16, 0.712, [0.03, 0.1, 0.012]);
                }
            }
            b.paint(CREAM).block(0.0, 0.085, 0.85, [0.36, 0.01, 0.22]);
        }
        F::Fireplace => fireplace(b, [w, d, h], on),
        _ => {
            b.paint(rgb(110, 88, 66).with(Texture::Grain)).block(0.0, 0.0, 0.06, [w, d, 0.42]);
            b.paint(OWN).block(0.0, -0.02, 0.48, [0.4, 0.2, 0.03]);
            b.block(0.0, -0.02, 0.5, [0.08, 0.05, 0.08]);
            b.block(0.0, -0.02, 0.55, [w - 0.1, 0.06, 0.65]);
            let y = 0.0105;
            if on {
                b.paint(glow(70, 140, 215)).block(0.0, y, 0.59, [w - 0.18, 0.002, 0.57]);
                b.paint(glow(90, 175, 80)).block(0.0, y + 0.002, 0.59, [w - 0.18, 0.002, 0.2]);
                b.paint(glow(250, 240, 210)).block(-0.2, y + 0.004, 0.68, [0.2, 0.002, 0.36]);
                b.paint(glow(235, 90, 70)).block(0.22, y + 0.004, 0.68, [0.16, 0.002, 0.28]);
            } else {
                b.paint(rgb(22, 24, 30)).block(0.0, y, 0.59, [w - 0.18, 0.002, 0.57]);
            }
        }
    }
}

/// Two doors, and clothes behind them.
fn wardrobe(b: &mut Builder, [w, d, h]: [f32; 3], on: bool) {
    let front = d / 2.0;
    b.block(0.0, -0.02, 0.05, [w, d - 0.04, h - 0.05]);
    b.paint(DARK).block(0.0, -0.04, 0.0, [w - 0.04, d - 0.1, 0.05]);
    for side in [-1.0, 1.0] {
        let angle = if on { side * 1.7 } else { 0.0 };
        b.within(Pose::upright(v(side * w / 2.0, front - 0.03, 0.0), -angle), |b| {
            b.paint(TIMBER).block(-side * w / 4.0, 0.012, 0.08, [w / 2.0 - 0.012, 0.024, h - 0.12]);
            b.paint(METAL).block(-side * (w / 2.0 - 0.06), 0.034, h / 2.0, [0.02, 0.025, 0.22]);
        });
    }
    if on {
        b.paint(DARK).block(0.0, front - 0.041, 0.09, [w - 0.08, 0.004, h - 0.15]);
        let clothes = [rgb(170, 70, 80), rgb(80, 110, 160), rgb(200, 190, 160), rgb(80, 130, 95)];
        for i in 0..8 {
            b.paint(clothes[i % 4]);
            let x = -w / 2.0 + 0.14 + i as f32 * 0.13;
            b.block(x, front - 0.036, 0.6 + 0.05 * (i % 3) as f32, [0.1, 0.02, 1.1]);
        }
    }
}

/// Logs under a mantelpiece, with or without a fire.
fn fireplace(b: &mut Builder, [w, d, h]: [f32; 3], on: bool) {
    let front = d / 2.0;
    b.block(-w / 2.0 + 0.17, 0.0, 0.0, [0.34, d, h - 0.08]);
    b.block(w / 2.0 - 0.17, 0.0, 0.0, [0.34, d, h - 0.08]);
    b.block(0.0, 0.0, 0.72, [w - 0.6, d, h - 0.8]);
    b.block(0.0, 0.02, h - 0.08, [w + 0.1, d + 0.06, 0.08]);
    b.paint(rgb(36, 30, 28)).block(0.0, -front + 0.05, 0.0, [w - 0.6, 0.02, 0.75]);
    b.block(0.0, 0.0, 0.0, [w - 0.6, d, 0.03]);
    b.paint(rgb(96, 64, 40)).rod(v(-0.25, 0.04, 0.09), v(0.25, 0.0, 0.09), 0.05);
    b.rod(v(-0.2, -0.06, 0.15), v(0.22, 0.05, 0.17), 0.045);
    if on {
        for (x, z, tone) in [
            (-0.14, 0.42, glow(250, 130, 20)),
            (0.0, 0.56, glow(255, 190, 40)),
            (0.14, 0.4, glow(250, 110, 10)),
        ] {
            b.paint(tone).cone(v(x, 0.02, 0.12), 0.11, 0.0, z);
        }
    }
}

fn seats(b: &mut Builder, kind: F, [w, d, h]: [f32; 3]) {
    match kind {
        F::Chair => {
            b.paint(WOOD);
            legs(b, w, d, 0.42, 0.045);
            for x in [-w / 2.0 + 0.04, w / 2.0 - 0.04] {
                b.block(x, -d / 2.0 + 0.03, 0.42, [0.045, 0.04, h - 0.42]);
            }
            b.paint(OWN).block(0.0, 0.0, 0.41, [w, d, 0.06]);
            b.block(0.0, -d / 2.0 + 0.03, h - 0.26, [w - 0.08, 0.05, 0.25]);
        }
        F::Bed => {
            b.paint(WOOD).block(0.0, -d / 2.0 + 0.03, 0.0, [w, 0.06, h]);
            b.block(0.0, 0.0, 0.12, [w, d, 0.2]);
            legs(b, w, d, 0.14, 0.08);
            b.paint(rgb(240, 238, 232)).block(0.0, 0.03, 0.32, [w - 0.06, d - 0.1, 0.16]);
            b.paint(OWN).block(0.0, 0.28, 0.33, [w - 0.02, d - 0.6, 0.2]);
            b.paint(OWN_DARK).block(0.0, -0.4, 0.35, [w - 0.015, 0.14, 0.19]);
            for x in [-w / 4.0, w / 4.0] {
                b.paint(rgb(250, 250, 246)).ball(v(x, -d / 2.0 + 0.3, 0.53), v(0.3, 0.19, 0.09));
            }
        }
        _ => {
            b.block(0.0, 0.0, 0.08, [w, d, 0.26]);
            b.block(0.0, -d / 2.0 + 0.12, 0.1, [w, 0.24, h - 0.1]);
            for x in [-w / 2.0 + 0.09, w / 2.0 - 0.09] {
                b.block(x, 0.0, 0.08, [0.18, d, 0.52]);
            }
            b.paint(DARK);
            legs(b, w, d, 0.08, 0.06);
            let cushions = if kind == F::Sofa { 3 } else { 1 };
            let each = (w - 0.38) / cushions as f32;
            for i in 0..cushions {
                let x = (i as f32 - (cushions as f32 - 1.0) / 2.0) * each;
                b.paint(Paint { base: Base::Own(0.88), ..OWN });
                b.block(x, 0.1, 0.34, [each - 0.02, d - 0.24, 0.1]);
                b.paint(Paint { base: Base::Own(0.8), ..OWN });
                b.block(x, -d / 2.0 + 0.28, 0.44, [each - 0.02, 0.1, h - 0.52]);
            }
        }
    }
}

fn bath(b: &mut Builder, kind: F, [w, d, h]: [f32; 3]) {
    let porcelain = rgb(246, 248, 250);
    match kind {
        F::Bathtub => {
            b.paint(porcelain);
            b.block(0.0, d / 2.0 - 0.04, 0.0, [w, 0.08, h]);
            b.block(0.0, -d / 2.0 + 0.04, 0.0, [w, 0.08, h]);
            for x in [-w / 2.0 + 0.05, w / 2.0 - 0.05] {
                b.block(x, 0.0, 0.0, [0.1, d, h]);
            }
            b.paint(rgb(170, 212, 228)).block(0.0, 0.0, 0.0, [w - 0.1, d - 0.1, h - 0.16]);
            let tap = [
                v(-w / 2.0 + 0.06, 0.0, h),
                v(-w / 2.0 + 0.06, 0.0, h + 0.16),
                v(-w / 2.0 + 0.2, 0.0, h + 0.16),
            ];
            b.paint(METAL).tube(&tap, 0.022, 0.02);
        }
        F::Toilet => {
            b.paint(porcelain).block(0.0, -d / 2.0 + 0.1, 0.36, [w, 0.2, h - 0.36]);
            b.within(Pose::shift(0.0, 0.08, 0.0), |b| {
                b.lathe(Vec3::default(), &[(0.14, 0.0), (0.12, 0.16), (0.19, 0.38), (0.19, 0.41)]);
                b.paint(rgb(225, 228, 232))
                    .lathe(v(0.0, 0.0, 0.41), &[(0.205, 0.0), (0.205, 0.03), (0.0, 0.035)]);
            });
            b.paint(METAL).block(0.1, -d / 2.0 + 0.205, h - 0.1, [0.07, 0.02, 0.03]);
        }
        _ => {
            b.paint(OWN).block(0.0, -0.02, 0.0, [w - 0.1, d - 0.1, h - 0.12]);
            b.paint(porcelain).block(0.0, 0.0, h - 0.12, [w, d, 0.12]);
            b.paint(rgb(150, 185, 205)).block(0.0, 0.03, h, [0.42, 0.3, 0.004]);
            b.paint(METAL).tube(
                &[v(0.0, -0.18, h), v(0.0, -0.18, h + 0.16), v(0.0, -0.04, h + 0.15)],
                0.018,
                0.016,
            );
            b.paint(METAL).block(0.0, -d / 2.0 + 0.012, 1.08, [0.74, 0.02, 0.86]);
            b.paint(rgb(188, 214, 224)).block(0.0, -d / 2.0 + 0.022, 1.11, [0.68, 0.008, 0.8]);
        }
    }
}

fn decor(b: &mut Builder, kind: F, [w, d, h]: [f32; 3], on: bool) {
    match kind {
        F::FloorLamp => {
            b.paint(DARK).cone(Vec3::default(), 0.16, 0.14, 0.03);
            b.rod(v(0.0, 0.0, 0.03), v(0.0, 0.0, h - 0.2), 0.014);
            let shade =
                if on { Paint { base: Base::Own(1.2), texture: Texture::Plain, glow: true } } else { OWN };
            b.paint(shade).lathe(v(0.0, 0.0, h - 0.34), &[(0.22, 0.0), (0.13, 0.34)]);
            b.paint(if on { glow(255, 246, 205) } else { CREAM });
            b.lathe(v(0.0, 0.0, h - 0.33), &[(0.0, 0.03), (0.215, 0.0)]);
            b.lathe(v(0.0, 0.0, h - 0.01), &[(0.13, 0.0), (0.0, 0.0)]);
        }
        F::Rug => {
            b.block(0.0, 0.0, 0.0, [w, d, h]);
            b.paint(CREAM).block(0.0, 0.0, h * 0.5, [w - 0.16, d - 0.16, h * 0.6]);
            b.paint(OWN).block(0.0, 0.0, h * 0.6, [w - 0.28, d - 0.28, h * 0.6]);
        }
        F::Picture => {
            b.paint(WOOD).block(0.0, 0.0, 0.0, [w, d, h]);
            b.paint(OWN).block(0.0, d / 2.0, 0.05, [w - 0.1, 0.004, h - 0.1]);
        }
        F::Window => {
            b.paint(rgb(250, 250, 248)).block(0.0, 0.0, 0.0, [w, d, 0.06]);
            b.block(0.0, 0.0, h - 0.06, [w, d, 0.06]);
            for x in [-w / 2.0 + 0.03, 0.0, w / 2.0 - 0.03] {
                b.block(x, 0.0, 0.0, [0.06, d, h]);
            }
            b.block(0.0, 0.03, -0.05, [w + 0.16, 0.14, 0.05]);
            b.paint(Paint { base: Base::Second, texture: Texture::Plain, glow: true });
            b.block(0.0, -0.015, 0.05, [w - 0.08, 0.01, h - 0.1]);
        }
        F::Doorway => {
            b.paint(rgb(226, 216, 198));
            for side in [-1.0, 1.0] {
                b.block(side * (w / 2.0 + 0.03), 0.0, 0.0, [0.07, d + 0.05, h]);
            }
            b.block(0.0, 0.0, h - 0.04, [w + 0.13, d + 0.05, 0.08]);
        }
        _ => {
            b.paint(rgb(240, 236, 228)).block(0.0, -0.005, 0.0, [w + 0.16, d - 0.01, h + 0.07]);
            b.paint(OWN).block(0.0, 0.01, 0.0, [w, d, h]);
            b.paint(OWN_DARK);
            for z in [0.25, 1.15] {
                for x in [-0.22, 0.22] {
                    b.block(x, d / 2.0 + 0.01, z, [0.3, 0.006, 0.66]);
                }
            }
            b.paint(METAL).ball(v(0.4, d / 2.0 + 0.05, 1.02), v(0.035, 0.035, 0.035));
        }
    }
}
