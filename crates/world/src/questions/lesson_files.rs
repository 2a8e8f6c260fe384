//! Lessons as files: pictures and clips of many worlds, and the rows about them in the OpenAI style of messages. A
//! world is a folder that appears whole, so that the same call continues what was interrupted.

use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use firsthand_media::{Rate, VideoOptions, VideoWriter, write_png};
use serde_json::{Value, json};

use super::lesson::{Lesson, description, facts, search, with_scene};
use super::sample::{Batch, Plan, sample};
use super::shot::{SAMPLE_RATE, Shot};
use crate::error::Result;
use crate::rng::Rng;
use crate::world::World;

/// Of so many questions one is also told as text alone.
const FACTS: usize = 3;

/// Times that things of a picture are asked for.
const SEARCHES: usize = 2;

/// The files over all worlds: rows about pictures, rows about clips, and text alone.
pub const LESSON_FILES: [&str; 3] = ["pictures.jsonl", "clips.jsonl", "facts.jsonl"];

/// Writes `media/<seed>/` for every world and then, over all of them, [`LESSON_FILES`]. `done` is called after each
/// world and stops the work by returning `false`. Gives the rows of each file; `None` when stopped.
pub fn write_lessons(
    dir: &Path,
    seeds: std::ops::Range<u64>,
    plan: &Plan,
    threads: usize,
    done: &(dyn Fn() -> bool + Sync),
) -> Result<Option<[usize; 3]>> {
    let media = dir.join("media");
    fs_err::create_dir_all(&media)?;
    let next = AtomicU64::new(seeds.start);
    let trouble = Mutex::new(None);
    let stopped = std::sync::atomic::AtomicBool::new(false);
    let work = || {
        while !stopped.load(Ordering::Relaxed) {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= seeds.end {
                return;
            }
            match world(&media, seed, plan) {
                Ok(()) if done() => {}
                Ok(()) => stopped.store(true, Ordering::Relaxed),
                Err(error) => {
                    trouble.lock().expect("no thread panics").get_or_insert(error);
                    stopped.store(true, Ordering::Relaxed);
                }
            }
        }
    };
    std::thread::scope(|scope| (0..threads.max(1)).for_each(|_| _ = scope.spawn(work)));
    if let Some(error) = trouble.into_inner().expect("no thread panics") {
        return Err(error);
    }
    if stopped.into_inner() {
        return Ok(None);
    }
    let [pictures, clips, facts] = LESSON_FILES.map(|name| join(dir, &media, seeds.clone(), name));
    Ok(Some([pictures?, clips?, facts?]))
}

/// One world's folder, made beside its place and renamed.
fn world(media: &Path, seed: u64, plan: &Plan) -> Result<()> {
    let place = media.join(seed.to_string());
    if place.exists() {
        return Ok(());
    }
    let draft = media.join(format!(".{seed}.draft"));
    if draft.exists() {
        fs_err::remove_dir_all(&draft)?;
    }
    fs_err::create_dir_all(&draft)?;
    let home = World::lived(seed, plan.lived)?;
    let [mut pictures, mut clips, mut told] = [const { String::new() }; 3];
    let mut count = 0;
    for (number, batch) in sample([seed], plan.clone()).enumerate() {
        let Batch { shot, questions, .. } = batch?;
        let Some(shot) = shot else { continue };
        let (kind, name) = picture(&draft, &shot, number)?;
        let location = format!("media/{seed}/{name}");
        let mut row = |lesson: &Lesson| {
            let part = json!({"type": kind, kind: location});
            let rows = if kind == "image" { &mut pictures } else { &mut clips };
            push(rows, json!([part, {"type": "text", "text": lesson.ask}]), &lesson.say);
        };
        for question in &questions {
            row(&Lesson { ask: question.prompt(), say: question.short_completion() });
            count += 1;
            if count % FACTS == 0 {
                let Lesson { ask, say } = facts(question);
                push(&mut told, Value::from(ask), &say);
            }
        }
        if let Some(lesson) = description(&home, &shot) {
            row(&lesson);
        }
        if kind == "image" {
            let mut rng = Rng::new(seed).branch(&format!("lessons {number}"));
            questions.iter().find_map(with_scene).iter().for_each(&mut row);
            (0..SEARCHES).filter_map(|_| search(&home, &shot, &mut rng)).for_each(|lesson| row(&lesson));
        }
    }
    for (name, rows) in LESSON_FILES.iter().zip([pictures, clips, told]) {
        fs_err::write(draft.join(name), rows)?;
    }
    Ok(fs_err::rename(draft, place)?)
}

fn push(rows: &mut String, content: Value, say: &str) {
    let row =
        json!({"messages": [{"role": "user", "content": content}, {"role": "assistant", "content": say}]});
    rows.push_str(&row.to_string());
    rows.push('\n');
}

/// Writes a shot; gives the kind of part and the file's name.
fn picture(dir: &Path, shot: &Shot, number: usize) -> Result<(&'static str, String)> {
    let [width, height] = shot.size;
    if shot.frames.len() < 2 {
        let name = format!("{number}.png");
        write_png(&dir.join(&name), width, height, &shot.frames[0].0.rgb)?;
        return Ok(("image", name));
    }
    let name = format!("{number}.mp4");
    let options = VideoOptions::short_clips();
    let mut writer = VideoWriter::create(&dir.join(&name), width, height, Rate::new(SAMPLE_RATE)?, &options)?;
    for (frame, _) in &shot.frames {
        writer.push(&frame.rgb)?;
    }
    writer.finish()?;
    Ok(("video", name))
}

/// The rows of all worlds as one file; gives their number.
fn join(dir: &Path, media: &Path, seeds: std::ops::Range<u64>, name: &str) -> Result<usize> {
    let mut all = String::new();
    for seed in seeds {
        all.push_str(&fs_err::read_to_string(media.join(seed.to_string()).join(name))?);
    }
    let draft: PathBuf = dir.join(format!(".{name}.draft"));
    fs_err::write(&draft, &all)?;
    fs_err::rename(draft, dir.join(name))?;
    Ok(all.lines().count())
}
