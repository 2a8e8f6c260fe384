//! Decodes chosen frames: one run of packets per group of pictures, each group once, groups spread over threads,
//! nothing after the last wanted packet, and only wanted frames turned into RGB. What is done with a picture is the
//! caller's `finish`.

use std::cmp::Ordering;
use std::sync::Mutex;

use ffmpeg_next::codec::{self, threading};
use ffmpeg_next::format::context::Input;
use ffmpeg_next::{self as ffmpeg, Dictionary, Discard, Packet, decoder, frame};

use super::{Video, fault, native, open_input};
use crate::still::{check_pixels, rotate};
use crate::{Picture, Result};

/// What decoding may cost.
#[derive(Clone, Copy)]
pub(crate) struct Budget {
    pub(crate) max_pixels: usize,
    pub(crate) threads: usize,
}

/// Frames that are decoded from one starting packet.
struct Group {
    start: usize,
    /// Wanted frames in presentation order.
    frames: Vec<usize>,
    /// The last packet any of them needs.
    last: usize,
}

/// Decodes the frames `wanted` (ascending, no repeats) and returns `finish(frame, picture)` of each, in order.
pub(crate) fn decode<T: Send>(
    video: &Video,
    wanted: &[usize],
    budget: Budget,
    finish: &(dyn Fn(usize, Picture) -> T + Sync),
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
            let mut pictures = Vec::with_capacity(next.frames.len());
            if let Err(error) = worker.run(&next, &mut |f, picture| pictures.push((f, finish(f, picture)))) {
                queue.lock().expect("no thread panics while it holds the queue").clear();
                return Err(error);
            }
            done.lock().expect("no thread panics while it holds the results").extend(pictures);
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

struct Worker<'a> {
    video: &'a Video,
    input: Input,
    decoder: decoder::Video,
    converter: native::Converter,
    max_pixels: usize,
    /// The packet that `input` gives next, where that is known.
    next: Option<usize>,
    /// A packet that was read to find out where a seek ended.
    held: Option<Packet>,
}

impl<'a> Worker<'a> {
    fn open(video: &'a Video, max_pixels: usize, threads: usize) -> Result<Self> {
        let name = &video.name;
        let mut input = open_input(&video.path, name)?;
        let stream = video.index.stream;
        native::keep_only(&mut input, stream);
        let (parameters, time_base) = {
            let stream = input.stream(stream).ok_or_else(|| fault(name, "it changed while it was read"))?;
            (stream.parameters(), stream.time_base())
        };
        let broken = |e: ffmpeg::Error| fault(name, e.to_string());
        let mut context = codec::Context::from_parameters(parameters).map_err(broken)?;
        context.set_threading(threading::Config {
            count: threads,
            ..threading::Config::kind(threading::Type::Frame)
        });
        let codec = decoder::find(context.id())
            .ok_or_else(|| fault(name, format!("this FFmpeg has no decoder for {}", context.id().name())))?;
        let mut decoder = context.decoder();
        decoder.set_packet_time_base(time_base);
        let mut options = Dictionary::new();
        options.set("max_pixels", &max_pixels.min(i32::MAX as usize).to_string());
        let decoder =
            decoder.open_as_with(codec, options).and_then(decoder::Opened::video).map_err(broken)?;
        Ok(Worker {
            video,
            input,
            decoder,
            converter: native::Converter::default(),
            max_pixels,
            next: Some(0),
            held: None,
        })
    }

    /// Decodes one group. When a frame does not come out (a damaged or unusual stream needed what was skipped, or
    /// its key packet is none, as in periodic intra refresh), it is tried again without skipping, from earlier key
    /// packets and at last from the start.
    fn run(&mut self, group: &Group, sink: &mut dyn FnMut(usize, Picture)) -> Result<()> {
        let index = &self.video.index;
        let can_skip = self.video.codec == codec::Id::H264 && index.is_timed;
        let before = |start: usize| index.key_before(start, i64::MAX);
        let one = before(group.start);
        let two = before(one);
        let mut missing = group.frames.clone();
        for (start, skip) in
            [(group.start, true), (group.start, false), (one, false), (two, false), (0, false)]
        {
            if missing.is_empty() {
                break;
            }
            if can_skip || !skip {
                missing = self.attempt(start, group.last, &missing, skip, sink)?;
            }
        }
        match missing.first() {
            None => Ok(()),
            Some(&frame) => Err(fault(
                &self.video.name,
                format!("frame {frame} at {:.3} s cannot be decoded", self.video.time(frame).seconds()),
            )),
        }
    }

    /// Decodes packets `start..=last` and gives the wanted frames to `sink`. Returns the frames that did not come.
    /// With `skip`, only pictures that others refer to are decoded besides the wanted ones.
    fn attempt(
        &mut self,
        start: usize,
        last: usize,
        frames: &[usize],
        skip: bool,
        sink: &mut dyn FnMut(usize, Picture),
    ) -> Result<Vec<usize>> {
        self.go_to(start)?;
        self.decoder.flush();
        let index = &self.video.index;
        let wanted: Vec<usize> = frames.iter().map(|&f| index.packet_of(f)).collect();
        let mut waiting = Waiting { frames, at: 0, missed: Vec::new(), shown: 0 };
        for number in start..=last {
            let Some(packet) = self.read()? else { break };
            if skip {
                let is_wanted = wanted.contains(&number);
                self.decoder.skip_frame(if is_wanted { Discard::Default } else { Discard::NonReference });
            } else {
                self.decoder.skip_frame(Discard::Default);
            }
            // A damaged packet is the decoder's to conceal; a frame that never comes is reported by the caller.
            let _ = self.decoder.send_packet(&packet);
            self.receive(&mut waiting, sink)?;
            if waiting.is_over() {
                break;
            }
        }
        if !waiting.is_over() {
            let _ = self.decoder.send_eof();
            self.receive(&mut waiting, sink)?;
        }
        self.decoder.flush();
        Ok(waiting.rest())
    }

    /// Takes what the decoder has ready.
    fn receive(&mut self, waiting: &mut Waiting<'_>, sink: &mut dyn FnMut(usize, Picture)) -> Result<()> {
        let mut frame = frame::Video::empty();
        while !waiting.is_over() && self.decoder.receive_frame(&mut frame).is_ok() {
            if let Some(number) = waiting.matches(&frame, &self.video.index) {
                let picture = self.picture(&frame)?;
                sink(number, picture);
            }
        }
        Ok(())
    }

    fn picture(&mut self, frame: &frame::Video) -> Result<Picture> {
        let (height, width) = (frame.height() as usize, frame.width() as usize);
        check_pixels(&self.video.name, [height, width], self.max_pixels)?;
        let rgb = self
            .converter
            .rgb(frame)
            .ok_or_else(|| fault(&self.video.name, format!("{:?} pixels cannot be shown", frame.format())))?;
        Ok(rotate(Picture::new(height, width, rgb), self.video.rotation))
    }

    /// Makes `read` give packet `target` next: reads on where it is near, seeks else, and where the demuxer lands
    /// too late or nobody knows where, seeks earlier or starts over.
    fn go_to(&mut self, target: usize) -> Result<()> {
        const NEAR: usize = 32;
        if self.next.is_some_and(|next| next <= target && target - next <= NEAR) {
            return self.skip_to(target);
        }
        let mut key = target;
        for _ in 0..3 {
            if self.seek_to(key)? && self.next.is_some_and(|next| next <= target) {
                return self.skip_to(target);
            }
            key = self.video.index.key_before(key, i64::MAX);
        }
        self.input = open_input(&self.video.path, &self.video.name)?;
        native::keep_only(&mut self.input, self.video.index.stream);
        self.next = Some(0);
        self.held = None;
        self.skip_to(target)
    }

    fn seek_to(&mut self, key: usize) -> Result<bool> {
        let index = &self.video.index;
        self.held = None;
        self.next = None;
        if !native::seek(&mut self.input, index.stream, index.packets[key].ticks) {
            return Ok(false);
        }
        self.held = self.read()?;
        self.next = self.held.as_ref().and_then(|packet| index.find(packet));
        Ok(self.next.is_some())
    }

    fn skip_to(&mut self, target: usize) -> Result<()> {
        while self.next.is_some_and(|next| next < target) {
            if self.read()?.is_none() {
                break;
            }
        }
        Ok(())
    }

    /// The next packet of the stream; `None` at the end of the file.
    fn read(&mut self) -> Result<Option<Packet>> {
        if let Some(packet) = self.held.take() {
            self.next = self.next.map(|next| next + 1);
            return Ok(Some(packet));
        }
        let packet = native::next_packet(&mut self.input, self.video.index.stream)
            .map_err(|e| fault(&self.video.name, format!("it cannot be read on ({e})")))?;
        if packet.is_some() {
            self.next = self.next.map(|next| next + 1);
        }
        Ok(packet)
    }
}

/// The frames still to come, in presentation order.
struct Waiting<'a> {
    frames: &'a [usize],
    at: usize,
    missed: Vec<usize>,
    /// Pictures that came out so far.
    shown: usize,
}

impl Waiting<'_> {
    fn is_over(&self) -> bool {
        self.at == self.frames.len()
    }

    /// The wanted frame that a decoded picture is: the one of its very time, or of its place in the file where the
    /// container keeps no times. Frames that it overtakes are missed.
    fn matches(&mut self, picture: &frame::Video, index: &super::index::Index) -> Option<usize> {
        let place = self.shown;
        self.shown += 1;
        let ticks = if index.is_timed { Some(picture.pts()?) } else { None };
        while let Some(&frame) = self.frames.get(self.at) {
            let order = match ticks {
                Some(ticks) => ticks.cmp(&index.ticks(frame)),
                None => place.cmp(&frame),
            };
            if order == Ordering::Less {
                return None;
            }
            self.at += 1;
            if order == Ordering::Equal {
                return Some(frame);
            }
            self.missed.push(frame);
        }
        None
    }

    fn rest(mut self) -> Vec<usize> {
        self.missed.extend_from_slice(&self.frames[self.at..]);
        self.missed
    }
}
