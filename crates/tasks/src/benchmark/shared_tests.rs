//! Published annotation files, where a machine has them: counts and answers as they were counted by other means. The
//! folder is `FIRSTHAND_SHARED_DATA`; without it these tests say that they were skipped. `FIRSTHAND_WORLD_DATA` is a
//! folder that `firsthand world write` made.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::*;

fn data(variable: &str, folder: &str) -> Option<PathBuf> {
    let data = std::env::var_os(variable);
    if data.is_none() {
        println!("skipped: {variable} names no folder with published files");
    }
    data.map(|data| PathBuf::from(data).join(folder))
}

/// Items and clusters; how many answers are A, B, ...; and sizes of groups, "group=name".
#[track_caller]
fn check(name: &str, folder: &str, items: usize, clusters: usize, right: &[usize], groups: &[(&str, usize)]) {
    let Some(dir) = data("FIRSTHAND_SHARED_DATA", folder) else { return };
    let check = find(name).unwrap().check_folder(&dir, None);
    assert_eq!(check.bad, [], "{name}");
    assert_eq!((check.items, check.left_out, check.clusters), (items, 0, clusters), "{name}");
    let positions: BTreeMap<usize, usize> = right.iter().copied().enumerate().collect();
    assert_eq!(check.positions.right, positions, "{name}");
    for (group, count) in groups {
        let (group, value) = group.split_once('=').unwrap();
        assert_eq!(check.groups[group].get(value), Some(count), "{name} {group}={value}");
    }
}

#[test]
fn ego_st_training_rows() {
    let groups = [
        ("direction=forward", 315),
        ("direction=reverse", 315),
        ("category=direction", 286),
        ("category=landmark", 264),
        ("category=action", 80),
    ];
    check("ego-st-training", "st-r1", 630, 214, &[218, 152, 129, 131], &groups);
    let Some(dir) = data("FIRSTHAND_SHARED_DATA", "st-r1") else { return };
    let check = find("ego-st-training").unwrap().check_folder(&dir, None);
    assert_eq!(check.positions.options, BTreeMap::from([(1, 1), (2, 16), (3, 102), (4, 511)]));
    // "Always A" is 34.6%.
    assert_eq!(check.positions.always(0).right, 218);
    assert_eq!(check.positions.favourite(), Some(0));
}

#[test]
fn egotaskqa_rows() {
    let groups = [("view=P1", 6509), ("view=P2", 2274)];
    check("egotaskqa", "egothinker", 8783, 2128, &[1847, 1665, 1797, 1745, 1729], &groups);
}

#[test]
fn egoplan2_rows() {
    let groups = [
        ("domain=Daily life", 439),
        ("domain=Work", 404),
        ("domain=Hobbies", 295),
        ("domain=Recreation", 183),
        ("scenario=cooking", 113),
        ("scenario=eating", 82),
        ("scenario=cleaning", 81),
    ];
    check("egoplan2", "egothinker", 1321, 1113, &[339, 327, 332, 323], &groups);
    let Some(dir) = data("FIRSTHAND_SHARED_DATA", "egothinker") else { return };
    let egoplan2 = find("egoplan2").unwrap();
    let lengths = egoplan2.items(&dir, None).map(|item| {
        let item = item.unwrap();
        item.media[0].end.unwrap() - item.media[0].start.unwrap()
    });
    let mut lengths: Vec<f64> = lengths.collect();
    lengths.sort_by(f64::total_cmp);
    let mean = lengths.iter().sum::<f64>() / lengths.len() as f64;
    let rounded = [lengths[0], lengths[660], lengths[1320], mean].map(|x| (x * 10.0).round() / 10.0);
    assert_eq!(rounded, [1.9, 27.9, 292.0, 50.0]);
}

#[test]
fn vlnqa_rows() {
    let groups = [("action=left", 50), ("action=right", 50), ("action=forward", 50), ("action=stop", 50)];
    check("vlnqa", "egothinker", 200, 200, &[50, 46, 44, 60], &groups);
    let Some(dir) = data("FIRSTHAND_SHARED_DATA", "egothinker") else { return };
    for item in find("vlnqa").unwrap().items(&dir, None) {
        let mut options = item.unwrap().options;
        options.sort();
        assert_eq!(
            options,
            ["Move forward", "Stop", "Turn left and move forward", "Turn right and move forward"]
        );
    }
}

#[test]
fn files_of_the_simulated_home() {
    let Some(dir) = data("FIRSTHAND_WORLD_DATA", "") else { return };
    for benchmark in list().unwrap().iter().filter(|benchmark| benchmark.name.starts_with("world")) {
        let check = benchmark.check_folder(&dir, None);
        println!(
            "{}: {} items, {} bad, {} missing",
            benchmark.name,
            check.items,
            check.bad.len(),
            check.missing.len()
        );
        for bad in check.bad.iter().take(5) {
            println!("  {bad}");
        }
        assert!(check.is_whole(), "{}", benchmark.name);
    }
}
