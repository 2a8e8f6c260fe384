//! The simulated home: a seed fixes rooms, things, people and days of doings, and any moment of them can be drawn
//! as first-person frames with exact ground truth.
//!
//! This room knows no model and no tokenizer, and encodes no video.
#![deny(missing_docs)]
#![allow(dead_code, unused_imports)]

mod colour;
mod home;
mod math;
mod render;
mod rng;
mod shape;
mod things;

pub use colour::Colour;
pub use home::{Door, Fixture, Home, Rect, Room, RoomId, Slot};
pub use math::Vec3;
pub use render::{Camera, Frame};
pub use things::{FixtureKind, Kind, ObjectKind, RoomKind, Side, Thing, ThingId};
