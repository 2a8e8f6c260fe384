//! Laws of the renderer on small scenes: a closed surface has no gaps, nearer hides farther, sizes follow distance.

use super::*;
use crate::math::Pose;
use crate::shape::{Builder, OWN};

fn looking_north() -> Camera {
    Camera { at: v(0.0, 0.0, 1.0), yaw: crate::math::PI / 2.0, pitch: 0.0, roll: 0.0, field_of_view: 1.4 }
}

fn mesh(build: impl FnOnce(&mut Builder)) -> Mesh {
    let mut b = Builder::new();
    b.paint(OWN);
    build(&mut b);
    b.finish()
}

fn draw(instances: Vec<Instance<'_>>) -> Frame {
    let lights = vec![Light { ambient: [1.0; 3], lamps: Vec::new() }];
    let stage = Stage { view: looking_north().view(), lights, instances, blobs: Vec::new() };
    Renderer::default().draw(&stage, 64, 48, 1)
}

fn at(mesh: &Mesh, id: u16, x: f32, y: f32, z: f32) -> Instance<'_> {
    Instance { mesh, pose: Pose::shift(x, y, z), own: [200; 3], second: [0; 3], id: ThingId(id), light: 0 }
}

#[test]
fn a_wall_of_many_triangles_that_leaves_the_picture_covers_every_pixel() {
    let wall = mesh(|b| b.panel(v(-9.0, 0.0, -7.0), v(18.0, 0.0, 0.0), v(0.0, 0.0, 16.0), [23, 17]));
    let frame = draw(vec![at(&wall, 9, 0.0, 2.0, 0.0)]);
    assert!(frame.ids.iter().all(|&id| id == 9));
    assert!(frame.depth.iter().all(|d| (d - 2.0).abs() < 1e-3));
}

#[test]
fn the_inside_of_a_box_closes_around_the_camera() {
    let room = mesh(|b| {
        b.panel(v(-2.0, -2.0, 0.0), v(4.0, 0.0, 0.0), v(0.0, 4.0, 0.0), [3, 3]);
        b.panel(v(-2.0, 2.0, 2.5), v(4.0, 0.0, 0.0), v(0.0, -4.0, 0.0), [3, 3]);
        b.panel(v(-2.0, 2.0, 0.0), v(4.0, 0.0, 0.0), v(0.0, 0.0, 2.5), [3, 2]);
        b.panel(v(-2.0, -2.0, 0.0), v(0.0, 4.0, 0.0), v(0.0, 0.0, 2.5), [3, 2]);
        b.panel(v(2.0, 2.0, 0.0), v(0.0, -4.0, 0.0), v(0.0, 0.0, 2.5), [3, 2]);
    });
    let frame = draw(vec![at(&room, 5, 0.0, 0.0, 0.0)]);
    assert!(frame.ids.iter().all(|&id| id == 5));
}

#[test]
fn nearer_hides_farther_in_any_order_and_looks_larger() {
    let cube = mesh(|b| b.cuboid(Vec3::default(), v(0.4, 0.4, 0.4)));
    let count = |frame: &Frame, id: u16| frame.ids.iter().filter(|&&i| i == id).count();
    let both = draw(vec![at(&cube, 1, 0.0, 4.2, 1.0), at(&cube, 2, 0.0, 2.2, 1.0)]);
    let swapped = draw(vec![at(&cube, 2, 0.0, 2.2, 1.0), at(&cube, 1, 0.0, 4.2, 1.0)]);
    assert_eq!(both, swapped);
    assert_eq!(count(&both, 1), 0);
    let far = count(&draw(vec![at(&cube, 1, 0.0, 4.2, 1.0)]), 1);
    // Front faces at 2 m and 4 m: a quarter of the area, to within the outline.
    let ratio = count(&both, 2) as f32 / far as f32;
    assert!((3.0..5.0).contains(&ratio), "{ratio}");
}

#[test]
fn surfaces_facing_away_are_not_drawn_and_projection_agrees_with_drawing() {
    let panel = mesh(|b| b.panel(v(-0.5, 0.0, 0.0), v(1.0, 0.0, 0.0), v(0.0, 0.0, 1.0), [1, 1]));
    let away = Pose { at: v(0.0, 2.0, 0.5), ..Pose::upright(Vec3::default(), crate::math::PI) };
    let frame = draw(vec![Instance { pose: away, ..at(&panel, 1, 0.0, 0.0, 0.0) }]);
    assert!(frame.ids.iter().all(|&id| id == 0));
    let facing = draw(vec![at(&panel, 1, 0.3, 2.0, 0.5)]);
    let view = looking_north();
    let ([left, bottom], _) = view.project(v(-0.2, 2.0, 0.5), 64, 48).expect("in front");
    let ([right, top], _) = view.project(v(0.8, 2.0, 1.5), 64, 48).expect("in front");
    for y in 0..48 {
        for x in 0..64 {
            let (cx, cy) = (x as f32 + 0.5, y as f32 + 0.5);
            let inside = cx > left && cx < right && cy > top && cy < bottom;
            let edge = [cx - left, cx - right].iter().chain(&[cy - top, cy - bottom]).any(|d| d.abs() < 0.1);
            assert!(edge || inside == (facing.ids[y * 64 + x] == 1), "{x} {y}");
        }
    }
}
