//! One rollout on its way through its turns: which tokens the model has before it, which of them it chose, and how
//! room is made when the context fills up. The question and the model's own words are never shortened: the oldest
//! observations are, and where that does not help the rollout ends.

use std::collections::VecDeque;
use std::time::Instant;

use firsthand_base::{ModelInput, Render, SamplingOptions};
use firsthand_input::Renderer;

use super::environment::{Cost, Environment, Environments};
use super::rollout::{Dialogue, End, Rollout, Stretch, Turn};
use crate::error::Result;

/// What stands in the place of an observation that was shortened away.
const LEFT_OUT: &str = "[left out to make room]";
/// What stands at the end of one that was cut.
const CUT: &str = "… [cut]";

/// The partners of a step's rollouts, and the room there is for what they say.
#[derive(Clone, Copy)]
pub struct Tooling<'a> {
    /// Makes them.
    pub environments: &'a dyn Environments,
    /// Turns text into tokens and back.
    pub renderer: &'a Renderer,
    /// Most tokens of an observation.
    pub observation_tokens: usize,
    /// Most tokens of prompt, turns and observations together.
    pub context: usize,
    /// Longest wait for an answer of an environment, in seconds.
    pub wait_s: f64,
}

/// Tokens after the prompt.
enum Block {
    Said(Vec<u32>),
    Heard { ids: Vec<u32>, follows_stop: bool, is_short: bool },
}

/// A rollout in progress.
#[derive(Default)]
pub(super) struct Trajectory {
    pub(super) rollout: Rollout,
    /// Away while it answers.
    pub(super) environment: Option<Box<dyn Environment>>,
    blocks: Vec<Block>,
    stretch: Stretch,
    /// The turn in progress.
    ids: Vec<u32>,
    logs: Vec<f32>,
    turns: u64,
    since: Option<Instant>,
    /// Whether the last turn ended in a stop token that the model chose.
    follows_stop: bool,
}

impl Trajectory {
    /// What the model has before it.
    pub(super) fn input(&self, prompt: &ModelInput) -> ModelInput {
        let (mut input, next) = (prompt.clone(), prompt.next_position());
        input.ids.extend(self.blocks.iter().flat_map(Block::ids));
        let more = input.ids.len() - prompt.ids.len();
        input.positions.extend((0..more as i32).map(|i| [next + i; 3]));
        input
    }

    /// Tokens after the prompt.
    fn tokens(&self) -> usize {
        self.blocks.iter().map(|block| block.ids().len()).sum()
    }

    /// A turn begins; how its tokens are drawn.
    pub(super) fn begin(&mut self, sampling: &SamplingOptions) -> SamplingOptions {
        self.since = Some(Instant::now());
        self.turns += 1;
        let seed = if self.turns == 1 { sampling.seed } else { turn_seed(sampling.seed, self.turns) };
        SamplingOptions { seed, ..sampling.clone() }
    }

    /// Tokens that the next turn may have: of at most `most`, what budgets and the context leave.
    pub(super) fn room(&self, prompt: usize, most: usize, context: usize) -> usize {
        let most = self.environment.as_ref().map_or(most, |environment| environment.tokens_left(most));
        most.min(context.saturating_sub(prompt + self.tokens()))
    }

    /// Turns that began.
    pub(super) fn turns(&self) -> u64 {
        self.turns
    }

    /// Whether this is the first token of all.
    pub(super) fn is_new(&self) -> bool {
        self.turns == 1 && self.ids.len() == 1
    }

    /// Takes in a token; says whether the turn's action is whole.
    pub(super) fn token(&mut self, id: u32, log: f32, renderer: Option<&Renderer>) -> bool {
        self.ids.push(id);
        self.logs.push(log);
        let (Some(environment), Some(renderer)) = (&self.environment, renderer) else { return false };
        // Actions end in a tag: the whole turn is read only where one may have closed.
        renderer.text(&[id]).contains('>') && environment.is_complete(&renderer.text(&self.ids))
    }

    /// Ends a rollout of one turn.
    pub(super) fn close(&mut self, is_finished: bool) {
        let (ids, logs) = (std::mem::take(&mut self.ids), std::mem::take(&mut self.logs));
        self.rollout = Rollout::of(ids, logs, is_finished);
    }

    /// Ends a turn of a dialogue: its text and what it cost.
    pub(super) fn close_turn(&mut self, renderer: &Renderer, stops: &[u32]) -> (String, Cost) {
        let ids = std::mem::take(&mut self.ids);
        let first = self.stretch.ids.len();
        self.follows_stop = ids.last().is_some_and(|id| stops.contains(id));
        let text = renderer.text(&ids[..ids.len() - usize::from(self.follows_stop)]);
        self.stretch.ids.extend(&ids);
        self.stretch.sampled.push(first..self.stretch.ids.len());
        self.rollout.logs.append(&mut self.logs);
        let seconds = self.since.map_or(0.0, |since| since.elapsed().as_secs_f64());
        let cost = Cost { tokens: ids.len(), seconds };
        self.blocks.push(Block::Said(ids));
        let said = self.environment.as_ref().map_or(text.as_str(), |environment| environment.kept(&text));
        let said = said.to_owned();
        self.dialogue().turns.push(Turn { said, heard: String::new() });
        (text, cost)
    }

    pub(super) fn dialogue(&mut self) -> &mut Dialogue {
        self.rollout.dialogue.get_or_insert_default()
    }

    /// Takes in an observation. Says whether the next turn, of `wanted` tokens, has room.
    pub(super) fn hear(
        &mut self,
        words: &str,
        tooling: &Tooling<'_>,
        prompt: usize,
        wanted: usize,
    ) -> Result<bool> {
        let Some(environment) = &self.environment else { return Ok(false) };
        let wrapped = environment.wrap(&shortened(tooling.renderer, words, tooling.observation_tokens)?);
        let follows_stop = self.follows_stop;
        let ids = between(tooling.renderer, &wrapped, follows_stop)?;
        let left_out = environment.wrap(LEFT_OUT);
        let dialogue = self.dialogue();
        dialogue.heard_tokens += ids.len();
        if let Some(turn) = dialogue.turns.last_mut() {
            turn.heard = wrapped;
        }
        self.stretch.ids.extend(&ids);
        self.blocks.push(Block::Heard { ids, follows_stop, is_short: false });
        let mut over = (prompt + self.tokens() + wanted).saturating_sub(tooling.context);
        // The newest observation is what the next turn is about: it stays.
        let older = self.blocks.len() - 1;
        let mut count = 0;
        for block in &mut self.blocks[..older] {
            let Block::Heard { ids, follows_stop, is_short: is_short @ false } = block else { continue };
            if over == 0 {
                break;
            }
            let short = between(tooling.renderer, &left_out, *follows_stop)?;
            *is_short = true;
            if short.len() < ids.len() {
                over = over.saturating_sub(ids.len() - short.len());
                *ids = short;
                count += 1;
            }
        }
        if count > 0 {
            self.dialogue().shortened += count;
            self.rollout.stretches.push(std::mem::take(&mut self.stretch));
            self.stretch.ids = self.blocks.iter().flat_map(Block::ids).copied().collect();
        }
        Ok(over == 0)
    }

    /// Ends a dialogue.
    pub(super) fn end(&mut self, end: End) {
        self.rollout.is_finished = matches!(end, End::Answered(_));
        self.dialogue().end = end;
        let last = std::mem::take(&mut self.stretch);
        if !last.sampled.is_empty() {
            self.rollout.stretches.push(last);
        }
        self.environment = None;
        self.blocks = Vec::new();
    }
}

impl Block {
    fn ids(&self) -> &Vec<u32> {
        match self {
            Block::Said(ids) | Block::Heard { ids, .. } => ids,
        }
    }
}

/// What stands between two turns. The token that ends the first one is there already if the model chose it.
fn between(renderer: &Renderer, words: &str, follows_stop: bool) -> Result<Vec<u32>> {
    let mut ids = VecDeque::from(renderer.between(words)?);
    let stops = &renderer.generation_defaults().stop.tokens;
    if follows_stop && ids.front().is_some_and(|id| stops.contains(id)) {
        ids.pop_front();
    }
    Ok(ids.into())
}

/// Words of at most so many tokens.
fn shortened(renderer: &Renderer, words: &str, most: usize) -> Result<String> {
    let count = |text: &str| renderer.tokenizer().encode(text).map(|ids| ids.len());
    if most == 0 || words.len() <= most || count(words)? <= most {
        return Ok(words.to_owned());
    }
    let ends: Vec<usize> = words.char_indices().map(|(at, _)| at).collect();
    // The longest beginning that fits, to a character or nearly: counts grow with length but for merges at the cut.
    let (mut fits, mut over) = (0, ends.len());
    while over - fits > 1 {
        let middle = fits.midpoint(over);
        match count(&format!("{}{CUT}", &words[..ends[middle]]))? <= most {
            true => fits = middle,
            false => over = middle,
        }
    }
    Ok(format!("{}{CUT}", &words[..ends[fits]]))
}

/// Seed of a later turn.
fn turn_seed(seed: u64, turn: u64) -> u64 {
    let hash = blake3::hash(&[seed.to_le_bytes(), turn.to_le_bytes()].concat());
    u64::from_le_bytes(hash.as_bytes()[..8].try_into().expect("a hash is longer"))
}
