//! What a run of a teacher came to, in numbers.

use std::collections::BTreeMap;

use serde::Serialize;

use super::filter::{Filter, Rejected};
use super::record::Record;
use crate::Said;

/// Counts over records; shares are of the records, means over them.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Statistics {
    /// Questions with a record.
    pub questions: usize,
    /// Questions whose teacher broke.
    pub failures: usize,
    /// Share answered with the right option.
    pub accuracy: f64,
    /// Share answered with "not in memory".
    pub not_in_memory: f64,
    /// Share without an answer.
    pub unanswered: f64,
    /// Steps of a trace, the answer included.
    pub mean_steps: f64,
    /// Calls of a trace that reached a tool.
    pub mean_calls: f64,
    /// Share of all calls by tool.
    pub tools: BTreeMap<String, f64>,
    /// Share right by type of question.
    pub by_type: BTreeMap<String, f64>,
    /// Seconds from what decides to the question.
    pub mean_span_s: f64,
    /// Records that are learned from.
    pub kept: usize,
    /// The others, by reason.
    pub rejected: BTreeMap<Rejected, usize>,
}

impl Statistics {
    /// Of a run.
    pub fn of(records: &[Record], failures: usize, filter: &Filter) -> Statistics {
        let share = |count: usize, of: usize| if of == 0 { 0.0 } else { count as f64 / of as f64 };
        let count = |fits: &dyn Fn(&Record) -> bool| records.iter().filter(|record| fits(record)).count();
        let n = records.len();
        let mut calls: BTreeMap<String, usize> = BTreeMap::new();
        let mut types: BTreeMap<String, [usize; 2]> = BTreeMap::new();
        let mut rejected = BTreeMap::new();
        let mut spans = Vec::new();
        for record in records {
            record.calls().for_each(|(name, _)| *calls.entry(name.to_owned()).or_default() += 1);
            let [right, all] = types.entry(record.kind.clone()).or_default();
            *right += usize::from(record.is_right());
            *all += 1;
            if let Some(reason) = filter.rejects(record) {
                *rejected.entry(reason).or_default() += 1;
            }
            spans.extend(record.reasoning_span["span"].as_f64());
        }
        let made: usize = calls.values().sum();
        Statistics {
            questions: n,
            failures,
            accuracy: share(count(&Record::is_right), n),
            not_in_memory: share(count(&Record::is_not_in_memory), n),
            unanswered: share(count(&|record| !matches!(record.trace.end, Said::Answer(_))), n),
            mean_steps: share(records.iter().map(|record| record.cot.len()).sum(), n),
            mean_calls: share(made, n),
            tools: calls.into_iter().map(|(name, count)| (name, share(count, made))).collect(),
            by_type: types.into_iter().map(|(name, [right, all])| (name, share(right, all))).collect(),
            mean_span_s: if spans.is_empty() { 0.0 } else { spans.iter().sum::<f64>() / spans.len() as f64 },
            kept: n - rejected.values().sum::<usize>(),
            rejected,
        }
    }
}
