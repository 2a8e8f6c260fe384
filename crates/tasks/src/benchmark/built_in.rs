//! The built-in benchmarks: the TOML files in `benchmarks/`, and nothing besides.

use super::description::Benchmark;
use crate::{Error, Result};

const FILES: [&str; 35] = [
    include_str!("../../benchmarks/3dsrbench.toml"),
    include_str!("../../benchmarks/blink.toml"),
    include_str!("../../benchmarks/charades-sta.toml"),
    include_str!("../../benchmarks/cv-bench.toml"),
    include_str!("../../benchmarks/ego-r1-bench.toml"),
    include_str!("../../benchmarks/ego-st-mcq.toml"),
    include_str!("../../benchmarks/ego-st-qa.toml"),
    include_str!("../../benchmarks/ego-st-training.toml"),
    include_str!("../../benchmarks/egoexolearn.toml"),
    include_str!("../../benchmarks/egolife-qa.toml"),
    include_str!("../../benchmarks/egomcq.toml"),
    include_str!("../../benchmarks/egoplan2.toml"),
    include_str!("../../benchmarks/egoschema.toml"),
    include_str!("../../benchmarks/egotaskqa.toml"),
    include_str!("../../benchmarks/mmvp.toml"),
    include_str!("../../benchmarks/mmvu.toml"),
    include_str!("../../benchmarks/mvbench.toml"),
    include_str!("../../benchmarks/qaego4d.toml"),
    include_str!("../../benchmarks/realworldqa.toml"),
    include_str!("../../benchmarks/spatialbench.toml"),
    include_str!("../../benchmarks/stvqa.toml"),
    include_str!("../../benchmarks/tempcompass.toml"),
    include_str!("../../benchmarks/video-mme.toml"),
    include_str!("../../benchmarks/video-mmmu.toml"),
    include_str!("../../benchmarks/video-r1-eval.toml"),
    include_str!("../../benchmarks/visor.toml"),
    include_str!("../../benchmarks/vlnqa.toml"),
    include_str!("../../benchmarks/vsi-bench.toml"),
    include_str!("../../benchmarks/world-egoexo.toml"),
    include_str!("../../benchmarks/world-egolife.toml"),
    include_str!("../../benchmarks/world-st-r1.toml"),
    include_str!("../../benchmarks/world-stvqa.toml"),
    include_str!("../../benchmarks/world-video-r1.toml"),
    include_str!("../../benchmarks/world-visor.toml"),
    include_str!("../../benchmarks/world.toml"),
];

/// All of them, by name.
pub fn list() -> Result<Vec<Benchmark>> {
    FILES.iter().map(|text| Benchmark::from_toml(text)).collect()
}

/// The one of that name. The error lists the known ones.
pub fn find(name: &str) -> Result<Benchmark> {
    let mut all = list()?;
    match all.iter().position(|benchmark| benchmark.name == name) {
        Some(at) => Ok(all.swap_remove(at)),
        None => {
            let known: Vec<&str> = all.iter().map(|benchmark| benchmark.name.as_str()).collect();
            let what = format!(
                "there is none of that name\nhint: choose one of {}, or give a TOML file",
                known.join(", ")
            );
            Err(Error::Benchmark { name: name.to_owned(), what })
        }
    }
}
