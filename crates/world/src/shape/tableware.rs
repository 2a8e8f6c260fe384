//! Things of kitchen and table. Sizes are a little over life, so that they can be told apart in a small frame.

use super::{Builder, CREAM, DARK, METAL, Mesh, OWN, OWN_DARK, WOOD, rgb};
use crate::math::{PI, Pose, Vec3, v};
use crate::things::ObjectKind as K;

/// The mesh of a kind of this family; `None` for a kind of another.
pub(crate) fn tableware(kind: K) -> Option<Mesh> {
    let mut b = Builder::new();
    b.paint(OWN);
    let known = vessel(&mut b, kind) || utensil(&mut b, kind);
    known.then(|| b.finish_centred())
}

/// What one drinks, pours and cooks from; `false` for other kinds.
fn vessel(b: &mut Builder, kind: K) -> bool {
    let o = Vec3::default();
    match kind {
        K::Cup => {
            b.lathe(o, &[(0.0, 0.0), (0.045, 0.0), (0.055, 0.11), (0.048, 0.11), (0.04, 0.012)]);
            b.paint(rgb(70, 45, 30)).lathe(o, &[(0.044, 0.08), (0.0, 0.08)]);
            b.paint(OWN).ring(Pose::tilt(v(0.055, 0.0, 0.058), PI / 2.0), 0.032, 0.009, -1.7, 1.7);
        }
        K::Bowl => {
            let side = [(0.0, 0.0), (0.05, 0.0), (0.055, 0.015), (0.09, 0.05), (0.115, 0.09)];
            b.lathe(o, &side);
            b.paint(CREAM)
                .lathe(o, &[(0.115, 0.09), (0.105, 0.09), (0.08, 0.05), (0.04, 0.02), (0.0, 0.018)]);
        }
        K::Plate => {
            b.facets = 16;
            b.lathe(o, &[(0.0, 0.0), (0.08, 0.0), (0.14, 0.022), (0.14, 0.028), (0.09, 0.012)]);
            b.paint(CREAM).lathe(o, &[(0.09, 0.012), (0.0, 0.01)]);
        }
        K::Bottle => {
            b.lathe(o, &[(0.0, 0.0), (0.045, 0.0), (0.045, 0.18), (0.016, 0.24), (0.016, 0.3)]);
            b.paint(CREAM).lathe(o, &[(0.0462, 0.06), (0.0462, 0.14)]);
            b.paint(DARK).cylinder(v(0.0, 0.0, 0.3), 0.019, 0.025);
        }
        K::Jar => {
            b.paint(rgb(205, 222, 224)).lathe(o, &[(0.0, 0.0), (0.06, 0.0), (0.06, 0.11), (0.045, 0.13)]);
            b.paint(OWN).lathe(o, &[(0.0615, 0.02), (0.0615, 0.085)]);
            b.cylinder(v(0.0, 0.0, 0.128), 0.055, 0.03);
        }
        K::Teapot => {
            b.ball(v(0.0, 0.0, 0.08), v(0.09, 0.09, 0.075));
            b.cylinder(o, 0.055, 0.015);
            b.tube(&[v(0.07, 0.0, 0.06), v(0.12, 0.0, 0.09), v(0.15, 0.0, 0.145)], 0.026, 0.013);
            b.ring(Pose::tilt(v(-0.08, 0.0, 0.085), PI / 2.0), 0.045, 0.01, 1.4, 4.9);
            b.paint(OWN_DARK).lathe(o, &[(0.055, 0.143), (0.03, 0.162), (0.0, 0.165)]);
            b.ball(v(0.0, 0.0, 0.175), v(0.016, 0.016, 0.016));
        }
        K::Kettle => {
            b.lathe(o, &[(0.0, 0.0), (0.085, 0.0), (0.075, 0.15), (0.04, 0.2), (0.0, 0.205)]);
            b.paint(DARK).ball(v(0.0, 0.0, 0.212), v(0.014, 0.014, 0.014));
            b.ring(Pose::tilt(v(0.0, 0.0, 0.19), PI / 2.0), 0.075, 0.011, 0.1, PI - 0.1);
            b.paint(OWN).tube(&[v(0.07, 0.0, 0.11), v(0.13, 0.0, 0.17)], 0.022, 0.014);
            b.paint(DARK).cylinder(v(0.0, 0.0, -0.001), 0.088, 0.015);
        }
        K::Pan => {
            b.facets = 16;
            b.lathe(o, &[(0.0, 0.0), (0.11, 0.0), (0.13, 0.045), (0.122, 0.045), (0.105, 0.008)]);
            b.paint(DARK).lathe(o, &[(0.105, 0.008), (0.0, 0.008)]);
            b.paint(DARK).rod(v(0.12, 0.0, 0.035), v(0.31, 0.0, 0.055), 0.013);
        }
        K::Pot => {
            b.facets = 14;
            b.lathe(o, &[(0.0, 0.0), (0.105, 0.0), (0.11, 0.13), (0.113, 0.135)]);
            b.paint(METAL).lathe(o, &[(0.113, 0.135), (0.07, 0.155), (0.0, 0.16)]);
            b.paint(DARK).cylinder(v(0.0, 0.0, 0.16), 0.018, 0.022);
            for side in [0.0, PI] {
                b.within(Pose::upright(o, side), |b| b.block(0.128, 0.0, 0.1, [0.05, 0.07, 0.015]));
            }
        }
        K::Jug => {
            b.lathe(o, &[(0.0, 0.0), (0.065, 0.0), (0.08, 0.08), (0.055, 0.17), (0.07, 0.22)]);
            b.paint(OWN_DARK).lathe(o, &[(0.07, 0.22), (0.05, 0.17), (0.0, 0.15)]);
            b.paint(OWN).ring(Pose::tilt(v(-0.062, 0.0, 0.13), PI / 2.0), 0.055, 0.011, 1.5, 4.8);
            b.tube(&[v(0.06, 0.0, 0.19), v(0.095, 0.0, 0.225)], 0.022, 0.012);
        }
        _ => return false,
    }
    true
}

/// What else lies in a kitchen; `false` for other kinds.
fn utensil(b: &mut Builder, kind: K) -> bool {
    let o = Vec3::default();
    match kind {
        K::PillBottle => {
            b.lathe(o, &[(0.0, 0.0), (0.034, 0.0), (0.034, 0.085), (0.028, 0.095)]);
            b.paint(CREAM).lathe(o, &[(0.0352, 0.02), (0.0352, 0.065)]);
            b.paint(rgb(250, 250, 250)).cylinder(v(0.0, 0.0, 0.092), 0.037, 0.028);
        }
        K::CuttingBoard => {
            b.paint(OWN).block(0.0, 0.0, 0.0, [0.34, 0.22, 0.022]);
            b.block(0.2, 0.0, 0.0, [0.09, 0.05, 0.022]);
            b.paint(METAL).block(0.02, 0.03, 0.022, [0.18, 0.035, 0.006]);
            b.paint(DARK).block(-0.11, 0.03, 0.022, [0.09, 0.025, 0.018]);
        }
        K::Apple => {
            b.ball(v(0.0, 0.0, 0.052), v(0.056, 0.056, 0.05));
            b.paint(rgb(90, 60, 30)).rod(v(0.0, 0.0, 0.095), v(0.008, 0.0, 0.125), 0.006);
            b.paint(rgb(50, 140, 50)).ball(v(0.025, 0.0, 0.115), v(0.024, 0.012, 0.006));
        }
        K::Candle => {
            b.paint(METAL).cone(o, 0.06, 0.05, 0.015);
            b.paint(OWN).cylinder(v(0.0, 0.0, 0.015), 0.03, 0.15);
            b.paint(DARK).rod(v(0.0, 0.0, 0.165), v(0.0, 0.0, 0.185), 0.003);
        }
        K::Basket => {
            b.facets = 14;
            b.lathe(o, &[(0.0, 0.0), (0.13, 0.0), (0.17, 0.15), (0.16, 0.15), (0.12, 0.02), (0.0, 0.02)]);
            b.paint(OWN_DARK).torus(v(0.0, 0.0, 0.05), 0.143, 0.008);
            b.torus(v(0.0, 0.0, 0.1), 0.157, 0.008);
            b.torus(v(0.0, 0.0, 0.15), 0.166, 0.011);
            b.ring(Pose::tilt(v(0.0, 0.0, 0.15), PI / 2.0), 0.16, 0.011, 0.0, PI);
        }
        K::Bucket => {
            b.lathe(o, &[(0.0, 0.0), (0.1, 0.0), (0.14, 0.24), (0.132, 0.24), (0.095, 0.02), (0.0, 0.02)]);
            b.paint(METAL).torus(v(0.0, 0.0, 0.24), 0.138, 0.008);
            b.ring(Pose::tilt(v(0.0, 0.0, 0.235), PI / 2.0), 0.135, 0.006, 0.0, PI);
        }
        K::RollingPin => {
            b.rod(v(-0.11, 0.0, 0.045), v(0.11, 0.0, 0.045), 0.045);
            b.paint(WOOD).rod(v(-0.18, 0.0, 0.045), v(0.18, 0.0, 0.045), 0.017);
        }
        _ => return false,
    }
    true
}
