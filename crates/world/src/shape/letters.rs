//! Capital letters to read, as rows of five dots. Those that name the options of questions are not among them.

use super::{Builder, CREAM, DARK};

/// What a picture on a wall may show.
pub const SIGNS: [char; 10] = ['H', 'K', 'L', 'N', 'P', 'S', 'T', 'U', 'X', 'Z'];
const DOTS: [[u8; 7]; SIGNS.len()] = [
    [0b10001, 0b10001, 0b10001, 0b11111, 0b10001, 0b10001, 0b10001],
    [0b10001, 0b10010, 0b10100, 0b11000, 0b10100, 0b10010, 0b10001],
    [0b10000, 0b10000, 0b10000, 0b10000, 0b10000, 0b10000, 0b11111],
    [0b10001, 0b11001, 0b11101, 0b10101, 0b10111, 0b10011, 0b10001],
    [0b11110, 0b10001, 0b10001, 0b11110, 0b10000, 0b10000, 0b10000],
    [0b01111, 0b10000, 0b10000, 0b01110, 0b00001, 0b00001, 0b11110],
    [0b11111, 0b00100, 0b00100, 0b00100, 0b00100, 0b00100, 0b00100],
    [0b10001, 0b10001, 0b10001, 0b10001, 0b10001, 0b10001, 0b01110],
    [0b10001, 0b01010, 0b01010, 0b00100, 0b01010, 0b01010, 0b10001],
    [0b11111, 0b00001, 0b00010, 0b00100, 0b01000, 0b10000, 0b11111],
];
/// Side of a dot, metres.
const DOT: f32 = 0.056;

/// Raises a letter from an upright plate at `y`, its foot at `z`, to be read from the front.
pub(super) fn raise(b: &mut Builder, letter: usize, light: bool, y: f32, z: f32) {
    b.paint(if light { CREAM } else { DARK });
    for (row, dots) in DOTS[letter].iter().rev().enumerate() {
        let lit = |column: usize| dots >> (4 - column) & 1 == 1;
        let mut column = 0;
        while column < 5 {
            let run = (column..5).take_while(|&column| lit(column)).count();
            if run > 0 {
                // Who stands in front of +y has +x on the left.
                let middle = (2.0 - column as f32 - (run as f32 - 1.0) / 2.0) * DOT;
                b.block(middle, y, z + row as f32 * DOT, [run as f32 * DOT, 0.006, DOT]);
            }
            column += run.max(1);
        }
    }
}
