//! RGB to Y'CbCr as HD video stores it: BT.709, limited range, 4:2:0. Chroma is sited as H.264 decoders take it to be:
//! on the left pixel of each pair, between the two rows.
//!
//! Fixed point with 16 fractional bits; equal pixels give equal bytes everywhere.

/// Luma of red, green and blue in BT.709, times 219/255 and 65536.
const LUMA: [i32; 3] = [11966, 40254, 4064];
/// (B - Y) / 1.8556 and (R - Y) / 1.5748 as weights of red, green and blue, times 224/255 and 65536.
const BLUE: [i32; 3] = [-6596, -22189, 28785];
const RED: [i32; 3] = [28785, -26145, -2640];
const HALF: i32 = 1 << 15;

#[derive(Clone, Copy)]
pub(super) enum Chroma {
    Blue,
    Red,
}

/// A picture about to be stored.
pub(super) struct Planes<'a> {
    rgb: &'a [u8],
    width: usize,
}

fn weighted(weights: [i32; 3], rgb: [i32; 3]) -> i32 {
    weights[0] * rgb[0] + weights[1] * rgb[1] + weights[2] * rgb[2]
}

impl<'a> Planes<'a> {
    pub(super) fn new(rgb: &'a [u8], width: usize) -> Self {
        Planes { rgb, width }
    }

    /// Fills the luma plane.
    pub(super) fn luma(&self, plane: &mut [u8], stride: usize) {
        for (source, target) in self.rgb.chunks_exact(self.width * 3).zip(plane.chunks_mut(stride)) {
            for (pixel, luma) in source.chunks_exact(3).zip(target) {
                let rgb = [i32::from(pixel[0]), i32::from(pixel[1]), i32::from(pixel[2])];
                *luma = ((weighted(LUMA, rgb) + HALF) >> 16) as u8 + 16;
            }
        }
    }

    /// Fills a chroma plane: each sample is the mean of two rows, with weights 1 2 1 across.
    pub(super) fn chroma(&self, chroma: Chroma, plane: &mut [u8], stride: usize) {
        let weights = match chroma {
            Chroma::Blue => BLUE,
            Chroma::Red => RED,
        };
        let row = self.width * 3;
        for (pair, target) in self.rgb.chunks_exact(2 * row).zip(plane.chunks_mut(stride)) {
            let (upper, lower) = pair.split_at(row);
            let column = |x: usize| {
                let at = 3 * x;
                [0, 1, 2].map(|i| i32::from(upper[at + i]) + i32::from(lower[at + i]))
            };
            let mut before = column(0);
            for (half, sample) in target.iter_mut().enumerate().take(self.width / 2) {
                let (here, after) = (column(2 * half), column(2 * half + 1));
                let sum = [0, 1, 2].map(|i| before[i] + 2 * here[i] + after[i]);
                before = after;
                // Eight pixels were added up.
                *sample = (((weighted(weights, sum) + 8 * HALF) >> 19) + 128) as u8;
            }
        }
    }
}
