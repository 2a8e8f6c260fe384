//! The rules of writing: nothing tells the future, and what changes below a summary opens it.

use firsthand_base::Moment;

use crate::{Change, Embed, Evidence, Level, Memory, Record, RecordId, State};

fn scratch() -> (tempfile::TempDir, Memory) {
    let folder = tempfile::tempdir().unwrap();
    let memory = Memory::open_or_create(&folder.path().join("memory")).unwrap();
    (folder, memory)
}

fn record(level: Level, start_s: i64, end_s: i64, text: &str) -> Record {
    let at = |s: i64| Moment::from_ms(s * 1000).unwrap();
    Record::new(level, "A1_JAKE", at(start_s), at(end_s), text)
}

fn summary(level: Level, start_s: i64, end_s: i64, sources: &[RecordId]) -> Record {
    Record { sources: sources.into(), ..record(level, start_s, end_s, "a summary") }
}

fn refused(memory: &mut Memory, changes: &[Change], expect: &str) {
    let error = memory.write(changes).expect_err(expect).to_string();
    assert!(error.contains(expect) && !error.contains('\n'), "{error}");
}

#[test]
fn records_that_cannot_be_are_refused() {
    let (_folder, mut memory) = scratch();
    let clip = memory.write(&[Change::put(record(Level::Clip, 0, 30, "takes a cup"))]).unwrap()[0];
    for (record, expect) in [
        (Record { wearer: " ".into(), ..record(Level::Clip, 0, 30, "") }, "it has no wearer"),
        (record(Level::Clip, 30, 0, ""), "it ends before it starts"),
        (summary(Level::Clip, 0, 30, &[clip]), "a clip stands on evidence"),
        (summary(Level::TenMinutes, 0, 29, &[clip]), "its source 1 ends later"),
        (summary(Level::TenMinutes, 0, 600, &[RecordId(9)]), "its source 9 is not in the memory"),
        (summary(Level::TenMinutes, 0, 600, &[RecordId::of_change(0)]), "is not in the memory"),
    ] {
        refused(&mut memory, &[Change::put(record)], expect);
    }
    refused(
        &mut memory,
        &[Change::Delete(clip), Change::put(summary(Level::TenMinutes, 0, 600, &[clip]))],
        "its source 1 is not in the memory",
    );
    let hour = memory.write(&[Change::put(summary(Level::Hour, 0, 3600, &[clip]))]).unwrap()[0];
    refused(
        &mut memory,
        &[Change::put(summary(Level::TenMinutes, 0, 3600, &[hour]))],
        "is of level hour, not finer",
    );
    // Nor may a clip grow past a summary made from it, unless the summary grows as well.
    let longer = Record { id: clip, ..record(Level::Clip, 0, 3700, "takes a cup") };
    refused(&mut memory, &[Change::put(longer.clone())], "a summary made from it ends earlier");
    let hour = Record { id: hour, ..summary(Level::Hour, 0, 3700, &[clip]) };
    memory.write(&[Change::put(longer), Change::put(hour)]).unwrap();
}

#[test]
fn a_summary_is_opened_when_what_it_stands_on_changes() {
    let (_folder, mut memory) = scratch();
    let ids = memory
        .write(&[
            Change::put(record(Level::Clip, 0, 30, "takes a cup")),
            Change::put(record(Level::Clip, 30, 60, "drinks")),
            Change::put(summary(
                Level::TenMinutes,
                0,
                600,
                &[RecordId::of_change(0), RecordId::of_change(1)],
            )),
        ])
        .unwrap();
    let state = |memory: &mut Memory| memory.store().get(&ids[2..]).unwrap()[0].state;
    let same = Record { id: ids[0], ..record(Level::Clip, 0, 30, "takes a cup") };
    memory.write(&[Change::put(same.clone())]).unwrap();
    assert_eq!(state(&mut memory), State::Whole);
    memory.write(&[Change::put(Record { text: "takes a plate".into(), ..same })]).unwrap();
    assert_eq!(state(&mut memory), State::Open);
    memory
        .write(&[Change::put(Record { id: ids[2], ..summary(Level::TenMinutes, 0, 600, &ids[..2]) })])
        .unwrap();
    assert_eq!(state(&mut memory), State::Whole);
    memory.write(&[Change::Delete(ids[1])]).unwrap();
    assert_eq!(state(&mut memory), State::Open);
    assert_eq!(memory.store().get(&ids[2..]).unwrap()[0].sources, ids[..1]);
}

/// Counts letters; gives too few vectors when told to.
struct Letters {
    short: bool,
}

impl Embed for Letters {
    fn name(&self) -> &str {
        "letters"
    }

    fn dimensions(&self) -> usize {
        2
    }

    fn embed(&mut self, texts: &[&str]) -> Result<Vec<Vec<f32>>, String> {
        let count = |text: &str, letter| text.matches(letter).count() as f32 + 0.1;
        let vectors = texts.iter().map(|text| vec![count(text, 'a'), count(text, 'e')]);
        Ok(vectors.skip(usize::from(self.short)).collect())
    }
}

#[test]
fn missing_vectors_are_made_and_a_stop_is_heard() {
    let (_folder, mut memory) = scratch();
    let changes: Vec<Change> = (0..10)
        .map(|i| Change::put(record(Level::Clip, i, i + 1, if i == 3 { "" } else { "tea" })))
        .collect();
    memory.write(&changes).unwrap();
    assert_eq!(memory.embed_missing(4, &mut |_| true).unwrap(), 0, "nobody reads");
    memory.attach(Box::new(Letters { short: true }));
    let refused = memory.embed_missing(4, &mut |_| true);
    assert!(refused.unwrap_err().to_string().contains("2 vectors for 3 texts"));
    memory.attach(Box::new(Letters { short: false }));
    assert_eq!(memory.embed_missing(4, &mut |done| done < 3).unwrap(), 3);
    assert_eq!(memory.embed_missing(4, &mut |_| true).unwrap(), 6);
    assert_eq!(memory.store().without_vector(9).unwrap(), [RecordId(4)]);
    assert_eq!(memory.store().counts().unwrap().vectors, 9);
}

#[test]
fn a_summary_leads_to_what_can_be_seen() {
    let (_folder, mut memory) = scratch();
    let seen =
        |file: &str| vec![Evidence { file: file.into(), start_s: 0.0, end_s: 30.0, frames: Vec::new() }];
    let clip =
        |start, file: &str| Record { evidence: seen(file), ..record(Level::Clip, start, start + 30, "tea") };
    let sources = |changes: &[usize]| changes.iter().map(|i| RecordId::of_change(*i)).collect::<Vec<_>>();
    let ids = memory
        .write(&[
            Change::put(clip(0, "a.mp4")),
            Change::put(clip(30, "b.mp4")),
            Change::put(clip(60, "c.mp4")),
            Change::put(summary(Level::TenMinutes, 0, 600, &sources(&[0, 1]))),
            Change::put(summary(Level::Hour, 0, 3600, &sources(&[3, 2, 0]))),
        ])
        .unwrap();
    let hour = memory.store().get(&ids[4..]).unwrap().remove(0);
    let files = |memory: &mut Memory, most| {
        memory.evidence(&hour, most).unwrap().into_iter().map(|seen| seen.file).collect::<Vec<_>>()
    };
    assert_eq!(files(&mut memory, 9), ["a.mp4", "b.mp4", "c.mp4"]);
    assert_eq!(files(&mut memory, 2), ["a.mp4", "b.mp4"]);
}
