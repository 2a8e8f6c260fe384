//! A question in the making: what a maker of a family fills in, and how options are shuffled. Ids, observations and
//! scene graphs are added by one place for all.

use super::question::{Gold, ProblemType};
use crate::rng::Rng;
use crate::things::ThingId;

/// What a maker gives.
pub(crate) struct Draft {
    pub kind: &'static str,
    pub problem_type: ProblemType,
    pub question: String,
    pub options: Vec<String>,
    pub answer: Gold,
    pub chance: f64,
    pub think: String,
    /// Things that the scene graph of a frame names, in order.
    pub things: Vec<ThingId>,
    /// Relations of the scene graph: first, predicate, second.
    pub links: Vec<(ThingId, &'static str, ThingId)>,
}

impl Draft {
    /// A choice among options in a random order; the reasons end in the right one.
    pub(crate) fn choice(
        rng: &mut Rng,
        kind: &'static str,
        question: String,
        right: &str,
        wrong: &[impl AsRef<str>],
        facts: &str,
    ) -> Draft {
        let mut options: Vec<(bool, &str)> = wrong.iter().map(|option| (false, option.as_ref())).collect();
        options.push((true, right));
        rng.shuffle(&mut options);
        let index = options.iter().position(|(right, _)| *right).expect("the right option is among them");
        Draft {
            kind,
            problem_type: ProblemType::MultipleChoice,
            question,
            chance: 1.0 / options.len() as f64,
            options: options.into_iter().map(|(_, option)| option.to_owned()).collect(),
            answer: Gold::Option(index),
            think: format!("{facts} . so {right}"),
            things: Vec::new(),
            links: Vec::new(),
        }
    }

    /// A question without options; the reasons end in the answer.
    pub(crate) fn open(
        kind: &'static str,
        problem_type: ProblemType,
        question: String,
        answer: Gold,
        chance: f64,
        facts: &str,
    ) -> Draft {
        let said = match &answer {
            Gold::Number(value) => super::question::number(*value),
            Gold::Text(text) => text.clone(),
            Gold::Span([start, end]) => format!("{start:.2} to {end:.2}"),
            Gold::Box(sides) => sides.map(|side| side.to_string()).join(" "),
            Gold::Option(_) => unreachable!("options are made by `choice`"),
        };
        Draft {
            kind,
            problem_type,
            question,
            options: Vec::new(),
            answer,
            chance,
            think: format!("{facts} . so {said}"),
            things: Vec::new(),
            links: Vec::new(),
        }
    }

    pub(crate) fn things(mut self, things: impl IntoIterator<Item = ThingId>) -> Draft {
        self.things.extend(things);
        self
    }

    pub(crate) fn link(mut self, subject: ThingId, predicate: &'static str, object: ThingId) -> Draft {
        self.links.push((subject, predicate, object));
        self
    }
}
