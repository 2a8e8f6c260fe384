//! Rows to learn from that are no questions of a benchmark: what a picture or clip shows, thing by thing, and
//! questions whose facts stand in the text. They teach words and letters; nothing is scored on them.

use super::question::Question;
use super::shot::{Shot, Sight};
use crate::world::World;

/// Most things named of a picture, and of each moment of a clip.
const IN_PICTURE: usize = 8;
const IN_MOMENT: usize = 3;

/// What is said to a model, and what it should reply.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lesson {
    /// The user's words.
    pub ask: String,
    /// The reply.
    pub say: String,
}

/// Everything nameable in a shot: of a picture from left to right, of a clip at the second picture of every pair.
pub fn description(world: &World, shot: &Shot) -> Option<Lesson> {
    if shot.frames.len() < 2 {
        let say = sights(world, shot, 0, IN_PICTURE)?;
        return Some(Lesson { ask: "What is in the picture?".into(), say });
    }
    let moments: Vec<String> = (1..shot.frames.len())
        .step_by(2)
        .map(|i| sights(world, shot, i, IN_MOMENT).unwrap_or_else(|| "none".into()))
        .collect();
    Some(Lesson { ask: "What is in the video?".into(), say: moments.join(" . then ") })
}

/// The largest things of a picture, from left to right.
fn sights(world: &World, shot: &Shot, index: usize, most: usize) -> Option<String> {
    let mut sights: Vec<Sight<'_>> = shot.sights(world, index);
    sights.sort_by_key(|sight| (!sight.is_object(), std::cmp::Reverse(sight.seen.pixels), sight.id()));
    sights.truncate(most);
    sights.sort_by(|a, b| a.at[0].total_cmp(&b.at[0]).then(a.id().cmp(&b.id())));
    let parts: Vec<String> = sights.iter().map(Sight::at_depth).collect();
    (!parts.is_empty()).then(|| parts.join(" . "))
}

/// The question with its facts in front of it: what is left to learn is to bind the deciding one to a letter.
pub fn facts(question: &Question) -> Lesson {
    // Of a choice, the listing of the options and what follows; of anything else, what follows "so".
    let reasons = question.reasons();
    let decided =
        match reasons.strip_prefix(question.think.rsplit_once(" . so ").map_or("", |(facts, _)| facts)) {
            Some(rest) => rest.trim_start_matches(" . "),
            None => reasons.as_str(),
        };
    let say = format!("<think>{decided}</think>\n<answer>{}</answer>", question.answer_text());
    Lesson { ask: format!("{}\n{}", question.think, question.prompt()), say }
}
