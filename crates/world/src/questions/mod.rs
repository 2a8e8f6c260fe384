//! Questions about a world, each with its answer and the reasons for it, in the families that published first-person
//! video datasets ask. Every answer is read from the truth, and only what a viewer can see is asked.
//!
//! This folder knows no model and no prompt: it ends at plain text and at the files of each dataset's own shape.

mod balance;
mod count;
mod days;
mod deeds;
mod draft;
mod family;
mod files;
mod film;
mod habits;
mod hands;
mod lesson;
mod lesson_files;
mod memory;
mod moments;
mod motion;
mod pairs;
mod question;
mod sample;
mod shot;
mod singles;
mod view;
mod way;
mod words;
mod write;

pub use family::{Family, Scope};
pub use files::Item;
pub use lesson_files::{LESSON_FILES, write_lessons};
pub use moments::{Moment, moment};
pub use question::{Clock, Gold, Graph, Link, Medium, Node, ProblemType, Question};
pub use sample::{Batch, Plan, Sampler, sample};
pub use shot::{SAMPLE_RATE, Shot};
pub use words::{AREAS, DEPTHS, area_rank, depth_rank};
pub use write::{Progress, WriteOptions, Written, write};

use crate::rng::Rng;
use crate::world::World;
use draft::Draft;
use film::Film;
use view::View;

/// The bit of a seed that tells held-out worlds from those to train on.
const HELD_OUT: u64 = 1 << 63;

/// Whether worlds of this seed are kept for tests; nothing may be trained on them.
pub const fn is_held_out(seed: u64) -> bool {
    seed & HELD_OUT != 0
}

/// The held-out seed of this number.
pub const fn held_out(seed: u64) -> u64 {
    seed | HELD_OUT
}

/// The train seed of this number.
pub const fn for_training(seed: u64) -> u64 {
    seed & !HELD_OUT
}

/// A question of a family about a shot; `None` when the shot, or the luck of the draw, has none. Answers come out
/// evenly because a draw whose answer is not the wished one is turned down: ask about many shots rather than often
/// about one.
pub fn ask(world: &World, shot: &Shot, family: Family, rng: &mut Rng) -> Option<Question> {
    match family.scope() {
        Scope::Frame => {
            let index = rng.below(shot.frames.len());
            let view = View::new(world, shot, index);
            let draft = frame_maker(family)(&view, rng)?;
            let (observe, scene) = (Some(view.observation()), Some(view.graph(&draft)));
            let medium = Medium::Frame { day: shot.day, time_s: view.truth.time_s };
            Some(finish(world, family, medium, draft, observe, scene))
        }
        Scope::Clip if shot.seconds > 0.0 => {
            let draft = clip_maker(family)(&Film::new(world, shot), rng)?;
            let medium = Medium::Clip { day: shot.day, start_s: shot.start_s, seconds: shot.seconds };
            Some(finish(world, family, medium, draft, None, None))
        }
        Scope::Clip | Scope::Days => None,
    }
}

fn frame_maker(family: Family) -> fn(&View<'_>, &mut Rng) -> Option<Draft> {
    match family {
        Family::Relation => pairs::relation,
        Family::Size => pairs::size,
        Family::Depth => pairs::depth,
        Family::Distance => pairs::distance,
        Family::Reach => hands::reach,
        Family::Orientation => singles::orientation,
        Family::Location => singles::location,
        Family::Count => count::count,
        Family::Existence => singles::existence,
        Family::Colour => singles::colour,
        Family::Text => singles::text,
        Family::HandObject => hands::hand_object,
        _ => |_, _| None,
    }
}

fn clip_maker(family: Family) -> fn(&Film<'_>, &mut Rng) -> Option<Draft> {
    match family {
        Family::Order => motion::order,
        Family::Motion => motion::motion,
        Family::Movement => motion::movement,
        Family::Tally => deeds::tally,
        Family::Change => deeds::change,
        Family::Action => deeds::action,
        Family::Grounding => deeds::grounding,
        Family::Place => way::place,
        Family::Route => way::route,
        Family::Direction => way::direction,
        Family::Landmark => way::landmark,
        _ => |_, _| None,
    }
}

fn finish(
    world: &World,
    family: Family,
    medium: Medium,
    draft: Draft,
    observe: Option<String>,
    scene: Option<Graph>,
) -> Question {
    let (day, time_s) = match medium {
        Medium::Frame { day, time_s } => (day, time_s),
        Medium::Clip { day, start_s, .. } => (day, start_s),
        Medium::Days { query, .. } => (query.day, query.time_s),
    };
    let Draft { kind, problem_type, question, options, answer, chance, think, .. } = draft;
    // Two questions of a kind about one moment differ in their words.
    let text = question.bytes().chain(options.iter().flat_map(|option| option.bytes()));
    let words = text.fold(0xcbf2_9ce4_8422_2325u64, |h, b| (h ^ u64::from(b)).wrapping_mul(0x100_0000_01b3));
    let id = format!("{}-{day}-{:.3}-{}-{:08x}", world.seed, time_s, family.name(), words as u32);
    Question {
        id,
        family,
        kind: kind.to_owned(),
        medium,
        problem_type,
        question,
        options,
        answer,
        chance,
        think,
        observe,
        scene,
    }
}

#[cfg(test)]
mod blind;
#[cfg(test)]
mod measure;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod truths;
#[cfg(test)]
mod write_tests;
