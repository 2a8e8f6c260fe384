//! Arguments against a JSON schema: the words of it that tools need, no more. A schema that uses another word is refused
//! when the tool is made; a call that does not fit is told what is wrong, argument by argument.
//!
//! Times are checked here too, so that no tool can forget it. `format` says what a text is: `moment` (not later than the
//! clock), `moment-or-now` (a later one becomes the clock, told), `moment-range` (two moments joined by `-`; a later end
//! becomes the clock, told).

use firsthand_base::Moment;
use serde_json::{Map, Value};

use crate::tool::{Context, ToolError, Trouble};

/// Words a schema may use.
const WORDS: [&str; 14] = [
    "type",
    "description",
    "title",
    "enum",
    "items",
    "properties",
    "required",
    "minItems",
    "maxItems",
    "minLength",
    "maxLength",
    "minimum",
    "maximum",
    "format",
];
/// Texts that `format` knows.
const FORMATS: [&str; 3] = ["moment", "moment-or-now", "moment-range"];
/// Nested schemas and values.
const DEPTH: usize = 8;

/// Whether a schema can be checked against: an object of properties in known words.
pub(crate) fn validate(schema: &Value) -> Result<(), String> {
    if schema["type"] != "object" {
        return Err("the schema of a tool is of type object".to_owned());
    }
    known(schema, "arguments", 0)
}

fn known(schema: &Value, at: &str, depth: usize) -> Result<(), String> {
    let Some(words) = schema.as_object().filter(|_| depth < DEPTH) else {
        return Err(format!("{at}: not a schema, or nested too deeply"));
    };
    if let Some(word) = words.keys().find(|word| !WORDS.contains(&word.as_str())) {
        return Err(format!("{at}: \"{word}\" is not known here; known are {}", WORDS.join(", ")));
    }
    let types = ["string", "integer", "number", "boolean", "array", "object"];
    if !schema["type"].as_str().is_some_and(|name| types.contains(&name)) {
        return Err(format!("{at}: type is one of {}", types.join(", ")));
    }
    if let Some(format) = words.get("format")
        && !format.as_str().is_some_and(|name| FORMATS.contains(&name))
    {
        return Err(format!("{at}: format is one of {}", FORMATS.join(", ")));
    }
    let properties = words.get("properties").and_then(Value::as_object);
    for (name, property) in properties.into_iter().flatten() {
        known(property, &format!("{at}.{name}"), depth + 1)?;
    }
    for name in words.get("required").and_then(Value::as_array).into_iter().flatten() {
        let named = name.as_str().is_some_and(|name| properties.is_some_and(|all| all.contains_key(name)));
        if !named {
            return Err(format!("{at}: {name} is required but not described"));
        }
    }
    match words.get("items") {
        Some(items) => known(items, &format!("{at}[]"), depth + 1),
        None => Ok(()),
    }
}

/// A call's arguments, fitted to a schema: times in their one form, late ones cut at the clock. Notes say what was done.
pub(crate) fn fit(
    schema: &Value,
    arguments: &Map<String, Value>,
    context: &Context,
) -> Result<(Map<String, Value>, Vec<String>), ToolError> {
    let mut fitted = Value::Object(arguments.clone());
    let mut fitting = Fitting { context, notes: Vec::new() };
    fitting.value(schema, &mut fitted, "").map_err(|fault| {
        let remedy = fault.remedy.unwrap_or_else(|| usage(schema));
        ToolError::new(fault.trouble, fault.message, remedy)
    })?;
    let Value::Object(fitted) = fitted else { return Err(ToolError::failed("arguments are not an object")) };
    Ok((fitted, fitting.notes))
}

/// What the arguments are, in one line.
fn usage(schema: &Value) -> String {
    let of = |(name, property): (&String, &Value)| {
        let kind = property["type"].as_str().unwrap_or("any");
        let choice: Vec<&str> =
            property["enum"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        if choice.is_empty() { format!("{name} ({kind})") } else { format!("{name} ({})", choice.join("|")) }
    };
    let all: Vec<String> = schema["properties"].as_object().into_iter().flatten().map(of).collect();
    format!("the arguments are {}", all.join(", "))
}

struct Fault {
    trouble: Trouble,
    message: String,
    remedy: Option<String>,
}

impl Fault {
    fn bad(message: String) -> Fault {
        Fault { trouble: Trouble::BadArgument, message, remedy: None }
    }
}

struct Fitting<'a> {
    context: &'a Context,
    notes: Vec<String>,
}

impl Fitting<'_> {
    fn value(&mut self, schema: &Value, value: &mut Value, at: &str) -> Result<(), Fault> {
        let fits = match schema["type"].as_str() {
            Some("string") => value.is_string(),
            Some("integer") => value.is_i64() || value.is_u64(),
            Some("number") => value.is_number(),
            Some("boolean") => value.is_boolean(),
            Some("array") => value.is_array(),
            _ => value.is_object(),
        };
        if !fits {
            let kind = schema["type"].as_str().unwrap_or("object");
            return Err(Fault::bad(format!("{at} is {}, not of type {kind}", brief(value))));
        }
        if let Some(choice) = schema["enum"].as_array()
            && !choice.contains(value)
        {
            let choice: Vec<String> = choice.iter().map(plain).collect();
            return Err(Fault::bad(format!("{at} is {}, not one of {}", brief(value), choice.join(", "))));
        }
        self.sizes(schema, value, at)?;
        match value {
            Value::Array(items) if schema.get("items").is_some() => {
                for (index, item) in items.iter_mut().enumerate() {
                    self.value(&schema["items"], item, &format!("{at}[{index}]"))?;
                }
                Ok(())
            }
            Value::Object(members) => self.members(schema, members, at),
            Value::String(text) => self.text(schema, text, at),
            _ => Ok(()),
        }
    }

    fn members(&mut self, schema: &Value, members: &mut Map<String, Value>, at: &str) -> Result<(), Fault> {
        let Some(properties) = schema["properties"].as_object() else { return Ok(()) };
        let place = |name: &str| if at.is_empty() { name.to_owned() } else { format!("{at}.{name}") };
        if let Some(name) = members.keys().find(|name| !properties.contains_key(name.as_str())) {
            return Err(Fault::bad(format!("there is no argument \"{}\"", short(&place(name)))));
        }
        let required = schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str);
        for name in required {
            let is_now = properties[name]["format"] == "moment-or-now";
            if members.get(name).is_none_or(Value::is_null) {
                // The clock is the question's: a call need not say it.
                if is_now {
                    members.insert(name.to_owned(), self.context.clock.to_string().into());
                } else {
                    return Err(Fault::bad(format!("\"{}\" is missing", place(name))));
                }
            }
        }
        // What is optional may be null, which is nothing.
        members.retain(|_, value| !value.is_null());
        for (name, value) in members.iter_mut() {
            self.value(&properties[name], value, &place(name))?;
        }
        Ok(())
    }

    fn sizes(&self, schema: &Value, value: &Value, at: &str) -> Result<(), Fault> {
        let (size, least, most, what) = match value {
            Value::Array(items) => (items.len() as f64, "minItems", "maxItems", "items"),
            Value::String(text) => (text.chars().count() as f64, "minLength", "maxLength", "characters"),
            Value::Number(number) => (number.as_f64().unwrap_or(f64::NAN), "minimum", "maximum", ""),
            _ => return Ok(()),
        };
        let bound = |name: &str| schema.get(name).and_then(Value::as_f64);
        if let Some(least) = bound(least).filter(|least| size < *least) {
            return Err(Fault::bad(format!("{at} has {size} {what}, fewer than {least}")));
        }
        match bound(most).filter(|most| size > *most) {
            Some(most) => Err(Fault::bad(format!("{at} has {size} {what}, more than {most}"))),
            None => Ok(()),
        }
    }

    fn text(&mut self, schema: &Value, text: &mut String, at: &str) -> Result<(), Fault> {
        let now = self.context.clock;
        match schema["format"].as_str() {
            Some("moment") => {
                let moment = moment(text, at)?;
                self.not_later(moment, at)?;
                *text = moment.to_string();
            }
            Some("moment-or-now") => {
                let moment = self.clamped(moment(text, at)?, at);
                *text = moment.to_string();
            }
            Some("moment-range") => {
                let Some((start, end)) = text.split_once('-') else {
                    return Err(unclear(at, text, "a range is two moments joined by -"));
                };
                let (start, end) = (moment(start.trim(), at)?, moment(end.trim(), at)?);
                if start > end {
                    return Err(Fault::bad(format!("{at} ends before it begins: {}", short(text))));
                }
                self.not_later(start, at)?;
                let end = self.clamped(end, at);
                *text = format!("{start}-{end}");
            }
            _ => return Ok(()),
        }
        debug_assert!(!text.is_empty() && now == self.context.clock);
        Ok(())
    }

    fn not_later(&self, moment: Moment, at: &str) -> Result<(), Fault> {
        let now = self.context.clock;
        if moment <= now {
            return Ok(());
        }
        Err(Fault {
            trouble: Trouble::LaterThanNow,
            message: format!("{at} is later than now: {moment}"),
            remedy: Some(format!("now is {now}; ask about something earlier")),
        })
    }

    fn clamped(&mut self, moment: Moment, at: &str) -> Moment {
        let now = self.context.clock;
        if moment > now {
            self.notes.push(format!("{at}: {moment} is later than now; {now} was used"));
        }
        moment.min(now)
    }
}

fn moment(text: &str, at: &str) -> Result<Moment, Fault> {
    text.trim().parse().map_err(|_| unclear(at, text, "not a moment"))
}

fn unclear(at: &str, text: &str, what: &str) -> Fault {
    Fault {
        trouble: Trouble::BadArgument,
        message: format!("{at}: {what}: \"{}\"", short(text)),
        remedy: Some("write times as DAY1_11210217, ranges as DAY1_11210217-DAY1_11220217".to_owned()),
    }
}

/// A value in a few words.
fn brief(value: &Value) -> String {
    match value {
        Value::Array(items) => format!("a list of {}", items.len()),
        Value::Object(_) => "an object".to_owned(),
        value => short(&value.to_string()),
    }
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// The first characters, on one line.
fn short(text: &str) -> String {
    let mut short: String = text.chars().take(60).map(|c| if c.is_control() { ' ' } else { c }).collect();
    if text.chars().nth(60).is_some() {
        short.push('…');
    }
    short
}

#[cfg(test)]
#[path = "schema_tests.rs"]
mod tests;
