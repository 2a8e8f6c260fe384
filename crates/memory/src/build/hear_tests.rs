//! Transcripts that were mended or come later: the words follow, what was seen stays, and what was forgotten stays away.

use firsthand_base::{Digest, FrameId, MediaTime};

use super::builder_tests::{all, at, scratch};
use super::{
    Builder, Caption, Captioned, Clip, Extract, Fault, Ledger, Recording, Said, cut, hear, remember, said_in,
};
use crate::{Level, Memory, Record, Selection};

/// Sees where a clip lies; counts how often it is asked.
#[derive(Default)]
struct Eyes(usize);

impl Caption for Eyes {
    fn caption(&mut self, clips: &[Clip]) -> Vec<Result<Captioned, Fault>> {
        self.0 += clips.len();
        let (time, hash) = (MediaTime::new(0, 1, 1), Digest([0; 32]));
        let frame = FrameId { index: 0, time, hash, damaged: false };
        let one = |clip: &Clip| {
            Ok(Captioned {
                text: format!("I see thing{}.", clip.start.ms() / 1000),
                frames: vec![frame.clone()],
                ..Captioned::default()
            })
        };
        clips.iter().map(one).collect()
    }
}

const LENGTH_MS: i64 = 1_500_000;

fn recording() -> Recording {
    Recording {
        wearer: "A1".into(),
        file: "a.mp4".into(),
        start: at(300),
        end: at(300 + LENGTH_MS / 1000),
        notes: Vec::new(),
        transcript: None,
    }
}

fn line(second: i64, text: &str) -> Said {
    Said { start_ms: second * 1000, end_ms: second * 1000 + 500, text: text.into() }
}

fn clips(said: &[Said]) -> Vec<Clip> {
    let recording = recording();
    let pieces = cut(LENGTH_MS);
    let clip = |(from, to): &(i64, i64)| Clip {
        start: recording.start.plus_ms(*from),
        end: recording.start.plus_ms(*to),
        file: Some(recording.file.clone()),
        start_s: *from as f64 / 1000.0,
        end_s: *to as f64 / 1000.0,
        said: said_in(said, (*from, *to), *from == 0, *to == LENGTH_MS),
        text: None,
        ..Clip::told("A1", recording.start, recording.start, "")
    };
    pieces.iter().map(clip).collect()
}

/// As `remember` does it; stops after so many clips with new words. Whether it was done, and how many got words.
fn run(memory: &mut Memory, said: Option<&[Said]>, eyes: &mut Eyes, stop: usize) -> (bool, u64) {
    let known = known(memory);
    Ledger::keep_recording(memory.store(), &known).unwrap();
    let mut left = stop;
    let mut builder = Builder::new(memory);
    let mut changed = 0;
    if let Some(said) = said {
        changed = hear(&mut builder, &recording(), said, &mut Extract, &mut |_| {
            left -= 1;
            left > 0
        })
        .unwrap();
    }
    if left == 0 {
        return (false, changed);
    }
    let clips = clips(said.unwrap_or_default());
    remember(&mut builder, clips, eyes, &mut Extract, &mut |_| true).unwrap();
    (true, changed)
}

/// The recording as the ledger has it.
fn known(memory: &mut Memory) -> Recording {
    let known = Ledger::recordings(memory.store()).unwrap().pop();
    known.unwrap_or_else(recording)
}

/// Level, start, text, words, state, and how often it can be seen.
type Saying = (Level, i64, String, Option<String>, &'static str, usize);

fn says(memory: &mut Memory) -> Vec<Saying> {
    let say = |record: Record| {
        let Record { level, text, transcript, state, evidence, .. } = record;
        (level, record.start.ms(), text, transcript, state.name(), evidence.len())
    };
    let mut says: Vec<_> = all(memory).into_iter().map(say).collect();
    says.sort();
    says
}

#[test]
fn words_that_come_later_or_are_mended_reach_every_summary() {
    let first = [line(5, "Ann: the kettle"), line(700, "Ben: the ladder")];
    let mended = [
        line(5, "Ann: the kettle"),
        line(40, "Ann: the piano"),
        line(700, "Ben: the violin"),
        line(1499, "Ben: bye"),
    ];
    for before in [None, Some(&[][..]), Some(&first[..])] {
        let (_folder, mut whole) = scratch();
        run(&mut whole, Some(&mended), &mut Eyes::default(), usize::MAX);
        let (_folder, mut memory) = scratch();
        let mut eyes = Eyes::default();
        run(&mut memory, before, &mut eyes, usize::MAX);
        let seen = eyes.0;
        let changed = if before == Some(&first[..]) { 3 } else { 4 };
        assert_eq!(run(&mut memory, Some(&mended), &mut eyes, usize::MAX), (true, changed));
        assert_eq!(eyes.0, seen, "nothing is looked at twice");
        assert_eq!(says(&mut memory), says(&mut whole));
        let week = all(&mut memory).into_iter().find(|record| record.level == Level::Week).unwrap();
        assert!(
            week.text.contains("violin") && week.text.contains("piano") && !week.text.contains("ladder"),
            "{week:?}"
        );
        assert!(known(&mut memory).transcript.is_some());
        assert_eq!(memory.check(false).unwrap().len(), 1, "the film is not there, all else is well");
        let bytes = |memory: &mut Memory| Ledger::totals(memory.store()).unwrap()["A1"].text_bytes;
        assert_eq!(bytes(&mut memory), bytes(&mut whole));
        // Without news nothing is written.
        let records = all(&mut memory);
        assert_eq!(run(&mut memory, Some(&mended), &mut eyes, usize::MAX), (true, 0));
        assert_eq!(all(&mut memory), records);
        // A transcript that is taken away takes no words along.
        assert_eq!(run(&mut memory, None, &mut eyes, usize::MAX), (true, 0));
        assert_eq!(all(&mut memory), records);
    }
}

#[test]
fn new_words_survive_an_end_after_any_clip() {
    let mended: Vec<Said> = (0..50).map(|i| line(5 + i * 30, &format!("Ann: word{i}"))).collect();
    let (_folder, mut whole) = scratch();
    let mut eyes = Eyes::default();
    run(&mut whole, None, &mut eyes, usize::MAX);
    assert_eq!(run(&mut whole, Some(&mended), &mut eyes, usize::MAX), (true, 50));
    for stop in [1, 3, 20] {
        let (_folder, mut memory) = scratch();
        run(&mut memory, None, &mut eyes, usize::MAX);
        while !run(&mut memory, Some(&mended), &mut eyes, stop).0 {}
        assert_eq!(all(&mut memory), all(&mut whole), "{stop}");
    }
}

#[test]
fn what_was_forgotten_stays_forgotten_when_words_come() {
    let (_folder, mut memory) = scratch();
    let mut eyes = Eyes::default();
    run(&mut memory, None, &mut eyes, usize::MAX);
    let selection = Selection { from: Some(at(330)), to: Some(at(390)), ..Selection::default() };
    memory.forget(&selection).unwrap();
    let mended =
        [line(5, "the kettle"), line(40, "the secret"), line(75, "the secret"), line(95, "the piano")];
    assert_eq!(run(&mut memory, Some(&mended), &mut eyes, usize::MAX), (true, 2));
    assert!(all(&mut memory).iter().all(|record| !record.words().contains("secret")));
    // Nor does it come back with another film of the same time, half of which is new.
    let other = Clip {
        start: at(380),
        end: at(400),
        said: vec![line(5, "the secret"), line(15, "the violin")],
        file: Some("b.mp4".into()),
        end_s: 20.0,
        text: None,
        ..Clip::told("A1", at(380), at(400), "")
    };
    let mut far = clips(&[]).pop().unwrap();
    (far.start, far.end) = (at(9000), at(9020));
    let mut builder = Builder::new(&mut memory);
    let second = Clip {
        start: at(1790),
        end: at(1810),
        said: vec![line(5, "the secret"), line(15, "the violin")],
        ..other.clone()
    };
    remember(&mut builder, [other, second, far], &mut eyes, &mut Extract, &mut |_| true).unwrap();
    let said: Vec<_> = all(&mut memory).into_iter().filter_map(|record| record.transcript).collect();
    assert!(said.iter().all(|said| !said.contains("secret")), "{said:?}");
    assert!(said.iter().any(|said| said == "the violin"), "{said:?}");
}
