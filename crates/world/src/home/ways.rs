//! Where one can walk: a grid of free floor, shortest paths on it, and paths drawn straight. Whole-number costs and
//! a fixed order among equals, so that a path is the same everywhere.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::{DOOR_WIDTH, Door, Fixture, Rect, Room, WALL};
use crate::things::FixtureKind;

/// Side of a grid cell, metres.
const CELL: f32 = 0.2;
/// Distance that a body keeps from walls and from furniture.
const FROM_WALL: f32 = 0.2;
const FROM_FIXTURE: f32 = 0.2;
/// Distance kept from other people, and what a step nearer to one costs: a detour of two metres.
const FROM_BODY: f32 = 0.55;
const BODY_COST: u32 = 100;

#[derive(Clone, Debug)]
pub(crate) struct Ways {
    width: usize,
    height: usize,
    free: Vec<bool>,
    /// Free and connected with the greatest part of the floor.
    main: Vec<bool>,
}

impl Ways {
    pub(crate) fn new(rooms: &[Room], doors: &[Door], fixtures: &[Fixture]) -> Ways {
        let side = |i: usize| rooms.iter().map(|room| room.floor.high[i]).fold(0.0, f32::max);
        let (width, height) = ((side(0) / CELL) as usize + 1, (side(1) / CELL) as usize + 1);
        let mut ways = Ways { width, height, free: vec![false; width * height], main: Vec::new() };
        let open: Vec<Rect> = rooms
            .iter()
            .map(|room| room.floor.grown(-WALL - FROM_WALL))
            .chain(doors.iter().map(|door| passage(door, DOOR_WIDTH / 2.0 - 0.22, 0.5)))
            .collect();
        let solid: Vec<Rect> = fixtures
            .iter()
            .filter(|fixture| blocks(fixture.kind))
            .map(|fixture| fixture.footprint().grown(FROM_FIXTURE))
            .collect();
        for cell in 0..width * height {
            let p = ways.point(cell);
            ways.free[cell] = open.iter().any(|r| r.contains(p)) && !solid.iter().any(|r| r.contains(p));
        }
        ways.main = ways.largest_region();
        ways
    }

    fn point(&self, cell: usize) -> [f32; 2] {
        [((cell % self.width) as f32 + 0.5) * CELL, ((cell / self.width) as f32 + 0.5) * CELL]
    }

    fn cell(&self, p: [f32; 2]) -> Option<usize> {
        let (x, y) = (p[0] / CELL, p[1] / CELL);
        let inside = x >= 0.0 && y >= 0.0 && x < self.width as f32 && y < self.height as f32;
        inside.then(|| y as usize * self.width + x as usize)
    }

    fn neighbours(&self, cell: usize) -> impl Iterator<Item = (usize, u32)> + '_ {
        let (x, y) = ((cell % self.width) as i32, (cell / self.width) as i32);
        let open = move |x: i32, y: i32| {
            x >= 0
                && y >= 0
                && x < self.width as i32
                && y < self.height as i32
                && self.free[y as usize * self.width + x as usize]
        };
        const AROUND: [(i32, i32); 8] =
            [(1, 0), (0, 1), (-1, 0), (0, -1), (1, 1), (-1, 1), (-1, -1), (1, -1)];
        AROUND
            .into_iter()
            .filter(move |&(dx, dy)| {
                open(x + dx, y + dy) && (dx == 0 || dy == 0 || (open(x + dx, y) && open(x, y + dy)))
            })
            .map(move |(dx, dy)| {
                let next = (y + dy) as usize * self.width + (x + dx) as usize;
                (next, if dx == 0 || dy == 0 { 10 } else { 14 })
            })
    }

    fn largest_region(&self) -> Vec<bool> {
        let mut seen = vec![false; self.free.len()];
        let mut best: Vec<usize> = Vec::new();
        for start in 0..self.free.len() {
            if !self.free[start] || seen[start] {
                continue;
            }
            let mut region = vec![start];
            seen[start] = true;
            let mut next = 0;
            while next < region.len() {
                for (cell, _) in self.neighbours(region[next]) {
                    if !seen[cell] {
                        seen[cell] = true;
                        region.push(cell);
                    }
                }
                next += 1;
            }
            if region.len() > best.len() {
                best = region;
            }
        }
        let mut main = vec![false; self.free.len()];
        best.iter().for_each(|&cell| main[cell] = true);
        main
    }

    /// Whether one can stand here and get here.
    pub(crate) fn open(&self, p: [f32; 2]) -> bool {
        self.cell(p).is_some_and(|cell| self.main[cell])
    }

    /// Points to stand on within a rectangle.
    pub(crate) fn standing(&self, within: &Rect) -> Vec<[f32; 2]> {
        let bound = |i: usize, limit: usize| {
            let at = |p: f32| ((p / CELL).max(0.0) as usize).min(limit);
            at(within.low[i])..(at(within.high[i]) + 1).min(limit)
        };
        let columns = bound(0, self.width);
        bound(1, self.height)
            .flat_map(|y| columns.clone().map(move |x| y * self.width + x))
            .filter(|&cell| self.main[cell])
            .map(|cell| self.point(cell))
            .filter(|&p| within.contains(p))
            .collect()
    }

    /// A walkable path between two points that are open, around the bodies in `others` where there is room;
    /// `None` when one of the points is not open.
    pub(crate) fn path(&self, from: [f32; 2], to: [f32; 2], others: &[[f32; 2]]) -> Option<Vec<[f32; 2]>> {
        let (start, goal) = (self.cell(from)?, self.cell(to)?);
        if !self.main[start] || !self.main[goal] {
            return None;
        }
        let mut cost = vec![u32::MAX; self.free.len()];
        let mut before = vec![usize::MAX; self.free.len()];
        let mut queue = BinaryHeap::from([Reverse((0u32, start))]);
        cost[start] = 0;
        while let Some(Reverse((_, cell))) = queue.pop() {
            if cell == goal {
                break;
            }
            for (next, step) in self.neighbours(cell) {
                let through = cost[cell]
                    + step
                    + if near_any(self.point(next), others, FROM_BODY) { BODY_COST } else { 0 };
                if through < cost[next] {
                    cost[next] = through;
                    before[next] = cell;
                    queue.push(Reverse((through + self.at_least(next, goal), next)));
                }
            }
        }
        let mut cells = vec![goal];
        while let Some(&last) = cells.last().filter(|&&last| last != start) {
            cells.push(before[last]);
        }
        cells.reverse();
        let mut points: Vec<[f32; 2]> = cells.iter().map(|&cell| self.point(cell)).collect();
        points[0] = from;
        let last = points.len() - 1;
        if last == 0 {
            points.push(to);
        } else {
            points[last] = to;
        }
        Some(round(&self.straighten(&points, others)))
    }

    fn at_least(&self, a: usize, b: usize) -> u32 {
        let dx = (a % self.width).abs_diff(b % self.width) as u32;
        let dy = (a / self.width).abs_diff(b / self.width) as u32;
        10 * dx.max(dy) + 4 * dx.min(dy)
    }

    /// Drops every corner that can be cut in a straight line.
    fn straighten(&self, points: &[[f32; 2]], others: &[[f32; 2]]) -> Vec<[f32; 2]> {
        let mut kept = vec![points[0]];
        let mut at = 0;
        while at + 1 < points.len() {
            let far = (at + 2..points.len()).rev().find(|&next| self.clear(points[at], points[next], others));
            at = far.unwrap_or(at + 1);
            kept.push(points[at]);
        }
        kept
    }

    fn clear(&self, a: [f32; 2], b: [f32; 2], others: &[[f32; 2]]) -> bool {
        let length = distance(a, b);
        let steps = (length / 0.05) as usize + 1;
        (0..=steps).all(|i| {
            let t = i as f32 / steps as f32;
            let p = [a[0] + (b[0] - a[0]) * t, a[1] + (b[1] - a[1]) * t];
            self.open(p) && !near_any(p, others, FROM_BODY)
        })
    }
}

/// Whether a body cannot pass through a fixture of this kind.
pub(super) fn blocks(kind: FixtureKind) -> bool {
    use FixtureKind as F;
    !matches!(kind, F::Rug | F::Picture | F::Window | F::Doorway | F::FrontDoor)
}

/// The free floor of a doorway: half its width, and so far into both rooms.
pub(super) fn passage(door: &Door, half_width: f32, depth: f32) -> Rect {
    Rect::around(door.at, if door.along_x { [half_width, depth] } else { [depth, half_width] })
}

fn near_any(p: [f32; 2], others: &[[f32; 2]], by: f32) -> bool {
    others.iter().any(|o| (p[0] - o[0]) * (p[0] - o[0]) + (p[1] - o[1]) * (p[1] - o[1]) < by * by)
}

pub(crate) fn distance(a: [f32; 2], b: [f32; 2]) -> f32 {
    ((a[0] - b[0]) * (a[0] - b[0]) + (a[1] - b[1]) * (a[1] - b[1])).sqrt()
}

/// Rounds corners by cutting each twice (Chaikin), never more than 0.3 m from the corner.
fn round(points: &[[f32; 2]]) -> Vec<[f32; 2]> {
    let mut line = points.to_vec();
    for reach in [0.3f32, 0.12] {
        let mut next = vec![line[0]];
        for i in 1..line.len() - 1 {
            for other in [i - 1, i + 1] {
                let d = distance(line[i], line[other]).max(1e-6);
                let t = (reach / d).min(0.3);
                next.push([0, 1].map(|k| line[i][k] + (line[other][k] - line[i][k]) * t));
            }
        }
        next.push(line[line.len() - 1]);
        line = next;
    }
    line
}
