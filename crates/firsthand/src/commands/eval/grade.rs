//! Whether an answer to a question about the simulated home is right. Strict on what was asked for, tolerant of how it
//! is written; partial credit is not this file's business.

use firsthand_tasks::format::{Quantity, choice_among};
use firsthand_tasks::{Answer, box_overlap, interval_overlap, numbers};
use firsthand_world::questions::{Gold, ProblemType, Question};

/// How near a measured number must come, as a share of the right one.
const NEAR: f64 = 0.15;
/// How much an interval or a box must overlap the right one: intersection over union.
const OVERLAP: f64 = 0.5;

/// What the text of a generation comes to as an answer to the question: whether it is right, `None` where nothing of the
/// kind that was asked for can be read.
pub(super) fn grade(question: &Question, text: &str) -> Option<bool> {
    let answer = Answer::parse(text);
    let result = answer.result.trim().trim_end_matches('.');
    Some(match &question.answer {
        Gold::Option(index) => choice_among(result, &question.options)? == *index,
        Gold::Number(right) => {
            let given = Quantity::read(result)?.value;
            match question.problem_type {
                ProblemType::Regression => (given - right).abs() <= NEAR * right.abs(),
                _ => (given - right).abs() < 1e-6,
            }
        }
        Gold::Text(right) => Some(result).filter(|result| !result.is_empty())?.eq_ignore_ascii_case(right),
        Gold::Span(right) => match numbers(result)[..] {
            [start, end] => interval_overlap([start, end], *right) >= OVERLAP,
            _ => return None,
        },
        Gold::Box(right) => match numbers(result)[..] {
            [x1, y1, x2, y2] => box_overlap([x1, y1, x2, y2], right.map(f64::from)) >= OVERLAP,
            _ => return None,
        },
    })
}
