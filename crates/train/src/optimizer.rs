//! AdamW with decoupled weight decay: f32 moments, and f32 master weights for parameters that the model stores
//! in bf16. In place, on all threads. Which parameters are trained and how fast is the caller's decision; so is
//! the guard against steps that are not finite (`guard`).
//!
//! Every sum has a fixed order, so that a step gives the same bits whatever the threads do.

use std::collections::BTreeMap;

use candle_core::{CpuStorage, Storage, Tensor};
use pulp::Arch;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::error::{Result, TrainError};

/// Elements that one thread works on at a time; also the length of a partial sum.
const CHUNK: usize = 1 << 14;

/// The constants of AdamW.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct AdamW {
    /// Decay of the first moment.
    pub beta1: f64,
    /// Decay of the second moment.
    pub beta2: f64,
    /// Keeps the division finite.
    pub epsilon: f64,
}

/// What AdamW remembers of one parameter.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Memory {
    /// Running mean of the gradient.
    pub first: Vec<f32>,
    /// Running mean of its square.
    pub second: Vec<f32>,
    /// The weights in f32, where the model rounds them.
    pub master: Option<Vec<f32>>,
}

/// How one parameter moves in one step.
#[derive(Clone, Copy, Debug)]
pub struct Move {
    /// Learning rate.
    pub rate: f64,
    /// Weight decay; 0 for norms and biases.
    pub decay: f64,
    /// What gradients are multiplied with: below 1 where they were clipped.
    pub scale: f64,
}

/// The optimizer of one phase.
#[derive(Clone, Debug)]
pub struct Optimizer {
    settings: AdamW,
    /// Steps taken; skipped ones do not count.
    pub steps: u64,
    /// By checkpoint key.
    pub memory: BTreeMap<String, Memory>,
}

/// One element's constants, computed once a step.
#[derive(Clone, Copy)]
struct Factors {
    keep: f32,
    beta1: f32,
    beta2: f32,
    rate: f32,
    root: f32,
    epsilon: f32,
    scale: f32,
}

impl Optimizer {
    /// Nothing remembered yet.
    pub fn new(settings: AdamW) -> Self {
        Optimizer { settings, steps: 0, memory: BTreeMap::new() }
    }

    /// Counts one more step; to be called before the parameters of that step are moved.
    pub fn begin_step(&mut self) {
        self.steps += 1;
    }

    /// Moves one parameter against its gradient. Zero moments are made when it is first seen.
    pub fn update(&mut self, key: &str, how: Move, weights: &mut [f32], gradient: &[f32]) {
        assert_eq!(weights.len(), gradient.len(), "{key}: weights and gradient");
        let factors = self.factors(how);
        let memory = self.memory.entry(key.to_owned()).or_default();
        memory.first.resize(weights.len(), 0.0);
        memory.second.resize(weights.len(), 0.0);
        update(factors, weights, gradient, &mut memory.first, &mut memory.second);
    }

    /// As [`Optimizer::update`] for a parameter that the model stores rounded: moves the master, which `read`
    /// gives at first, and returns it.
    pub fn update_master(
        &mut self,
        key: &str,
        how: Move,
        read: impl FnOnce() -> Result<Vec<f32>>,
        gradient: &[f32],
    ) -> Result<&[f32]> {
        let memory = self.memory.entry(key.to_owned()).or_default();
        let mut master = match memory.master.take() {
            Some(master) => master,
            None => read()?,
        };
        self.update(key, how, &mut master, gradient);
        let memory = self.memory.get_mut(key).expect("made above");
        Ok(memory.master.insert(master))
    }

    fn factors(&self, how: Move) -> Factors {
        let AdamW { beta1, beta2, epsilon } = self.settings;
        let steps = i32::try_from(self.steps.max(1)).unwrap_or(i32::MAX);
        Factors {
            keep: (1.0 - how.rate * how.decay) as f32,
            beta1: beta1 as f32,
            beta2: beta2 as f32,
            rate: (how.rate / (1.0 - beta1.powi(steps))) as f32,
            root: (1.0 / (1.0 - beta2.powi(steps)).sqrt()) as f32,
            epsilon: epsilon as f32,
            scale: how.scale as f32,
        }
    }
}

fn update(factors: Factors, weights: &mut [f32], gradient: &[f32], first: &mut [f32], second: &mut [f32]) {
    let arch = Arch::new();
    let parts = weights.par_chunks_mut(CHUNK).zip(gradient.par_chunks(CHUNK));
    let moments = first.par_chunks_mut(CHUNK).zip(second.par_chunks_mut(CHUNK));
    parts.zip(moments).for_each(|((weights, gradient), (first, second))| {
        arch.dispatch(|| update_chunk(factors, weights, gradient, first, second));
    });
}

#[inline(always)]
fn update_chunk(f: Factors, weights: &mut [f32], gradient: &[f32], first: &mut [f32], second: &mut [f32]) {
    let moments = first.iter_mut().zip(second);
    for ((w, &g), (m, v)) in weights.iter_mut().zip(gradient).zip(moments) {
        let g = g * f.scale;
        *m = f.beta1 * *m + (1.0 - f.beta1) * g;
        *v = f.beta2 * *v + (1.0 - f.beta2) * g * g;
        let step = *m / (v.sqrt() * f.root + f.epsilon);
        *w = f.keep * *w - f.rate * step;
    }
}

/// The length of all gradients as one vector; NaN or infinite if any element is.
pub fn global_norm<'a>(gradients: impl IntoIterator<Item = &'a Tensor>) -> Result<f64> {
    let mut total = 0.0;
    for gradient in gradients {
        total += with_slice(gradient, |values| {
            let sums: Vec<f64> = values.par_chunks(CHUNK).map(sum_of_squares).collect();
            sums.iter().sum::<f64>()
        })?;
    }
    Ok(total.sqrt())
}

fn sum_of_squares(values: &[f32]) -> f64 {
    Arch::new().dispatch(|| {
        const LANES: usize = 16;
        let mut lanes = [0f64; LANES];
        let whole = values.chunks_exact(LANES);
        let rest = whole.remainder();
        for group in whole {
            for (lane, &value) in lanes.iter_mut().zip(group) {
                *lane += f64::from(value) * f64::from(value);
            }
        }
        for (lane, &value) in lanes.iter_mut().zip(rest) {
            *lane += f64::from(value) * f64::from(value);
        }
        lanes.iter().sum()
    })
}

/// What gradients of length `norm` are multiplied with so that they are no longer than `most`.
pub fn clip(norm: f64, most: Option<f64>) -> f64 {
    match most {
        Some(most) if norm > most => most / norm,
        _ => 1.0,
    }
}

/// Adds `more` to `sum`, key by key; a key that is new moves over.
pub fn accumulate(sum: &mut BTreeMap<String, Tensor>, more: BTreeMap<String, Tensor>) -> Result<()> {
    for (key, gradient) in more {
        let both = match sum.remove(&key) {
            None => gradient,
            Some(known) => (known + gradient)?,
        };
        sum.insert(key, both);
    }
    Ok(())
}

/// Opens a contiguous f32 tensor as a slice.
pub fn with_slice<R>(tensor: &Tensor, read: impl FnOnce(&[f32]) -> R) -> Result<R> {
    let (storage, layout) = tensor.storage_and_layout();
    let (Storage::Cpu(CpuStorage::F32(values)), Some((start, end))) =
        (&*storage, layout.contiguous_offsets())
    else {
        return Err(TrainError::Setup(format!(
            "a gradient of shape {:?} is not a contiguous f32 tensor",
            tensor.dims()
        )));
    };
    Ok(read(&values[start..end]))
}

#[cfg(test)]
mod tests {
    use candle_core::Device;

    use super::*;

    const SETTINGS: AdamW = AdamW { beta1: 0.9, beta2: 0.999, epsilon: 1e-8 };

    fn tensor(values: &[f32]) -> Tensor {
        Tensor::from_slice(values, values.len(), &Device::Cpu).unwrap()
    }

    /// The published algorithm in f64, one element at a time.
    fn reference(weight: f64, gradients: &[f64], how: Move) -> f64 {
        let (mut w, mut m, mut v) = (weight, 0.0, 0.0);
        for (step, gradient) in gradients.iter().enumerate() {
            let g = gradient * how.scale;
            let t = step as i32 + 1;
            w -= how.rate * how.decay * w;
            m = 0.9 * m + 0.1 * g;
            v = 0.999 * v + 0.001 * g * g;
            let (m_hat, v_hat) = (m / (1.0 - 0.9f64.powi(t)), v / (1.0 - 0.999f64.powi(t)));
            w -= how.rate * m_hat / (v_hat.sqrt() + 1e-8);
        }
        w
    }

    #[test]
    fn steps_follow_the_published_algorithm() {
        for how in [
            Move { rate: 1e-2, decay: 0.0, scale: 1.0 },
            Move { rate: 1e-3, decay: 0.1, scale: 1.0 },
            Move { rate: 0.1, decay: 0.5, scale: 0.25 },
        ] {
            let start: Vec<f32> = (0..40_000).map(|i| (i as f32 * 0.7).sin()).collect();
            let gradients: Vec<Vec<f32>> = (0..5)
                .map(|step| {
                    start.iter().map(|w| (w * 3.0 + step as f32).cos() * 10f32.powi(step - 2)).collect()
                })
                .collect();
            let (mut weights, mut optimizer) = (start.clone(), Optimizer::new(SETTINGS));
            for gradient in &gradients {
                optimizer.begin_step();
                optimizer.update("w", how, &mut weights, gradient);
            }
            for at in (0..start.len()).step_by(997) {
                let one: Vec<f64> = gradients.iter().map(|g| f64::from(g[at])).collect();
                let expected = reference(f64::from(start[at]), &one, how);
                let got = f64::from(weights[at]);
                assert!((got - expected).abs() < 2e-6, "element {at}: {got}, expected {expected} ({how:?})");
            }
        }
    }

    #[test]
    fn a_master_learns_what_bf16_would_round_away() {
        let how = Move { rate: 1e-5, decay: 0.0, scale: 1.0 };
        let mut optimizer = Optimizer::new(SETTINGS);
        let mut stored = vec![1.0f32; 8];
        for _ in 0..1000 {
            optimizer.begin_step();
            let master = optimizer.update_master("w", how, || Ok(stored.clone()), &[1.0; 8]).unwrap();
            // What bf16 keeps of a number near 1: 8 bits.
            stored = master.iter().map(|w| (w * 256.0).round() / 256.0).collect();
        }
        let master = optimizer.memory["w"].master.as_ref().unwrap();
        assert!((master[0] - 0.99).abs() < 1e-4 && (stored[0] - 0.99).abs() < 1.0 / 256.0, "{master:?}");
    }

    #[test]
    fn the_norm_counts_every_element_once_and_shows_what_is_not_finite() {
        let ones = tensor(&vec![2.0; 3 * CHUNK + 5]);
        let more = tensor(&[3.0; 7]);
        let expected = ((3 * CHUNK + 5) as f64 * 4.0 + 63.0).sqrt();
        assert!((global_norm([&ones, &more]).unwrap() - expected).abs() < 1e-9);
        let part = ones.narrow(0, 4, 10).unwrap();
        assert!((global_norm([&part]).unwrap() - 40f64.sqrt()).abs() < 1e-12);
        for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
            let mut values = vec![1.0; 50];
            values[33] = bad;
            assert!(!global_norm([&tensor(&values)]).unwrap().is_finite());
        }
        // Squares that overflow f32 do not overflow the sum.
        assert!((global_norm([&tensor(&[3e30, 4e30])]).unwrap() / 5e30 - 1.0).abs() < 1e-6);
    }

    #[test]
    fn clipping_shortens_and_never_lengthens() {
        assert_eq!(clip(10.0, Some(1.0)), 0.1);
        assert_eq!(clip(0.5, Some(1.0)), 1.0);
        assert_eq!(clip(10.0, None), 1.0);
    }

    #[test]
    fn accumulated_gradients_are_sums() {
        let map = |entries: &[(&str, f32)]| -> BTreeMap<String, Tensor> {
            entries.iter().map(|(key, value)| ((*key).to_owned(), tensor(&[*value; 3]))).collect()
        };
        let mut sum = BTreeMap::new();
        accumulate(&mut sum, map(&[("a", 1.0)])).unwrap();
        accumulate(&mut sum, map(&[("a", 2.0), ("b", 5.0)])).unwrap();
        let values = |key: &str| sum[key].to_vec1::<f32>().unwrap();
        assert_eq!((values("a"), values("b")), (vec![3.0; 3], vec![5.0; 3]));
    }
}
