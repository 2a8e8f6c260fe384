//! Records as rows to train on: ShareGPT with a system turn (one row a trace), the published Alpaca with history (one row
//! a step), and the published parquet of reinforcement learning with the wearer and the clock, which the published one
//! leaves out. Turns and observations stand in them exactly as the episode had them.

use std::path::Path;
use std::sync::Arc;

use parquet::data_type::{ByteArray, ByteArrayType, Int64Type};
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::{SerializedFileWriter, SerializedRowGroupWriter};
use parquet::schema::parser::parse_message_type;
use serde_json::{Value, json};

use super::questions::Asked;
use super::record::Record;
use crate::{Error, Result, Said, information};

/// What was written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Exported {
    /// Rows of `sft_share_gpt.json`.
    pub traces: usize,
    /// Rows of `sft_alpaca.json`.
    pub steps: usize,
    /// Rows of `rl.parquet`.
    pub questions: usize,
}

/// The turns of a trace: what the user (a question, then observations) and the model said.
fn exchanges(record: &Record) -> Vec<(String, String)> {
    let mut asked = record.trace.question.prompt();
    let mut all = Vec::new();
    for turn in &record.trace.turns {
        let back = match &turn.done.said {
            Said::Observation(text) => information(text),
            _ => String::new(),
        };
        all.push((std::mem::replace(&mut asked, back), turn.done.text.clone()));
    }
    all
}

/// A trace as one row of ShareGPT.
pub fn share_gpt(record: &Record) -> Value {
    let turns: Vec<Value> = exchanges(record)
        .into_iter()
        .flat_map(|(asked, said)| {
            [json!({"from": "human", "value": asked}), json!({"from": "gpt", "value": said})]
        })
        .collect();
    json!({
        "id": format!("{}-{}", record.identity, record.id),
        "identity": record.identity,
        "clock": record.trace.question.clock.to_string(),
        "system": record.trace.system,
        "conversations": turns,
    })
}

/// A trace as rows of Alpaca with history, one for each step.
pub fn alpaca(record: &Record) -> Vec<Value> {
    let all = exchanges(record);
    let row = |(index, (asked, said)): (usize, &(String, String))| {
        let history: Vec<[&str; 2]> =
            all[..index].iter().map(|(asked, said)| [asked.as_str(), said.as_str()]).collect();
        json!({
            "id": format!("{}-{}-{}", record.identity, record.id, index + 1),
            "system": record.trace.system, "instruction": asked, "input": "", "output": said, "history": history,
        })
    };
    all.iter().enumerate().map(row).collect()
}

/// A question as a row of reinforcement learning. `index` is the row's number in the whole file, so that no two groups
/// share one, whoever is asked.
pub fn rl_rows(asked: &Asked, system: &str, index: usize, split: &str) -> Value {
    let question = &asked.question;
    let letter = char::from(b'A' + asked.gold.min(25) as u8).to_string();
    let prompt = question.prompt();
    json!({
        "id": format!("{}-{}", question.wearer, question.id),
        "question": format!("{system}\n{prompt}"),
        "data_source": "multi-choice",
        "prompt": [{"role": "system", "content": system}, {"role": "user", "content": prompt}],
        "golden_answer": [letter],
        "ability": "fact-reasoning",
        "reward_model": {"ground_truth": {"target": letter}, "style": "rule"},
        "extra_info": {"index": index, "split": split},
        "identity": question.wearer,
        "clock": question.clock.to_string(),
        "text": question.text,
        "options": question.options,
        "type": asked.kind,
    })
}

/// Writes all files of a run to a folder: `sft_share_gpt.json`, `sft_alpaca.json`, `rl.parquet`, `rl.jsonl`. `kept` are
/// the records that are learned from, `asked` the questions that may be practised on.
pub fn export(
    folder: &Path,
    kept: &[&Record],
    asked: &[&Asked],
    system: &str,
    split: &str,
) -> Result<Exported> {
    let traces: Vec<Value> = kept.iter().map(|record| share_gpt(record)).collect();
    let steps: Vec<Value> = kept.iter().flat_map(|record| alpaca(record)).collect();
    let rows: Vec<Value> =
        asked.iter().enumerate().map(|(index, asked)| rl_rows(asked, system, index, split)).collect();
    write(&folder.join("sft_share_gpt.json"), list(&traces).as_bytes())?;
    write(&folder.join("sft_alpaca.json"), list(&steps).as_bytes())?;
    let lines: String = rows.iter().map(|row| format!("{row}\n")).collect();
    write(&folder.join("rl.jsonl"), lines.as_bytes())?;
    let path = folder.join("rl.parquet");
    let bytes = parquet(&rows).map_err(|error| Error::File {
        path: path.display().to_string(),
        reason: error.to_string(),
        remedy: "this is a fault of the program: report it with the question file",
    })?;
    write(&path, &bytes)?;
    Ok(Exported { traces: traces.len(), steps: steps.len(), questions: rows.len() })
}

/// A JSON list with a row on each line.
fn list(rows: &[Value]) -> String {
    let lines: Vec<String> = rows.iter().map(Value::to_string).collect();
    format!("[\n{}\n]\n", lines.join(",\n"))
}

/// Writes a file whole or not at all.
pub(crate) fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let draft = path.with_file_name(format!(".{name}.{}.part", std::process::id()));
    let written = fs_err::write(&draft, bytes)
        .and_then(|()| fs_err::File::open(&draft)?.sync_all())
        .and_then(|()| fs_err::rename(&draft, path));
    if written.is_err() {
        let _ = fs_err::remove_file(&draft);
    }
    Ok(written?)
}

const SCHEMA: &str = "message schema {
  REQUIRED BYTE_ARRAY id (UTF8);
  REQUIRED BYTE_ARRAY question (UTF8);
  REQUIRED BYTE_ARRAY data_source (UTF8);
  REQUIRED group prompt (LIST) { REPEATED group list { REQUIRED group element {
    REQUIRED BYTE_ARRAY role (UTF8);
    REQUIRED BYTE_ARRAY content (UTF8);
  } } }
  REQUIRED group golden_answer (LIST) { REPEATED group list { REQUIRED BYTE_ARRAY element (UTF8); } }
  REQUIRED BYTE_ARRAY ability (UTF8);
  REQUIRED group reward_model {
    REQUIRED group ground_truth { REQUIRED BYTE_ARRAY target (UTF8); }
    REQUIRED BYTE_ARRAY style (UTF8);
  }
  REQUIRED group extra_info { REQUIRED INT64 index; REQUIRED BYTE_ARRAY split (UTF8); }
  REQUIRED BYTE_ARRAY identity (UTF8);
  REQUIRED BYTE_ARRAY clock (UTF8);
  REQUIRED BYTE_ARRAY text (UTF8);
  REQUIRED group options (LIST) { REPEATED group list { REQUIRED BYTE_ARRAY element (UTF8); } }
  REQUIRED BYTE_ARRAY type (UTF8);
}";

/// Rows as a parquet file.
fn parquet(rows: &[Value]) -> std::result::Result<Vec<u8>, ParquetError> {
    let schema = Arc::new(parse_message_type(SCHEMA)?);
    let mut writer =
        SerializedFileWriter::new(Vec::new(), schema, Arc::new(WriterProperties::builder().build()))?;
    let mut group = writer.next_row_group()?;
    let plain = |place: &[&str]| -> Vec<Vec<&str>> {
        rows.iter().map(|row| vec![walk(row, place).as_str().unwrap_or_default()]).collect()
    };
    let many = |place: &str, field: Option<&str>| -> Vec<Vec<&str>> {
        rows.iter()
            .map(|row| {
                let items = row[place].as_array().into_iter().flatten();
                items
                    .map(|item| field.map_or(item, |field| &item[field]).as_str().unwrap_or_default())
                    .collect()
            })
            .collect()
    };
    texts(&mut group, &plain(&["id"]), false)?;
    texts(&mut group, &plain(&["question"]), false)?;
    texts(&mut group, &plain(&["data_source"]), false)?;
    texts(&mut group, &many("prompt", Some("role")), true)?;
    texts(&mut group, &many("prompt", Some("content")), true)?;
    texts(&mut group, &many("golden_answer", None), true)?;
    texts(&mut group, &plain(&["ability"]), false)?;
    texts(&mut group, &plain(&["reward_model", "ground_truth", "target"]), false)?;
    texts(&mut group, &plain(&["reward_model", "style"]), false)?;
    let indices: Vec<i64> =
        rows.iter().map(|row| row["extra_info"]["index"].as_i64().unwrap_or_default()).collect();
    if let Some(mut column) = group.next_column()? {
        column.typed::<Int64Type>().write_batch(&indices, None, None)?;
        column.close()?;
    }
    texts(&mut group, &plain(&["extra_info", "split"]), false)?;
    for name in ["identity", "clock", "text"] {
        texts(&mut group, &plain(&[name]), false)?;
    }
    texts(&mut group, &many("options", None), true)?;
    texts(&mut group, &plain(&["type"]), false)?;
    group.close()?;
    writer.into_inner()
}

fn walk<'a>(row: &'a Value, place: &[&str]) -> &'a Value {
    place.iter().fold(row, |value, key| &value[*key])
}

/// The next column of texts; those of lists carry the levels that say where a row begins and whether it is empty.
fn texts(
    group: &mut SerializedRowGroupWriter<'_, Vec<u8>>,
    rows: &[Vec<&str>],
    is_list: bool,
) -> std::result::Result<(), ParquetError> {
    let Some(mut column) = group.next_column()? else {
        return Err(ParquetError::General("the schema has fewer columns".into()));
    };
    let values: Vec<ByteArray> = rows.iter().flatten().map(|text| ByteArray::from(*text)).collect();
    let (mut defined, mut repeated) = (Vec::new(), Vec::new());
    for row in rows {
        defined.extend(if row.is_empty() { vec![0i16] } else { vec![1; row.len()] });
        repeated.extend((0..row.len().max(1)).map(|index| i16::from(index > 0)));
    }
    let levels = |levels: Vec<i16>| is_list.then_some(levels);
    let (defined, repeated) = (levels(defined), levels(repeated));
    column.typed::<ByteArrayType>().write_batch(&values, defined.as_deref(), repeated.as_deref())?;
    column.close()
}
