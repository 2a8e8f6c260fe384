//! One opened film and its decoder: moves to a packet, decodes a run of packets, tells which of them the decoder
//! found damaged. Which frames that spoils is `damage`'s business, what is tried next is `decode`'s.

use std::cmp::Ordering;
use std::collections::HashSet;

use ffmpeg_next::codec::{self, Id, threading};
use ffmpeg_next::format::context::Input;
use ffmpeg_next::{self as ffmpeg, Dictionary, Packet, decoder, frame};

use super::damage::Faults;
use super::nal::Units;
use super::{Video, fault, native, open_input};
use crate::still::{check_pixels, rotate};
use crate::{Picture, Result};

/// Errors in a row after which a decoder is not asked again for the pictures of one packet.
const MOST_ERRORS: usize = 64;

/// Packets after the last wanted one that are sent where pictures before it have not come. Draining gives them too, but
/// FFmpeg's H.264 decoder ends that at a picture that leads the first key packet, and keeps the rest.
const MOST_REORDERED: usize = 16;

/// How a decoder is run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Setting {
    /// With more than one, the decoder tells of damage some packets later.
    pub(super) threads: usize,
    /// Whether what describes pictures is withheld from it.
    pub(super) is_blank: bool,
    /// Whether it is to give what it can make of damaged packets.
    pub(super) conceals: bool,
}

pub(super) struct Worker<'a> {
    pub(super) video: &'a Video,
    pub(super) setting: Setting,
    units: Option<Units>,
    input: Input,
    decoder: decoder::Video,
    converter: native::Converter,
    max_pixels: usize,
    /// The packet that `input` gives next, where that is known.
    next: Option<usize>,
    /// A packet that was read to find out where a seek ended.
    held: Option<Packet>,
}

/// A run of packets to decode for some frames.
pub(super) struct Run<'a> {
    pub(super) start: usize,
    pub(super) last: usize,
    /// Wanted frames in presentation order.
    pub(super) frames: &'a [usize],
    /// Whether pictures are left out that are not wanted and that no other refers to.
    pub(super) skips: bool,
    /// Whether a frame that does not come is the one shown before it, as on a player's screen.
    pub(super) holds: bool,
}

impl<'a> Worker<'a> {
    pub(super) fn open(video: &'a Video, max_pixels: usize, threads: usize) -> Result<Self> {
        let mut input = open_input(&video.path, &video.name)?;
        native::keep_only(&mut input, video.index.stream);
        let threads = if tells_of_concealment(video.codec) { 1 } else { threads };
        let setting = Setting { threads, is_blank: false, conceals: false };
        let decoder = decoder_of(&input, video, max_pixels, setting)?;
        let stream = input.stream(video.index.stream).ok_or_else(|| changed(video))?;
        let units = Units::of(video.codec, &native::beside(&stream.parameters()));
        Ok(Worker {
            video,
            setting,
            units,
            input,
            decoder,
            converter: native::Converter::default(),
            max_pixels,
            next: Some(0),
            held: None,
        })
    }

    /// Goes on with a decoder of another setting.
    pub(super) fn set(&mut self, setting: Setting) -> Result<()> {
        if self.setting != setting {
            self.decoder = decoder_of(&self.input, self.video, self.max_pixels, setting)?;
            self.setting = setting;
        }
        Ok(())
    }

    /// Whether pictures can be left out.
    pub(super) fn can_skip(&self) -> bool {
        self.video.codec == Id::H264 && self.video.index.is_timed
    }

    /// Whether what describes pictures can be withheld.
    pub(super) fn can_blank(&self) -> bool {
        self.video.codec == Id::HEVC
    }

    /// Decodes a run, gives its wanted frames to `sink`, and says what was wrong. All packets up to the last wanted
    /// one are looked at to the end, so that what is said does not depend on the order in which pictures come.
    pub(super) fn decode(&mut self, run: &Run<'_>, sink: &mut dyn FnMut(usize, Picture)) -> Result<Faults> {
        self.go_to(run.start)?;
        self.decoder.flush();
        let index = &self.video.index;
        let wanted: HashSet<usize> = run.frames.iter().map(|&f| index.packet_of(f)).collect();
        let mut course = Course {
            run,
            at: 0,
            shown: 0,
            awaited: HashSet::new(),
            faults: Faults::default(),
            before: None,
            sink,
        };
        let first_ticks = index.packets[run.start].ticks;
        let mut leads = false;
        for number in run.start..index.packets.len().min(run.last + 1 + MOST_REORDERED) {
            if number > run.last && !(leads && course.awaits()) {
                break;
            }
            let Some(mut packet) = self.read()? else { break };
            let is_unreferenced = self.is_unreferenced(&packet);
            if is_unreferenced && (run.skips || number > run.last) && !wanted.contains(&number) {
                continue;
            }
            if is_unreferenced {
                course.faults.unreferenced.insert(number);
            }
            if index.packets[number].ticks < first_ticks {
                leads = true;
            } else if number <= run.last {
                course.awaited.insert(number);
            }
            self.prepare(&mut packet, number);
            if self.decoder.send_packet(&packet).is_err_and(is_fault) {
                course.refuse(number);
            }
            self.receive(&mut course, number)?;
            // Without times the last packet that a frame needs is unknown.
            if !index.is_timed && course.is_over() {
                break;
            }
        }
        let _ = self.decoder.send_eof();
        self.receive(&mut course, run.last)?;
        self.decoder.flush();
        course.end(self)
    }

    fn is_unreferenced(&self, packet: &Packet) -> bool {
        let is_h264 = self.video.codec == Id::H264;
        let units = self.units.filter(|_| is_h264);
        units.zip(packet.data()).is_some_and(|(units, data)| units.is_unreferenced(data))
    }

    fn prepare(&self, packet: &mut Packet, number: usize) {
        // Without times, pictures are told apart by the number of their packet.
        if !self.video.index.is_timed {
            packet.set_pts(Some(number as i64));
        }
        if self.setting.is_blank
            && let Some((units, data)) = self.units.zip(packet.data_mut())
        {
            units.blank_descriptions(data);
        }
    }

    /// Takes what the decoder has ready after packet `number`.
    fn receive(&mut self, course: &mut Course<'_, '_>, number: usize) -> Result<()> {
        let mut errors = 0;
        while errors < MOST_ERRORS {
            let mut frame = frame::Video::empty();
            match self.decoder.receive_frame(&mut frame) {
                Ok(()) => course.take(frame, self)?,
                Err(error) if is_fault(error) => {
                    errors += 1;
                    course.refuse(number);
                }
                Err(_) => break,
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

/// The course of one run: the frames still to come, in presentation order, and what was found.
struct Course<'r, 's> {
    run: &'r Run<'r>,
    at: usize,
    /// Pictures that came out so far.
    shown: usize,
    /// Packets whose picture has not come, nor is known never to come.
    awaited: HashSet<usize>,
    faults: Faults,
    /// The picture before the one that comes, where it may stand for others.
    before: Option<frame::Video>,
    sink: &'s mut dyn FnMut(usize, Picture),
}

impl Course<'_, '_> {
    /// Whether pictures are still to come that may be reported as damaged.
    fn awaits(&self) -> bool {
        !self.awaited.is_empty()
    }

    fn refuse(&mut self, packet: usize) {
        self.awaited.remove(&packet);
        self.faults.refuse(packet);
    }

    fn is_over(&self) -> bool {
        self.at == self.run.frames.len()
    }

    /// Looks at a picture: notes what the decoder says of it, and hands it on where it is wanted.
    fn take(&mut self, frame: frame::Video, worker: &mut Worker<'_>) -> Result<()> {
        let index = &worker.video.index;
        let packet = match (index.is_timed, frame.pts()) {
            (true, Some(ticks)) => index.packet_at(ticks),
            (true, None) => None,
            (false, stamp) => stamp.and_then(|number| usize::try_from(number).ok()),
        };
        if let Some(packet) = packet {
            self.awaited.remove(&packet);
        }
        if let Some(packet) = packet.filter(|_| native::is_flagged(&frame)) {
            self.faults.flagged.push(packet);
        }
        // Where nothing has a time, a picture's place is counted, and packets that gave none count, too.
        let gone = self.faults.refused.iter().filter(|&&refused| packet.is_some_and(|p| refused < p)).count();
        let place = self.shown + gone;
        self.shown += 1;
        if index.is_timed && frame.pts().is_none() {
            return Ok(());
        }
        while let Some(&wanted) = self.run.frames.get(self.at) {
            let order = match frame.pts().filter(|_| index.is_timed) {
                Some(ticks) => ticks.cmp(&index.ticks(wanted)),
                None => place.cmp(&wanted),
            };
            match order {
                Ordering::Less => break,
                Ordering::Equal => {
                    let picture = worker.picture(&frame)?;
                    (self.sink)(wanted, picture);
                }
                // It has been overtaken.
                Ordering::Greater if self.run.holds => {
                    let picture = worker.picture(self.before.as_ref().unwrap_or(&frame))?;
                    (self.sink)(wanted, picture);
                }
                Ordering::Greater => {}
            }
            self.at += 1;
            if order == Ordering::Equal {
                break;
            }
        }
        self.before = self.run.holds.then_some(frame);
        Ok(())
    }

    fn end(self, worker: &mut Worker<'_>) -> Result<Faults> {
        if let Some(frame) = &self.before {
            for &wanted in &self.run.frames[self.at..] {
                (self.sink)(wanted, worker.picture(frame)?);
            }
        }
        Ok(self.faults)
    }
}

fn changed(video: &Video) -> crate::Error {
    fault(&video.name, "it changed while it was read")
}

/// Whether what a decoder answers is damage, and not "more is needed" or "that was all".
fn is_fault(error: ffmpeg::Error) -> bool {
    let waits = ffmpeg::Error::Other { errno: ffmpeg::error::EAGAIN };
    error != waits && error != ffmpeg::Error::Eof
}

/// Whether FFmpeg's decoder of a codec makes up what is damaged and says so with the picture. The others say it only
/// when they are told to stop there. What is said with a picture may come late where several threads decode.
fn tells_of_concealment(codec: Id) -> bool {
    matches!(
        codec,
        Id::H264
            | Id::MPEG1VIDEO
            | Id::MPEG2VIDEO
            | Id::MPEG4
            | Id::MSMPEG4V1
            | Id::MSMPEG4V2
            | Id::MSMPEG4V3
            | Id::H261
            | Id::H263
            | Id::H263I
            | Id::H263P
            | Id::FLV1
            | Id::WMV1
            | Id::WMV2
            | Id::WMV3
            | Id::VC1
            | Id::RV10
            | Id::RV20
            | Id::RV30
            | Id::RV40
    )
}

fn decoder_of(input: &Input, video: &Video, max_pixels: usize, setting: Setting) -> Result<decoder::Video> {
    let stops = !setting.conceals && !tells_of_concealment(video.codec);
    // A header that is wrong in what no pixel needs would be refused before the first picture.
    if stops && let Ok(decoder) = open_decoder(input, video, max_pixels, setting, true) {
        return Ok(decoder);
    }
    open_decoder(input, video, max_pixels, setting, false)
}

fn open_decoder(
    input: &Input,
    video: &Video,
    max_pixels: usize,
    setting: Setting,
    stops: bool,
) -> Result<decoder::Video> {
    let name = &video.name;
    let stream = input.stream(video.index.stream).ok_or_else(|| changed(video))?;
    let broken = |e: ffmpeg::Error| fault(name, e.to_string());
    let mut context = codec::Context::from_parameters(stream.parameters()).map_err(broken)?;
    context.set_threading(threading::Config {
        count: setting.threads,
        ..threading::Config::kind(threading::Type::Frame)
    });
    let codec = decoder::find(context.id())
        .ok_or_else(|| fault(name, format!("this FFmpeg has no decoder for {}", context.id().name())))?;
    let mut decoder = context.decoder();
    decoder.set_packet_time_base(stream.time_base());
    let mut options = Dictionary::new();
    options.set("max_pixels", &max_pixels.min(i32::MAX as usize).to_string());
    if stops {
        options.set("err_detect", "explode");
    }
    if setting.conceals {
        options.set("flags", "+output_corrupt");
    }
    decoder.open_as_with(codec, options).and_then(decoder::Opened::video).map_err(broken)
}
