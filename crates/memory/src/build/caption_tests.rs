//! Captions that somebody has already: several of one stretch, corrected ones, and what was forgotten.

use super::builder_tests::{all, at, scratch};
use super::{Builder, Clip, Extract, Ledger, Report, Untold, outdated, remember};
use crate::forget_tests::Lengths;
use crate::{By, Level, Memory, Query, Record, Selection};

fn told(start_s: i64, end_s: i64, text: &str) -> Clip {
    Clip::told("A1", at(start_s), at(end_s), text)
}

fn build(memory: &mut Memory, clips: &[Clip]) -> Report {
    let mut builder = Builder::new(memory);
    remember(&mut builder, clips.to_vec(), &mut Untold, &mut Extract, &mut |_| true).unwrap()
}

/// As `remember --replace` does it; gives the pieces that were proven to be gone.
fn replace(memory: &mut Memory, clips: &[Clip]) -> (Report, usize) {
    let old = outdated(memory, clips).unwrap();
    let proof = memory.replace_clips(&old).unwrap();
    let mut builder = Builder::new(memory).bringing_back();
    let report = remember(&mut builder, clips.to_vec(), &mut Untold, &mut Extract, &mut |_| true).unwrap();
    if memory.store().counts().unwrap().open > 0 {
        Builder::new(memory).rewrite(&mut Extract).unwrap();
    }
    (report, proof.map_or(0, |proof| proof.pieces))
}

fn counts(report: &Report) -> (u64, u64, u64) {
    (report.remembered, report.known, report.forgotten)
}

fn texts(memory: &mut Memory, level: Level) -> Vec<String> {
    let records = all(memory).into_iter().filter(|record| record.level == level);
    records.map(|record| record.words()).collect()
}

/// Everything a memory says, whatever the ids.
fn says(memory: &mut Memory) -> Vec<(Level, i64, i64, String, &'static str)> {
    let say = |record: Record| {
        (record.level, record.start.ms(), record.end.ms(), record.words(), record.state.name())
    };
    let mut says: Vec<_> = all(memory).into_iter().map(say).collect();
    says.sort();
    says
}

#[test]
fn every_caption_of_a_stretch_is_kept_and_only_the_same_one_was_there() {
    let clips = [
        told(60, 90, "I cut the bread."),
        told(60, 90, "Bob holds a fork."),
        told(60, 90, "").saying(Some("Alice: Some porridge?".into())),
        told(65, 80, "The kettle boils."),
        told(75, 120, "I walk to the window."),
        told(60, 90, "I cut the bread."),
    ];
    let (_folder, mut memory) = scratch();
    assert_eq!(counts(&build(&mut memory, &clips)), (5, 1, 0));
    assert_eq!(texts(&mut memory, Level::Clip).len(), 5);
    for word in ["bread", "fork", "porridge", "kettle", "window"] {
        let query = Query { level: Some(Level::Clip), by: By::Words, ..Query::new(word) };
        assert_eq!(memory.recall(&query).unwrap().len(), 1, "{word}");
        let summary = &texts(&mut memory, Level::Week)[0];
        assert!(summary.contains(word), "{word}: {summary}");
    }
    let totals = Ledger::totals(memory.store()).unwrap()["A1"];
    assert_eq!((totals.clips, totals.video_ms), (5, 60_000));
    // Again, and in another run with one more: nothing twice.
    let before = says(&mut memory);
    assert_eq!(counts(&build(&mut memory, &clips)), (0, 6, 0));
    assert_eq!(says(&mut memory), before);
    assert_eq!(counts(&build(&mut memory, &[told(60, 90, "The radio plays.")])), (1, 0, 0));
    // Another wearer's eyes are another record.
    let other = Clip { wearer: "A2".into(), ..clips[0].clone() };
    assert_eq!(counts(&build(&mut memory, &[other])), (1, 0, 0));
    assert_eq!(memory.check(false).unwrap(), []);
}

#[test]
fn a_build_that_ends_after_any_caption_goes_on_to_the_same_records() {
    let clips: Vec<Clip> = (0..40)
        .flat_map(|i| {
            [
                told(500 + i * 20, 530 + i * 20, &format!("I see thing{i}.")),
                told(500 + i * 20, 530 + i * 20, &format!("Somebody says word{i}.")),
            ]
        })
        .collect();
    let (_folder, mut whole) = scratch();
    assert_eq!(counts(&build(&mut whole, &clips)), (80, 0, 0));
    for ends in [1, 2, 3, 7] {
        let (_folder, mut memory) = scratch();
        loop {
            let mut left = ends;
            let mut builder = Builder::new(&mut memory);
            let mut watch = |step: super::Step<'_>| {
                left -= i64::from(matches!(step, super::Step::Remembered(..)));
                left > 0
            };
            let report =
                remember(&mut builder, clips.clone(), &mut Untold, &mut Extract, &mut watch).unwrap();
            if report.ended == super::Ended::Done {
                break;
            }
        }
        assert_eq!(all(&mut memory), all(&mut whole), "{ends}");
    }
}

#[test]
fn a_corrected_caption_leaves_no_byte_of_the_old_one() {
    let bytes = |folder: &std::path::Path| {
        let mut all = Vec::new();
        for entry in fs_err::read_dir(folder.join("memory")).unwrap() {
            all.extend(fs_err::read(entry.unwrap().path()).unwrap());
        }
        all.make_ascii_lowercase();
        all
    };
    let holds = |bytes: &[u8], word: &str| bytes.windows(word.len()).any(|part| part == word.as_bytes());
    let old = [
        told(60, 90, "I water the chrysanthemums."),
        told(60, 90, "Bob holds a fork."),
        told(90, 120, "I go out.").saying(Some("Alice: Goodbye.".into())),
        told(4000, 4030, "I sit in the tram."),
    ];
    let new = [told(60, 90, "I water the rhododendrons."), old[1].clone(), old[3].clone()];
    let (folder, mut memory) = scratch();
    memory.attach(Box::new(Lengths));
    build(&mut memory, &old);
    memory.embed_missing(10, &mut |_| true).unwrap();
    assert!(holds(&bytes(folder.path()), "chrysanthemums"));
    // Without --replace both are kept.
    let (report, pieces) = replace(&mut memory, &new);
    assert_eq!(counts(&report), (1, 2, 0));
    assert!(pieces > 0);
    let after = bytes(folder.path());
    assert!(!holds(&after, "chrysanthemum") && holds(&after, "rhododendrons"));
    for level in Level::ALL {
        let texts = texts(&mut memory, level).join("\n");
        assert!(!texts.contains("chrysanthemums"), "{level}: {texts}");
        assert!(
            texts.contains("rhododendrons") && texts.contains("fork") && texts.contains("tram"),
            "{level}: {texts}"
        );
    }
    let counted = memory.store().counts().unwrap();
    assert_eq!(counted.open, 0);
    memory.embed_missing(10, &mut |_| true).unwrap();
    assert_eq!(memory.store().counts().unwrap().vectors, counted.records());
    assert_eq!(memory.check(false).unwrap(), []);
    // What a build of the corrected file says from nothing.
    let (_folder, mut fresh) = scratch();
    build(&mut fresh, &[old[1].clone(), new[0].clone(), old[2].clone(), old[3].clone()]);
    assert_eq!(says(&mut memory), says(&mut fresh));
    let totals = |memory: &mut Memory| {
        let totals = Ledger::totals(memory.store()).unwrap()["A1"];
        (totals.clips, totals.video_ms, totals.text_bytes)
    };
    assert_eq!(totals(&mut memory), totals(&mut fresh));
    // The same again has nothing to do.
    let stale = outdated(&mut memory, &new).unwrap();
    assert_eq!(memory.replace_clips(&stale).unwrap(), None);
    // Killed between the old and the new: the same command goes on.
    let third = [told(60, 90, "I water the hydrangeas.")];
    let stale = outdated(&mut memory, &third).unwrap();
    assert_eq!(stale.len(), 2);
    memory.replace_clips(&stale).unwrap();
    let (report, _) = replace(&mut memory, &third);
    assert_eq!(counts(&report), (1, 0, 0));
    let (_folder, mut fresh) = scratch();
    build(&mut fresh, &[third[0].clone(), old[2].clone(), old[3].clone()]);
    assert_eq!(says(&mut memory), says(&mut fresh));
}

#[test]
fn what_was_forgotten_comes_back_on_request_alone() {
    let clips = [
        told(60, 90, "I cut the bread."),
        told(60, 90, "Bob holds a fork."),
        told(90, 120, "I go out."),
        told(4000, 4030, "I sit in the tram."),
    ];
    // By name one of two captions of a stretch, by time both.
    for (selection, gone) in [
        (Selection { person: Some("Bob".into()), ..Selection::default() }, 1),
        (Selection { from: Some(at(60)), to: Some(at(85)), ..Selection::default() }, 2),
        (Selection { wearer: Some("A1".into()), ..Selection::default() }, 4),
    ] {
        let (_folder, mut memory) = scratch();
        build(&mut memory, &clips);
        memory.forget(&selection).unwrap();
        Builder::new(&mut memory).rewrite(&mut Extract).unwrap();
        let before = says(&mut memory);
        assert_eq!(counts(&build(&mut memory, &clips)), (0, 4 - gone, gone), "{selection:?}");
        assert_eq!(says(&mut memory), before);
        // A corrected text of that time waits for a word as well.
        let corrected = [told(60, 90, "Robin holds a spoon.")];
        assert_eq!(counts(&build(&mut memory, &corrected)), (0, 0, 1));
        let (report, _) = replace(&mut memory, &corrected);
        assert_eq!(counts(&report), (1, 0, 0));
        assert_eq!(texts(&mut memory, Level::Clip).iter().filter(|text| text.contains("spoon")).count(), 1);
        // From now on it is there like any other, and its time takes captions again.
        assert_eq!(counts(&build(&mut memory, &corrected)), (0, 1, 0));
        assert_eq!(counts(&build(&mut memory, &[told(60, 90, "The radio plays.")])), (1, 0, 0));
    }
}
