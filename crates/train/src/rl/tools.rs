//! Rollouts that talk to tools: an episode of the agent room for each trajectory, with its row's question, wearer and
//! clock. What a model reads here is what it reads when it is asked.

use std::sync::Arc;

use firsthand_agent::tools::Rag;
use firsthand_agent::{
    Budgets, CallRules, Episode, Memories, Over, Prompt, Question, Said, Toolbox, Tools, information,
};
use firsthand_base::Conversation;

use super::environment::{Cost, Environment, Environments, Heard};
use super::recipe::ToolsRecipe;
use crate::data::Row;

/// Episodes over one set of tools.
pub struct Episodes {
    tools: Arc<dyn Tools>,
    /// Of those that a recipe names: whoever is asked about is in them.
    memories: Option<Memories>,
    budgets: Budgets,
    prompt: Prompt,
}

impl Episodes {
    /// Over any tools.
    pub fn new(tools: Arc<dyn Tools>, budgets: Budgets, prompt: Prompt) -> Episodes {
        Episodes { tools, memories: None, budgets, prompt }
    }

    /// Over the memories that a recipe names. Observations are cut by tokens and not by characters.
    pub fn open(recipe: &ToolsRecipe) -> Result<Episodes, String> {
        let memories = Memories::open(&recipe.memory).map_err(|error| format!("rl.tools.memory: {error}"))?;
        let rag = Arc::new(Rag::new(memories.clone(), recipe.top));
        let rules = CallRules { most_characters: usize::MAX >> 1, ..CallRules::default() };
        let tools = Toolbox::new(vec![rag], rules).map_err(|error| error.to_string())?;
        let own = Episodes::new(Arc::new(tools), recipe.budgets.clone(), recipe.prompt);
        Ok(Episodes { memories: Some(memories), ..own })
    }

    fn episode(&self, row: &Row) -> Result<Episode, String> {
        let mut question = question(row)?;
        if let Some(memories) = &self.memories {
            question.wearer = memories.named(&question.wearer).ok_or_else(|| {
                let known: Vec<&str> = memories.wearers().take(20).map(String::as_str).collect();
                let (wearer, known) = (&question.wearer, known.join(", "));
                format!("rl.tools.memory: nobody there is called {wearer}; it knows {known}")
            })?;
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
    let id = row.id.clone().unwrap_or_else(|| format!("{}:{}", row.file.display(), row.at));
    let (problem, wearer) = (text("problem")?.to_owned(), text("wearer")?.to_owned());
    Ok(Question { id, text: problem, options: row.options.clone(), clock, wearer })
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

#[cfg(test)]
mod tests {
    use firsthand_base::{Message, Part, Role};
    use firsthand_memory::{Change, Level, Memory, Record};
    use serde_json::json;

    use super::*;
    use crate::data::{Answers, At};

    fn row(wearer: &str) -> Row {
        let facts = json!({"problem": "where is the cup", "clock": "DAY2_12000000", "wearer": wearer});
        let part = Part::Text("unused".into());
        Row {
            conversation: Conversation { messages: vec![Message::new(Role::User, vec![part])] },
            answers: Answers::All,
            unlearned: Vec::new(),
            tools: None,
            source: "rows".into(),
            file: "rows.jsonl".into(),
            at: At { line: 1, row: 1 },
            id: None,
            kind: None,
            options: vec!["shelf".into(), "table".into()],
            solution: Some("A".into()),
            facts: facts.as_object().unwrap().clone(),
        }
    }

    fn episodes(folder: &std::path::Path) -> Episodes {
        let recipe = format!("memory = {:?}\nprompt = \"brief\"", folder);
        Episodes::open(&toml::from_str(&recipe).unwrap()).unwrap()
    }

    #[test]
    fn everyone_has_a_memory_and_nobody_sees_the_future() {
        let folder = tempfile::tempdir().unwrap();
        for (wearer, place) in [("A1_JAKE", "shelf"), ("A2_ALICE", "table")] {
            let mut memory = Memory::create(&folder.path().join(wearer)).unwrap();
            let put = |at: &str, text: String| {
                let start: firsthand_base::Moment = at.parse().unwrap();
                Change::put(Record::new(Level::TenMinutes, wearer, start, start.plus_ms(600_000), text))
            };
            let lived = [
                put("DAY1_09000000", format!("I put the red cup on the {place}.")),
                put("DAY3_09000000", "I put the red cup on the floor.".into()),
            ];
            memory.write(&lived).unwrap();
        }
        let episodes = episodes(folder.path());
        for (wearer, place) in [("A1_JAKE", "shelf"), ("A2_ALICE", "table")] {
            let mut one = episodes.open(&row(wearer)).unwrap();
            let call = json!({"name": "rag", "arguments": {"level": "hour", "keywords": ["cup"],
                "start_time": "DAY1_09000000", "query_time": "DAY2_12000000"}});
            let turn = format!("<think>look</think><tool>{call}</tool>");
            assert!(one.is_complete(&turn));
            let Heard::Observation(text) = one.turn(&turn, Cost::default()) else { panic!("an observation") };
            assert!(text.contains(place) && !text.contains("floor"), "{text}");
            assert_eq!(one.turn("<answer>A</answer>", Cost::default()), Heard::Answer("A".into()));
        }
        assert!(episodes.open(&row("A3_NOBODY")).err().unwrap().contains("A3_NOBODY"));
    }

    #[test]
    fn endless_tools_end_by_turns_and_tokens() {
        let folder = tempfile::tempdir().unwrap();
        Memory::create(&folder.path().join("A1"))
            .unwrap()
            .write(&[Change::put(Record::new(
                Level::Day,
                "A1",
                "DAY1_00000000".parse().unwrap(),
                "DAY2_00000000".parse().unwrap(),
                "a day",
            ))])
            .unwrap();
        let with = |budgets: &str| {
            let recipe = format!("memory = {:?}\nbudgets = {budgets}", folder.path());
            let episodes = Episodes::open(&toml::from_str(&recipe).unwrap()).unwrap();
            let mut one = episodes.open(&row("A1")).unwrap();
            let mut turns = 0;
            loop {
                turns += 1;
                let call = json!({"name": "rag", "arguments": {"level": "week", "keywords": [format!("day {turns}")],
                    "start_time": "DAY1_00000000", "query_time": "DAY2_12000000"}});
                let cost = Cost { tokens: 50, seconds: 2.0 };
                match one.turn(&format!("<tool>{call}</tool>"), cost) {
                    Heard::Observation(_) => {}
                    end => return (turns, end),
                }
            }
        };
        assert_eq!(with("{ turns = 3 }"), (3, Heard::Over("no turn is left".into())));
        assert_eq!(with("{ tokens = 180 }"), (4, Heard::Over("no token is left".into())));
        // How long a machine takes is nobody's doing: no reward is known.
        assert_eq!(with("{ seconds = 5.0 }").1, Heard::Failed("no time is left".into()));
    }
}
