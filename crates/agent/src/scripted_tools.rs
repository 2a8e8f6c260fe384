//! Tools that do what a test tells them to.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::{Map, Value, json};

use crate::tool::{Context, Description, Observation, Tool, ToolError};
use crate::{CallRules, Question, Toolbox};

type Act = Box<dyn Fn(&Map<String, Value>, &Context) -> Result<Observation, ToolError> + Send + Sync>;

/// A tool made of a closure; `calls` counts how often it ran.
pub(crate) struct Scripted {
    description: Description,
    act: Act,
    patience: Option<Duration>,
    pub(crate) calls: Arc<AtomicUsize>,
}

impl Scripted {
    pub(crate) fn new(
        name: &str,
        act: impl Fn(&Map<String, Value>, &Context) -> Result<Observation, ToolError> + Send + Sync + 'static,
    ) -> Scripted {
        let schema = json!({"type": "object", "properties": {
            "question": {"type": "string", "description": "what to look for"},
            "query_time": {"type": "string", "format": "moment-or-now", "description": "now"},
            "more": {"type": "object", "description": "anything"},
        }, "required": ["question"]});
        let example = json!({"question": "where is the cup?"}).as_object().cloned();
        let description =
            Description { name: name.into(), about: "looks something up".into(), schema, example };
        Scripted { description, act: Box::new(act), patience: None, calls: Arc::default() }
    }

    pub(crate) fn patient(mut self, patience: Duration) -> Scripted {
        self.patience = Some(patience);
        self
    }

    /// A toolbox of this tool alone.
    pub(crate) fn alone(self, rules: CallRules) -> Arc<Toolbox> {
        Arc::new(Toolbox::new(vec![Arc::new(self)], rules).unwrap())
    }
}

impl Tool for Scripted {
    fn description(&self) -> &Description {
        &self.description
    }

    fn call(&self, arguments: &Map<String, Value>, context: &Context) -> Result<Observation, ToolError> {
        self.calls.fetch_add(1, Ordering::SeqCst);
        (self.act)(arguments, context)
    }

    fn patience(&self) -> Option<Duration> {
        self.patience
    }
}

/// A tool that repeats its question.
pub(crate) fn echo() -> Scripted {
    Scripted::new("look", |arguments, _| Ok(Observation::of(arguments["question"].clone())))
}

pub(crate) fn question() -> Question {
    Question {
        id: "1".into(),
        text: "where is the cup ?".into(),
        options: vec!["table".into(), "shelf".into()],
        clock: "DAY3_12000000".parse().unwrap(),
        wearer: "A1".into(),
    }
}

pub(crate) fn call(name: &str, arguments: Value) -> String {
    format!("<think>so</think><tool>{}</tool>", json!({"name": name, "arguments": arguments}))
}
