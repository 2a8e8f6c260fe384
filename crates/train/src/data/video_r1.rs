//! Rows of Video-R1: one image or video, five types of question, the reasoning in `process` and the gold answer in
//! `solution`, tags included. The assistant says the one, a newline, and the other, as the published cold start does.

use firsthand_tasks::{Kind, Question, Style};

use super::fields::{Fields, Reason};
use super::row::Row;
use super::source::Reader;

/// Spelling and case are the files'.
const KINDS: [(&str, Kind); 5] = [
    ("multiple choice", Kind::MultipleChoice),
    ("numerical", Kind::Numerical),
    ("OCR", Kind::Ocr),
    ("free-form", Kind::FreeForm),
    ("regression", Kind::Regression),
];

pub(super) fn read(reader: &Reader<'_>, fields: Fields<'_>, row: &mut Row) -> Result<(), Reason> {
    let named = fields.text("problem_type")?;
    let kind = KINDS.iter().find(|(name, _)| *name == named).map(|(_, kind)| *kind);
    let kind = kind.ok_or_else(|| {
        fields.wrong("problem_type", "multiple choice, numerical, OCR, free-form or regression")
    })?;
    let medium = match fields.text("data_type")? {
        "image" => reader.media.image(fields.text("path")?)?,
        "video" => reader.media.video_file(fields.text("path")?)?,
        _ => return Err(fields.wrong("data_type", "image or video")),
    };
    // The published code reads the options of multiple-choice rows only.
    let options = if kind == Kind::MultipleChoice { fields.texts("options")? } else { Vec::new() };
    let style = reader.config.style.unwrap_or(Style::VideoR1Training);
    let text = fields.text("problem")?;
    reader.ask(row, style, vec![medium], &Question { text, kind, options: &options, size: None })?;
    let solution = fields.text("solution")?;
    let answer = match fields.text_if_any("process")? {
        Some(process) if reader.config.reasoning => format!("{process}\n{solution}"),
        None if reader.config.reasoning => {
            return Err(format!(
                "{}; set reasoning = false to learn the answer alone",
                fields.wrong("process", "the reasoning")
            ));
        }
        _ => solution.to_owned(),
    };
    reader.say(row, answer);
    row.id = fields.id(&["problem_id", "id"]);
    (row.kind, row.options, row.solution) = (Some(kind), options, Some(solution.to_owned()));
    Ok(())
}
