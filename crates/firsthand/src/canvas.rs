//! Draws on RGB pictures: tiles, rectangles and small capitals, enough for contact sheets and boxes. Writes PNG.
//! No photo editing; resizing here is only for people to look at.

use std::path::Path;

use anyhow::Result;
use firsthand_media::Picture;
use image::ImageEncoder;

use crate::atomic::AtomicFile;

/// Rows and columns of a letter, without the gap.
const LETTER: [usize; 2] = [5, 3];

/// A colour.
pub(crate) type Rgb = [u8; 3];

/// A picture being drawn, `[height, width, 3]`.
pub(crate) struct Canvas {
    height: usize,
    width: usize,
    rgb: Vec<u8>,
}

impl Canvas {
    /// One colour.
    pub(crate) fn filled(height: usize, width: usize, colour: Rgb) -> Self {
        Canvas { height, width, rgb: colour.repeat(height * width) }
    }

    /// A copy of a picture.
    pub(crate) fn of(picture: &Picture) -> Self {
        Canvas { height: picture.height, width: picture.width, rgb: picture.rgb.to_vec() }
    }

    fn set(&mut self, row: usize, column: usize, colour: Rgb) {
        if row < self.height && column < self.width {
            let at = 3 * (row * self.width + column);
            self.rgb[at..at + 3].copy_from_slice(&colour);
        }
    }

    /// Fills `rows x columns` from `top`, `left` on; what lies outside is left out.
    pub(crate) fn fill(&mut self, [top, left]: [usize; 2], [rows, columns]: [usize; 2], colour: Rgb) {
        for row in top..(top + rows).min(self.height) {
            for column in left..(left + columns).min(self.width) {
                self.set(row, column, colour);
            }
        }
    }

    /// The outline of a box `[x1, y1, x2, y2]` in pixels, clipped.
    pub(crate) fn outline(&mut self, corners: [f64; 4], thickness: usize, colour: Rgb) {
        let clip = |value: f64, most: usize| value.round().clamp(0.0, most.saturating_sub(1) as f64) as usize;
        let (x1, x2) = (clip(corners[0], self.width), clip(corners[2], self.width));
        let (y1, y2) = (clip(corners[1], self.height), clip(corners[3], self.height));
        let (rows, columns) = (y2 - y1 + 1, x2 - x1 + 1);
        let inner = |side: usize| side.saturating_sub(thickness.min(side));
        self.fill([y1, x1], [thickness.min(rows), columns], colour);
        self.fill([y1 + inner(rows), x1], [thickness, columns.min(self.width - x1)], colour);
        self.fill([y1, x1], [rows, thickness.min(columns)], colour);
        self.fill([y1, x1 + inner(columns)], [rows, thickness], colour);
    }

    /// Draws a picture into `rows x columns` at `top`, `left`: each pixel is the mean of what it covers.
    pub(crate) fn place(&mut self, picture: &Picture, [top, left]: [usize; 2], [rows, columns]: [usize; 2]) {
        let covered = |i: usize, to: usize, from: usize| {
            let start = i * from / to;
            start..((i + 1) * from).div_ceil(to).clamp(start + 1, from)
        };
        for row in 0..rows {
            for column in 0..columns {
                let (mut sum, mut count) = ([0u32; 3], 0);
                for y in covered(row, rows, picture.height) {
                    for x in covered(column, columns, picture.width) {
                        let at = 3 * (y * picture.width + x);
                        for (total, value) in sum.iter_mut().zip(&picture.rgb[at..at + 3]) {
                            *total += u32::from(*value);
                        }
                        count += 1;
                    }
                }
                self.set(top + row, left + column, sum.map(|total| (total / count) as u8));
            }
        }
    }

    /// Writes a line in small capitals, `scale` pixels per dot.
    pub(crate) fn write(&mut self, text: &str, [top, left]: [usize; 2], scale: usize, colour: Rgb) {
        for (index, letter) in text.chars().enumerate() {
            let dots = glyph(letter);
            let x = left + index * (LETTER[1] + 1) * scale;
            for row in 0..LETTER[0] {
                for column in 0..LETTER[1] {
                    if dots >> (3 * (LETTER[0] - 1 - row) + (LETTER[1] - 1 - column)) & 1 == 1 {
                        self.fill([top + row * scale, x + column * scale], [scale, scale], colour);
                    }
                }
            }
        }
    }

    /// Rows and columns of a line.
    pub(crate) fn extent(text: &str, scale: usize) -> [usize; 2] {
        [LETTER[0] * scale, text.chars().count() * (LETTER[1] + 1) * scale]
    }

    /// What was drawn.
    pub(crate) fn picture(self) -> Picture {
        Picture::new(self.height, self.width, self.rgb)
    }

    /// Writes the picture as PNG; it appears when it is whole.
    pub(crate) fn save(&self, path: &Path) -> Result<()> {
        let mut file = AtomicFile::create(path)?;
        let (width, height) = (u32::try_from(self.width)?, u32::try_from(self.height)?);
        let encoder = image::codecs::png::PngEncoder::new(&mut file);
        encoder.write_image(&self.rgb, width, height, image::ExtendedColorType::Rgb8)?;
        file.commit()
    }
}

/// Frames side by side, `tile_width` pixels each, with their captions below.
pub(crate) fn contact_sheet(pictures: &[Picture], captions: &[String], tile_width: usize) -> Canvas {
    const GAP: usize = 6;
    const SCALE: usize = 2;
    let Some(first) = pictures.first() else { return Canvas::filled(GAP, GAP, [255; 3]) };
    let columns = (pictures.len() as f64).sqrt().ceil().clamp(1.0, 8.0) as usize;
    let rows = pictures.len().div_ceil(columns);
    let tile_height = (tile_width * first.height).div_ceil(first.width).clamp(1, 4 * tile_width);
    let caption_height = LETTER[0] * SCALE + GAP;
    let (step_y, step_x) = (tile_height + caption_height + GAP, tile_width + GAP);
    let mut sheet = Canvas::filled(GAP + rows * step_y, GAP + columns * step_x, [24; 3]);
    for (index, (picture, caption)) in pictures.iter().zip(captions).enumerate() {
        let (top, left) = (GAP + index / columns * step_y, GAP + index % columns * step_x);
        sheet.place(picture, [top, left], [tile_height, tile_width]);
        sheet.write(caption, [top + tile_height + GAP / 2, left], SCALE, [230; 3]);
    }
    sheet
}

/// Dots of a letter: five rows of three, one octal digit a row.
fn glyph(letter: char) -> u16 {
    match letter.to_ascii_uppercase() {
        ' ' => 0,
        '0' => 0o75557,
        '1' => 0o26227,
        '2' => 0o71747,
        '3' => 0o71717,
        '4' => 0o55711,
        '5' => 0o74717,
        '6' => 0o74757,
        '7' => 0o71222,
        '8' => 0o75757,
        '9' => 0o75717,
        'A' => 0o25755,
        'B' => 0o65656,
        'C' => 0o34443,
        'D' => 0o65556,
        'E' => 0o74647,
        'F' => 0o74644,
        'G' => 0o34553,
        'H' => 0o55755,
        'I' => 0o72227,
        'J' => 0o11152,
        'K' => 0o55655,
        'L' => 0o44447,
        'M' => 0o57755,
        'N' => 0o65555,
        'O' => 0o25552,
        'P' => 0o65644,
        'Q' => 0o25563,
        'R' => 0o65655,
        'S' => 0o34216,
        'T' => 0o72222,
        'U' => 0o55557,
        'V' => 0o55552,
        'W' => 0o55775,
        'X' => 0o55255,
        'Y' => 0o55222,
        'Z' => 0o71247,
        '.' => 0o00002,
        ',' => 0o00024,
        ':' => 0o02020,
        '-' => 0o00700,
        '_' => 0o00007,
        '/' => 0o11244,
        '(' => 0o24442,
        ')' => 0o21112,
        '#' => 0o57575,
        '%' => 0o51245,
        '+' => 0o02720,
        '=' => 0o07070,
        '!' => 0o22202,
        '\'' => 0o22000,
        _ => 0o71202,
    }
}
