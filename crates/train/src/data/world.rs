//! Rows of `firsthand world questions`: a picture or clip of a simulated home, the question as the world puts it, and
//! its reasons. Rewards find the scene graph in the gold answer, in the tags that `spatialthinker` reads.

use std::path::{Path, PathBuf};

use firsthand_base::{Begun, Message, Part, Report, Role, Unit};
use firsthand_tasks::Kind;
use firsthand_world::questions::{
    Family, Gold, Item, Plan, ProblemType, Scope, WriteOptions, held_out, write,
};
use serde_json::{Value, json};

use super::config::MakeQuestions;
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
    let drawn = question.scene_prompt().filter(|_| reader.config.scene);
    let answer = format!("<answer>{}</answer>", question.answer_text());
    let reply = match (&drawn, reader.config.reasoning) {
        (Some(_), _) => question.completion(),
        (None, true) => question.short_completion(),
        (None, false) => answer.clone(),
    };
    let parts = vec![medium, Part::Text(drawn.unwrap_or_else(|| question.prompt()))];
    row.conversation.messages.push(Message::new(Role::User, parts));
    reader.say(row, reply);
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

/// Writes the questions a recipe asks for and gives their file; what was written before is not written again.
pub fn make(wanted: &MakeQuestions, folder: &Path, report: &dyn Report) -> firsthand_world::Result<PathBuf> {
    let MakeQuestions { seeds: [first, end], items, questions, .. } = *wanted;
    let shown = |family: &Family| family.scope() != Scope::Days;
    let families: Vec<Family> = match wanted.families.is_empty() {
        true => Family::ALL.iter().copied().filter(shown).collect(),
        false => wanted.families.clone(),
    };
    let count = |scope| if families.iter().any(|family| family.scope() == scope) { items } else { 0 };
    let (frames, clips) = (count(Scope::Frame), count(Scope::Clip));
    let plan = Plan { families, frames, clips, days: 0, questions, ..Plan::default() };
    let seeds: Vec<u64> =
        (first..end).map(|seed| if wanted.held_out { held_out(seed) } else { seed }).collect();
    let options = WriteOptions { plan, threads: rayon::current_num_threads(), truth: false };
    let making = Begun::new(report, "making homes", Some(seeds.len() as u64), Unit::Things("homes"));
    write(folder, &seeds, &options, &|_| making.advance(1))?;
    Ok(folder.join("questions.jsonl"))
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
