//! Descriptions of benchmarks, as users write them.
#![no_main]

use firsthand_tasks::benchmark::Benchmark;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    if let Ok(benchmark) = Benchmark::from_toml(text) {
        let _ = benchmark.columns();
    }
});
