//! Rollouts that talk to tools: an episode of the agent room for each trajectory, with its row's question, wearer and
//! clock. What a model reads here is what it reads when it is asked.

use std::sync::Arc;

use firsthand_agent::{
    Budgets, CallRules, Episode, Over, Prompt, Question, Said, Toolbox, Tools, information,
};
use firsthand_base::Conversation;

use super::environment::{Cost, Environment, Environments, Heard};
use super::recipe::ToolsRecipe;
use super::records::Records;
use crate::data::Row;

/// Episodes over one set of tools.
pub struct Episodes {
    tools: Arc<dyn Tools>,
    records: Option<Arc<Records>>,
    budgets: Budgets,
    prompt: Prompt,
}

impl Episodes {
    /// Over any tools.
    pub fn new(tools: Arc<dyn Tools>, budgets: Budgets, prompt: Prompt) -> Episodes {
        Episodes { tools, records: None, budgets, prompt }
    }

    /// Over what a recipe names.
    pub fn open(recipe: &ToolsRecipe) -> Result<Episodes, String> {
        let records = Arc::new(Records::new(&recipe.records));
        let rules = CallRules { most_characters: usize::MAX >> 1, ..CallRules::default() };
        let toolbox = Toolbox::new(vec![records.clone()], rules).map_err(|error| error.to_string())?;
        let own = Episodes::new(Arc::new(toolbox), recipe.budgets.clone(), recipe.prompt);
        Ok(Episodes { records: Some(records), ..own })
    }

    fn episode(&self, row: &Row) -> Result<Episode, String> {
        let question = question(row)?;
        if let Some(records) = &self.records {
            records.of(&question.wearer)?;
        }
        let episode = Episode::new(question, self.tools.clone(), self.budgets.clone(), self.prompt);
        episode.map_err(|error| error.to_string())
    }
}

/// The question of a row of someone's days.
fn question(row: &Row) -> Result<Question, String> {
    let text = |key: &str| {
        let found = row.facts.get(key).and_then(serde_json::Value::as_str);
        found.ok_or_else(|| format!("the row has no {key}; tools answer rows of format \"ego-r1\""))
    };
    let clock = text("clock")?.parse().map_err(|error| format!("{error}"))?;
    let id = row.id.clone().unwrap_or_else(|| format!("{}:{}", row.file.display(), row.line));
    let options = row.options.clone();
    Ok(Question { id, text: text("problem")?.to_owned(), options, clock, wearer: text("wearer")?.to_owned() })
}

impl Environments for Episodes {
    fn prompt(&self, row: &Row) -> Result<Conversation, String> {
        Ok(self.episode(row)?.conversation().clone())
    }

    fn open(&self, row: &Row) -> Result<Box<dyn Environment>, String> {
        Ok(Box::new(self.episode(row)?))
    }
}

impl Environment for Episode {
    fn turn(&mut self, text: &str, Cost { tokens, seconds }: Cost) -> Heard {
        match Episode::turn(self, text, firsthand_agent::Cost { tokens, seconds }) {
            Said::Observation(text) => Heard::Observation(text),
            Said::Answer(answer) => Heard::Answer(answer),
            // How long a machine takes is not what a model did.
            Said::Over(over @ (Over::Seconds | Over::Broken(_))) => Heard::Failed(over.to_string()),
            Said::Over(over) => Heard::Over(over.to_string()),
        }
    }

    fn is_complete(&self, text: &str) -> bool {
        Episode::is_complete(text)
    }

    fn kept<'a>(&self, text: &'a str) -> &'a str {
        Episode::kept(text)
    }

    fn tokens_left(&self, most: usize) -> usize {
        Episode::tokens_left(self, most)
    }

    fn wrap(&self, observation: &str) -> String {
        information(observation)
    }
}
