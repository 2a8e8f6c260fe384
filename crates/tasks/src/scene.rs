//! Scene graphs as SpatialThinker writes them: objects with boxes, relations between them. `parse` is tolerant of
//! words around the JSON, of more keys and of graphs that do not hang together; `strict` is not.

use std::collections::HashSet;

use serde::{Deserialize, Serialize};

use crate::boxes::{BoundingBox, LabelledBox, json};
use crate::json::Json;
use crate::{Error, Result};

/// A thing in the picture.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SceneObject {
    /// `<name>.<number>`.
    pub id: String,
    /// Where it is, in pixels of the picture whose size the prompt states. Qwen2.5-VL's own name of it is `bbox_2d`.
    #[serde(alias = "bbox_2d")]
    pub bbox: BoundingBox,
}

/// How one thing stands to another.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Relation {
    /// Id of the first thing.
    pub subject: String,
    /// What holds between them.
    pub predicate: String,
    /// Id of the second thing.
    pub object: String,
}

/// What is in a picture and how it hangs together.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Scene {
    /// The things.
    #[serde(default)]
    pub objects: Vec<SceneObject>,
    /// The relations; one prompt calls them `relations`.
    #[serde(default, alias = "relations")]
    pub relationships: Vec<Relation>,
}

impl Scene {
    /// Reads the inside of a `<scene>` section.
    pub fn parse(text: &str) -> Result<Scene> {
        let value = json(text).ok_or_else(|| Error::Scene("no JSON object in it".to_owned()))?;
        if !value.is_object() {
            return Err(Error::Scene("the JSON is not an object".to_owned()));
        }
        serde_json::from_value(value).map_err(|error| Error::Scene(error.to_string()))
    }

    /// Reads the inside of a `<scene>` section that is exactly what the prompt asks for: one JSON object with
    /// `objects` and `relationships`, objects with `id` and `bbox`, relations with `subject`, `predicate` and `object`,
    /// no other keys and none twice; and [`check`](Scene::check)s it.
    pub fn strict(text: &str) -> Result<Scene> {
        let value = Json::parse(text.trim()).ok_or_else(|| Error::Scene("not JSON".to_owned()))?;
        let [objects, relations] = exactly(&value, ["objects", "relationships"], "the graph")?;
        let list = |value: &Json<'_>, name: &str| match value {
            Json::List(_) => Ok(()),
            _ => Err(Error::Scene(format!("{name} is no list"))),
        };
        list(objects, "objects")?;
        list(relations, "relationships")?;
        let objects = objects.list().unwrap_or_default().iter().map(strict_object);
        let relationships = relations.list().unwrap_or_default().iter().map(strict_relation);
        let scene = Scene {
            objects: objects.collect::<Result<_>>()?,
            relationships: relationships.collect::<Result<_>>()?,
        };
        scene.check()?;
        Ok(scene)
    }

    /// Whether the graph hangs together: ids are `<name>.<number>` and differ, boxes have an area, predicates are not
    /// empty, and both ends of a relation are among the objects.
    pub fn check(&self) -> Result<()> {
        let mut ids = HashSet::new();
        for SceneObject { id, bbox } in &self.objects {
            if !is_id(id) {
                return Err(Error::Scene(format!("the id \"{id}\" is not name.number")));
            }
            if !bbox.is_drawable() {
                return Err(Error::Scene(format!("the box of {id} has no area")));
            }
            if !ids.insert(id.as_str()) {
                return Err(Error::Scene(format!("two objects {id}")));
            }
        }
        for Relation { subject, predicate, object } in &self.relationships {
            if let Some(end) = [subject, object].into_iter().find(|end| !ids.contains(end.as_str())) {
                return Err(Error::Scene(format!("a relation names \"{end}\", which is no object")));
            }
            if predicate.trim().is_empty() {
                return Err(Error::Scene(format!(
                    "a relation of {subject} and {object} without a predicate"
                )));
            }
        }
        Ok(())
    }

    /// The objects as boxes.
    pub fn boxes(&self) -> Vec<LabelledBox> {
        let labelled =
            |object: &SceneObject| LabelledBox { label: Some(object.id.clone()), bounds: object.bbox };
        self.objects.iter().map(labelled).collect()
    }
}

/// A name of letters, digits, blanks, `_` and `-`, a dot, a number.
fn is_id(id: &str) -> bool {
    let Some((name, number)) = id.rsplit_once('.') else { return false };
    let named = name.chars().all(|c| c.is_alphanumeric() || matches!(c, ' ' | '_' | '-'));
    named
        && name.contains(char::is_alphanumeric)
        && !number.is_empty()
        && number.bytes().all(|b| b.is_ascii_digit())
}

/// The values of an object that has these keys, each once, and no others.
fn exactly<'a, 'b, const N: usize>(
    value: &'b Json<'a>,
    keys: [&str; N],
    what: &str,
) -> Result<[&'b Json<'a>; N]> {
    let refuse = || Error::Scene(format!("{what} is no object of exactly {}", keys.join(", ")));
    let Json::Object(members) = value else { return Err(refuse()) };
    let mut found = [value; N];
    for (place, key) in found.iter_mut().zip(keys) {
        *place = value.get(key).ok_or_else(refuse)?;
    }
    if members.len() == N { Ok(found) } else { Err(refuse()) }
}

fn strict_object(value: &Json<'_>) -> Result<SceneObject> {
    let [id, bbox] = exactly(value, ["id", "bbox"], "a thing")?;
    let id = id.text().ok_or_else(|| Error::Scene("an id that is no text".to_owned()))?;
    let refuse = || Error::Scene(format!("the box of \"{id}\" is not four numbers"));
    let corners = bbox.list().filter(|corners| corners.len() == 4).ok_or_else(refuse)?;
    let mut bounds = [0.0; 4];
    for (bound, corner) in bounds.iter_mut().zip(corners) {
        let Json::Number(number) = corner else { return Err(refuse()) };
        *bound = *number;
    }
    Ok(SceneObject { id: id.to_owned(), bbox: BoundingBox(bounds) })
}

fn strict_relation(value: &Json<'_>) -> Result<Relation> {
    let ends = exactly(value, ["subject", "predicate", "object"], "a relation")?;
    let text = |value: &Json<'_>| match value.text() {
        Some(text) => Ok(text.to_owned()),
        None => Err(Error::Scene("a relation with an end or predicate that is no text".to_owned())),
    };
    Ok(Relation { subject: text(ends[0])?, predicate: text(ends[1])?, object: text(ends[2])? })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn reads_graphs_and_refuses_the_rest() {
        let scene = Scene::parse(
            "```json\n{\"objects\": [{\"id\": \"cup.1\", \"bbox\": [1, 2, 3, 4.5]}], \"relations\": []}\n```",
        );
        assert_eq!(scene.unwrap().boxes()[0].bounds, BoundingBox([1.0, 2.0, 3.0, 4.5]));
        for bad in [
            "",
            "none",
            "[1]",
            "{\"objects\": 3}",
            "{\"objects\": [{\"id\": \"a.1\", \"bbox\": [1, 2, 3]}]}",
            "{\"objects\": [{\"id\": \"a.1\", \"bbox\": [NaN, 2, 3, 4]}]}",
        ] {
            assert!(Scene::parse(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn strict_reading_says_what_is_wrong() {
        let cup = r#"{"id": "cup.1", "bbox": [1, 2, 3, 4]}"#;
        let mat = r#"{"id": "bath-mat.2", "bbox": [1, 2, 3, 4]}"#;
        let on = r#"{"subject": "cup.1", "predicate": "on", "object": "bath-mat.2"}"#;
        let graph = |objects: &str, links: &str| {
            format!(r#" {{"objects": [{objects}], "relationships": [{links}]}} "#)
        };
        let check = |text: &str, expect: &str| match Scene::strict(text) {
            Ok(scene) => {
                assert_eq!(expect, format!("{} {}", scene.objects.len(), scene.relationships.len()), "{text}")
            }
            Err(error) => {
                assert!(!expect.is_empty() && error.to_string().contains(expect), "{text}: {error}")
            }
        };
        check(&graph("", ""), "0 0");
        check(&graph(&format!("{cup}, {mat}"), on), "2 1");
        check("", "not JSON");
        check("Here: {}", "not JSON");
        check("[1]", "the graph is no object of exactly objects, relationships");
        check(r#"{"objects": []}"#, "the graph is no object of exactly");
        check(r#"{"objects": [], "relations": []}"#, "the graph is no object of exactly");
        check(r#"{"objects": [], "relationships": [], "objects": []}"#, "the graph is no object of exactly");
        check(r#"{"objects": {}, "relationships": []}"#, "objects is no list");
        check(&graph(&format!("{cup}, {cup}"), ""), "two objects cup.1");
        check(&graph(cup, on), "names \"bath-mat.2\", which is no object");
        check(&graph(&cup.replace("cup.1", "cup"), ""), "is not name.number");
        check(&graph(&cup.replace("cup.1", " .1"), ""), "is not name.number");
        check(&graph(&cup.replace("bbox", "box"), ""), "a thing is no object of exactly id, bbox");
        check(&graph(&cup.replace("3, 4", "3"), ""), "not four numbers");
        check(&graph(&cup.replace("[1", "[true"), ""), "not four numbers");
        check(&graph(&cup.replace("[1", "[NaN"), ""), "has no area");
        check(&graph(&cup.replace("3, 4", "1, 4"), ""), "has no area");
        check(&graph(&cup.replace("4]", "1e999]"), ""), "has no area");
        check(&graph(&format!("{cup}, {mat}"), &on.replace("\"on\"", "\" \"")), "without a predicate");
        check(&graph(&format!("{cup}, {mat}"), &on.replace("\"on\"", "1")), "no text");
    }

    proptest! {
        #[test]
        fn no_text_panics(text in "[\\[\\]{}:,\"0-9.e\\-a objectsbxidrlnhp]{0,40}") {
            let _ = (Scene::parse(&text), Scene::strict(&text));
        }

        #[test]
        fn strict_graphs_survive_a_round_trip(
            objects in prop::collection::vec(("[a-z_]{0,7}[a-z]", prop::array::uniform4(1..4_000i32)), 1..5), ends in prop::array::uniform4(0..5usize),
        ) {
            let object = |(at, (name, [x, y, width, height])): (usize, (String, [i32; 4]))| SceneObject {
                id: format!("{name}.{at}"),
                bbox: BoundingBox([x, y, x + width, y + height].map(|n| f64::from(n) / 4.0)),
            };
            let objects: Vec<_> = objects.into_iter().enumerate().map(object).collect();
            let id = |at: usize| objects[at % objects.len()].id.clone();
            let relationships = ends.chunks(2).map(|pair| Relation { subject: id(pair[0]), predicate: "by".to_owned(), object: id(pair[1]) }).collect();
            let scene = Scene { objects, relationships };
            let text = serde_json::to_string(&scene).unwrap();
            prop_assert_eq!(Scene::strict(&text).unwrap(), Scene::parse(&text).unwrap());
            prop_assert_eq!(Scene::strict(&text).unwrap(), scene);
        }

        #[test]
        fn graphs_survive_a_round_trip(
            objects in prop::collection::vec(("[a-z_]{1,8}\\.[0-9]", prop::array::uniform4(-40_000..40_000i32)), 0..4),
            relationships in prop::collection::vec(("\\PC{0,8}", "\\PC{0,8}", "\\PC{0,8}"), 0..4),
        ) {
            let scene = Scene {
                objects: objects.into_iter().map(|(id, b)| SceneObject { id, bbox: BoundingBox(b.map(|n| f64::from(n) / 4.0)) }).collect(),
                relationships: relationships
                    .into_iter()
                    .map(|(subject, predicate, object)| Relation { subject, predicate, object })
                    .collect(),
            };
            let text = format!("Here it is: {}", serde_json::to_string(&scene).unwrap());
            prop_assert_eq!(Scene::parse(&text).unwrap(), scene);
        }
    }
}
