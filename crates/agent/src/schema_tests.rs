use proptest::prelude::*;
use serde_json::json;

use super::*;

fn context() -> Context {
    Context::new("DAY3_12000000".parse().unwrap(), "A1")
}

fn schema() -> Value {
    json!({"type": "object", "properties": {
        "level": {"type": "string", "enum": ["week", "day"]},
        "keywords": {"type": "array", "items": {"type": "string", "minLength": 1}, "maxItems": 2},
        "at": {"type": "string", "format": "moment"},
        "now": {"type": "string", "format": "moment-or-now"},
        "range": {"type": "string", "format": "moment-range"},
        "count": {"type": "integer", "minimum": 1, "maximum": 9},
        "deep": {"type": "object", "properties": {"flag": {"type": "boolean"}}, "required": ["flag"]},
    }, "required": ["level", "now"]})
}

#[test]
fn arguments_are_fitted_or_the_fault_is_told() {
    validate(&schema()).unwrap();
    let check = |given: Value, expect: Result<Value, (Trouble, &str)>| {
        let mut given = given;
        given.as_object_mut().unwrap().entry("level").or_insert(json!("day"));
        match (fit(&schema(), given.as_object().unwrap(), &context()), expect) {
            (Ok((fitted, notes)), Ok(mut expect)) => {
                let told = expect.as_object_mut().unwrap().remove("notes").unwrap_or(json!([]));
                expect["level"] = json!("day");
                expect.as_object_mut().unwrap().entry("now").or_insert(json!("DAY3_12000000"));
                assert_eq!(Value::Object(fitted), expect, "{given}");
                assert_eq!(json!(notes), told, "{given}");
            }
            (Err(error), Err((trouble, message))) => {
                assert_eq!((error.error, error.message.as_str()), (trouble, message), "{given}");
                assert!(error.remedy.is_some(), "{given}");
            }
            (found, _) => panic!("{given}: {found:?}"),
        }
    };
    use Trouble::{BadArgument as Bad, LaterThanNow as Later};
    check(json!({}), Ok(json!({})));
    check(json!({"now": null, "count": null}), Ok(json!({})));
    check(json!({"now": "DAY3_11000000"}), Ok(json!({"now": "DAY3_11000000"})));
    check(
        json!({"now": "DAY7_11000000"}),
        Ok(json!({"notes": ["now: DAY7_11000000 is later than now; DAY3_12000000 was used"]})),
    );
    check(
        json!({"range": "DAY3_11000000 - DAY3_13000000"}),
        Ok(json!({"range": "DAY3_11000000-DAY3_12000000",
            "notes": ["range: DAY3_13000000 is later than now; DAY3_12000000 was used"]})),
    );
    check(
        json!({"range": "DAY3_13000000-DAY3_13000100"}),
        Err((Later, "range is later than now: DAY3_13000000")),
    );
    check(json!({"at": "DAY3_12000001"}), Err((Later, "at is later than now: DAY3_12000001")));
    check(json!({"at": "noon"}), Err((Bad, "at: not a moment: \"noon\"")));
    check(
        json!({"range": "DAY1_00000000"}),
        Err((Bad, "range: a range is two moments joined by -: \"DAY1_00000000\"")),
    );
    check(
        json!({"range": "DAY2_00000000-DAY1_00000000"}),
        Err((Bad, "range ends before it begins: DAY2_00000000-DAY1_00000000")),
    );
    check(json!({"level": "year"}), Err((Bad, "level is \"year\", not one of week, day")));
    check(json!({"level": 3}), Err((Bad, "level is 3, not of type string")));
    check(json!({"keywords": "cup"}), Err((Bad, "keywords is \"cup\", not of type array")));
    check(json!({"keywords": ["a", 2]}), Err((Bad, "keywords[1] is 2, not of type string")));
    check(json!({"keywords": ["a", "b", "c"]}), Err((Bad, "keywords has 3 items, more than 2")));
    check(json!({"keywords": [""]}), Err((Bad, "keywords[0] has 0 characters, fewer than 1")));
    check(json!({"count": 0}), Err((Bad, "count has 0 , fewer than 1")));
    check(json!({"count": 1.5}), Err((Bad, "count is 1.5, not of type integer")));
    check(json!({"deep": {}}), Err((Bad, "\"deep.flag\" is missing")));
    check(json!({"deep": {"flag": true, "x": 1}}), Err((Bad, "there is no argument \"deep.x\"")));
    check(json!({"deep": [null]}), Err((Bad, "deep is a list of 1, not of type object")));
    check(json!({"colour": "red"}), Err((Bad, "there is no argument \"colour\"")));
}

#[test]
fn schemas_in_other_words_are_refused() {
    let check = |schema: Value, expect: &str| {
        let error = validate(&schema).unwrap_err();
        assert!(error.contains(expect), "{schema}: {error}");
    };
    check(json!({}), "type object");
    check(json!({"type": "object", "properties": {"a": {"type": "str"}}}), "arguments.a: type is one of");
    check(json!({"type": "object", "properties": {"a": {"type": "string", "pattern": "x"}}}), "\"pattern\"");
    check(
        json!({"type": "object", "properties": {"a": {"type": "string", "format": "date"}}}),
        "format is one of",
    );
    check(json!({"type": "object", "required": ["a"]}), "\"a\" is required but not described");
    check(
        json!({"type": "object", "properties": {"a": {"type": "array", "items": 3}}}),
        "arguments.a[]: not a schema",
    );
}

fn values() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i32>().prop_map(Value::from),
        "(DAY[0-9]_[0-9]{8}-?){0,2}|week|\\PC{0,5}".prop_map(Value::from),
    ];
    leaf.prop_recursive(2, 8, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
            prop::collection::vec(("level|keywords|at|now|range|deep|[a-z]", inner), 0..3)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn nothing_later_than_the_clock_passes(members in prop::collection::vec(("level|keywords|at|now|range|deep|count", values()), 0..6)) {
        let given: Map<String, Value> = members.into_iter().collect();
        if let Ok((fitted, _)) = fit(&schema(), &given, &context()) {
            for name in ["at", "now", "range"] {
                for moment in fitted.get(name).and_then(Value::as_str).into_iter().flat_map(|text| text.split('-')) {
                    prop_assert!(moment.parse::<Moment>().unwrap() <= context().clock);
                }
            }
            // What fits once fits again, unchanged.
            prop_assert_eq!(fit(&schema(), &fitted, &context()).unwrap(), (fitted, Vec::new()));
        }
    }
}
