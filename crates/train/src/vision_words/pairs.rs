//! Endless pairs of frames, half a second apart, of many worlds: batch `n` is the same whenever it is asked for, so a
//! resumed run sees what an uninterrupted one would have seen. Drawn ahead on other threads.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread;

use firsthand_media::Picture;
use firsthand_world::{ClipOptions, Frame, FrameTruth, Rng, World};
use rayon::prelude::*;

use super::WorldPairs;
use super::label::{CELL, Label, Labeller};
use crate::error::{Result, TrainError};

/// A lane of a batch stays in its world for this many batches: a world takes as long to make as many frames.
const STAY: u64 = 36;
/// Share of pairs that a free camera takes: they show more things, larger, and from more sides.
const GLANCES: f32 = 0.7;
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
    let mut rng = Rng::new(world.card().seed).branch(&format!("pair {index}"));
    let spell = rng.pick(world.card().spells);
    let start = rng.span(spell.start_s, (spell.end_s - 1.0).max(spell.start_s));
    let glances = match rng.chance(GLANCES) {
        true => world.glances(spell.day, start, &mut rng, options).map_err(drawing)?,
        false => None,
    };
    let pair = match glances {
        Some(pair) => pair,
        None => {
            let frames: Vec<_> = world.clip(spell.day, start, 1.0, options).map_err(drawing)?.collect();
            frames.try_into().expect("two frames in a second at two a second")
        }
    };
    let labels = Labeller::new(world).labels(&pair);
    Ok((pair, labels))
}

fn drawing(error: firsthand_world::Error) -> TrainError {
    TrainError::Setup(format!("cannot draw frames: {error}"))
}
