//! A whole build: clips in order through a [`Caption`] into a memory. Clips that are there already are passed over, which
//! is all that resuming takes. A clip that cannot be made is noted; when nothing can be made, the build stops where it is.

use super::standing::{Standing, says};
use super::{Builder, Caption, Captioned, Clip, Fault, Summarise};
use crate::{Error, Result};

/// A stretch that overlaps what is remembered by no more than this is taken whole.
pub(super) const SLACK_MS: i64 = 1_000;

/// What a build has done with one clip.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Step<'a> {
    /// It was there already, all of it or all but a moment.
    Known(&'a Clip),
    /// It comes with its caption and lies in time that was forgotten: it stays out.
    Forgotten(&'a Clip),
    /// It is remembered.
    Remembered(&'a Clip, &'a Captioned),
    /// It cannot be.
    Failed(&'a Clip, &'a str),
}

/// Looks at nothing: for clips that come with their captions. One without is a failure of that clip.
#[derive(Clone, Copy, Debug, Default)]
pub struct Untold;

impl Caption for Untold {
    fn caption(&mut self, clips: &[Clip]) -> Vec<std::result::Result<Captioned, Fault>> {
        let one = |clip: &Clip| match &clip.text {
            Some(text) => Ok(Captioned { text: text.clone(), ..Captioned::default() }),
            None => Err(Fault::This("it has no caption, and nobody looks at it".to_owned())),
        };
        clips.iter().map(one).collect()
    }
}

/// How a build ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ended {
    /// With the last clip and all summaries.
    Done,
    /// Because whoever watches said so.
    Asked,
    /// Because nothing can be made for now: why.
    Stopped(String),
}

/// What a build did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// How it ended.
    pub ended: Ended,
    /// Clips that were there; of those that come with their captions, the same caption.
    pub known: u64,
    /// Clips with captions that stay out, since their time was forgotten.
    pub forgotten: u64,
    /// Clips remembered now.
    pub remembered: u64,
    /// Clips that failed now.
    pub failed: u64,
}

impl Report {
    /// Nothing done yet, and how it ends if nothing will be.
    pub fn none(ended: Ended) -> Report {
        Report { ended, known: 0, forgotten: 0, remembered: 0, failed: 0 }
    }
}

/// Remembers clips, which come by wearer and time, then writes the summaries that wait. `watch` hears of every clip
/// and stops the build with `false`.
pub fn remember(
    builder: &mut Builder<'_>,
    clips: impl IntoIterator<Item = Clip>,
    caption: &mut dyn Caption,
    writer: &mut dyn Summarise,
    watch: &mut dyn FnMut(Step<'_>) -> bool,
) -> Result<Report> {
    let report = follow(builder, clips, caption, writer, watch)?;
    if report.ended != Ended::Done {
        return Ok(report);
    }
    match builder.settle(writer) {
        Ok(()) => Ok(report),
        Err(Error::Stopped(reason)) => Ok(Report { ended: Ended::Stopped(reason), ..report }),
        Err(error) => Err(error),
    }
}

/// Remembers clips of time that goes on, as [`remember`] does, but leaves the summaries of the latest ten minutes, hour,
/// day and week to what comes later.
pub fn follow(
    builder: &mut Builder<'_>,
    clips: impl IntoIterator<Item = Clip>,
    caption: &mut dyn Caption,
    writer: &mut dyn Summarise,
    watch: &mut dyn FnMut(Step<'_>) -> bool,
) -> Result<Report> {
    let mut report = Report::none(Ended::Done);
    let ended = run(builder, clips, caption, writer, watch, &mut report);
    report.ended = match ended {
        Ok(true) => Ended::Done,
        Ok(false) => Ended::Asked,
        Err(Error::Stopped(reason)) => Ended::Stopped(reason),
        Err(error) => return Err(error),
    };
    Ok(report)
}

/// Whether the end was reached.
fn run(
    builder: &mut Builder<'_>,
    clips: impl IntoIterator<Item = Clip>,
    caption: &mut dyn Caption,
    writer: &mut dyn Summarise,
    watch: &mut dyn FnMut(Step<'_>) -> bool,
    report: &mut Report,
) -> Result<bool> {
    let mut clips = clips.into_iter();
    loop {
        let mut batch: Vec<Clip> = Vec::new();
        let mut is_over = true;
        for clip in clips.by_ref() {
            match rest_of(builder, &clip, &batch)? {
                Rest::Left(pieces) => batch.extend(pieces),
                Rest::Known => {
                    report.known += 1;
                    watch(Step::Known(&clip));
                }
                Rest::Forgotten => {
                    report.forgotten += 1;
                    watch(Step::Forgotten(&clip));
                }
            }
            if batch.len() >= caption.at_once().max(1) {
                is_over = false;
                break;
            }
        }
        if let Some(first) = batch.first() {
            builder.advance(&first.wearer, first.start, writer)?;
        }
        let told = batch.iter().all(|clip| clip.text.is_some());
        let made = if told { Untold.caption(&batch) } else { caption.caption(&batch) };
        for (clip, made) in batch.iter().zip(made) {
            let goes_on = match made {
                Ok(captioned) => {
                    report.remembered += 1;
                    builder.add(clip, captioned.clone(), writer)?;
                    watch(Step::Remembered(clip, &captioned))
                }
                Err(Fault::This(reason)) => {
                    report.failed += 1;
                    builder.fail(clip, &reason)?;
                    watch(Step::Failed(clip, &reason))
                }
                Err(Fault::Stop(reason)) => return Err(Error::Stopped(reason)),
            };
            if !goes_on {
                builder.write_pending()?;
                return Ok(false);
            }
        }
        if is_over {
            return Ok(true);
        }
    }
}

/// What of a clip is to be remembered.
enum Rest {
    /// All of it, or pieces between what is covered.
    Left(Vec<Clip>),
    Known,
    Forgotten,
}

/// A stretch is looked at once, whatever recording shows it; a caption is one of many that a stretch may have.
fn rest_of(builder: &mut Builder<'_>, clip: &Clip, ahead: &[Clip]) -> Result<Rest> {
    if clip.text.is_some() {
        let is_ahead = ahead.iter().any(|earlier| says(earlier, clip));
        return Ok(match builder.standing(clip)? {
            _ if is_ahead => Rest::Known,
            Standing::Known => Rest::Known,
            Standing::Forgotten => Rest::Forgotten,
            Standing::New => Rest::Left(vec![clip.clone()]),
        });
    }
    let end = clip.after();
    let mut covered = builder.covered(&clip.wearer, clip.start, end)?;
    for earlier in ahead.iter().filter(|earlier| earlier.wearer == clip.wearer) {
        covered.add(earlier.start, earlier.end);
    }
    let known_ms = covered.covered_ms(clip.start, end);
    if known_ms <= SLACK_MS.min(clip.length_ms() / 2) {
        return Ok(Rest::Left(vec![clip.clone()]));
    }
    let free = covered.free(clip.start, end).into_iter().filter(|(from, to)| to.ms() - from.ms() > SLACK_MS);
    let pieces: Vec<Clip> = free.map(|(start, end)| clip.piece(start, end)).collect();
    Ok(if pieces.is_empty() { Rest::Known } else { Rest::Left(pieces) })
}
