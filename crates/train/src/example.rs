//! One row to what a training step takes: the conversation as model input, and which tokens are scored. Every token
//! of the chosen assistant turns is a target, the one that ends the turn included, and nothing else is.

use firsthand_base::ModelInput;
use firsthand_input::Renderer;
use firsthand_model::layers::LossRow;

use crate::data::{Answers, Row};

/// Opens a row's media, renders its conversation, and marks what is scored. Weights are 1: means are the trainer's.
pub fn prepare(renderer: &Renderer, row: &Row) -> firsthand_input::Result<(ModelInput, Vec<LossRow>)> {
    let answered = renderer.answered(&row.conversation)?;
    let learned = match row.answers {
        Answers::All => &answered.answers[..],
        Answers::Last => &answered.answers[answered.answers.len().saturating_sub(1)..],
    };
    let input = answered.rendered.input;
    // A token is predicted from the row before it; turns never begin a prompt.
    let score = |at: usize| LossRow { row: at - 1, target: input.ids[at], weight: 1.0 };
    let targets = learned.iter().cloned().flatten().map(score).collect();
    Ok((input, targets))
}
