//! Bodies: a standing or walking person, and the wearer's forearms and hands. Own colour is the shirt or the sleeve,
//! the second colour is the skin; hair and trousers are chosen per person.

use super::{Builder, DARK, Mesh, OWN, Paint, SECOND, rgb};
use crate::math::{Vec3, sin_cos, v};

/// From elbow to wrist, metres.
pub(crate) const FOREARM_LENGTH: f32 = 0.3;

/// A person of average height facing +y. `stride` is the phase of the walk in radians, `None` when standing;
/// `holding` bends the right arm forward, as one does with a thing in the hand.
pub(crate) fn person(hair: [u8; 3], trousers: [u8; 3], stride: Option<f32>, holding: bool) -> Mesh {
    let mut b = Builder::new();
    b.facets = 10;
    let swing = stride.map_or(0.0, |phase| sin_cos(phase).0);
    let legs = rgb(trousers[0], trousers[1], trousers[2]);
    for side in [-1.0, 1.0] {
        let step = side * swing * 0.24;
        let foot = v(side * 0.1, step, 0.07 + (step * 0.25).max(0.0));
        let knee = v(side * 0.1, step * 0.5 + 0.03, 0.48);
        b.paint(legs).tube(&[v(side * 0.09, 0.0, 0.9), knee, foot], 0.095, 0.06);
        b.paint(DARK).ball(foot + v(0.0, 0.06, -0.025), v(0.055, 0.13, 0.05));
        let shoulder = v(side * 0.21, 0.0, 1.38);
        let forward = holding && side > 0.0;
        let (elbow, wrist) = if forward {
            (v(side * 0.27, 0.04, 1.1), v(side * 0.2, 0.32, 1.12))
        } else {
            (v(side * 0.27, -step * 0.5, 1.1), v(side * 0.26, -step + 0.05, 0.86))
        };
        b.paint(OWN).ball(shoulder, v(0.074, 0.074, 0.07));
        b.tube(&[shoulder, elbow, elbow.lerp(wrist, 0.5)], 0.068, 0.05);
        b.paint(SECOND).tube(&[elbow.lerp(wrist, 0.45), wrist], 0.042, 0.034);
        b.ball(wrist + if forward { v(0.0, 0.05, 0.0) } else { v(0.0, 0.0, -0.05) }, v(0.04, 0.05, 0.055));
    }
    b.paint(OWN).ball(v(0.0, 0.0, 1.3), v(0.22, 0.13, 0.19));
    b.lathe(v(0.0, 0.0, 0.88), &[(0.16, 0.0), (0.17, 0.2), (0.2, 0.45)]);
    b.paint(legs).ball(v(0.0, 0.0, 0.9), v(0.165, 0.13, 0.1));
    b.paint(SECOND).rod(v(0.0, 0.0, 1.43), v(0.0, 0.01, 1.56), 0.052);
    b.facets = 14;
    b.ball(v(0.0, 0.02, 1.63), v(0.092, 0.105, 0.125));
    b.ball(v(0.0, 0.125, 1.615), v(0.016, 0.024, 0.022));
    b.paint(rgb(hair[0], hair[1], hair[2])).ball(v(0.0, -0.015, 1.67), v(0.105, 0.108, 0.105));
    b.ball(v(0.0, -0.06, 1.6), v(0.1, 0.075, 0.12));
    for side in [-0.035, 0.035] {
        b.paint(rgb(250, 250, 250)).ball(v(side, 0.112, 1.645), v(0.016, 0.01, 0.012));
        b.paint(DARK).ball(v(side, 0.12, 1.645), v(0.008, 0.006, 0.009));
    }
    b.paint(rgb(170, 70, 70)).ball(v(0.0, 0.108, 1.57), v(0.03, 0.012, 0.008));
    b.finish()
}

/// A right hand: wrist at the origin, fingers along +y, palm down, thumb towards -x. `grip` curls the fingers.
pub(crate) fn hand(grip: bool, left: bool) -> Mesh {
    let mut b = Builder::new();
    b.facets = 8;
    let side = if left { -1.0 } else { 1.0 };
    let skin: Paint = SECOND;
    b.paint(skin).ball(v(0.0, 0.05, 0.0), v(0.045, 0.062, 0.024));
    b.ball(v(0.0, 0.0, 0.0), v(0.032, 0.04, 0.025));
    let curl = |points: [Vec3; 4]| points.map(|p| v(p.x * side, p.y, p.z));
    for finger in 0..4 {
        let x = 0.033 - finger as f32 * 0.022;
        let length = [0.8, 0.95, 1.0, 0.9][finger];
        let points = if grip {
            [
                v(x, 0.1, 0.008),
                v(x, 0.1 + 0.035 * length, -0.008),
                v(x, 0.1 + 0.03 * length, -0.045),
                v(x, 0.085, -0.062),
            ]
        } else {
            [
                v(x, 0.1, 0.004),
                v(x * 1.1, 0.1 + 0.035 * length, 0.004),
                v(x * 1.2, 0.1 + 0.062 * length, -0.004),
                v(x * 1.25, 0.1 + 0.088 * length, -0.016),
            ]
        };
        b.tube(&curl(points), 0.0125, 0.009);
    }
    let thumb = if grip {
        [v(-0.03, 0.03, 0.0), v(-0.06, 0.055, -0.015), v(-0.05, 0.09, -0.035), v(-0.03, 0.11, -0.045)]
    } else {
        [v(-0.03, 0.03, 0.0), v(-0.06, 0.055, -0.005), v(-0.072, 0.085, -0.01), v(-0.075, 0.108, -0.014)]
    };
    b.tube(&curl(thumb), 0.015, 0.01);
    b.finish()
}

/// A forearm from the elbow at the origin along +z to the wrist, sleeved for most of its length.
pub(crate) fn forearm() -> Mesh {
    let mut b = Builder::new();
    b.facets = 10;
    b.paint(SECOND).tube(&[v(0.0, 0.0, 0.2), v(0.0, 0.0, FOREARM_LENGTH + 0.01)], 0.034, 0.027);
    // Long enough to end behind the picture however far the hand reaches.
    b.paint(OWN).tube(&[v(0.0, 0.0, -0.7), v(0.0, 0.0, 0.0), v(0.0, 0.0, 0.22)], 0.066, 0.043);
    b.finish()
}
