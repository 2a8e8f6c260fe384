//! The wearer's files: which recordings there are and when they were made, what is said in them, and the clips of all.
//! A file that cannot be opened is told and left out.

use anyhow::{Context, Result};
use firsthand_base::Moment;
use firsthand_media::Opener;
use firsthand_memory::build::{
    Clip, Ledger, Placed, Recording, Said, Source, cut, note_overlaps, place, read_date, said_in,
};
use firsthand_memory::{Change, Store};

use super::transcript;
use crate::failure::{failure, wrong_usage};

/// Which date is day 1, once a start was given as a date.
const FIRST_DAY: &str = "build/day1";
const DAY_MS: i64 = 86_400_000;

/// What the files gave.
pub(super) struct Found {
    pub(super) recordings: Vec<Placed>,
    /// Files that cannot be remembered, and why.
    pub(super) lost: Vec<(String, String)>,
    pub(super) clips: Vec<Clip>,
    /// What is said in each recording that has a transcript, by its place in `recordings`.
    pub(super) said: Vec<(usize, Vec<Said>)>,
    /// What people should know, a line each.
    pub(super) notes: Vec<String>,
}

/// `--start`: a moment of the timeline, or a date whose day becomes day 1 unless the memory knows another.
pub(super) fn start(text: &str, store: &mut dyn Store) -> Result<Moment> {
    if let Ok(moment) = text.parse() {
        return Ok(moment);
    }
    let (ms, _) = read_date(text).ok_or_else(|| {
        wrong_usage(format!(
            "--start is no date such as 2026-03-01T08:00, and no moment such as DAY1_08000000: {text}"
        ))
    })?;
    let first: i64 = match store.note(FIRST_DAY)? {
        Some(day) => day.parse().context("the note of day 1 is damaged")?,
        None => {
            let day = ms.div_euclid(DAY_MS);
            store.write(&[Change::Note { key: FIRST_DAY.to_owned(), text: Some(day.to_string()) }])?;
            day
        }
    };
    Moment::from_ms(ms - first * DAY_MS).ok_or_else(|| {
        failure(
            format!("--start {text} is before day 1 of this memory"),
            "begin another memory, or give a moment such as DAY1_08000000",
        )
    })
}

/// Opens the files, places them on the timeline and cuts them into clips.
pub(super) fn find(files: &[String], opener: &Opener, wearer: Option<&str>, start: Option<Moment>) -> Found {
    let (mut sources, mut lost) = (Vec::new(), Vec::new());
    for given in files {
        // A memory outlives the folder that a command was typed in.
        let file =
            &fs_err::canonicalize(given).map_or_else(|_| given.clone(), |path| path.display().to_string());
        match opener.probe(file) {
            Ok(probe) if probe.duration_s > 0.0 => {
                let made_ms = probe.created.as_deref().and_then(read_date);
                let made_ms = made_ms.map(|(ms, zone)| ms - zone.unwrap_or(0) * 60_000);
                let length_ms = (probe.duration_s * 1000.0).round() as i64;
                sources.push(Source { file: file.clone(), length_ms, made_ms });
            }
            Ok(_) => lost.push((file.clone(), "it is a picture; recordings are videos".to_owned())),
            Err(error) => lost.push((file.clone(), error.to_string())),
        }
    }
    let (mut recordings, unplaced) = place(sources, wearer, start);
    lost.extend(unplaced.into_iter().map(|(source, reason)| (source.file, reason)));
    note_overlaps(&mut recordings);
    let mut notes: Vec<String> = Vec::new();
    let (mut clips, mut said) = (Vec::new(), Vec::new());
    for (index, recording) in recordings.iter().enumerate() {
        notes.extend(recording.notes.iter().map(|note| format!("{}: {note}", recording.source.file)));
        let lines = transcript::beside(&recording.source.file, &mut notes);
        clips.extend(clips_of(recording, lines.as_deref().unwrap_or_default()));
        said.extend(lines.map(|lines| (index, lines)));
    }
    Found { recordings, lost, clips, said, notes }
}

fn clips_of(recording: &Placed, said: &[Said]) -> Vec<Clip> {
    let pieces = cut(recording.source.length_ms);
    let last = pieces.len().saturating_sub(1);
    let clip = |(index, (from, to)): (usize, &(i64, i64))| Clip {
        wearer: recording.wearer.clone(),
        start: recording.start.plus_ms(*from),
        end: recording.start.plus_ms(*to),
        file: Some(recording.source.file.clone()),
        start_s: *from as f64 / 1000.0,
        end_s: *to as f64 / 1000.0,
        said: said_in(said, (*from, *to), index == 0, index == last),
        text: None,
        people: Vec::new(),
    };
    pieces.iter().enumerate().map(clip).collect()
}

/// Keeps the recordings in the manifest, and says where they overlap with those that it has.
pub(super) fn keep(recordings: &[Placed], store: &mut dyn Store) -> Result<Vec<String>> {
    let mut told = Vec::new();
    for recording in recordings {
        let Placed { source, wearer, start, end, notes } = recording;
        let days = start.day().saturating_sub(1).max(1)..=end.day();
        let mut is_known = false;
        for day in days {
            for known in Ledger::recordings_of_day(store, wearer, day)? {
                let is_same = known.file == source.file && known.start == *start;
                is_known |= is_same;
                let overlap_ms = known.end.min(*end).ms() - known.start.max(*start).ms();
                if !is_same
                    && overlap_ms > 1000
                    && !recordings.iter().any(|other| other.source.file == known.file)
                {
                    told.push(format!(
                        "{}: {:.1} s of it are remembered from {} already",
                        source.file,
                        overlap_ms as f64 / 1000.0,
                        known.file
                    ));
                }
            }
        }
        if !is_known {
            let recording = Recording { notes: notes.clone(), ..kept(recording) };
            Ledger::keep_recording(store, &recording)?;
        }
    }
    Ok(told)
}

/// A recording as the manifest has it.
pub(super) fn kept(placed: &Placed) -> Recording {
    Recording {
        wearer: placed.wearer.clone(),
        file: placed.source.file.clone(),
        start: placed.start,
        end: placed.end,
        notes: Vec::new(),
        transcript: None,
    }
}

/// Gives clips that come with captions the recording in which they can be seen: one that was given, or one that the memory
/// knows.
pub(super) fn locate(clips: &mut [Clip], recordings: &[Placed], store: &mut dyn Store) -> Result<()> {
    let mut known: Vec<Recording> = recordings.iter().map(kept).collect();
    known.extend(Ledger::recordings(store)?);
    for clip in clips {
        let holds = |recording: &&Recording| {
            recording.wearer == clip.wearer && recording.start <= clip.start && clip.start < recording.end
        };
        let Some(recording) = known.iter().find(holds) else { continue };
        clip.file = Some(recording.file.clone());
        clip.start_s = (clip.start.ms() - recording.start.ms()) as f64 / 1000.0;
        clip.end_s = (clip.end.min(recording.end).ms() - recording.start.ms()) as f64 / 1000.0;
    }
    Ok(())
}
