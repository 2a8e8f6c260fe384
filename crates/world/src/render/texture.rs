//! Patterns as functions of surface coordinates. Each returns a factor of brightness; fine detail fades where a
//! pixel covers more than it, so that floors do not flicker.

use crate::rng::mix;
use crate::shape::Texture;

/// A fixed number in `[-1, 1]` for a cell of a pattern.
fn noise(i: i32, j: i32) -> f32 {
    let cell = (u64::from(i as u32) << 32) | u64::from(j as u32);
    (mix(cell) >> 40) as f32 / (1u64 << 23) as f32 - 1.0
}

/// `floor` without a call into the C library, for values that fit.
fn floor(x: f32) -> f32 {
    let whole = x as i32 as f32;
    if whole > x { whole - 1.0 } else { whole }
}

fn fade(footprint: f32, detail: f32) -> f32 {
    (1.4 - footprint / detail).clamp(0.0, 1.0)
}

/// Brightness at `(u, v)` metres, for a pixel that covers `footprint` metres.
pub(super) fn brightness(texture: Texture, u: f32, v: f32, footprint: f32) -> f32 {
    match texture {
        Texture::Plain => 1.0,
        Texture::Planks => {
            let board = floor(v / 0.16);
            let across = v / 0.16 - board;
            let along = u / 1.3 + noise(board as i32, 7);
            let piece = floor(along);
            let tone = 1.0 + 0.07 * noise(board as i32, piece as i32);
            let seam = across < 0.06 || along - piece < 0.008;
            if seam { tone * (1.0 - 0.22 * fade(footprint, 0.02)) } else { tone }
        }
        Texture::Tiles => {
            let (i, j) = (floor(u / 0.34), floor(v / 0.34));
            let (a, b) = (u / 0.34 - i, v / 0.34 - j);
            let tone = 1.0 + 0.025 * noise(i as i32, j as i32);
            if a < 0.035 || b < 0.035 { tone * (1.0 - 0.2 * fade(footprint, 0.022)) } else { tone }
        }
        Texture::Carpet => {
            1.0 + 0.07 * fade(footprint, 0.02) * noise(floor(u / 0.02) as i32, floor(v / 0.02) as i32)
        }
        Texture::Wall => skirting(v),
        Texture::Wallpaper => {
            let stripe = floor(u / 0.22) as i32 & 1;
            skirting(v) * if stripe == 0 { 1.0 } else { 0.955 }
        }
        Texture::Grain => {
            let line = floor(v / 0.018) as i32;
            1.0 + 0.07 * fade(footprint, 0.02) * noise(line, floor(u / 0.25 + 0.3 * noise(line, 3)) as i32)
        }
    }
}

/// Walls begin 0.05 m below the floor.
fn skirting(v: f32) -> f32 {
    if v < 0.14 {
        1.1
    } else if v < 0.155 {
        0.8
    } else {
        1.0
    }
}
