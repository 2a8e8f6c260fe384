//! One question in each reference's own row: Video-R1, ST-R1, STVQA, EgoThinker's three and EgoLifeQA. Keys and the
//! wording around a question are theirs; where a reference has no place for a kind of question, there is no row.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::family::{Family, Scope};
use super::question::{Clock, Gold, Medium, ProblemType, Question, letter};

/// A question with its medium, as `questions.jsonl` holds it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Item {
    /// The world's seed.
    pub seed: u64,
    /// Path of the picture or clip from the folder; `None` for questions about days.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub media: Option<String>,
    /// `[width, height]` of its pictures.
    pub size: [usize; 2],
    /// The question.
    #[serde(flatten)]
    pub question: Question,
}

/// A file in a reference's schema.
pub(crate) struct FileFormat {
    pub file: &'static str,
    /// One JSON list, or else one row per line.
    pub list: bool,
    /// The row of an item that is number so-and-so; `None` where the schema has no place for it.
    pub row: fn(&Item, usize) -> Option<Value>,
}

pub(crate) const FORMATS: [FileFormat; 7] = [
    FileFormat { file: "video-r1.json", list: true, row: video_r1 },
    FileFormat { file: "st-r1.jsonl", list: false, row: st_r1 },
    FileFormat { file: "stvqa.jsonl", list: false, row: stvqa },
    FileFormat { file: "egothinker-sft.json", list: true, row: ego_sft },
    FileFormat { file: "egothinker-egoexo.json", list: true, row: ego_interval },
    FileFormat { file: "egothinker-visor.json", list: true, row: ego_box },
    FileFormat { file: "egolife-qa.json", list: true, row: ego_life },
];

fn lettered(q: &Question, before: &str, after: &str) -> Vec<String> {
    q.options.iter().enumerate().map(|(i, option)| format!("{before}{}{after}{option}", letter(i))).collect()
}

/// Spans and boxes have prompts of their own.
fn grounded(q: &Question) -> bool {
    matches!(q.answer, Gold::Span(_) | Gold::Box(_))
}

fn video_r1(item: &Item, number: usize) -> Option<Value> {
    let q = &item.question;
    let path = item.media.as_ref().filter(|_| !grounded(q))?;
    Some(json!({
        "problem_id": number,
        "problem": q.question,
        "data_type": if q.family.scope() == Scope::Frame { "image" } else { "video" },
        "problem_type": q.problem_type,
        "options": lettered(q, "", ". "),
        "process": format!("<think>{}</think>", q.reasons()),
        "solution": format!("<answer>{}</answer>", q.answer_text()),
        "path": format!("./{path}"),
        "data_source": format!("firsthand-world/{}", q.family.name()),
    }))
}

fn st_r1(item: &Item, _: usize) -> Option<Value> {
    let q = &item.question;
    let spatial = matches!(q.family, Family::Route | Family::Direction | Family::Landmark | Family::Action);
    let (path, letter) = (item.media.as_ref().filter(|_| spatial)?, q.letter()?);
    let problem = format!(
        "Please take a egocentric view to understand the following questions. {} Options: {}\n\nInstructions: Please \
         select the most appropriate answer from the options above and return only the option number (e.g. A, B, C \
         or D).",
        q.question,
        lettered(q, "", ". ").join(", "),
    );
    Some(json!({
        "problem": problem,
        "solution": format!("<think>{}</think> <answer>{letter}</answer>", q.reasons()),
        "video": path,
        "original_question": problem,
        "original_answer": letter,
    }))
}

fn stvqa(item: &Item, number: usize) -> Option<Value> {
    let q = &item.question;
    let (path, letter) = (item.media.as_ref()?, q.letter()?);
    let graph = q.scene.as_ref()?.json();
    let scene = format!("<scene>{graph}</scene>");
    let Gold::Option(index) = q.answer else { return None };
    let right = &q.options[index];
    let with_options = format!("{}\nOptions:\n{}", q.question, lettered(q, "(", ") ").join("\n"));
    let [width, height] = item.size;
    let lead = "Now answer the following question:";
    Some(json!({
        "image_id": format!("{}-{number}", item.seed),
        "images": { "bytes": null, "path": path },
        "problem": format!("<image> Image size: ({width} x {height})\n{lead}\n\nQ. {with_options}"),
        "question_only": q.question,
        "question_with_options": with_options,
        "options": q.options,
        "answer": format!("{scene}\n<answer>{letter}</answer>"),
        "answer_only": letter,
        "answer_text": format!("{scene}\n<answer>{right}</answer>"),
        "answer_text_only": right,
        "answer_option_text": format!("{scene}\n<answer>({letter}) {right}</answer>"),
        "answer_option_text_only": format!("({letter}) {right}"),
        "category": q.family.name(),
        "level": if q.options.len() > 2 { "medium" } else { "easy" },
        "rating": 5,
        "response": q.completion(),
    }))
}

fn ego_sft(item: &Item, _: usize) -> Option<Value> {
    let q = &item.question;
    let path = item.media.as_ref().filter(|_| !grounded(q))?;
    let medium = if q.family.scope() == Scope::Frame { "image" } else { "video" };
    Some(json!({
        medium: path,
        "conversations": [
            { "from": "human", "value": format!("<{medium}>\n{}", q.prompt()) },
            { "from": "gpt", "value": q.short_completion() },
        ],
    }))
}

fn ego_interval(item: &Item, _: usize) -> Option<Value> {
    let Gold::Span([start, end]) = item.question.answer else { return None };
    Some(json!({ "vid": item.media, "question": item.question.question, "start": start, "end": end }))
}

fn ego_box(item: &Item, _: usize) -> Option<Value> {
    let Gold::Box(bounds) = item.question.answer else { return None };
    Some(json!({ "path": item.media, "object": item.question.question, "gt": bounds }))
}

/// `{"date": "DAY2", "time": "11210217"}`; the last two digits are frames of 20 a second.
fn stamp(clock: Clock) -> Value {
    let whole = clock.time_s as u64;
    let frame = (clock.time_s.fract() * 20.0) as u64;
    let time = format!("{:02}{:02}{:02}{frame:02}", whole / 3600, whole / 60 % 60, whole % 60);
    json!({ "date": format!("DAY{}", clock.day), "time": time })
}

fn ego_life(item: &Item, number: usize) -> Option<Value> {
    let q = &item.question;
    let Medium::Days { query, target } = q.medium else { return None };
    // Four choices are the schema's; questions with fewer repeat none and have empty ones.
    let letter = q.letter().filter(|_| q.problem_type == ProblemType::MultipleChoice)?;
    let choice = |i: usize| q.options.get(i).cloned().unwrap_or_default();
    let heard = matches!(q.family, Family::RelationMap | Family::TaskMaster);
    Some(json!({
        "ID": number.to_string(),
        "identity": format!("W{}", item.seed),
        "query_time": stamp(query),
        "type": q.family.name(),
        "need_audio": heard,
        "need_name": heard,
        "last_time": false,
        "trigger": q.question,
        "question": q.question,
        "choice_a": choice(0),
        "choice_b": choice(1),
        "choice_c": choice(2),
        "choice_d": choice(3),
        "answer": letter,
        "target_time": stamp(target),
        "keywords": q.kind,
        "reason": q.reasons(),
    }))
}
