//! What people say during a film as SubRip subtitles, timed from its first frame.

use std::fmt::Write;

use firsthand_world::{Action, ThingId, World};

use super::plan::Stretch;

/// The subtitles; empty when nobody speaks.
pub(super) fn subtitles(world: &World, stretch: &Stretch) -> String {
    let end_s = stretch.start_s + stretch.seconds;
    let said = world.events().iter().filter(|event| {
        event.day == stretch.day
            && event.action == Action::Say
            && event.end_s > stretch.start_s
            && event.start_s < end_s
    });
    let mut text = String::new();
    for (index, event) in said.enumerate() {
        let name = match world.thing(event.who) {
            Some(person) if event.who != ThingId::WEARER => person.name.as_str(),
            _ => "Me",
        };
        let from = stamp(event.start_s.max(stretch.start_s) - stretch.start_s);
        let to = stamp(event.end_s.min(end_s) - stretch.start_s);
        let words = event.transcript.as_deref().unwrap_or_default();
        writeln!(text, "{}\n{from} --> {to}\n{name}: {words}\n", index + 1).expect("a string takes all");
    }
    text
}

fn stamp(seconds: f64) -> String {
    let all = (seconds * 1000.0).round() as u64;
    let (hours, minutes) = (all / 3_600_000, all / 60_000 % 60);
    format!("{hours:02}:{minutes:02}:{:02},{:03}", all / 1000 % 60, all % 1000)
}
