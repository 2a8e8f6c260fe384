//! Laws of every home: rooms tile the plan, every resting place can be walked to, nothing stands in a doorway.

use super::*;

fn homes() -> impl Iterator<Item = (u64, Home)> {
    (0..25).map(|seed| (seed, Home::new(&Rng::new(seed), 8)))
}

#[test]
fn rooms_tile_the_plan_without_overlap() {
    for (seed, home) in homes() {
        let area = |r: &Rect| r.size()[0] * r.size()[1];
        let high = |i: usize| home.rooms.iter().map(|r| r.floor.high[i]).fold(0.0, f32::max);
        let sum: f32 = home.rooms.iter().map(|r| area(&r.floor)).sum();
        assert!((sum - high(0) * high(1)).abs() < 0.01, "seed {seed}: {sum}");
        for (i, a) in home.rooms.iter().enumerate() {
            for b in &home.rooms[i + 1..] {
                assert!(!a.floor.grown(-0.01).overlaps(&b.floor), "seed {seed}");
                assert_ne!(a.kind, b.kind, "seed {seed}");
            }
        }
    }
}

#[test]
fn every_resting_place_can_be_walked_to() {
    for (seed, home) in homes() {
        assert!(home.slots.len() >= 45, "seed {seed}: only {} resting places", home.slots.len());
        let start = home.slots[0].stand;
        for slot in &home.slots {
            let path =
                home.ways.path(start, slot.stand, &[]).unwrap_or_else(|| panic!("seed {seed}: {slot:?}"));
            assert_eq!(*path.first().unwrap(), start);
            assert_eq!(*path.last().unwrap(), slot.stand);
            assert!(ways::distance(slot.stand, [slot.at.x, slot.at.y]) < 1.0);
        }
    }
}

#[test]
fn furniture_keeps_out_of_walls_doors_and_each_other() {
    for (seed, home) in homes() {
        let solid: Vec<_> = home.fixtures.iter().filter(|f| ways::blocks(f.kind)).collect();
        assert!(solid.len() >= 14, "seed {seed}: only {} pieces of furniture", solid.len());
        for (i, a) in solid.iter().enumerate() {
            let room = &home.rooms[usize::from(a.room)].floor;
            assert!(a.footprint().inside(&room.grown(-0.05)), "seed {seed}: {:?} in a wall", a.kind);
            for door in &home.doors {
                assert!(!ways::passage(door, 0.5, 0.6).overlaps(&a.footprint()), "seed {seed}: {:?}", a.kind);
            }
            for b in &solid[i + 1..] {
                assert!(!a.footprint().overlaps(&b.footprint()), "seed {seed}: {:?} {:?}", a.kind, b.kind);
            }
        }
    }
}

#[test]
fn a_path_goes_around_a_body_where_there_is_room() {
    let (mut around, mut through) = (0, 0);
    for (_, home) in homes() {
        let (from, to) = (home.slots[0].stand, home.slots[home.slots.len() - 1].stand);
        let straight = home.ways.path(from, to, &[]).unwrap();
        let body = straight[straight.len() / 2];
        let path = home.ways.path(from, to, &[body]).unwrap();
        let near = path.iter().any(|p| ways::distance(*p, body) < 0.3);
        let ends = [from, to].iter().any(|p| ways::distance(*p, body) < 0.8);
        *(if near && !ends { &mut through } else { &mut around }) += 1;
    }
    assert!(around > 2 * through, "{around} around, {through} through");
}
