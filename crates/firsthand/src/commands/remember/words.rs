//! What the model is asked about a clip and about a stretch of time, from the prompts beside the source, and how captions
//! and summaries are made of its answers.

use std::cell::RefCell;

use firsthand_base::{
    Conversation, Digest, FrameId, Generation, Part, PixelLimits, Sampling, Span, VideoPart, VideoSource,
};
use firsthand_memory::build::{Caption, Captioned, Clip, Cost, Fault, Summarise, Summary};
use firsthand_memory::{Level, Record};

use super::mind::Mind;

const CLIP: &str = include_str!("../../../prompts/clip.md");
const SAID: &str = include_str!("../../../prompts/said.md");
const SUMMARY: &str = include_str!("../../../prompts/summary.md");

/// What fixes the prompts, for the manifest.
pub(super) fn prompts_hash() -> String {
    let text = [CLIP, SAID, SUMMARY].concat();
    Digest(*blake3::hash(text.as_bytes()).as_bytes()).to_hex()
}

/// Who answers what is asked about clips: one outcome for each conversation, in order.
pub(super) trait Answers {
    fn answer(&mut self, asked: &[Conversation]) -> Vec<Result<(Generation, Cost), Fault>>;

    /// Conversations that are worked on side by side.
    fn at_once(&self) -> usize {
        1
    }
}

/// What a model is asked about a clip of which it is shown so many frames.
pub(super) fn asked(shown: Vec<Part>, frames: usize, clip: &Clip) -> Conversation {
    let seconds = clip.end_s - clip.start_s;
    let said = clip.words().map(|lines| SAID.trim_end().replace("{lines}", &lines));
    let text = CLIP
        .trim_end()
        .replace("{frames}", &frames.to_string())
        .replace("{seconds}", &format!("{seconds:.0}"))
        .replace("{said}", &said.unwrap_or_default());
    let mut parts = shown;
    parts.push(Part::Text(text));
    Conversation::user(parts)
}

/// A caption out of an answer.
pub(super) fn captioned(answer: Result<(Generation, Cost), Fault>) -> Result<Captioned, Fault> {
    let (generation, cost) = answer?;
    let text = generation.text.trim().to_owned();
    if text.is_empty() {
        return Err(Fault::This("the model answered nothing".to_owned()));
    }
    let frames: Vec<FrameId> = generation.media.into_iter().flat_map(|medium| medium.frames).collect();
    Ok(Captioned { text, people: Vec::new(), frames, cost })
}

/// Captions from the model, of frames chosen alike in every clip.
pub(super) struct Looking<'a> {
    pub(super) mind: &'a RefCell<Mind>,
    pub(super) fps: f64,
    pub(super) limits: PixelLimits,
}

impl Looking<'_> {
    fn conversation(&self, clip: &Clip) -> Conversation {
        let frames = (((clip.end_s - clip.start_s) * self.fps).round() as usize).max(2);
        let video = VideoPart {
            source: VideoSource::File(clip.file.clone().unwrap_or_default()),
            sampling: Sampling::Rate {
                fps: self.fps,
                min_frames: 2,
                max_frames: Sampling::DEFAULT_MAX_FRAMES,
            },
            span: Span { start_s: Some(clip.start_s), end_s: Some(clip.end_s) },
            limits: self.limits,
            sample_fps: None,
            damaged: firsthand_base::Damaged::Refuse,
        };
        asked(vec![Part::Video(video)], frames, clip)
    }
}

impl Caption for Looking<'_> {
    fn caption(&mut self, clips: &[Clip]) -> Vec<Result<Captioned, Fault>> {
        let asked: Vec<Conversation> = clips.iter().map(|clip| self.conversation(clip)).collect();
        let answers = self.mind.borrow_mut().answer(&asked);
        answers.into_iter().map(captioned).collect()
    }

    fn at_once(&self) -> usize {
        self.mind.borrow().at_once()
    }
}

/// Summaries from the model.
pub(super) struct Writing<'a, M> {
    pub(super) mind: &'a RefCell<M>,
}

impl<M: Answers> Summarise for Writing<'_, M> {
    fn summarise(&mut self, level: Level, parts: &[Record]) -> Result<Summary, Fault> {
        let asked = Conversation::user(vec![Part::Text(summary_prompt(level, parts))]);
        let mut answers = self.mind.borrow_mut().answer(&[asked]);
        let (generation, cost) = answers.pop().unwrap_or_else(|| Err(Fault::This("no answer".to_owned())))?;
        let text = generation.text.trim().to_owned();
        if text.is_empty() {
            return Err(Fault::This("the model answered nothing".to_owned()));
        }
        Ok(Summary { text, cost })
    }
}

fn summary_prompt(level: Level, parts: &[Record]) -> String {
    let (name, words) = match level {
        Level::Clip | Level::TenMinutes => ("ten minutes", 120),
        Level::Hour => ("hour", 200),
        Level::Day => ("day", 350),
        Level::Week => ("week", 500),
    };
    let notes: Vec<String> = parts
        .iter()
        .map(|part| {
            let minutes = part.start.ms_of_day() / 60_000;
            let said = part.transcript.as_ref().map(|said| format!("\n{said}")).unwrap_or_default();
            let day = part.start.day();
            format!("[day {day}, {:02}:{:02}] {}{said}", minutes / 60, minutes % 60, part.text)
        })
        .collect();
    SUMMARY
        .trim_end()
        .replace("{level}", name)
        .replace("{words}", &words.to_string())
        .replace("{notes}", &notes.join("\n"))
}
