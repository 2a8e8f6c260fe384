//! JSON files as Python writes them: whatever serde_json reads is read alike, and rows in memory are those of a stream.
#![no_main]

use firsthand_base::json::{self, Place};
use libfuzzer_sys::fuzz_target;
use serde_json::Value;

fuzz_target!(|bytes: &[u8]| {
    let read = json::read::<Value>(bytes);
    if let Ok(strict) = serde_json::from_slice::<Value>(json::without_mark(bytes)) {
        assert_eq!(read.ok(), Some(strict));
    }
    let _ = json::read_object::<serde_json::Map<String, Value>>(bytes);
    let _ = json::explain(bytes, 1, "", "a is missing".to_owned());
    let mut streamed = Vec::new();
    let mut visit = |place: Place, row: Result<&[u8], &'static str>| {
        streamed.push((place.line as usize, row.unwrap().to_owned()));
    };
    // Lists of which more follows are lines in memory alone.
    if json::scan(&mut &*bytes, &mut visit).is_ok() {
        let rows = json::rows(bytes).unwrap();
        assert!(rows.iter().map(|row| (row.line, row.bytes.to_owned())).eq(streamed));
    }
});
