//! A list of pictures as a video. Without further words all of them are shown, as qwen-vl-utils shows them; a rule, a number of
//! frames or a span chooses from them as from a film whose frames were taken at the list's times.

use firsthand_base::{FrameId, ImagePart, MediaTime, Sampling, VideoPart};

use crate::opener::{repeat_last, side};
use crate::resize::resize;
use crate::sampling::reordered;
use crate::{Choice, Error, Opener, Prepared, Refusal, Result, SizeRule, Timeline, choose, display_location};

/// Which pictures of a list are shown, and when all of them were taken.
struct Taken {
    choice: Choice,
    times: Vec<MediaTime>,
    /// When the picture after the last would have been taken; `None` where pictures have times of their own.
    after: Option<MediaTime>,
}

impl Opener {
    /// A list of images as a video, as qwen-vl-utils 0.0.14 does it: each image is first resized as an image with
    /// twice the patch factor (it hands the factor over where the patch size is expected), the last is repeated to
    /// an even number, then all are resized as video frames.
    pub(crate) fn images_as_video(
        &self,
        locations: &[String],
        part: &VideoPart,
        rule: &SizeRule,
    ) -> Result<Prepared> {
        let first = locations.first().map(|l| display_location(l)).unwrap_or_else(|| "video".into());
        let refused = |refusal: Refusal| Error::choice(&first, refusal);
        if locations.is_empty() {
            return Err(refused(("the list of images is empty".to_owned(), "give at least one image")));
        }
        let Taken { choice, times, after } = taken(part, locations.len()).map_err(refused)?;
        let shown = choice.indices.len();
        self.check_frames(&first, shown)?;
        let doubled = SizeRule { factor: 2 * rule.factor, ..*rule }.with_image_limits();
        let mut prepared: Option<Prepared> = None;
        for &index in &choice.indices {
            let part = ImagePart { location: locations[index].clone(), limits: part.limits };
            let mut image = self.image(&part, &doubled)?;
            image.frames[0].index = index;
            image.frames[0].time = times[index];
            match &mut prepared {
                None => {
                    self.check_resized(&first, side(&image), shown)?;
                    prepared = Some(image);
                }
                Some(all) => append(all, image, &locations[index])?,
            }
        }
        let mut prepared = prepared.expect("a choice is not empty");
        if shown % 2 == 1 {
            let mut again = prepared.frames[shown - 1].clone();
            // The reference counts the repeated end of a list as a picture of its own.
            if again.index + 1 == locations.len() {
                again = FrameId { index: locations.len(), time: after.unwrap_or(again.time), ..again };
            }
            prepared.frames.push(again);
            repeat_last(&mut prepared.pictures);
            repeat_last(&mut prepared.originals);
        }
        let size = rule
            .video_size(side(&prepared), prepared.pictures.len(), &part.limits)
            .map_err(|refusal| Error::size(&first, refusal))?;
        self.check_resized(&first, size, prepared.pictures.len())?;
        for picture in &mut prepared.pictures {
            *picture = resize(picture, size, rule.video_mode);
        }
        prepared.sample_fps = Some(choice.sample_fps);
        Ok(prepared)
    }
}

/// Puts the next picture behind the others.
fn append(all: &mut Prepared, mut image: Prepared, location: &str) -> Result<()> {
    if side(&image) != side(all) {
        return Err(Error::Size {
            location: display_location(location),
            reason: format!("it becomes {:?} pixels, the first image {:?}", side(&image), side(all)),
            remedy: "give images of one size",
        });
    }
    all.frames.append(&mut image.frames);
    all.pictures.append(&mut image.pictures);
    all.originals.append(&mut image.originals);
    Ok(())
}

/// When the pictures of a list were taken, and which of them a part chooses.
fn taken(part: &VideoPart, images: usize) -> std::result::Result<Taken, Refusal> {
    let (rate, times) = match own_times(&part.sampling) {
        Some(times) => timed(times, part.sample_fps, images)?,
        None => {
            let rate = part.sample_fps.unwrap_or(Sampling::DEFAULT_FPS);
            if !rate.is_finite() || rate <= 0.0 {
                return Err((format!("sample_fps is {rate}"), "give a positive number of frames a second"));
            }
            (rate, (0..images).map(|index| microseconds(index as f64 / rate)).collect())
        }
    };
    let choice = chosen(&part.sampling, part, rate, &times)?;
    let after = own_times(&part.sampling).is_none().then(|| microseconds(images as f64 / rate));
    Ok(Taken { choice, times, after })
}

/// The times that come with a list, whatever order it is shown in.
fn own_times(sampling: &Sampling) -> Option<&[f64]> {
    match sampling {
        Sampling::Timestamps(times) => Some(times),
        Sampling::Shuffled(of) | Sampling::Permuted { of, .. } => own_times(of),
        _ => None,
    }
}

/// The rate of pictures with times of their own, which is that between the first and the last.
fn timed(
    times: &[f64],
    sample_fps: Option<f64>,
    images: usize,
) -> std::result::Result<(f64, Vec<MediaTime>), Refusal> {
    if sample_fps.is_some() {
        return Err(("it has both timestamps and sample_fps".to_owned(), "give one of them"));
    }
    let remedy = "give one time in seconds for each image, each later than the one before";
    if times.len() != images {
        return Err((format!("{} timestamps for {images} images", times.len()), remedy));
    }
    let ascending = times.windows(2).all(|pair| pair[0] < pair[1]);
    if !ascending || times.iter().any(|time| !(0.0..=1e9).contains(time)) {
        return Err(("its timestamps do not ascend from 0".to_owned(), remedy));
    }
    let rate = match (images - 1) as f64 / (times[images - 1] - times[0]) {
        rate if rate.is_finite() => rate,
        _ => Sampling::DEFAULT_FPS,
    };
    Ok((rate, times.iter().map(|time| microseconds(*time)).collect()))
}

/// The pictures that a rule takes from those of the span.
fn chosen(
    sampling: &Sampling,
    part: &VideoPart,
    rate: f64,
    times: &[MediaTime],
) -> std::result::Result<Choice, Refusal> {
    let span = &part.span;
    let in_span = |index: &usize| {
        let time = times[*index].seconds();
        span.start_s.is_none_or(|start| time >= start) && span.end_s.is_none_or(|end| time <= end)
    };
    let all: Vec<usize> = (0..times.len()).filter(in_span).collect();
    let (Some(first), Some(last)) = (times.first(), times.last()) else {
        return Err(("the list of images is empty".to_owned(), "give at least one image"));
    };
    if all.is_empty() {
        let what =
            format!("none was taken in the span; they cover {} to {} s", first.seconds(), last.seconds());
        return Err((what, "give video_start and video_end in seconds between these"));
    }
    Ok(match sampling {
        Sampling::Every | Sampling::Timestamps(_) => Choice { indices: all, sample_fps: rate },
        // A rate that the list does not exceed leaves nothing out.
        Sampling::Rate { fps, max_frames, .. } if *fps >= rate && all.len() <= *max_frames => {
            Choice { indices: all, sample_fps: rate }
        }
        Sampling::Shuffled(of) | Sampling::Permuted { of, .. } => {
            reordered(sampling, chosen(of, part, rate, times)?)
        }
        rule => {
            let seconds: Vec<f64> = times.iter().map(|time| time.seconds()).collect();
            let end_s = last.seconds() + 1.0 / rate;
            choose(rule, span, &Timeline { frames: times.len(), fps: rate, seconds, end_s })?
        }
    })
}

fn microseconds(seconds: f64) -> MediaTime {
    MediaTime::new((seconds * 1e6).round() as i64, 1, 1_000_000)
}
