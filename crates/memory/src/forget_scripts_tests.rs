//! Forgetting people of eight scripts, each in several spellings. The bytes are looked at here, without the program's own proof.

use std::collections::BTreeSet;

use firsthand_base::Moment;

use crate::forget_tests::{Lengths, bytes, holds};
use crate::{By, Change, Level, Memory, Query, Record, RecordId, Selection, State};

/// A person of one script: what is asked for, sentences that name her in other spellings, and sentences that only share
/// letters with the name.
pub(crate) struct Script {
    pub(crate) asked: &'static str,
    pub(crate) named: &'static [&'static str],
    pub(crate) other: &'static [&'static str],
    /// Bytes of every spelling, as Python's unicodedata gives them.
    pub(crate) bytes: &'static [&'static str],
}

/// People of eight scripts. Spellings are escaped where an editor may change them.
pub(crate) const SCRIPTS: [Script; 10] = [
    Script {
        asked: "Nguyễn",
        named: &["nguyen opens the door", "NGUYE\u{302}\u{303}N laughs", "The keys are Nguyễn\u{2019}s"],
        other: &["Nguyet opens the window", "Nina opens the lid"],
        bytes: &["Nguyễn", "nguye\u{302}\u{303}n", "NGUYỄN", "nguyen", "NGUYE\u{302}\u{303}N"],
    },
    Script {
        asked: "jose o'brien",
        named: &["José O\u{2019}Brien sits", "JOSE\u{301} O\u{2bc}BRIEN walks", "Jose OBrien eats"],
        other: &["Josephine O\u{2019}Hara sits", "Brienne walks"],
        bytes: &["josé", "jose\u{301}", "O\u{2019}Brien", "o'brien", "obrien", "O\u{2bc}BRIEN"],
    },
    Script {
        asked: "Сергей",
        named: &["Сергей берёт ключи", "Серге\u{438}\u{306} спит", "СЕРГЕЙ ест"],
        other: &["Сергеев берёт чашку", "Серго спит"],
        bytes: &["Сергей", "Серге\u{438}\u{306}", "СЕРГЕЙ", "сергей", "СЕРГЕ\u{418}\u{306}"],
    },
    Script {
        asked: "Γιώργος",
        named: &["Ο Γιώργος πλένει", "Ο ΓΙΩΡΓΟΣ τρώει", "Ο Γιω\u{301}ργος κοιμάται"],
        other: &["Ο Γιωργάκης πλένει", "Ο Γιάννης τρώει"],
        bytes: &["Γιώργος", "Γιω\u{301}ργος", "ΓΙΩΡΓΟΣ", "Γιωργος", "γιωργοσ", "γιωργος"],
    },
    Script {
        asked: "ليلى",
        named: &["أخذت ليلى الكوب", "جاءت لَيْلَى", "كريم وليلي في البيت", "لیلی تأكل"],
        other: &["أخذت ليلاس الكوب", "ليل طويل"],
        bytes: &["ليلى", "لَيْلَى", "ليلي", "لیلی"],
    },
    Script {
        asked: "राज़",
        named: &["राज़ दरवाजा खोलता है", "रा\u{95b} सोता है", "राज खाता है"],
        other: &["राजा दरवाजा खोलता है", "राजू सोता है"],
        bytes: &["रा\u{91c}\u{93c} ", "रा\u{95b}", "राज "],
    },
    Script {
        asked: "สมชาย",
        named: &["สมชายเปิดประตู", "คุณสมชายกินข้าว", "สม\u{200b}ชายนอน"],
        other: &["สมหญิงเปิดประตู", "ผู้ชายกินข้าว"],
        bytes: &["สมชาย", "สม\u{200b}ชาย"],
    },
    Script {
        asked: "민수",
        named: &["민수가 문을 연다", "\u{1106}\u{1175}\u{11ab}\u{1109}\u{116e}는 잔다", "민수씨에게 준다"],
        other: &["민서가 문을 연다", "민정이 잔다"],
        bytes: &["민수", "\u{1106}\u{1175}\u{11ab}\u{1109}\u{116e}"],
    },
    Script {
        asked: "小明",
        named: &["小明拿杯子", "明天小明来", "我看见小明"],
        other: &["小红拿杯子", "明天小红来"],
        bytes: &["小明"],
    },
    Script {
        asked: "ガク",
        named: &["ガクがコップを取る", "ｶﾞｸが寝る", "カ\u{3099}クさんが食べる"],
        other: &["ガックリする", "カクが寝る"],
        bytes: &["ガク", "ｶﾞｸ", "カ\u{3099}ク"],
    },
];

/// One clip for each sentence of every script, with summaries over all, and the transcript, people and evidence of some.
pub(crate) fn in_scripts() -> Vec<Record> {
    let sentences = SCRIPTS.iter().flat_map(|script| script.named.iter().chain(script.other));
    let mut records: Vec<Record> = Vec::new();
    for (place, sentence) in sentences.enumerate() {
        let start = Moment::at(1, 9, 0, 0, 0).unwrap().plus_ms(place as i64 * 30_000);
        let mut record = Record::new(Level::Clip, "A1", start, start.plus_ms(30_000), *sentence);
        match place % 3 {
            0 => record.transcript = Some(format!("someone: {sentence}!")),
            1 => record.people = vec![(*sentence).to_owned()],
            _ => {}
        }
        records.push(record);
    }
    let clips = records.len();
    let all: Vec<String> = records.iter().map(|record| record.text.clone()).collect();
    for level in [Level::TenMinutes, Level::Hour, Level::Day] {
        let (start, end) = (records[0].start, records[clips - 1].end);
        let mut summary = Record::new(level, "A1", start, end, all.join(". "));
        summary.sources = (0..clips).map(RecordId::of_change).collect();
        records.push(summary);
    }
    records
}

/// Forgets one person after another, each asked for in one spelling, and looks at the bytes without `proof`.
#[test]
fn people_of_eight_scripts_are_forgotten_in_every_spelling() {
    for (place, script) in SCRIPTS.iter().enumerate() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("memory");
        let mut memory = Memory::create(&path).unwrap();
        memory.attach(Box::new(Lengths));
        memory.write(&in_scripts().into_iter().map(Change::put).collect::<Vec<_>>()).unwrap();
        memory.embed_missing(100, &mut |_| true).unwrap();
        let held = |spelling: &str| {
            let bytes = bytes(&path);
            let spelling = spelling.to_ascii_lowercase();
            bytes.windows(spelling.len()).any(|window| window == spelling.as_bytes())
        };
        assert!(script.bytes.iter().any(|spelling| held(spelling)), "{} is no test", script.asked);
        let person = Selection { person: Some(script.asked.into()), ..Selection::default() };
        let forgotten = memory.forget(&person).unwrap();
        assert_eq!(forgotten.removed[&Level::Clip], script.named.len() as u64, "{}", script.asked);
        for spelling in script.bytes {
            assert!(!held(spelling), "{spelling:?} is left of {}", script.asked);
        }
        let mut left = BTreeSet::new();
        let mut summaries = Vec::new();
        memory
            .store()
            .walk(&mut |record| {
                match record.level {
                    Level::Clip => _ = left.insert(record.text),
                    _ => summaries.push(record),
                }
                Ok(())
            })
            .unwrap();
        let others = SCRIPTS.iter().enumerate().filter(|(other, _)| *other != place);
        let kept = others.flat_map(|(_, other)| other.named.iter().chain(other.other)).chain(script.other);
        let expect: BTreeSet<String> = kept.map(|text| (*text).to_owned()).collect();
        assert_eq!(left, expect, "{}", script.asked);
        assert!(summaries.len() == 3 && summaries.iter().all(|summary| summary.state == State::Open));
        assert_eq!(memory.check(false).unwrap(), []);
        for other in &expect {
            let hits = memory.recall(&Query { by: By::Words, level: Some(Level::Clip), ..Query::new(other) });
            assert_eq!(hits.unwrap()[0].record.text, *other);
        }
    }
}

#[test]
fn a_wearer_is_forgotten_in_every_unicode_form() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("memory");
    let mut memory = Memory::create(&path).unwrap();
    let at = |minute| Moment::at(1, 10, minute, 0, 0).unwrap();
    let clip = |wearer: &str, minute| {
        Change::put(Record::new(Level::Clip, wearer, at(minute), at(minute + 1), format!("cup {minute}")))
    };
    memory.write(&[clip("Zoë", 0), clip("Zoe\u{308}", 2), clip("Zoe", 4)]).unwrap();
    let query = Query { wearer: Some("Zoe\u{308}".into()), ..Query::new("cup") };
    assert_eq!(memory.recall(&query).unwrap().len(), 1);
    let wearer = Selection { wearer: Some("Zoë".into()), ..Selection::default() };
    assert_eq!(memory.forget(&wearer).unwrap().removed[&Level::Clip], 2);
    assert!(
        !holds(&bytes(&path), "zoë") && !holds(&bytes(&path), "zoe\u{308}") && holds(&bytes(&path), "zoe")
    );
}
