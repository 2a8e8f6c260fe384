//! Datasets as files: media, one list of questions with their truth, and from it one file in each reference's own
//! schema. Worlds are made side by side; each is written whole or not at all, so that an interrupted run goes on
//! where it stopped.

use std::io::{BufRead, BufReader, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use firsthand_media::{Rate, VideoOptions, VideoWriter, write_png};
use serde::{Deserialize, Serialize};

use super::files::{self, Item};
use super::sample::{Batch, Plan, sample};
use super::shot::{SAMPLE_RATE, Shot};
use crate::error::{Error, Result};
use crate::truth::write_lines;

/// What to write.
#[derive(Clone, Debug)]
pub struct WriteOptions {
    /// What each world gives.
    pub plan: Plan,
    /// Threads; 0 takes all cores.
    pub threads: usize,
    /// Whether the truth of every drawn picture is kept too, some 5 kB each.
    pub truth: bool,
}

/// How far a run is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Worlds done, those of an earlier run included.
    pub worlds: usize,
    /// Worlds wanted.
    pub of: usize,
    /// Media written by this run.
    pub media: usize,
    /// Questions written by this run.
    pub questions: usize,
}

/// What a finished dataset holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Written {
    /// Questions in `questions.jsonl`.
    pub questions: usize,
    /// Name and rows of every file in a reference's schema.
    pub files: Vec<(&'static str, usize)>,
}

/// What tells one dataset from another in the same folder.
#[derive(PartialEq, Serialize, Deserialize)]
struct Card {
    families: Vec<String>,
    frames: usize,
    clips: usize,
    days: usize,
    seconds: f64,
    questions: usize,
    lived: u32,
    width: usize,
    height: usize,
    samples: usize,
    field_of_view: f32,
    truth: bool,
}

impl Card {
    fn of(options: &WriteOptions) -> Card {
        let Plan { families, frames, clips, days, seconds, questions, lived, options: drawn } = &options.plan;
        Card {
            families: families.iter().map(|family| family.name().to_owned()).collect(),
            frames: *frames,
            clips: *clips,
            days: *days,
            seconds: *seconds,
            questions: *questions,
            lived: *lived,
            width: drawn.width,
            height: drawn.height,
            samples: drawn.samples,
            field_of_view: drawn.field_of_view,
            truth: options.truth,
        }
    }
}

/// Writes the questions of worlds with these seeds into a folder: `media/`, `questions.jsonl` and the files that
/// [`Written::files`] names. The same seeds and options give the same files; a run that was cut short goes on.
pub fn write(
    folder: &Path,
    seeds: &[u64],
    options: &WriteOptions,
    progress: &(dyn Fn(Progress) + Sync),
) -> Result<Written> {
    fs_err::create_dir_all(folder.join("parts"))?;
    check_card(folder, &Card::of(options))?;
    let threads = match options.threads {
        0 => std::thread::available_parallelism().map_or(1, usize::from),
        n => n,
    };
    let (next, failed) = (AtomicUsize::new(0), AtomicBool::new(false));
    let state = Mutex::new((Progress { of: seeds.len(), ..Progress::default() }, None));
    std::thread::scope(|scope| {
        for _ in 0..threads.min(seeds.len()) {
            scope.spawn(|| {
                while !failed.load(Ordering::Relaxed) {
                    let Some(&seed) = seeds.get(next.fetch_add(1, Ordering::Relaxed)) else { return };
                    let done = world(folder, seed, options);
                    let mut state = state.lock().unwrap_or_else(PoisonError::into_inner);
                    match done {
                        Ok((media, questions)) => {
                            state.0.worlds += 1;
                            state.0.media += media;
                            state.0.questions += questions;
                            progress(state.0);
                        }
                        Err(error) => {
                            state.1.get_or_insert(error);
                            failed.store(true, Ordering::Relaxed);
                        }
                    }
                }
            });
        }
    });
    if let Some(error) = state.into_inner().unwrap_or_else(PoisonError::into_inner).1 {
        return Err(error);
    }
    assemble(folder, seeds)
}

/// Refuses a folder that holds a dataset made otherwise.
fn check_card(folder: &Path, card: &Card) -> Result<()> {
    let path = folder.join("plan.json");
    if path.exists() {
        let known: Card = serde_json::from_slice(&fs_err::read(&path)?)?;
        if known != *card {
            return Err(Error::Folder { folder: folder.display().to_string() });
        }
        return Ok(());
    }
    replace(&path, |out| Ok(serde_json::to_writer_pretty(out, card)?))
}

fn part(folder: &Path, seed: u64) -> PathBuf {
    folder.join("parts").join(format!("{seed}.jsonl"))
}

/// Writes a file beside its place and moves it there when it is whole.
fn replace(path: &Path, fill: impl FnOnce(&mut BufWriter<fs_err::File>) -> Result<()>) -> Result<()> {
    let draft = path.with_extension(format!("draft-{}", std::process::id()));
    let written = (|| {
        let mut out = BufWriter::new(fs_err::File::create(&draft)?);
        fill(&mut out)?;
        out.into_inner().map_err(std::io::IntoInnerError::into_error)?.sync_data()?;
        Ok(fs_err::rename(&draft, path)?)
    })();
    if written.is_err() {
        // The error that matters is the one above.
        let _ = fs_err::remove_file(&draft);
    }
    written
}

/// Media and questions of one world; the part file, written last, says that all is there.
fn world(folder: &Path, seed: u64, options: &WriteOptions) -> Result<(usize, usize)> {
    if part(folder, seed).exists() {
        return Ok((0, 0));
    }
    let home = folder.join("media").join(seed.to_string());
    fs_err::create_dir_all(&home)?;
    let mut items = Vec::new();
    let mut truths = Vec::new();
    let mut media = 0;
    for (index, batch) in sample([seed], options.plan.clone()).enumerate() {
        let Batch { shot, questions, .. } = batch?;
        let (name, size) = match &shot {
            Some(shot) => {
                let name = store(&home, seed, index, shot)?;
                media += 1;
                if options.truth {
                    truths.extend(shot.frames.iter().map(|(_, truth)| (name.clone(), truth.clone())));
                }
                (Some(name), shot.size)
            }
            None => (None, [0, 0]),
        };
        items.extend(questions.into_iter().map(|question| Item {
            seed,
            media: name.clone(),
            size,
            question,
        }));
    }
    if options.truth {
        replace(&home.join("truth.jsonl"), |out| write_lines(out, &truths))?;
    }
    replace(&part(folder, seed), |out| write_lines(out, &items))?;
    Ok((media, items.len()))
}

/// Writes a picture or a clip and gives its path from the folder.
fn store(home: &Path, seed: u64, index: usize, shot: &Shot) -> Result<String> {
    let [width, height] = shot.size;
    let ending = if shot.seconds > 0.0 { "mp4" } else { "png" };
    let name = format!("{index:04}.{ending}");
    let path = home.join(&name);
    if shot.seconds > 0.0 {
        let rate = Rate::new(SAMPLE_RATE)?;
        let mut video = VideoWriter::create(&path, width, height, rate, &VideoOptions::short_clips())?;
        for (frame, _) in &shot.frames {
            video.push(&frame.rgb)?;
        }
        video.finish()?;
    } else {
        write_png(&path, width, height, &shot.frames[0].0.rgb)?;
    }
    Ok(format!("media/{seed}/{name}"))
}

/// Puts the parts together: the list of all questions, then each reference's file.
fn assemble(folder: &Path, seeds: &[u64]) -> Result<Written> {
    let each = |visit: &mut dyn FnMut(&Item) -> Result<()>| -> Result<()> {
        for &seed in seeds {
            for line in BufReader::new(fs_err::File::open(part(folder, seed))?).lines() {
                visit(&serde_json::from_str(&line?)?)?;
            }
        }
        Ok(())
    };
    let mut written = Written::default();
    replace(&folder.join("questions.jsonl"), |out| {
        each(&mut |item| {
            written.questions += 1;
            write_lines(out, [item])
        })
    })?;
    for format in files::FORMATS {
        let mut rows = 0;
        replace(&folder.join(format.file), |out| {
            out.write_all(if format.list { b"[" } else { b"" })?;
            each(&mut |item| {
                let Some(row) = (format.row)(item, rows) else { return Ok(()) };
                if format.list {
                    out.write_all(if rows == 0 { b"\n" } else { b",\n" })?;
                    serde_json::to_writer(&mut *out, &row)?;
                } else {
                    write_lines(out, [row])?;
                }
                rows += 1;
                Ok(())
            })?;
            out.write_all(if format.list { b"\n]\n" } else { b"" })?;
            Ok(())
        })?;
        written.files.push((format.file, rows));
    }
    Ok(written)
}
