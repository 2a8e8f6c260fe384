//! Questions that no single sentence answers: whether something happened on a day, which of two things came first, what
//! came next or just before, at what hour something is done. Each is a fixed plan of searches; what they show decides,
//! and where they do not, the question is nobody's here and the searcher goes on as with any other.

use firsthand_base::Moment;

use super::choose;
use super::past::Past;
use super::words::{content, overlap, spoken_for};
use crate::tools::RagLevel;

/// Milliseconds of an hour, the time that one search for a neighbour covers.
const HOUR_MS: i64 = 3_600_000;
/// Hours that are searched for a neighbour.
const HOURS: i64 = 4;

/// Milliseconds after the full hour within which a habit begins.
const PUNCTUAL_MS: i64 = 120_000;

/// The next turn of such a question.
pub(super) fn turn(past: &Past) -> Option<String> {
    whether(past).or_else(|| earlier(past)).or_else(|| neighbour(past)).or_else(|| usual(past))
}

/// A sentence of a clip.
struct Told {
    at: Moment,
    sentence: String,
}

/// All sentences that clips showed, in order of time.
fn told(past: &Past) -> Vec<Told> {
    let mut clips = past.clips();
    clips.sort_unstable();
    clips.dedup();
    let sentences = clips.into_iter().flat_map(|(at, text)| {
        let all = text.split(['.', '\n', '!', '?']).map(str::trim).filter(|sentence| !sentence.is_empty());
        all.map(move |sentence| Told { at, sentence: sentence.to_lowercase() })
    });
    sentences.collect()
}

/// "did i ... on day 3": one search of that day; yes if a sentence has all the words.
fn whether(past: &Past) -> Option<String> {
    let option = |word: &str| past.options.iter().position(|option| option.trim().eq_ignore_ascii_case(word));
    let (yes, no, day) = (option("yes")?, option("no")?, past.named_day()?);
    if past.looks.is_empty() {
        return Some(past.opening());
    }
    let asked = content(&past.question);
    let said = told(past).into_iter().find(|told| overlap(&asked, &told.sentence) == asked.len());
    Some(match said {
        Some(Told { at, sentence }) => choose(past, &format!("at {at} : {sentence}"), yes),
        None => choose(past, &format!("day {} has no {}", day.day(), asked.join(" ")), no),
    })
}

/// "on day 3 , which did i pick up first , the cup or the pan ?": a search for each; the earlier one.
fn earlier(past: &Past) -> Option<String> {
    let (question, day) = (past.question.to_lowercase(), past.named_day()?);
    let [one, other] = &past.options[..] else { return None };
    if !question.contains("which did i")
        || !question.contains("first")
        || !question.contains(&one.to_lowercase())
    {
        return None;
    }
    let (_, rest) = question.split_once("which did i ")?;
    let (doing, _) = rest.split_once(" first")?;
    for option in [one, other] {
        let words = past.and_which([doing, option].map(str::to_owned).to_vec(), Some("first"));
        let thought = format!("i look when i {doing} the {option} on day {} .", day.day());
        if let Some(turn) = past.unless_searched(RagLevel::Day, day, &thought, &words) {
            return Some(turn);
        }
    }
    let told = told(past);
    let first = |option: &String| {
        let wanted = format!("i {doing} the {}", option.to_lowercase());
        told.iter().find(|told| told.sentence.starts_with(&wanted)).map(|told| told.at)
    };
    let (option, said) = match (first(one), first(other)) {
        (Some(a), Some(b)) => (usize::from(b < a), format!("the {one} at {a} , the {other} at {b}")),
        (Some(a), None) => (0, format!("the {one} at {a}")),
        (None, Some(b)) => (1, format!("the {other} at {b}")),
        (None, None) => return None,
    };
    Some(choose(past, &said, option))
}

/// "the last time i put down the cup , what did i pick up next ?": when that was, then the hours after it; the same
/// backwards for what was just before.
fn neighbour(past: &Past) -> Option<String> {
    let question = past.question.to_lowercase();
    let (known, asked) = question.strip_prefix("the last time i ")?.split_once(" , what did i ")?;
    let forward = asked.contains("next");
    if !forward && !asked.contains("before") {
        return None;
    }
    // Records say `put`, questions `put down`.
    let doing = |words: &str| if words.contains("put") { "put" } else { "pick up" };
    let (_, thing) = known.split_once(" the ")?;
    let (known, asked) = (format!("i {} the {thing}", doing(known)), doing(asked));
    let words = past.and_which([doing(&known), thing].map(str::to_owned).to_vec(), Some("last"));
    let thought = format!("i look when i last {} the {thing} .", words[0]);
    if let Some(turn) = past.unless_searched(RagLevel::Week, Moment::START, &thought, &words) {
        return Some(turn);
    }
    let told = told(past);
    let at = told.iter().rposition(|told| told.sentence.starts_with(&known))?;
    let moment = told[at].at;
    let is_asked =
        |told: &&Told| told.sentence.starts_with(&format!("i {asked} the ")) && told.at.day() == moment.day();
    let searched = past.looks.len() as i64 - 1;
    let found = match forward {
        true => told[at + 1..].iter().find(is_asked),
        false => told[..at].iter().rev().find(is_asked),
    };
    if let Some(found) = found.filter(|_| searched > 0) {
        let option = spoken_for(&found.sentence, &past.options, "")?;
        let order = if forward { "then" } else { "before" };
        let said = format!("at {moment} : {known} . {order} at {} : {}", found.at, found.sentence);
        return Some(choose(past, &said, option));
    }
    if searched >= HOURS {
        return None;
    }
    let order = if forward { "first" } else { "last" };
    let away = if forward { searched } else { -1 - searched };
    let words = past.and_which(vec![asked.to_owned()], Some(order));
    let thought = format!(
        "at {moment} : {known} . i look what i {asked} {} .",
        if forward { "next" } else { "before" }
    );
    past.unless_searched(RagLevel::Hour, moment.plus_ms(away * HOUR_MS), &thought, &words)
}

/// "at what hour do i water the plant ?": what is done as one of these hours begins. A search of the week; where that
/// shows nothing, one of each hour, the last time that it was.
fn usual(past: &Past) -> Option<String> {
    let question = past.question.to_lowercase();
    let (_, habit) = question.split_once("at what hour do i ")?;
    let hours: Vec<i64> =
        past.options.iter().map(|option| option.trim().parse().ok()).collect::<Option<_>>()?;
    let words = content(habit);
    let thought = format!("i look when i {} in the week .", words.join(" "));
    if let Some(turn) = past.unless_searched(RagLevel::Week, Moment::START, &thought, &words) {
        return Some(turn);
    }
    let done = told(past).into_iter().find_map(|told| {
        let since = told.at.ms_of_day() % HOUR_MS;
        let hour = hours.iter().position(|hour| *hour == told.at.ms_of_day() / HOUR_MS)?;
        let is_habit = words.iter().any(|word| told.sentence.starts_with(&format!("i {word} ")));
        (since < PUNCTUAL_MS && is_habit).then_some((hour, told))
    });
    if let Some((option, told)) = done {
        return Some(choose(past, &format!("at {} : {}", told.at, told.sentence), option));
    }
    hours.iter().find_map(|hour| {
        let today = past.clock.day();
        let at = [today, today - 1].into_iter().find_map(|day| {
            Moment::on_day(day, hour * HOUR_MS).filter(|at| at.plus_ms(PUNCTUAL_MS) <= past.clock)
        })?;
        let thought = format!("i look what i do at {hour} on day {} .", at.day());
        past.unless_searched(RagLevel::TenMinutes, at, &thought, &words)
    })
}
