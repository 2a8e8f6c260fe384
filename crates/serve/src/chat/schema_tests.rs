//! Schemas as OpenAI's clients send them (pydantic's and zod's shapes), each with calls that the mask lets through and calls
//! that it stops, on the tokens of a real tokenizer.

use firsthand_golden::checkpoint;
use firsthand_input::RenderOptions;
use firsthand_media::Opener;

use super::*;

fn renderer() -> Renderer {
    Renderer::open(&checkpoint("qwen2_5_vl"), RenderOptions::default(), Opener::default()).unwrap()
}

/// Whether a mask lets a text through, to its end.
fn lets(renderer: &Renderer, mut mask: Box<dyn TokenMask>, text: &str) -> bool {
    let mut ids = renderer.tokenizer().encode(text).unwrap();
    ids.push(renderer.generation_defaults().stop.tokens[0]);
    ids.into_iter().all(|id| {
        let mut logits = vec![0.0; 512];
        mask.apply(&mut logits).unwrap();
        logits[id as usize] == 0.0 && mask.accept(id).is_ok()
    })
}

fn function(index: usize, name: &str, parameters: Value) -> Function {
    Function { index, name: name.into(), parameters }
}

fn tool(parameters: Value) -> Form {
    Form::Call(vec![function(0, "f", parameters)])
}

#[test]
fn calls_follow_what_clients_send() {
    let renderer = renderer();
    let schemas = Schemas::new(&renderer).unwrap();
    let check = |form: &Form, good: &[&str], bad: &[&str]| {
        for (texts, expected) in [(good, true), (bad, false)] {
            for text in texts {
                let mask = schemas.mask(form).unwrap_or_else(|unfit| panic!("{form:?}: {unfit:?}"));
                assert_eq!(lets(&renderer, mask, text), expected, "{form:?}\n{text}");
            }
        }
    };
    let call = |arguments: &str| format!("{{\"name\": \"f\", \"arguments\": {arguments}}}");
    let one = |parameters: Value, good: &[&str], bad: &[&str]| {
        let [good, bad] = [good, bad].map(|list| list.iter().map(|text| call(text)).collect::<Vec<_>>());
        let [good, bad] = [&good, &bad].map(|list| list.iter().map(String::as_str).collect::<Vec<_>>());
        check(&tool(parameters), &good, &bad);
    };
    let strict = |properties: Value, defs: Value| {
        let names: Vec<&String> = properties.as_object().unwrap().keys().collect();
        json!({"type": "object", "properties": properties, "required": names, "additionalProperties": false, "$defs": defs})
    };
    // An enum and a model inside a model.
    let room = json!({"title": "Room", "enum": ["hall", "loft"], "type": "string"});
    one(
        strict(json!({"r": {"$ref": "#/$defs/Room"}}), json!({"Room": room})),
        &[r#"{"r": "hall"}"#],
        &[r#"{"r": "bath"}"#, r#"{}"#, "[]"],
    );
    let inner = strict(json!({"r": {"anyOf": [{"$ref": "#/$defs/Room"}, {"type": "null"}]}}), json!({}));
    one(
        strict(json!({"in": {"$ref": "#/$defs/Inner"}}), json!({"Inner": inner, "Room": room})),
        &[r#"{"in": {"r": "loft"}}"#, r#"{"in": {"r": null}}"#],
        &[r#"{"in": "loft"}"#],
    );
    // A tree, by definitions, by the root, and by a root that only points.
    let node =
        |pointer: &str| strict(json!({"of": {"type": "array", "items": {"$ref": pointer}}}), json!({}));
    let (tree, not) = ([r#"{"of": [{"of": []}, {"of": [{"of": []}]}]}"#], [r#"{"of": [[]]}"#]);
    one(node("#"), &tree, &not);
    one(json!({"$ref": "#/definitions/N", "definitions": {"N": node("#/definitions/N")}}), &tree, &not);
    one(
        json!({"$ref": "#/$defs/N", "$defs": {"N": node("#/$defs/N")}, "$schema": "http://json-schema.org/draft-07/schema#"}),
        &tree,
        &not,
    );
    // One of several by a tag, as pydantic writes it.
    let tagged = |tag: &str| strict(json!({"k": {"const": tag, "type": "string"}}), json!({}));
    let union = json!({"oneOf": [{"$ref": "#/$defs/A"}, {"$ref": "#/$defs/B"}], "discriminator": {"propertyName": "k", "mapping": {}}});
    one(
        strict(json!({"x": union}), json!({"A": tagged("a"), "B": tagged("b")})),
        &[r#"{"x": {"k": "b"}}"#],
        &[r#"{"x": {"k": "c"}}"#],
    );
    // Dates, sets, dictionaries, tuples, bounds and words that only annotate.
    one(
        strict(
            json!({"at": {"type": "string", "format": "date"}, "file": {"type": "string", "format": "path"}}),
            json!({}),
        ),
        &[r#"{"at": "2026-03-01", "file": "a"}"#],
        &[r#"{"at": "soon", "file": "a"}"#],
    );
    one(
        strict(json!({"s": {"type": "array", "items": {"type": "integer"}, "uniqueItems": true}}), json!({})),
        &[r#"{"s": [1, 2]}"#],
        &[r#"{"s": ["a"]}"#],
    );
    let map = json!({"type": "object", "propertyNames": {"type": "string"}, "additionalProperties": {"type": "number"}});
    one(
        strict(json!({"m": map}), json!({})),
        &[r#"{"m": {"a": 1.5}}"#, r#"{"m": {}}"#],
        &[r#"{"m": {"a": "b"}}"#],
    );
    let pair = json!({"type": "array", "items": [{"type": "string"}, {"type": "integer"}], "minItems": 2, "maxItems": 2});
    one(strict(json!({"p": pair}), json!({})), &[r#"{"p": ["a", 1]}"#], &[r#"{"p": [1, "a"]}"#]);
    one(
        strict(
            json!({"n": {"type": "integer", "exclusiveMinimum": 0, "maximum": 9, "default": 1, "title": "N"}}),
            json!({}),
        ),
        &[r#"{"n": 9}"#],
        &[r#"{"n": 0}"#],
    );
    // Nothing that says little lets through anything but an object.
    for (parameters, good) in [
        (Value::Null, r#"{}"#),
        (json!({}), r#"{}"#),
        (json!({"type": "object"}), r#"{"a": [1]}"#),
        (json!({"properties": {"r": {"type": "string"}}, "required": ["r"]}), r#"{"r": "x"}"#),
        (json!({"properties": {"r": {}}}), r#"{"r": null}"#),
        (json!({"type": ["object", "null"], "properties": {}}), r#"{}"#),
        (json!({"anyOf": [{"type": "object", "properties": {}}, {"type": "null"}]}), r#"{}"#),
        (json!({"description": "nothing else"}), r#"{"a": 1}"#),
        (json!(true), r#"{"a": 1}"#),
    ] {
        one(parameters, &[good], &["[]", "null", "1", r#""a""#]);
    }
    // Two tools whose definitions share a name.
    let with = |values: Value| strict(json!({"r": {"$ref": "#/$defs/R"}}), json!({"R": {"enum": values}}));
    let two = Form::Call(vec![function(0, "f", with(json!(["a"]))), function(1, "g\"é", with(json!(["b"])))]);
    check(
        &two,
        &[r#"{"name": "f", "arguments": {"r": "a"}}"#, r#"{"name": "g\"é", "arguments": {"r": "b"}}"#],
        &[
            r#"{"name": "f", "arguments": {"r": "b"}}"#,
            r#"{"name": "h", "arguments": {"r": "b"}}"#,
            r#"{"name":"f","arguments":{"r":"a"}}"#,
        ],
    );
    let schema = json!({"$ref": "#/definitions/N", "definitions": {"N": node("#/definitions/N")}});
    check(&Form::Json(schema), &[r#"{"of":[{"of":[]}]}"#], &[r#"{"of":[1]}"#]);
}

#[test]
fn a_schema_that_cannot_be_followed_is_named_with_its_tool() {
    let schemas = Schemas::new(&renderer()).unwrap();
    let good = json!({"type": "object"});
    let check = |form: Form, param: &str, part: &str| {
        let Err(unfit) = schemas.mask(&form) else { panic!("{form:?}") };
        assert!(unfit.param == param && unfit.what.contains(part) && !unfit.what.contains('\n'), "{unfit:?}");
    };
    let second =
        |parameters: Value| Form::Call(vec![function(0, "f", good.clone()), function(3, "g", parameters)]);
    check(second(json!({"type": "string"})), "tools[3].function.parameters", "use type: object");
    check(
        second(json!({"properties": {"a": {"$ref": "#/$defs/A"}}})),
        "tools[3].function.parameters",
        "leads nowhere",
    );
    check(second(json!({"properties": {"a": {"type": "strng"}}})), "tools[3].function.parameters", "strng");
    check(
        second(json!({"properties": {"a": {"not": {"type": "string"}}}})),
        "tools[3].function.parameters",
        "not",
    );
    check(Form::Json(json!({"$ref": "#/nowhere"})), "response_format", "leads nowhere");
}
