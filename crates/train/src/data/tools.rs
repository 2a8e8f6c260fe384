//! Tools in rows of LLaMA-Factory, in the words of its Qwen templates (`QwenToolUtils` in llamafactory/data/tool_utils.py):
//! what the system turn says of them, calls in an assistant's turn, and what tools gave in a user's.

use firsthand_input::{python_json, tools_in_words};
use serde_json::{Map, Value, json};

use super::fields::{Reason, brief};

/// What the system turn says of the tools of a row, after its own words: nothing where there are none. The file has a list
/// of them, or that list as a string of JSON.
pub(super) fn described(tools: &Value) -> Result<Option<String>, Reason> {
    let parsed;
    let tools = match tools {
        Value::String(text) if text.trim().is_empty() => return Ok(None),
        Value::String(text) => {
            parsed = serde_json::from_str(text).map_err(|error| {
                format!("tools: broken JSON within the string: {error}; write a list of tools")
            })?;
            &parsed
        }
        other => other,
    };
    let tools = match tools {
        Value::Null => &[],
        Value::Array(tools) => &tools[..],
        one => std::slice::from_ref(one),
    };
    let mut wrapped = Vec::new();
    for (index, tool) in tools.iter().enumerate() {
        let Value::Object(fields) = tool else {
            return Err(format!(
                "tools[{index}]: expected an object with name and parameters, found {}",
                brief(tool)
            ));
        };
        let is_wrapped = fields.get("type").and_then(Value::as_str) == Some("function");
        let function = if is_wrapped { fields.get("function").unwrap_or(tool) } else { tool };
        if !function["name"].is_string() {
            return Err(format!("tools[{index}]: it has no name; write name, description and parameters"));
        }
        wrapped.push(if is_wrapped { tool.clone() } else { json!({"type": "function", "function": tool}) });
    }
    Ok((!wrapped.is_empty()).then(|| format!("\n\n{}", tools_in_words(&wrapped))))
}

/// Calls as the model makes them, from the text of a `function_call` turn: one call or a list of them as JSON, after a
/// thought if there is one, or within `<tool_call>` marks already.
pub(super) fn called(text: &str) -> Result<String, Reason> {
    if let Some(at) = text.find("<tool_call>") {
        let (before, mut rest) = text.split_at(at);
        let mut calls = Vec::new();
        while let Some(open) = rest.strip_prefix("<tool_call>") {
            let (inside, after) = open.split_once("</tool_call>").ok_or("a <tool_call> that does not end")?;
            calls.extend(parsed(inside)?);
            rest = after.trim_start();
        }
        if !rest.is_empty() {
            return Err(format!("words after the calls: {:?}", rest.chars().take(40).collect::<String>()));
        }
        return Ok(format!("{before}{}", written(&calls)));
    }
    // LLaMA-Factory takes a thought off, with the blank line behind it, and puts it back in front of the calls.
    let thought = text.find("</think>").filter(|_| text.trim_start().starts_with("<think>"));
    let end = thought.map_or(0, |at| at + "</think>".len());
    let end = end + if end > 0 { text[end..].len() - text[end..].trim_start().len() } else { 0 };
    Ok(format!("{}{}", &text[..end], written(&parsed(&text[end..])?)))
}

/// The calls of an assistant's turn as OpenAI writes them.
pub(super) fn listed(calls: &Value) -> Result<String, Reason> {
    let functions = calls.as_array().map(|calls| {
        let function = |call: &Value| call.get("function").unwrap_or(call).clone();
        calls.iter().map(function).collect::<Vec<_>>()
    });
    let functions =
        functions.ok_or_else(|| format!("tool_calls: expected a list, found {}", brief(calls)))?;
    let calls = functions.iter().map(call).collect::<Result<Vec<_>, _>>()?;
    Ok(written(&calls))
}

/// What a tool gave, in the turn of a user.
pub(super) fn given(text: &str) -> [&str; 3] {
    ["<tool_response>\n", text, "\n</tool_response>"]
}

/// One call or several, as JSON.
fn parsed(text: &str) -> Result<Vec<Value>, Reason> {
    let value: Value = serde_json::from_str(text.trim()).map_err(|error| {
        format!(
            "expected a call as JSON, {{\"name\": .., \"arguments\": {{..}}}}, or a list of them: {error}"
        )
    })?;
    match value {
        Value::Array(calls) if !calls.is_empty() => calls.iter().map(call).collect(),
        one => Ok(vec![call(&one)?]),
    }
}

/// A call with its keys in order. Arguments are an object, also where they were written as a string of JSON.
fn call(value: &Value) -> Result<Value, Reason> {
    let Some(name) = value["name"].as_str() else {
        return Err(format!("a call without a name: {}", brief(value)));
    };
    let wrong =
        |found: &Value| format!("the arguments of {name}: expected an object, found {}", brief(found));
    let arguments = match &value["arguments"] {
        Value::Object(arguments) => Value::Object(arguments.clone()),
        Value::Null => Value::Object(Map::new()),
        text @ Value::String(json) => {
            let read = serde_json::from_str(json).ok().filter(Value::is_object);
            read.ok_or_else(|| wrong(text))?
        }
        other => return Err(wrong(other)),
    };
    Ok(json!({"name": name, "arguments": arguments}))
}

fn written(calls: &[Value]) -> String {
    let one = |call: &Value| format!("<tool_call>\n{}\n</tool_call>", python_json(call));
    calls.iter().map(one).collect::<Vec<_>>().join("\n")
}
