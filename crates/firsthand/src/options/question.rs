//! How a question is put: style, type, options. The words are `tasks`'; this file maps flags onto them.

use anyhow::Result;
use clap::{Args, ValueEnum};
use firsthand_base::{Conversation, Message, Part, Role};
use firsthand_media::Opener;
use firsthand_tasks::{Kind, Question, Style};

use crate::reply::first_size;

/// `--style`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum StyleFlag {
    /// The question as it is.
    #[default]
    Plain,
    /// Video-R1: think, then answer.
    VideoR1,
    /// ST-R1: think, then answer, about routes and landmarks.
    StR1,
    /// SpatialThinker, as its model card asks: observe, draw a scene graph, think, answer.
    #[value(name = "spatialthinker")]
    SpatialThinker,
    /// The same as its evaluation scripts ask, with the placeholders that they leave unfilled.
    #[value(name = "spatialthinker-eval-literal")]
    SpatialThinkerEvalLiteral,
    /// The same at the length of its training rows, with the schema of the scene graph and an example.
    #[value(name = "spatialthinker-train")]
    SpatialThinkerTrain,
    /// EgoThinker: first-person multiple choice, intervals, boxes.
    #[value(name = "egothinker")]
    EgoThinker,
}

/// `--type`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum TypeFlag {
    /// The letter of one of --options.
    MultipleChoice,
    /// A number.
    Numerical,
    /// Text read from the picture.
    Ocr,
    /// Words.
    FreeForm,
    /// A number scored by how close it is.
    Regression,
    /// Start and end in seconds (egothinker only; the question names the event).
    Interval,
    /// A box (egothinker only; the question names the object).
    Box,
}

/// Flags that shape the prompt.
#[derive(Args)]
#[command(next_help_heading = "Question")]
pub(crate) struct QuestionFlags {
    /// Whose published prompt to use.
    #[arg(long, value_name = "NAME", default_value = "plain")]
    pub(crate) style: StyleFlag,
    /// What kind of answer is wanted. Default: multiple-choice with --options, else free-form.
    #[arg(long = "type", value_name = "TYPE")]
    pub(crate) kind: Option<TypeFlag>,
    /// The options of a multiple-choice question, separated by `|`, or given several times.
    #[arg(long, value_name = "A|B|...", value_delimiter = '|')]
    pub(crate) options: Vec<String>,
}

impl StyleFlag {
    pub(crate) fn style(self) -> Style {
        match self {
            StyleFlag::Plain => Style::Plain,
            StyleFlag::VideoR1 => Style::VideoR1,
            StyleFlag::StR1 => Style::StR1,
            StyleFlag::SpatialThinker => Style::SpatialThinker,
            StyleFlag::SpatialThinkerEvalLiteral => Style::SpatialThinkerEvalLiteral,
            StyleFlag::SpatialThinkerTrain => Style::SpatialThinkerTrain,
            StyleFlag::EgoThinker => Style::EgoThinker,
        }
    }

    /// By the name used on the command line.
    pub(crate) fn named(name: &str) -> Option<StyleFlag> {
        <StyleFlag as ValueEnum>::from_str(name, false).ok()
    }
}

impl TypeFlag {
    fn kind(self) -> Kind {
        match self {
            TypeFlag::MultipleChoice => Kind::MultipleChoice,
            TypeFlag::Numerical => Kind::Numerical,
            TypeFlag::Ocr => Kind::Ocr,
            TypeFlag::FreeForm => Kind::FreeForm,
            TypeFlag::Regression => Kind::Regression,
            TypeFlag::Interval => Kind::Interval,
            TypeFlag::Box => Kind::Box,
        }
    }

    /// By the name used on the command line.
    pub(crate) fn named(name: &str) -> Option<TypeFlag> {
        <TypeFlag as ValueEnum>::from_str(name, false).ok()
    }
}

/// The type asked for, or the one that the options imply.
pub(crate) fn kind_of(flag: Option<TypeFlag>, options: &[String]) -> Kind {
    match flag {
        Some(flag) => flag.kind(),
        None if options.is_empty() => Kind::FreeForm,
        None => Kind::MultipleChoice,
    }
}

/// One question about some media, put in a style. The first medium is looked at only where the prompt states the
/// size of its pictures.
pub(crate) fn conversation(
    style: Style,
    kind: Kind,
    text: &str,
    options: &[String],
    media: Vec<Part>,
    opener: &Opener,
) -> Result<Conversation> {
    let size = if style.states_size() { first_size(&media, opener)? } else { None };
    let prompt = style.prompt(&Question { text, kind, options, size })?;
    let mut parts = media;
    let at = if prompt.media_first { parts.len() } else { 0 };
    parts.insert(at, Part::Text(prompt.user));
    let mut messages = Vec::new();
    if let Some(system) = prompt.system {
        messages.push(Message::new(Role::System, vec![Part::Text(system)]));
    }
    messages.push(Message::new(Role::User, parts));
    Ok(Conversation { messages })
}
