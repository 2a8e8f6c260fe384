//! Endless pairs of frames, half a second apart, of many worlds: batch `n` is the same whenever it is asked for, so a
//! resumed run sees what an uninterrupted one would have seen. Drawn ahead on other threads.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread;

use firsthand_media::Picture;
use firsthand_world::{Camera, ClipOptions, Frame, FrameTruth, Place, Vec3, World};
use rayon::prelude::*;

use super::WorldPairs;
use super::label::{CELL, Label, Labeller};
use crate::error::{Result, TrainError};

/// A lane of a batch stays in its world for this many batches: a world takes as long to make as many frames.
const STAY: u64 = 36;
/// Share of pairs that a free camera takes.
const GLANCES: f64 = 0.7;
/// Batches drawn ahead.
const AHEAD: usize = 3;

/// Pictures two by two, and a label for each merged patch of each pair.
pub struct Batch {
    /// Frames; pair `i` is `2 i` and `2 i + 1`.
    pub pictures: Vec<Picture>,
    /// `[pairs * rows * columns]`
    pub labels: Vec<Label>,
}

/// Batches in order, from a given one.
pub struct Pairs {
    batches: Receiver<Result<Batch>>,
}

impl Pairs {
    /// Starts to draw batches of `size` pairs, from number `first`.
    pub fn start(settings: &WorldPairs, size: usize, first: u64) -> Result<Pairs> {
        let [start, end] = settings.seeds;
        if start >= end {
            return Err(TrainError::Setup(format!("seeds [{start}, {end}) name no world")));
        }
        if let Some(side) = settings.size.iter().find(|&side| !side.is_multiple_of(CELL) || *side == 0) {
            return Err(TrainError::Setup(format!("size: {side} pixels are no multiple of {CELL}")));
        }
        let (sender, batches) = sync_channel(AHEAD);
        let mut studio = Studio { settings: settings.clone(), worlds: HashMap::new() };
        thread::spawn(move || {
            for number in first.. {
                // An error means that nobody listens any more.
                if sender.send(studio.batch(number, size)).is_err() {
                    return;
                }
            }
        });
        Ok(Pairs { batches })
    }

    /// The next batch.
    pub fn next_batch(&mut self) -> Result<Batch> {
        self.batches.recv().unwrap_or_else(|_| Err(TrainError::Setup("the drawing of frames stopped".into())))
    }
}

struct Studio {
    settings: WorldPairs,
    worlds: HashMap<u64, Arc<World>>,
}

impl Studio {
    fn batch(&mut self, number: u64, size: usize) -> Result<Batch> {
        let [start, end] = self.settings.seeds;
        // Lanes change worlds one after another, not all at once.
        let seed_of = |lane: u64| start + ((number + lane) / STAY * size as u64 + lane) % (end - start);
        let seeds: Vec<u64> = (0..size as u64).map(seed_of).collect();
        self.worlds.retain(|seed, _| seeds.contains(seed));
        let missing: Vec<u64> =
            seeds.iter().copied().filter(|seed| !self.worlds.contains_key(seed)).collect();
        let made: Vec<(u64, World)> = missing
            .into_par_iter()
            .map(|seed| Ok((seed, World::lived(seed, 1).map_err(drawing)?)))
            .collect::<Result<_>>()?;
        self.worlds.extend(made.into_iter().map(|(seed, world)| (seed, Arc::new(world))));
        let [width, height] = self.settings.size;
        let options = ClipOptions { width, height, rate: 2.0, ..ClipOptions::default() };
        let drawn: Vec<Drawn> = seeds
            .par_iter()
            .enumerate()
            .map(|(lane, seed)| draw(&self.worlds[seed], number * size as u64 + lane as u64, &options))
            .collect::<Result<_>>()?;
        let mut batch = Batch { pictures: Vec::new(), labels: Vec::new() };
        for (pair, labels) in drawn {
            batch.pictures.extend(pair.map(|(frame, _)| Picture { height, width, rgb: Arc::new(frame.rgb) }));
            batch.labels.extend(labels);
        }
        Ok(batch)
    }
}

/// A pair of frames and the labels of its merged patches.
type Drawn = ([(Frame, FrameTruth); 2], Vec<Label>);

fn draw(world: &World, index: u64, options: &ClipOptions) -> Result<Drawn> {
    let spells = &world.card().spells;
    let mut random = index ^ world.card().seed.rotate_left(32);
    let mut unit = || {
        random = random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = random;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) >> 11) as f64 / (1u64 << 53) as f64
    };
    let spell = spells[(unit() * spells.len() as f64) as usize];
    let start = spell.start_s + unit() * (spell.end_s - spell.start_s - 1.0).max(0.0);
    let pair = match glance(world, (spell.day, start), options, &mut unit)? {
        Some(pair) => pair,
        None => {
            let frames: Vec<_> = world.clip(spell.day, start, 1.0, options).map_err(drawing)?.collect();
            frames.try_into().expect("two frames in a second at two a second")
        }
    };
    let labels = Labeller::new(world).labels(&pair);
    Ok((pair, labels))
}

/// Mostly not the wearer's view but one from before a random object, near it or some steps back: more things, larger,
/// and from more sides. Half of these pairs are one frame twice, as a picture is; in the others the camera moves.
fn glance(
    world: &World,
    (day, time_s): (u32, f64),
    options: &ClipOptions,
    unit: &mut impl FnMut() -> f64,
) -> Result<Option<[(Frame, FrameTruth); 2]>> {
    let object = world.objects()[(unit() * world.objects().len() as f64) as usize].id;
    let Some(Place::Resting(slot)) = world.place(object, day, time_s) else { return Ok(None) };
    if unit() > GLANCES {
        return Ok(None);
    }
    let slot = &world.home.slots[slot];
    let mut range = |low: f64, high: f64| (low + unit() * (high - low)) as f32;
    let floor = &world.home.rooms[usize::from(slot.room)].floor;
    // From where one stands to reach it, nearer by up to 0.2 m or back by up to 1.6, aside by up to 0.6.
    let away = [slot.stand[0] - slot.at.x, slot.stand[1] - slot.at.y];
    let length = away[0].hypot(away[1]).max(0.1);
    let (back, aside) = (range(-0.2, 1.6), range(-0.6, 0.6));
    let at = [0, 1].map(|i| {
        let across = [-away[1], away[0]][i] / length;
        let p = slot.stand[i] + away[i] / length * back + across * aside;
        p.clamp(floor.low[i] + 0.25, floor.high[i] - 0.25)
    });
    let eye = Vec3 { x: at[0], y: at[1], z: range(1.2, 1.75) };
    let aim = Vec3 { x: slot.at.x - eye.x, y: slot.at.y - eye.y, z: slot.at.z - eye.z };
    let camera = Camera {
        at: eye,
        yaw: aim.y.atan2(aim.x) + range(-0.4, 0.4),
        pitch: (aim.z.atan2(aim.x.hypot(aim.y)) + range(-0.25, 0.35)).clamp(-1.1, 0.4),
        roll: range(-0.04, 0.04),
        field_of_view: options.field_of_view.to_radians(),
    };
    let (turn, ahead) = (range(-0.4, 0.4), range(-0.1, 0.4));
    let still = range(0.0, 1.0) < 0.5;
    let second = world.glance(day, time_s, camera, options).map_err(drawing)?;
    if still {
        return Ok(Some([second.clone(), second]));
    }
    let before = Camera {
        yaw: camera.yaw - turn,
        at: Vec3 { x: eye.x - ahead * camera.yaw.cos(), y: eye.y - ahead * camera.yaw.sin(), z: eye.z },
        ..camera
    };
    let first = world.glance(day, time_s, before, options).map_err(drawing)?;
    Ok(Some([first, second]))
}

fn drawing(error: firsthand_world::Error) -> TrainError {
    TrainError::Setup(format!("cannot draw frames: {error}"))
}
