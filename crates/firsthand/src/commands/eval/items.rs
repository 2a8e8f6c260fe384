//! Questions about held-out worlds with their pictures and clips on the disk, so that they enter the model through
//! the same door as anybody's files. Also the two controls: a grey medium, and the frames of a clip out of order.

use std::path::{Path, PathBuf};

use anyhow::Result;
use firsthand_base::{
    Conversation, ImagePart, Message, Part, PixelLimits, Role, Sampling, Span, VideoPart, VideoSource,
};
use firsthand_media::{Rate, VideoOptions, VideoWriter, write_png};
use firsthand_world::questions::{Family, Plan, Question, SAMPLE_RATE, Scope, Shot, held_out, sample};

use serde_json::{Value, json};

use crate::progress::{Progress, Unit};

/// Worlds looked at before a family is given up, per item.
const PATIENCE: u64 = 4;
/// Worlds that one `--seed` reserves.
const STRIDE: u64 = 1 << 20;

/// A question and the files it may be asked about.
pub(super) struct Item {
    pub(super) question: Question,
    scope: Scope,
    medium: PathBuf,
    /// All grey.
    blank: PathBuf,
    /// Out of order; only of clips.
    shuffled: Option<PathBuf>,
}

/// What is shown with the question.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shown {
    /// What it is about.
    Medium,
    /// Grey.
    Blank,
    /// The clip with its frames out of order.
    Shuffled,
}

/// `count` items of each family, from worlds that no training seed names.
pub(super) fn collect(seed: u64, count: usize, families: &[Family], dir: &Path) -> Result<Vec<Item>> {
    let progress =
        Progress::new("making held-out worlds", (count * families.len()) as u64, &Unit::Things("items"));
    let plan =
        Plan { families: families.to_vec(), frames: 10, clips: 14, days: 0, lived: 1, ..Plan::default() };
    let worlds = (0..PATIENCE * count as u64).map(|i| held_out(seed.wrapping_mul(STRIDE).wrapping_add(i)));
    let mut items: Vec<Item> = Vec::new();
    let mut counts = vec![0; families.len()];
    for (number, batch) in sample(worlds, plan).enumerate() {
        if counts.iter().all(|&have| have == count) {
            break;
        }
        let batch = batch?;
        let Some(shot) = batch.shot else { continue };
        let mut files: Option<(Scope, Files)> = None;
        let mut asked: Vec<Family> = Vec::new();
        for question in batch.questions {
            let family = question.family;
            let at = families.iter().position(|&other| other == family).expect("only these were asked for");
            // Several questions of a family about one clip are not independent.
            if counts[at] == count || asked.contains(&family) {
                continue;
            }
            let (scope, files) = match &files {
                Some((scope, files)) => (*scope, files.clone()),
                None => {
                    let made = write(&shot, family.scope(), number, dir)?;
                    files = Some((family.scope(), made.clone()));
                    (family.scope(), made)
                }
            };
            let Files { medium, blank, shuffled } = files;
            items.push(Item { question, scope, medium, blank, shuffled });
            asked.push(family);
            counts[at] += 1;
            progress.add(1);
        }
    }
    Ok(items)
}

#[derive(Clone)]
struct Files {
    medium: PathBuf,
    blank: PathBuf,
    shuffled: Option<PathBuf>,
}

fn write(shot: &Shot, scope: Scope, number: usize, dir: &Path) -> Result<Files> {
    let [width, height] = shot.size;
    let frames: Vec<&[u8]> = shot.frames.iter().map(|(frame, _)| frame.rgb.as_slice()).collect();
    let grey = vec![128; width * height * 3];
    let place = |name: &str, end: &str| dir.join(format!("{name}.{end}"));
    if scope == Scope::Frame {
        let (medium, blank) = (place(&number.to_string(), "png"), place("blank", "png"));
        write_png(&medium, width, height, frames[0])?;
        write_png(&blank, width, height, &grey)?;
        return Ok(Files { medium, blank, shuffled: None });
    }
    let medium = place(&number.to_string(), "mp4");
    video(&medium, shot.size, frames.iter().copied())?;
    let blank = place("blank", "mp4");
    video(&blank, shot.size, frames.iter().map(|_| grey.as_slice()))?;
    // A fixed order far from the true one: every third frame, three times over.
    let shuffled = place(&format!("{number}-shuffled"), "mp4");
    let order = (0..3).rev().flat_map(|first| (first..frames.len()).step_by(3));
    video(&shuffled, shot.size, order.map(|i| frames[i]))?;
    Ok(Files { medium, blank, shuffled: Some(shuffled) })
}

fn video<'a>(path: &Path, [width, height]: [usize; 2], frames: impl Iterator<Item = &'a [u8]>) -> Result<()> {
    let mut writer =
        VideoWriter::create(path, width, height, Rate::new(SAMPLE_RATE)?, &VideoOptions::short_clips())?;
    for frame in frames {
        writer.push(frame)?;
    }
    Ok(writer.finish()?)
}

impl Item {
    /// The question with its medium in the reference's message format.
    pub(super) fn messages(&self) -> Value {
        let kind = if self.scope == Scope::Frame { "image" } else { "video" };
        let medium = json!({"type": kind, kind: self.medium});
        json!([{"role": "user", "content": [medium, {"type": "text", "text": self.question.prompt()}]}])
    }

    /// The question with its medium, or a control; `None` where there is no such control.
    pub(super) fn conversation(&self, shown: Shown) -> Option<Conversation> {
        let path = match shown {
            Shown::Medium => &self.medium,
            Shown::Blank => &self.blank,
            Shown::Shuffled => self.shuffled.as_ref()?,
        };
        let location = path.to_string_lossy().into_owned();
        let medium = match self.scope {
            Scope::Frame => Part::Image(ImagePart { location, limits: PixelLimits::default() }),
            _ => Part::Video(VideoPart {
                source: VideoSource::File(location),
                sampling: Sampling::default(),
                span: Span::default(),
                limits: PixelLimits::default(),
                sample_fps: None,
                damaged: firsthand_base::Damaged::Refuse,
            }),
        };
        let parts = vec![medium, Part::Text(self.question.prompt())];
        Some(Conversation { messages: vec![Message::new(Role::User, parts)] })
    }
}
