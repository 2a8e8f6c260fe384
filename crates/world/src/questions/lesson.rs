//! Rows to learn from that are no questions of a benchmark: what a picture or clip shows, thing by thing, and
//! questions whose facts stand in the text. They teach words and letters; nothing is scored on them.

use super::question::Question;
use super::shot::{Shot, Sight};
use super::singles::{noun, palette};
use super::words::{area_word, name};
use crate::rng::Rng;
use crate::things::Thing;
use crate::world::World;

/// Most things named of a picture, and of each moment of a clip.
const IN_PICTURE: usize = 8;
/// Most things asked for at once.
const SOUGHT: usize = 5;
const IN_MOMENT: usize = 3;

/// What is said to a model, and what it should reply.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Lesson {
    /// The user's words.
    pub ask: String,
    /// The reply.
    pub say: String,
}

/// Everything nameable in a shot: of a picture from left to right, of a clip at the second picture of every pair.
pub(crate) fn description(world: &World, shot: &Shot) -> Option<Lesson> {
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

/// Things of a picture asked for by name, or by noun where that is enough, some of them not there: the shortest text
/// per look at a picture.
pub(crate) fn search(world: &World, shot: &Shot, rng: &mut Rng) -> Option<Lesson> {
    let mut sights = shot.sights(world, 0);
    rng.shuffle(&mut sights);
    sights.truncate(SOUGHT);
    let all = || shot.truth(0).things.iter().filter_map(|seen| world.thing(seen.id));
    let (mut sought, mut found) = (Vec::new(), Vec::new());
    for s in &sights {
        let noun = noun(s.thing);
        let facts = format!("{} {} {}", s.cell, s.depth_word(), area_word(s.seen.bounds, shot.size));
        let alone = all().filter(|other| self::noun(other) == noun).count() == 1;
        let palette = palette(s.thing);
        let other = (!palette.is_empty()).then(|| *rng.pick(&palette));
        let there = all().any(|thing| thing.colour == other && self::noun(thing) == noun);
        match s.thing.colour {
            Some(colour) if alone && rng.chance(0.4) => {
                sought.push(noun.to_owned());
                found.push(format!("{noun} {facts} {}", colour.name()));
            }
            Some(_) if !there && rng.chance(0.25) => {
                let absent = name(&Thing { colour: other, ..s.thing.clone() });
                found.push(format!("no {absent}"));
                sought.push(absent);
            }
            _ => {
                sought.push(s.name.clone());
                found.push(format!("{} {facts}", s.name));
            }
        }
    }
    let ask = format!("find {}", sought.join(" , "));
    (!found.is_empty()).then(|| Lesson { ask, say: found.join(" . ") })
}

/// A question about a picture that wants observation and scene graph as well.
pub(crate) fn with_scene(question: &Question) -> Option<Lesson> {
    Some(Lesson { ask: question.scene_prompt()?, say: question.completion() })
}

/// The question with its facts in front of it: what is left to learn is to bind the deciding one to a letter.
pub(crate) fn facts(question: &Question) -> Lesson {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clip::ClipOptions;

    #[test]
    fn what_is_found_is_there_and_what_is_not_is_not() {
        let world = World::lived(5, 1).unwrap();
        let (mut found, mut missed) = (0, 0);
        for spell in world.card().spells {
            let shot = Shot::frame(&world, 1, spell.start_s, &ClipOptions::default()).unwrap();
            let seen = |word: &str| {
                let mut things = shot.truth(0).things.iter().map(|seen| world.thing(seen.id).unwrap());
                things.any(|thing| name(thing) == word || noun(thing) == word)
            };
            for number in 0..4 {
                let Some(Lesson { ask, say }) =
                    search(&world, &shot, &mut Rng::new(spell.start_s as u64 + number))
                else {
                    continue;
                };
                let (asked, said) = (ask.trim_start_matches("find ").split(" , "), say.split(" . "));
                assert_eq!(asked.clone().count(), said.clone().count(), "{ask} / {say}");
                for (asked, said) in asked.zip(said) {
                    match said.strip_prefix("no ") {
                        Some(absent) => {
                            assert!(absent == asked && !seen(absent), "{ask} / {say}");
                            missed += 1;
                        }
                        None => {
                            assert!(said.starts_with(asked) && seen(asked), "{ask} / {say}");
                            found += 1;
                        }
                    }
                }
            }
        }
        assert!(found > 40 && missed > 5, "{found} found, {missed} not there");
    }
}
