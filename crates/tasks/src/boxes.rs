//! Boxes in answers, in the three coordinate frames models use. A number alone does not say which; the style and
//! the model family do.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// What the numbers of a box count.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Coordinates {
    /// Pixels of a picture of this size.
    Pixels {
        /// Rows.
        height: f64,
        /// Columns.
        width: f64,
    },
    /// Fractions of the sides, 0 to 1 (EgoThinker).
    Unit,
    /// Thousandths of the sides, 0 to 1000 (Qwen2-VL).
    Thousand,
}

impl Coordinates {
    /// Length of `[width, height]` in this frame.
    pub(crate) fn sides(self) -> [f64; 2] {
        match self {
            Coordinates::Pixels { height, width } => [width, height],
            Coordinates::Unit => [1.0, 1.0],
            Coordinates::Thousand => [1000.0, 1000.0],
        }
    }
}

/// `[x1, y1, x2, y2]`: left, top, right, bottom, in some frame.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct BoundingBox(pub [f64; 4]);

impl BoundingBox {
    /// The same box in another frame.
    pub fn convert(self, from: Coordinates, to: Coordinates) -> BoundingBox {
        let (from, to) = (from.sides(), to.sides());
        BoundingBox(std::array::from_fn(|i| self.0[i] / from[i % 2] * to[i % 2]))
    }

    /// The same box in another frame in whole numbers within it, as models are trained to write it: halves go to the
    /// even number; pixels end at the side less 1, thousandths at 1000. Fractions only stay within 0 to 1.
    pub fn written(self, from: Coordinates, to: Coordinates) -> BoundingBox {
        let last = match to {
            Coordinates::Pixels { .. } => to.sides().map(|side| side - 1.0),
            Coordinates::Unit | Coordinates::Thousand => to.sides(),
        };
        let converted = self.convert(from, to).0;
        BoundingBox(std::array::from_fn(|i| {
            let number = if to == Coordinates::Unit { converted[i] } else { converted[i].round_ties_even() };
            number.min(last[i % 2]).max(0.0)
        }))
    }

    /// Whether all numbers are finite and the box has an area.
    pub fn is_drawable(self) -> bool {
        let [x1, y1, x2, y2] = self.0;
        self.0.iter().all(|n| n.is_finite()) && x2 > x1 && y2 > y1
    }
}

/// A box and what is in it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct LabelledBox {
    /// What is in it, if the answer says so.
    pub label: Option<String>,
    /// Where.
    #[serde(rename = "box")]
    pub bounds: BoundingBox,
}

/// Every box in a text: JSON objects with `bbox_2d` or `bbox` (Qwen2.5-VL, scene graphs), `(x1,y1),(x2,y2)`
/// (Qwen2-VL) and `[x1, y1, x2, y2]`. Numbers that are no box are passed over.
pub fn boxes(text: &str) -> Vec<LabelledBox> {
    if let Some(value) = json(text) {
        let mut found = Vec::new();
        collect(&value, &mut found);
        if !found.is_empty() {
            return found;
        }
    }
    scan(text)
}

/// The JSON value a text holds, code fences and words around it left out.
pub(crate) fn json(text: &str) -> Option<Value> {
    let start = text.find(['{', '['])?;
    let end = text.rfind(['}', ']'])?;
    serde_json::from_str(text.get(start..=end)?).ok()
}

fn four(value: &Value) -> Option<BoundingBox> {
    let numbers: Vec<f64> = value.as_array()?.iter().map(Value::as_f64).collect::<Option<_>>()?;
    Some(BoundingBox(numbers.try_into().ok()?))
}

fn collect(value: &Value, found: &mut Vec<LabelledBox>) {
    match value {
        Value::Object(map) => {
            let text = |key: &str| map.get(key).and_then(Value::as_str).map(str::to_owned);
            if let Some(bounds) = map.get("bbox_2d").or_else(|| map.get("bbox")).and_then(four) {
                found.push(LabelledBox { label: text("label").or_else(|| text("id")), bounds });
            } else {
                map.values().for_each(|value| collect(value, found));
            }
        }
        Value::Array(values) => match four(value) {
            Some(bounds) => found.push(LabelledBox { label: None, bounds }),
            None => values.iter().for_each(|value| collect(value, found)),
        },
        _ => {}
    }
}

fn scan(text: &str) -> Vec<LabelledBox> {
    let mut found = Vec::new();
    for open in ['[', '('] {
        let mut rest = text;
        while let Some(at) = rest.find(open) {
            rest = &rest[at..];
            let parsed = if open == '[' { bracketed(rest) } else { two_corners(rest) };
            match parsed {
                Some((bounds, length)) => {
                    found.push(LabelledBox { label: None, bounds });
                    rest = &rest[length..];
                }
                None => rest = &rest[1..],
            }
        }
    }
    found
}

fn numbers<const N: usize>(text: &str) -> Option<[f64; N]> {
    let values: Vec<f64> = text.split(',').map(|part| number(part.trim())).collect::<Option<_>>()?;
    values.try_into().ok()
}

/// A decimal number; `inf` and `nan` are none.
fn number(text: &str) -> Option<f64> {
    let plain = |c: char| c.is_ascii_digit() || matches!(c, '.' | '-' | '+' | 'e' | 'E');
    if text.len() > 32 || !text.chars().all(plain) {
        return None;
    }
    text.parse().ok().filter(|n: &f64| n.is_finite())
}

fn bracketed(text: &str) -> Option<(BoundingBox, usize)> {
    let end = text.find(']')?;
    Some((BoundingBox(numbers(&text[1..end])?), end + 1))
}

fn two_corners(text: &str) -> Option<(BoundingBox, usize)> {
    let end = text.find(')')?;
    let [x1, y1] = numbers(&text[1..end])?;
    let rest = &text[end + 1..];
    let second = rest.find('(').filter(|&at| rest[..at].trim_matches([',', ' ']).is_empty())?;
    let close = rest.find(')')?;
    let [x2, y2] = numbers(rest.get(second + 1..close)?)?;
    Some((BoundingBox([x1, y1, x2, y2]), end + 1 + close + 1))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn reads_every_way_models_write_boxes() {
        let check = |text: &str, expect: &[(Option<&str>, [f64; 4])]| {
            let found: Vec<_> = boxes(text).into_iter().map(|b| (b.label, b.bounds.0)).collect();
            let expect: Vec<_> = expect.iter().map(|(l, b)| (l.map(str::to_owned), *b)).collect();
            assert_eq!(found, expect, "{text:?}");
        };
        check("[146, 137, 615, 415]", &[(None, [146.0, 137.0, 615.0, 415.0])]);
        check("the cup is at [0.1,0.2, .5,0.6].", &[(None, [0.1, 0.2, 0.5, 0.6])]);
        check("<|box_start|>(228,320),(961,970)<|box_end|>", &[(None, [228.0, 320.0, 961.0, 970.0])]);
        check(
            "```json\n[{\"bbox_2d\": [1, 2, 3, 4], \"label\": \"cup\"}, {\"bbox_2d\": [5, 6, 7, 8]}]\n```",
            &[(Some("cup"), [1.0, 2.0, 3.0, 4.0]), (None, [5.0, 6.0, 7.0, 8.0])],
        );
        check("[[1,2,3,4],[5,6,7,8]]", &[(None, [1.0, 2.0, 3.0, 4.0]), (None, [5.0, 6.0, 7.0, 8.0])]);
        check(
            "{\"objects\":[{\"id\":\"cup.1\",\"bbox\":[1,2,3,4]}]}",
            &[(Some("cup.1"), [1.0, 2.0, 3.0, 4.0])],
        );
        for none in
            ["", "[1, 2, 3]", "[a, b, c, d]", "(1, 2)", "[1e999, 0, 1, 1]", "(1,2) and (3,4)", "[", "([)"]
        {
            check(none, &[]);
        }
    }

    #[test]
    fn frames_convert_as_the_reference_does() {
        // Box [146, 137, 615, 415] of a 428x640 picture: Qwen2-VL writes thousandths, Qwen2.5-VL pixels of 420x644.
        let original = Coordinates::Pixels { height: 428.0, width: 640.0 };
        let bounds = BoundingBox([146.0, 137.0, 615.0, 415.0]);
        assert_eq!(bounds.written(original, Coordinates::Thousand).0, [228.0, 320.0, 961.0, 970.0]);
        let resized = Coordinates::Pixels { height: 420.0, width: 644.0 };
        assert_eq!(bounds.written(original, resized).0, [147.0, 134.0, 619.0, 407.0]);
        let beyond = BoundingBox([-5.0, 1.0, 640.0, 428.0]);
        assert_eq!(beyond.written(original, resized).0, [0.0, 1.0, 643.0, 419.0]);
        assert_eq!(beyond.written(original, Coordinates::Thousand).0, [0.0, 2.0, 1000.0, 1000.0]);
        assert_eq!(beyond.written(original, Coordinates::Unit).0, [0.0, 1.0 / 428.0, 1.0, 1.0]);
    }

    proptest! {
        #[test]
        fn boxes_survive_a_round_trip(quarters in prop::array::uniform4(-40_000..40_000i32)) {
            let corners = quarters.map(|quarter| f64::from(quarter) / 4.0);
            let [a, b, c, d] = corners;
            for text in [format!("[{a}, {b}, {c}, {d}]"), format!("({a},{b}),({c},{d})"), format!("{{\"bbox\":[{a},{b},{c},{d}]}}")] {
                prop_assert_eq!(boxes(&text)[0].bounds, BoundingBox(corners));
            }
        }

        #[test]
        fn no_text_panics(text in "[\\[\\](){},.0-9e \"a:-]{0,40}") {
            boxes(&text);
        }

        #[test]
        fn conversion_is_reversible(corners in prop::array::uniform4(0.0..1000.0f64), height in 1.0..4000.0f64, width in 1.0..4000.0f64) {
            let pixels = Coordinates::Pixels { height, width };
            let there = BoundingBox(corners).convert(Coordinates::Thousand, pixels);
            for (back, expect) in there.convert(pixels, Coordinates::Thousand).0.iter().zip(corners) {
                prop_assert!((back - expect).abs() < 1e-9);
            }
        }
    }
}
