//! `ask`: one question about some media. Streams the reasoning, shows the answer apart, draws boxes.

mod investigate;
mod show;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use clap::Args;
use firsthand_base::{
    Conversation, Damaged, Finish, Manifest, Part, Rendered, Sampling, Span, VideoPart, VideoSource,
};
use firsthand_engine::{EngineOptions, Local, Update};
use firsthand_input::Renderer;
use firsthand_media::{Opener, Picture, is_inline};
use firsthand_model::ModelRunner;

use crate::atomic::AtomicFile;
use crate::canvas::Canvas;
use crate::failure::{failure, wrong_usage};
use crate::options::media::{MediaFlags, MediaRules, Moving};
use crate::options::model::ModelFlags;
use crate::options::question::{self, QuestionFlags};
use crate::options::sampling::{Choosing, SamplingFlags};
use crate::progress::{Progress, Unit};
use crate::reading;
use crate::reply::{Reply, View, words_of_option};
use crate::session::{STEP_TOKENS, Session, largest_medium, opener};
use crate::tiny;

const EXAMPLES: &str = "\
Examples:
  firsthand world make --seed 7 --minutes 0.067 --at 07:00:25 --out home
  firsthand ask home/DAY1/*.mp4 \"what do i do with my hand ?\" --options 'pick up the red toy car|put down the red toy car'
  firsthand ask clip.mp4 \"What do I pick up?\" --model Qwen/Qwen2.5-VL-3B-Instruct
  firsthand ask clip.mp4 \"Where did I go?\" --options 'left|right' --style video-r1 --model Video-R1/Video-R1-7B \\
      --max-frames 16 --max-pixels 200704
  firsthand ask desk.jpg \"Which is nearer, the cup or the lamp?\" --options 'the cup|the lamp' \\
      --style spatialthinker --model OX-PIXL/SpatialThinker-7B --draw boxes.png
  firsthand ask walk.mp4 \"How do I get back?\" --style st-r1 --model ./ST-R1 --spread st-r1 --frames 8 --max-pixels 151200
  firsthand ask before.jpg after.jpg \"What changed?\" --model ./checkpoint --quantize q4_k
  firsthand ask --messages conversation.json --model ./checkpoint --json
  firsthand ask desk.jpg \"Where is the cup?\" --style spatialthinker --model OX-PIXL/SpatialThinker-7B --show-prompt
  firsthand ask --memory week \"where did i leave the red cup ?\" --at DAY3_18000000
  firsthand ask --memory week \"who borrowed the drill ?\" --options 'anna|ben' --agent-model http://127.0.0.1:8000/v1#Ego-R1-Agent-3B

The last word is the question, all before it are media. The reasoning streams as it is written, the answer follows
apart. Sampling follows the checkpoint's generation_config.json unless a flag says otherwise; what is in force is
printed first. What a file is, its bytes say; a GIF, APNG or WebP that moves is a film where a flag chooses frames,
and a note says which way it was taken. With --messages, flags for frames and pixels override what the file says.
Boxes are drawn on the first medium (of a video: on its first chosen frame) and reported in its original pixels.";

/// Ask a question about images and videos.
#[derive(Args)]
#[command(after_help = EXAMPLES, override_usage = "firsthand ask [MEDIA]... \"QUESTION\" [--model <DIR|owner/name>] [OPTIONS]\n       firsthand ask --messages <FILE> [--model <DIR|owner/name>] [OPTIONS]\n       firsthand ask --memory <DIR> \"QUESTION\" [--at <MOMENT>] [--agent-model <WHO>] [OPTIONS]")]
pub(crate) struct AskOptions {
    /// Images and videos (paths, file://, http(s):// or data: locations), then the question.
    #[arg(
        value_name = "MEDIA... QUESTION",
        required_unless_present = "messages",
        conflicts_with = "messages"
    )]
    words: Vec<String>,
    /// Ask with a conversation in the reference format (JSON) instead.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["style", "kind", "options"])]
    messages: Option<PathBuf>,
    /// Draw the boxes of the answer or its scene graph on the picture, as PNG.
    #[arg(long, value_name = "FILE.png")]
    draw: Option<PathBuf>,
    /// Print one JSON object with the answer, the prompt (`prompt_text`) and the manifest of what made it, instead of streaming.
    #[arg(long)]
    json: bool,
    /// Print the prompt as the model would read it, and answer nothing: no weights are read. A medium is one placeholder
    /// with the number of its tokens.
    #[arg(long, conflicts_with_all = ["memory", "draw"])]
    show_prompt: bool,
    #[command(flatten)]
    memory: investigate::MemoryFlags,
    #[command(flatten)]
    question: QuestionFlags,
    #[command(flatten)]
    model: ModelFlags,
    #[command(flatten)]
    sampling: SamplingFlags,
    #[command(flatten)]
    media: MediaFlags,
}

/// Asks and shows.
pub(crate) fn run(options: &AskOptions) -> Result<()> {
    if let Some(folder) = &options.memory.memory {
        return investigate::run(options, folder);
    }
    let rules = options.media.rules()?;
    let opener = opener(false, options.media.damaged.value())?;
    let session = Session::open(&options.model, opener.clone())?;
    let choosing = options.sampling.resolve(session.renderer.generation_defaults())?;
    let conversation = conversation(options, &rules, &opener)?;
    if let Some(path) = &options.draw {
        check_drawing(path, &conversation)?;
    }
    let opening = Progress::working("opening media");
    let started = Instant::now();
    let rendered = session.renderer.input(&conversation)?;
    let rendering = started.elapsed();
    drop(opening);
    let moving = Moving::find(&conversation, &opener);
    if !options.json {
        show::notes(&rendered, &moving, &choosing)?;
        if options.model.model.is_none() {
            show::note(tiny::NOTE)?;
        }
    }
    let settings = settings(options, &choosing, &moving);
    let manifest = firsthand_input::manifest(&session.manifest, &rendered.prompt, &rendered.media, settings);
    if options.show_prompt {
        return show::prompt(&rendered, &manifest, session.renderer.tokenizer(), options.json);
    }
    let tokens = rendered.input.ids.len() + choosing.stop.max_tokens;
    let (renderer, runner) = session.load(tokens, largest_medium(&rendered.input))?;
    let kept = runner.model().unquantised.len();
    if kept > 0 && !options.json {
        show::note(&format!(
            "{kept} matrices stay unquantised: their sides are not whole blocks of the format"
        ))?;
    }
    let step = EngineOptions { step_tokens: STEP_TOKENS, max_sequences: 1, ..EngineOptions::default() };
    let mut local = Local::new(runner, renderer, step)?;
    let finished = answer(&mut local, rendered, rendering, &choosing, options)?;
    let (style, family) = (options.question.style.style(), local.renderer().family());
    let view = View { style, family, opener: &opener, options: &options.question.options };
    let reply = Reply::new(finished, manifest, &view, &conversation);
    // The answer comes first: it is not lost when it holds nothing to draw.
    if options.json {
        writeln!(std::io::stdout(), "{}", serde_json::to_string_pretty(&reply)?)?;
    } else if reply.finish == Finish::Length {
        let full = reply.new_tokens < choosing.stop.max_tokens;
        let why = if full { "the context is full" } else { "--max-tokens allows more" };
        show::note(&format!("the answer was cut after {} tokens; {why}", reply.new_tokens))?;
    }
    if let Some(path) = &options.draw {
        draw(
            path,
            &reply,
            first_picture(&conversation, local.renderer(), &reply.manifest, options.media.damaged.value())?,
        )?;
    }
    Ok(())
}

/// Refuses what cannot be drawn on, or written to, before the model is asked.
fn check_drawing(path: &Path, conversation: &Conversation) -> Result<()> {
    if conversation.parts().all(|part| matches!(part, Part::Text(_))) {
        return Err(no_picture());
    }
    drop(AtomicFile::create(path)?);
    Ok(())
}

fn no_picture() -> anyhow::Error {
    failure("there is no picture to draw on: --draw", "ask about an image or a video")
}

/// The conversation that the words, or the file, stand for.
fn conversation(options: &AskOptions, rules: &MediaRules, opener: &Arc<Opener>) -> Result<Conversation> {
    if let Some(path) = &options.messages {
        let text = reading::text(path)?;
        let mut conversation =
            firsthand_input::read_messages(&text).with_context(|| path.display().to_string())?;
        rules.override_all(&mut conversation)?;
        rules.check_used(&conversation)?;
        return Ok(conversation);
    }
    let Some((text, locations)) = options.words.split_last() else {
        return Err(wrong_usage("ask something: firsthand ask MEDIA... \"QUESTION\""));
    };
    if text.trim().is_empty() {
        return Err(wrong_usage("the question, which is the last word, is empty"));
    }
    let is_address = (["http://", "https://", "file://"].iter().any(|scheme| text.starts_with(scheme))
        || is_inline(text))
        && !text.contains(char::is_whitespace);
    if is_address || Path::new(text).is_file() {
        let location = firsthand_media::display_location(text);
        return Err(wrong_usage(format!("the last word is the question, and this is a medium: {location}")));
    }
    let media = locations.iter().map(|location| rules.part(location, opener)).collect::<Result<Vec<_>>>()?;
    let kind = question::kind_of(options.question.kind, &options.question.options);
    let conversation = question::conversation(
        options.question.style.style(),
        kind,
        text,
        &options.question.options,
        media,
        opener,
    )?;
    rules.check_used(&conversation)?;
    Ok(conversation)
}

/// Every setting that shaped the answer, by name.
fn settings(options: &AskOptions, choosing: &Choosing, moving: &[Moving]) -> Vec<(String, String)> {
    let mut settings = choosing.settings();
    settings.extend(Moving::setting(moving));
    settings.push(("style".to_owned(), options.question.style.style().name().to_owned()));
    settings
}

/// The first medium's first chosen picture as it was before resizing. It is decoded again, because all frames of a
/// long video at full size are many gigabytes.
fn first_picture(
    conversation: &Conversation,
    renderer: &Renderer,
    manifest: &Manifest,
    damaged: Damaged,
) -> Result<Option<Picture>> {
    let Some(rule) = renderer.sizes() else { return Ok(None) };
    let opener = opener(true, damaged)?;
    let first = manifest.media.first().and_then(|medium| medium.frames.first());
    let time = first.map_or(0.0, |frame| frame.time.seconds());
    let prepared = match conversation.parts().find(|part| !matches!(part, Part::Text(_))) {
        Some(Part::Image(image)) => opener.image(image, rule)?,
        Some(Part::Video(video)) => opener.video(&one_frame(video, time), rule)?,
        _ => return Ok(None),
    };
    Ok(prepared.originals.into_iter().next())
}

/// The video of which only the frame at `time` is wanted; a list of pictures is opened as it was shown.
fn one_frame(video: &VideoPart, time: f64) -> VideoPart {
    let sampling = match &video.source {
        VideoSource::Images(_) => video.sampling.clone(),
        VideoSource::File(_) => Sampling::Timestamps(vec![time]),
    };
    let span = match &video.source {
        VideoSource::Images(_) => video.span,
        VideoSource::File(_) => Span::default(),
    };
    VideoPart { sampling, span, ..video.clone() }
}

/// Runs the model to the end of the answer, showing it on the way unless it is to be reported as JSON.
fn answer(
    local: &mut Local<ModelRunner, Renderer>,
    rendered: Rendered,
    rendering: Duration,
    choosing: &Choosing,
    options: &AskOptions,
) -> Result<firsthand_engine::Answer> {
    let (silent, offered) = (options.json, &options.question.options);
    let count = rendered.input.ids.len() as u64;
    local.submit(rendered, rendering, &choosing.sampling, &choosing.stop)?;
    // The first step runs the vision tower, which cannot say how far it is.
    let mut looking = Some(Progress::working("looking"));
    let mut reading = Some(Progress::new("reading the prompt", count, &Unit::Things("tokens")));
    let mut read = 0;
    let mut screen = show::Streamed::default();
    loop {
        let updates = local.step();
        drop(looking.take());
        for update in updates {
            match update {
                Update::Token(..) => {}
                Update::Text(_, piece) => {
                    reading = None;
                    if !silent {
                        screen.push(&piece)?;
                    }
                }
                Update::Over(_, finished) => {
                    drop(reading);
                    let finished = (*finished)?;
                    if !silent {
                        screen.finish(&words_of_option(&finished.generation.text, offered))?;
                    }
                    return Ok(finished);
                }
            }
        }
        if let Some(progress) = &reading {
            let now = local.stats().tokens;
            progress.add(now - std::mem::replace(&mut read, now));
        }
    }
}

fn draw(path: &Path, reply: &Reply, picture: Option<Picture>) -> Result<()> {
    const COLOURS: [[u8; 3]; 6] =
        [[230, 60, 60], [60, 190, 80], [70, 120, 240], [240, 180, 40], [190, 80, 220], [60, 200, 210]];
    let Some(picture) = picture else {
        return Err(no_picture());
    };
    if reply.boxes.is_empty() {
        return Err(failure(
            format!("the answer holds no box to draw: {}", path.display()),
            "ask for a box or a scene graph, e.g. with --style spatialthinker",
        ));
    }
    let mut canvas = Canvas::of(&picture);
    let scale = (picture.width / 320).clamp(1, 6);
    for (labelled, colour) in reply.boxes.iter().zip(COLOURS.iter().cycle()) {
        let corners = labelled.bounds.0;
        canvas.outline(corners, scale.max(2), *colour);
        if let Some(label) = &labelled.label {
            let [rows, columns] = Canvas::extent(label, scale);
            let (top, left) = (corners[1].max(0.0) as usize, corners[0].max(0.0) as usize);
            let top = top.saturating_sub(rows + 2 * scale);
            canvas.fill([top, left], [rows + 2 * scale, columns + scale], *colour);
            canvas.write(label, [top + scale, left + scale], scale, [255; 3]);
        }
    }
    canvas.save(path)
}
