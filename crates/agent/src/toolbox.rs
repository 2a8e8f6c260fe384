//! The tools of an episode, called: arguments fitted, results kept for equal calls, tries repeated where that may help,
//! waiting ended where it is too long, large results cut and told. A tool that panics has failed; nothing else happens.

use std::collections::{HashMap, VecDeque};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use firsthand_tasks::format::ToolCall;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::episode::{TERMINATE, key};
use crate::tool::{
    Call, Called, Context, Description, Observation, Outcome, Tool, ToolError, Tools, Trouble, micro,
};
use crate::{Error, Result, schema};

/// How tools are called.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CallRules {
    /// Most characters of an observation that a model reads.
    pub most_characters: usize,
    /// Tries of a call whose failure may pass.
    pub tries: u32,
    /// Seconds before the second try; they double with each further one.
    pub wait_s: f64,
    /// Results kept for equal calls; 0 keeps none.
    pub kept: usize,
}

impl Default for CallRules {
    fn default() -> CallRules {
        CallRules { most_characters: 8000, tries: 3, wait_s: 0.5, kept: 4096 }
    }
}

/// Tools by name. Shared by reference between threads and episodes, whose equal calls are answered once.
pub struct Toolbox {
    tools: Vec<Arc<dyn Tool>>,
    rules: CallRules,
    kept: Mutex<Kept>,
}

/// What a call gave, as a model reads it.
#[derive(Clone)]
struct Shown {
    outcome: Outcome,
    text: String,
    /// Characters it had before it was cut.
    cut_from: Option<usize>,
}

/// Results of earlier calls, the oldest forgotten first.
#[derive(Default)]
struct Kept {
    results: HashMap<String, Shown>,
    order: VecDeque<String>,
}

/// A tool, the call fitted to it, and what was done to the arguments.
type Fitted<'a> = (&'a Arc<dyn Tool>, Call, Vec<String>);

impl Toolbox {
    /// These tools. Refuses two of one name, the name `terminate`, and schemas that cannot be checked against.
    pub fn new(tools: Vec<Arc<dyn Tool>>, rules: CallRules) -> Result<Toolbox> {
        for (index, tool) in tools.iter().enumerate() {
            let Description { name, schema: of, .. } = tool.description();
            let bad = |reason: String, remedy| Error::Tool { tool: name.clone(), reason, remedy };
            let plain = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
            if name.is_empty() || name.len() > 64 || !name.chars().all(plain) {
                return Err(bad("not a name".into(), "use letters, digits, _ and -, at most 64"));
            }
            let taken = tools[..index].iter().any(|other| same(&other.description().name, name));
            if taken || same(name, TERMINATE) {
                return Err(bad("the name is taken".into(), "give the tool another name"));
            }
            schema::validate(of).map_err(|reason| bad(reason, "describe the arguments in these words"))?;
        }
        Ok(Toolbox { tools, rules, kept: Mutex::default() })
    }

    fn run(&self, tool: &Arc<dyn Tool>, arguments: &Map<String, Value>, context: &Context) -> (Outcome, u32) {
        let mut tries = 0;
        loop {
            tries += 1;
            match once(tool, arguments, context) {
                Err(error) if error.is_passing && tries < self.rules.tries => {
                    let wait = self.rules.wait_s.clamp(0.0, 60.0) * f64::from(2u32.pow((tries - 1).min(10)));
                    std::thread::sleep(Duration::from_secs_f64(wait));
                }
                Err(error) => return (Outcome::Failed(error), tries),
                Ok(observation) => return (Outcome::Found(observation), tries),
            }
        }
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        // What a panicking thread left behind is whole: one insert at a time.
        self.kept.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    fn keep(&self, key: String, shown: &Shown) {
        if self.rules.kept == 0 {
            return;
        }
        let mut kept = self.kept();
        if kept.results.insert(key.clone(), shown.clone()).is_none() {
            kept.order.push_back(key);
        }
        while kept.order.len() > self.rules.kept {
            if let Some(oldest) = kept.order.pop_front() {
                kept.results.remove(&oldest);
            }
        }
    }

    /// The tool that a call means, and its arguments in order, or what is wrong.
    fn fitted(&self, call: &ToolCall, context: &Context) -> std::result::Result<Fitted<'_>, ToolError> {
        let found = self.tools.iter().find(|tool| same(&tool.description().name, call.name.trim()));
        let Some(tool) = found else {
            let known: Vec<&str> = self.tools.iter().map(|tool| tool.description().name.as_str()).collect();
            let message = format!("there is no tool \"{}\"", call.name.chars().take(60).collect::<String>());
            let remedy = format!("the tools are {}", known.join(", "));
            return Err(ToolError::new(Trouble::UnknownTool, message, remedy));
        };
        let Description { name, schema: of, .. } = tool.description();
        let (arguments, notes) = schema::fit(of, &call.arguments, context)?;
        Ok((tool, Call { name: name.clone(), arguments }, notes))
    }

    /// What a fitted call gives, and how often it was tried.
    fn answer(&self, tool: &Arc<dyn Tool>, call: &Call, context: &Context) -> (Shown, u32) {
        // The clock and the wearer decide what is found as much as the arguments do.
        let key = format!("{}@{}@{}", key(call), context.clock.ms(), context.wearer);
        if tool.is_repeatable()
            && let Some(shown) = self.kept().results.get(&key).cloned()
        {
            return (shown, 0);
        }
        let (outcome, tries) = self.run(tool, &call.arguments, context);
        let shown = shown(outcome, self.rules.most_characters);
        if tool.is_repeatable() && matches!(shown.outcome, Outcome::Found(_)) {
            self.keep(key, &shown);
        }
        (shown, tries)
    }
}

impl Tools for Toolbox {
    fn descriptions(&self) -> Vec<Description> {
        self.tools.iter().map(|tool| tool.description().clone()).collect()
    }

    fn call(&self, call: &ToolCall, context: &Context) -> Called {
        let started = Instant::now();
        let (call, notes, (Shown { outcome, text, cut_from }, tries)) = match self.fitted(call, context) {
            Ok((tool, call, notes)) => {
                let answer = self.answer(tool, &call, context);
                (call, notes, answer)
            }
            Err(error) => {
                let made = Call { name: call.name.clone(), arguments: call.arguments.clone() };
                (made, Vec::new(), (shown(Outcome::Failed(error), self.rules.most_characters), 0))
            }
        };
        Called {
            call,
            notes,
            outcome,
            text,
            cut_from,
            seconds: micro(started.elapsed().as_secs_f64()),
            tries,
        }
    }
}

fn same(a: &str, b: &str) -> bool {
    a.eq_ignore_ascii_case(b)
}

/// One try, in place or on a thread of its own that is left behind when it takes too long.
fn once(
    tool: &Arc<dyn Tool>,
    arguments: &Map<String, Value>,
    context: &Context,
) -> std::result::Result<Observation, ToolError> {
    let panicked = |_| Err(ToolError::failed("the tool broke"));
    let Some(patience) = tool.patience() else {
        return catch_unwind(AssertUnwindSafe(|| tool.call(arguments, context))).unwrap_or_else(panicked);
    };
    let (sender, receiver) = channel();
    let (runs, given) = (tool.clone(), arguments.clone());
    let context = Context { deadline: Some(Instant::now() + patience), ..context.clone() };
    std::thread::spawn(move || {
        let result = catch_unwind(AssertUnwindSafe(|| runs.call(&given, &context))).unwrap_or_else(panicked);
        // Nobody may be waiting any more.
        let _ = sender.send(result);
    });
    match receiver.recv_timeout(patience) {
        Ok(result) => result,
        Err(RecvTimeoutError::Timeout) => Err(ToolError::new(
            Trouble::TimedOut,
            format!("no result within {} s", patience.as_secs_f64()),
            "ask for less, or use another tool",
        )),
        Err(RecvTimeoutError::Disconnected) => Err(ToolError::failed("the tool broke")),
    }
}

/// An outcome as a model reads it. A cut value is not kept whole: a trace must not hold what nobody read.
fn shown(mut outcome: Outcome, most: usize) -> Shown {
    let whole = match &outcome {
        Outcome::Failed(error) => error.value().to_string(),
        Outcome::Found(Observation { value: Value::String(text), .. }) => text.clone(),
        Outcome::Found(observation) => observation.value.to_string(),
    };
    // A tool's text cannot close the section it stands in.
    let whole = whole.replace("</information>", "< /information>");
    let Some((at, _)) = whole.char_indices().nth(most) else {
        return Shown { outcome, text: whole, cut_from: None };
    };
    let length = whole.chars().count();
    let text =
        format!("{}… [cut: {most} of {length} characters are shown; ask for less at a time]", &whole[..at]);
    if let Outcome::Found(observation) = &mut outcome {
        observation.value = Value::from(text.as_str());
    }
    Shown { outcome, text, cut_from: Some(length) }
}

#[cfg(test)]
#[path = "toolbox_tests.rs"]
mod tests;
