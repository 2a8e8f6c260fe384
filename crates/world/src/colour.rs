//! The twelve colours that things are named by. Walls and floors use tones of their own, so that a named colour
//! in a frame belongs to a thing.

use serde::{Deserialize, Serialize};

/// A colour a person would name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs)]
pub enum Colour {
    Red,
    Orange,
    Yellow,
    Green,
    Cyan,
    Blue,
    Purple,
    Pink,
    Brown,
    Black,
    Grey,
    White,
}

impl Colour {
    /// All twelve.
    pub const ALL: [Colour; 12] = [
        Colour::Red,
        Colour::Orange,
        Colour::Yellow,
        Colour::Green,
        Colour::Cyan,
        Colour::Blue,
        Colour::Purple,
        Colour::Pink,
        Colour::Brown,
        Colour::Black,
        Colour::Grey,
        Colour::White,
    ];

    /// The word.
    pub fn name(self) -> &'static str {
        match self {
            Colour::Red => "red",
            Colour::Orange => "orange",
            Colour::Yellow => "yellow",
            Colour::Green => "green",
            Colour::Cyan => "cyan",
            Colour::Blue => "blue",
            Colour::Purple => "purple",
            Colour::Pink => "pink",
            Colour::Brown => "brown",
            Colour::Black => "black",
            Colour::Grey => "grey",
            Colour::White => "white",
        }
    }

    /// Paint under full light.
    pub fn rgb(self) -> [u8; 3] {
        match self {
            Colour::Red => [205, 28, 30],
            Colour::Orange => [245, 125, 10],
            Colour::Yellow => [248, 215, 30],
            Colour::Green => [30, 145, 50],
            Colour::Cyan => [40, 200, 215],
            Colour::Blue => [30, 65, 205],
            Colour::Purple => [125, 40, 170],
            Colour::Pink => [250, 140, 185],
            Colour::Brown => [112, 66, 34],
            Colour::Black => [30, 30, 33],
            Colour::Grey => [128, 130, 134],
            Colour::White => [243, 243, 240],
        }
    }
}
