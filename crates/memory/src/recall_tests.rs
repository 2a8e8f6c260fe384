//! Recall over random days: what is found, in which order, and that nothing after the clock ever shows.

use std::collections::{HashMap, HashSet};

use firsthand_base::Moment;

use crate::{By, Change, Embed, Hit, Level, Memory, Query, Record, RecordId, State, terms};

fn scratch() -> (tempfile::TempDir, Memory) {
    let folder = tempfile::tempdir().unwrap();
    let memory = Memory::create(&folder.path().join("memory")).unwrap();
    (folder, memory)
}

fn at(day: u32, hour: u32, minute: u32, second: u32) -> Moment {
    Moment::at(day, hour, minute, second, 0).unwrap()
}

/// A small generator, so that a failure names its seed.
pub(crate) struct Dice(pub(crate) u64);

impl Dice {
    pub(crate) fn roll(&mut self, below: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % below
    }

    fn choose<'a>(&mut self, from: &[&'a str]) -> &'a str {
        from[self.roll(from.len() as u64) as usize]
    }
}

const THINGS: [&str; 8] = ["cup", "keys", "screwdriver", "plate", "phone", "door", "tea", "lamp"];
const DOINGS: [&str; 6] = ["take", "put", "wash", "open", "look for", "hand over"];
const PEOPLE: [&str; 4] = ["Alice", "Tasha", "Shure", "Lucia"];

/// Some days of two wearers. Every clip has a word of its own, and every summary holds the words of all its clips: the
/// worst a summary could say.
pub(crate) struct Days {
    pub(crate) memory: Memory,
    pub(crate) folder: tempfile::TempDir,
    /// The word of each clip, and when the clip ends.
    pub(crate) words: HashMap<String, Moment>,
    pub(crate) records: Vec<Record>,
}

pub(crate) fn days(seed: u64) -> Days {
    let mut dice = Dice(seed);
    let (folder, memory) = scratch();
    let mut days = Days { memory, folder, words: HashMap::new(), records: Vec::new() };
    for wearer in ["A1_JAKE", "A2_ALICE"] {
        let mut week = Vec::new();
        for day in 1..=2 + dice.roll(2) as u32 {
            let mut hours = Vec::new();
            let mut now = at(day, 9 + dice.roll(3) as u32, dice.roll(60) as u32, dice.roll(60) as u32);
            let stop = now.plus_ms(3_600_000 * (1 + dice.roll(3) as i64));
            while now < stop {
                // An hour of recording, cut into ten minutes and clips, with gaps here and there.
                let mut tens = Vec::new();
                for _ in 0..2 + dice.roll(3) {
                    let clips: Vec<usize> = (0..2 + dice.roll(5))
                        .map(|_| {
                            let start = now.plus_ms(dice.roll(4) as i64 * 7_000);
                            now = start.plus_ms(10_000 + dice.roll(60_000) as i64);
                            days.clip(wearer, start, now, &mut dice)
                        })
                        .collect();
                    tens.push(days.summary(Level::TenMinutes, wearer, &clips, &mut dice));
                    now = now.plus_ms(dice.roll(2) as i64 * 300_000);
                }
                hours.push(days.summary(Level::Hour, wearer, &tens, &mut dice));
            }
            week.push(days.summary(Level::Day, wearer, &hours, &mut dice));
        }
        days.summary(Level::Week, wearer, &week, &mut dice);
    }
    let changes: Vec<Change> = days.records.iter().cloned().map(Change::put).collect();
    days.memory.write(&changes).unwrap();
    days
}

impl Days {
    fn clip(&mut self, wearer: &str, start: Moment, end: Moment, dice: &mut Dice) -> usize {
        let own = format!("w{:06}x", self.words.len());
        self.words.insert(own.clone(), end);
        let text = format!("I {} the {} {own}.", dice.choose(&DOINGS), dice.choose(&THINGS));
        let mut record = Record::new(Level::Clip, wearer, start, end, text);
        if dice.roll(3) == 0 {
            record.transcript = Some(format!("{}: here is {own}", dice.choose(&PEOPLE)));
            record.people = vec![dice.choose(&PEOPLE).into()];
        }
        self.records.push(record);
        self.records.len() - 1
    }

    fn summary(&mut self, level: Level, wearer: &str, sources: &[usize], dice: &mut Dice) -> usize {
        let of: Vec<&Record> = sources.iter().map(|i| &self.records[*i]).collect();
        let text: Vec<&str> = of.iter().map(|record| record.text.as_str()).collect();
        let start = of.iter().map(|record| record.start).min().unwrap();
        // Summaries may run on after their last source, into the gap.
        let end = of.iter().map(|record| record.end).max().unwrap().plus_ms(dice.roll(2) as i64 * 60_000);
        let mut record = Record::new(level, wearer, start, end, text.join(" "));
        record.sources = sources.iter().map(|i| RecordId::of_change(*i)).collect();
        self.records.push(record);
        self.records.len() - 1
    }

    /// A clock somewhere in or around the days, often right at an edge.
    fn clock(&self, dice: &mut Dice) -> Moment {
        let record = &self.records[dice.roll(self.records.len() as u64) as usize];
        let edge = if dice.roll(2) == 0 { record.start } else { record.end };
        match dice.roll(3) {
            0 => edge,
            1 => edge.plus_ms(dice.roll(3) as i64 - 1),
            _ => edge.plus_ms(dice.roll(7_200_000) as i64 - 3_600_000),
        }
    }

    fn question(&self, dice: &mut Dice) -> String {
        let word = format!("w{:06}x", dice.roll(self.words.len() as u64));
        let thing = dice.choose(&THINGS);
        match dice.roll(8) {
            0 => word,
            1 => format!("{word} {thing}"),
            2 => format!("{thing} yesterday morning"),
            3 => format!("the first time I saw the {thing}"),
            4 => format!("when did I last {} the {thing}", dice.choose(&DOINGS)),
            5 => "what did I do today".into(),
            6 => "what happened in the last two hours".into(),
            _ => format!("where did {} {} my {thing}", dice.choose(&PEOPLE), dice.choose(&DOINGS)),
        }
    }

    fn query(&self, dice: &mut Dice) -> Query {
        Query {
            clock: Some(self.clock(dice)),
            level: [None, None, Some(Level::Day), Some(Level::Hour), Some(Level::Week)]
                [dice.roll(5) as usize],
            wearer: [None, Some("A1_JAKE".to_owned())][dice.roll(2) as usize].clone(),
            from: (dice.roll(5) == 0).then(|| self.clock(dice)),
            top: 1 + dice.roll(30) as usize,
            ..Query::new(self.question(dice))
        }
    }
}

/// Everything a hit says, as words.
fn said(hit: &Hit) -> HashSet<String> {
    terms(&format!("{} {:?}", hit.record.words(), hit.record.people)).into_iter().collect()
}

/// Ten thousand clocks: no hit ends after the clock, nor says a word of a clip that does.
#[test]
fn nothing_after_the_clock_is_ever_told() {
    let (mut clocks, mut partial, mut found) = (0, 0, 0);
    for seed in 0..10 {
        let mut days = days(seed);
        let mut dice = Dice(seed ^ 0xfeed);
        for turn in 0..1000 {
            let query = days.query(&mut dice);
            let clock = query.clock.unwrap();
            let hits = days.memory.recall(&query).unwrap();
            clocks += 1;
            for hit in &hits {
                assert!(hit.record.end <= clock, "seed {seed} turn {turn}: {query:?} gave {hit:?}");
                for word in said(hit) {
                    let ends = days.words.get(&word);
                    assert!(
                        ends.is_none_or(|end| *end <= clock),
                        "seed {seed} turn {turn}: {word} in {hit:?}"
                    );
                }
                partial += u32::from(hit.record.state == State::Partial);
            }
            found += hits.len();
            assert!(hits.windows(2).all(|pair| {
                let key = |hit: &Hit| (hit.record.start, hit.record.id);
                pair[0].score > pair[1].score
                    || (pair[0].score == pair[1].score && key(&pair[0]) < key(&pair[1]))
            }));
        }
    }
    // The test means something only if much is found, and summaries are cut.
    assert!(clocks == 10_000 && found > 30_000 && partial > 3_000, "{clocks} {found} {partial}");
}

/// The future does not even move the scores: clips found at a clock are those of a memory that ends there.
#[test]
fn the_future_does_not_weigh() {
    let mut days = days(77);
    let mut dice = Dice(5);
    for _ in 0..40 {
        let query = Query { level: Some(Level::Clip), ..days.query(&mut dice) };
        let clock = query.clock.unwrap();
        let (_folder, mut past) = scratch();
        let changes: Vec<Change> = days
            .records
            .iter()
            .filter(|record| record.level == Level::Clip && record.end <= clock)
            .cloned()
            .map(Change::put)
            .collect();
        past.write(&changes).unwrap();
        // Summaries count for how rare a word is, so those that had ended belong to the past as well.
        let mut summaries: Vec<Record> = days.records.clone();
        summaries.retain(|record| record.level != Level::Clip && record.end <= clock);
        summaries.iter_mut().for_each(|record| record.sources.clear());
        past.write(&summaries.into_iter().map(Change::put).collect::<Vec<_>>()).unwrap();
        let of = |hits: Vec<Hit>| -> Vec<(String, f32)> {
            hits.into_iter()
                .map(|hit| {
                    (format!("{} {} {}", hit.record.wearer, hit.record.start, hit.record.text), hit.score)
                })
                .collect()
        };
        let whole = of(days.memory.recall(&query).unwrap());
        assert_eq!(whole, of(past.recall(&query).unwrap()), "{query:?}");
    }
}

/// A week told in a few clips and summaries, for questions with one right answer.
fn story() -> (tempfile::TempDir, Memory) {
    let (folder, mut memory) = scratch();
    let clip = |day, hour, minute, text: &str| {
        Record::new(Level::Clip, "A1_JAKE", at(day, hour, minute, 0), at(day, hour, minute, 30), text)
    };
    let mut changes = Vec::new();
    for (day, hour, minute, text) in [
        (1, 9, 0, "I make tea with Alice in the kitchen"),
        (1, 11, 15, "Alice takes the screwdriver and opens the printer"),
        (1, 16, 30, "I put my keys on the shelf in the hall"),
        (2, 8, 10, "I cook eggs and drink tea"),
        (2, 10, 30, "Tasha shows me photos on her phone"),
        (2, 19, 0, "I put my keys in the drawer"),
        (2, 22, 10, "We watch a film about whales"),
        (3, 9, 5, "I wash the cups"),
        (3, 12, 0, "Lunch with Shure: noodles and tea"),
        (3, 14, 0, "I use the screwdriver on the bicycle"),
    ] {
        changes.push(Change::put(clip(day, hour, minute, text)));
    }
    changes.push(Change::put(Record {
        people: vec!["Lucia".into()],
        transcript: Some("Lucia says the escalator is broken".into()),
        ..clip(2, 15, 0, "We stand in a supermarket")
    }));
    for (day, text) in
        [(1, "Tea, a printer repair, and keys put away"), (2, "Eggs, photos, a supermarket, a film")]
    {
        changes.push(Change::put(Record::new(
            Level::Day,
            "A1_JAKE",
            at(day, 8, 0, 0),
            at(day, 23, 0, 0),
            text,
        )));
    }
    memory.write(&changes).unwrap();
    (folder, memory)
}

#[test]
fn questions_find_their_answer_first() {
    let (_folder, mut memory) = story();
    let clock = Some(at(3, 15, 0, 0));
    for (words, expect) in [
        ("Where did I put my keys?", "drawer"),
        ("When did I last put my keys away", "drawer"),
        ("where were my keys two days ago", "shelf"),
        ("the first time I put my keys somewhere", "shelf"),
        ("Who used the screwdriver first?", "Alice takes"),
        ("screwdrivers this afternoon", "bicycle"),
        ("what did I drink yesterday morning", "eggs"),
        ("tea before lunch on day 1", "with Alice"),
        ("what happened yesterday", "Eggs, photos, a supermarket"),
        ("what happened at 10:30 yesterday", "photos"),
        ("what did I do last night", "drawer"),
        ("what did I watch last night", "whales"),
        ("what did I do an hour ago", "bicycle"),
        ("Lucia", "supermarket"),
        ("broken escalators", "supermarket"),
        ("\"keys\" AND (drawer* OR NEAR) -shelf ^", "drawer"),
        ("washing cups; DROP TABLE records --", "wash the cups"),
    ] {
        let query = Query { clock, ..Query::new(words) };
        let hits = memory.recall(&query).unwrap();
        assert!(
            hits[0].record.text.contains(expect),
            "{words:?}: {:?}",
            hits.iter().map(|h| (&h.record.text, h.score, h.parts)).collect::<Vec<_>>()
        );
    }
    let hits = |query: &Query, memory: &mut Memory| memory.recall(query).unwrap();
    let limited = Query { to: Some(at(2, 0, 0, 0)), ..Query::new("keys") };
    assert!(hits(&limited, &mut memory).iter().all(|hit| hit.record.start < at(2, 0, 0, 0)));
    assert_eq!(hits(&Query { wearer: Some("A9".into()), ..Query::new("keys") }, &mut memory), []);
    assert_eq!(hits(&Query::new("zebra"), &mut memory), []);
    assert_eq!(hits(&Query { clock: Some(at(1, 8, 0, 0)), ..Query::new("keys") }, &mut memory), []);
}

/// A memory of one day has no yesterday, whatever else the words find.
#[test]
fn what_lies_before_the_first_day_is_nothing() {
    let (_folder, mut memory) = story();
    for (clock, words, found) in [
        (at(1, 20, 0, 0), "tea yesterday", false),
        (at(1, 20, 0, 0), "yesterday", false),
        (at(1, 20, 0, 0), "tea today", true),
        (at(1, 20, 0, 0), "tea tomorrow", false),
        (at(3, 20, 0, 0), "tea 3 days ago", false),
        (at(3, 20, 0, 0), "tea two days ago", true),
        (at(3, 20, 0, 0), "tea last week", false),
        (at(3, 20, 0, 0), "tea last month", false),
    ] {
        let query = Query { clock: Some(clock), ..Query::new(words) };
        assert_eq!(!memory.recall(&query).unwrap().is_empty(), found, "{words:?} at {clock}");
        assert_eq!(memory.intent(&query).unwrap().nothing().is_none(), found, "{words:?} at {clock}");
    }
}

/// Names that are English function words, and words of other scripts in other forms.
#[test]
fn names_are_found_in_every_script_and_form() {
    let (_folder, mut memory) = scratch();
    let texts = [
        "Will takes the keys",
        "They use the cup",
        "The man from the US laughs",
        "He hits the drum, hi",
        "Nguye\u{302}\u{303}n opens the final e-mail",
        "Ο Γιώργος πλένει το ποτήρι",
        "Сергей моет чашку",
        "ليلى أخذت الكُوبَ",
        "राज़ ने दरवाज़ा खोला",
        "สมชายเปิดประตู",
        "ວາງຈອກນ້ຳໄວ້ເທິງໂຕະ",
        "សុខបើកទ្វារ",
        "အောင်အောင်တံခါးဖွင့်တယ်",
        "民수 \u{1106}\u{1175}\u{11ab}\u{1109}\u{116e}가 문을 연다",
        "小明拿杯子",
        "ｱﾘｽがＵＳＢを置く",
        "דָּנָה לקחה כוס",
        "রাত ১২ টায় চাঁদ",
    ];
    let changes: Vec<Change> = texts
        .iter()
        .enumerate()
        .map(|(i, text)| {
            let start = at(1, 9, i as u32, 0);
            Change::put(Record::new(Level::Clip, "A1", start, start.plus_ms(1000), *text))
        })
        .collect();
    memory.write(&changes).unwrap();
    for (words, expect) in [
        ("Will", 0),
        ("US", 2),
        ("keys Will", 0),
        ("nguyen", 4),
        ("NGUYỄN", 4),
        ("email", 4),
        ("mail", 4),
        ("ﬁnal", 4),
        ("ποτηρι", 5),
        ("ΓΙΩΡΓΟΣ", 5),
        ("серге\u{438}\u{306}", 6),
        ("كوب", 7),
        ("لیلی", 7),
        ("राज", 8),
        ("दरवाजा", 8),
        ("ประตู", 9),
        ("สมชาย", 9),
        ("ຈອກ", 10),
        ("ទ្វារ", 11),
        ("တံခါး", 12),
        ("민수", 13),
        ("杯子", 14),
        ("アリス", 15),
        ("usb", 15),
        ("דנה", 16),
        ("12", 17),
        ("রাত", 17),
    ] {
        let hits = memory.recall(&Query { by: By::Words, ..Query::new(words) }).unwrap();
        let first = hits.first().map(|hit| hit.record.text.as_str());
        assert_eq!(first, Some(texts[expect]), "{words:?}");
    }
    // "uses" has the stem "us", "his" that of "hi": neither is the other's word.
    assert_eq!(memory.recall(&Query { by: By::Words, ..Query::new("US") }).unwrap().len(), 1);
    assert_eq!(memory.recall(&Query { by: By::Words, ..Query::new("hi") }).unwrap().len(), 1);
    assert_eq!(memory.check(false).unwrap(), []);
}

#[test]
fn a_day_cut_by_the_clock_tells_what_had_happened() {
    let (_folder, mut memory) = story();
    let query =
        Query { clock: Some(at(2, 12, 0, 0)), level: Some(Level::Day), ..Query::new("what did I do today") };
    let hits = memory.recall(&query).unwrap();
    let day = &hits[0].record;
    assert_eq!((day.state, day.end), (State::Partial, at(2, 10, 30, 30)));
    assert_eq!(day.text, "08:10 I cook eggs and drink tea\n10:30 Tasha shows me photos on her phone");
    assert_eq!(day.sources.len(), 2);
    // At its very end the day is whole.
    let query = Query { clock: Some(at(2, 23, 0, 0)), ..query };
    assert_eq!(memory.recall(&query).unwrap()[0].record.state, State::Whole);
}

#[test]
fn questions_that_cannot_be_answered_are_refused() {
    let (_folder, mut memory) = story();
    for (query, expect) in [
        (Query::new(""), "the question is empty"),
        (Query::new(" \n"), "the question is empty"),
        (Query::new("*** \"\""), "has no word to look for"),
        (Query { top: 0, ..Query::new("keys") }, "ask for 1 or more"),
        (
            Query { from: Some(at(2, 0, 0, 0)), to: Some(at(1, 0, 0, 0)), ..Query::new("keys") },
            "is not before",
        ),
    ] {
        let error = memory.recall(&query).unwrap_err().to_string();
        assert!(error.contains(expect) && !error.contains('\n'), "{error}");
    }
    let (_folder, mut empty) = scratch();
    assert_eq!(empty.recall(&Query::new("keys yesterday")).unwrap(), []);
    assert_eq!(empty.recall(&Query::new("yesterday")).unwrap(), []);
}

/// An encoder that knows that some words mean the same.
struct Synonyms(&'static str);

impl Embed for Synonyms {
    fn name(&self) -> &str {
        self.0
    }

    fn dimensions(&self) -> usize {
        3
    }

    fn embed(&mut self, texts: &[&str]) -> Result<Vec<Vec<f32>>, String> {
        const MEANINGS: [&[&str]; 3] =
            [&["keys", "unlock"], &["film", "whales", "movie", "cinema"], &["tea", "beverage"]];
        let of = |text: &str| {
            let words = terms(text);
            MEANINGS
                .iter()
                .map(|words_of| {
                    0.05 + words.iter().filter(|word| words_of.contains(&word.as_str())).count() as f32
                })
                .collect()
        };
        Ok(texts.iter().map(|text| of(text)).collect())
    }
}

#[test]
fn meaning_finds_what_words_do_not() {
    let (_folder, mut memory) = story();
    let query = Query::new("a movie at the cinema");
    assert_eq!(memory.recall(&query).unwrap(), []);
    let meaning = Query { by: By::Meaning, ..query.clone() };
    assert!(memory.recall(&meaning).unwrap_err().to_string().contains("needs vectors"));
    memory.attach(Box::new(Synonyms("synonyms")));
    // Without vectors in the store an encoder is no help and no harm.
    assert_eq!(memory.recall(&query).unwrap(), []);
    assert!(memory.recall(&meaning).unwrap_err().to_string().contains("needs vectors"));
    memory.embed_missing(4, &mut |_| true).unwrap();
    let hits = memory.recall(&query).unwrap();
    assert!(hits[0].record.text.contains("whales") && hits[0].parts.text.is_none());
    assert!(hits[0].parts.vector.unwrap() > 0.9, "{:?}", hits[0].parts);
    // Words and meaning together: the keys that were last put away in the time asked for.
    let query = Query::new("unlock keys drawer");
    assert!(memory.recall(&query).unwrap()[0].record.text.contains("drawer"));
    // Each alone: words are blind to the film, meaning to the words that were said.
    assert_eq!(memory.recall(&Query { by: By::Words, ..Query::new("a movie at the cinema") }).unwrap(), []);
    let hits = memory.recall(&meaning).unwrap();
    assert!(hits[0].record.text.contains("whales") && hits.iter().all(|hit| hit.parts.text.is_none()));
    memory.attach(Box::new(Synonyms("other")));
    let other = memory.recall(&query);
    assert!(other.unwrap_err().to_string().contains("the vectors of this memory are synonyms"));
}
