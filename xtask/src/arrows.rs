//! Rooms may depend only on the rooms drawn here, and tensors, network servers and codecs stay in the rooms that
//! own them. Read from `cargo metadata`, so a new arrow fails the build before anyone reviews it.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

/// Package, the project packages it may depend on (ordinary dependencies, not dev-dependencies).
const ARROWS: &[(&str, &[&str])] = &[
    ("firsthand-base", &[]),
    ("firsthand-media", &["firsthand-base"]),
    ("firsthand-tasks", &["firsthand-base"]),
    ("firsthand-engine", &["firsthand-base"]),
    ("firsthand-input", &["firsthand-base", "firsthand-media"]),
    ("firsthand-world", &["firsthand-base", "firsthand-media"]),
    ("firsthand-memory", &["firsthand-base", "firsthand-media"]),
    ("firsthand-model", &["firsthand-base", "firsthand-engine"]),
    ("firsthand-agent", &["firsthand-base", "firsthand-media", "firsthand-memory", "firsthand-tasks"]),
    (
        "firsthand-train",
        &[
            "firsthand-agent",
            "firsthand-base",
            "firsthand-engine",
            "firsthand-input",
            "firsthand-media",
            "firsthand-model",
            "firsthand-tasks",
            "firsthand-world",
        ],
    ),
    (
        "firsthand",
        &[
            "firsthand-agent",
            "firsthand-base",
            "firsthand-engine",
            "firsthand-input",
            "firsthand-media",
            "firsthand-memory",
            "firsthand-model",
            "firsthand-serve",
            "firsthand-tasks",
            "firsthand-train",
            "firsthand-world",
        ],
    ),
    (
        "firsthand-serve",
        &[
            "firsthand-agent",
            "firsthand-base",
            "firsthand-engine",
            "firsthand-input",
            "firsthand-media",
            "firsthand-memory",
            "firsthand-tasks",
        ],
    ),
    ("firsthand-golden", &[]),
    (
        "firsthand-bench",
        &[
            "firsthand-base",
            "firsthand-engine",
            "firsthand-input",
            "firsthand-media",
            "firsthand-memory",
            "firsthand-model",
            "firsthand-tasks",
            "firsthand-train",
        ],
    ),
    ("xtask", &[]),
];

/// Library, and the only project packages that may name it as an ordinary dependency.
const OWNERS: &[(&str, &[&str])] = &[
    ("candle-core", &["firsthand-model", "firsthand-train"]),
    ("gemm", &["firsthand-model"]),
    ("ffmpeg-next", &["firsthand-media"]),
    ("turbojpeg", &["firsthand-media"]),
    ("fast_image_resize", &["firsthand-media"]),
    ("tokenizers", &["firsthand-input"]),
    ("minijinja", &["firsthand-input"]),
    ("rusqlite", &["firsthand-memory"]),
    ("postgres", &["firsthand-memory"]),
    ("clap", &["firsthand"]),
    ("ureq", &["firsthand-agent", "firsthand-media", "firsthand-serve", "firsthand"]),
    ("tokio", &["firsthand-serve"]),
    ("axum", &["firsthand-serve"]),
];

/// Every violated rule, one line each; empty when all hold.
pub(crate) fn violations() -> Result<Vec<String>> {
    let mut found = Vec::new();
    let packages = dependencies()?;
    for (package, dependencies) in &packages {
        let Some((_, allowed)) = ARROWS.iter().find(|(name, _)| name == package) else {
            found.push(format!("{package} has no row in xtask/src/arrows.rs"));
            continue;
        };
        for dependency in dependencies {
            if packages.contains_key(dependency) && !allowed.contains(&dependency.as_str()) {
                found.push(format!("{package} -> {dependency} is not an arrow of ARCHITECTURE.md"));
            }
            let owners = OWNERS.iter().find(|(library, _)| library == dependency);
            if owners.is_some_and(|(_, owners)| !owners.contains(&package.as_str())) {
                found.push(format!("{package} names {dependency}, which another room owns"));
            }
        }
    }
    Ok(found)
}

pub(crate) fn check() -> Result<()> {
    let found = violations()?;
    ensure!(found.is_empty(), "forbidden dependencies:\n  {}", found.join("\n  "));
    Ok(())
}

/// Ordinary dependencies of every workspace package.
fn dependencies() -> Result<BTreeMap<String, BTreeSet<String>>> {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--no-deps", "--offline"])
        .current_dir(crate::root())
        .output()
        .context("run cargo metadata")?;
    ensure!(output.status.success(), "cargo metadata: {}", String::from_utf8_lossy(&output.stderr));
    let metadata: Value = serde_json::from_slice(&output.stdout).context("read cargo metadata")?;
    let mut packages = BTreeMap::new();
    for package in metadata["packages"].as_array().into_iter().flatten() {
        let name = package["name"].as_str().unwrap_or_default().to_owned();
        let ordinary = package["dependencies"]
            .as_array()
            .into_iter()
            .flatten()
            .filter(|dependency| dependency["kind"].is_null())
            .filter_map(|dependency| dependency["name"].as_str().map(str::to_owned))
            .collect();
        packages.insert(name, ordinary);
    }
    Ok(packages)
}

#[cfg(test)]
mod tests {
    #[test]
    fn rooms_depend_only_where_an_arrow_is_drawn() {
        let found = super::violations().expect("cargo metadata runs");
        assert!(found.is_empty(), "{}", found.join("\n"));
    }

    #[test]
    fn every_room_is_described_in_architecture() {
        let text = fs_err::read_to_string(crate::root().join("ARCHITECTURE.md")).expect("ARCHITECTURE.md");
        for (package, _) in super::ARROWS {
            let room = package.trim_start_matches("firsthand-");
            assert!(text.contains(&format!("`{room}`")), "ARCHITECTURE.md does not describe `{room}`");
        }
    }
}
