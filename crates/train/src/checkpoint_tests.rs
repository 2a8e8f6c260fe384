//! Folders appear whole or not at all, the newest whole one is found, and state returns bit for bit.

use super::*;
use crate::optimizer::Move;

const SETTINGS: AdamW = AdamW { beta1: 0.9, beta2: 0.999, epsilon: 1e-8 };

fn state(step: u64) -> State {
    let recipe = BTreeMap::from([("seed".to_owned(), "7".to_owned())]);
    State { total_step: step, step, optimizer_steps: step, ..State::new(recipe, "rows".to_owned()) }
}

fn weights(content: &'static str) -> impl FnOnce(&Path) -> Result<()> {
    move |dir| Ok(fs_err::write(dir.join("model.safetensors"), content)?)
}

fn names(dir: &Path) -> Vec<String> {
    let mut names: Vec<String> = fs_err::read_dir(dir)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}

#[test]
fn the_newest_is_found_and_only_so_many_are_kept() {
    let output = tempfile::tempdir().unwrap();
    let store = Store::open(output.path()).unwrap();
    assert!(store.latest().unwrap().is_none() && store.finished().unwrap().is_none());
    for step in [5, 40, 999_999, 1_000_000] {
        store.write(&state(step), None, 3, weights("w")).unwrap();
    }
    let folder = output.path().join("checkpoints");
    assert_eq!(names(&folder), ["step-000040", "step-1000000", "step-999999"]);
    assert_eq!(store.latest().unwrap().unwrap().state, state(1_000_000));
    store.write_final(&state(1_000_000), weights("w")).unwrap();
    assert_eq!(store.finished().unwrap(), Some(state(1_000_000)));
}

#[test]
fn moments_return_bit_for_bit() {
    let output = tempfile::tempdir().unwrap();
    let store = Store::open(output.path()).unwrap();
    let mut optimizer = Optimizer::new(SETTINGS);
    let how = Move { rate: 0.1, decay: 0.0, scale: 1.0 };
    let gradient: Vec<f32> = (0..100_000).map(|i| (i as f32).sin() * 1e-3).collect();
    optimizer.begin_step();
    optimizer.update("visual.a", how, &mut vec![0.5; 100_000], &gradient);
    optimizer.update_master("model.b", how, || Ok(vec![0.25; 3]), &[1.0, -2.0, f32::MIN_POSITIVE]).unwrap();
    store.write(&state(1), Some(&optimizer), 1, weights("w")).unwrap();
    let back = read_optimizer(&store.latest().unwrap().unwrap(), SETTINGS).unwrap();
    assert_eq!((back.steps, &back.memory), (1, &optimizer.memory));
}

#[test]
fn a_checkpoint_that_fails_leaves_the_one_before() {
    let output = tempfile::tempdir().unwrap();
    let store = Store::open(output.path()).unwrap();
    store.write(&state(1), None, 1, weights("first")).unwrap();
    let full = |dir: &Path| {
        fs_err::write(dir.join("model.safetensors"), "half")?;
        Err(std::io::Error::from(std::io::ErrorKind::StorageFull).into())
    };
    let error = store.write(&state(2), None, 1, full).unwrap_err().to_string();
    assert!(error.contains("step-000002") && error.contains("make room"), "{error}");
    assert_eq!(names(&output.path().join("checkpoints")), ["step-000001"]);
    let kept = store.latest().unwrap().unwrap();
    assert_eq!(fs_err::read_to_string(kept.dir.join("model.safetensors")).unwrap(), "first");
}

#[test]
fn what_a_killed_run_left_is_removed_and_two_runs_do_not_meet() {
    let output = tempfile::tempdir().unwrap();
    let part = output.path().join("checkpoints/.step-000009.part");
    fs_err::create_dir_all(&part).unwrap();
    fs_err::write(part.join("model.safetensors"), "half").unwrap();
    let picture = output.path().join(".loss.png.77.part");
    fs_err::write(&picture, "half").unwrap();
    let store = Store::open(output.path()).unwrap();
    assert!(!part.exists() && !picture.exists() && store.latest().unwrap().is_none());
    let error = Store::open(output.path()).err().unwrap().to_string();
    assert!(error.contains("another run"), "{error}");
    drop(store);
    Store::open(output.path()).unwrap();
}

#[test]
fn a_changed_recipe_is_named() {
    let check = |key: &str, value: Option<&str>, parts: &[&str]| {
        let mut now = state(1).recipe;
        match value {
            Some(value) => now.insert(key.to_owned(), value.to_owned()),
            None => now.remove(key),
        };
        let error = state(1).check_same(&now, "rows", Path::new("run")).unwrap_err().to_string();
        for part in parts {
            assert!(error.contains(part), "{part:?} is missing in {error:?}");
        }
    };
    check("seed", Some("8"), &["seed was 7 and is 8", "another output"]);
    check("seed", None, &["seed was 7 and is not given"]);
    check("phase[train].batch", Some("2"), &["phase[train].batch was not given and is 2"]);
    state(1).check_same(&state(1).recipe, "rows", Path::new("run")).unwrap();
    assert!(state(1).check_same(&state(1).recipe, "other rows", Path::new("run")).is_err());
}

#[test]
fn damaged_state_is_an_error() {
    let output = tempfile::tempdir().unwrap();
    let store = Store::open(output.path()).unwrap();
    let mut optimizer = Optimizer::new(SETTINGS);
    optimizer.begin_step();
    optimizer.update("a", Move { rate: 0.1, decay: 0.0, scale: 1.0 }, &mut [1.0; 64], &[1.0; 64]);
    let dir = store.write(&state(1), Some(&optimizer), 1, weights("w")).unwrap();
    let moments = dir.join("trainer/moments.safetensors");
    let whole = fs_err::read(&moments).unwrap();
    for length in [0, 4, 8, 50, whole.len() - 1] {
        fs_err::write(&moments, &whole[..length]).unwrap();
        assert!(read_optimizer(&store.latest().unwrap().unwrap(), SETTINGS).is_err(), "{length} bytes");
    }
    for text in ["", "{}", "{\"version\": 1}"] {
        fs_err::write(dir.join("trainer/state.json"), text).unwrap();
        assert!(store.latest().is_err(), "{text:?}");
    }
}
