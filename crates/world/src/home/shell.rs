//! Walls, floors and ceilings as meshes, one per room, with openings where the doors are.

use super::{CEILING, DOOR_HEIGHT, DOOR_WIDTH, Door, Room, WALL};
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
    b.paint(floor).panel(v(x0, y0, 0.0), v(w, 0.0, 0.0), v(0.0, d, 0.0), [cells(w), cells(d)]);
    b.paint(rgb(244, 243, 240));
    b.panel(v(x0, y1, CEILING), v(w, 0.0, 0.0), v(0.0, -d, 0.0), [cells(w), cells(d)]);
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
    for door in doors.iter().filter(|door| door.rooms[0] == room.id) {
        threshold(&mut b, door, floor);
    }
    b.finish()
}

fn wall_with_holes(b: &mut Builder, start: Vec3, along: Vec3, length: f32, holes: &[f32], paint: Paint) {
    let cells = |length: f32| (length / 0.8).ceil().max(1.0) as usize;
    let mut from = 0.0;
    for &middle in holes.iter().chain([&(length + DOOR_WIDTH / 2.0)]) {
        let to = middle - DOOR_WIDTH / 2.0;
        if to > from {
            let side = along * (to - from);
            b.paint(paint).panel(start + along * from, side, v(0.0, 0.0, CEILING), [cells(to - from), 3]);
        }
        if middle < length {
            let above = start + along * to + v(0.0, 0.0, DOOR_HEIGHT);
            b.paint(paint.with(Texture::Plain));
            b.panel(above, along * DOOR_WIDTH, v(0.0, 0.0, CEILING - DOOR_HEIGHT), [2, 1]);
        }
        from = middle + DOOR_WIDTH / 2.0;
    }
}

/// The strip of floor between the walls of two rooms.
fn threshold(b: &mut Builder, door: &Door, paint: Paint) {
    let (w, d) = if door.along_x { (DOOR_WIDTH, 2.0 * WALL) } else { (2.0 * WALL, DOOR_WIDTH) };
    let corner = v(door.at[0] - w / 2.0, door.at[1] - d / 2.0, 0.0);
    b.paint(paint.with(Texture::Plain)).panel(corner, v(w, 0.0, 0.0), v(0.0, d, 0.0), [1, 1]);
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
