//! Which frames a sampling rule takes from a stream, as pure arithmetic over its frame count, its average rate and
//! its timestamps. Every rounding of the reference (qwen-vl-utils 0.0.14 on torch) is reproduced here and nowhere
//! else. Nothing is opened or decoded.

use firsthand_base::{Sampling, Span};

use crate::error::Refusal;

/// Frames are taken in pairs: one temporal patch holds two.
const FRAME_FACTOR: usize = 2;

/// What the rules need to know of a stream.
#[derive(Clone, Debug)]
pub struct Timeline {
    /// Frames in the stream.
    pub frames: usize,
    /// Average frames a second: frames over the time they cover.
    pub fps: f64,
    /// Seconds of each frame's presentation from the first frame, ascending. Only `Sampling::Timestamps` reads it.
    pub seconds: Vec<f64>,
    /// When the last frame stops being shown.
    pub end_s: f64,
}

/// The frames a rule chose.
#[derive(Clone, Debug, PartialEq)]
pub struct Choice {
    /// Frame numbers in presentation order, unless the rule takes another; may repeat.
    pub indices: Vec<usize>,
    /// Chosen frames a second, as the reference reports it to the processor.
    pub sample_fps: f64,
}

/// Applies `sampling` to the part of the stream that `span` names.
pub fn choose(sampling: &Sampling, span: &Span, timeline: &Timeline) -> Result<Choice, Refusal> {
    if timeline.frames == 0 || timeline.fps.is_nan() || timeline.fps <= 0.0 {
        return Err((
            format!("{} frames at {} frames a second", timeline.frames, timeline.fps),
            "give a file with moving pictures",
        ));
    }
    if let Sampling::Timestamps(times) = sampling {
        return at_times(times, span, timeline);
    }
    if let Sampling::Shuffled(of) | Sampling::Permuted { of, .. } = sampling {
        return Ok(reordered(sampling, choose(of, span, timeline)?));
    }
    let (first, last) = frame_range(span, timeline)?;
    let total = last - first + 1;
    let rate = |count: usize| count as f64 / total as f64 * timeline.fps;
    let offset = |indices: Vec<usize>| indices.into_iter().map(|i| i + first).collect();
    let choice = match *sampling {
        Sampling::Every => Choice { indices: (first..=last).collect(), sample_fps: timeline.fps },
        Sampling::Rate { fps, min_frames, max_frames } => {
            let count = rated_count(fps, min_frames, max_frames, total, timeline.fps)?;
            Choice { indices: rounded(first, last, count), sample_fps: rate(count) }
        }
        Sampling::Frames(wanted) => {
            let count = (wanted as f64 / FRAME_FACTOR as f64).round_ties_even() as usize * FRAME_FACTOR;
            let count = within_reach(count, total).map_err(|(what, remedy)| match count == wanted {
                true => (what, remedy),
                false => (format!("{what} ({wanted} is rounded to {count}: frames go in pairs)"), remedy),
            })?;
            Choice { indices: rounded(first, last, count), sample_fps: rate(count) }
        }
        Sampling::Uniform(count) => {
            let count = positive(count)?;
            Choice { indices: truncated(first, last, count), sample_fps: rate(count) }
        }
        Sampling::RateThenUniform { fps, min_frames, max_frames, keep } => {
            let count = rated_count(fps, min_frames, max_frames, total, timeline.fps)?;
            let candidates = rounded(first, last, count);
            let kept = truncated(0, count - 1, positive(keep)?);
            // The reference does not update the rate after thinning out.
            Choice { indices: kept.into_iter().map(|i| candidates[i]).collect(), sample_fps: rate(count) }
        }
        Sampling::Card(count) => {
            let count = positive(count)?;
            Choice {
                indices: offset(
                    (0..count).map(|i| (i as u128 * total as u128 / count as u128) as usize).collect(),
                ),
                sample_fps: rate(count),
            }
        }
        Sampling::Timestamps(_) | Sampling::Shuffled(_) | Sampling::Permuted { .. } => {
            unreachable!("handled above")
        }
    };
    Ok(choice)
}

/// A choice in the order that a rule puts it in.
pub(crate) fn reordered(sampling: &Sampling, choice: Choice) -> Choice {
    let Choice { indices, sample_fps } = choice;
    let order: Vec<usize> = match sampling {
        Sampling::Shuffled(_) => Sampling::out_of_order(indices.len()).collect(),
        Sampling::Permuted { seed, pairs, .. } => Sampling::permutation(indices.len(), *seed, *pairs),
        _ => (0..indices.len()).collect(),
    };
    Choice { indices: order.into_iter().map(|place| indices[place]).collect(), sample_fps }
}

/// First and last frame of the span, both included (qwen-vl-utils `calculate_video_frame_range`).
fn frame_range(span: &Span, timeline: &Timeline) -> Result<(usize, usize), Refusal> {
    let last = timeline.frames - 1;
    if span.start_s.is_none() && span.end_s.is_none() {
        return Ok((0, last));
    }
    if span.start_s.is_some_and(f64::is_nan) || span.end_s.is_some_and(f64::is_nan) {
        return Err(("video_start or video_end is not a number".into(), "give seconds"));
    }
    let duration = timeline.frames as f64 / timeline.fps;
    let start = span.start_s.map_or(0, |s| (s.min(duration).max(0.0) * timeline.fps).ceil() as usize);
    let end =
        span.end_s.map_or(last, |s| ((s.min(duration).max(0.0) * timeline.fps).floor() as usize).min(last));
    if start >= end {
        return Err((
            format!(
                "video_start is frame {start}, video_end is frame {end}, and the video has {duration:.2} s"
            ),
            "give a span of at least two frames inside the video",
        ));
    }
    Ok((start, end))
}

/// qwen-vl-utils `smart_nframes` with `fps`.
fn rated_count(
    fps: f64,
    min_frames: usize,
    max_frames: usize,
    total: usize,
    video_fps: f64,
) -> Result<usize, Refusal> {
    if !fps.is_finite() {
        return Err((format!("fps is {fps}"), "give a finite number of frames a second"));
    }
    let least = (min_frames as f64 / FRAME_FACTOR as f64).ceil() * FRAME_FACTOR as f64;
    let most = (max_frames as f64 / FRAME_FACTOR as f64).floor() * FRAME_FACTOR as f64;
    let wanted = total as f64 / video_fps * fps;
    let bounded = wanted.max(least).min(most).min(total as f64);
    within_reach((bounded / FRAME_FACTOR as f64).floor() as usize * FRAME_FACTOR, total)
}

fn within_reach(count: usize, total: usize) -> Result<usize, Refusal> {
    if total < FRAME_FACTOR {
        return Err((
            format!("{total} frame is there, and a video needs {FRAME_FACTOR}"),
            "widen the span, or take the picture out with `ffmpeg -i IN OUT.png` and give that",
        ));
    }
    if count < FRAME_FACTOR || count > total {
        return Err((
            format!("{count} frames are wanted, {FRAME_FACTOR} to {total} can be taken"),
            "ask for a frame count in that range",
        ));
    }
    Ok(count)
}

fn positive(count: usize) -> Result<usize, Refusal> {
    if count == 0 { Err(("0 frames are wanted".into(), "ask for at least one frame")) } else { Ok(count) }
}

/// `torch.linspace(first, last, count).round().long()`: half to even.
fn rounded(first: usize, last: usize, count: usize) -> Vec<usize> {
    linspace(first, last, count).into_iter().map(|x| x.round_ties_even() as usize).collect()
}

/// `torch.linspace(first, last, count).long()`, kept inside the range when float32 cannot hold it exactly.
fn truncated(first: usize, last: usize, count: usize) -> Vec<usize> {
    linspace(first, last, count).into_iter().map(|x| x as usize).collect()
}

/// `torch.linspace` in float32: the first half counts up from the start, the second down from the end, each by one
/// fused multiply-add.
fn linspace(first: usize, last: usize, count: usize) -> Vec<f32> {
    let (start, end) = (first as f32, last as f32);
    if count == 1 {
        return vec![start];
    }
    let step = (end - start) / (count - 1) as f32;
    (0..count)
        .map(|i| {
            if i < count / 2 {
                step.mul_add(i as f32, start)
            } else {
                (-step).mul_add((count - i - 1) as f32, end)
            }
        })
        .collect()
}

/// The frame on screen at each time: the last one whose timestamp is not later.
fn at_times(times: &[f64], span: &Span, timeline: &Timeline) -> Result<Choice, Refusal> {
    positive(times.len())?;
    let from = span.start_s.unwrap_or(0.0).max(0.0);
    let to = span.end_s.unwrap_or(timeline.end_s).min(timeline.end_s);
    let mut indices = Vec::with_capacity(times.len());
    for &time in times {
        if !(from..=to).contains(&time) {
            return Err((
                format!("the time {time} s lies outside {from:.3} to {to:.3} s"),
                "give times inside the video",
            ));
        }
        indices.push(timeline.seconds.partition_point(|&s| s <= time).max(1) - 1);
    }
    let covered = times[times.len() - 1] - times[0];
    let sample_fps = if covered > 0.0 { (times.len() - 1) as f64 / covered } else { timeline.fps };
    Ok(Choice { indices, sample_fps })
}
