//! Two commands taking turns, and the ratio of their medians. Each side prints one JSON line of seconds, or of MiB
//! under names that end in `_mib`; the time of the whole process is added under `process`. Losses that both sides
//! print must agree: they race over the same course.

use std::process::Command;
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use crate::prepare::Bench;

/// One side of a race: a program and its arguments.
pub(crate) struct Side {
    program: String,
    arguments: Vec<String>,
}

impl Side {
    /// This program's own half of a case.
    pub(crate) fn ours(arguments: &[&str]) -> Result<Side> {
        let program = std::env::current_exe()?.to_string_lossy().into_owned();
        let mut words = vec!["ours".to_owned()];
        words.extend(arguments.iter().map(|&word| word.to_owned()));
        Ok(Side { program, arguments: words })
    }

    /// The shipped binary, built beside this one.
    pub(crate) fn product(arguments: &[&str]) -> Result<Side> {
        let program = std::env::current_exe()?.with_file_name("firsthand");
        ensure!(program.exists(), "{} is missing: run `make build` first", program.display());
        let mut words: Vec<String> = arguments.iter().map(|&word| word.to_owned()).collect();
        let out = std::env::temp_dir().join(format!("firsthand-bench-{}.safetensors", std::process::id()));
        words.extend(["--out".to_owned(), out.to_string_lossy().into_owned()]);
        Ok(Side { program: program.to_string_lossy().into_owned(), arguments: words })
    }

    /// The reference half, in Python.
    pub(crate) fn peer(bench: &Bench, arguments: &[&str]) -> Side {
        let mut words = vec![bench.peer_script()];
        words.extend(arguments.iter().map(|&word| word.to_owned()));
        Side { program: bench.python.clone(), arguments: words }
    }

    /// Runs it once with two threads. The last line of its output, if it is JSON, is the report.
    pub(crate) fn run(&self) -> Result<Value> {
        let start = Instant::now();
        let output = Command::new(&self.program)
            .args(&self.arguments)
            .env("RAYON_NUM_THREADS", "2")
            .env("OMP_NUM_THREADS", "2")
            .output()
            .with_context(|| format!("run {}", self.program))?;
        let seconds = start.elapsed().as_secs_f64();
        let errors = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "{} {}: {errors}", self.program, self.arguments.join(" "));
        let text = String::from_utf8_lossy(&output.stdout);
        let last = text.lines().last().unwrap_or_default();
        let mut report: Value = serde_json::from_str(last).unwrap_or_else(|_| json!({}));
        report["process"] = json!([seconds]);
        Ok(report)
    }
}

/// Runs both sides `rounds` times in turn and prints, for each figure, the medians in seconds and how many times
/// faster ours is.
pub(crate) fn race(name: &str, rounds: usize, figures: &[&str], ours: Side, peer: Side) -> Result<()> {
    let mut seconds: Vec<[Vec<f64>; 2]> = figures.iter().map(|_| Default::default()).collect();
    for _ in 0..rounds {
        let mut losses = Vec::new();
        for (side, run) in [&ours, &peer].into_iter().enumerate() {
            let report = run.run()?;
            losses.extend(
                report["losses"].as_array().map(|all| all.iter().filter_map(Value::as_f64).collect()),
            );
            for (figure, name) in figures.iter().enumerate() {
                let values =
                    report[*name].as_array().with_context(|| format!("no figure {name} in {report}"))?;
                seconds[figure][side].extend(values.iter().filter_map(Value::as_f64));
            }
        }
        same_course(&losses)?;
    }
    for (figure, [mine, theirs]) in figures.iter().zip(&mut seconds) {
        let (mine, theirs) = (median(mine), median(theirs));
        let ratio = theirs / mine;
        let line = match figure.strip_suffix("_mib") {
            None => {
                json!({ "case": name, "figure": figure, "ours_s": mine, "reference_s": theirs, "times_faster": ratio })
            }
            Some(figure) => {
                json!({ "case": name, "figure": figure, "ours_mib": mine, "reference_mib": theirs, "times_less": ratio })
            }
        };
        crate::print(&line.to_string());
    }
    Ok(())
}

/// Refuses losses that differ by more than rounding products to bf16 does.
fn same_course(losses: &[Vec<f64>]) -> Result<()> {
    if let [ours, theirs] = losses {
        let close = |(a, b): (&f64, &f64)| (a - b).abs() <= 1e-2 * b.abs();
        ensure!(
            ours.len() == theirs.len() && ours.iter().zip(theirs).all(close),
            "the sides trained differently: losses {ours:?} and {theirs:?}"
        );
    }
    Ok(())
}

fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
