//! A served session's past becomes memory: the prompts, the builder and the rules of `remember`, asked of whoever the
//! server gives.

use std::cell::RefCell;
use std::sync::Arc;

use firsthand_base::{
    Conversation, FrameId, Generate, Generation, MediaTime, Part, SamplingOptions, StopRules,
};
use firsthand_memory::Memory;
use firsthand_memory::build::{self, Builder, Caption, Captioned, Clip, Cost, Ended, Fault};
use firsthand_serve::{Remember, Seen};

use super::mind::{costed, fault};
use super::words::{Answers, Writing, asked, captioned};

/// Most new tokens of a caption or summary of a session.
const MOST_TOKENS: usize = 256;

/// Remembers stretches of sessions.
pub(crate) fn remember() -> Remember {
    Arc::new(|memory: &mut Memory, seen: &Seen, model: &mut dyn Generate| {
        let mind = RefCell::new(Served { model });
        let mut looking = Looking { mind: &mind, seen };
        let mut writing = Writing { mind: &mind };
        let mut builder = Builder::new(memory);
        let clips = [seen.clip.clone()];
        let done = build::follow(&mut builder, clips, &mut looking, &mut writing, &mut |_| true);
        match done.map_err(|error| error.to_string())?.ended {
            Ended::Stopped(reason) => Err(reason),
            Ended::Done | Ended::Asked => Ok(()),
        }
    })
}

/// The served model.
struct Served<'a> {
    model: &'a mut dyn Generate,
}

impl Answers for Served<'_> {
    fn answer(&mut self, asked: &[Conversation]) -> Vec<Result<(Generation, Cost), Fault>> {
        let stop = StopRules { max_tokens: MOST_TOKENS, ..StopRules::default() };
        let one = |conversation: &Conversation| {
            costed(&mut *self.model, conversation, &SamplingOptions::default(), &stop).map_err(fault)
        };
        asked.iter().map(one).collect()
    }
}

/// Looks at what a session has of a stretch.
struct Looking<'a, 'b> {
    mind: &'a RefCell<Served<'b>>,
    seen: &'a Seen,
}

impl Caption for Looking<'_, '_> {
    fn caption(&mut self, clips: &[Clip]) -> Vec<Result<Captioned, Fault>> {
        let parts: Vec<Part> = self.seen.parts.iter().map(|(part, _)| part.clone()).collect();
        let one = |clip: &Clip| {
            let asked = asked(parts.clone(), self.seen.frames, clip);
            let answer = self.mind.borrow_mut().answer(&[asked]).pop();
            let answer = answer.unwrap_or_else(|| Err(Fault::This("no answer".to_owned())));
            captioned(answer.map(|(generation, cost)| (timed(generation, self.seen), cost)))
        };
        clips.iter().map(one).collect()
    }
}

/// Frames of a piece of film know their time in it; the record is to know their time in the session.
fn timed(mut generation: Generation, seen: &Seen) -> Generation {
    for (medium, (part, begins_s)) in generation.media.iter_mut().zip(&seen.parts) {
        let is_film = matches!(part, Part::Video(video) if matches!(video.source, firsthand_base::VideoSource::File(_)));
        let later = |frame: &mut FrameId| {
            let us = ((frame.time.seconds() + begins_s) * 1e6).round() as i64;
            frame.time = MediaTime::new(us, 1, 1_000_000);
        };
        if is_film {
            medium.frames.iter_mut().for_each(later);
        }
    }
    generation
}
