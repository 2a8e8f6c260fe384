//! JSON schemas as clients send them, made ready for the grammar: every pointer leads somewhere, and what only annotates
//! does not stop it. A function's parameters also become those of an object, which is what a call hands over.

use serde_json::{Map, Value, json};

/// Keys whose values are data and not schemas.
const DATA: [&str; 4] = ["const", "enum", "default", "examples"];
/// Keys whose values are schemas by name.
const BY_NAME: [&str; 6] =
    ["properties", "patternProperties", "$defs", "definitions", "dependentSchemas", "dependencies"];
/// Formats that the grammar can hold text to; any other is an annotation, as JSON Schema has it.
const FORMATS: [&str; 10] =
    ["date-time", "time", "date", "duration", "email", "hostname", "ipv4", "ipv6", "uuid", "uri"];
/// Deepest nesting that is read.
const DEEPEST: usize = 100;

/// A function's parameters as the schema of an object: no parameters are an empty one. What is wrong with them otherwise.
pub(crate) fn of_object(parameters: &Value) -> Result<Value, String> {
    let none = || json!({"type": "object", "properties": {}, "additionalProperties": false});
    let mut schema = match parameters {
        Value::Null => return Ok(none()),
        Value::Object(fields) if fields.is_empty() => return Ok(none()),
        Value::Bool(true) => json!({"type": "object"}),
        other => ready(other)?,
    };
    // No grammar holds a list to different items; the function hears of a list that may repeat itself.
    walk(&mut schema, &mut |schema| drop(schema.shift_remove("uniqueItems")), 0)?;
    let Value::Object(fields) = &mut schema else { return Err("expected an object".to_owned()) };
    let admits = match fields.get("type") {
        None => true,
        Some(Value::Array(types)) => types.contains(&json!("object")),
        Some(kind) => kind == "object",
    };
    if !admits {
        let kind = fields.get("type").map(Value::to_string).unwrap_or_default();
        return Err(format!("arguments are an object, and this is the schema of {kind}; use type: object"));
    }
    fields.insert("type".into(), json!("object"));
    Ok(schema)
}

/// A schema whose pointers all are `#` or `#/$defs/..`, as the grammar follows them.
pub(crate) fn ready(schema: &Value) -> Result<Value, String> {
    let document = schema.clone();
    let mut schema = schema.clone();
    let mut places: Vec<(Vec<String>, String)> = Vec::new();
    let mut wrong = None;
    let mut point = |fields: &mut Map<String, Value>| {
        let Some(Value::String(pointer)) = fields.get("$ref") else { return };
        match place(&document, pointer) {
            Some(path) => {
                let target = name_of(&mut places, path);
                fields.insert("$ref".into(), target.into());
                // What the grammar does not know beside a pointer would keep it from following a circle.
                fields.retain(|key, _| is_rule(key) || BY_NAME.contains(&key.as_str()));
            }
            None => wrong = Some(format!("\"$ref\": {pointer:?} leads nowhere in this schema")),
        }
    };
    walk(&mut schema, &mut point, 0)?;
    if let Some(wrong) = wrong {
        return Err(wrong);
    }
    let mut definitions = Map::new();
    for (path, name) in &places {
        let found = path.iter().try_fold(&schema, |at, key| step(at, key));
        definitions.insert(name.clone(), found.cloned().unwrap_or(Value::Bool(true)));
    }
    // A root that only points is what it points to: nothing may stand beside a pointer that comes back to it.
    for _ in 0..places.len() {
        let name = schema["$ref"].as_str().and_then(|pointer| pointer.strip_prefix("#/$defs/"));
        let Some(target) = name.and_then(|name| definitions.get(name)).and_then(Value::as_object) else {
            break;
        };
        let mut root = target.clone();
        for (key, value) in schema.as_object().into_iter().flatten().filter(|(key, _)| *key != "$ref") {
            root.entry(key.clone()).or_insert_with(|| value.clone());
        }
        schema = Value::Object(root);
    }
    plain(&mut schema)?;
    let mut ready = Map::new();
    for (name, mut definition) in definitions {
        plain(&mut definition)?;
        ready.insert(name, definition);
    }
    if let (Value::Object(fields), false) = (&mut schema, ready.is_empty()) {
        fields.insert("$defs".into(), Value::Object(ready));
    }
    Ok(schema)
}

/// Takes out what only annotates, and says otherwise what the grammar knows by another name.
fn plain(schema: &mut Value) -> Result<(), String> {
    let tidy = |fields: &mut Map<String, Value>| {
        for key in ["$defs", "definitions", "$id", "$anchor"] {
            fields.shift_remove(key);
        }
        let format = fields.get("format").and_then(Value::as_str);
        if format.is_some_and(|format| !FORMATS.contains(&format)) {
            fields.shift_remove("format");
        }
        if let Some(names) = fields.get("propertyNames").cloned()
            && named(fields, &names)
        {
            fields.shift_remove("propertyNames");
        }
        if fields.get("not") == Some(&json!({})) || fields.get("not") == Some(&Value::Bool(true)) {
            // Nothing is allowed.
            fields.clear();
            fields.insert("enum".into(), json!([]));
        }
    };
    walk(schema, &mut { tidy }, 0)
}

/// Says by other keys which names an object's properties may have; whether it could.
fn named(fields: &mut Map<String, Value>, names: &Value) -> bool {
    let rules: Vec<&String> = names.as_object().into_iter().flat_map(|names| names.keys()).collect();
    let only = |known: &[&str]| rules.iter().all(|rule| known.contains(&rule.as_str()) || !is_rule(rule));
    let value = fields.get("additionalProperties").cloned().unwrap_or(Value::Bool(true));
    if only(&["type"]) {
        return names.get("type").is_none_or(|kind| kind == "string");
    }
    if fields.contains_key("properties") || fields.contains_key("patternProperties") {
        return false;
    }
    let listed = names.get("enum").and_then(Value::as_array).cloned();
    let listed = listed.or_else(|| Some(vec![names.get("const")?.clone()]));
    let by_name: Map<String, Value> =
        if let (Some(listed), true) = (&listed, only(&["type", "enum", "const"])) {
            listed.iter().filter_map(|name| Some((name.as_str()?.to_owned(), value.clone()))).collect()
        } else if let (Some(pattern), true) =
            (names.get("pattern").and_then(Value::as_str), only(&["type", "pattern"]))
        {
            [(pattern.to_owned(), value)].into_iter().collect()
        } else {
            return false;
        };
    let key = if listed.is_some() { "properties" } else { "patternProperties" };
    fields.insert(key.into(), Value::Object(by_name));
    fields.insert("additionalProperties".into(), Value::Bool(false));
    true
}

/// Whether a key of a schema restricts what it describes.
fn is_rule(key: &str) -> bool {
    const ANNOTATIONS: [&str; 12] = [
        "title",
        "description",
        "default",
        "examples",
        "deprecated",
        "readOnly",
        "writeOnly",
        "nullable",
        "$comment",
        "$schema",
        "$defs",
        "definitions",
    ];
    !ANNOTATIONS.contains(&key) && !key.starts_with("x-")
}

/// Visits a schema and every schema in it.
fn walk(
    schema: &mut Value,
    visit: &mut impl FnMut(&mut Map<String, Value>),
    depth: usize,
) -> Result<(), String> {
    if depth > DEEPEST {
        return Err(format!("it is nested more than {DEEPEST} deep"));
    }
    match schema {
        Value::Array(items) => items.iter_mut().try_for_each(|item| walk(item, visit, depth + 1)),
        Value::Object(fields) => {
            visit(fields);
            for (key, value) in fields.iter_mut() {
                match value {
                    Value::Object(named) if BY_NAME.contains(&key.as_str()) => {
                        named.values_mut().try_for_each(|value| walk(value, visit, depth + 1))?;
                    }
                    _ if DATA.contains(&key.as_str()) => {}
                    value => walk(value, visit, depth + 1)?,
                }
            }
            Ok(())
        }
        _ => Ok(()),
    }
}

/// The pointer to a place, which gets a name the first time.
fn name_of(places: &mut Vec<(Vec<String>, String)>, path: Vec<String>) -> String {
    if path.is_empty() {
        return "#".to_owned();
    }
    if let Some((_, name)) = places.iter().find(|(known, _)| *known == path) {
        return format!("#/$defs/{name}");
    }
    let name = format!("d{}", places.len());
    places.push((path, name.clone()));
    format!("#/$defs/{name}")
}

/// Where a pointer leads, as the keys on the way from the root.
fn place(document: &Value, pointer: &str) -> Option<Vec<String>> {
    let id = document["$id"].as_str().or(document["id"].as_str()).unwrap_or_default().trim_end_matches('#');
    let local = pointer.strip_prefix(id).filter(|rest| rest.is_empty() || rest.starts_with('#'));
    let local = local.unwrap_or(pointer);
    if let Some(fragment) = local.strip_prefix('#').or(local.is_empty().then_some("")) {
        if fragment.is_empty() || fragment == "/" {
            return Some(Vec::new());
        }
        if let Some(keys) = fragment.strip_prefix('/') {
            let path: Vec<String> = keys.split('/').map(unescaped).collect::<Option<_>>()?;
            let found = path.iter().try_fold(document, |at, key| step(at, key));
            return found.is_some().then_some(path);
        }
        let is_anchor = |fields: &Map<String, Value>| {
            ["$anchor", "$dynamicAnchor"]
                .iter()
                .any(|key| fields.get(*key).is_some_and(|name| name == fragment))
                || ["$id", "id"].iter().any(|key| fields.get(*key).is_some_and(|id| id == local))
        };
        return find(document, &is_anchor, &mut Vec::new(), 0);
    }
    let is_named = |fields: &Map<String, Value>| {
        ["$id", "id"].iter().any(|key| fields.get(*key).is_some_and(|id| id == local))
    };
    find(document, &is_named, &mut Vec::new(), 0)
}

fn step<'a>(at: &'a Value, key: &str) -> Option<&'a Value> {
    match at {
        Value::Object(fields) => fields.get(key),
        Value::Array(items) => items.get(key.parse::<usize>().ok()?),
        _ => None,
    }
}

/// A key of a pointer without its escapes.
fn unescaped(key: &str) -> Option<String> {
    let bytes = key.as_bytes();
    let (mut out, mut at) = (Vec::new(), 0);
    while at < bytes.len() {
        match (bytes[at], bytes.get(at + 1..at + 3)) {
            (b'%', Some(hex)) => {
                out.push(u8::from_str_radix(std::str::from_utf8(hex).ok()?, 16).ok()?);
                at += 3;
            }
            (byte, _) => {
                out.push(byte);
                at += 1;
            }
        }
    }
    Some(String::from_utf8(out).ok()?.replace("~1", "/").replace("~0", "~"))
}

/// The way to the first object that is meant.
fn find(
    at: &Value,
    is_meant: &dyn Fn(&Map<String, Value>) -> bool,
    path: &mut Vec<String>,
    depth: usize,
) -> Option<Vec<String>> {
    let children: Vec<(String, &Value)> = match at {
        Value::Object(fields) if is_meant(fields) && !path.is_empty() => return Some(path.clone()),
        Value::Object(fields) => fields.iter().map(|(key, value)| (key.clone(), value)).collect(),
        Value::Array(items) => {
            items.iter().enumerate().map(|(index, item)| (index.to_string(), item)).collect()
        }
        _ => return None,
    };
    if depth > DEEPEST {
        return None;
    }
    for (key, value) in children {
        path.push(key);
        if let Some(found) = find(value, is_meant, path, depth + 1) {
            return Some(found);
        }
        path.pop();
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pointers_lead_where_they_led() {
        let check =
            |schema: Value, expected: Value| assert_eq!(ready(&schema).unwrap(), expected, "{schema}");
        let text = json!({"type": "string"});
        let (one, d0) = (json!({"$ref": "#/$defs/d0"}), json!({"d0": text}));
        let object = |property: &Value, defs: &Value| json!({"properties": {"r": property}, "$defs": defs});
        check(json!({"properties": {"r": {"$ref": "#/$defs/R"}}, "$defs": {"R": text}}), object(&one, &d0));
        check(
            json!({"properties": {"r": {"$ref": "#/definitions/a~1b%20c~0"}}, "definitions": {"a/b c~": text}}),
            object(&one, &d0),
        );
        check(
            json!({"properties": {"r": {"$ref": "#name"}}, "$defs": {"R": {"$anchor": "name", "type": "string"}}}),
            object(&one, &d0),
        );
        check(
            json!({"$id": "http://a/b", "properties": {"r": {"$ref": "http://a/b#/$defs/R"}}, "$defs": {"R": text}}),
            object(&one, &d0),
        );
        check(
            json!({"properties": {"r": {"$ref": "R"}}, "$defs": {"x": {"$id": "R", "type": "string"}}}),
            object(&one, &d0),
        );
        // Into another property, and a word beside the pointer.
        check(
            json!({"properties": {"a": text, "r": {"$ref": "#/properties/a", "description": "same"}}}),
            json!({"properties": {"a": text, "r": one}, "$defs": d0}),
        );
        // The root itself, and a root that only points.
        check(json!({"properties": {"next": {"$ref": "#"}}}), json!({"properties": {"next": {"$ref": "#"}}}));
        let node = |pointer: &str| json!({"type": "object", "properties": {"next": {"$ref": pointer}}});
        let mut rooted = node("#/$defs/d0");
        rooted["$defs"] = json!({"d0": node("#/$defs/d0")});
        check(
            json!({"$ref": "#/definitions/Node", "definitions": {"Node": node("#/definitions/Node")}}),
            rooted,
        );
        // A property, a value and a name that only look like pointers.
        let data =
            json!({"properties": {"$ref": {"type": "string"}, "enum": {"const": {"$ref": "#/nowhere"}}}});
        check(data.clone(), data);
        let lost = ready(&json!({"properties": {"r": {"$ref": "#/$defs/X"}}})).unwrap_err();
        assert_eq!(lost, "\"$ref\": \"#/$defs/X\" leads nowhere in this schema");
    }

    #[test]
    fn parameters_are_always_those_of_an_object() {
        let check = |parameters: Value, expected: Result<Value, &str>| {
            assert_eq!(of_object(&parameters), expected.map_err(str::to_owned), "{parameters}");
        };
        let none = json!({"type": "object", "properties": {}, "additionalProperties": false});
        check(Value::Null, Ok(none.clone()));
        check(json!({}), Ok(none));
        check(json!({"type": "object"}), Ok(json!({"type": "object"})));
        check(json!({"type": ["object", "null"]}), Ok(json!({"type": "object"})));
        let bare = json!({"properties": {"a": {}}, "required": ["a"]});
        check(bare, Ok(json!({"properties": {"a": {}}, "required": ["a"], "type": "object"})));
        let array = "arguments are an object, and this is the schema of \"array\"; use type: object";
        check(json!({"type": "array"}), Err(array));
        check(json!([1]), Err("expected an object"));
    }

    #[test]
    fn what_only_annotates_is_left_out() {
        let check =
            |schema: Value, expected: Value| assert_eq!(ready(&schema).unwrap(), expected, "{schema}");
        check(json!({"type": "string", "format": "binary"}), json!({"type": "string"}));
        check(json!({"type": "string", "format": "uuid"}), json!({"type": "string", "format": "uuid"}));
        let number = json!({"type": "number"});
        check(
            json!({"type": "object", "propertyNames": {"type": "string"}, "additionalProperties": number}),
            json!({"type": "object", "additionalProperties": number}),
        );
        check(
            json!({"type": "object", "propertyNames": {"type": "string", "enum": ["a", "b"]}, "additionalProperties": number}),
            json!({"type": "object", "additionalProperties": false, "properties": {"a": number, "b": number}}),
        );
        check(
            json!({"type": "object", "propertyNames": {"pattern": "^x"}, "additionalProperties": number}),
            json!({"type": "object", "additionalProperties": false, "patternProperties": {"^x": number}}),
        );
    }
}
