//! How long a memory of a million records takes to answer: built once under target/bench (two months of six wearers, words as
//! frequent as in a language, random vectors), then asked with rare words, common words, times and clocks.

use std::path::Path;
use std::time::Instant;

use anyhow::Result;
use firsthand_base::Moment;
use firsthand_memory::{Change, Embed, Encoder, Level, Memory, Query, Record, RecordId};
use serde_json::{Value, json};

const RECORDS: usize = 1_000_000;
const DIMENSIONS: usize = 384;
const WEARERS: [&str; 6] = ["A1_JAKE", "A2_ALICE", "A3_TASHA", "A4_LUCIA", "A5_KATRINA", "A6_SHURE"];
/// Distinct words; the n-th is as frequent as 1/n.
const VOCABULARY: usize = 20_000;
const CLIP_WORDS: usize = 25;
const BATCH: usize = 20_000;

struct Dice(u64);

impl Dice {
    fn next(&mut self) -> f64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 11) as f64 / (1u64 << 53) as f64
    }

    /// A word of Zipf's law: rank of a log-uniform number.
    fn word(&mut self) -> String {
        let rank = (VOCABULARY as f64).powf(self.next()) as usize;
        word(rank)
    }

    fn vector(&mut self) -> Vec<f32> {
        (0..DIMENSIONS).map(|_| (self.next() - 0.5) as f32).collect()
    }
}

/// A word that is its own stem: letters that no rule of English touches.
fn word(rank: usize) -> String {
    let mut word = String::from("k");
    let mut rest = rank;
    while rest > 0 {
        word.push(char::from(b"abdfgijkmo"[rest % 10]));
        rest /= 10;
    }
    word + "k"
}

struct Random(Dice);

impl Embed for Random {
    fn name(&self) -> &str {
        "random"
    }

    fn dimensions(&self) -> usize {
        DIMENSIONS
    }

    fn embed(&mut self, texts: &[&str]) -> std::result::Result<Vec<Vec<f32>>, String> {
        Ok(texts.iter().map(|_| self.0.vector()).collect())
    }
}

/// Builds if there is none, asks, and gives the figures.
pub(crate) fn run(bench: &Path) -> Result<Value> {
    let folder = bench.join("memory");
    if !folder.join("built").exists() {
        if folder.exists() {
            fs_err::remove_dir_all(&folder)?;
        }
        fs_err::create_dir_all(&folder)?;
        let seconds = build(&folder.join("days"))?;
        fs_err::write(folder.join("built"), format!("{seconds}"))?;
    }
    let built: f64 = fs_err::read_to_string(folder.join("built"))?.parse()?;
    let started = Instant::now();
    let mut memory = Memory::open(&folder.join("days"))?;
    let records = memory.store().counts()?.records();
    let opened = started.elapsed().as_secs_f64();
    let last = memory.store().latest()?.unwrap_or_default();
    let mut report = json!({
        "case": "memory of a million records", "records": records, "dimensions": DIMENSIONS,
        "build_s": built.round(), "open_and_count_s": opened,
    });
    let questions = questions(last);
    for (name, vectors) in [("words", false), ("words_and_vectors", true)] {
        let first = Instant::now();
        ask(&mut memory, &questions[0].1, vectors)?;
        report[name]["first_s"] = json!(first.elapsed().as_secs_f64());
        let (mut all, mut all_processor) = (Vec::new(), Vec::new());
        for (kind, query) in &questions {
            let (mut times, mut processor) = (Vec::new(), Vec::new());
            for _ in 0..9 {
                let (started, spent) = (Instant::now(), processor_ms());
                ask(&mut memory, query, vectors)?;
                times.push(started.elapsed().as_secs_f64() * 1000.0);
                processor.push(processor_ms() - spent);
            }
            report[name]["kinds"][*kind] = json!([median(&mut times), median(&mut processor)]);
            all.push(median(&mut times));
            all_processor.push(median(&mut processor));
        }
        report[name]["median_ms"] = json!(median(&mut all));
        report[name]["median_processor_ms"] = json!(median(&mut all_processor));
        report[name]["worst_ms"] = json!(all.iter().copied().fold(0.0, f64::max));
    }
    Ok(report)
}

/// Milliseconds that this process has had a core, over all its threads: what a busy machine does not change. 0 where
/// the system does not tell.
fn processor_ms() -> f64 {
    let Ok(threads) = fs_err::read_dir("/proc/self/task") else { return 0.0 };
    let spent =
        threads.filter_map(|thread| fs_err::read_to_string(thread.ok()?.path().join("schedstat")).ok());
    let spent = spent.filter_map(|text| text.split_whitespace().next()?.parse::<f64>().ok());
    spent.sum::<f64>() / 1e6
}

fn ask(memory: &mut Memory, query: &Query, vectors: bool) -> Result<()> {
    if vectors {
        memory.attach(Box::new(Random(Dice(9))));
    }
    memory.recall(query)?;
    Ok(())
}

fn median(times: &mut [f64]) -> f64 {
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}

/// Questions of each kind. Ranks say how common the words are: the first 30 are in a tenth to a half of all clips.
fn questions(last: Moment) -> Vec<(&'static str, Query)> {
    let words = |ranks: &[usize]| ranks.iter().map(|rank| word(*rank)).collect::<Vec<_>>().join(" ");
    let middle = last.plus_ms(-last.ms() / 2);
    let ask = |words: String| Query::new(words);
    vec![
        ("one rare word", ask(words(&[15_000]))),
        ("three rare words", ask(words(&[9_000, 12_345, 17_000]))),
        ("common and rare", ask(words(&[2, 300, 8_000]))),
        ("two common words", ask(words(&[1, 3]))),
        ("six common words", ask(words(&[1, 2, 3, 4, 5, 6]))),
        ("ten words of all kinds", ask(words(&[1, 5, 20, 70, 200, 700, 2_000, 5_000, 9_000, 15_000]))),
        ("common, one wearer", Query { wearer: Some("A3_TASHA".into()), ..ask(words(&[2, 30, 500])) }),
        ("common, hours only", Query { level: Some(Level::Hour), ..ask(words(&[2, 30, 500])) }),
        ("yesterday morning", ask(format!("{} yesterday morning", words(&[10, 400])))),
        ("the first time", ask(format!("the first time {}", words(&[40, 900])))),
        ("clock in the middle", Query { clock: Some(middle), ..ask(words(&[2, 300, 8_000])) }),
        (
            "clock, one wearer",
            Query { clock: Some(middle), wearer: Some("A1_JAKE".into()), ..ask(words(&[7, 90, 1_500])) },
        ),
        (
            "a time alone",
            Query { clock: Some(middle), wearer: Some("A1_JAKE".into()), ..ask("yesterday".into()) },
        ),
    ]
}

/// Writes as a camera would: minute by minute, wearers side by side, summaries when their time is over.
fn build(folder: &Path) -> Result<f64> {
    let started = Instant::now();
    let mut memory = Memory::create(folder)?;
    memory.store().set_encoder(Some(&Encoder { name: "random".into(), dimensions: DIMENSIONS }))?;
    let mut dice = Dice(1);
    let mut changes = Vec::new();
    let (mut written, mut minute) = (0, 0i64);
    let mut open: Vec<[Vec<RecordId>; 4]> = vec![Default::default(); WEARERS.len()];
    while written + changes.len() < RECORDS {
        for (wearer, open) in WEARERS.iter().zip(&mut open) {
            for half in 0..2 {
                let at = Moment::START.plus_ms(minute * 60_000 + half * 30_000);
                open[0].push(RecordId::of_change(changes.len()));
                changes.push(put(Level::Clip, wearer, (at, at.plus_ms(30_000)), Vec::new(), &mut dice));
            }
            let summaries = [(10, Level::TenMinutes), (60, Level::Hour), (1440, Level::Day)];
            for (below, (minutes, level)) in summaries.into_iter().enumerate() {
                if (minute + 1) % minutes == 0 {
                    let end = Moment::START.plus_ms((minute + 1) * 60_000);
                    let sources = std::mem::take(&mut open[below]);
                    open[below + 1].push(RecordId::of_change(changes.len()));
                    changes.push(put(
                        level,
                        wearer,
                        (end.plus_ms(-minutes * 60_000), end),
                        sources,
                        &mut dice,
                    ));
                }
            }
        }
        minute += 1;
        if changes.len() >= BATCH {
            written += flush(&mut memory, &mut changes, &mut open)?;
        }
    }
    flush(&mut memory, &mut changes, &mut open)?;
    Ok(started.elapsed().as_secs_f64())
}

fn put(
    level: Level,
    wearer: &str,
    (start, end): (Moment, Moment),
    sources: Vec<RecordId>,
    dice: &mut Dice,
) -> Change {
    let words: Vec<String> = (0..CLIP_WORDS * (1 + level.rank())).map(|_| dice.word()).collect();
    let record = Record { sources, ..Record::new(level, wearer, start, end, words.join(" ")) };
    Change::Put { record, vector: Some(dice.vector()) }
}

/// Writes a batch; what later summaries are made of gets its real numbers.
fn flush(memory: &mut Memory, changes: &mut Vec<Change>, open: &mut [[Vec<RecordId>; 4]]) -> Result<usize> {
    let ids = memory.write(changes)?;
    for id in open.iter_mut().flatten().flatten() {
        if let Some(change) = id.change_index() {
            *id = ids[change];
        }
    }
    let count = changes.len();
    changes.clear();
    Ok(count)
}
