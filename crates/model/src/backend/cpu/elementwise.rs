//! Kernels that treat every element alike: sums and activation functions with their derivatives. Large inputs are
//! cut into pieces for the threads.

use super::math::{density, normal, sigmoid};
use super::simd::{self, simd};
use super::threads;
use crate::layers::Activation;

/// Elements of a task: enough to pay for handing it out.
pub(crate) const PIECE: usize = 1 << 14;

/// `out = a + b`.
pub(crate) fn add(a: &[f32], b: &[f32], out: &mut [f32]) {
    map_2(a, b, out, |a, b, out| add_at(simd::level(), a, b, out));
}

/// `out = f(x)`.
pub(crate) fn activation(kind: Activation, x: &[f32], out: &mut [f32]) {
    map_1(x, out, |x, out| activation_at(simd::level(), kind, x, out));
}

/// `out = dy f'(x)`.
pub(crate) fn activation_backward(kind: Activation, x: &[f32], dy: &[f32], out: &mut [f32]) {
    map_2(x, dy, out, |x, dy, out| activation_backward_at(simd::level(), kind, x, dy, out));
}

/// `out = silu(gate) up`.
pub(crate) fn swiglu(gate: &[f32], up: &[f32], out: &mut [f32]) {
    map_2(gate, up, out, |gate, up, out| swiglu_at(simd::level(), gate, up, out));
}

/// `dgate = dy up silu'(gate)`, `dup = dy silu(gate)`.
pub(crate) fn swiglu_backward(gate: &[f32], up: &[f32], dy: &[f32], dgate: &mut [f32], dup: &mut [f32]) {
    assert!(gate.len() == up.len() && gate.len() == dy.len() && dgate.len() == dup.len(), "sizes of swiglu");
    let dup = std::sync::Mutex::new(dup.chunks_mut(PIECE).map(Some).collect::<Vec<_>>());
    threads::for_pieces(dgate, PIECE, |i, dgate| {
        let range = i * PIECE..i * PIECE + dgate.len();
        let dup = dup.lock().expect("no task panics here")[i].take().expect("one piece for each task");
        let (gate, up, dy) = (&gate[range.clone()], &up[range.clone()], &dy[range]);
        swiglu_backward_at(simd::level(), gate, up, dy, dgate, dup);
    });
}

fn map_1(x: &[f32], out: &mut [f32], kernel: impl Fn(&[f32], &mut [f32]) + Sync) {
    assert_eq!(x.len(), out.len(), "sizes of an elementwise operation");
    threads::for_pieces(out, PIECE, |i, out| kernel(&x[i * PIECE..][..out.len()], out));
}

fn map_2(a: &[f32], b: &[f32], out: &mut [f32], kernel: impl Fn(&[f32], &[f32], &mut [f32]) + Sync) {
    assert_eq!((a.len(), b.len()), (out.len(), out.len()), "sizes of an elementwise operation");
    threads::for_pieces(out, PIECE, |i, out| {
        kernel(&a[i * PIECE..][..out.len()], &b[i * PIECE..][..out.len()], out);
    });
}

simd! {
    fn add_at(a: &[f32], b: &[f32], out: &mut [f32]) {
        for ((a, b), out) in a.iter().zip(b).zip(out) {
            *out = a + b;
        }
    }
}

simd! {
    /// `to += scale * from`.
    pub(crate) fn add_scaled(from: &[f32], scale: f32, to: &mut [f32]) {
        for (from, to) in from.iter().zip(to) {
            *to = scale.mul_add(*from, *to);
        }
    }
}

simd! {
    fn activation_at(kind: Activation, x: &[f32], out: &mut [f32]) {
        // Loops, not closures: a closure handed to an iterator's method is compiled without the wider instructions.
        let pairs = x.iter().zip(out);
        match kind {
            Activation::Silu => {
                for (&x, out) in pairs {
                    *out = x * sigmoid(x);
                }
            }
            Activation::QuickGelu => {
                for (&x, out) in pairs {
                    *out = x * sigmoid(1.702 * x);
                }
            }
            Activation::Gelu => {
                for (&x, out) in pairs {
                    *out = x * normal(x);
                }
            }
        }
    }
}

simd! {
    fn activation_backward_at(kind: Activation, x: &[f32], dy: &[f32], out: &mut [f32]) {
        let all = x.iter().zip(dy).zip(out);
        match kind {
            Activation::Silu => {
                for ((&x, dy), out) in all {
                    *out = dy * silu_slope(x);
                }
            }
            Activation::QuickGelu => {
                for ((&x, dy), out) in all {
                    let s = sigmoid(1.702 * x);
                    *out = dy * s * (1.702 * x).mul_add(1.0 - s, 1.0);
                }
            }
            Activation::Gelu => {
                for ((&x, dy), out) in all {
                    *out = dy * x.mul_add(density(x), normal(x));
                }
            }
        }
    }
}

simd! {
    fn swiglu_at(gate: &[f32], up: &[f32], out: &mut [f32]) {
        for ((&gate, &up), out) in gate.iter().zip(up).zip(out) {
            *out = gate * sigmoid(gate) * up;
        }
    }
}

simd! {
    fn swiglu_backward_at(gate: &[f32], up: &[f32], dy: &[f32], dgate: &mut [f32], dup: &mut [f32]) {
        for ((((&gate, &up), &dy), dgate), dup) in gate.iter().zip(up).zip(dy).zip(dgate).zip(dup) {
            let s = sigmoid(gate);
            *dup = dy * gate * s;
            *dgate = dy * up * s * gate.mul_add(1.0 - s, 1.0);
        }
    }
}

#[inline(always)]
fn silu_slope(x: f32) -> f32 {
    let s = sigmoid(x);
    s * x.mul_add(1.0 - s, 1.0)
}
