//! What a model is told before the question. Tools are shown as the published prompt shows them: JSON objects with
//! `name`, `description` and `arguments`, types in Python's words. The sentences around them are ours.

use firsthand_tasks::fill;
use firsthand_tasks::format::ToolCall;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::tool::Description;
use crate::{Error, Result};

/// Which words come before the question.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Prompt {
    /// Instructions, tools and examples, for models of any size that follow instructions.
    #[default]
    Full,
    /// One line that names the tools, for models that learned the protocol from examples alone.
    Brief,
}

impl Prompt {
    /// The system turn for these tools.
    pub fn system(self, tools: &[Description]) -> Result<String> {
        let names: Vec<&str> = tools.iter().map(|tool| tool.name.as_str()).collect();
        if self == Prompt::Brief {
            return Ok(fill(include_str!("../prompts/brief.md"), &[("tools", &names.join(" , "))])?);
        }
        let shown: Vec<String> = tools.iter().map(shown).collect::<Result<_>>()?;
        let example = |tool: &Description| {
            let call = ToolCall { name: tool.name.clone(), arguments: tool.example.clone()? };
            Some(format!("<tool>{}</tool>", call.to_json()))
        };
        let examples: Vec<String> = tools.iter().filter_map(example).collect();
        let values = [("tools", &*shown.join("\n")), ("examples", &examples.join("\n"))];
        Ok(fill(include_str!("../prompts/system.md"), &values)?)
    }
}

/// A tool as the published prompt shows one.
fn shown(tool: &Description) -> Result<String> {
    let mut properties = Map::new();
    for (name, property) in tool.schema["properties"].as_object().into_iter().flatten() {
        let about = property["description"].as_str().unwrap_or_default();
        properties.insert(name.clone(), json!({"type": python_type(property), "description": about}));
    }
    let arguments = json!({"type": "object", "properties": properties, "required": tool.schema["required"]});
    let shown = json!({"name": tool.name, "description": tool.about, "arguments": arguments});
    serde_json::to_string_pretty(&shown).map_err(|error| Error::Tool {
        tool: tool.name.clone(),
        reason: error.to_string(),
        remedy: "give it a schema that is JSON",
    })
}

/// `str`, `List[str]`: types as the published prompt names them.
fn python_type(schema: &Value) -> String {
    match schema["type"].as_str() {
        Some("string") => "str".to_owned(),
        Some("integer") => "int".to_owned(),
        Some("number") => "float".to_owned(),
        Some("boolean") => "bool".to_owned(),
        Some("array") => format!("List[{}]", python_type(&schema["items"])),
        Some("object") => "dict".to_owned(),
        _ => "Any".to_owned(),
    }
}

#[cfg(test)]
#[path = "prompt_tests.rs"]
mod tests;
