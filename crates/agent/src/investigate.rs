//! A question answered by a model on its own: turn after turn until the episode is over, with a trace of it all. Whether
//! the model runs here or elsewhere, or is no model at all, cannot be told from this file.

use std::sync::Arc;
use std::time::Instant;

use firsthand_base::{
    Conversation, Generate, GenerateError, Generation, Message, Part, Role, SamplingOptions, StopRules,
};
use firsthand_tasks::{Answer, fill};

use crate::tool::{Outcome, Tools, micro};
use crate::trace::{Summary, Trace, TracedTurn};
use crate::{Budgets, Cost, Done, Episode, Prompt, Question, Result, Said};

/// How a model is asked.
#[derive(Clone, Debug, PartialEq)]
pub struct Manner {
    /// Which words come before the question.
    pub prompt: Prompt,
    /// What it may cost.
    pub budgets: Budgets,
    /// How tokens are chosen. Each turn of a seeded generation has its own draws.
    pub sampling: SamplingOptions,
    /// Most tokens of a turn.
    pub turn_tokens: usize,
}

impl Default for Manner {
    fn default() -> Manner {
        Manner {
            prompt: Prompt::Full,
            budgets: Budgets::default(),
            sampling: SamplingOptions::default(),
            turn_tokens: 1024,
        }
    }
}

/// What is happening, for whoever watches.
pub enum Event<'a> {
    /// The model wrote something.
    Text(&'a str),
    /// A turn is over.
    Turn(&'a Done),
}

/// Asks a model a question and lets it look. `watch` hears what happens; `false` ends the episode.
pub fn investigate(
    question: Question,
    tools: &Arc<dyn Tools>,
    model: &mut dyn Generate,
    manner: &Manner,
    watch: &mut dyn FnMut(Event<'_>) -> bool,
) -> Result<Trace> {
    let mut episode = Episode::new(question, tools.clone(), manner.budgets.clone(), manner.prompt)?;
    let mut turns = Vec::new();
    let mut goes_on = true;
    while episode.over().is_none() {
        let started = Instant::now();
        let spoken = speak(&episode, model, manner, &mut |piece| {
            goes_on &= watch(Event::Text(piece));
            goes_on
        });
        if !goes_on {
            episode.break_off("cancelled");
            break;
        }
        let generation = match spoken {
            Ok(generation) => generation,
            Err(error) => {
                let reason = error.to_string();
                episode.break_off(reason.lines().next().unwrap_or_default());
                break;
            }
        };
        let cost = Cost { tokens: generation.new_tokens, seconds: started.elapsed().as_secs_f64() };
        episode.turn(&generation.text, cost);
        if let Some(done) = episode.done().last() {
            goes_on = watch(Event::Turn(done));
            turns.push(traced(done, generation));
        }
        if !goes_on {
            episode.break_off("cancelled");
        }
    }
    Ok(Trace::of(&episode, manner.prompt, &**tools, turns))
}

/// A turn with what only its generation knows.
pub(crate) fn traced(done: &Done, generation: Generation) -> TracedTurn {
    TracedTurn {
        whole: (generation.text != done.text).then_some(generation.text),
        done: done.clone(),
        prompt_tokens: generation.prompt_tokens,
        finish: generation.finish,
    }
}

/// The model's next turn. It is stopped when its action is whole. Where the conversation no longer fits, the oldest
/// observations are left out, told, until it does; the question and the instructions never are.
pub fn speak(
    episode: &Episode,
    model: &mut dyn Generate,
    manner: &Manner,
    on_text: &mut dyn FnMut(&str) -> bool,
) -> std::result::Result<Generation, GenerateError> {
    let seed = manner.sampling.seed.wrapping_add(episode.spent().turns as u64);
    let sampling = SamplingOptions { seed, ..manner.sampling.clone() };
    let stop =
        StopRules { max_tokens: episode.tokens_left(manner.turn_tokens).max(1), ..StopRules::default() };
    let mut left_out = 0;
    loop {
        let mut text = String::new();
        let conversation = shortened(episode.conversation(), left_out);
        let said = model.generate(&conversation, &sampling, &stop, &mut |piece| {
            text.push_str(piece);
            on_text(piece) && !Episode::is_complete(&text)
        });
        match said {
            Err(GenerateError::Request(reason))
                if is_too_long(&reason) && left_out < findings(&conversation) =>
            {
                left_out += 1;
            }
            said => return said,
        }
    }
}

/// Engines and servers say so in their own words.
fn is_too_long(reason: &str) -> bool {
    let reason = reason.to_lowercase();
    ["too long", "context length", "maximum context", "max_model_len"]
        .iter()
        .any(|words| reason.contains(words))
}

/// Observations of a conversation: every user turn but the question.
fn findings(conversation: &Conversation) -> usize {
    conversation.messages.iter().filter(|message| message.role == Role::User).count().saturating_sub(1)
}

/// A conversation whose first `left_out` observations are only mentioned.
fn shortened(conversation: &Conversation, left_out: usize) -> Conversation {
    let mut conversation = conversation.clone();
    let observations = conversation.messages.iter_mut().filter(|message| message.role == Role::User).skip(1);
    for message in observations.take(left_out) {
        message.parts = vec![Part::Text(crate::information("[left out: there is no more room]"))];
    }
    conversation
}

/// What another model makes of everything that was found. The agent's own answer is not shown to it.
pub fn summarize(
    trace: &Trace,
    model: &mut dyn Generate,
    manner: &Manner,
) -> Result<std::result::Result<Summary, String>> {
    let mut found = String::new();
    for (number, turn) in trace.turns.iter().enumerate() {
        let Some(called) = &turn.done.called else { continue };
        if matches!(called.outcome, Outcome::Found(_)) {
            let arguments = serde_json::Value::Object(called.call.arguments.clone());
            found.push_str(&format!("{}. {} {arguments}: {}\n", number + 1, called.call.name, called.text));
        }
    }
    if found.is_empty() {
        found.push_str("nothing\n");
    }
    let form =
        if trace.question.options.is_empty() { "a few words" } else { "the letter of the right option" };
    let question = trace.question.prompt();
    let values = [("question", question.as_str()), ("found", found.trim_end()), ("form", form)];
    let text = fill(include_str!("../prompts/summary.md"), &values)?;
    let conversation = Conversation { messages: vec![Message::new(Role::User, vec![Part::Text(text)])] };
    let started = Instant::now();
    let stop = StopRules { max_tokens: manner.turn_tokens, ..StopRules::default() };
    let said = model.generate(&conversation, &manner.sampling, &stop, &mut |_| true);
    Ok(said.map_err(|error| error.to_string()).map(|generation| {
        let answer = Answer::parse(&generation.text).result;
        let cost = Cost { tokens: generation.new_tokens, seconds: micro(started.elapsed().as_secs_f64()) };
        Summary { verdict: trace.question.read(&answer), text: generation.text, cost }
    }))
}

/// Regenerates the turns of a trace with a model, tools answering from the trace, and says where they differ.
pub fn regenerate(trace: &Trace, model: &mut dyn Generate, manner: &Manner) -> Result<Trace> {
    trace.again(&mut |_, episode| {
        let generation = speak(episode, model, manner, &mut |_| true).map_err(|error| error.to_string())?;
        let kept = Episode::kept(&generation.text).to_owned();
        // The rest of the turn's record is made by the episode.
        let done =
            Done { text: kept, cost: Cost::default(), called: None, said: Said::Observation(String::new()) };
        Ok(traced(&done, generation))
    })
}

#[cfg(test)]
#[path = "investigate_tests.rs"]
mod tests;
