//! Results for people: one Markdown table for each benchmark, with the settings as rows; then each setting's groups.

use std::fmt::Write;

use crate::metric::statistics::Estimate;

use super::plan::Shown;
use super::results::{Baseline, Figures, Results};

/// Groups with more names than this are only in the JSON.
const MOST_NAMES: usize = 40;

impl Results {
    /// The tables.
    pub fn to_markdown(&self) -> String {
        let mut text = String::from("# Results\n");
        for figures in self.figures.chunk_by(|a, b| a.benchmark == b.benchmark) {
            benchmark(&mut text, figures);
        }
        for (count, what) in [
            (self.failed, "rows failed; their `error` says why, and they are in no mean"),
            (
                self.unread,
                "answers say nothing that could be read as what was asked for; they count as wrong",
            ),
            (self.unjudged, "answers have no judge's score; they are in no mean"),
            (self.unusable.len(), "rows of the files cannot be used"),
        ] {
            if count > 0 {
                let _ = writeln!(text, "\n{count} {what}.");
            }
        }
        for [benchmark, reason] in &self.unusable {
            let _ = writeln!(text, "- {benchmark}: {reason}");
        }
        text
    }
}

fn benchmark(text: &mut String, all: &[Figures]) {
    let _ = writeln!(text, "\n## {}\n", all[0].benchmark);
    let mut headlines: Vec<&String> = all.iter().flat_map(|figures| figures.headline.keys()).collect();
    headlines.sort_unstable();
    headlines.dedup();
    let together = all.iter().any(|figures| figures.together.is_some());
    let mut header: Vec<String> =
        ["shown", "rows", "failed", "unread", "mean", "95%"].map(str::to_owned).to_vec();
    header.extend(headlines.iter().map(|headline| format!("mean over {headline}")));
    header.extend(together.then(|| "every time".to_owned()));
    let thresholds: Vec<&String> = all[0].recall.keys().collect();
    header.extend(thresholds.iter().map(|least| format!("R@{least}")));
    header.extend(["chance", "always"].map(str::to_owned));
    line(text, header.iter().map(String::as_str));
    line(text, header.iter().map(|_| "---"));
    for figures in all {
        let mut cells = vec![
            setting(figures),
            figures.rows.to_string(),
            figures.failed.to_string(),
            figures.unread.to_string(),
            percent(figures.mean.as_ref()),
        ];
        cells.push(interval(figures.mean.as_ref()));
        cells.extend(headlines.iter().map(|headline| percent(figures.headline.get(*headline))));
        cells.extend(together.then(|| percent(figures.together.as_ref())));
        cells.extend(thresholds.iter().map(|least| {
            figures.recall.get(*least).map_or_else(|| "-".to_owned(), |share| format!("{:.1}", 100.0 * share))
        }));
        let (chance, always) = baseline(figures.baseline.as_ref());
        cells.extend([chance, always]);
        line(text, cells.iter().map(String::as_str));
    }
    for figures in all.iter().filter(|figures| figures.shown == Shown::Media) {
        for (group, names) in &figures.groups {
            if names.len() < 2 || names.len() > MOST_NAMES {
                continue;
            }
            let _ = writeln!(text, "\n{}, by {group}:\n", setting(figures));
            line(text, [group.as_str(), "items", "mean", "95%"].into_iter());
            line(text, ["---"; 4].into_iter());
            for (name, estimate) in names {
                let (mean, interval) = (percent(Some(estimate)), interval(Some(estimate)));
                line(text, [name.as_str(), &estimate.items.to_string(), &mean, &interval].into_iter());
            }
        }
    }
}

fn setting(figures: &Figures) -> String {
    let shown = match (figures.shown, figures.frames.parse::<u64>().is_ok()) {
        (Shown::Blind, _) => "blind".to_owned(),
        (Shown::Media, true) => format!("{} frames", figures.frames),
        (Shown::Media, false) => figures.frames.clone(),
        (Shown::Shuffled, true) => format!("{} frames, shuffled", figures.frames),
        (Shown::Shuffled, false) => format!("{}, shuffled", figures.frames),
    };
    match figures.by {
        Some(metric) => {
            let name = serde_json::to_value(metric).expect("a name");
            format!("{shown}, by {}", name.as_str().unwrap_or_default())
        }
        None => shown,
    }
}

fn line<'a>(text: &mut String, cells: impl Iterator<Item = &'a str>) {
    // A bar or a line break in a name would end the cell.
    let cells: Vec<String> = cells.map(|cell| cell.replace('|', "\\|").replace(['\n', '\r'], " ")).collect();
    let _ = writeln!(text, "| {} |", cells.join(" | "));
}

fn percent(estimate: Option<&Estimate>) -> String {
    estimate.map_or_else(|| "-".to_owned(), |estimate| format!("{:.1}", 100.0 * estimate.mean))
}

fn interval(estimate: Option<&Estimate>) -> String {
    let interval = estimate.and_then(|estimate| estimate.interval);
    interval
        .map_or_else(|| "-".to_owned(), |[low, high]| format!("{:.1} to {:.1}", 100.0 * low, 100.0 * high))
}

/// Chance, and the letter that is right most often.
fn baseline(baseline: Option<&Baseline>) -> (String, String) {
    let Some(baseline) = baseline else { return ("-".to_owned(), "-".to_owned()) };
    let always = |(letter, share): (&String, &f64)| format!("{letter} {:.1}", 100.0 * share);
    let a = baseline.always.iter().next().map(always).unwrap_or_default();
    let best = baseline.always.iter().max_by(|x, y| x.1.total_cmp(y.1).then(y.0.cmp(x.0))).map(always);
    let best = best.filter(|best| *best != a).map_or_else(String::new, |best| format!(", {best}"));
    (format!("{:.1}", 100.0 * baseline.chance), format!("{a}{best}"))
}
