//! Questions over days about things, happenings and people: where it was put, what came next, who was it.

use super::days::{Past, Recall, clock, when};
use super::draft::Draft;
use super::singles::crossed;
use super::words::say;
use crate::event::{Action, Event};
use crate::rng::Rng;
use crate::things::ThingId;

/// Where a thing was last put, or what was last put somewhere.
pub(crate) fn entity_log(past: &Past<'_>, rng: &mut Rng) -> Option<Recall> {
    let puts = past.mine(&[Action::PutDown]);
    let latest: Vec<&Event> = puts
        .iter()
        .copied()
        .filter(|event| {
            // Nothing has happened to the thing since.
            let touched =
                |o: &&&Event| o.object == event.object && (o.day, o.start_s) > (event.day, event.start_s);
            past.events.iter().find(touched).is_none() && event.place.is_some()
        })
        .collect();
    let event = *(!latest.is_empty()).then(|| rng.pick(&latest))?;
    let (object, place) = (event.object?, event.place?);
    let (name, at) = (past.name(object), past.name(place));
    let room = past.world.home.rooms[usize::from(event.room)].kind.name();
    let facts = format!("{} i put the {name} on the {at} in the {room}", when(event));
    let draft = match rng.below(3) {
        0 => {
            // Wrong answers are where other things were put.
            let wrong = others(&puts, rng, room.to_owned(), |o| {
                Some(past.world.home.rooms[usize::from(o.room)].kind.name().to_owned())
            })?;
            let question = say(
                rng,
                &["in which room did i last put the {0} ?", "which room did i leave the {0} in ?"],
                &[&name],
            );
            Draft::choice(rng, "room of a thing", question, room, &wrong, &facts)
        }
        1 => {
            let wrong = others(&puts, rng, at.clone(), |o| o.place.map(|id| past.name(id)))?;
            let question =
                say(rng, &["on what did i last put the {0} ?", "what did i leave the {0} on ?"], &[&name]);
            Draft::choice(rng, "place of a thing", question, &at, &wrong, &facts)
        }
        _ => {
            let last = puts.iter().find(|o| o.place == Some(place))?;
            let thing = past.world.thing(last.object?)?;
            let room = past.world.home.rooms[usize::from(last.room)].kind.name();
            // Two pieces of furniture of one name would make two answers.
            let twins = past.world.things.iter().filter(|t| super::days::called(t) == at).count();
            if twins != 1 {
                return None;
            }
            let question = say(
                rng,
                &["what did i last put on the {0} ?", "which thing did i last leave on the {0} ?"],
                &[&at],
            );
            let name = past.name(thing.id);
            let facts = format!("{} i put the {name} on the {at} in the {room}", when(last));
            let wrong = crossed(past.world, rng, thing)?;
            let draft = Draft::choice(rng, "thing of a place", question, &name, &wrong, &facts);
            return Some((draft, clock(last)));
        }
    };
    Some((draft, clock(event)))
}

/// Three distinct values of random other events, none the right one.
fn others(
    events: &[&Event],
    rng: &mut Rng,
    right: String,
    value: impl Fn(&Event) -> Option<String>,
) -> Option<Vec<String>> {
    let mut found: Vec<String> = Vec::new();
    for _ in 0..60 {
        let Some(other) = value(events[rng.below(events.len())]) else { continue };
        if other != right && !found.contains(&other) {
            found.push(other);
        }
        if found.len() == 3 {
            return Some(found);
        }
    }
    None
}

/// What was done next, what first, what on a day.
pub(crate) fn event_recall(past: &Past<'_>, rng: &mut Rng) -> Option<Recall> {
    if rng.chance(0.5) { next_thing(past, rng) } else { earlier_today(past, rng) }
}

fn next_thing(past: &Past<'_>, rng: &mut Rng) -> Option<Recall> {
    let mut all = past.mine(&[Action::PickUp, Action::PutDown]);
    all.reverse();
    let forward = rng.chance(0.5);
    let action = if forward { Action::PutDown } else { Action::PickUp };
    let (known, asked) = (0..8).find_map(|_| {
        let object = rng.pick(past.world.objects()).id;
        let last = all.iter().rposition(|event| event.action == action && event.object == Some(object))?;
        let next = if forward { last + 1 } else { last.checked_sub(1)? };
        let (known, asked) = (all[last], *all.get(next)?);
        let other = asked.object != known.object && asked.action != action && asked.day == known.day;
        other.then_some((known, asked))
    })?;
    let (before, after) = if forward { (known, asked) } else { (asked, known) };
    let [k, a] = [known, asked].map(|event| event.object.and_then(|id| past.world.thing(id)));
    let (k, a) = (k?, a?);
    let names = [past.name(k.id), past.name(a.id)];
    let templates: &[&str] = if forward {
        &["the last time i put down the {0} , what did i pick up next ?"]
    } else {
        &["the last time i picked up the {0} , what did i put down just before ?"]
    };
    let question = say(rng, templates, &[&names[0]]);
    let facts = format!(
        "{} i put down the {} . then i picked up the {}",
        when(before),
        past.name(before.object?),
        past.name(after.object?)
    );
    let kind = if forward { "next thing" } else { "thing before" };
    let wrong = crossed(past.world, rng, a)?;
    Some((Draft::choice(rng, kind, question, &names[1], &wrong, &facts), clock(asked)))
}

fn earlier_today(past: &Past<'_>, rng: &mut Rng) -> Option<Recall> {
    let day = 1 + rng.below(past.query.day as usize) as u32;
    let moved: Vec<&Event> = past
        .mine(&[Action::PickUp])
        .into_iter()
        .filter(|event| event.day == day && event.habit.is_none())
        .collect();
    let first_of = |id: ThingId| moved.iter().rev().find(|event| event.object == Some(id)).copied();
    let (a, b) = (0..12).find_map(|_| {
        let pair = [(); 2].map(|()| moved.get(rng.below(moved.len().max(1))));
        let [Some(a), Some(b)] = pair else { return None };
        if a.object == b.object {
            return None;
        }
        // What is handled often is handled early.
        let times = |o: &Event| moved.iter().filter(|event| event.object == o.object).count();
        if times(a) != times(b) {
            return None;
        }
        Some((first_of(a.object?)?, first_of(b.object?)?))
    })?;
    let (first, second) = if a.start_s < b.start_s { (a, b) } else { (b, a) };
    let [x, y, right, wrong] = [a, b, first, second].map(|event| event.object.map(|id| past.name(id)));
    let question = say(
        rng,
        &["on day {2} , which did i pick up first , the {0} or the {1} ?"],
        &[&x?, &y?, &day.to_string()],
    );
    let (right, wrong) = (right?, wrong?);
    let minute = |event: &Event| {
        let minutes = (event.start_s / 60.0) as u32;
        format!("{}:{:02}", minutes / 60, minutes % 60)
    };
    let facts = format!(
        "the {right} at {} . the {wrong} at {} . the {right} is first",
        minute(first),
        minute(second)
    );
    Some((Draft::choice(rng, "first of two", question, &right, &[wrong], &facts), clock(first)))
}

/// Who borrowed, who said, who is what to whom.
pub(crate) fn relation_map(past: &Past<'_>, rng: &mut Rng) -> Option<Recall> {
    match rng.below(3) {
        0 => borrower(past, rng),
        1 => relation(past, rng),
        _ => speaker(past, rng),
    }
}

/// The other people of the home, as wrong answers.
fn other_people(past: &Past<'_>, right: ThingId) -> Vec<String> {
    past.world.people().iter().filter(|p| p.id != right).map(super::days::called).collect()
}

fn borrower(past: &Past<'_>, rng: &mut Rng) -> Option<Recall> {
    let event = *past.mine(&[Action::Give]).first()?;
    let (object, person) = (past.name(event.object?), event.other?);
    let right = past.name(person);
    let question = say(
        rng,
        &["who did i lend the {0} to ?", "to whom did i give the {0} ?", "who got the {0} from me ?"],
        &[&object],
    );
    let facts = format!("{} i give the {object} to {right}", when(event));
    let wrong = other_people(past, person);
    Some((Draft::choice(rng, "borrower", question, &right, &wrong, &facts), clock(event)))
}

fn relation(past: &Past<'_>, rng: &mut Rng) -> Option<Recall> {
    const RELATIONS: [&str; 5] = ["cousin", "neighbour", "colleague", "flatmate", "teacher"];
    let said = |event: &&&Event| {
        event.transcript.as_ref().is_some_and(|line| line.contains(" is my ") && event.who != ThingId::WEARER)
    };
    let event = past.events.iter().find(said)?;
    let line = event.transcript.as_ref()?;
    let right = *RELATIONS.iter().find(|relation| line.contains(**relation))?;
    let other = line.split_whitespace().next()?.to_lowercase();
    let person = past.name(event.who);
    let question = say(rng, &["what is {0} to {1} ?", "how are {0} and {1} related ?"], &[&other, &person]);
    let mut wrong: Vec<&str> = RELATIONS.into_iter().filter(|relation| *relation != right).collect();
    rng.shuffle(&mut wrong);
    wrong.truncate(3);
    let facts = format!("{} {person} said that {other} is a {right}", when(event));
    Some((Draft::choice(rng, "relation", question, right, &wrong, &facts), clock(event)))
}

fn speaker(past: &Past<'_>, rng: &mut Rng) -> Option<Recall> {
    let hobbies = ["piano", "chess", "spanish", "swimming", "drawing", "guitar"];
    let told: Vec<(&Event, &str)> = past
        .events
        .iter()
        .filter_map(|event| {
            let line = event.transcript.as_ref()?.to_lowercase();
            let hobby = hobbies.iter().find(|hobby| line.ends_with(&format!("{hobby}.")))?;
            (event.who != ThingId::WEARER).then_some((*event, *hobby))
        })
        .collect();
    let (event, hobby) = *(!told.is_empty()).then(|| rng.pick(&told))?;
    if told.iter().any(|(other, same)| *same == hobby && other.who != event.who) {
        return None;
    }
    let right = past.name(event.who);
    let question = say(rng, &["who told me about {0} ?", "who has started to learn {0} ?"], &[hobby]);
    let facts = format!("{} {right} told me about {hobby}", when(event));
    let wrong = other_people(past, event.who);
    Some((Draft::choice(rng, "speaker", question, &right, &wrong, &facts), clock(event)))
}
