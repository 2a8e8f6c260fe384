//! Rows of ST-R1: a video (or an image, or words alone), a question that already holds its options, and a solution
//! of reasoning and letter. The published supervised runs ask the bare question.

use firsthand_tasks::{Kind, Question, Style};

use super::fields::{Fields, Reason};
use super::row::Row;
use super::source::Reader;

pub(super) fn read(reader: &Reader<'_>, fields: Fields<'_>, row: &mut Row) -> Result<(), Reason> {
    let medium = match (fields.text_if_any("video")?, fields.text_if_any("image")?) {
        (Some(_), Some(_)) => return Err("both video and image; a row shows one of them".into()),
        (Some(video), None) => Some(reader.media.video_file(video)?),
        (None, Some(image)) => Some(reader.media.image(image)?),
        (None, None) => None,
    };
    let text = match fields.text_if_any("original_question")? {
        Some(text) => text,
        None => fields.text("problem")?,
    };
    let style = reader.config.style.unwrap_or(Style::Plain);
    // The options are words of the question; the styles' own layout of options is for questions without them.
    let question = Question { text, kind: Kind::FreeForm, options: &[], size: None };
    reader.ask(row, style, medium.into_iter().collect(), &question)?;
    let answer = if reader.config.reasoning { "solution" } else { "original_answer" };
    reader.say(row, fields.text(answer)?.to_owned());
    row.id = fields.id(&["id", "problem_id"]);
    row.kind = Some(Kind::MultipleChoice);
    row.solution = fields.text_if_any("solution")?.map(str::to_owned);
    Ok(())
}
