//! Whole builds: what is known is passed over, overlaps are cut, failures are noted, and a build stops and goes on.

use super::builder_tests::{all, at, clip, scratch};
use super::{
    Builder, Caption, Captioned, Clip, Cost, Ended, Extract, Failure, Fault, Ledger, Recording, Report,
    remember,
};
use crate::{Level, Memory, Selection};

/// Says where a clip lies in its file; fails as told.
#[derive(Default)]
struct Eyes {
    asked: Vec<i64>,
    broken: Vec<i64>,
    down_at: Option<i64>,
    at_once: usize,
}

impl Caption for Eyes {
    fn caption(&mut self, clips: &[Clip]) -> Vec<Result<Captioned, Fault>> {
        let one = |clip: &Clip| {
            let s = clip.start.ms() / 1000;
            self.asked.push(s);
            if self.down_at == Some(s) {
                return Err(Fault::Stop("the endpoint is down".into()));
            }
            if self.broken.contains(&s) {
                return Err(Fault::This("cannot decode".into()));
            }
            let cost = Cost { prompt_tokens: 5, new_tokens: 2, wall_ms: 1 };
            Ok(Captioned {
                text: format!("{:.1} to {:.1}", clip.start_s, clip.end_s),
                cost,
                ..Captioned::default()
            })
        };
        clips.iter().map(one).collect()
    }

    fn at_once(&self) -> usize {
        self.at_once
    }
}

fn seen(start_s: i64, seconds: i64, file: &str) -> Clip {
    let clip = clip("A1", start_s, seconds);
    Clip { file: Some(file.into()), text: None, start_s: 0.0, end_s: seconds as f64, ..clip }
}

fn build(memory: &mut Memory, clips: &[Clip], eyes: &mut Eyes) -> Report {
    let mut builder = Builder::new(memory);
    remember(&mut builder, clips.to_vec(), eyes, &mut Extract, &mut |_| true).unwrap()
}

fn clip_texts(memory: &mut Memory) -> Vec<(i64, i64, String)> {
    let clips = all(memory).into_iter().filter(|record| record.level == Level::Clip);
    clips.map(|record| (record.start.ms() / 1000, record.end.ms() / 1000, record.text)).collect()
}

#[test]
fn what_is_remembered_is_not_looked_at_again_and_overlaps_are_cut() {
    for at_once in [1, 3] {
        let (_folder, mut memory) = scratch();
        let mut eyes = Eyes { at_once, ..Eyes::default() };
        let first = [seen(60, 30, "a"), seen(90, 30, "a")];
        build(&mut memory, &first, &mut eyes);
        // The same again; one that starts 10 s before the end of the last; one that lies in it; one far away.
        let second =
            [first.as_slice(), &[seen(110, 30, "b"), seen(112, 5, "c"), seen(900, 30, "d")]].concat();
        let report = build(&mut memory, &second, &mut eyes);
        assert_eq!((report.known, report.remembered, report.ended), (3, 2, Ended::Done));
        assert_eq!(eyes.asked, [60, 90, 120, 900]);
        let expect = [
            (60, 90, "0.0 to 30.0"),
            (90, 120, "0.0 to 30.0"),
            (120, 140, "10.0 to 30.0"),
            (900, 930, "0.0 to 30.0"),
        ];
        let expect: Vec<_> = expect.into_iter().map(|(a, b, text)| (a, b, text.to_owned())).collect();
        assert_eq!(clip_texts(&mut memory), expect);
        let cut = all(&mut memory).into_iter().find(|record| record.start == at(120)).unwrap();
        assert_eq!((cut.evidence[0].start_s, cut.evidence[0].end_s), (10.0, 30.0));
        let totals = Ledger::totals(memory.store()).unwrap()["A1"];
        assert_eq!((totals.clips, totals.video_ms, totals.captions.prompt_tokens), (4, 110_000, 20));
    }
}

#[test]
fn a_clip_that_cannot_be_seen_is_told_once_and_tried_again_on_request() {
    let (_folder, mut memory) = scratch();
    let clips: Vec<Clip> = (0..3).map(|i| seen(60 + i * 30, 30, "a")).collect();
    let mut eyes = Eyes { broken: vec![90], ..Eyes::default() };
    let report = build(&mut memory, &clips, &mut eyes);
    assert_eq!((report.remembered, report.failed, report.ended), (2, 1, Ended::Done));
    let expect = Failure {
        wearer: "A1".into(),
        level: Some(Level::Clip),
        start: at(90),
        end: at(120),
        file: Some("a".into()),
        reason: "cannot decode".into(),
    };
    assert_eq!(Ledger::failures(memory.store()).unwrap(), [expect]);
    assert_eq!(build(&mut memory, &clips, &mut eyes).known, 3);
    eyes.broken.clear();
    assert_eq!(Builder::new(&mut memory).retry().unwrap(), 1);
    assert_eq!(build(&mut memory, &clips, &mut eyes).remembered, 1);
    assert!(Ledger::failures(memory.store()).unwrap().is_empty());
    assert_eq!(clip_texts(&mut memory).len(), 3);
}

#[test]
fn a_build_stops_when_nobody_answers_and_goes_on_without_asking_twice() {
    let clips: Vec<Clip> = (0..50).map(|i| seen(i * 30, 30, "a")).collect();
    let (_folder, mut whole) = scratch();
    build(&mut whole, &clips, &mut Eyes::default());
    let (_folder, mut memory) = scratch();
    let mut eyes = Eyes { down_at: Some(25 * 30), ..Eyes::default() };
    let report = build(&mut memory, &clips, &mut eyes);
    assert_eq!((report.remembered, report.ended), (25, Ended::Stopped("the endpoint is down".into())));
    eyes.down_at = None;
    assert_eq!(build(&mut memory, &clips, &mut eyes).known, 25);
    assert_eq!(eyes.asked.len(), 51);
    assert_eq!(all(&mut memory), all(&mut whole));
    // Whoever watches can stop it as well.
    let (_folder, mut memory) = scratch();
    let mut left = 7;
    let mut builder = Builder::grouped(&mut memory);
    let report = remember(&mut builder, clips.clone(), &mut Eyes::default(), &mut Extract, &mut |_| {
        left -= 1;
        left > 0
    });
    assert_eq!(report.unwrap().ended, Ended::Asked);
    assert_eq!(clip_texts(&mut memory).len(), 7);
}

#[test]
fn what_was_forgotten_leaves_no_note_and_does_not_come_back() {
    let (_folder, mut memory) = scratch();
    let name = "recordings/DAY1_A1_JAKE_00010000.mp4";
    let mine: Vec<Clip> = (0..4).map(|i| seen(60 + i * 30, 30, name)).collect();
    let other = Clip { wearer: "A2_ALICE".into(), ..seen(4000, 30, "recordings/DAY1_A2_ALICE_01063999.mp4") };
    let clips = [mine.as_slice(), &[other]].concat();
    let keep = |memory: &mut Memory, clip: &Clip| {
        let Clip { wearer, file, start, end, .. } = clip.clone();
        let recording =
            Recording { wearer, file: file.unwrap(), start, end, notes: Vec::new(), transcript: None };
        Ledger::keep_recording(memory.store(), &recording).unwrap();
    };
    clips.iter().for_each(|clip| keep(&mut memory, clip));
    build(&mut memory, &clips, &mut Eyes { broken: vec![90], ..Eyes::default() });
    // The proof reads every byte of the store, notes included.
    let first = Selection { from: Some(at(0)), to: Some(at(3000)), ..Selection::default() };
    memory.forget(&first).unwrap();
    assert!(Ledger::failures(memory.store()).unwrap().is_empty());
    assert_eq!(Ledger::recordings(memory.store()).unwrap().len(), 1);
    memory.forget(&Selection { wearer: Some("A2_ALICE".into()), ..Selection::default() }).unwrap();
    assert!(Ledger::totals(memory.store()).unwrap().is_empty());
    assert_eq!(build(&mut memory, &clips, &mut Eyes::default()).known, 5);
    assert_eq!(all(&mut memory), []);
}
