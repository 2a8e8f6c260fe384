//! Rollouts that talk to tools: an episode of the agent room for each trajectory, with its row's question, wearer and
//! clock. What a model reads here is what it reads when it is asked.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use firsthand_agent::tools::{Rag, wearer_named};
use firsthand_agent::{
    Budgets, CallRules, Episode, Over, Prompt, Question, Said, Tool, Toolbox, Tools, information,
};
use firsthand_base::Conversation;
use firsthand_memory::Memory;

use super::environment::{Cost, Environment, Environments, Heard};
use super::recipe::ToolsRecipe;
use super::records::{Records, WEARER};
use crate::data::Row;

/// Episodes over one set of tools for each wearer.
pub struct Episodes {
    source: Source,
    budgets: Budgets,
    prompt: Prompt,
}

/// Where tools come from.
enum Source {
    /// The same for everybody.
    Any(Arc<dyn Tools>),
    Records(Arc<dyn Tools>, Arc<Records>),
    Memories(Memories),
}

/// Tools over memories, opened when a row first needs one.
struct Memories {
    pattern: PathBuf,
    top: usize,
    opened: Mutex<HashMap<PathBuf, Result<Opened, String>>>,
}

/// A memory's tools and the people in it.
#[derive(Clone)]
struct Opened {
    tools: Arc<dyn Tools>,
    wearers: Vec<String>,
}

impl Episodes {
    /// Over any tools.
    pub fn new(tools: Arc<dyn Tools>, budgets: Budgets, prompt: Prompt) -> Episodes {
        Episodes { source: Source::Any(tools), budgets, prompt }
    }

    /// Over what a recipe names.
    pub fn open(recipe: &ToolsRecipe) -> Result<Episodes, String> {
        let source = match &recipe.memory {
            Some(pattern) => {
                let (pattern, top) = (pattern.clone(), recipe.top);
                Source::Memories(Memories { pattern, top, opened: Mutex::default() })
            }
            None => {
                let records = Arc::new(Records::new(&recipe.records));
                Source::Records(toolbox(records.clone())?, records)
            }
        };
        Ok(Episodes { source, budgets: recipe.budgets.clone(), prompt: recipe.prompt })
    }

    fn episode(&self, row: &Row) -> Result<Episode, String> {
        let mut question = question(row)?;
        let tools = match &self.source {
            Source::Any(tools) => tools.clone(),
            Source::Records(tools, records) => {
                records.of(&question.wearer)?;
                tools.clone()
            }
            Source::Memories(memories) => {
                let (tools, wearer) = memories.of(&question.wearer)?;
                question.wearer = wearer;
                tools
            }
        };
        let episode = Episode::new(question, tools, self.budgets.clone(), self.prompt);
        episode.map_err(|error| error.to_string())
    }
}

impl Memories {
    /// Tools over someone's memory, and what they are called there.
    fn of(&self, wearer: &str) -> Result<(Arc<dyn Tools>, String), String> {
        let path = PathBuf::from(self.pattern.to_string_lossy().replace(WEARER, wearer));
        let mut opened = self.opened.lock().unwrap_or_else(PoisonError::into_inner);
        let opened = opened.entry(path.clone()).or_insert_with(|| self.open(&path)).clone()?;
        let named = wearer_named(opened.wearers.iter(), wearer).ok_or_else(|| {
            let known = opened.wearers.join(", ");
            format!("rl.tools.memory: {}: nobody there is called {wearer}; it knows {known}", path.display())
        })?;
        Ok((opened.tools, named))
    }

    fn open(&self, path: &std::path::Path) -> Result<Opened, String> {
        let told = |error: firsthand_memory::Error| format!("rl.tools.memory: {}: {error}", path.display());
        let mut memory = Memory::open(path).map_err(told)?;
        let counts = memory.store().counts().map_err(told)?;
        let wearers = counts.wearers.keys().cloned().collect();
        let rag = Rag::new(Arc::new(Mutex::new(memory)), self.top);
        Ok(Opened { tools: toolbox(Arc::new(rag))?, wearers })
    }
}

/// One tool, whose observations are cut by tokens and not by characters.
fn toolbox(tool: Arc<dyn Tool>) -> Result<Arc<dyn Tools>, String> {
    let rules = CallRules { most_characters: usize::MAX >> 1, ..CallRules::default() };
    let toolbox = Toolbox::new(vec![tool], rules).map_err(|error| error.to_string())?;
    Ok(Arc::new(toolbox))
}

/// The question of a row of someone's days.
fn question(row: &Row) -> Result<Question, String> {
    let text = |key: &str| {
        let found = row.facts.get(key).and_then(serde_json::Value::as_str);
        found.ok_or_else(|| format!("the row has no {key}; tools answer rows of format \"ego-r1\""))
    };
    let clock = text("clock")?.parse().map_err(|error| format!("{error}"))?;
    let wearer = text("wearer")?.to_owned();
    if wearer.contains(['/', '\\']) || wearer.starts_with('.') {
        return Err(format!("the wearer {wearer:?} is no name of a file"));
    }
    let id = row.id.clone().unwrap_or_else(|| format!("{}:{}", row.file.display(), row.line));
    Ok(Question { id, text: text("problem")?.to_owned(), options: row.options.clone(), clock, wearer })
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
    use firsthand_memory::{Change, Level, Record};
    use serde_json::json;

    use super::*;
    use crate::data::Answers;

    fn row(wearer: &str) -> Row {
        let facts = json!({"problem": "where is the cup", "clock": "DAY2_12000000", "wearer": wearer});
        let part = Part::Text("unused".into());
        Row {
            conversation: Conversation { messages: vec![Message { role: Role::User, parts: vec![part] }] },
            answers: Answers::All,
            source: "rows".into(),
            file: "rows.jsonl".into(),
            line: 1,
            id: None,
            kind: None,
            options: vec!["shelf".into(), "table".into()],
            solution: Some("A".into()),
            facts: facts.as_object().unwrap().clone(),
        }
    }

    fn episodes(folder: &std::path::Path) -> Episodes {
        let recipe = format!("memory = {:?}\nprompt = \"brief\"", folder.join("{wearer}"));
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
        assert!(episodes.open(&row("../A1_JAKE")).err().unwrap().contains("is no name of a file"));
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
            let recipe = format!("memory = {:?}\nbudgets = {budgets}", folder.path().join("{wearer}"));
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
