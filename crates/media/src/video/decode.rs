//! Decodes chosen frames: one run of packets per group of pictures, each group once, groups spread over threads,
//! nothing after the last wanted packet, and only wanted frames turned into RGB. What is done with a picture is the
//! caller's `finish`.

use std::collections::HashSet;
use std::sync::Mutex;

use firsthand_base::Damaged;

use super::damage::Faults;
use super::worker::{Run, Setting, Worker};
use super::{Video, fault};
use crate::still::check_pixels;
use crate::{Picture, Result};

/// What decoding may cost.
#[derive(Clone, Copy)]
pub(crate) struct Budget {
    pub(crate) max_pixels: usize,
    pub(crate) threads: usize,
    /// What becomes of frames that damage reaches.
    pub(crate) damaged: Damaged,
}

/// A decoded frame, upright.
pub(crate) struct Decoded {
    pub(crate) frame: usize,
    pub(crate) picture: Picture,
    /// Whether the decoder made up some of it.
    pub(crate) is_damaged: bool,
}

/// Frames that are decoded from one starting packet.
struct Group {
    start: usize,
    /// Wanted frames in presentation order.
    frames: Vec<usize>,
    /// The last packet any of them needs.
    last: usize,
}

/// Decodes the frames `wanted` (ascending, no repeats) and returns `finish` of each, in order.
pub(crate) fn decode<T: Send>(
    video: &Video,
    wanted: &[usize],
    budget: Budget,
    finish: &(dyn Fn(Decoded) -> T + Sync),
) -> Result<Vec<T>> {
    if !video.size().contains(&0) {
        check_pixels(&video.name, video.size(), budget.max_pixels)?;
    }
    let mut groups = group(video, wanted);
    // The longest first, so that the threads end together.
    groups.sort_by_key(|g| g.last - g.start);
    let workers = budget.threads.min(groups.len()).max(1);
    let codec_threads = (budget.threads / workers).max(1);
    let queue = Mutex::new(groups);
    let done = Mutex::new(Vec::with_capacity(wanted.len()));
    let work = || -> Result<()> {
        let mut worker: Option<Worker<'_>> = None;
        while let Some(next) = take(&queue) {
            let worker = match &mut worker {
                Some(worker) => worker,
                None => worker.insert(Worker::open(video, budget.max_pixels, codec_threads)?),
            };
            match decode_group(worker, &next, budget.damaged, finish) {
                Ok(pictures) => {
                    done.lock().expect("no thread panics while it holds the results").extend(pictures);
                }
                Err(error) => {
                    queue.lock().expect("no thread panics while it holds the queue").clear();
                    return Err(error);
                }
            }
        }
        Ok(())
    };
    std::thread::scope(|scope| {
        let others: Vec<_> = (1..workers).map(|_| scope.spawn(work)).collect();
        let mine = work();
        others.into_iter().map(|other| other.join().expect("decoding does not panic")).fold(mine, Result::and)
    })?;
    let mut done = done.into_inner().expect("no thread panics while it holds the results");
    done.sort_by_key(|(frame, _)| *frame);
    Ok(done.into_iter().map(|(_, value)| value).collect())
}

fn take(queue: &Mutex<Vec<Group>>) -> Option<Group> {
    queue.lock().expect("no thread panics while it holds the queue").pop()
}

fn group(video: &Video, wanted: &[usize]) -> Vec<Group> {
    if !video.index.is_timed {
        return vec![Group { start: 0, frames: wanted.to_vec(), last: video.index.packets.len() - 1 }];
    }
    let mut groups: Vec<Group> = Vec::new();
    for &frame in wanted {
        let packet = video.index.packet_of(frame);
        let start = video.index.start_of(packet);
        match groups.iter_mut().rev().take(2).find(|g| g.start == start) {
            Some(group) => {
                group.frames.push(frame);
                group.last = group.last.max(packet);
            }
            None => groups.push(Group { start, frames: vec![frame], last: packet }),
        }
    }
    groups
}

/// Decodes one group. When a frame does not come out (an unusual stream needed what was skipped, or its key packet is
/// none, as in periodic intra refresh), it is tried again without skipping, from earlier key packets and at last from
/// the start. What damage reaches is refused, or shown as the decoder conceals it.
fn decode_group<T>(
    worker: &mut Worker<'_>,
    group: &Group,
    damaged: Damaged,
    finish: &dyn Fn(Decoded) -> T,
) -> Result<Vec<(usize, T)>> {
    let (video, index) = (worker.video, &worker.video.index);
    let one = index.key_before(group.start, i64::MAX);
    let two = index.key_before(one, i64::MAX);
    let mut missing = group.frames.clone();
    let mut done = Vec::with_capacity(missing.len());
    for (start, skips) in [(group.start, true), (group.start, false), (one, false), (two, false), (0, false)]
    {
        if missing.is_empty() {
            break;
        }
        if skips && !worker.can_skip() {
            continue;
        }
        let last = index.last_of(&missing);
        let run = Run { start, last, frames: &missing, skips, holds: false };
        let (mut seen, faults) = attempt(worker, &run, finish)?;
        let reach = |frame: usize| faults.reach(index, index.packet_of(frame));
        let spoiled: Vec<usize> = missing.iter().copied().filter(|&f| reach(f).is_some()).collect();
        if let (Damaged::Refuse, Some(&frame)) = (damaged, spoiled.first())
            && let Some(damage) = reach(frame)
        {
            return Err(damage.refusal(video, frame));
        }
        seen.retain(|(frame, _)| spoiled.binary_search(frame).is_err());
        if !spoiled.is_empty() {
            seen.extend(conceal(worker, one, &spoiled, finish)?);
        }
        let came: HashSet<usize> = seen.iter().map(|(frame, _)| *frame).collect();
        missing.retain(|frame| !came.contains(frame));
        done.append(&mut seen);
    }
    match missing.first() {
        None => Ok(done),
        Some(&frame) => Err(fault(
            &video.name,
            format!("frame {frame} at {:.3} s cannot be decoded", video.time(frame).seconds()),
        )),
    }
}

/// Decodes a run and says what was wrong with it, so that each fault is told of the packet that has it and of nothing
/// that only describes pictures.
fn attempt<T>(
    worker: &mut Worker<'_>,
    run: &Run<'_>,
    finish: &dyn Fn(Decoded) -> T,
) -> Result<(Vec<(usize, T)>, Faults)> {
    loop {
        let mut seen = Vec::new();
        let faults = worker.decode(run, &mut |frame, picture| {
            seen.push((frame, finish(Decoded { frame, picture, is_damaged: false })));
        })?;
        let setting = worker.setting;
        if faults.is_empty() {
            return Ok((seen, faults));
        } else if setting.threads > 1 {
            worker.set(Setting { threads: 1, ..setting })?;
        } else if worker.can_blank() && !setting.is_blank {
            worker.set(Setting { is_blank: true, ..setting })?;
        } else {
            return Ok((seen, faults));
        }
    }
}

/// The frames that damage reaches, as the decoder makes them up; where it gives none, the picture before stays.
fn conceal<T>(
    worker: &mut Worker<'_>,
    start: usize,
    frames: &[usize],
    finish: &dyn Fn(Decoded) -> T,
) -> Result<Vec<(usize, T)>> {
    let usual = worker.setting;
    worker.set(Setting { threads: 1, is_blank: false, conceals: true })?;
    let last = worker.video.index.last_of(frames);
    let mut seen = Vec::new();
    worker.decode(&Run { start, last, frames, skips: false, holds: true }, &mut |frame, picture| {
        seen.push((frame, finish(Decoded { frame, picture, is_damaged: true })));
    })?;
    worker.set(usual)?;
    Ok(seen)
}
