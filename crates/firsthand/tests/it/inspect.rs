//! `inspect` without a model, against the reference's own numbers.

use firsthand_golden::{Fixture, root};
use serde_json::Value;

use crate::program::{program, stdout};

#[test]
fn frames_and_sizes_are_those_of_the_reference() {
    let home = tempfile::tempdir().unwrap();
    let fixture = Fixture::frames("video");
    let message = &firsthand_golden::messages("qwen2_vl", "video")[0]["content"][0];
    let mut command = program(home.path());
    command.current_dir(root()).args(["inspect", message["video"].as_str().unwrap(), "--json"]);
    for (key, flag) in [
        ("fps", "--fps"),
        ("min_pixels", "--min-pixels"),
        ("max_pixels", "--max-pixels"),
        ("nframes", "--frames"),
    ] {
        if let Some(value) = message.get(key) {
            command.args([flag, &value.to_string()]);
        }
    }
    let output = command.output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let report: Value = serde_json::from_str(&stdout(&output)).unwrap();
    let chosen = report["chosen"].as_array().unwrap();
    let indices: Vec<i64> = chosen.iter().map(|frame| frame["index"].as_i64().unwrap()).collect();
    assert_eq!(indices, fixture.i64("video.0.indices"));
    for (frame, expected) in chosen.iter().zip(fixture.f64("video.0.times")) {
        assert!((frame["time_s"].as_f64().unwrap() - expected).abs() < 1e-6);
        assert_eq!(frame["hash"].as_str().unwrap().len(), 64);
    }
    let shape = fixture.shape("video.0");
    assert_eq!(report["resized"], serde_json::json!([shape[1], shape[2]]));
    let grid = Fixture::open("qwen2_vl", "video").i64("video_grid_thw");
    assert_eq!(report["grid"], serde_json::json!(grid));
    assert_eq!(report["tokens"].as_i64().unwrap(), grid.iter().product::<i64>() / 4);
}

#[test]
fn the_contact_sheet_shows_the_frames_with_their_times() {
    let home = tempfile::tempdir().unwrap();
    let sheet = home.path().join("sheet.png");
    let output = program(home.path())
        .current_dir(root())
        .args(["inspect", "media/clip.mp4", "--at", "0.5,1.5,3", "--contact-sheet"])
        .arg(&sheet)
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    let sheet = image::open(&sheet).unwrap().to_rgb8();
    // Two columns of 240 pixels and two rows; the fourth tile is empty.
    assert_eq!(sheet.width(), 6 + 2 * 246);
    let half = sheet.height() / 2;
    let colours = |x: u32, y: u32| {
        let tile = (0..60 * 60).map(|i| *sheet.get_pixel(x + i % 60, y + i / 60));
        tile.collect::<std::collections::HashSet<_>>().len()
    };
    assert!(colours(20, 20) > 100 && colours(266, 20) > 100 && colours(20, half + 20) > 100);
    assert_eq!(colours(266, half + 20), 1);
    let letters = (0..sheet.width()).flat_map(|x| (half - 20..half).map(move |y| (x, y)));
    assert!(letters.filter(|&(x, y)| sheet.get_pixel(x, y).0 == [230; 3]).count() > 50, "captions are drawn");
}

#[test]
fn images_are_inspected_too() {
    let home = tempfile::tempdir().unwrap();
    let output =
        program(home.path()).current_dir(root()).args(["inspect", "media/photo.jpg"]).output().unwrap();
    let text = stdout(&output);
    assert!(output.status.success() && text.contains("(image)") && text.contains("140 x 84"), "{text}");
    assert!(text.contains("1 x 6 x 10 patches") && text.contains("tokens      15"), "{text}");
}
