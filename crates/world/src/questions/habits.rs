//! Questions over days about what recurs and what is still to be done.

use super::balance::wish;
use super::days::{Past, Recall, clock, when};
use super::draft::Draft;
use super::question::{Gold, ProblemType};
use super::words::say;
use crate::colour::Colour;
use crate::event::{Action, Event, HabitKind};
use crate::rng::Rng;
use crate::things::ThingId;

/// Events of a habit, in order, at most one a day.
fn kept<'a>(past: &Past<'a>, kind: HabitKind, action: Action) -> Vec<&'a Event> {
    let of = |event: &&&Event| {
        let habit = event.habit.and_then(|id| past.world.habits.get(id));
        event.action == action && habit.is_some_and(|habit| habit.kind == kind)
    };
    let mut events: Vec<&Event> = past.events.iter().filter(of).copied().collect();
    events.dedup_by_key(|event| event.day);
    events
}

/// `day 1 at 9 . day 2 at 9`.
fn listed(events: &[&Event]) -> String {
    events.iter().take(3).map(|event| when(event)).collect::<Vec<_>>().join(" . ")
}

/// What is always used, when it is done, how often, and whether it was done.
pub(crate) fn habit_insight(past: &Past<'_>, rng: &mut Rng) -> Option<Recall> {
    match rng.below(4) {
        0 => always_used(past, rng),
        1 => usual_hour(past, rng),
        2 => interval(past, rng),
        _ => television(past, rng),
    }
}

fn always_used(past: &Past<'_>, rng: &mut Rng) -> Option<Recall> {
    let (kind, action, template) = *rng.pick(&[
        (HabitKind::MorningDrink, Action::Drink, "what colour is the cup i drink from every morning ?"),
        (HabitKind::EveningReading, Action::Read, "what colour is the book i read every evening ?"),
        (HabitKind::Pills, Action::TakePills, "what colour is the pill bottle i use every morning ?"),
        (HabitKind::Water, Action::Water, "what colour is the can i water the plant with ?"),
    ]);
    let events = kept(past, kind, action);
    let last = *events.last().filter(|_| events.len() >= 2)?;
    let colour = past.world.thing(last.object?)?.colour?;
    let mut wrong: Vec<&str> =
        Colour::ALL.iter().filter(|other| **other != colour).map(|other| other.name()).collect();
    rng.shuffle(&mut wrong);
    wrong.truncate(3);
    let facts = format!("{} . each time the {}", listed(&events), past.name(last.object?));
    let draft = Draft::choice(rng, "what is always used", template.to_owned(), colour.name(), &wrong, &facts);
    Some((draft, clock(last)))
}

fn usual_hour(past: &Past<'_>, rng: &mut Rng) -> Option<Recall> {
    let (kind, action, hours, text): (_, _, &[u32], _) = *rng.pick(&[
        (HabitKind::Water, Action::Water, &[16, 17, 18][..], "at what hour do i water the plant ?"),
        (HabitKind::MorningDrink, Action::Drink, &[9, 10][..], "at what hour do i have my morning drink ?"),
    ]);
    let events = kept(past, kind, action);
    let last = *events.last().filter(|_| events.len() >= 2)?;
    let hour = |event: &Event| (event.start_s / 3600.0) as u32;
    let right = hour(last);
    if !hours.contains(&right) || events.iter().any(|event| hour(event) != right) {
        return None;
    }
    let wrong: Vec<String> = hours.iter().filter(|h| **h != right).map(u32::to_string).collect();
    let facts = listed(&events);
    let draft = Draft::choice(rng, "usual hour", text.to_owned(), &right.to_string(), &wrong, &facts);
    Some((draft, clock(last)))
}

fn interval(past: &Past<'_>, rng: &mut Rng) -> Option<Recall> {
    let events = kept(past, HabitKind::Water, Action::Water);
    let [.., before, last] = &events[..] else { return None };
    let days = last.day - before.day;
    if wish(rng, &[(2, 1.0), (3, 1.6)]) != days {
        return None;
    }
    let question = say(
        rng,
        &[
            "every how many days do i water the plant ?",
            "how many days are between two times i water the plant ?",
        ],
        &[],
    );
    let facts = format!("day {} . day {} . {days} days later", before.day, last.day);
    let answer = Gold::Number(f64::from(days));
    let draft = Draft::open("interval in days", ProblemType::Numerical, question, answer, 0.5, &facts);
    Some((draft, clock(last)))
}

fn television(past: &Past<'_>, rng: &mut Rng) -> Option<Recall> {
    // Evenings that are over.
    let day = 1 + rng.below(past.query.day.checked_sub(1).filter(|days| *days > 0)? as usize) as u32;
    let watched = past.mine(&[Action::Watch]).into_iter().find(|event| event.day == day);
    if past.world.habits.iter().all(|habit| habit.kind != HabitKind::Television) {
        return None;
    }
    let (right, wrong) = if watched.is_some() { ("yes", "no") } else { ("no", "yes") };
    let question = say(
        rng,
        &["did i watch television on day {0} ?", "was the television watched on day {0} ?"],
        &[&day.to_string()],
    );
    let facts = match watched {
        Some(event) => format!("{} i watch television", when(event)),
        None => format!("no watching on day {day}"),
    };
    let target = watched.map_or(super::question::Clock { day, time_s: 70_200.0 }, clock);
    Some((Draft::choice(rng, "watched", question, right, &[wrong], &facts), target))
}

/// What to buy, who asked for it, and when a habit is due again.
pub(crate) fn task_master(past: &Past<'_>, rng: &mut Rng) -> Option<Recall> {
    if rng.chance(0.65) { errand(past, rng) } else { due_again(past, rng) }
}

/// What is bought, as it is said.
const GOODS: [&str; 9] =
    ["milk", "bread", "eggs", "coffee", "butter", "batteries", "soap", "light bulbs", "stamps"];

fn errand(past: &Past<'_>, rng: &mut Rng) -> Option<Recall> {
    let asked = |event: &&&Event| {
        event.who != ThingId::WEARER
            && event.transcript.as_ref().is_some_and(|line| line.starts_with("Please buy "))
    };
    let all: Vec<&Event> = past.events.iter().filter(asked).copied().collect();
    let event = *(!all.is_empty()).then(|| rng.pick(&all))?;
    let line = event.transcript.as_ref()?;
    let mut goods: Vec<(usize, &str)> =
        GOODS.iter().filter_map(|good| line.find(good).map(|at| (at, *good))).collect();
    goods.sort_unstable();
    let [(_, first), (_, second)] = goods[..] else { return None };
    let (person, day) = (past.name(event.who), event.day);
    // Two errands of one person on one day would make two answers.
    if all.iter().filter(|other| other.day == day).count() != 1 {
        return None;
    }
    let right = format!("{first} and {second}");
    let facts = format!("{} {person} said please buy {right}", when(event));
    if rng.chance(0.3) {
        let question = say(rng, &["who asked me to buy {0} ?", "for whom must i buy {0} ?"], &[&right]);
        let wrong: Vec<String> =
            past.world.people().iter().filter(|p| p.id != event.who).map(super::days::called).collect();
        return Some((Draft::choice(rng, "who asked", question, &person, &wrong, &facts), clock(event)));
    }
    let question = say(
        rng,
        &["on day {1} , what was i asked to buy ?", "what did {0} ask me to buy on day {1} ?"],
        &[&person, &day.to_string()],
    );
    // Crossed with two other goods, so that no option stands out.
    let mut rest: Vec<&str> = GOODS.into_iter().filter(|good| *good != first && *good != second).collect();
    rng.shuffle(&mut rest);
    let wrong = [
        format!("{first} and {}", rest[0]),
        format!("{} and {second}", rest[1]),
        format!("{} and {}", rest[1], rest[0]),
    ];
    Some((Draft::choice(rng, "what to buy", question, &right, &wrong, &facts), clock(event)))
}

fn due_again(past: &Past<'_>, rng: &mut Rng) -> Option<Recall> {
    let events = kept(past, HabitKind::Water, Action::Water);
    let [.., before, last] = &events[..] else { return None };
    let gap = last.day - before.day;
    let ahead = (last.day + gap).checked_sub(past.query.day)?;
    if wish(rng, &[(1, 0.6), (2, 0.7), (3, 2.0)]) != ahead {
        return None;
    }
    let question = say(
        rng,
        &[
            "in how many days must i water the plant again ?",
            "how many days are left until i must water the plant ?",
        ],
        &[],
    );
    let facts = format!(
        "watered on day {} and day {} . so next on day {} . now is day {}",
        before.day,
        last.day,
        last.day + gap,
        past.query.day
    );
    let answer = Gold::Number(f64::from(ahead));
    let draft = Draft::open("due again", ProblemType::Numerical, question, answer, 1.0 / 3.0, &facts);
    Some((draft, clock(last)))
}
