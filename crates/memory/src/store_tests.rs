//! What every store must do, whatever keeps the records: laws over `dyn Store`, and a store against a small model of
//! itself, a list of records searched the long way. Each store's own tests call these.

use std::collections::{BTreeMap, HashMap, HashSet};

use firsthand_base::Moment;
use proptest::prelude::*;
use proptest::test_runner::{TestCaseError, TestRunner};

use crate::{Change, Encoder, Error, Level, Record, RecordId, Scope, State, Store, stem, terms};

pub(crate) fn moment(s: i64) -> Moment {
    Moment::from_ms(s * 1000).unwrap()
}

pub(crate) fn record(level: Level, wearer: &str, start_s: i64, end_s: i64, text: &str) -> Record {
    Record::new(level, wearer, moment(start_s), moment(end_s), text)
}

pub(crate) const ENCODER: usize = 8;

pub(crate) fn encoder() -> Encoder {
    Encoder { name: "test".into(), dimensions: ENCODER }
}

/// The same store as a list.
#[derive(Default)]
struct Model {
    records: BTreeMap<RecordId, (Record, Option<Vec<f32>>)>,
}

impl Model {
    fn apply(&mut self, changes: &[Change], ids: &[RecordId]) {
        let mut ids = ids.iter();
        for change in changes {
            match change {
                Change::Put { record, vector } => {
                    let id = *ids.next().unwrap();
                    self.records.insert(id, (Record { id, ..record.clone() }, vector.clone()));
                }
                Change::Vector { id, vector } => {
                    if let Some((_, kept)) = self.records.get_mut(id) {
                        *kept = Some(vector.clone());
                    }
                }
                Change::State { id, state } => {
                    if let Some((record, _)) = self.records.get_mut(id) {
                        record.state = *state;
                    }
                }
                Change::Note { .. } => {}
                Change::Delete(id) => {
                    self.records.remove(id);
                    for (record, _) in self.records.values_mut() {
                        record.sources.retain(|source| source != id);
                    }
                }
            }
        }
    }

    fn in_scope(&self, scope: &Scope) -> impl Iterator<Item = &Record> {
        self.records.values().map(|(record, _)| record).filter(move |record| scope.holds(record))
    }

    fn counts(record: &Record) -> HashMap<String, f32> {
        let mut counts = HashMap::new();
        let texts =
            [Some(&record.text), record.transcript.as_ref()].into_iter().flatten().chain(&record.people);
        for term in texts.flat_map(|text| terms(text)) {
            *counts.entry(stem(&term)).or_insert(0.0) += 1.0;
        }
        counts
    }

    /// BM25 from its definition.
    fn by_words(&self, words: &[String], scope: &Scope) -> Vec<(RecordId, f32)> {
        let past: Vec<HashMap<String, f32>> = self
            .records
            .values()
            .map(|(record, _)| record)
            .filter(|record| scope.ended_by.is_none_or(|clock| record.end <= clock))
            .map(Model::counts)
            .collect();
        let length = |counts: &HashMap<String, f32>| counts.values().sum::<f32>();
        let average = (past.iter().map(length).sum::<f32>() / past.len().max(1) as f32).max(1.0);
        let mut stems: Vec<String> = words.iter().map(|word| stem(word)).collect();
        let mut seen = HashSet::new();
        stems.retain(|stem| seen.insert(stem.clone()));
        let mut found: Vec<(RecordId, f32)> = Vec::new();
        for record in self.in_scope(scope) {
            let counts = Model::counts(record);
            let score: f32 = stems
                .iter()
                .filter_map(|stem| counts.get(stem).map(|count| (stem, count)))
                .map(|(stem, count)| {
                    let holding = past.iter().filter(|counts| counts.contains_key(stem)).count() as f32;
                    let idf = (1.0 + (past.len() as f32 - holding + 0.5) / (holding + 0.5)).ln();
                    idf * 2.2 * count / (count + 1.2 * (0.25 + 0.75 * length(&counts) / average))
                })
                .sum();
            if score > 0.0 {
                found.push((record.id, score));
            }
        }
        found.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
        found
    }

    fn by_vector(&self, query: &[f32], scope: &Scope) -> Vec<(RecordId, f32)> {
        let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(x, y)| x * y).sum::<f32>();
        let mut found: Vec<(RecordId, f32)> = self
            .in_scope(scope)
            .filter_map(|record| {
                let vector = self.records[&record.id].1.as_ref()?;
                Some((record.id, dot(query, vector) / (dot(query, query) * dot(vector, vector)).sqrt()))
            })
            .collect();
        found.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
        found
    }
}

/// Scores agree up to rounding, and so do ids wherever scores are not that close to each other.
fn agree(ours: &[(RecordId, f32)], theirs: &[(RecordId, f32)], tolerance: f32) {
    assert_eq!(ours.len(), theirs.len());
    let theirs_by_id: HashMap<RecordId, f32> = theirs.iter().copied().collect();
    for (place, (id, score)) in ours.iter().enumerate() {
        let expect = theirs_by_id.get(id).unwrap_or_else(|| panic!("{id} is not among {theirs:?}"));
        assert!((score - expect).abs() < tolerance, "{id}: {score} {expect}");
        assert!((score - theirs[place].1).abs() < tolerance, "place {place}: {score} {}", theirs[place].1);
    }
}

const WORDS: [&str; 12] = [
    "cup",
    "cups",
    "washing",
    "washed",
    "the",
    "kitchen",
    "Alice",
    "screwdriver",
    "red",
    "blue",
    "door",
    "opens",
];

fn any_record() -> impl Strategy<Value = Record> {
    let words = proptest::collection::vec(proptest::sample::select(&WORDS[..]), 0..8);
    let said = proptest::option::of(proptest::sample::select(&WORDS[..]));
    (0..5usize, 0..3u8, 0..5000i64, 0..900i64, words, said).prop_map(
        |(level, wearer, start, length, words, said)| {
            let wearer = ["A1_JAKE", "A2_ALICE", "A3_TASHA"][usize::from(wearer)];
            let mut record = record(Level::ALL[level], wearer, start, start + length, &words.join(" "));
            record.transcript = said.map(str::to_owned);
            record.people = said.into_iter().map(str::to_owned).collect();
            record.state = if words.len() == 3 { State::Open } else { State::Whole };
            record
        },
    )
}

fn any_vector() -> impl Strategy<Value = Option<Vec<f32>>> {
    proptest::option::of(proptest::collection::vec(-1.0f32..1.0, ENCODER))
        .prop_map(|vector| vector.filter(|vector| vector.iter().map(|x| x * x).sum::<f32>() > 0.01))
}

#[derive(Clone, Debug)]
enum Step {
    New(Record, Option<Vec<f32>>),
    Replace(usize, Record, Option<Vec<f32>>),
    Vector(usize, Option<Vec<f32>>),
    State(usize, bool),
    Delete(usize),
}

fn any_step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (any_record(), any_vector()).prop_map(|(record, vector)| Step::New(record, vector)),
        2 => (any::<usize>(), any_record(), any_vector())
            .prop_map(|(which, record, vector)| Step::Replace(which, record, vector)),
        1 => (any::<usize>(), any_vector()).prop_map(|(which, vector)| Step::Vector(which, vector)),
        1 => (any::<usize>(), any::<bool>()).prop_map(|(which, open)| Step::State(which, open)),
        2 => any::<usize>().prop_map(Step::Delete),
    ]
}

fn any_scope() -> impl Strategy<Value = Scope> {
    let time = || proptest::option::of((0..6000i64).prop_map(moment));
    (proptest::option::of(0..5usize), proptest::option::of(0..4usize), time(), time(), time()).prop_map(
        |(level, wearer, from, to, ended_by)| Scope {
            level: level.map(|level| Level::ALL[level]),
            wearer: wearer.map(|wearer| ["A1_JAKE", "A2_ALICE", "A3_TASHA", "NOBODY"][wearer].into()),
            from,
            to,
            ended_by,
        },
    )
}

/// Turns steps into changes that are possible now; replacing and deleting choose among what there is.
fn changes(model: &Model, steps: &[Step]) -> Vec<Change> {
    let ids: Vec<RecordId> = model.records.keys().copied().collect();
    let mut gone = HashSet::new();
    let mut changes = Vec::new();
    for step in steps {
        let choose = |which: &usize| ids.get(which % ids.len().max(1)).copied();
        match step {
            Step::New(record, vector) => {
                changes.push(Change::Put { record: record.clone(), vector: vector.clone() });
            }
            Step::Replace(which, record, vector) => {
                if let Some(id) = choose(which).filter(|id| !gone.contains(id)) {
                    let record = Record { id, ..record.clone() };
                    changes.push(Change::Put { record, vector: vector.clone() });
                }
            }
            Step::Vector(which, vector) => {
                if let (Some(id), Some(vector)) = (choose(which), vector.clone()) {
                    changes.push(Change::Vector { id, vector });
                }
            }
            Step::State(which, open) => {
                let state = if *open { State::Open } else { State::Partial };
                changes.extend(choose(which).map(|id| Change::State { id, state }));
            }
            Step::Delete(which) => {
                if let Some(id) = choose(which) {
                    gone.insert(id);
                    changes.push(Change::Delete(id));
                }
            }
        }
    }
    changes
}

/// What a case of [`follows_the_list`] writes and asks.
type Case = (Vec<Vec<Step>>, Vec<Scope>, Option<Vec<f32>>);

/// Whatever is written, by one or two connections, the store finds what the list finds, and its check agrees. `open` gives
/// two connections to one new store.
pub(crate) fn follows_the_list(cases: u32, open: &dyn Fn() -> [Box<dyn Store>; 2]) {
    let config = ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() };
    let writes = proptest::collection::vec(proptest::collection::vec(any_step(), 1..12), 1..6);
    let scopes = proptest::collection::vec(any_scope(), 4);
    let outcome =
        TestRunner::new(config).run(&(writes, scopes, any_vector()), |case| follow(&mut open(), &case));
    outcome.unwrap_or_else(|error| panic!("{error}"));
}

fn follow(stores: &mut [Box<dyn Store>; 2], (writes, scopes, query): &Case) -> Result<(), TestCaseError> {
    stores[0].set_encoder(Some(&encoder())).unwrap();
    let mut model = Model::default();
    for (turn, steps) in writes.iter().enumerate() {
        let changes = changes(&model, steps);
        let ids = stores[turn % 2].write(&changes).unwrap();
        model.apply(&changes, &ids);
        for scope in scopes {
            let reader = &mut stores[(turn + 1) % 2];
            let words: Vec<String> = ["cup", "washing", "alice", "nothing", "cups"].map(String::from).into();
            let found = reader.text_candidates(&words, scope, 1000).unwrap();
            agree(&found, &model.by_words(&words, scope), 1e-4);
            prop_assert_eq!(&reader.text_candidates(&words, scope, 3).unwrap(), &found[..found.len().min(3)]);
            if let Some(query) = query {
                let found = reader.vector_candidates(query, scope, 1000).unwrap();
                agree(&found, &model.by_vector(query, scope), 0.02);
            }
            let mut expect: Vec<Record> = model.in_scope(scope).cloned().collect();
            expect.sort_by_key(|record| (record.start, record.id));
            prop_assert_eq!(&reader.range(scope, 1000).unwrap(), &expect);
            expect.truncate(2);
            prop_assert_eq!(reader.range(scope, 2).unwrap(), expect);
        }
    }
    let mut walked = Vec::new();
    stores[0]
        .walk(&mut |record| {
            walked.push(record);
            Ok(())
        })
        .unwrap();
    prop_assert_eq!(&walked, &model.records.values().map(|(record, _)| record.clone()).collect::<Vec<_>>());
    let counts = stores[1].counts().unwrap();
    prop_assert_eq!(counts.records(), walked.len() as u64);
    prop_assert_eq!(
        counts.vectors,
        model.records.values().filter(|(_, vector)| vector.is_some()).count() as u64
    );
    prop_assert_eq!(counts.open, walked.iter().filter(|record| record.state == State::Open).count() as u64);
    prop_assert_eq!(counts.last, walked.iter().map(|record| record.end).max());
    prop_assert_eq!(stores[0].latest().unwrap(), counts.last);
    let without: Vec<RecordId> =
        model.records.iter().filter(|(_, (_, vector))| vector.is_none()).map(|(id, _)| *id).collect();
    prop_assert_eq!(stores[0].without_vector(1000).unwrap(), without);
    prop_assert_eq!(stores[0].check(false).unwrap(), Vec::<String>::new());
    stores[1].scrub().unwrap();
    prop_assert_eq!(stores[0].check(false).unwrap(), Vec::<String>::new());
    prop_assert_eq!(stores[0].counts().unwrap(), counts);
    Ok(())
}

/// A write that cannot be leaves nothing, sources of one write find each other, and ids are never given twice.
pub(crate) fn writes_all_or_nothing(store: &mut dyn Store) {
    let clip = record(Level::Clip, "A1_JAKE", 0, 30, "takes a cup");
    let mut hour = record(Level::Hour, "A1_JAKE", 0, 3600, "drinks tea");
    hour.sources = vec![RecordId::of_change(0), RecordId::of_change(7)];
    let refused = store.write(&[Change::put(clip.clone()), Change::put(hour.clone())]);
    assert!(matches!(refused, Err(Error::Record { .. })), "{refused:?}");
    assert_eq!(store.counts().unwrap().records(), 0);
    hour.sources.pop();
    let ids = store.write(&[Change::put(clip), Change::put(hour)]).unwrap();
    assert_eq!(store.get(&ids[1..]).unwrap()[0].sources, ids[..1]);
    assert_eq!(store.children(ids[1]).unwrap()[0].text, "takes a cup");
    assert_eq!(store.parents(ids[0]).unwrap(), ids[1..]);
    // Ids are never given twice, not even after the last record is gone.
    store.write(&[Change::Delete(ids[1])]).unwrap();
    assert_eq!(store.parents(ids[0]).unwrap(), []);
    let next = store.write(&[Change::put(record(Level::Clip, "A1_JAKE", 30, 60, "puts it down"))]).unwrap();
    assert!(next[0] > ids[1]);
    let stranger = Record { id: RecordId(99), ..record(Level::Clip, "A1_JAKE", 0, 1, "") };
    assert!(matches!(store.write(&[Change::put(stranger)]), Err(Error::Record { .. })));
}

/// Vectors belong to one encoder.
pub(crate) fn refuses_vectors_of_another_encoder(store: &mut dyn Store) {
    let clip = record(Level::Clip, "A1_JAKE", 0, 30, "takes a cup");
    let put = |numbers: usize| Change::Put { record: clip.clone(), vector: Some(vec![1.0; numbers]) };
    assert!(matches!(store.write(&[put(ENCODER)]), Err(Error::Embed(_))));
    store.set_encoder(Some(&encoder())).unwrap();
    assert!(matches!(store.write(&[put(ENCODER + 1)]), Err(Error::Embed(_))));
    store.write(&[put(ENCODER)]).unwrap();
    let other = Encoder { name: "other".into(), dimensions: ENCODER };
    assert!(matches!(store.set_encoder(Some(&other)), Err(Error::Encoder { .. })));
    assert!(matches!(store.vector_candidates(&[1.0; 3], &Scope::default(), 5), Err(Error::Encoder { .. })));
    store.set_encoder(None).unwrap();
    store.set_encoder(Some(&other)).unwrap();
    assert_eq!(store.without_vector(9).unwrap().len(), 1);
    assert_eq!(store.check(false).unwrap(), Vec::<String>::new());
}

/// Notes are kept, replaced and removed with the records of the same write.
pub(crate) fn keeps_notes(store: &mut dyn Store) {
    let note =
        |key: &str, text: Option<&str>| Change::Note { key: key.into(), text: text.map(str::to_owned) };
    store
        .write(&[
            note("a/2", Some("two")),
            note("a/1", Some("one")),
            note("a", Some("x")),
            note("b%", Some("y")),
        ])
        .unwrap();
    store.write(&[note("a/2", Some("II")), note("a/1", None), note("c", None)]).unwrap();
    assert_eq!(store.note("a/2").unwrap().as_deref(), Some("II"));
    assert_eq!(store.note("a/1").unwrap(), None);
    let pair = |key: &str, text: &str| (key.to_owned(), text.to_owned());
    assert_eq!(store.notes("a").unwrap(), [pair("a", "x"), pair("a/2", "II")]);
    assert_eq!(store.notes("a/").unwrap(), [pair("a/2", "II")]);
    assert_eq!(store.notes("%").unwrap(), []);
    assert_eq!(store.notes("").unwrap().len(), 3);
    // A write that is refused leaves its notes unwritten.
    let stranger = Record { id: RecordId(99), ..record(Level::Clip, "A1_JAKE", 0, 1, "") };
    assert!(store.write(&[note("d", Some("z")), Change::put(stranger)]).is_err());
    assert_eq!(store.note("d").unwrap(), None);
}
