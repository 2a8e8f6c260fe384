//! The size of the picture a row asks about: from the problem's text, where the published prompts state it, or from
//! the row. Without one no box can be judged, which is an error of the row.

use serde_json::Value;

use super::{NAME, Row};
use crate::{Error, Result, python};

const LEAD: &str = "Image size: ";

/// `[width, height]` as the published code reads it: `Image size: (W x H)` in the problem. A row whose problem states
/// none may have the key `image_size`.
pub(super) fn published(row: &Row) -> Result<[f64; 2]> {
    let problem = row.problem.as_deref().unwrap_or_default();
    let Some([width, height]) = bracketed(problem) else { return of_row(row) };
    match (python::int(width), python::int(height)) {
        (Some(width), Some(height)) => Ok([width, height]),
        _ => {
            Err(Error::row(NAME, format!("the image size \"({width} x {height})\" is not two whole numbers")))
        }
    }
}

/// `[width, height]`, both above 0, from any of the published prompts: with brackets, without (model card), or in
/// brackets on the line after the unfilled template (evaluation); or from the key `image_size`.
pub(super) fn tolerant(row: &Row) -> Result<[f64; 2]> {
    let problem = row.problem.as_deref().unwrap_or_default();
    let after = problem.match_indices(LEAD).map(|(at, _)| &problem[at + LEAD.len()..]);
    let size = after.filter_map(|rest| {
        let rest = rest.strip_prefix("{Width} x {Height}").map_or(rest, str::trim_start);
        let mut numbers = rest.strip_prefix('(').unwrap_or(rest).splitn(2, " x ").map(|text| {
            let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
            text[..digits].parse::<f64>().ok()
        });
        Some([numbers.next()??, numbers.next()??])
    });
    let size = size.last().map_or_else(|| of_row(row), Ok)?;
    if size.iter().all(|side| side.is_finite() && *side > 0.0) {
        return Ok(size);
    }
    Err(Error::row(NAME, format!("an image of {} x {} pixels", size[0], size[1])))
}

fn of_row(row: &Row) -> Result<[f64; 2]> {
    stated(row, "image_size")?.ok_or_else(|| {
        Error::row(
            NAME,
            "no \"Image size: (W x H)\" in the problem\nhint: or give the key image_size, [width, height]",
        )
    })
}

/// `[width, height]` under a key of the row.
pub(super) fn stated(row: &Row, key: &str) -> Result<Option<[f64; 2]>> {
    let Some(value) = row.more.get(key).filter(|value| !value.is_null()) else { return Ok(None) };
    let sides: Option<Vec<f64>> = value.as_array().and_then(|list| list.iter().map(Value::as_f64).collect());
    let size: Option<[f64; 2]> = sides.and_then(|sides| sides.try_into().ok());
    match size.filter(|sides| sides.iter().all(|side| side.is_finite() && *side > 0.0)) {
        Some(size) => Ok(Some(size)),
        None => Err(Error::row(NAME, format!("{key} is {value}; give [width, height], both above 0"))),
    }
}

/// What stands for W and H in the first `Image size: (W x H)` that one line holds.
fn bracketed(problem: &str) -> Option<[&str; 2]> {
    // Few texts have many brackets: this passes over a long prompt faster than a search for the words does.
    problem.match_indices('(').filter(|&(at, _)| problem[..at].ends_with(LEAD)).find_map(|(at, _)| {
        let line = problem[at + 1..].split('\n').next()?;
        let (width, rest) = line.split_once(" x ")?;
        Some([width, rest.split_once(')')?.0])
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(problem: &str, size: Option<Value>) -> Row {
        let more = size.into_iter().map(|size| ("image_size".to_owned(), size)).collect();
        Row { problem: Some(problem.to_owned()), more, ..Row::default() }
    }

    #[test]
    fn sizes() {
        let check = |problem: &str, size: Option<Value>, exact: Option<[f64; 2]>, any: Option<[f64; 2]>| {
            let row = row(problem, size);
            assert_eq!((published(&row).ok(), tolerant(&row).ok()), (exact, any), "{problem:?}");
        };
        let size = Some([640.0, 480.0]);
        check("Image size: (640 x 480)\nQ.", None, size, size);
        check("Image size: (\nImage size: (640 x 480)", None, size, size);
        check("Image size: 640 x 480", None, None, size);
        check("Image size: {Width} x {Height}\n(640 x 480)", None, None, size);
        check("Image size: (6_40 x -480)", None, Some([640.0, -480.0]), None);
        check("Image size: (640 x 480 px)", None, None, size);
        check("Image size: (0 x 480)", None, Some([0.0, 480.0]), None);
        check("Q.", Some(serde_json::json!([640, 480])), size, size);
        check("Q.", Some(serde_json::json!([640])), None, None);
        check("Q.", Some(serde_json::json!([640, 0])), None, None);
        check("", None, None, None);
    }
}
