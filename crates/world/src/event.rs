//! What happens, as a list with exact times: who does what to which thing, where, and what is said.

use serde::{Deserialize, Serialize};

use crate::home::RoomId;
use crate::things::ThingId;

/// A kind of doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// Goes from one place to another; through doors when `to_room` differs from `room`.
    Walk,
    /// Takes a thing from where it rests.
    PickUp,
    /// Lays a thing where it will rest.
    PutDown,
    /// Turns a lamp, a television, a fire on.
    SwitchOn,
    /// Turns it off.
    SwitchOff,
    /// Opens a fridge, a box, a book.
    Open,
    /// Closes it.
    Close,
    /// Says something to `other`.
    Say,
    /// Hands a thing to `other`.
    Give,
    /// Takes a thing that `other` hands over.
    Receive,
    /// Swallows pills from a pill bottle.
    TakePills,
    /// Waters a plant (`place`) with a watering can (`object`).
    Water,
    /// Drinks from a vessel.
    Drink,
    /// Reads a book.
    Read,
    /// Works at a laptop or desk.
    Work,
    /// Watches television.
    Watch,
    /// Cooks at the stove.
    Cook,
    /// Washes at a basin or bath.
    Wash,
    /// Does nothing in particular.
    Rest,
}

/// One doing.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// Index in its world, in order of start.
    pub id: usize,
    /// Day, from 1.
    pub day: u32,
    /// Start, seconds since midnight.
    pub start_s: f64,
    /// End, seconds since midnight.
    pub end_s: f64,
    /// Who does it.
    pub who: ThingId,
    /// What is done.
    pub action: Action,
    /// The thing it is done to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub object: Option<ThingId>,
    /// The furniture (or plant) it is done at; for picking up and putting down, what carries the thing. `None`
    /// there is the floor.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub place: Option<ThingId>,
    /// The room in which it starts.
    pub room: RoomId,
    /// The room in which it ends.
    pub to_room: RoomId,
    /// The other person.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub other: Option<ThingId>,
    /// Which hand.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hand: Option<crate::things::Side>,
    /// Moment of grasp, release or switching, seconds since midnight.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub contact_s: Option<f64>,
    /// What is said, word for word.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub transcript: Option<String>,
    /// The habit it belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub habit: Option<usize>,
    /// One English sentence, first person for the wearer.
    pub text: String,
}

/// Something done again and again, or planned beforehand.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Habit {
    /// Index in its world; events refer to it.
    pub id: usize,
    /// What it is.
    pub kind: HabitKind,
    /// When it is due, seconds since midnight.
    pub at_s: f64,
    /// On which days, from 1.
    pub days: Vec<u32>,
    /// The thing it needs.
    pub object: Option<ThingId>,
    /// The thing or person it is done with.
    pub with: Option<ThingId>,
}

/// Habits a home may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HabitKind {
    /// Takes pills.
    Pills,
    /// Waters the plant.
    Water,
    /// Lends a tool.
    Lend,
    /// Gets it back.
    Return,
    /// A morning drink, always from the same cup.
    MorningDrink,
    /// Reads in the evening, always the same book.
    EveningReading,
    /// Watches television.
    Television,
    /// Is asked to buy something.
    Shopping,
    /// Is told how people are related.
    Relation,
}

/// A stretch of dense doings, good for short clips.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Spell {
    /// Day, from 1.
    pub day: u32,
    /// Start, seconds since midnight.
    pub start_s: f64,
    /// End, seconds since midnight.
    pub end_s: f64,
}
