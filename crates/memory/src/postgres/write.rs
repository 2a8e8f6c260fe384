//! Writing inside a transaction: a change at a time, with the words and the vector of each record.

use postgres::Transaction;
use postgres::types::ToSql;

use super::store::{Fault, Step};
use crate::terms::keys;
use crate::{Change, Encoder, Error, Record, RecordId};

/// Applies one change; gives the id of a record that it puts.
pub(super) fn change(
    transaction: &mut Transaction<'_>,
    change: &Change,
    put: &[Option<RecordId>],
    encoder: Option<&Encoder>,
) -> Step<Option<RecordId>> {
    match change {
        Change::Put { record, vector } => {
            let id = put_record(transaction, record)?;
            transaction.execute("DELETE FROM sources WHERE summary = $1", &[&id.0])?;
            for (place, source) in record.sources.iter().enumerate() {
                let source = match source.change_index() {
                    None => *source,
                    Some(index) => put.get(index).copied().flatten().ok_or_else(|| {
                        refused(record, "a source names a change that puts no record, or comes later")
                    })?,
                };
                let insert = "INSERT INTO sources VALUES ($1, $2, $3)";
                transaction.execute(insert, &[&id.0, &(place as i32), &source.0])?;
            }
            index(transaction, id, record)?;
            transaction.execute("DELETE FROM vectors WHERE record = $1", &[&id.0])?;
            if let Some(vector) = vector {
                set_vector(transaction, id, vector, encoder)?;
            }
            return Ok(Some(id));
        }
        Change::Vector { id, vector } => {
            if transaction.query_opt("SELECT 1 FROM records WHERE id = $1", &[&id.0])?.is_some() {
                set_vector(transaction, *id, vector, encoder)?;
            }
        }
        Change::State { id, state } => {
            transaction.execute("UPDATE records SET state = $2 WHERE id = $1", &[&id.0, &(*state as i16)])?;
        }
        Change::Delete(id) => {
            transaction.execute("DELETE FROM records WHERE id = $1", &[&id.0])?;
        }
        Change::Note { key, text: Some(text) } => {
            let insert = "INSERT INTO notes VALUES ($1, $2) ON CONFLICT (key) DO UPDATE SET text = $2";
            transaction.execute(insert, &[key, text])?;
        }
        Change::Note { key, text: None } => {
            transaction.execute("DELETE FROM notes WHERE key = $1", &[key])?;
        }
    }
    Ok(None)
}

fn put_record(transaction: &mut Transaction<'_>, record: &Record) -> Step<RecordId> {
    let people = json(&record.people)?;
    let evidence = json(&record.evidence)?;
    let length = as_count(keys(record).1);
    let (level, state) = (record.level.rank() as i16, record.state as i16);
    let (start_ms, end_ms) = (record.start.ms(), record.end.ms());
    let mut values: Vec<&(dyn ToSql + Sync)> = vec![
        &level,
        &record.wearer,
        &start_ms,
        &end_ms,
        &state,
        &record.text,
        &record.transcript,
        &people,
        &evidence,
        &length,
    ];
    if record.id == RecordId::NEW {
        let insert = "INSERT INTO records (level, wearer, start_ms, end_ms, state, text, transcript, people, evidence, length)
                      VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) RETURNING id";
        return Ok(RecordId(transaction.query_one(insert, &values)?.get(0)));
    }
    values.push(&record.id.0);
    let update =
        "UPDATE records SET level = $1, wearer = $2, start_ms = $3, end_ms = $4, state = $5, text = $6,
                  transcript = $7, people = $8, evidence = $9, length = $10 WHERE id = $11";
    match transaction.execute(update, &values)? {
        0 => Err(refused(record, "there is no record with its id")),
        _ => Ok(record.id),
    }
}

/// A count as the database has it.
pub(super) fn as_count(count: u32) -> i32 {
    i32::try_from(count).unwrap_or(i32::MAX)
}

pub(super) fn index(transaction: &mut Transaction<'_>, id: RecordId, record: &Record) -> Step<()> {
    transaction.execute("DELETE FROM postings WHERE record = $1", &[&id.0])?;
    let (stems, counts): (Vec<String>, Vec<i32>) =
        keys(record).0.into_iter().map(|(key, count)| (key, as_count(count))).unzip();
    let insert = "INSERT INTO postings SELECT term, $1, count FROM unnest($2::text[], $3::integer[]) AS held(term, count)";
    transaction.execute(insert, &[&id.0, &stems, &counts])?;
    Ok(())
}

fn set_vector(
    transaction: &mut Transaction<'_>,
    id: RecordId,
    vector: &[f32],
    encoder: Option<&Encoder>,
) -> Step<()> {
    let fault = |reason: String| Err(Fault::Ours(Error::Embed(reason)));
    let Some(encoder) = encoder else { return fault("the memory has no encoder yet; set it first".into()) };
    if vector.len() != encoder.dimensions {
        return fault(format!("{} numbers where {encoder} has others", vector.len()));
    }
    if !has_direction(vector) {
        return fault(format!("the vector of record {id} has no direction"));
    }
    let insert = "INSERT INTO vectors VALUES ($1, $2::text::public.vector)
                  ON CONFLICT (record) DO UPDATE SET vector = excluded.vector";
    transaction.execute(insert, &[&id.0, &spelled(vector)])?;
    Ok(())
}

fn json(value: &impl serde::Serialize) -> Step<String> {
    serde_json::to_string(value).map_err(|error| Fault::Ours(Error::Io(error.into())))
}

fn refused(record: &Record, reason: &str) -> Fault {
    let what = format!("{} of {} from {} to {}", record.level, record.wearer, record.start, record.end);
    Fault::Ours(Error::Record { what, reason: reason.into() })
}

pub(super) fn has_direction(vector: &[f32]) -> bool {
    vector.iter().all(|number| number.is_finite()) && vector.iter().any(|number| *number != 0.0)
}

/// A vector as pgvector reads it.
pub(super) fn spelled(vector: &[f32]) -> String {
    let numbers: Vec<String> = vector.iter().map(f32::to_string).collect();
    format!("[{}]", numbers.join(","))
}
