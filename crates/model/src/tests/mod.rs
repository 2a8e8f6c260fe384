//! The model against the reference's exported stages, against laws that need no reference, and against broken
//! checkpoints. All on the tiny checkpoints of `golden`.

mod adapter;
mod bad;
mod bert;
mod golden;
mod laws;
pub(crate) mod made;
mod parameters;
mod quantised;
mod rollouts;
mod training;

use std::sync::Arc;

use firsthand_base::{Digest, ModelInput, Patches, VisionItem, VisionKind};
use firsthand_golden::{Fixture, Medium, checkpoint};

use crate::{Dtype, LoadOptions, Model};

/// A tiny checkpoint in f32.
fn load(family: &str) -> Model {
    load_as(family, Dtype::F32)
}

fn load_as(family: &str, dtype: Dtype) -> Model {
    Model::load(&checkpoint(family), &LoadOptions { dtype, ..LoadOptions::default() }).unwrap()
}

/// The arrays of one case, as `input` would make them. `prefix` names a row of a batch, or is empty.
fn input(family: &str, fixture: &Fixture, prefix: &str) -> ModelInput {
    let ids: Vec<u32> = fixture.i64(&format!("{prefix}input_ids")).into_iter().map(|id| id as u32).collect();
    let flat = fixture.i64(&format!("{prefix}position_ids"));
    let axis = |axis: usize| if flat.len() == ids.len() { &flat[..] } else { &flat[axis * ids.len()..] };
    let positions =
        (0..ids.len()).map(|i| [axis(0)[i] as i32, axis(1)[i] as i32, axis(2)[i] as i32]).collect();
    let mut vision = Vec::new();
    for (kind, medium, grids, token) in [
        (VisionKind::Image, Medium::Image, "image_grid_thw", "image_token_id"),
        (VisionKind::Video, Medium::Video, "video_grid_thw", "video_token_id"),
    ] {
        let grids = format!("{prefix}{grids}");
        if !fixture.has(&grids) {
            continue;
        }
        let row = prefix.strip_prefix("row.").map(|row| row.trim_end_matches('.').parse().unwrap());
        let patches = match row {
            Some(row) => fixture.row_pixel_values(row, medium).unwrap(),
            None => fixture.pixel_values(medium).unwrap(),
        };
        let mut spans = runs(&ids, token_id(family, token)).into_iter();
        let mut first = 0;
        for grid in fixture.i64(&grids).chunks_exact(3) {
            let grid = [grid[0] as usize, grid[1] as usize, grid[2] as usize];
            let len = grid.iter().product::<usize>() * 3 * 2 * 14 * 14;
            let mut key = [vision.len() as u8; 32];
            key[31] = 1;
            vision.push(VisionItem {
                kind,
                grid,
                patches: Arc::new(Patches::of_values(&patches[first..first + len], 2 * 14 * 14)),
                key: Digest(key),
                span: spans.next().unwrap(),
            });
            first += len;
        }
        assert_eq!((first, spans.next()), (patches.len(), None));
    }
    vision.sort_by_key(|item| item.span.start);
    ModelInput { ids, positions, vision }
}

fn token_id(family: &str, name: &str) -> u32 {
    let text = fs_err::read_to_string(checkpoint(family).join("config.json")).unwrap();
    let config: serde_json::Value = serde_json::from_str(&text).unwrap();
    config[name].as_u64().unwrap() as u32
}

/// Runs of one id.
fn runs(ids: &[u32], id: u32) -> Vec<std::ops::Range<usize>> {
    let mut runs: Vec<std::ops::Range<usize>> = Vec::new();
    for (i, _) in ids.iter().enumerate().filter(|&(_, &other)| other == id) {
        match runs.last_mut() {
            Some(run) if run.end == i => run.end += 1,
            _ => runs.push(i..i + 1),
        }
    }
    runs
}

fn flat(tensor: &candle_core::Tensor) -> Vec<f32> {
    tensor.flatten_all().unwrap().to_vec1().unwrap()
}
