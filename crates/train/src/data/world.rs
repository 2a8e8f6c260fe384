//! Rows of `firsthand world questions`: a picture or clip of a simulated home, the question as the world puts it, and
//! its reasons. Rewards find the scene graph in the gold answer, in the tags that `spatialthinker` reads.

use firsthand_base::{Message, Part, Role};
use firsthand_tasks::Kind;
use firsthand_world::questions::{Gold, Item, ProblemType, Scope};
use serde_json::{Value, json};

use super::fields::Reason;
use super::row::Row;
use super::source::Reader;

pub(super) fn read(reader: &Reader<'_>, value: &Value, row: &mut Row) -> Result<(), Reason> {
    let item: Item = serde_json::from_value(value.clone()).map_err(|error| error.to_string())?;
    let question = &item.question;
    let Some(path) = &item.media else {
        return Err("a question about days has no medium; ask it of a memory".into());
    };
    let medium = match question.family.scope() {
        Scope::Frame => reader.media.image(path)?,
        _ => reader.media.video_file(path)?,
    };
    reader.open(row, None);
    let parts = vec![medium, Part::Text(question.prompt())];
    row.conversation.messages.push(Message { role: Role::User, parts });
    let answer = format!("<answer>{}</answer>", question.answer_text());
    reader.say(row, if reader.config.reasoning { question.short_completion() } else { answer.clone() });
    row.id = Some(question.id.clone());
    row.options = question.options.clone();
    let kind = kind(&question.answer, question.problem_type);
    row.kind = Some(kind);
    row.solution = Some(match (kind, &question.scene) {
        (Kind::Box | Kind::Interval, _) => question.answer_text(),
        (_, Some(scene)) => format!("<scene>{}</scene>\n{answer}", scene.json()),
        (_, None) => answer,
    });
    row.facts.insert("problem".into(), question.question.clone().into());
    row.facts.insert("image_size".into(), json!(item.size));
    // In the words of EgoThinker's data, where Video-R1 has none.
    match kind {
        Kind::Box => _ = row.facts.insert("problem_type".into(), "visor".into()),
        Kind::Interval => _ = row.facts.insert("problem_type".into(), "egoexo".into()),
        _ => {}
    }
    Ok(())
}

fn kind(answer: &Gold, problem_type: ProblemType) -> Kind {
    match (answer, problem_type) {
        (Gold::Span(_), _) => Kind::Interval,
        (Gold::Box(_), _) => Kind::Box,
        (_, ProblemType::MultipleChoice) => Kind::MultipleChoice,
        (_, ProblemType::Numerical) => Kind::Numerical,
        (_, ProblemType::Ocr) => Kind::Ocr,
        (_, ProblemType::FreeForm) => Kind::FreeForm,
        (_, ProblemType::Regression) => Kind::Regression,
    }
}
