//! How a row becomes an item, or why it does not: no options where there should be, an empty one, a gold answer that is
//! none of them, a path that leaves the folder, numbers that are none.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::Value;

use super::description::{AnswerKeys, Benchmark, Gold as GoldKeys, Group, MediaKeys, Options, Within};
use super::expression::{Expression, Reason, Row, at, brief, scalar};
use super::item::{Gold, Item, MediaKind, MediaRef, bare, letter, unlettered};
use super::lettered;
use super::scoring::Form;
use crate::{Kind, Prompt, Question};

/// What a row is read with.
pub(super) struct Place<'a> {
    pub(super) benchmark: &'a Benchmark,
    /// The benchmark's folder.
    pub(super) dir: &'a Path,
    pub(super) file: &'a Path,
    pub(super) line: usize,
}

/// Reads a row.
pub(super) fn read(place: &Place<'_>, mut row: Row) -> Result<Item, Reason> {
    let benchmark = place.benchmark;
    let options = match &benchmark.item.options {
        Some(keys) => options(keys, &mut row)?,
        None => Vec::new(),
    };
    let kind = kind(&benchmark.answer, &row, options.is_empty())?;
    let options = if kind == Kind::MultipleChoice { options } else { Vec::new() };
    if let Some(at) = options.iter().position(|option| option.trim().is_empty()) {
        return Err(format!("option {} is empty", letter(at)));
    }
    let question = benchmark.item.question.text(&row)?.trim().to_owned();
    if question.is_empty() {
        return Err("the question is empty".to_owned());
    }
    let (gold, answer) = gold(&benchmark.answer, &row, kind, &options)?;
    let media: Vec<MediaRef> = benchmark
        .media
        .iter()
        .filter_map(|keys| medium(keys, place.dir, &row).transpose())
        .collect::<Result<_, _>>()?;
    let id = benchmark.item.id.text(&row)?;
    let cluster = match &benchmark.item.cluster {
        Some(cluster) => cluster.text(&row)?,
        // Pictures that are in the row are shared by nobody.
        None => match media.first() {
            Some(medium) if !medium.path.starts_with("data:") => medium.path.clone(),
            _ => id.clone(),
        },
    };
    let groups = groups(benchmark, &row, kind)?;
    let if_any = |key: &Option<Expression>| key.as_ref().map_or(Ok(None), |key| key.text_if_any(&row));
    let (together, asked_at) = (if_any(&benchmark.item.together)?, if_any(&benchmark.item.asked_at)?);
    let mut item = Item {
        id,
        media,
        question,
        options,
        gold,
        answer,
        kind,
        groups,
        cluster,
        together,
        asked_at,
        own_prompt: None,
        judge: None,
        file: place.file.to_owned(),
        line: place.line,
    };
    put(benchmark, &mut item, row)?;
    Ok(item)
}

/// The texts that hold the finished item: the prompt and what a judge is told.
fn put(benchmark: &Benchmark, item: &mut Item, mut row: Row) -> Result<(), Reason> {
    if benchmark.prompt.template.is_none() && benchmark.judge.is_none() {
        return Ok(());
    }
    let lines = bare(&item.options).into_iter().enumerate().map(|(index, option)| {
        let letter = letter(index);
        match &benchmark.prompt.option {
            Some(line) => {
                let row = [("letter", letter), ("option", option)];
                line.text(&row.into_iter().map(|(key, text)| (key.to_owned(), Value::String(text))).collect())
            }
            None => Ok(format!("{letter}. {option}")),
        }
    });
    let lines = lines.collect::<Result<Vec<_>, _>>()?;
    let whole = [std::slice::from_ref(&item.question), &lines].concat().join("\n");
    let texts = [
        ("question", item.question.clone()),
        ("options", lines.join("\n")),
        ("text", whole),
        ("answer", item.gold.text()),
    ];
    let texts = texts.into_iter().map(|(key, text)| (key.to_owned(), Value::String(text))).collect();
    row.insert("item".to_owned(), Value::Object(texts));
    let keys = &benchmark.prompt;
    if let Some(template) = &keys.template {
        let (user, system, media_first) = (template.text(&row)?, keys.system.clone(), !keys.text_first);
        // The options are words of the text; a style's own layout is for questions without them.
        let question = Question { text: &user, kind: Kind::FreeForm, options: &[], size: None };
        item.own_prompt = Some(match keys.style {
            Some(style) => style.prompt(&question).map_err(|error| error.to_string())?,
            None => Prompt { system, user, media_first },
        });
    }
    if let Some(judge) = &benchmark.judge {
        item.judge = Some([judge.before.text(&row)?, judge.after.text(&row)?]);
    }
    Ok(())
}

fn options(keys: &Options, row: &mut Row) -> Result<Vec<String>, Reason> {
    match keys {
        Options::Each(each) => {
            let mut options: Vec<Option<String>> =
                each.iter().map(|option| option.text_if_any(row)).collect::<Result<_, _>>()?;
            while options.last().is_some_and(|last| last.as_ref().is_none_or(|text| text.trim().is_empty())) {
                options.pop();
            }
            Ok(options.into_iter().map(Option::unwrap_or_default).collect())
        }
        Options::List(list) => match list.value(row) {
            Ok(Value::Array(items)) => items.iter().map(|item| scalar(item, "an option")).collect(),
            Ok(Value::Object(entries)) => {
                let mut entries: Vec<(&String, &Value)> = entries.iter().collect();
                entries.sort_by_key(|(key, _)| *key);
                entries.into_iter().map(|(key, option)| scalar(option, key)).collect()
            }
            Ok(other) => Err(format!("{list}: expected a list of options, found {}", brief(&other))),
            Err(_) => Ok(Vec::new()),
        },
        Options::Within(within) => {
            let text = within.text.text(row)?;
            let (stem, options) = apart(within, &text);
            row.insert("stem".to_owned(), Value::String(stem));
            Ok(options)
        }
    }
}

/// The question and the options of a text that holds both.
fn apart(within: &Within, text: &str) -> (String, Vec<String>) {
    let (stem, list) = match within.after.is_empty() {
        true => ("", text),
        false => text.split_once(&within.after).unwrap_or(("", text)),
    };
    let list = match within.before.is_empty() {
        true => list,
        false => list.split_once(&within.before).map_or(list, |(list, _)| list),
    };
    if within.lines {
        let mut lines = list.trim().lines().map(|line| line.trim().to_owned());
        let first = lines.next().unwrap_or_default();
        return (first, lines.collect());
    }
    match lettered::split(list) {
        Some((before, options)) if stem.is_empty() => (before, options),
        Some((_, options)) => (stem.trim().to_owned(), options),
        None => (text.trim().to_owned(), Vec::new()),
    }
}

fn kind(keys: &AnswerKeys, row: &Row, no_options: bool) -> Result<Kind, Reason> {
    if let Some((_, kind)) = keys.when.iter().find(|(path, _)| at(row, path).is_some()) {
        return Ok(*kind);
    }
    let text = keys.kind.text(row)?;
    let kind = keys.types.get(&text).copied().or_else(|| Kind::named(&text));
    match (kind, keys.otherwise) {
        (None, _) => Err(format!("unknown type of answer {text:?}; say under answer.types what it means")),
        (Some(Kind::MultipleChoice), Some(otherwise)) if no_options => Ok(otherwise),
        (Some(Kind::MultipleChoice), None) if no_options => Err("no options".to_owned()),
        (Some(kind), _) => Ok(kind),
    }
}

fn gold(keys: &AnswerKeys, row: &Row, kind: Kind, options: &[String]) -> Result<(Gold, String), Reason> {
    let value = match &keys.gold {
        GoldKeys::One(one) => one.value(row)?,
        GoldKeys::Several(several) => {
            Value::Array(several.iter().map(|number| number.value(row)).collect::<Result<_, _>>()?)
        }
    };
    let text = match &value {
        Value::Array(_) => value.to_string(),
        other => scalar(other, "the gold answer")?.trim().to_owned(),
    };
    if text.is_empty() {
        return Err("the gold answer is empty".to_owned());
    }
    let gold = match kind {
        Kind::MultipleChoice => Gold::Choice(choice(keys.form, &text, options)?),
        Kind::Numerical | Kind::Regression => Gold::Number(number(&Value::String(text.clone()))?),
        Kind::Ocr | Kind::FreeForm => Gold::Text(text.clone()),
        Kind::Interval => {
            let [start, end] = numbers(&value)?;
            if start > end {
                return Err(format!("the gold interval ends before it begins: {text}"));
            }
            Gold::Interval([start, end])
        }
        Kind::Box => {
            let corners @ [x1, y1, x2, y2] = numbers(&value)?;
            if x1 > x2 || y1 > y2 {
                return Err(format!("the gold box is turned inside out: {text}"));
            }
            Gold::Box(corners)
        }
    };
    Ok((gold, text))
}

fn choice(form: Form, text: &str, options: &[String]) -> Result<usize, Reason> {
    let index = match form {
        Form::Letter => crate::letter(&text.to_ascii_uppercase()),
        Form::Index => text.parse().ok(),
        Form::Words => options.iter().position(|option| option.trim() == text).or_else(|| {
            options.iter().enumerate().position(|(index, option)| unlettered(option, index) == Some(text))
        }),
    };
    let known = index.filter(|index| *index < options.len());
    known.ok_or_else(|| {
        format!(
            "the gold answer {} is not among the {} options",
            brief(&Value::String(text.into())),
            options.len()
        )
    })
}

fn number(value: &Value) -> Result<f64, Reason> {
    let number = match value {
        Value::String(text) => text.trim().replace(',', "").parse().ok(),
        other => other.as_f64(),
    };
    number.filter(|n: &f64| n.is_finite()).ok_or_else(|| format!("expected a number, found {}", brief(value)))
}

/// So many numbers: a list of them, or a text that holds a list.
fn numbers<const N: usize>(value: &Value) -> Result<[f64; N], Reason> {
    let wrong = || format!("expected {N} numbers, found {}", brief(value));
    let parsed = match value {
        Value::String(text) => serde_json::from_str(text).map_err(|_| wrong())?,
        other => other.clone(),
    };
    let items = parsed.as_array().ok_or_else(wrong)?;
    let numbers: Vec<f64> = items.iter().map(number).collect::<Result<_, _>>()?;
    numbers.try_into().map_err(|_| wrong())
}

fn medium(keys: &MediaKeys, dir: &Path, row: &Row) -> Result<Option<MediaRef>, Reason> {
    let path = match (keys.path.text_if_any(row)?, keys.optional) {
        (Some(path), _) => path,
        (None, true) => return Ok(None),
        (None, false) => keys.path.text(row)?,
    };
    let kind = match &keys.kind {
        Some(kind) => match kind.text(row)?.as_str() {
            "image" => MediaKind::Image,
            "video" => MediaKind::Video,
            "frames" => MediaKind::Frames,
            "days" => MediaKind::Days,
            other => {
                return Err(format!("unknown kind of medium {other:?}; known: image, video, frames, days"));
            }
        },
        None => by_ending(&path),
    };
    let seconds = |key: &Option<Expression>| -> Result<Option<f64>, Reason> {
        let Some(text) = key.as_ref().map_or(Ok(None), |key| key.text_if_any(row))? else { return Ok(None) };
        let seconds = number(&Value::String(text))? / keys.per_second;
        if seconds < 0.0 {
            Err(format!("{seconds} seconds is before the beginning"))
        } else {
            Ok(Some(seconds))
        }
    };
    let (start, end) = (seconds(&keys.start)?, seconds(&keys.end)?);
    if end.is_some_and(|end| end <= start.unwrap_or(0.0)) {
        return Err(format!("the part of {path} ends before it begins"));
    }
    let path = match path.starts_with("data:") {
        true => path,
        false => dir.join(super::inside(&path)?).to_string_lossy().into_owned(),
    };
    let fps = keys.fps.filter(|_| kind == MediaKind::Frames);
    Ok(Some(MediaRef { path, kind, start, end, fps }))
}

fn by_ending(path: &str) -> MediaKind {
    let ending = path.rsplit_once('.').map_or("", |(_, ending)| ending).to_ascii_lowercase();
    let picture = ["png", "jpg", "jpeg", "webp", "bmp", "tif", "tiff"].contains(&ending.as_str());
    if picture || path.starts_with("data:image/") { MediaKind::Image } else { MediaKind::Video }
}

fn groups(benchmark: &Benchmark, row: &Row, kind: Kind) -> Result<BTreeMap<String, String>, Reason> {
    let mut groups = BTreeMap::from([("type".to_owned(), kind.name().to_owned())]);
    for (name, group) in &benchmark.groups {
        let value = match group {
            Group::Named(value) => value.text_if_any(row)?,
            Group::Found(found) => {
                let text = found.text.text_if_any(row)?.unwrap_or_default();
                found
                    .find
                    .iter()
                    .find(|[words, _]| text.contains(words.as_str()))
                    .map(|[_, name]| name.clone())
            }
        };
        if let Some(value) = value {
            let value = benchmark.rename.get(&value).cloned().unwrap_or(value);
            groups.insert(name.clone(), value);
        }
    }
    Ok(groups)
}
