//! Walls, floors and ceilings as meshes, one per room, with openings where the doors are.

use super::{CEILING, DOOR_HEIGHT, DOOR_WIDTH, Door, Room, WALL};

/// Panels reach past each other by this much: corners whose triangles do not share vertices would let single
/// pixels through.
const OVERLAP: f32 = 0.05;

use crate::math::{Vec3, v};
use crate::rng::Rng;
use crate::shape::{Builder, Mesh, Paint, Texture, rgb};
use crate::things::RoomKind;

/// The inside of a room. Colours are chosen by `rng` among pale tones no thing is named by.
pub(crate) fn shell(rng: &mut Rng, room: &Room, doors: &[Door]) -> Mesh {
    let (floor, wall) = tones(rng, room.kind);
    let mut b = Builder::new();
    let inner = room.floor.grown(-WALL);
    let [w, d] = inner.size();
    let [x0, y0] = inner.low;
    let [x1, y1] = inner.high;
    let cells = |length: f32| (length / 0.8).ceil().max(1.0) as usize;
    // Floor and ceiling run under the walls to the middle of the doorways.
    let whole = room.floor.grown(0.01);
    let ([fx, fy], [fw, fd]) = (whole.low, whole.size());
    b.paint(floor).panel(v(fx, fy, 0.0), v(fw, 0.0, 0.0), v(0.0, fd, 0.0), [cells(fw), cells(fd)]);
    b.paint(rgb(244, 243, 240));
    b.panel(v(fx, fy + fd, CEILING), v(fw, 0.0, 0.0), v(0.0, -fd, 0.0), [cells(fw), cells(fd)]);
    // Each wall from its left end as seen from inside: start, direction.
    let walls = [
        (v(x1, y0, 0.0), v(-1.0, 0.0, 0.0), w),
        (v(x1, y1, 0.0), v(0.0, -1.0, 0.0), d),
        (v(x0, y1, 0.0), v(1.0, 0.0, 0.0), w),
        (v(x0, y0, 0.0), v(0.0, 1.0, 0.0), d),
    ];
    for (start, along, length) in walls {
        let mut holes: Vec<f32> = doors
            .iter()
            .filter(|door| door.rooms.contains(&room.id))
            .filter_map(|door| {
                let to = v(door.at[0], door.at[1], 0.0) - start;
                let off = (to - along * to.dot(along)).length();
                (off < 2.0 * WALL && door.along_x == (along.y == 0.0)).then(|| to.dot(along))
            })
            .collect();
        holes.sort_by(f32::total_cmp);
        wall_with_holes(&mut b, start, along, length, &holes, wall);
    }
    b.finish()
}

fn wall_with_holes(b: &mut Builder, start: Vec3, along: Vec3, length: f32, holes: &[f32], paint: Paint) {
    let cells = |length: f32| (length / 0.8).ceil().max(1.0) as usize;
    let mut from = 0.0;
    for &middle in holes.iter().chain([&(length + DOOR_WIDTH / 2.0)]) {
        let to = middle - DOOR_WIDTH / 2.0;
        if to > from {
            let left = if from == 0.0 { -OVERLAP } else { from };
            let right = if middle > length { length + OVERLAP } else { to };
            let corner = start + along * left + v(0.0, 0.0, -OVERLAP);
            let (side, up) = (along * (right - left), v(0.0, 0.0, CEILING + 2.0 * OVERLAP));
            b.paint(paint).panel(corner, side, up, [cells(right - left), 3]);
        }
        if middle < length {
            let above = start + along * (to - OVERLAP) + v(0.0, 0.0, DOOR_HEIGHT);
            let (side, up) =
                (along * (DOOR_WIDTH + 2.0 * OVERLAP), v(0.0, 0.0, CEILING + OVERLAP - DOOR_HEIGHT));
            b.paint(paint.with(Texture::Plain)).panel(above, side, up, [2, 1]);
        }
        from = middle + DOOR_WIDTH / 2.0;
    }
}

fn tones(rng: &mut Rng, kind: RoomKind) -> (Paint, Paint) {
    let planks = [rgb(186, 150, 108), rgb(164, 126, 88), rgb(204, 176, 138)];
    let tiles = [rgb(206, 208, 206), rgb(188, 198, 204), rgb(214, 204, 190)];
    let carpets = [rgb(172, 164, 158), rgb(158, 166, 176), rgb(176, 168, 148)];
    let walls =
        [rgb(232, 224, 206), rgb(214, 226, 230), rgb(222, 230, 212), rgb(236, 218, 212), rgb(226, 222, 234)];
    let floor = match kind {
        RoomKind::Kitchen | RoomKind::Bathroom => rng.pick(&tiles).with(Texture::Tiles),
        RoomKind::Bedroom | RoomKind::Playroom => rng.pick(&carpets).with(Texture::Carpet),
        _ => rng.pick(&planks).with(Texture::Planks),
    };
    let wall = match kind {
        RoomKind::Bathroom => rgb(222, 232, 236).with(Texture::Tiles),
        RoomKind::Living | RoomKind::Bedroom => rng.pick(&walls).with(Texture::Wallpaper),
        _ => rng.pick(&walls).with(Texture::Wall),
    };
    (floor, wall)
}
