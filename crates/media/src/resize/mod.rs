//! Resizes pictures the three ways the reference libraries do. Which way belongs to which checkpoint is the
//! caller's choice; what size is `size`'s.

mod fixed;
mod float;

use fast_image_resize::images::{TypedImage, TypedImageRef};
use fast_image_resize::pixels::U8x3;
use fast_image_resize::{FilterType, ResizeAlg, ResizeOptions, Resizer};
use firsthand_base::ResizeMode;

use crate::Picture;

/// The picture at `[height, width]`.
pub(crate) fn resize(picture: &Picture, size: [usize; 2], mode: ResizeMode) -> Picture {
    if size == [picture.height, picture.width] {
        return picture.clone();
    }
    match mode {
        ResizeMode::Pil => fixed::resize(picture, size),
        ResizeMode::TorchFloat => float::resize(picture, size),
        ResizeMode::TorchUint8 => two_pass(picture, size),
    }
}

/// torchvision v2 on uint8: 16-bit fixed-point weights, uint8 between the passes, width first. Both passes in one
/// call would go height first. The call names its pixel type: the one that does not would compile the kernels of
/// every type.
fn two_pass(picture: &Picture, [height, width]: [usize; 2]) -> Picture {
    let options = ResizeOptions::new().resize_alg(ResizeAlg::Convolution(FilterType::CatmullRom));
    let mut resizer = Resizer::new();
    let mut pass = |pixels: &[u8], from: [usize; 2], to: [usize; 2]| {
        let source = TypedImageRef::<U8x3>::from_buffer(from[1] as u32, from[0] as u32, pixels)
            .expect("the buffer has the size of the picture");
        let mut resized = vec![0; to[0] * to[1] * 3];
        let mut target = TypedImage::<U8x3>::from_buffer(to[1] as u32, to[0] as u32, &mut resized)
            .expect("the buffer has the size asked for");
        resizer.resize_typed(&source, &mut target, &options).expect("both images are RGB8 and not empty");
        resized
    };
    let rows = picture.height;
    let wide = pass(&picture.rgb, [rows, picture.width], [rows, width]);
    Picture::new(height, width, pass(&wide, [rows, width], [height, width]))
}

/// Input pixels that make one output pixel, along one axis.
struct Taps<W> {
    first: usize,
    weights: Vec<W>,
}

/// Spreads RGB samples over four lanes, so that one pixel is one vector.
#[inline(always)]
fn widen<T: Copy + Default>(row: &[u8], lanes: &mut Vec<[T; 4]>, convert: impl Fn(u8) -> T) {
    lanes.clear();
    lanes.extend(row.chunks_exact(3).map(|p| [convert(p[0]), convert(p[1]), convert(p[2]), T::default()]));
}
