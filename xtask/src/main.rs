//! Chores that keep the tree honest: the arrows between rooms, line counts, bounded fuzzing.
//! It builds none of the rooms itself and knows nothing of what they do.

mod arrows;
mod fuzz;
mod lines;

use anyhow::{Result, bail};

const USAGE: &str = "usage: cargo xtask <chore>

  arrows              check that rooms depend only where ARCHITECTURE.md draws an arrow
  lines               lines of Rust per room, longest files
  fuzz [--seconds N]  run every fuzz target for N seconds (default 20)";

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["arrows"] => arrows::check(),
        ["lines"] => lines::report(),
        ["fuzz"] => fuzz::run_all(20),
        ["fuzz", "--seconds", seconds] => fuzz::run_all(seconds.parse()?),
        _ => bail!("{USAGE}"),
    }
}

/// The root of the repository, from where this program was built.
fn root() -> std::path::PathBuf {
    let manifest = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    manifest.parent().expect("xtask sits one folder below the root").to_path_buf()
}
