//! The incremental rule against a naive build of the whole, and its cost.

use std::collections::BTreeMap;

use firsthand_base::Moment;
use proptest::prelude::*;

use super::{Builder, Captioned, Clip, Extract, Fault, Ledger, Summarise, Summary, window};
use crate::extract::extract;
use crate::{Level, Memory, Record, RecordId, State};

pub(super) fn scratch() -> (tempfile::TempDir, Memory) {
    let folder = tempfile::tempdir().unwrap();
    let memory = Memory::create(&folder.path().join("memory")).unwrap();
    (folder, memory)
}

pub(super) fn at(s: i64) -> Moment {
    Moment::from_ms(s * 1000).unwrap()
}

pub(super) fn clip(wearer: &str, start_s: i64, seconds: i64) -> Clip {
    Clip::told(
        wearer,
        at(start_s),
        at(start_s + seconds),
        format!("I see thing{start_s} near door{}.", start_s % 7),
    )
}

pub(super) fn all(memory: &mut Memory) -> Vec<Record> {
    let mut records = Vec::new();
    memory
        .store()
        .walk(&mut |record| {
            records.push(record);
            Ok(())
        })
        .unwrap();
    records
}

/// Records by what they say, sources by where they start: ids depend on the order of writing.
type Shape = BTreeMap<(String, Level, i64), (i64, String, State, Vec<i64>)>;

fn shape(records: &[Record]) -> Shape {
    let starts: BTreeMap<RecordId, i64> =
        records.iter().map(|record| (record.id, record.start.ms())).collect();
    records
        .iter()
        .map(|record| {
            let mut sources: Vec<i64> = record.sources.iter().map(|source| starts[source]).collect();
            sources.sort_unstable();
            let value = (record.end.ms(), record.text.clone(), record.state, sources);
            ((record.wearer.clone(), record.level, record.start.ms()), value)
        })
        .collect()
}

/// All summaries from all clips, level by level.
fn naive(clips: &[Clip]) -> Shape {
    let mut records: Vec<Record> = Vec::new();
    for clip in clips {
        let id = RecordId(records.len() as i64 + 1);
        let text = clip.text.clone().unwrap();
        records.push(Record { id, ..Record::new(Level::Clip, &clip.wearer, clip.start, clip.end, text) });
    }
    for level in &Level::ALL[1..] {
        let mut groups: BTreeMap<(String, Moment), Vec<Record>> = BTreeMap::new();
        for record in records.iter().filter(|record| Some(record.level) == level.finer()) {
            let key = (record.wearer.clone(), window(*level, record.start).start);
            groups.entry(key).or_default().push(record.clone());
        }
        for ((wearer, _), mut parts) in groups {
            parts.sort_by_key(|part| part.start);
            let end = parts.iter().map(|part| part.end).max().unwrap();
            let text = extract(*level, &parts);
            let sources = parts.iter().map(|part| part.id).collect();
            let id = RecordId(records.len() as i64 + 1);
            records.push(Record { id, sources, ..Record::new(*level, wearer, parts[0].start, end, text) });
        }
    }
    shape(&records)
}

fn add(builder: &mut Builder<'_>, clip: &Clip) {
    let captioned = Captioned { text: clip.text.clone().unwrap(), ..Captioned::default() };
    builder.add(clip, captioned, &mut Extract).unwrap();
}

/// Starts on a grid of half minutes over ten days, so that clips of one wearer do not overlap.
fn clips() -> impl Strategy<Value = Vec<(bool, i64)>> {
    let near = (any::<bool>(), 0i64..400);
    let far = (any::<bool>(), 0i64..28_800);
    prop::collection::vec(prop_oneof![near, far], 1..40)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]
    /// Whatever the order of clips and wherever runs end, the memory is what one naive pass over all clips makes.
    #[test]
    fn built_bit_by_bit_equals_built_at_once(drawn in clips(), ends in prop::collection::vec(any::<bool>(), 40), grouped in any::<bool>()) {
        let mut seen = std::collections::BTreeSet::new();
        let clips: Vec<Clip> = drawn
            .into_iter()
            .filter(|key| seen.insert(*key))
            .map(|(first, slot)| clip(if first { "A1" } else { "A2" }, slot * 30, 30))
            .collect();
        let (_folder, mut memory) = scratch();
        for run in clips.iter().zip(&ends).collect::<Vec<_>>().chunk_by(|(_, end), _| !**end) {
            let mut builder = if grouped { Builder::grouped(&mut memory) } else { Builder::new(&mut memory) };
            run.iter().for_each(|(clip, _)| add(&mut builder, clip));
            // A run that does not end leaves its summaries to the next one.
            if *run.last().unwrap().1 { builder.settle(&mut Extract).unwrap() } else { builder.write_pending().unwrap() }
        }
        Builder::new(&mut memory).settle(&mut Extract).unwrap();
        prop_assert_eq!(shape(&all(&mut memory)), naive(&clips));
        prop_assert!(memory.store().check(false).unwrap().is_empty());
    }
}

/// Counts summaries and their parts.
#[derive(Default)]
struct Counting {
    summaries: usize,
    parts: usize,
    fails: Option<Fault>,
}

impl Summarise for Counting {
    fn summarise(&mut self, level: Level, parts: &[Record]) -> Result<Summary, Fault> {
        self.summaries += 1;
        self.parts += parts.len();
        match &self.fails {
            Some(fault) => Err(fault.clone()),
            None => Extract.summarise(level, parts),
        }
    }
}

#[test]
fn one_more_clip_costs_the_same_after_a_day_and_after_weeks() {
    let (_folder, mut memory) = scratch();
    let mut costs = Vec::new();
    for day in 0..21 {
        let mut builder = Builder::grouped(&mut memory);
        for minute in 0..40 {
            add(&mut builder, &clip("A1", day * 86_400 + 36_000 + minute * 60, 30));
        }
        builder.settle(&mut Extract).unwrap();
        let mut writer = Counting::default();
        let mut builder = Builder::new(&mut memory);
        let last = clip("A1", day * 86_400 + 36_000 + 40 * 60, 30);
        let captioned = Captioned { text: "I stop.".into(), ..Captioned::default() };
        builder.add(&last, captioned, &mut writer).unwrap();
        builder.settle(&mut writer).unwrap();
        // Ten minutes, hour, day and week of the clip, and nothing else.
        assert_eq!(writer.summaries, 4);
        costs.push(writer.parts);
    }
    // One clip opens new ten minutes; five of them in the hour, one hour in the day, the days so far of the week.
    let expect: Vec<usize> = (0..21).map(|day| 1 + 5 + 1 + day % 7 + 1).collect();
    assert_eq!(costs, expect);
}

#[test]
fn a_summary_that_fails_is_extracted_told_and_made_again() {
    let (_folder, mut memory) = scratch();
    let mut writer = Counting { fails: Some(Fault::This("too long".into())), ..Counting::default() };
    let mut builder = Builder::new(&mut memory);
    add(&mut builder, &clip("A1", 60, 30));
    builder.settle(&mut writer).unwrap();
    assert_eq!(memory.store().counts().unwrap().open, 4);
    let failures = Ledger::failures(memory.store()).unwrap();
    assert_eq!(
        failures.iter().map(|f| (f.level, f.reason.as_str())).collect::<Vec<_>>()[0],
        (Some(Level::TenMinutes), "too long")
    );
    let mut builder = Builder::new(&mut memory);
    assert_eq!(builder.rewrite(&mut Extract).unwrap(), 4);
    assert_eq!(memory.store().counts().unwrap().open, 0);
    assert!(Ledger::failures(memory.store()).unwrap().is_empty());
    assert_eq!(shape(&all(&mut memory)), naive(&[clip("A1", 60, 30)]));
}

#[test]
fn a_build_that_stops_in_a_summary_goes_on_there() {
    let (_folder, mut memory) = scratch();
    let clips: Vec<Clip> = (0..30).map(|i| clip("A1", 3000 + i * 60, 30)).collect();
    let mut down = Counting { fails: Some(Fault::Stop("nobody answers".into())), ..Counting::default() };
    let mut builder = Builder::new(&mut memory);
    clips[..10].iter().for_each(|clip| add(&mut builder, clip));
    let captioned = Captioned { text: clips[10].text.clone().unwrap(), ..Captioned::default() };
    let error = builder.add(&clips[10], captioned, &mut down).unwrap_err();
    assert_eq!(error.to_string(), "nobody answers");
    let mut builder = Builder::new(&mut memory);
    clips[10..].iter().for_each(|clip| add(&mut builder, clip));
    builder.settle(&mut Extract).unwrap();
    assert_eq!(shape(&all(&mut memory)), naive(&clips));
}
