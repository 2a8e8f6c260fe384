//! The plan of the tiny checkpoints against sums made by hand, and what a refusal says.

use firsthand_golden::checkpoint;

use super::*;
use crate::model::Checkpoint;
use crate::tests::made;

fn plan(family: &str, dtype: Dtype, quantize: Option<Quantize>, workload: Workload) -> Plan {
    let options = LoadOptions { dtype, quantize, ..LoadOptions::default() };
    Checkpoint::open(&checkpoint(family)).unwrap().plan(&options, &workload)
}

#[test]
fn weights_count_as_what_they_become() {
    let none = Workload::default();
    let stored: u64 = Weights::open(&checkpoint("qwen2_vl"))
        .unwrap()
        .tensors()
        .map(|(_, _, entry)| entry.shape.iter().product::<usize>() as u64)
        .sum();
    // Matrices of a bf16 checkpoint stay in the file; vectors become f32.
    let auto = plan("qwen2_vl", Dtype::Auto, None, none);
    assert!(auto.owned > 0 && auto.owned < auto.mapped / 20);
    assert_eq!(auto.mapped / 2 + auto.owned / 4, stored);
    let widened = plan("qwen2_vl", Dtype::F32, None, none);
    assert_eq!((widened.mapped, widened.owned), (0, 4 * stored));
    // Quantised matrices are copies; the table is not quantised, except as a tied head.
    let dir = tempfile::tempdir().unwrap();
    let matrices = made::checkpoint(dir.path());
    let checkpoint = Checkpoint::open(dir.path()).unwrap();
    let of = |quantize| checkpoint.plan(&LoadOptions { quantize, ..LoadOptions::default() }, &none);
    let (table, blocks) = ((made::VOCAB * made::WIDTH) as u64, (matrices / 32) as u64);
    assert_eq!(of(None).mapped, 4 * (matrices as u64 + table));
    assert_eq!(of(Some(Quantize::Q8_0)).mapped, 4 * table);
    let bytes = blocks * (34 + 34);
    assert_eq!(of(Some(Quantize::Q8_0)).owned - of(None).owned, bytes);
}

#[test]
fn the_workload_counts() {
    let workload = Workload { cache_tokens: 1000, pass_tokens: 100, patches: 64, cache_bf16: false };
    let small = plan("qwen2_vl", Dtype::Auto, None, workload);
    // 2 layers, keys and values, 2 heads of 16, f32.
    assert_eq!(small.cache, 2 * 2 * 1000 * 2 * 16 * 4);
    let twice = Workload { cache_tokens: 2000, pass_tokens: 200, patches: 128, ..workload };
    let large = plan("qwen2_vl", Dtype::Auto, None, twice);
    assert_eq!((large.cache, large.vision), (2 * small.cache, 2 * small.vision));
    assert!(large.activations > small.activations && large.total() > small.total());
    assert_eq!(plan("qwen2", Dtype::Auto, None, workload).vision, 0);
}

#[test]
fn a_refusal_names_the_plan_and_the_remedy_for_its_largest_part() {
    let check = |plan: Plan, part: &str, remedy: &str| {
        let plan = Plan { available: Some(1_000_000_000), ..plan };
        let error = plan.check().unwrap_err().to_string();
        assert!(
            error.contains(part) && error.contains(remedy) && error.contains("1.0 GB is available"),
            "{error}"
        );
    };
    let weights = Plan { mapped: 15_000_000_000, ..Plan::default() };
    check(weights, "weights 15.0 GB", "--quantize");
    check(Plan { quantised: true, ..weights }, "weights 15.0 GB", "smaller checkpoint");
    check(Plan { vision: 3_000_000_000, ..Plan::default() }, "vision 3.0 GB", "--max-pixels");
    check(Plan { cache: 2_000_000_000, ..Plan::default() }, "KV cache 2.0 GB", "shorter context");
    assert!(Plan { available: Some(10), mapped: 10, ..Plan::default() }.check().is_ok());
    assert!(Plan { available: None, ..weights }.check().is_ok());
}

#[test]
fn this_machine_has_some_memory_left() {
    let available = available().unwrap();
    assert!((1 << 20..1 << 50).contains(&available), "{available}");
}
