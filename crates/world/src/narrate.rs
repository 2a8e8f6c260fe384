//! One plain sentence per event, first person for the wearer. Question makers may word things their own way; this is
//! what a log of the day reads like.

use crate::event::{Action, Event};
use crate::home::Home;
use crate::things::{Thing, ThingId};

/// The sentence of an event.
pub(crate) fn sentence(event: &Event, home: &Home, things: &[Thing]) -> String {
    let phrase = |id: Option<ThingId>| id.map_or_else(String::new, |id| things[usize::from(id.0)].phrase());
    let me = event.who == ThingId::WEARER;
    let who = if me { "I".to_owned() } else { phrase(Some(event.who)) };
    let verb = |first: &str, third: &str| if me { first.to_owned() } else { third.to_owned() };
    let room = home.rooms[usize::from(event.room)].kind.name();
    let object = phrase(event.object);
    let support = event.place.map_or_else(|| "the floor".to_owned(), |id| phrase(Some(id)));
    match event.action {
        Action::Walk if event.room == event.to_room => {
            format!("{who} {} through the {room}.", verb("walk", "walks"))
        }
        Action::Walk => {
            let to = home.rooms[usize::from(event.to_room)].kind.name();
            format!("{who} {} from the {room} to the {to}.", verb("walk", "walks"))
        }
        Action::PickUp => format!("I pick up {object} from {support} in the {room}."),
        Action::PutDown => format!("I put {object} on {support} in the {room}."),
        Action::SwitchOn => format!("I turn on {object} in the {room}."),
        Action::SwitchOff => format!("I turn off {object} in the {room}."),
        Action::Open => format!("I open {object} in the {room}."),
        Action::Close => format!("I close {object} in the {room}."),
        Action::Say => {
            let to = if me { phrase(event.other) } else { "me".to_owned() };
            let words = event.transcript.as_deref().unwrap_or_default();
            format!("{who} {} to {to}: \"{words}\"", verb("say", "says"))
        }
        Action::Give => format!("I give {object} to {}.", phrase(event.other)),
        Action::Receive => format!("I get {object} from {}.", phrase(event.other)),
        Action::TakePills => format!("I take pills from {object} in the {room}."),
        Action::Water => format!("I water {support} with {object} in the {room}."),
        Action::Drink => format!("I drink from {object} in the {room}."),
        Action::Read => format!("I read {object} in the {room}."),
        Action::Work => format!("I work at {support} in the {room}."),
        Action::Watch => format!("I watch {object} in the {room}."),
        Action::Cook => format!("I cook at {support} in the {room}."),
        Action::Wash => format!("I wash at {support} in the {room}."),
        Action::Rest => format!("I rest by {support} in the {room}."),
    }
}
