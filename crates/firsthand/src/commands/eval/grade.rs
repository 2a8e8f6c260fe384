//! Whether an answer to a question about the simulated home is right. Strict on what was asked for, tolerant of how it
//! is written; partial credit is not this file's business.

use firsthand_tasks::{Answer, box_overlap, interval_overlap, letter, numbers};
use firsthand_world::questions::{Gold, ProblemType, Question};

/// How near a measured number must come, as a share of the right one.
const NEAR: f64 = 0.15;
/// How much an interval or a box must overlap the right one: intersection over union.
const OVERLAP: f64 = 0.5;

/// Whether the text of a generation answers the question.
pub(super) fn is_right(question: &Question, text: &str) -> bool {
    let answer = Answer::parse(text);
    let result = answer.result.trim().trim_end_matches('.');
    match &question.answer {
        Gold::Option(index) => letter(result) == Some(*index),
        Gold::Number(right) => match (result.parse::<f64>(), question.problem_type) {
            (Err(_), _) => false,
            (Ok(given), ProblemType::Regression) => (given - right).abs() <= NEAR * right.abs(),
            (Ok(given), _) => (given - right).abs() < 1e-6,
        },
        Gold::Text(right) => result.eq_ignore_ascii_case(right),
        Gold::Span(right) => match numbers(result)[..] {
            [start, end] => interval_overlap([start, end], *right) >= OVERLAP,
            _ => false,
        },
        Gold::Box(right) => match numbers(result)[..] {
            [x1, y1, x2, y2] => box_overlap([x1, y1, x2, y2], right.map(f64::from)) >= OVERLAP,
            _ => false,
        },
    }
}
