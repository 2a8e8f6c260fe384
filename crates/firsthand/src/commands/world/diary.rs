//! What a good captioner and a good listener would write of a simulated week, clip by clip, without filming it. A clip
//! tells what is over when it ends, and what still goes on; never what comes.

use firsthand_base::Moment;
use firsthand_memory::build::{Clip, cut};
use firsthand_world::{Action, Event, ThingId, World};

use super::plan::{self, Stretch};

/// The name of the wearer of a world, as its question files have it.
pub(super) fn wearer(world: &World) -> String {
    format!("W{}", world.seed)
}

/// The clips of the first days, in order: every stretch in which something is done, cut as a recording of it would be.
pub(super) fn clips(world: &World, days: u32) -> Vec<Clip> {
    let wearer = wearer(world);
    let mut clips = Vec::new();
    for day in 1..=days {
        let events: Vec<&Event> = world.events().iter().filter(|event| event.day == day).collect();
        for stretch in plan::log(world, day) {
            let Stretch { start_s, seconds, .. } = stretch;
            for (from, to) in cut((seconds * 1000.0) as i64) {
                let start_ms = (start_s * 1000.0) as i64;
                let at = |ms: i64| Moment::on_day(day, (start_ms + ms).min(Moment::DAY_MS));
                let (Some(start), Some(end)) = (at(from), at(to)) else { continue };
                let [from_s, to_s] = [from, to].map(|ms| start_s + ms as f64 / 1000.0);
                let span = Span { world, events: &events, day, from_s, to_s };
                let said = span.said();
                let clip = Clip::told(&wearer, start, end, span.text()).saying(Some(said));
                clips.push(Clip { people: span.people(), ..clip });
            }
        }
    }
    clips
}

/// A clip's part of a day.
struct Span<'a> {
    world: &'a World,
    events: &'a [&'a Event],
    day: u32,
    from_s: f64,
    to_s: f64,
}

impl<'a> Span<'a> {
    /// Events that are over in it, or that go on at its end and are no single act.
    fn told(&self) -> impl Iterator<Item = &'a Event> {
        let (from_s, to_s) = (self.from_s, self.to_s);
        self.events.iter().copied().filter(move |event| {
            let is_over = event.end_s > from_s && event.end_s <= to_s;
            let goes_on = lasts(event.action) && event.start_s < to_s && event.end_s > to_s;
            is_over || goes_on
        })
    }

    fn text(&self) -> String {
        let seen = self.told().filter(|event| event.action != Action::Say);
        let mut sentences: Vec<&str> = seen.map(|event| event.text.as_str()).collect();
        sentences.dedup();
        if !sentences.is_empty() {
            return sentences.join(" ");
        }
        let room = self.world.room_of(ThingId::WEARER, self.day, self.to_s);
        let room = room.map_or("home", |room| self.world.home.rooms[usize::from(room)].kind.name());
        format!("I am in the {room}.")
    }

    /// A line for each thing said: `Anna: Have you seen the red cup?`.
    fn said(&self) -> String {
        let lines = self.told().filter_map(|event| {
            let words = event.transcript.as_deref()?;
            let name = match self.world.thing(event.who) {
                Some(person) if event.who != ThingId::WEARER => person.name.as_str(),
                _ => "Me",
            };
            Some(format!("{name}: {words}"))
        });
        lines.collect::<Vec<_>>().join("\n")
    }

    /// Who is in the wearer's room at the end, and who had to do with the wearer before.
    fn people(&self) -> Vec<String> {
        let room = self.world.room_of(ThingId::WEARER, self.day, self.to_s);
        let met: Vec<ThingId> =
            self.told().flat_map(|event| [Some(event.who), event.other]).flatten().collect();
        let is_here = |person: &&firsthand_world::Thing| {
            met.contains(&person.id) || self.world.room_of(person.id, self.day, self.to_s) == room
        };
        self.world.people().iter().filter(is_here).map(|person| person.name.clone()).collect()
    }
}

/// Doings that can be seen before they are over.
fn lasts(action: Action) -> bool {
    use Action as A;
    matches!(action, A::Work | A::Watch | A::Cook | A::Wash | A::Rest | A::Read | A::Drink)
}
