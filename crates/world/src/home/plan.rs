//! The floor plan: a rectangle cut into rooms by straight walls, joined by doors so that every room can be reached.

use super::{Door, Rect, Room, RoomId};
use crate::rng::Rng;
use crate::things::{RoomKind, ThingId};

/// All walls lie on this grid, metres.
const UNIT: f32 = 0.2;
/// Least side of a room, in units.
const LEAST: i32 = 13;

#[derive(Clone, Copy)]
struct Cell {
    x0: i32,
    y0: i32,
    x1: i32,
    y1: i32,
}

impl Cell {
    fn area(&self) -> i32 {
        (self.x1 - self.x0) * (self.y1 - self.y0)
    }
}

/// Rooms and the doors between them. Door ids are given when the catalogue is made.
pub(super) fn plan(rng: &mut Rng) -> (Vec<Room>, Vec<Door>) {
    let (cells, doors) = loop {
        let cells = cut(rng);
        if cells.len() >= 5
            && let Some(doors) = doors(rng, &cells)
        {
            break (cells, doors);
        }
    };
    let kinds = kinds(rng, &cells);
    let rooms = cells
        .iter()
        .zip(kinds)
        .enumerate()
        .map(|(id, (cell, kind))| {
            let at = |x: i32, y: i32| [x as f32 * UNIT, y as f32 * UNIT];
            Room {
                id: id as RoomId,
                kind,
                floor: Rect { low: at(cell.x0, cell.y0), high: at(cell.x1, cell.y1) },
            }
        })
        .collect();
    (rooms, doors)
}

/// Halves the largest room until there are enough.
fn cut(rng: &mut Rng) -> Vec<Cell> {
    let (width, depth) = (50 + rng.below(14) as i32, 40 + rng.below(10) as i32);
    let mut cells = vec![Cell { x0: 0, y0: 0, x1: width, y1: depth }];
    let wanted = 5 + rng.below(3);
    while cells.len() < wanted {
        let wide = |cell: &Cell| (cell.x1 - cell.x0).max(cell.y1 - cell.y0) >= 2 * LEAST;
        let largest = (0..cells.len()).filter(|&i| wide(&cells[i])).max_by_key(|&i| (cells[i].area(), i));
        let Some(index) = largest else { break };
        let cell = cells.swap_remove(index);
        let (w, d) = (cell.x1 - cell.x0, cell.y1 - cell.y0);
        let side = w.max(d);
        let share = rng.range(0.36, 0.64);
        let at = ((side as f32 * share) as i32).clamp(LEAST, side - LEAST);
        let (mut a, mut b) = (cell, cell);
        if w >= d {
            (a.x1, b.x0) = (cell.x0 + at, cell.x0 + at);
        } else {
            (a.y1, b.y0) = (cell.y0 + at, cell.y0 + at);
        }
        cells.extend([a, b]);
    }
    cells
}

/// The largest room to live in, the smallest to wash in, the others by chance.
fn kinds(rng: &mut Rng, cells: &[Cell]) -> Vec<RoomKind> {
    let mut order: Vec<usize> = (0..cells.len()).collect();
    order.sort_by_key(|&i| (cells[i].area(), i));
    let mut middle =
        [RoomKind::Kitchen, RoomKind::Bedroom, RoomKind::Hall, RoomKind::Study, RoomKind::Playroom]
            [..cells.len() - 2]
            .to_vec();
    rng.shuffle(&mut middle);
    let mut kinds = vec![RoomKind::Living; cells.len()];
    kinds[order[0]] = RoomKind::Bathroom;
    for (&i, kind) in order[1..].iter().zip(middle) {
        kinds[i] = kind;
    }
    kinds
}

/// The shared stretch of wall of two rooms: a point of it as (fixed, from, to) in units, and its direction.
fn shared(a: &Cell, b: &Cell) -> Option<(i32, i32, i32, bool)> {
    let (x0, x1) = (a.x0.max(b.x0), a.x1.min(b.x1));
    let (y0, y1) = (a.y0.max(b.y0), a.y1.min(b.y1));
    // A door of five units wants a unit of wall, and the inset of the walls, on both sides.
    if (a.y1 == b.y0 || b.y1 == a.y0) && x1 - x0 >= 9 {
        return Some((if a.y1 == b.y0 { a.y1 } else { a.y0 }, x0, x1, true));
    }
    if (a.x1 == b.x0 || b.x1 == a.x0) && y1 - y0 >= 9 {
        return Some((if a.x1 == b.x0 { a.x1 } else { a.x0 }, y0, y1, false));
    }
    None
}

/// A random spanning tree of the rooms, and now and then one door more; `None` where some room cannot be reached.
fn doors(rng: &mut Rng, cells: &[Cell]) -> Option<Vec<Door>> {
    let mut pairs = Vec::new();
    for a in 0..cells.len() {
        for b in a + 1..cells.len() {
            if let Some(wall) = shared(&cells[a], &cells[b]) {
                pairs.push((a, b, wall));
            }
        }
    }
    rng.shuffle(&mut pairs);
    let mut group: Vec<usize> = (0..cells.len()).collect();
    let mut spare = 2;
    let mut doors = Vec::new();
    for (a, b, (fixed, from, to, along_x)) in pairs {
        let (ga, gb) = (group[a], group[b]);
        if ga == gb {
            if spare == 0 || !rng.chance(0.4) {
                continue;
            }
            spare -= 1;
        }
        group.iter_mut().filter(|g| **g == gb).for_each(|g| *g = ga);
        let along = (from as f32 + rng.range(4.5, (to - from) as f32 - 4.5)).round() * UNIT;
        let fixed = fixed as f32 * UNIT;
        let at = if along_x { [along, fixed] } else { [fixed, along] };
        doors.push(Door { id: ThingId::BUILDING, rooms: [a as RoomId, b as RoomId], at, along_x });
    }
    group.iter().all(|&g| g == group[0]).then_some(doors)
}
