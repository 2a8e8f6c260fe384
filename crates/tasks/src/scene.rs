//! Scene graphs as SpatialThinker writes them: objects with boxes, relations between them. Reading is tolerant of
//! words around the JSON; scoring has its own, stricter rules elsewhere.

use serde::{Deserialize, Serialize};

use crate::boxes::{BoundingBox, LabelledBox, json};
use crate::{Error, Result};

/// A thing in the picture.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SceneObject {
    /// `<name>.<number>`.
    pub id: String,
    /// Where it is, in pixels of the picture whose size the prompt states.
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

    /// The objects as boxes.
    pub fn boxes(&self) -> Vec<LabelledBox> {
        let labelled =
            |object: &SceneObject| LabelledBox { label: Some(object.id.clone()), bounds: object.bbox };
        self.objects.iter().map(labelled).collect()
    }
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

    proptest! {
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
