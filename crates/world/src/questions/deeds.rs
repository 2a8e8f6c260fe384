//! Questions about what the wearer's hands do in a stretch: what changes, what is done and what would undo it, when,
//! and how often.

use super::balance::wish;
use super::draft::Draft;
use super::film::{Film, verb};
use super::question::{Gold, ProblemType, number};
use super::shot::{SAMPLE_RATE, Sight};
use super::singles::{crossed, noun};
use super::words::{self, say};
use crate::event::{Action, Event};
use crate::rng::Rng;
use crate::things::{Kind, Thing};

/// Doings whose contact is this near before or after a stretch show in it.
const BESIDE: f64 = -0.4;

/// A doing that can be seen: its thing shows clearly in the picture at or just after the contact.
struct Deed<'f, 'a> {
    event: &'a Event,
    contact_s: f64,
    thing: &'a Thing,
    sight: &'f Sight<'a>,
    verb: &'static str,
    undo: &'static str,
}

fn deeds<'f, 'a>(film: &'f Film<'a>, margin: f64) -> Vec<Deed<'f, 'a>> {
    let found = film.deeds(margin).into_iter().filter_map(|(event, contact_s)| {
        let thing = film.world.thing(event.object?)?;
        let (verb, undo) = verb(event.action)?;
        // The first picture of the contact must be in the stretch.
        if contact_s > film.shot.start_s + (film.views.len() - 1) as f64 / SAMPLE_RATE {
            return None;
        }
        let index = film.index_at(contact_s);
        let later = (index + 1).min(film.views.len() - 1);
        let sight = film.views[later].find(thing.id).or_else(|| film.views[index].find(thing.id))?;
        film.unmistakable(sight).then_some(Deed { event, contact_s, thing, sight, verb, undo })
    });
    found.collect()
}

impl Deed<'_, '_> {
    fn since(&self, film: &Film<'_>) -> f64 {
        self.contact_s - film.shot.start_s
    }

    /// When the first picture that shows the contact was taken.
    fn shown(&self, film: &Film<'_>) -> f64 {
        (self.since(film) * SAMPLE_RATE).ceil() / SAMPLE_RATE
    }

    fn facts(&self, film: &Film<'_>) -> String {
        let hand = self.event.hand.map_or("", words::side);
        let when = number(self.shown(film));
        format!("{hand} hand on {} at {when}", self.sight.at_cell())
    }

    /// What shows which way the deed went: the thing before it and after it.
    fn turn(&self) -> &'static str {
        match self.event.action {
            Action::PickUp => "free . then held",
            Action::PutDown => "held . then free",
            Action::SwitchOn => "off . then on",
            Action::SwitchOff => "on . then off",
            Action::Open => "closed . then open",
            _ => "open . then closed",
        }
    }
}

/// Opened or closed, on or off, taken or laid down.
pub(crate) fn change(film: &Film<'_>, rng: &mut Rng) -> Option<Draft> {
    let all = deeds(film, 0.6);
    let wished = wish(
        rng,
        &[
            (Action::PickUp, 0.3),
            (Action::PutDown, 0.3),
            (Action::SwitchOn, 1.0),
            (Action::SwitchOff, 1.4),
            (Action::Open, 1.0),
            (Action::Close, 1.0),
        ],
    );
    let deed = all.iter().find(|deed| deed.event.action == wished)?;
    let name = &deed.sight.name;
    // One change of the thing in the stretch, or the question has two answers.
    let around = film.deeds(BESIDE);
    if around.iter().filter(|(event, _)| event.object == Some(deed.thing.id)).count() != 1 {
        return None;
    }
    // A lid moves a moment after the hand arrives: the pictures must show what this deed changes, and no more.
    let on = |index: usize| {
        let truth = film.shot.truth(index);
        film.world.is_on(deed.thing.id, truth.day, truth.time_s)
    };
    let moved = matches!(wished, Action::PickUp | Action::PutDown);
    if moved != (on(0) == on(film.views.len() - 1)) {
        return None;
    }
    let (right, wrong) = match wished {
        Action::PickUp => ("taken up", "put down"),
        Action::PutDown => ("put down", "taken up"),
        Action::SwitchOn => ("turned on", "turned off"),
        Action::SwitchOff => ("turned off", "turned on"),
        Action::Open => ("opened", "closed"),
        _ => ("closed", "opened"),
    };
    let question = say(rng, &["what happens to the {0} ?", "how does the {0} change ?"], &[name]);
    let facts = format!("{} . {}", deed.facts(film), deed.turn());
    Some(Draft::choice(rng, "state", question, right, &[wrong], &facts))
}

/// What is done, or what would undo it.
pub(crate) fn action(film: &Film<'_>, rng: &mut Rng) -> Option<Draft> {
    let all = deeds(film, 0.6);
    let [deed] = &all[..] else { return None };
    if film.deeds(BESIDE).len() != 1 {
        return None;
    }
    let reverse = rng.chance(0.5);
    let (right_verb, wrong_verb) = if reverse { (deed.undo, deed.verb) } else { (deed.verb, deed.undo) };
    // Taking is as frequent as laying down here, on as off, whatever the home's habits.
    let weights = [
        ("pick up", 0.5),
        ("put down", 0.5),
        ("turn on", 0.8),
        ("turn off", 1.0),
        ("open", 1.0),
        ("close", 1.0),
    ];
    if !rng.chance(weights.iter().find(|(verb, _)| *verb == deed.verb)?.1) {
        return None;
    }
    let other = other_thing(film, rng, deed)?;
    let phrase = |verb: &str, name: &str| format!("{verb} the {name}");
    let right = phrase(right_verb, &deed.sight.name);
    let wrong =
        [phrase(wrong_verb, &deed.sight.name), phrase(right_verb, &other), phrase(wrong_verb, &other)];
    let (kind, templates): (_, &[&str]) = if reverse {
        ("reverse", &["which action would take me back to the start ?", "what must i do to undo my action ?"])
    } else {
        ("forward", &["which action do i perform ?", "what do i do with my hand ?"])
    };
    let question = say(rng, templates, &[]);
    let [done, undo] = [deed.verb, deed.undo].map(|verb| phrase(verb, &deed.sight.name));
    let seen = format!("{} . {}", deed.facts(film), deed.turn());
    let facts = if reverse {
        format!("{seen} . forward : {done} . reverse : {undo}")
    } else {
        format!("{seen} . reverse : {undo} . forward : {done}")
    };
    Some(Draft::choice(rng, kind, question, &right, &wrong, &facts))
}

/// Another thing that the same could be done to, as likely as the one it is done to.
fn other_thing(film: &Film<'_>, rng: &mut Rng, deed: &Deed<'_, '_>) -> Option<String> {
    if matches!(deed.event.action, Action::PickUp | Action::PutDown) {
        let names = crossed(film.world, rng, deed.thing)?;
        return Some(rng.pick(&names).clone());
    }
    let states = deed.thing.kind.states();
    let options: Vec<&Thing> = film
        .world
        .things
        .iter()
        .filter(|t| t.kind.states() == states && noun(t) != noun(deed.thing))
        .collect();
    let fixture = matches!(deed.thing.kind, Kind::Fixture(_));
    let same: Vec<&Thing> =
        options.iter().copied().filter(|t| matches!(t.kind, Kind::Fixture(_)) == fixture).collect();
    let from = if same.is_empty() { &options } else { &same };
    (!from.is_empty()).then(|| words::name(rng.pick::<&Thing>(from)))
}

/// When something is done: its interval, or which second the hand gets there.
pub(crate) fn grounding(film: &Film<'_>, rng: &mut Rng) -> Option<Draft> {
    let all = deeds(film, 0.1);
    if all.is_empty() {
        return None;
    }
    let deed = rng.pick(&all);
    if all.iter().filter(|o| o.thing.id == deed.thing.id && o.verb == deed.verb).count() != 1 {
        return None;
    }
    let event = format!("i {} the {}", deed.verb, deed.sight.name);
    let facts = deed.facts(film);
    if rng.chance(0.5) {
        let [start, end] = [deed.event.start_s, deed.event.end_s].map(|t| t - film.shot.start_s);
        if start < 0.0 || end > film.shot.seconds {
            return None;
        }
        let span = Gold::Span([start, end].map(|t| (t * 2.0).round() / 2.0));
        let facts = format!("{facts} . before it i reach . after it i draw back");
        return Some(Draft::open("interval", ProblemType::FreeForm, event, span, 0.55, &facts));
    }
    let part = |t: f64| (t / film.shot.seconds * 4.0).floor().clamp(0.0, 3.0) as usize;
    let quarter = part(deed.since(film));
    // The picture that shows it must lie in the same part.
    if part(deed.shown(film)) != quarter {
        return None;
    }
    let wished = wish(rng, &[(0usize, 2.2), (1, 1.2), (2, 1.4), (3, 1.3)]);
    if wished != quarter {
        return None;
    }
    let length = film.shot.seconds / 4.0;
    let name = |i: usize| format!("{} to {}", number(i as f64 * length), number((i + 1) as f64 * length));
    let wrong: Vec<String> = (0..4).filter(|i| *i != quarter).map(name).collect();
    let question = say(
        rng,
        &["in which seconds do i {1} the {0} ?", "when do i {1} the {0} ?"],
        &[&deed.sight.name, deed.verb],
    );
    Some(Draft::choice(rng, "seconds", question, &name(quarter), &wrong, &facts))
}

/// How many: people seen, rooms walked through, turns taken.
pub(crate) fn tally(film: &Film<'_>, rng: &mut Rng) -> Option<Draft> {
    if rng.chance(0.5) { people_seen(film, rng) } else { things_in_hand(film, rng) }
}

fn people_seen(film: &Film<'_>, rng: &mut Rng) -> Option<Draft> {
    let wished = wish(rng, &[(0usize, 0.26), (1, 0.5), (2, 2.6)]);
    let mut names: Vec<(usize, String)> = Vec::new();
    for person in film.world.people() {
        let first = film.views.iter().position(|view| view.find(person.id).is_some());
        let shows = (0..film.views.len()).any(|i| film.pixels(i, person.id) > 20);
        match first {
            Some(index) => names.push((index, words::name(person))),
            None if shows => return None,
            None => {}
        }
    }
    if names.len() != wished {
        return None;
    }
    names.sort();
    let listed: Vec<String> = names
        .iter()
        .enumerate()
        .map(|(i, (index, name))| format!("{} {name} {}", i + 1, super::film::at(*index)))
        .collect();
    let facts = if listed.is_empty() { "no person is seen".to_owned() } else { listed.join(" . ") };
    let question = say(rng, &["how many people do i see ?", "how many people come into view ?"], &[]);
    Some(Draft::open(
        "people",
        ProblemType::Numerical,
        question,
        Gold::Number(wished as f64),
        1.0 / 3.0,
        &facts,
    ))
}

/// How many different things the hands touch; two within seconds are too rare to ask for.
fn things_in_hand(film: &Film<'_>, rng: &mut Rng) -> Option<Draft> {
    let wished = wish(rng, &[(0usize, 1.4), (1, 1.0)]);
    let mut touched: Vec<(usize, String)> = Vec::new();
    for (index, view) in film.views.iter().enumerate() {
        for hand in &view.truth.hands {
            let Some(id) = hand.contact else { continue };
            let sight = film.views.iter().find_map(|view| view.find(id))?;
            if !touched.iter().any(|(_, name)| *name == sight.name) {
                touched.push((index, sight.name.clone()));
            }
        }
    }
    // A touch between two pictures would be missed.
    if touched.len() != wished
        || film.deeds(-0.3).iter().any(|(event, _)| {
            event
                .object
                .and_then(|id| film.world.thing(id))
                .is_none_or(|thing| !touched.iter().any(|(_, name)| *name == words::name(thing)))
        })
    {
        return None;
    }
    let listed: Vec<String> = touched
        .iter()
        .enumerate()
        .map(|(i, (index, name))| format!("{} {name} {}", i + 1, super::film::at(*index)))
        .collect();
    let facts = if listed.is_empty() { "my hands touch nothing".to_owned() } else { listed.join(" . ") };
    let question =
        say(rng, &["how many things do i touch ?", "how many things do my hands hold or touch ?"], &[]);
    Some(Draft::open("touched", ProblemType::Numerical, question, Gold::Number(wished as f64), 0.5, &facts))
}
