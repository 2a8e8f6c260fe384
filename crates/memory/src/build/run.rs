//! A whole build: clips in order through a [`Caption`] into a memory. Clips that are there already are passed over, which
//! is all that resuming takes. A clip that cannot be made is noted; when nothing can be made, the build stops where it is.

use firsthand_base::Moment;

use super::{Builder, Caption, Captioned, Clip, Fault, Summarise};
use crate::{Error, Result};

/// A stretch that overlaps what is remembered by no more than this is taken whole.
const SLACK_MS: i64 = 1_000;

/// What a build has done with one clip.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Step<'a> {
    /// It was there already, all of it or all but a moment.
    Known(&'a Clip),
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
    /// Clips that were there.
    pub known: u64,
    /// Clips remembered now.
    pub remembered: u64,
    /// Clips that failed now.
    pub failed: u64,
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
    let mut report = Report { ended: Ended::Done, known: 0, remembered: 0, failed: 0 };
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
            let rest = rest_of(builder, &clip, &batch)?;
            if rest.is_empty() {
                report.known += 1;
                watch(Step::Known(&clip));
            }
            batch.extend(rest);
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

/// What of a clip is not there yet: all of it, pieces between what is covered, or nothing.
fn rest_of(builder: &mut Builder<'_>, clip: &Clip, ahead: &[Clip]) -> Result<Vec<Clip>> {
    let end = clip.end.max(clip.start.plus_ms(1));
    let mut covered = builder.covered(&clip.wearer, clip.start, end)?;
    for earlier in ahead.iter().filter(|earlier| earlier.wearer == clip.wearer) {
        covered.add(earlier.start, earlier.end);
    }
    let known_ms = covered.covered_ms(clip.start, end);
    if known_ms <= SLACK_MS.min(clip.length_ms() / 2) {
        return Ok(vec![clip.clone()]);
    }
    let free = covered.free(clip.start, end).into_iter().filter(|(from, to)| to.ms() - from.ms() > SLACK_MS);
    let piece = |(start, end): (Moment, Moment)| Clip {
        start_s: clip.start_s + (start.ms() - clip.start.ms()) as f64 / 1000.0,
        end_s: clip.end_s - (clip.end.ms() - end.ms()) as f64 / 1000.0,
        start,
        end,
        ..clip.clone()
    };
    Ok(free.map(piece).collect())
}
