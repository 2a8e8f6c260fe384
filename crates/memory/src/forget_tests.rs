//! Forgetting over random days: what is chosen is in no byte of the folder, and the rest is still known.

use std::collections::BTreeSet;
use std::path::Path;

use firsthand_base::Moment;

use crate::recall_tests::{Days, Dice, days};
use crate::{
    By, Change, Embed, Error, Evidence, Level, Memory, Query, Record, RecordId, Selection, State, Store,
    terms,
};

/// All bytes of all files of a folder, in lower case.
pub(crate) fn bytes(folder: &Path) -> Vec<u8> {
    let mut all = Vec::new();
    for entry in fs_err::read_dir(folder).unwrap() {
        all.extend(fs_err::read(entry.unwrap().path()).unwrap());
        all.push(0);
    }
    all.make_ascii_lowercase();
    all
}

pub(crate) fn holds(bytes: &[u8], word: &str) -> bool {
    !held(bytes, &[word.to_owned()]).is_empty()
}

/// Which of the words are somewhere in the bytes.
fn held<'a>(bytes: &[u8], words: &'a [String]) -> BTreeSet<&'a str> {
    let search = aho_corasick::AhoCorasick::new(words).unwrap();
    search.find_overlapping_iter(bytes).map(|found| words[found.pattern().as_usize()].as_str()).collect()
}

/// Words of one clip each that a record says.
fn own_words(days: &Days, record: &Record) -> BTreeSet<String> {
    terms(&record.words()).into_iter().filter(|word| days.words.contains_key(word)).collect()
}

/// An encoder of two numbers.
pub(crate) struct Lengths;

impl Embed for Lengths {
    fn name(&self) -> &str {
        "lengths"
    }

    fn dimensions(&self) -> usize {
        2
    }

    fn embed(&mut self, texts: &[&str]) -> Result<Vec<Vec<f32>>, String> {
        Ok(texts.iter().map(|text| vec![1.0, text.len() as f32]).collect())
    }
}

fn check(mut days: Days, selection: &Selection) {
    let folder = days.folder.path().join("memory");
    days.memory.attach(Box::new(Lengths));
    days.memory.embed_missing(100, &mut |_| true).unwrap();
    let clips: Vec<Record> =
        days.records.iter().filter(|record| record.level == Level::Clip).cloned().collect();
    let (gone, kept): (Vec<&Record>, Vec<&Record>) = clips.iter().partition(|clip| selection.holds(clip));
    assert!(!gone.is_empty() && !kept.is_empty(), "{selection:?} is no test");
    let before = bytes(&folder);
    let words: Vec<String> = gone.iter().flat_map(|clip| own_words(&days, clip)).collect();
    assert_eq!(held(&before, &words).len(), words.len());
    let forgotten = days.memory.forget(selection).unwrap();
    assert_eq!(forgotten.removed[&Level::Clip], gone.len() as u64);
    assert!(forgotten.proof.pieces > 0 && forgotten.proof.files >= 2, "{forgotten:?}");
    let after = bytes(&folder);
    assert_eq!(held(&after, &words), BTreeSet::new(), "{selection:?}");
    for word in words {
        let hits = days.memory.recall(&Query { by: By::Words, ..Query::new(word) }).unwrap();
        assert_eq!(hits, []);
    }
    for clip in &kept {
        let word = own_words(&days, clip).pop_first().unwrap();
        let hits = days
            .memory
            .recall(&Query { level: Some(Level::Clip), by: By::Words, ..Query::new(word) })
            .unwrap();
        assert_eq!((hits[0].record.text.as_str(), hits[0].record.state), (clip.text.as_str(), State::Whole));
    }
    assert_eq!(days.memory.check(false).unwrap(), []);
    // Summaries above what went were put together anew from what is left, and wait for a model.
    let counts = days.memory.store().counts().unwrap();
    assert_eq!(counts.open, forgotten.rebuilt);
    let mut unmarked = Vec::new();
    days.memory
        .store()
        .walk(&mut |record| {
            let touches = |clip: &&&Record| {
                clip.wearer == record.wearer && clip.end > record.start && clip.start < record.end
            };
            if record.state != State::Open
                && record.level > Level::Clip
                && gone.iter().any(|clip| touches(&clip))
            {
                unmarked.push(record.id);
            }
            Ok(())
        })
        .unwrap();
    assert_eq!(unmarked, []);
    days.memory.embed_missing(100, &mut |_| true).unwrap();
    assert_eq!(days.memory.check(false).unwrap(), []);
    // The same again finds nothing to do, and says so without failing.
    assert!(days.memory.forget(selection).unwrap().removed.values().all(|removed| *removed == 0));
}

#[test]
fn a_time_is_forgotten_to_the_last_byte() {
    for seed in 0..6 {
        let days = days(seed);
        let mut dice = Dice(seed);
        let clip = &days.records[dice.roll(40) as usize];
        let from = clip.start.plus_ms(dice.roll(2) as i64 * 5_000);
        let to = from.plus_ms(1 + dice.roll(3_600_000) as i64);
        let selection = Selection { from: Some(from), to: Some(to), ..Selection::default() };
        check(days, &selection);
    }
}

#[test]
fn a_wearer_and_a_person_are_forgotten_to_the_last_byte() {
    for seed in 10..13 {
        check(days(seed), &Selection { wearer: Some("A2_ALICE".into()), ..Selection::default() });
        check(days(seed), &Selection { person: Some("tasha".into()), ..Selection::default() });
        let both = Selection {
            person: Some("Shure".into()),
            wearer: Some("A1_JAKE".into()),
            from: Some(Moment::at(1, 10, 0, 0, 0).unwrap()),
            ..Selection::default()
        };
        check(days(seed), &both);
    }
}

#[test]
fn no_name_stays_behind() {
    let mut days = days(3);
    let folder = days.folder.path().join("memory");
    assert!(holds(&bytes(&folder), "a2_alice") && holds(&bytes(&folder), "lucia"));
    days.memory.forget(&Selection { wearer: Some("A2_ALICE".into()), ..Selection::default() }).unwrap();
    days.memory.forget(&Selection { person: Some("Lucia".into()), ..Selection::default() }).unwrap();
    let after = bytes(&folder);
    assert!(!holds(&after, "a2_alice") && !holds(&after, "lucia") && holds(&after, "tasha"));
    assert_eq!(days.memory.store().counts().unwrap().wearers.len(), 1);
}

#[test]
fn deleting_alone_leaves_bytes_which_is_why_there_is_more() {
    let mut days = days(4);
    let folder = days.folder.path().join("memory");
    let word = own_words(&days, &days.records[0]).pop_first().unwrap();
    let mut holders = Vec::new();
    days.memory
        .store()
        .walk(&mut |record| {
            holders.extend(record.words().contains(&word).then_some(record.id));
            Ok(())
        })
        .unwrap();
    let deletions: Vec<Change> = holders.into_iter().map(Change::Delete).collect();
    days.memory.store().write(&deletions).unwrap();
    assert!(
        holds(&bytes(&folder), &word),
        "the log no longer holds deleted pages: the proof proves less than it did"
    );
    days.memory.store().scrub().unwrap();
    assert!(!holds(&bytes(&folder), &word));
}

#[test]
fn published_summaries_without_sources_are_rebuilt_by_their_time() {
    let folder = tempfile::tempdir().unwrap();
    let mut memory = Memory::create(&folder.path().join("memory")).unwrap();
    let at = |hour, minute| Moment::at(1, hour, minute, 0, 0).unwrap();
    let record = |level, from, to, text: &str| Change::put(Record::new(level, "A1_JAKE", from, to, text));
    let ids = memory
        .write(&[
            record(Level::TenMinutes, at(10, 0), at(10, 10), "We bake bread."),
            record(Level::TenMinutes, at(10, 10), at(10, 20), "A quarrel about money."),
            record(Level::Hour, at(10, 0), at(11, 0), "Bread and a quarrel."),
            record(Level::Hour, at(11, 0), at(12, 0), "A walk."),
            record(Level::Day, at(10, 0), at(12, 0), "Bread, a quarrel, a walk."),
        ])
        .unwrap();
    let selection = Selection { from: Some(at(10, 12)), to: Some(at(10, 15)), ..Selection::default() };
    let forgotten = memory.forget(&selection).unwrap();
    assert_eq!((forgotten.removed[&Level::TenMinutes], forgotten.rebuilt), (1, 2));
    let texts: Vec<(String, State)> =
        memory.store().get(&ids).unwrap().into_iter().map(|record| (record.text, record.state)).collect();
    assert_eq!(
        texts,
        [
            ("We bake bread.".to_owned(), State::Whole),
            ("10:00 We bake bread.".to_owned(), State::Open),
            ("A walk.".to_owned(), State::Whole),
            ("10:00 We bake bread.\n11:00 A walk.".to_owned(), State::Open),
        ]
    );
    assert_eq!(memory.store().children(ids[4]).unwrap().len(), 2);
    // Without anything left an hour goes as well.
    let all = Selection { to: Some(at(11, 0)), ..Selection::default() };
    memory.forget(&all).unwrap();
    assert_eq!(memory.store().counts().unwrap().records(), 2);
}

#[test]
fn faults_are_found_and_mended() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("memory");
    let mut memory = Memory::create(&path).unwrap();
    let at = |minute| Moment::at(1, 10, minute, 0, 0).unwrap();
    let video = folder.path().join("a.mp4").display().to_string();
    let clip = Record {
        evidence: vec![Evidence { file: video.clone(), start_s: 0.0, end_s: 30.0, frames: Vec::new() }],
        ..Record::new(Level::Clip, "A1_JAKE", at(0), at(1), "takes a cup")
    };
    let hour = Record {
        sources: vec![RecordId::of_change(0)],
        ..Record::new(Level::Hour, "A1_JAKE", at(0), at(30), "tea")
    };
    memory.write(&[Change::put(clip), Change::put(hour)]).unwrap();
    let faults = memory.check(true).unwrap();
    assert_eq!(faults.len(), 1);
    assert!(faults[0].what.contains("the evidence of 1 records is not there") && !faults[0].repaired);
    fs_err::write(&video, "").unwrap();
    assert_eq!(memory.check(false).unwrap(), []);
    let raw = rusqlite::Connection::open(path.join("memory.db")).unwrap();
    raw.execute_batch("INSERT INTO sources VALUES (2, 1, 9), (2, 2, 2)").unwrap();
    let faults = memory.check(true).unwrap();
    assert_eq!(faults[0].what, "the sources of record 2 cannot be: 9 is gone, 2 is not finer");
    assert_eq!(memory.check(false).unwrap(), []);
    // What a kill in the middle of forgetting leaves.
    let mut store = crate::SqliteStore::open(&path).unwrap();
    let emptied =
        Record { text: String::new(), state: State::Open, ..store.get(&[RecordId(2)]).unwrap().remove(0) };
    store.write(&[Change::put(emptied)]).unwrap();
    let faults = memory.check(true).unwrap();
    assert!(faults[0].what.contains("waits without a text") && faults[0].repaired);
    assert_eq!(memory.store().get(&[RecordId(2)]).unwrap()[0].text, "10:00 takes a cup");
    assert_eq!(memory.check(false).unwrap(), []);
}

#[test]
fn nothing_is_forgotten_by_mistake() {
    let mut days = days(1);
    let at = |hour| Moment::at(1, hour, 0, 0, 0);
    for (selection, expect) in [
        (Selection::default(), "nothing is chosen"),
        (Selection { person: Some(" ".into()), ..Selection::default() }, "a name is empty"),
        (Selection { from: at(2), to: at(1), ..Selection::default() }, "is not before"),
    ] {
        let error = days.memory.forget(&selection).unwrap_err();
        assert!(matches!(&error, Error::Query(text) if text.contains(expect)), "{error}");
    }
    let counts = days.memory.store().counts().unwrap();
    days.memory.forget(&Selection { person: Some("Zoe".into()), ..Selection::default() }).unwrap();
    assert_eq!(days.memory.store().counts().unwrap(), counts);
    // Part of a name is not the name.
    days.memory.forget(&Selection { person: Some("Tash".into()), ..Selection::default() }).unwrap();
    assert_eq!(days.memory.store().counts().unwrap(), counts);
}
