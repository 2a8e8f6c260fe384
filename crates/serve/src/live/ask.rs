//! A question to a session: what is seen as pictures, what is remembered as words, and then the question. The rest is the
//! chat machinery, as for every request.

use std::sync::Arc;

use firsthand_base::{Conversation, Moment, Part, PixelLimits, Role, Sampling, Span, VideoPart, VideoSource};
use firsthand_input::Renderer;
use firsthand_memory::{Level, Memory, Query, Record, Scope};
use serde_json::{Value, json};

use super::window::{Item, Kind};
use super::{Rule, Session};
use crate::refusal::{Answered, Refusal};

/// Most records that a question is reminded of.
const MOST_RECORDS: usize = 8;
/// Time before the window of which every clip is told, whatever the words.
const RECENT_MS: i64 = 120_000;
/// Share of the context that what is remembered may take.
const SHARE: usize = 8;
/// Smallest frames that are not made larger.
const LEAST_PIXELS: usize = 3136;

/// A question with what is seen put before it.
pub(crate) struct Prompted {
    pub(crate) conversation: Conversation,
    /// What the answer stands on, beside the manifest.
    pub(crate) told: Value,
}

/// The items of a session as parts of a prompt, with the second at which each begins: pictures of one size in a row are
/// one video with their times, a piece of film is a video of its own.
pub(super) fn parts(session: &Session, items: &[Item], most_frames: usize) -> Vec<(Part, f64)> {
    let most = session.about.max_pixels;
    let limits = PixelLimits {
        min_pixels: Some(LEAST_PIXELS.min(most)),
        max_pixels: Some(most),
        ..PixelLimits::default()
    };
    let location = |item: &Item| format!("{}/{}", session.id, item.name());
    let same = |a: &Item, b: &Item| a.kind != Kind::Film && b.kind != Kind::Film && a.size == b.size;
    let runs = items.chunk_by(same);
    let part = |run: &[Item]| {
        let (source, sampling) = match run {
            [film] if film.kind == Kind::Film => (
                VideoSource::File(location(film)),
                Sampling::Rate { fps: session.about.fps, min_frames: 2, max_frames: most_frames.max(2) },
            ),
            pictures => (
                VideoSource::Images(pictures.iter().map(location).collect()),
                Sampling::Timestamps(pictures.iter().map(Item::start_s).collect()),
            ),
        };
        Part::Video(VideoPart {
            source,
            sampling,
            span: Span::default(),
            limits,
            sample_fps: None,
            damaged: firsthand_base::Damaged::Refuse,
        })
    };
    runs.map(|run| (part(run), run[0].start_s())).collect()
}

/// Puts before a question what a session sees and what it remembers of it. Blocks.
pub(crate) fn beside(
    session: &Arc<Session>,
    rule: &Rule,
    renderer: &Renderer,
    mut conversation: Conversation,
) -> Answered<Prompted> {
    if conversation.parts().any(|part| !matches!(part, Part::Text(_))) {
        let message =
            "messages: a question to a session has words alone; what it sees is what was sent to it";
        return Err(Refusal::field("messages", message));
    }
    let Some(question) = conversation.messages.last_mut().filter(|message| message.role == Role::User) else {
        return Err(Refusal::field("messages", "messages: the last one is to be the user's question"));
    };
    let all = session.items();
    let items = &all[rule.shown(&all)];
    let (Some(first), Some(last)) = (items.first(), items.last()) else {
        return Err(Refusal::bad("this session has seen nothing; send frames or segments first"));
    };
    let words: Vec<&str> = question
        .parts
        .iter()
        .filter_map(|part| if let Part::Text(text) = part { Some(text.as_str()) } else { None })
        .collect();
    let records = match session.old().map_err(|error| Refusal::internal(&error))? {
        Some(mut memory) => {
            let (now, from) = (session.moment(last.end_us), session.moment(first.start_us));
            let found = recall(&mut memory, &words.join("\n"), now, from);
            fitting(found.map_err(|error| Refusal::internal(&error.to_string()))?, renderer)
        }
        None => Vec::new(),
    };
    let mut before = Vec::new();
    if !records.is_empty() {
        let notes: Vec<String> = records.iter().map(note).collect();
        before.push(Part::Text(include_str!("earlier.txt").replace("{notes}", &notes.join("\n"))));
    }
    before.extend(parts(session, items, rule.frames).into_iter().map(|(part, _)| part));
    question.parts.splice(0..0, before);
    let told = json!({
        "session": session.id,
        "window": {"from": first.start_s(), "to": last.end_s(), "frames": items.iter().map(|item| item.frames).sum::<usize>()},
        "recalled": records.iter().map(told).collect::<Vec<_>>(),
    });
    Ok(Prompted { conversation, told })
}

/// Records that the words lead to, and the clips just before what is seen, by time.
fn recall(
    memory: &mut Memory,
    words: &str,
    now: Moment,
    from: Moment,
) -> firsthand_memory::Result<Vec<Record>> {
    let query = Query { clock: Some(now), top: MOST_RECORDS / 2, ..Query::new(words) };
    // A question without a word to look for leads nowhere, which is no failure.
    let hits = match memory.recall(&query) {
        Err(firsthand_memory::Error::Query(_)) => Vec::new(),
        hits => hits?,
    };
    let mut records: Vec<Record> = hits.into_iter().map(|hit| hit.record).collect();
    let recent = Scope {
        level: Some(Level::Clip),
        wearer: None,
        from: Some(from.plus_ms(-RECENT_MS)),
        to: Some(from),
        ended_by: None,
    };
    let recent = memory.store().range(&recent, usize::MAX)?;
    for record in recent.into_iter().rev().take(MOST_RECORDS / 2) {
        if records.iter().all(|known| known.id != record.id) {
            records.push(record);
        }
    }
    records.sort_by_key(|record| (record.start, record.id));
    Ok(records)
}

/// As many as their share of the context holds.
fn fitting(mut records: Vec<Record>, renderer: &Renderer) -> Vec<Record> {
    let mut left = renderer.context_length() / SHARE;
    records.retain(|record| {
        let tokens = renderer.tokenizer().encode(&note(record)).map_or(usize::MAX, |ids| ids.len());
        let fits = tokens <= left;
        left -= if fits { tokens } else { 0 };
        fits
    });
    records
}

/// A record as a reply tells it, with times that can be read.
fn told(record: &Record) -> Value {
    let mut value = json!(record);
    value["start"] = record.start.to_string().into();
    value["end"] = record.end.to_string().into();
    value
}

fn note(record: &Record) -> String {
    let clock = |moment: Moment| {
        let seconds = moment.ms_of_day() / 1000;
        format!("{:02}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60)
    };
    format!("[day {}, {} to {}] {}", record.start.day(), clock(record.start), clock(record.end), record.text)
}
