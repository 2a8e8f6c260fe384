//! A memory with everything that looks into it: the tools, by whom they look, whose memory it is and when it is. Shared by
//! `ask --memory`, `data cott` and whoever serves the tools.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use anyhow::Result;
use clap::Args;
use firsthand_agent::cott::{Asked, read_questions};
use firsthand_agent::footage::{Footage, Remembered};
use firsthand_agent::routes::Service;
use firsthand_agent::tools::{ImageTool, Looking, Rag, VideoTool, read_tools};
use firsthand_agent::{CallRules, Memories, Tool, Toolbox, Tools};
use firsthand_base::{Damaged, Generate, Manifest, Moment};
use firsthand_media::{Opener, OpenerOptions};
use firsthand_memory::{Embed, Level, Scope};
use firsthand_serve::{Days, OpenDays};

use crate::embed::{EncoderFlags, Reader};
use crate::failure::failure;
use crate::options::model::ModelFlags;
use crate::role::Role;
use crate::session;
use crate::tiny;

/// Tokens planned for one look at a video.
const LOOK_TOKENS: usize = 16_384;

/// Flags that say who looks and with what.
#[derive(Args)]
#[command(next_help_heading = "Tools (with --memory)")]
pub(crate) struct ToolFlags {
    /// Which of the built-in tools are offered. Default: all that the memory has recordings for.
    #[arg(long, value_name = "NAME,...", value_delimiter = ',', value_parser = ["rag", "video_llm", "vlm"])]
    pub(crate) offer: Vec<String>,
    /// Offer the tools described in a file (TOML or JSON: [[tool]] with name, about, schema, command or url). May be given
    /// several times.
    #[arg(long, value_name = "FILE")]
    pub(crate) tools: Vec<PathBuf>,
    /// Who watches recordings: what --model takes, or URL#NAME. Default: --model.
    #[arg(long, value_name = "WHO")]
    pub(crate) video_model: Option<String>,
    /// Who looks at single frames. Default: --video-model.
    #[arg(long, value_name = "WHO")]
    pub(crate) image_model: Option<String>,
    /// Records that one search shows.
    #[arg(long, value_name = "N", default_value_t = 3)]
    pub(crate) top: usize,
    /// Most characters of what a tool found that are read; the rest is cut and told.
    #[arg(long, value_name = "N", default_value_t = 8000)]
    pub(crate) observation_characters: usize,
    #[command(flatten)]
    pub(crate) encoder: EncoderFlags,
}

/// A memory and its tools.
pub(crate) struct Recollection {
    pub(crate) tools: Arc<dyn Tools>,
    /// What it looks into.
    pub(crate) memories: Memories,
    /// Whether an encoder reads the questions.
    pub(crate) reads_meaning: bool,
    /// What made what the tools say, by role.
    pub(crate) manifests: BTreeMap<String, Manifest>,
}

impl Recollection {
    /// Opens a memory and the models that look. Models are loaded only for tools that are offered.
    pub(crate) fn open(folder: &Path, flags: &ToolFlags, model: &ModelFlags) -> Result<Recollection> {
        let memories = memories(folder)?;
        let reader = flags.encoder.open()?;
        if let Some(reader) = &reader
            && attach(&memories, reader)? == 0
        {
            return Err(failure(
                format!("no memory in {} has vectors of {}", folder.display(), reader.name()),
                "make them: firsthand remember --memory DIR --encoder DIR, for each memory",
            ));
        }
        let offered = |name: &str| flags.offer.is_empty() || flags.offer.iter().any(|other| other == name);
        let mut manifests = BTreeMap::new();
        let mut tools: Vec<Arc<dyn Tool>> = Vec::new();
        if offered("rag") {
            tools.push(Arc::new(Rag::new(memories.clone(), flags.top)));
        }
        let has_recordings = !flags.offer.is_empty() || has_recordings(&memories)?;
        if has_recordings && (offered("video_llm") || offered("vlm")) {
            let footage: Arc<dyn Footage> = Arc::new(Remembered::new(memories.clone()));
            looks(flags, model, footage, &offered, &mut tools, &mut manifests)?;
        }
        for path in &flags.tools {
            for tool in read_tools(path)? {
                tools.push(Arc::new(tool));
            }
        }
        let rules = CallRules { most_characters: flags.observation_characters, ..CallRules::default() };
        let tools = Arc::new(Toolbox::new(tools, rules)?);
        Ok(Recollection { tools, memories, manifests, reads_meaning: reader.is_some() })
    }

    /// The questions of a file, with the wearers' names as the memory has them.
    pub(crate) fn questions(&self, file: &Path, wearer: Option<&str>) -> Result<Vec<Asked>> {
        let mut asked = read_questions(file, wearer)?;
        for one in &mut asked {
            let known = self.memories.named(&one.question.wearer);
            one.question.wearer = known.ok_or_else(|| {
                let list: Vec<&str> = self.memories.wearers().take(20).map(String::as_str).collect();
                let (id, wearer) = (&one.question.id, &one.question.wearer);
                failure(
                    format!("question {id} is about {wearer}, who is not remembered"),
                    format!("the memory is of {}", list.join(", ")),
                )
            })?;
        }
        Ok(asked)
    }

    /// The wearer that a name means; without a name the only one.
    pub(crate) fn wearer(&self, name: Option<&str>) -> Result<String> {
        let known: Vec<&String> = self.memories.wearers().collect();
        let list = known.iter().map(|name| name.as_str()).collect::<Vec<_>>().join(", ");
        match (name, &known[..]) {
            (Some(name), _) => self.memories.named(name).ok_or_else(|| {
                failure(format!("nobody here is called {name}"), format!("--wearer is one of {list}"))
            }),
            (None, [only]) => Ok((*only).clone()),
            (None, _) => {
                Err(failure("several people are remembered here", format!("say whose: --wearer {list}")))
            }
        }
    }

    /// Now: the moment asked for, else the end of what the wearer has.
    pub(crate) fn clock(&self, at: Option<&str>, wearer: &str) -> Result<Moment> {
        if let Some(text) = at {
            return text
                .parse::<Moment>()
                .map_err(|error| failure(format!("--at: {error}"), "e.g. --at DAY3_18000000"));
        }
        let Some(memory) = self.memories.of(wearer) else { return Ok(Moment::START) };
        let mut memory = memory.lock().map_err(|_| anyhow::anyhow!("the memory is broken"))?;
        Ok(memory.store().latest()?.unwrap_or(Moment::START))
    }
}

/// Whether any clip stands on a file that is there.
fn has_recordings(memories: &Memories) -> Result<bool> {
    let scope = Scope { level: Some(Level::Clip), ..Scope::default() };
    let there = |file: &str| file.contains("://") || Path::new(file).exists();
    for memory in memories.each() {
        let mut memory = memory.lock().map_err(|_| anyhow::anyhow!("the memory is broken"))?;
        let some = memory.store().range(&scope, 8)?;
        if some.iter().flat_map(|clip| &clip.evidence).any(|evidence| there(&evidence.file)) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// The tools that look at recordings, each with its model; one model where both have the same.
fn looks(
    flags: &ToolFlags,
    model: &ModelFlags,
    footage: Arc<dyn Footage>,
    offered: &dyn Fn(&str) -> bool,
    tools: &mut Vec<Arc<dyn Tool>>,
    manifests: &mut BTreeMap<String, Manifest>,
) -> Result<()> {
    let opener = session::opener(false, Damaged::Refuse)?;
    let video = flags.video_model.as_deref().or(model.model.as_deref());
    let image = flags.image_model.as_deref().or(video);
    let mut made: Option<(Option<&str>, Looking, Manifest)> = None;
    for (name, role, word) in [("video_llm", "video", video), ("vlm", "image", image)] {
        if !offered(name) {
            continue;
        }
        let (looking, manifest) = match &made {
            Some((before, looking, manifest)) if *before == word => (looking.clone(), manifest.clone()),
            _ => {
                let who = if role == "video" { "video-model" } else { "image-model" };
                let role = Role::open(who, word, model, &opener, LOOK_TOKENS)?;
                let sampling = role.sampling()?;
                let (max_tokens, manifest) = (role.defaults.stop.max_tokens.min(512), role.manifest);
                let model: Arc<Mutex<dyn Generate + Send>> = Arc::new(Mutex::new(role.model));
                let is_tiny = manifest.model == tiny::NAME;
                let looking = Looking {
                    sampling,
                    max_tokens,
                    // firsthand-tiny was taught with clips of a few frames.
                    max_frames: if is_tiny { 8 } else { 64 },
                    ..Looking::new(model)
                };
                made = Some((word, looking.clone(), manifest.clone()));
                (looking, manifest)
            }
        };
        manifests.insert(role.to_owned(), manifest);
        let tool: Arc<dyn Tool> = match name {
            "video_llm" => Arc::new(VideoTool::new(footage.clone(), looking)),
            _ => Arc::new(ImageTool::new(footage.clone(), originals()?, looking)),
        };
        tools.push(tool);
    }
    Ok(())
}

/// An opener for stills at full size.
fn originals() -> Result<Arc<Opener>> {
    let options = OpenerOptions { keep_originals: true, keep_bytes: 0, ..OpenerOptions::default() };
    Ok(Arc::new(Opener::new(options)))
}

/// Records that one search of a served memory shows.
const SERVED_TOP: usize = 3;

/// The memories in a folder, which are to hold something.
pub(crate) fn memories(folder: &Path) -> Result<Memories> {
    let memories = Memories::open(folder)?;
    if memories.records() == 0 {
        return Err(failure(
            format!("nothing is remembered in {}", folder.display()),
            "fill it first, e.g. with `firsthand remember`",
        ));
    }
    Ok(memories)
}

/// Has an encoder read the questions to every memory whose vectors are its own, and says how many these are; the others
/// are searched by words.
pub(crate) fn attach(memories: &Memories, reader: &Reader) -> Result<usize> {
    let mut attached = 0;
    for memory in memories.each() {
        let mut memory = memory.lock().map_err(|_| anyhow::anyhow!("the memory is broken"))?;
        if memory.store().encoder()?.is_some_and(|kept| kept.name == reader.name()) {
            memory.attach(Box::new(reader.clone()));
            attached += 1;
        }
    }
    Ok(attached)
}

/// Memories for servers: their tools are made once the model that looks is there.
pub(crate) fn days(memories: Memories, model: &str) -> OpenDays {
    let wearers: Vec<String> = memories.wearers().cloned().collect();
    let clock = memories.last().unwrap_or(Moment::START);
    let is_tiny = model == tiny::NAME;
    Box::new(move |looker| {
        // firsthand-tiny was taught with clips of a few frames.
        let looking = Looking { max_frames: if is_tiny { 8 } else { 64 }, ..Looking::new(looker) };
        let footage: Arc<dyn Footage> = Arc::new(Remembered::new(memories.clone()));
        let stills = originals().map_err(|error| crate::failure::text(&error))?;
        let rag = Arc::new(Rag::new(memories, SERVED_TOP));
        let video = Arc::new(VideoTool::new(footage.clone(), looking.clone()));
        let image = Arc::new(ImageTool::new(footage, stills, looking.clone()));
        let all: Vec<Arc<dyn Tool>> = vec![rag.clone(), video.clone(), image.clone()];
        let tools = Toolbox::new(all, CallRules::default()).map_err(|error| error.to_string())?;
        let service = Service {
            rag,
            video: Some(video),
            image: Some(image),
            watching: Some(looking),
            roots: Vec::new(),
            wearers: wearers.clone(),
            wearer: None,
            clock: Some(clock),
        };
        Ok(Days { service, tools: Arc::new(tools), wearers, clock })
    })
}
