//! Runs the libFuzzer targets of `fuzz/` on the stable toolchain, each for a bounded time and a bounded memory.
//! Coverage instrumentation is switched on through stable compiler flags; no sanitizer runtime is needed.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};

/// Each is a binary of the package in `fuzz/`, with a folder of valid inputs to start from.
const TARGETS: &[(&str, &str)] = &[
    ("messages", "golden/tiny/cases/vision"),
    ("image", "golden/tiny/media"),
    ("container", "golden/tiny/media"),
    ("kinds", "golden/tiny/media"),
    ("weights", "golden/tiny/qwen2"),
    ("answers", "fuzz/seeds/answers"),
    ("rewards", "fuzz/seeds/rewards"),
    ("benchmark", "crates/tasks/benchmarks"),
    ("transcripts", "fuzz/seeds/transcripts"),
    ("memory", "fuzz/seeds/memory"),
    ("requests", "fuzz/seeds/requests"),
    ("json", "fuzz/seeds/json"),
];

/// SanitizerCoverage as libFuzzer expects it: edge counters, the table of edges, traced comparisons.
const COVERAGE: &str = "--cfg fuzzing -Ccodegen-units=1 -Cpasses=sancov-module \
    -Cllvm-args=-sanitizer-coverage-level=3 -Cllvm-args=-sanitizer-coverage-inline-8bit-counters \
    -Cllvm-args=-sanitizer-coverage-pc-table -Cllvm-args=-sanitizer-coverage-trace-compares";

pub(crate) fn run_all(seconds: u32) -> Result<()> {
    let folder = crate::root().join("fuzz");
    let target_folder = crate::root().join("target/fuzz");
    // A target triple keeps build scripts and procedural macros free of the instrumentation.
    let triple = host_triple()?;
    let status = Command::new(env!("CARGO"))
        .args(["build", "--release", "--target", &triple])
        .env("RUSTFLAGS", COVERAGE)
        .env("CARGO_TARGET_DIR", &target_folder)
        .current_dir(&folder)
        .status()
        .context("build the fuzz targets")?;
    ensure!(status.success(), "the fuzz targets do not build");
    // Inputs become files; where there is a file system in memory they do not touch the disk.
    let memory = Path::new("/dev/shm");
    let scratch = if memory.is_dir() { memory.to_path_buf() } else { std::env::temp_dir() };
    for (target, seeds) in TARGETS {
        let corpus = target_folder.join("corpus").join(target);
        fs_err::create_dir_all(&corpus)?;
        let status = Command::new(target_folder.join(&triple).join("release").join(target))
            .env("TMPDIR", &scratch)
            .arg(&corpus)
            .arg(crate::root().join(seeds))
            .args([
                &format!("-max_total_time={seconds}"),
                "-rss_limit_mb=2048",
                "-timeout=10",
                "-max_len=65536",
            ])
            .args(["-print_final_stats=1", "-verbosity=0"])
            .arg(format!("-artifact_prefix={}/", corpus.parent().unwrap_or(&corpus).display()))
            .status()
            .with_context(|| format!("run fuzz target {target}"))?;
        ensure!(status.success(), "fuzz target {target} found an input that fails: see {}", corpus.display());
    }
    Ok(())
}

fn host_triple() -> Result<String> {
    let output = Command::new("rustc").arg("-vV").output().context("run rustc -vV")?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let line = text.lines().find_map(|line| line.strip_prefix("host: "));
    line.map(str::to_owned).context("rustc -vV names no host")
}
