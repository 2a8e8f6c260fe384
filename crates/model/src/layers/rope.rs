//! Rotary position embedding: one table of cosines and sines per sequence pack, applied in place to every head.
//!
//! All uses pair feature `i` with `i + head_dim / 2` (`rotate_half`); they differ only in which coordinate turns
//! which pair. Angles are computed in f32 as the reference does, so that large positions round alike.

use candle_core::{Result, Tensor};
use firsthand_base::Position;

use crate::backend::{cpu, host};

/// Cosines and sines for the rows of a pack: `[n, head_dim / 2]` each.
#[derive(Clone, Debug)]
pub struct Rope {
    cosines: Vec<f32>,
    sines: Vec<f32>,
    half: usize,
}

impl Rope {
    /// One coordinate per row: `angle[j] = position * theta^(-2j / head_dim)`.
    pub fn sequence(positions: &[i32], head_dim: usize, theta: f64) -> Rope {
        let frequencies = frequencies(head_dim, theta);
        Rope::build(positions.len(), head_dim / 2, |i, j| positions[i] as f32 * frequencies[j])
    }

    /// Three coordinates per row (M-RoPE of Qwen2-VL and Qwen2.5-VL): the first `sections[0]` pairs turn with
    /// time, the next `sections[1]` with height, the rest with width. Sections must add up to `head_dim / 2`.
    pub fn multimodal(positions: &[Position], sections: [usize; 3], head_dim: usize, theta: f64) -> Rope {
        assert_eq!(sections.iter().sum::<usize>(), head_dim / 2, "sections of {head_dim} features");
        let frequencies = frequencies(head_dim, theta);
        let axis = |j: usize| usize::from(j >= sections[0]) + usize::from(j >= sections[0] + sections[1]);
        Rope::build(positions.len(), head_dim / 2, |i, j| positions[i][axis(j)] as f32 * frequencies[j])
    }

    /// Two coordinates per row, `[h, w]` of a patch: half of the pairs turn with each (vision towers).
    pub fn vision(coordinates: &[[i32; 2]], head_dim: usize, theta: f64) -> Rope {
        let frequencies = frequencies(head_dim / 2, theta);
        let quarter = head_dim / 4;
        Rope::build(coordinates.len(), head_dim / 2, |i, j| {
            coordinates[i][j / quarter] as f32 * frequencies[j % quarter]
        })
    }

    /// Turns every head of `x [n, heads * head_dim]` in place.
    pub fn apply(&self, x: &mut Tensor) -> Result<()> {
        self.turn(x, 1.0)
    }

    /// The backward pass of [`Rope::apply`]: turns the gradient back, in place.
    pub fn apply_inverse(&self, dx: &mut Tensor) -> Result<()> {
        self.turn(dx, -1.0)
    }

    /// Rows of the table.
    pub fn rows(&self) -> usize {
        self.cosines.len() / self.half
    }

    fn turn(&self, x: &mut Tensor, sign: f32) -> Result<()> {
        host::edit(x, |data, shape| {
            assert_eq!(shape.rows, self.rows(), "rows of the table");
            assert_eq!(shape.cols % (2 * self.half), 0, "features are whole heads");
            cpu::rope::turn(&self.cosines, &self.sines, self.half, sign, data, shape);
            Ok(())
        })
    }

    fn build(rows: usize, half: usize, angle: impl Fn(usize, usize) -> f32) -> Rope {
        let angles =
            (0..rows).flat_map(|i| (0..half).map(move |j| (i, j))).map(|(i, j)| f64::from(angle(i, j)));
        let (sines, cosines) = angles.map(|angle| (angle.sin() as f32, angle.cos() as f32)).unzip();
        Rope { cosines, sines, half }
    }
}

/// `theta^(-2j / dim)` for j in 0..dim / 2.
fn frequencies(dim: usize, theta: f64) -> Vec<f32> {
    (0..dim / 2).map(|j| (1.0 / theta.powf(2.0 * j as f64 / dim as f64)) as f32).collect()
}
