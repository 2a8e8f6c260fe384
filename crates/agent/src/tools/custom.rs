//! Tools that a person describes in a file (TOML or JSON): a name, a schema, and a command or an address. A command gets
//! one JSON object on its input, `{"arguments", "clock", "wearer"}`, and says what it found on its output; an address gets
//! the same by POST. Output that is JSON is read as JSON, anything else as words.

use std::io::{Read, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::channel;
use std::time::{Duration, Instant};

use firsthand_base::json as reader;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::tool::{Context, Description, Observation, Tool, ToolError, Trouble};
use crate::{Error, Result};

/// Most bytes that are read of what a tool says; the toolbox cuts what is shown further.
const MOST_BYTES: u64 = 16 << 20;
/// Seconds a tool may take where its file says nothing.
const TIMEOUT_S: f64 = 60.0;

/// A file of tools.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ToolFile {
    tool: Vec<Described>,
}

/// One tool of a file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Described {
    name: String,
    about: String,
    /// A program and its arguments.
    command: Option<Vec<String>>,
    /// An address that takes POST.
    url: Option<String>,
    timeout_s: Option<f64>,
    /// Whether equal calls give equal results. Default: yes.
    repeatable: Option<bool>,
    schema: Value,
    example: Option<Map<String, Value>>,
}

/// A tool that a person described.
pub struct CustomTool {
    description: Description,
    way: Way,
    patience: Duration,
    is_repeatable: bool,
}

enum Way {
    Command(Vec<String>),
    Url(Box<ureq::Agent>, String),
}

/// The tools of a file; its ending says whether it is TOML or JSON.
pub fn read_tools(path: &Path) -> Result<Vec<CustomTool>> {
    let bytes = fs_err::read(path)?;
    let bad = |reason: String| Error::File {
        path: path.display().to_string(),
        reason: reason.split_whitespace().collect::<Vec<_>>().join(" "),
        remedy: "a file of tools has [[tool]] tables with name, about, schema, and command or url",
    };
    let text = reader::text(bytes).map_err(bad)?;
    let is_json = path.extension().is_some_and(|ending| ending == "json");
    let file: ToolFile = match is_json {
        true => reader::read_object(text.as_bytes()).map_err(|fault| bad(fault.to_string()))?,
        false => toml::from_str(&text).map_err(|error| bad(error.to_string()))?,
    };
    file.tool.into_iter().map(CustomTool::of).collect()
}

impl CustomTool {
    fn of(described: Described) -> Result<CustomTool> {
        let Described { name, about, command, url, timeout_s, repeatable, schema, example } = described;
        let bad =
            |reason: &str, remedy| Error::Tool { tool: name.clone(), reason: reason.to_owned(), remedy };
        let seconds = timeout_s.unwrap_or(TIMEOUT_S);
        if !(seconds > 0.0 && seconds <= 86_400.0) {
            return Err(bad("timeout_s is not between 0 and 86400", "give seconds"));
        }
        let patience = Duration::from_secs_f64(seconds);
        let way = match (command, url) {
            (Some(command), None) if command.first().is_some_and(|program| !program.is_empty()) => {
                Way::Command(command)
            }
            (None, Some(url)) if url.starts_with("http://") || url.starts_with("https://") => {
                let config =
                    ureq::Agent::config_builder().timeout_global(Some(patience)).http_status_as_error(false);
                Way::Url(Box::new(ureq::Agent::new_with_config(config.build())), url)
            }
            _ => {
                return Err(bad(
                    "it needs either a command or an http address",
                    "give command or url, not both",
                ));
            }
        };
        let is_repeatable = repeatable.unwrap_or(true);
        let description = Description { name: name.clone(), about, schema, example };
        Ok(CustomTool { description, way, patience, is_repeatable })
    }
}

impl Tool for CustomTool {
    fn description(&self) -> &Description {
        &self.description
    }

    fn call(
        &self,
        arguments: &Map<String, Value>,
        context: &Context,
    ) -> std::result::Result<Observation, ToolError> {
        let given =
            json!({"arguments": arguments, "clock": context.clock.to_string(), "wearer": context.wearer});
        let said = match &self.way {
            Way::Command(command) => run(command, &given.to_string(), self.patience)?,
            Way::Url(agent, url) => post(agent, url, &given.to_string())?,
        };
        let said = said.trim();
        let value =
            reader::read(said.as_bytes()).map(reader::without_odd).unwrap_or_else(|_| Value::from(said));
        Ok(Observation::of(value))
    }

    /// It ends its own waiting, and with it the command; this is the second line.
    fn patience(&self) -> Option<Duration> {
        Some(self.patience + Duration::from_secs(1))
    }

    fn is_repeatable(&self) -> bool {
        self.is_repeatable
    }
}

/// Runs a command with a text as its input; what it writes, up to a bound, is the result.
fn run(command: &[String], input: &str, patience: Duration) -> std::result::Result<String, ToolError> {
    let broken = |what: &str| ToolError::failed(format!("{}: {what}", command[0]));
    let piped = Command::new(&command[0])
        .args(&command[1..])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let mut child = piped.map_err(|error| broken(&error.to_string()))?;
    let (mut stdin, stdout, stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
    let input = input.to_owned();
    // Each pipe on its own thread: neither side waits for the other, and a tool that reads nothing is no failure.
    std::thread::spawn(move || stdin.take().map(|mut pipe| pipe.write_all(input.as_bytes())));
    let (sender, receiver) = channel();
    let errors = sender.clone();
    std::thread::spawn(move || sender.send((true, read(stdout))));
    std::thread::spawn(move || errors.send((false, read(stderr))));
    let deadline = Instant::now() + patience;
    let (mut said, mut complaint) = (None, None);
    while said.is_none() || complaint.is_none() {
        let left = deadline.saturating_duration_since(Instant::now());
        match receiver.recv_timeout(left) {
            Ok((true, bytes)) => said = Some(bytes),
            Ok((false, bytes)) => complaint = Some(bytes),
            Err(_) => return Err(stop(&mut child, patience)),
        }
    }
    let status = loop {
        match child.try_wait().map_err(|error| broken(&error.to_string()))? {
            Some(status) => break status,
            None if Instant::now() >= deadline => return Err(stop(&mut child, patience)),
            None => std::thread::sleep(Duration::from_millis(2)),
        }
    };
    let said = said.unwrap_or_default();
    // One that says more than is read dies of the broken pipe; what was read is its result.
    if !status.success() && (said.len() as u64) < MOST_BYTES {
        let complaint = String::from_utf8_lossy(&complaint.unwrap_or_default()).into_owned();
        let first = complaint.lines().find(|line| !line.trim().is_empty()).unwrap_or("it said nothing");
        return Err(broken(&format!("{status}: {}", first.chars().take(200).collect::<String>())));
    }
    Ok(String::from_utf8_lossy(&said).into_owned())
}

fn read(pipe: Option<impl Read>) -> Vec<u8> {
    let mut bytes = Vec::new();
    if let Some(pipe) = pipe {
        // What was read before a broken pipe counts.
        let _ = pipe.take(MOST_BYTES).read_to_end(&mut bytes);
    }
    bytes
}

fn stop(child: &mut Child, patience: Duration) -> ToolError {
    let _ = child.kill();
    let _ = child.wait();
    let message = format!("no result within {} s", patience.as_secs_f64());
    ToolError::new(Trouble::TimedOut, message, "ask for less, or use another tool")
}

/// Posts a text; a server's trouble may pass, a refusal does not.
fn post(agent: &ureq::Agent, url: &str, body: &str) -> std::result::Result<String, ToolError> {
    let passing = |error: ureq::Error| match error {
        ureq::Error::Timeout(_) => {
            ToolError::new(Trouble::TimedOut, "no result in time", "ask for less, or use another tool")
        }
        error => ToolError::failed(error.to_string()).passing(),
    };
    let request = agent.post(url).header("content-type", "application/json");
    let mut response = request.send(body.as_bytes()).map_err(passing)?;
    let status = response.status();
    let mut bytes = Vec::new();
    let reader = response.body_mut().as_reader();
    reader
        .take(MOST_BYTES)
        .read_to_end(&mut bytes)
        .map_err(|error| ToolError::failed(error.to_string()).passing())?;
    let text = String::from_utf8_lossy(&bytes).into_owned();
    if status.is_success() {
        return Ok(text);
    }
    let words: String = text.split_whitespace().collect::<Vec<_>>().join(" ").chars().take(200).collect();
    let error = ToolError::failed(format!("status {}: {words}", status.as_u16()));
    Err(if status.is_server_error() || status.as_u16() == 429 { error.passing() } else { error })
}

#[cfg(test)]
#[path = "custom_tests.rs"]
mod tests;
