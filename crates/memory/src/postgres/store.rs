//! [`Store`] over tables: each method is one transaction.

use std::collections::{BTreeMap, HashMap, HashSet};

use firsthand_base::Moment;
use postgres::types::ToSql;
use postgres::{Row, Transaction};

use super::PostgresStore;
use super::write::{as_count, change, has_direction, index, spelled};
use crate::terms::{key, keys};
use crate::{
    Change, Counts, Encoder, Error, Evidence, Level, Record, RecordId, Result, Scope, State, Store,
    TERMS_VERSION, Term,
};

/// Records handed out at a time by `walk`.
const WALK: i64 = 512;
/// BM25's two constants, as in the folder store.
const K1: f32 = 1.2;
const B: f32 = 0.75;

const COLUMNS: &str =
    "records.id, level, wearer, start_ms, end_ms, state, text, transcript, people, evidence,
    ARRAY(SELECT source FROM sources WHERE summary = records.id ORDER BY place)";

/// Why a transaction stops: the database, or a change that cannot be.
pub(super) enum Fault {
    Sql(postgres::Error),
    Ours(Error),
}

impl From<postgres::Error> for Fault {
    fn from(error: postgres::Error) -> Fault {
        Fault::Sql(error)
    }
}

pub(super) type Step<T> = std::result::Result<T, Fault>;

/// A scope as a condition over `records`, with its values.
struct Condition {
    text: String,
    values: Vec<Box<dyn ToSql + Sync>>,
}

impl Condition {
    /// Values of the query itself come first.
    fn new(scope: &Scope, first: Vec<Box<dyn ToSql + Sync>>) -> Condition {
        let mut condition = Condition { text: "TRUE".into(), values: first };
        if let Some(level) = scope.level {
            condition.and("level = ?", Box::new(level.rank() as i16));
        }
        if let Some(wearer) = &scope.wearer {
            condition.and("wearer = ?", Box::new(wearer.clone()));
        }
        if let Some(from) = scope.from {
            condition.and("(end_ms > ? OR start_ms >= ?)", Box::new(from.ms()));
        }
        if let Some(to) = scope.to {
            condition.and("start_ms < ?", Box::new(to.ms()));
        }
        if let Some(clock) = scope.ended_by {
            condition.and("end_ms <= ?", Box::new(clock.ms()));
        }
        condition
    }

    fn and(&mut self, text: &str, value: Box<dyn ToSql + Sync>) {
        self.values.push(value);
        let text = text.replace('?', &format!("${}", self.values.len()));
        self.text.push_str(&format!(" AND {text}"));
    }

    fn values(&self) -> Vec<&(dyn ToSql + Sync)> {
        self.values.iter().map(|value| &**value).collect()
    }
}

impl PostgresStore {
    fn transaction<T>(&mut self, run: impl FnOnce(&mut Transaction<'_>) -> Step<T>) -> Result<T> {
        let all = || -> Step<T> {
            let mut transaction = self.client.transaction()?;
            let value = run(&mut transaction)?;
            transaction.commit()?;
            Ok(value)
        };
        all().map_err(|fault| match fault {
            Fault::Sql(error) => {
                Error::Store { location: self.location.clone(), reason: super::told(&error) }
            }
            Fault::Ours(error) => error,
        })
    }

    fn records(&mut self, query: &str, values: &[&(dyn ToSql + Sync)]) -> Result<Vec<Record>> {
        self.transaction(|transaction| transaction.query(query, values)?.iter().map(record_of).collect())
    }

    /// Makes the index over words again from the records.
    pub(super) fn rebuild_index(&mut self) -> Result<()> {
        self.transaction(|transaction| {
            transaction.batch_execute("TRUNCATE postings")?;
            for row in transaction.query(&format!("SELECT {COLUMNS} FROM records ORDER BY records.id"), &[])? {
                let record = record_of(&row)?;
                index(transaction, record.id, &record)?;
                let length = as_count(keys(&record).1);
                transaction.execute("UPDATE records SET length = $2 WHERE id = $1", &[&record.id.0, &length])?;
            }
            transaction.execute(
                "INSERT INTO meta VALUES ('terms', $1) ON CONFLICT (key) DO UPDATE SET value = excluded.value",
                &[&TERMS_VERSION.to_string()],
            )?;
            Ok(())
        })
    }
}

impl Store for PostgresStore {
    fn location(&self) -> String {
        self.location.clone()
    }

    fn write(&mut self, changes: &[Change]) -> Result<Vec<RecordId>> {
        let encoder = self.encoder()?;
        self.transaction(|transaction| {
            let mut put: Vec<Option<RecordId>> = Vec::new();
            for one in changes {
                let id = change(transaction, one, &put, encoder.as_ref())?;
                put.push(id);
            }
            Ok(put.into_iter().flatten().collect())
        })
    }

    fn get(&mut self, ids: &[RecordId]) -> Result<Vec<Record>> {
        let numbers: Vec<i64> = ids.iter().map(|id| id.0).collect();
        let query = format!("SELECT {COLUMNS} FROM records WHERE records.id = ANY($1)");
        let found = self.records(&query, &[&numbers])?;
        let by_id: HashMap<RecordId, Record> = found.into_iter().map(|record| (record.id, record)).collect();
        Ok(ids.iter().filter_map(|id| by_id.get(id).cloned()).collect())
    }

    fn children(&mut self, id: RecordId) -> Result<Vec<Record>> {
        let query = format!(
            "SELECT {COLUMNS} FROM records WHERE records.id IN (SELECT source FROM sources WHERE summary = $1)
             ORDER BY start_ms, records.id"
        );
        self.records(&query, &[&id.0])
    }

    fn parents(&mut self, id: RecordId) -> Result<Vec<RecordId>> {
        self.transaction(|transaction| {
            let query = "SELECT DISTINCT summary FROM sources WHERE source = $1 ORDER BY summary";
            Ok(transaction.query(query, &[&id.0])?.iter().map(|row| RecordId(row.get(0))).collect())
        })
    }

    fn range(&mut self, scope: &Scope, limit: usize) -> Result<Vec<Record>> {
        let condition = Condition::new(scope, vec![Box::new(most(limit))]);
        let query = format!(
            "SELECT {COLUMNS} FROM records WHERE {} ORDER BY start_ms, records.id LIMIT $1",
            condition.text
        );
        self.records(&query, &condition.values())
    }

    fn text_candidates(
        &mut self,
        terms: &[Term],
        scope: &Scope,
        limit: usize,
    ) -> Result<Vec<(RecordId, f32)>> {
        let mut seen = HashSet::new();
        let stems: Vec<String> =
            terms.iter().map(|term| key(term)).filter(|stem| seen.insert(stem.clone())).collect();
        let clock_ms = scope.ended_by.map_or(i64::MAX, |clock| clock.ms());
        self.transaction(|transaction| {
            // How rare a word is counts among what had happened by the clock.
            let past = transaction.query_one(
                "SELECT count(*), coalesce(sum(length), 0)::bigint FROM records WHERE end_ms <= $1",
                &[&clock_ms],
            )?;
            let (count, length): (i64, i64) = (past.get(0), past.get(1));
            let average = (length as f32 / count.max(1) as f32).max(1.0);
            let holding: HashMap<String, i64> = transaction
                .query(
                    "SELECT term, count(*) FROM postings JOIN records ON records.id = record
                     WHERE term = ANY($1) AND end_ms <= $2 GROUP BY term",
                    &[&stems, &clock_ms],
                )?
                .iter()
                .map(|row| (row.get(0), row.get(1)))
                .collect();
            let condition = Condition::new(scope, vec![Box::new(stems.clone())]);
            let query = format!(
                "SELECT record, term, count, length FROM postings JOIN records ON records.id = record
                 WHERE term = ANY($1) AND {} ORDER BY record",
                condition.text
            );
            let mut found: BTreeMap<i64, HashMap<String, (f32, f32)>> = BTreeMap::new();
            for row in transaction.query(&query, &condition.values())? {
                let (count, length): (i32, i32) = (row.get(2), row.get(3));
                found.entry(row.get(0)).or_default().insert(row.get(1), (count as f32, length as f32));
            }
            let score = |held: &HashMap<String, (f32, f32)>| -> f32 {
                let one = |stem: &String| {
                    let (times, length) = *held.get(stem)?;
                    let df = holding.get(stem).copied().unwrap_or(0) as f32;
                    let idf = (1.0 + (count as f32 - df + 0.5) / (df + 0.5)).ln();
                    Some(idf * (K1 + 1.0) * times / (times + K1 * (1.0 - B + B * length / average)))
                };
                stems.iter().filter_map(one).sum()
            };
            Ok(best(found.iter().map(|(id, held)| (RecordId(*id), score(held))).collect(), limit))
        })
    }

    fn vector_candidates(
        &mut self,
        vector: &[f32],
        scope: &Scope,
        limit: usize,
    ) -> Result<Vec<(RecordId, f32)>> {
        let Some(encoder) = self.encoder()? else { return Ok(Vec::new()) };
        if vector.len() != encoder.dimensions {
            let given = format!("{} numbers", vector.len());
            return Err(Error::Encoder { kept: encoder.to_string(), given });
        }
        if !has_direction(vector) {
            return Ok(Vec::new());
        }
        let condition = Condition::new(scope, vec![Box::new(spelled(vector)), Box::new(most(limit))]);
        let query = format!(
            "SELECT record, (1 - (vector OPERATOR(public.<=>) $1::text::public.vector))::real
             FROM vectors JOIN records ON records.id = record WHERE {}
             ORDER BY vector OPERATOR(public.<=>) $1::text::public.vector, record LIMIT $2",
            condition.text
        );
        self.transaction(|transaction| {
            let rows = transaction.query(&query, &condition.values())?;
            Ok(best(rows.iter().map(|row| (RecordId(row.get(0)), row.get(1))).collect(), limit))
        })
    }

    fn walk(&mut self, visit: &mut dyn FnMut(Record) -> Result<()>) -> Result<()> {
        let mut after = 0;
        let query =
            format!("SELECT {COLUMNS} FROM records WHERE records.id > $1 ORDER BY records.id LIMIT $2");
        loop {
            let records = self.records(&query, &[&after, &WALK])?;
            let Some(last) = records.last() else { return Ok(()) };
            after = last.id.0;
            records.into_iter().try_for_each(&mut *visit)?;
        }
    }

    fn counts(&mut self) -> Result<Counts> {
        self.transaction(|transaction| {
            let mut counts = Counts::default();
            for row in transaction.query("SELECT level, count(*) FROM records GROUP BY level", &[])? {
                let (rank, records): (i16, i64) = (row.get(0), row.get(1));
                counts.levels.insert(level(rank)?, records as u64);
            }
            for row in transaction.query("SELECT wearer, count(*) FROM records GROUP BY wearer", &[])? {
                counts.wearers.insert(row.get(0), row.get::<_, i64>(1) as u64);
            }
            let row = transaction.query_one(
                "SELECT (SELECT count(*) FROM vectors), count(*) FILTER (WHERE state = $1), min(start_ms), max(end_ms)
                 FROM records",
                &[&(State::Open as i16)],
            )?;
            (counts.vectors, counts.open) = (row.get::<_, i64>(0) as u64, row.get::<_, i64>(1) as u64);
            counts.first = row.get::<_, Option<i64>>(2).and_then(Moment::from_ms);
            counts.last = row.get::<_, Option<i64>>(3).and_then(Moment::from_ms);
            Ok(counts)
        })
    }

    fn encoder(&mut self) -> Result<Option<Encoder>> {
        Ok(self.meta("encoder")?.and_then(|text| serde_json::from_str(&text).ok()))
    }

    fn set_encoder(&mut self, encoder: Option<&Encoder>) -> Result<()> {
        let kept = self.encoder()?;
        if let (Some(kept), Some(given)) = (&kept, encoder)
            && kept != given
        {
            return Err(Error::Encoder { kept: kept.to_string(), given: given.to_string() });
        }
        let text = encoder.map(serde_json::to_string).transpose().map_err(std::io::Error::from)?;
        self.transaction(|transaction| {
            match text {
                None => transaction
                    .batch_execute("DELETE FROM vectors; DELETE FROM meta WHERE key = 'encoder'")?,
                Some(text) => {
                    transaction.execute(
                        "INSERT INTO meta VALUES ('encoder', $1) ON CONFLICT (key) DO UPDATE SET value = $1",
                        &[&text],
                    )?;
                }
            }
            Ok(())
        })
    }

    fn without_vector(&mut self, limit: usize) -> Result<Vec<RecordId>> {
        self.transaction(|transaction| {
            let query = "SELECT id FROM records WHERE NOT EXISTS (SELECT 1 FROM vectors WHERE record = id)
                         ORDER BY id LIMIT $1";
            Ok(transaction.query(query, &[&most(limit)])?.iter().map(|row| RecordId(row.get(0))).collect())
        })
    }

    fn note(&mut self, key: &str) -> Result<Option<String>> {
        self.transaction(|transaction| {
            let row = transaction.query_opt("SELECT text FROM notes WHERE key = $1", &[&key])?;
            Ok(row.map(|row| row.get(0)))
        })
    }

    fn notes(&mut self, prefix: &str) -> Result<Vec<(String, String)>> {
        self.transaction(|transaction| {
            let query = "SELECT key, text FROM notes WHERE key >= $1 AND starts_with(key, $1) ORDER BY key";
            Ok(transaction.query(query, &[&prefix])?.iter().map(|row| (row.get(0), row.get(1))).collect())
        })
    }

    fn check(&mut self, repair: bool) -> Result<Vec<String>> {
        let mut wrong = 0u64;
        let mut held: HashMap<i64, HashMap<String, i32>> = HashMap::new();
        let mut lengths: HashMap<i64, i32> = HashMap::new();
        self.transaction(|transaction| {
            for row in transaction.query("SELECT record, term, count FROM postings", &[])? {
                held.entry(row.get(0)).or_default().insert(row.get(1), row.get(2));
            }
            let rows = transaction.query("SELECT id, length FROM records", &[])?;
            lengths.extend(rows.iter().map(|row| (row.get::<_, i64>(0), row.get::<_, i32>(1))));
            Ok(())
        })?;
        self.walk(&mut |record| {
            let kept = held.remove(&record.id.0).unwrap_or_default();
            let (counts, length) = keys(&record);
            let counts: HashMap<String, i32> =
                counts.into_iter().map(|(key, count)| (key, as_count(count))).collect();
            wrong += u64::from(kept != counts || lengths.get(&record.id.0) != Some(&as_count(length)));
            Ok(())
        })?;
        let mut faults = Vec::new();
        if wrong > 0 {
            faults.push(format!("the full-text index disagrees with {wrong} records"));
        }
        let strange = match self.encoder()? {
            None => "TRUE".to_owned(),
            Some(encoder) => format!("public.vector_dims(vector) <> {}", encoder.dimensions),
        };
        let strange = self.transaction(|transaction| {
            let query = format!("SELECT count(*) FROM vectors WHERE {strange}");
            Ok(transaction.query_one(&query, &[])?.get::<_, i64>(0))
        })?;
        if strange > 0 {
            faults.push(format!("{strange} vectors do not have the numbers of the encoder"));
        }
        if repair && wrong > 0 {
            self.rebuild_index()?;
        }
        Ok(faults)
    }

    fn scrub(&mut self) -> Result<()> {
        // Rewrites the tables without the rows that are gone. What a server keeps in its log and its backups is out of
        // reach. Several statements in one message would be a transaction, in which this is refused.
        for table in ["records", "sources", "postings", "vectors", "notes"] {
            let done = self.client.batch_execute(&format!("VACUUM FULL {table}"));
            done.map_err(|error| self.failed(&error))?;
        }
        Ok(())
    }
}

fn record_of(row: &Row) -> Step<Record> {
    let moment = |ms: i64| {
        let fault =
            || Fault::Ours(Error::Query(format!("a record has a time of {ms} ms; the database is damaged")));
        Moment::from_ms(ms).ok_or_else(fault)
    };
    let state = match row.get::<_, i16>(5) {
        0 => State::Whole,
        1 => State::Partial,
        _ => State::Open,
    };
    let sources: Vec<i64> = row.get(10);
    Ok(Record {
        id: RecordId(row.get(0)),
        level: level(row.get(1))?,
        wearer: row.get(2),
        start: moment(row.get(3))?,
        end: moment(row.get(4))?,
        text: row.get(6),
        transcript: row.get(7),
        people: read(row.get(8))?,
        evidence: read::<Vec<Evidence>>(row.get(9))?,
        sources: sources.into_iter().map(RecordId).collect(),
        state,
    })
}

fn level(rank: i16) -> Step<Level> {
    let known = usize::try_from(rank).ok().and_then(Level::from_rank);
    known.ok_or_else(|| Fault::Ours(Error::Level { name: rank.to_string() }))
}

fn read<T: serde::de::DeserializeOwned>(text: &str) -> Step<T> {
    serde_json::from_str(text).map_err(|error| Fault::Ours(Error::Io(error.into())))
}

/// A limit as the database counts.
fn most(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX)
}

/// Best first, equal ones by id.
fn best(mut found: Vec<(RecordId, f32)>, limit: usize) -> Vec<(RecordId, f32)> {
    found.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
    found.truncate(limit);
    found
}
