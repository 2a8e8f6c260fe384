//! Message JSON, as users and clients send it.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let _ = firsthand_input::read_messages(text);
});
