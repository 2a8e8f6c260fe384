//! Things of the other rooms: tools, toys, clothes, electronics. Kinds with two states differ by shape or shine.

use super::{Base, Builder, CREAM, DARK, METAL, Mesh, OWN, OWN_DARK, Paint, Texture, WOOD, glow, rgb};
use crate::math::{PI, Pose, TAU, Vec3, v};
use crate::things::ObjectKind as K;

/// The mesh of a kind of this family in its state; `None` for a kind of another.
pub(crate) fn household(kind: K, on: bool) -> Option<Mesh> {
    let mut b = Builder::new();
    b.paint(OWN);
    match kind {
        K::Book | K::Laptop | K::Phone | K::Remote | K::Clock | K::Camera | K::Radio | K::DeskLamp => {
            device(&mut b, kind, on);
        }
        // Modelled along y, shown from the side.
        K::Drill => b.within(Pose::upright(Vec3::default(), -PI / 2.0), |b| tool(b, kind)),
        K::Shoe => b.within(Pose::upright(Vec3::default(), -2.1), |b| soft(b, kind, on)),
        K::Hammer | K::Scissors | K::Tape | K::Umbrella | K::Key | K::Dumbbell => tool(&mut b, kind),
        K::Hat | K::Backpack | K::Box | K::Vase | K::Plant | K::WateringCan => soft(&mut b, kind, on),
        K::Ball | K::TeddyBear | K::ToyCar | K::Guitar | K::Trophy | K::RubberDuck => toy(&mut b, kind),
        _ => return None,
    }
    Some(b.finish_centred())
}

/// A book or a laptop, open or closed.
fn hinged(b: &mut Builder, kind: K, on: bool) {
    match kind {
        K::Book if on => {
            for side in [-1.0, 1.0] {
                b.within(Pose::roll(v(side * 0.08, 0.0, 0.012), side * 0.12), |b| {
                    b.paint(OWN).block(0.0, 0.0, 0.0, [0.165, 0.22, 0.008]);
                    b.paint(rgb(250, 248, 238)).block(0.0, 0.0, 0.008, [0.15, 0.205, 0.012]);
                    b.paint(rgb(120, 120, 120));
                    for line in 0..5 {
                        b.block(0.0, 0.07 - line as f32 * 0.035, 0.02, [0.11, 0.008, 0.001]);
                    }
                });
            }
        }
        K::Book => {
            b.block(0.0, 0.0, 0.0, [0.165, 0.22, 0.006]);
            b.block(0.0, 0.0, 0.04, [0.165, 0.22, 0.006]);
            b.block(-0.08, 0.0, 0.0, [0.006, 0.22, 0.046]);
            b.paint(rgb(250, 248, 238)).block(0.004, 0.0, 0.006, [0.15, 0.205, 0.034]);
            b.paint(CREAM).block(0.0, 0.04, 0.046, [0.1, 0.05, 0.001]);
        }
        _ => {
            b.block(0.0, 0.0, 0.0, [0.32, 0.22, 0.018]);
            if on {
                b.paint(DARK).block(0.0, 0.015, 0.018, [0.28, 0.11, 0.002]);
                b.within(Pose::tilt(v(0.0, 0.11, 0.018), -0.25), |b| {
                    b.paint(OWN).block(0.0, 0.0, 0.0, [0.32, 0.012, 0.21]);
                    b.paint(glow(160, 205, 245)).block(0.0, -0.007, 0.02, [0.28, 0.002, 0.17]);
                    b.paint(glow(245, 245, 245)).block(-0.03, -0.009, 0.06, [0.16, 0.002, 0.08]);
                });
            } else {
                b.block(0.0, 0.0, 0.019, [0.32, 0.22, 0.012]);
                b.paint(CREAM).block(0.0, 0.0, 0.031, [0.05, 0.05, 0.001]);
            }
        }
    }
}

fn device(b: &mut Builder, kind: K, on: bool) {
    let o = Vec3::default();
    match kind {
        K::Book | K::Laptop => hinged(b, kind, on),
        K::Phone => {
            b.block(0.0, 0.0, 0.0, [0.09, 0.175, 0.014]);
            b.paint(if on { glow(150, 200, 250) } else { DARK }).block(0.0, 0.0, 0.014, [0.078, 0.15, 0.001]);
        }
        K::Remote => {
            b.block(0.0, 0.0, 0.0, [0.06, 0.2, 0.024]);
            b.paint(CREAM);
            for row in 0..4 {
                for column in [-0.015, 0.015] {
                    b.block(column, -0.06 + row as f32 * 0.032, 0.024, [0.017, 0.017, 0.004]);
                }
            }
            b.paint(rgb(230, 30, 30)).cylinder(v(0.0, 0.078, 0.024), 0.011, 0.005);
        }
        K::Clock => {
            b.within(Pose::tilt(v(0.0, 0.03, 0.095), PI / 2.0), |b| {
                b.cylinder(o, 0.08, 0.06);
                b.paint(rgb(250, 250, 246)).lathe(v(0.0, 0.0, 0.061), &[(0.066, 0.0), (0.0, 0.0)]);
                b.paint(DARK).block(0.0, 0.02, 0.062, [0.008, 0.045, 0.002]);
                b.block(0.016, 0.0, 0.062, [0.034, 0.008, 0.002]);
            });
            b.paint(METAL).ball(v(-0.05, 0.0, 0.175), v(0.03, 0.03, 0.022));
            b.ball(v(0.05, 0.0, 0.175), v(0.03, 0.03, 0.022));
            b.rod(v(-0.05, 0.0, 0.0), v(-0.03, 0.0, 0.04), 0.008);
            b.rod(v(0.05, 0.0, 0.0), v(0.03, 0.0, 0.04), 0.008);
        }
        K::Camera => {
            b.block(0.0, 0.0, 0.0, [0.16, 0.06, 0.1]);
            b.block(0.0, 0.0, 0.1, [0.055, 0.05, 0.028]);
            b.within(Pose::tilt(v(0.0, -0.028, 0.048), PI / 2.0), |b| {
                b.paint(DARK).cylinder(o, 0.044, 0.06);
                b.paint(rgb(70, 90, 140)).lathe(v(0.0, 0.0, 0.061), &[(0.034, 0.0), (0.0, 0.0)]);
            });
            b.paint(METAL).cylinder(v(0.055, 0.0, 0.1), 0.014, 0.014);
        }
        K::Radio => {
            b.block(0.0, 0.0, 0.0, [0.26, 0.09, 0.15]);
            b.within(Pose::tilt(v(-0.065, -0.046, 0.075), PI / 2.0), |b| {
                b.paint(DARK).cylinder(o, 0.05, 0.003);
            });
            b.paint(CREAM).block(0.06, -0.046, 0.08, [0.09, 0.004, 0.04]);
            b.paint(METAL).rod(v(0.1, 0.02, 0.15), v(0.2, 0.02, 0.32), 0.005);
            b.rod(v(-0.1, 0.0, 0.15), v(-0.1, 0.0, 0.185), 0.006);
            b.rod(v(0.06, 0.0, 0.15), v(0.06, 0.0, 0.185), 0.006);
            b.rod(v(-0.105, 0.0, 0.185), v(0.065, 0.0, 0.185), 0.008);
        }
        _ => {
            b.cone(o, 0.075, 0.06, 0.02);
            b.paint(METAL).rod(v(0.0, 0.0, 0.02), v(0.0, 0.0, 0.25), 0.009);
            let shade =
                if on { Paint { base: Base::Own(1.25), texture: Texture::Plain, glow: true } } else { OWN };
            b.paint(shade).lathe(o, &[(0.12, 0.21), (0.065, 0.34), (0.0, 0.342)]);
            b.paint(if on { glow(255, 244, 190) } else { CREAM });
            b.lathe(o, &[(0.0, 0.225), (0.112, 0.215)]);
        }
    }
}

fn tool(b: &mut Builder, kind: K) {
    let o = Vec3::default();
    match kind {
        K::Drill => {
            b.block(0.0, -0.02, 0.0, [0.075, 0.1, 0.05]);
            b.block(0.0, -0.02, 0.05, [0.045, 0.055, 0.11]);
            b.rod(v(0.0, -0.09, 0.19), v(0.0, 0.1, 0.19), 0.042);
            b.paint(DARK).rod(v(0.0, 0.1, 0.19), v(0.0, 0.15, 0.19), 0.026);
            b.paint(METAL).rod(v(0.0, 0.15, 0.19), v(0.0, 0.25, 0.19), 0.007);
            b.paint(DARK).block(0.0, 0.02, 0.11, [0.02, 0.03, 0.035]);
        }
        K::Hammer => {
            b.rod(v(0.0, -0.15, 0.03), v(0.0, 0.13, 0.03), 0.017);
            b.paint(METAL).block(0.0, 0.13, 0.005, [0.075, 0.045, 0.05]);
            b.rod(v(-0.035, 0.13, 0.03), v(-0.085, 0.13, 0.03), 0.028);
            b.tube(&[v(0.035, 0.13, 0.03), v(0.075, 0.13, 0.028), v(0.105, 0.115, 0.012)], 0.022, 0.008);
        }
        K::Scissors => {
            for side in [-1.0, 1.0] {
                b.paint(OWN).torus(v(side * 0.045, -0.1, 0.012), 0.033, 0.011);
                b.rod(v(side * 0.03, -0.07, 0.012), v(0.0, 0.0, 0.012), 0.01);
                b.paint(METAL).tube(&[v(0.0, 0.0, 0.012), v(-side * 0.035, 0.15, 0.012)], 0.012, 0.004);
            }
        }
        K::Tape => {
            b.facets = 16;
            let roll = [(0.045, 0.0), (0.085, 0.0), (0.085, 0.055), (0.045, 0.055)];
            b.lathe(o, &roll);
            b.paint(CREAM).lathe(o, &[(0.045, 0.055), (0.045, 0.0)]);
        }
        K::Umbrella => {
            b.facets = 10;
            b.within(Pose::along(v(-0.3, 0.0, 0.1), v(1.0, 0.0, 0.0)), |b| {
                b.lathe(o, &[(0.0, 0.0), (0.05, 0.04), (0.095, 0.36), (0.03, 0.42), (0.0, 0.42)]);
                b.paint(OWN_DARK).torus(v(0.0, 0.0, 0.2), 0.072, 0.01);
                b.paint(METAL).rod(v(0.0, 0.0, -0.05), v(0.0, 0.0, 0.5), 0.008);
            });
            b.paint(DARK).ring(Pose::shift(0.2, 0.06, 0.1), 0.06, 0.016, -PI / 2.0, PI / 2.0);
        }
        K::Key => {
            b.torus(v(-0.07, 0.0, 0.01), 0.04, 0.012);
            b.block(0.03, 0.0, 0.002, [0.14, 0.022, 0.016]);
            b.block(0.085, -0.022, 0.002, [0.016, 0.035, 0.016]);
            b.block(0.055, -0.018, 0.002, [0.014, 0.028, 0.016]);
        }
        _ => {
            b.paint(METAL).rod(v(-0.08, 0.0, 0.055), v(0.08, 0.0, 0.055), 0.016);
            b.paint(OWN);
            for side in [-1.0, 1.0] {
                b.rod(v(side * 0.065, 0.0, 0.055), v(side * 0.14, 0.0, 0.055), 0.055);
            }
        }
    }
}

fn soft(b: &mut Builder, kind: K, on: bool) {
    let o = Vec3::default();
    match kind {
        K::Hat => {
            b.facets = 16;
            b.lathe(o, &[(0.0, 0.0), (0.19, 0.0), (0.195, 0.01), (0.1, 0.018), (0.09, 0.1), (0.06, 0.125)]);
            b.lathe(o, &[(0.06, 0.125), (0.0, 0.115)]);
            b.paint(DARK).lathe(o, &[(0.1015, 0.02), (0.098, 0.05)]);
        }
        K::Shoe => {
            b.paint(CREAM).ball(v(0.0, 0.075, 0.02), v(0.052, 0.085, 0.02));
            b.block(0.0, -0.03, 0.0, [0.095, 0.2, 0.028]);
            b.paint(OWN).block(0.0, -0.085, 0.028, [0.086, 0.085, 0.085]);
            b.ball(v(0.0, 0.06, 0.045), v(0.046, 0.09, 0.042));
            b.ball(v(0.0, -0.02, 0.063), v(0.043, 0.09, 0.06));
            b.paint(DARK).block(0.0, -0.085, 0.113, [0.06, 0.06, 0.002]);
            b.paint(CREAM);
            for lace in 0..3 {
                b.block(0.0, lace as f32 * 0.028, 0.115 - lace as f32 * 0.011, [0.06, 0.012, 0.008]);
            }
        }
        K::Backpack => {
            b.block(0.0, 0.0, 0.0, [0.3, 0.15, 0.36]);
            b.within(Pose::tilt(v(0.0, 0.075, 0.36), PI / 2.0), |b| {
                b.lathe(o, &[(0.0, 0.0), (0.15, 0.0), (0.15, 0.15), (0.0, 0.15)]);
            });
            b.paint(OWN_DARK).block(0.0, -0.095, 0.04, [0.22, 0.05, 0.16]);
            b.paint(METAL).block(0.0, -0.122, 0.18, [0.2, 0.006, 0.012]);
            b.paint(DARK).ring(Pose::tilt(v(0.0, 0.0, 0.5), PI / 2.0), 0.05, 0.012, 0.0, PI);
            for side in [-0.09, 0.09] {
                b.block(side, 0.085, 0.05, [0.05, 0.025, 0.38]);
            }
        }
        K::Box => {
            for (x, y, w, d) in [(0.0, -0.1, 0.3, 0.01), (0.0, 0.1, 0.3, 0.01), (-0.15, 0.0, 0.01, 0.21)] {
                b.block(x, y, 0.0, [w, d, 0.18]);
            }
            b.block(0.15, 0.0, 0.0, [0.01, 0.21, 0.18]);
            b.block(0.0, 0.0, 0.0, [0.3, 0.2, 0.01]);
            if on {
                for side in [-1.0, 1.0] {
                    b.within(Pose::tilt(v(0.0, side * 0.1, 0.18), side * 0.5), |b| {
                        b.block(0.0, side * 0.055, 0.0, [0.3, 0.11, 0.008]);
                    });
                }
                b.paint(OWN_DARK).block(0.0, 0.0, 0.011, [0.28, 0.19, 0.005]);
            } else {
                b.block(0.0, 0.0, 0.175, [0.31, 0.215, 0.012]);
                b.paint(CREAM).block(0.0, 0.0, 0.188, [0.31, 0.045, 0.001]);
                b.block(0.0, -0.107, 0.11, [0.12, 0.002, 0.05]);
            }
        }
        _ => garden(b, kind),
    }
}

/// Flowers, a plant, and what they are watered with.
fn garden(b: &mut Builder, kind: K) {
    let o = Vec3::default();
    match kind {
        K::Vase => {
            let side = [(0.0, 0.0), (0.045, 0.0), (0.08, 0.07), (0.075, 0.13), (0.03, 0.21), (0.045, 0.25)];
            b.lathe(o, &side);
            b.paint(DARK).lathe(o, &[(0.045, 0.25), (0.025, 0.2), (0.0, 0.2)]);
            b.facets = 8;
            for (x, y, petals) in [
                (-0.06, 0.0, rgb(240, 80, 110)),
                (0.06, 0.02, rgb(250, 200, 60)),
                (0.0, -0.05, rgb(240, 240, 250)),
            ] {
                b.paint(rgb(60, 130, 60)).rod(v(0.0, 0.0, 0.2), v(x, y, 0.36), 0.006);
                b.paint(petals).ball(v(x, y, 0.37), v(0.03, 0.03, 0.024));
            }
        }
        K::Plant => {
            b.lathe(o, &[(0.0, 0.0), (0.07, 0.0), (0.1, 0.14), (0.105, 0.14), (0.105, 0.165), (0.09, 0.165)]);
            b.paint(rgb(70, 48, 32)).lathe(o, &[(0.09, 0.15), (0.0, 0.15)]);
            b.facets = 8;
            for leaf in 0..9 {
                let (s, c) = crate::math::sin_cos(leaf as f32 * TAU / 9.0 * 2.0);
                let reach = 0.06 + 0.012 * (leaf % 4) as f32;
                let top = 0.27 + 0.035 * (leaf % 5) as f32;
                let tip = v(c * reach * 1.7, s * reach * 1.7, top);
                b.paint(rgb(46, 110, 50)).rod(v(0.0, 0.0, 0.14), tip, 0.006);
                let green = if leaf % 2 == 0 { rgb(62, 150, 66) } else { rgb(46, 122, 58) };
                let pose = Pose::along(tip, v(c * 0.6, s * 0.6, 0.8));
                b.paint(green).within(pose, |b| b.ball(o, v(0.034, 0.014, 0.07)));
            }
        }
        _ => {
            b.lathe(o, &[(0.0, 0.0), (0.09, 0.0), (0.09, 0.15), (0.06, 0.165)]);
            b.paint(OWN_DARK).lathe(o, &[(0.06, 0.165), (0.0, 0.13)]);
            b.paint(OWN).tube(&[v(0.07, 0.0, 0.05), v(0.16, 0.0, 0.12), v(0.22, 0.0, 0.2)], 0.022, 0.014);
            b.within(Pose::along(v(0.215, 0.0, 0.195), v(0.7, 0.0, 0.7)), |b| b.cone(o, 0.018, 0.042, 0.03));
            b.ring(Pose::tilt(v(-0.06, 0.0, 0.14), PI / 2.0), 0.07, 0.011, 0.3, 4.6);
        }
    }
}

fn toy(b: &mut Builder, kind: K) {
    let o = Vec3::default();
    match kind {
        K::Ball => {
            b.facets = 16;
            b.ball(v(0.0, 0.0, 0.11), v(0.11, 0.11, 0.11));
            b.paint(CREAM).torus(v(0.0, 0.0, 0.11), 0.105, 0.012);
            b.ring(Pose::tilt(v(0.0, 0.0, 0.11), PI / 2.0), 0.105, 0.012, 0.0, TAU);
        }
        K::TeddyBear => {
            b.facets = 10;
            b.ball(v(0.0, 0.0, 0.1), v(0.085, 0.075, 0.1));
            b.ball(v(0.0, -0.005, 0.245), v(0.07, 0.066, 0.066));
            for side in [-1.0, 1.0] {
                b.paint(OWN).ball(v(side * 0.06, 0.0, 0.305), v(0.028, 0.02, 0.028));
                b.ball(v(side * 0.1, -0.03, 0.14), v(0.035, 0.035, 0.06));
                b.ball(v(side * 0.07, -0.09, 0.035), v(0.037, 0.065, 0.037));
                b.paint(CREAM).ball(v(side * 0.07, -0.15, 0.037), v(0.027, 0.012, 0.027));
                b.paint(DARK).ball(v(side * 0.026, -0.064, 0.262), v(0.01, 0.01, 0.01));
            }
            b.paint(CREAM).ball(v(0.0, -0.063, 0.225), v(0.03, 0.022, 0.024));
            b.ball(v(0.0, -0.05, 0.1), v(0.05, 0.035, 0.065));
            b.paint(DARK).ball(v(0.0, -0.085, 0.233), v(0.012, 0.008, 0.009));
        }
        K::ToyCar => {
            b.block(0.0, 0.0, 0.03, [0.24, 0.11, 0.055]);
            b.paint(rgb(170, 205, 225)).block(-0.01, 0.0, 0.085, [0.125, 0.095, 0.035]);
            b.paint(OWN).block(-0.01, 0.0, 0.118, [0.12, 0.1, 0.014]);
            for (x, y) in [(-0.075, -0.05), (0.075, -0.05), (-0.075, 0.05), (0.075, 0.05)] {
                b.paint(DARK).rod(v(x, y - 0.014, 0.035), v(x, y + 0.014, 0.035), 0.036);
                b.paint(METAL).rod(v(x, y - 0.016, 0.035), v(x, y + 0.016, 0.035), 0.015);
            }
            b.paint(rgb(255, 240, 170)).block(0.121, -0.035, 0.055, [0.003, 0.025, 0.018]);
            b.block(0.121, 0.035, 0.055, [0.003, 0.025, 0.018]);
        }
        K::Guitar => {
            b.facets = 16;
            // Lies along x, as things against a wall do.
            b.within(Pose::upright(o, PI / 2.0), |b| {
                b.cylinder(v(0.0, 0.0, 0.0), 0.15, 0.075);
                b.cylinder(v(0.0, 0.19, 0.0), 0.115, 0.075);
                b.paint(DARK).lathe(v(0.0, 0.12, 0.0765), &[(0.045, 0.0), (0.0, 0.0)]);
                b.block(0.0, -0.07, 0.076, [0.09, 0.02, 0.01]);
                b.paint(WOOD).block(0.0, 0.4, 0.06, [0.045, 0.3, 0.03]);
                b.paint(DARK).block(0.0, 0.57, 0.058, [0.075, 0.1, 0.025]);
            });
        }
        K::Trophy => {
            b.paint(DARK).block(0.0, 0.0, 0.0, [0.11, 0.11, 0.05]);
            b.paint(OWN).lathe(o, &[(0.03, 0.05), (0.014, 0.08), (0.014, 0.12), (0.06, 0.16), (0.075, 0.26)]);
            b.paint(OWN_DARK).lathe(o, &[(0.075, 0.26), (0.05, 0.17), (0.0, 0.16)]);
            b.paint(OWN);
            b.ring(Pose::tilt(v(0.07, 0.0, 0.21), PI / 2.0), 0.035, 0.009, -1.7, 1.7);
            b.ring(Pose::tilt(v(-0.07, 0.0, 0.21), PI / 2.0), 0.035, 0.009, 1.4, 4.9);
        }
        _ => {
            b.ball(v(0.0, 0.0, 0.06), v(0.095, 0.07, 0.06));
            b.ball(v(0.06, 0.0, 0.145), v(0.052, 0.05, 0.05));
            b.ball(v(-0.09, 0.0, 0.095), v(0.03, 0.03, 0.025));
            b.paint(rgb(245, 120, 20)).within(Pose::along(v(0.105, 0.0, 0.14), v(1.0, 0.0, 0.0)), |b| {
                b.cone(o, 0.022, 0.006, 0.04);
            });
            b.paint(DARK).ball(v(0.095, 0.032, 0.165), v(0.01, 0.01, 0.01));
            b.ball(v(0.095, -0.032, 0.165), v(0.01, 0.01, 0.01));
        }
    }
}
