//! Laws of the shapes: each stands on its base and has the size it is said to have, and no two kinds of object look
//! alike even without colour.

use super::*;
use crate::render::{Camera, Instance, Lamp, Light, Renderer, Stage};
use crate::things::{Bulk, FixtureKind, ObjectKind, ThingId};

fn object(kind: ObjectKind) -> Mesh {
    tableware(kind).or_else(|| household(kind, false)).unwrap_or_else(|| panic!("{kind:?} has no shape"))
}

fn sound(name: &str, mesh: &Mesh) {
    assert!(mesh.vertices.iter().all(|p| (p.normal.length() - 1.0).abs() < 1e-3), "{name}: normals");
    assert!(
        mesh.vertices.iter().all(|p| (p.at - mesh.centre).length() <= mesh.radius + 1e-5),
        "{name}: sphere"
    );
    assert!(!mesh.triangles.is_empty() && mesh.triangles.len() < 3000, "{name}: {}", mesh.triangles.len());
    let within = |i: u32| (i as usize) < mesh.vertices.len();
    assert!(mesh.triangles.iter().all(|(corners, paint)| {
        corners.iter().all(|&i| within(i)) && usize::from(*paint) < mesh.paints.len()
    }));
}

#[test]
fn every_shape_stands_on_its_base_with_the_size_it_is_said_to_have() {
    for &kind in ObjectKind::ALL {
        let mesh = object(kind);
        sound(kind.name(), &mesh);
        assert!(mesh.low.z > -0.012, "{kind:?} sinks to {}", mesh.low.z);
        assert!(mesh.low.z < 0.012, "{kind:?} floats at {}", mesh.low.z);
        let longest = (mesh.high.x - mesh.low.x).max(mesh.high.y - mesh.low.y).max(mesh.high.z);
        assert!((0.08..1.0).contains(&longest), "{kind:?} is {longest} m long");
        let [width, depth] = [mesh.high.x - mesh.low.x, mesh.high.y - mesh.low.y];
        assert!(
            (mesh.low.x + mesh.high.x).abs() < 1e-4 && (mesh.low.y + mesh.high.y).abs() < 1e-4,
            "{kind:?}"
        );
        // Resting places are some 0.4 m apart on surfaces and lie along walls on the floor.
        let fits = match kind.facts().bulk {
            Bulk::Small => width <= 0.46 && depth <= 0.4,
            Bulk::Large | Bulk::Floor => width <= 0.85 && depth <= 0.45,
        };
        assert!(fits, "{kind:?} is {width} by {depth} m");
    }
    for &kind in FixtureKind::ALL {
        for on in [false, true] {
            let mesh = fixture(kind, on);
            sound(kind.name(), &mesh);
            let [w, d, h] = kind.facts().size;
            // Doors that swing, handles and sills reach out; nothing shrinks.
            let swing = if on { 0.9 } else { 0.2 };
            assert!(
                mesh.high.x - mesh.low.x < w + 2.0 * swing && mesh.high.x - mesh.low.x > w * 0.7,
                "{kind:?}"
            );
            assert!(mesh.high.y - mesh.low.y < d + swing && mesh.high.y - mesh.low.y > d * 0.55, "{kind:?}");
            assert!((mesh.high.z - h).abs() < 1.12 && mesh.high.z > h * 0.6, "{kind:?}: {}", mesh.high.z);
        }
    }
}

/// A small grey picture of a shape, seen from before and above, filling the frame.
fn portrait(mesh: &Mesh) -> Vec<u8> {
    seen_from(mesh, v(-0.35, -1.0, 0.6))
}

fn seen_from(mesh: &Mesh, towards: Vec3) -> Vec<u8> {
    let towards = towards.unit();
    let eye = mesh.centre + towards * mesh.radius * 2.9;
    let (level, side) = ((towards.x * towards.x + towards.y * towards.y).sqrt(), -towards);
    let camera = Camera {
        at: eye,
        yaw: crate::math::atan2(side.y, side.x),
        pitch: crate::math::atan2(side.z, level),
        roll: 0.0,
        field_of_view: 0.75,
    };
    let lamp = Lamp { at: eye + v(1.0, 0.5, 2.0), rgb: [0.9; 3] };
    let instance =
        Instance { mesh, pose: Pose::IDENTITY, own: [150; 3], second: [150; 3], id: ThingId(1), light: 0 };
    let stage = Stage {
        view: camera.view(),
        lights: vec![Light { ambient: [0.5; 3], lamps: vec![lamp] }],
        instances: vec![instance],
        blobs: Vec::new(),
    };
    Renderer::default().draw(&stage, 32, 32, 2).rgb
}

#[test]
fn no_two_kinds_of_object_look_alike_without_colour() {
    let portraits: Vec<_> = ObjectKind::ALL.iter().map(|&kind| (kind, portrait(&object(kind)))).collect();
    for (i, (a, one)) in portraits.iter().enumerate() {
        for (b, other) in &portraits[i + 1..] {
            let sum: u32 = one.iter().zip(other).map(|(x, y)| u32::from(x.abs_diff(*y))).sum();
            let mean = sum as f32 / one.len() as f32;
            assert!(mean > 6.0, "{a:?} and {b:?} differ by {mean} levels on average");
        }
    }
}

#[test]
fn no_two_letters_look_alike_from_the_front() {
    for light in [false, true] {
        let meshes: Vec<Mesh> = (0..SIGNS.len()).map(|letter| picture(letter, light)).collect();
        let front = |mesh: &Mesh| seen_from(mesh, v(0.0, 1.0, 0.0));
        let views: Vec<Vec<u8>> = meshes.iter().map(front).collect();
        for (i, one) in views.iter().enumerate() {
            for (j, other) in views.iter().enumerate().skip(i + 1) {
                let differ = one.iter().zip(other).filter(|(a, b)| a.abs_diff(**b) > 40).count();
                assert!(differ > 30, "{} and {} differ in {differ} values", SIGNS[i], SIGNS[j]);
            }
        }
    }
}

#[test]
fn two_states_of_a_kind_look_different() {
    for &kind in ObjectKind::ALL.iter().filter(|kind| kind.states().is_some()) {
        let [off, on] = [false, true].map(|on| portrait(&household(kind, on).expect("has a shape")));
        let sum: u32 = off.iter().zip(&on).map(|(x, y)| u32::from(x.abs_diff(*y))).sum();
        assert!(sum as usize > 4 * off.len(), "{kind:?}: {sum}");
    }
}
