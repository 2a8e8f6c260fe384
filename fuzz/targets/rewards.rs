//! Rewards on any reply and any gold answer, in both modes. The first byte says which reward and mode; lines of `%%`
//! part the reply, the gold answer, the question and its type. A row is judged, with a number that is one, or refused.
#![no_main]

use firsthand_tasks::reward::{Mode, NAMES, Row, named};
use libfuzzer_sys::fuzz_target;

const TYPES: [&str; 6] = ["multiple choice", "numerical", "OCR", "free-form", "regression", "math"];

fuzz_target!(|bytes: &[u8]| {
    let Some((&which, rest)) = bytes.split_first() else { return };
    let which = usize::from(which);
    let text = String::from_utf8_lossy(rest);
    let mut parts = text.split("\n%%\n").map(str::to_owned);
    let completion = parts.next().unwrap_or_default();
    // Without a gold answer the reply is its own: the way into every comparison of equal things.
    let solution = parts.next().unwrap_or_else(|| completion.clone());
    let row = Row {
        completion,
        solution,
        problem: parts.next(),
        problem_type: parts.next().or_else(|| TYPES.get(which % 7).map(|name| (*name).to_owned())),
        group: Some(serde_json::json!(0)),
        ..Row::default()
    };
    let mode = if which % 2 == 0 { Mode::Compatible } else { Mode::Strict };
    let (name, _) = NAMES[which / 2 % NAMES.len()];
    let reward = named(name, mode, &serde_json::Map::new()).expect("the published settings");
    if let Ok(scored) = reward.score(&row) {
        assert!(scored.reward.is_finite(), "{name}: {scored:?}");
        let mut of_group = [scored.clone(), scored];
        reward.group(&[&row, &row], &mut of_group);
        assert!(of_group.iter().all(|scored| scored.reward.is_finite()), "{name}: {of_group:?}");
    }
});
