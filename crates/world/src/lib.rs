//! The simulated home: a seed fixes rooms, things, people and days of doings, and any moment of them can be drawn
//! as first-person frames with exact ground truth.
//!
//! This room knows no model and no tokenizer, and encodes no video.
#![deny(missing_docs)]

mod clip;
mod colour;
mod error;
mod event;
mod glance;
mod home;
mod life;
mod math;
mod narrate;
pub mod questions;
mod render;
mod rng;
mod route;
mod scene;
mod shape;
mod things;
mod timeline;
mod truth;
mod world;

pub use clip::{Clip, ClipOptions};
pub use colour::Colour;
pub use error::{Error, Result};
pub use event::{Action, Event, Habit, HabitKind, Spell};
pub use home::{Door, Fixture, Home, Rect, Room, RoomId, Slot};
pub use math::{Vec3, wrap};
pub use render::{Camera, Frame};
pub use rng::Rng;
pub use route::{Direction, Landmark, Route, Turn};
pub use shape::SIGNS;
pub use things::{FixtureKind, Kind, ObjectKind, RoomKind, Side, Thing, ThingId};
pub use timeline::Place;
pub use truth::{FrameTruth, HandTruth, Seen, write_lines};
pub use world::{Card, World};

#[cfg(test)]
mod tests;
