//! Writing a memory as published files, each whole or not at all.

use std::collections::BTreeMap;
use std::io::{BufWriter, Write};
use std::path::Path;

use firsthand_base::Moment;
use serde_json::{Value, json};

use super::Form;
use super::read::ENDINGS;
use crate::{Error, Level, Memory, Record, Result};

/// What an export wrote and what its form could not hold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Exported {
    /// Files written.
    pub files: usize,
    /// Records in them.
    pub records: usize,
    /// Records whose transcript, people or evidence the form has no place for.
    pub shortened: usize,
    /// Records of levels that the form does not know.
    pub left_out: usize,
}

/// Writes all records into a folder, which is made if it is missing. Files that are there already are replaced.
pub fn export(memory: &mut Memory, folder: &Path, form: Form) -> Result<Exported> {
    fs_err::create_dir_all(folder)?;
    let mut exported = Exported::default();
    if form == Form::Records {
        let draft = folder.join("records.draft");
        let mut file = BufWriter::new(fs_err::File::create(&draft)?);
        memory.store().walk(&mut |record| {
            exported.records += 1;
            serde_json::to_writer(&mut file, &record).map_err(std::io::Error::from)?;
            Ok(file.write_all(b"\n")?)
        })?;
        file.flush()?;
        fs_err::rename(&draft, folder.join("records.jsonl"))?;
        exported.files = 1;
        return Ok(exported);
    }
    let mut files: BTreeMap<String, Vec<Record>> = BTreeMap::new();
    memory.store().walk(&mut |record| {
        let lost = record.transcript.is_some() || !record.people.is_empty() || !record.evidence.is_empty();
        match place(&record, form)? {
            None => exported.left_out += 1,
            Some(file) => {
                exported.records += 1;
                exported.shortened += usize::from(lost);
                files.entry(file).or_default().push(record);
            }
        }
        Ok(())
    })?;
    for (file, mut records) in files {
        records.sort_by_key(|record| (record.start, record.id));
        let rows: Vec<String> = records.iter().map(|record| row(record, form).to_string()).collect();
        let path = folder.join(&file);
        if let Some(parent) = path.parent() {
            fs_err::create_dir_all(parent)?;
        }
        write_whole(&path, &format!("[\n{}\n]\n", rows.join(",\n")))?;
        exported.files += 1;
    }
    Ok(exported)
}

/// The file a record belongs in; `None` if the form has no place for its level.
fn place(record: &Record, form: Form) -> Result<Option<String>> {
    let wearer = &record.wearer;
    if wearer.contains(['/', '\\', '\0']) || wearer == "." || wearer == ".." {
        return Err(Error::File {
            location: format!("a file of {wearer:?}"),
            reason: "the name is not one of a file".into(),
        });
    }
    let ending = ENDINGS[record.level.rank()].0;
    Ok(match (form, record.level) {
        (Form::EgoLife, _) => Some(format!("{wearer}/{wearer}{ending}.json")),
        (Form::EgoSchema, Level::Clip) => Some(format!("{wearer}.json")),
        (Form::VideoMme, Level::Clip | Level::TenMinutes) => Some(format!("{}/{wearer}.json", &ending[1..])),
        _ => None,
    })
}

fn row(record: &Record, form: Form) -> Value {
    let day = record.start.day();
    let clock = |moment: Moment| clock(day, moment, form);
    let text = match form {
        Form::EgoSchema if record.text.is_empty() => json!([]),
        Form::EgoSchema => record.text.split('\n').collect(),
        _ => json!(record.text),
    };
    json!({
        "generated_text": text,
        "date": day,
        "start_time": clock(record.start),
        "end_time": clock(record.end),
    })
}

/// A clock of a row's day. The midnight that ends the day is 24:00; what lies further is a clock of the next day, as the
/// published rows past midnight have it.
fn clock(day: u32, moment: Moment, form: Form) -> Value {
    let midnight = moment.day() == day + 1 && moment.ms_of_day() == 0;
    let number = if midnight { 24_000_000 } else { moment.clock_number() };
    match form {
        Form::EgoLife | Form::Records => json!(number),
        Form::VideoMme | Form::EgoSchema => {
            // The inverse of reading: the frame of 30 a second that starts at or after.
            let frame = (moment.ms() % 1000 * 30 + 999) / 1000;
            json!(format!("{:06}{:02}", number / 100, frame.min(29)))
        }
    }
}

fn write_whole(path: &Path, text: &str) -> Result<()> {
    let draft = path.with_extension("draft");
    fs_err::write(&draft, text)?;
    fs_err::rename(&draft, path)?;
    Ok(())
}
