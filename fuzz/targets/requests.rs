//! Bodies of requests for chats, responses, embeddings and live sessions, and what a model says with calls in it.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    firsthand_serve::fuzzing::read_requests(bytes);
    if let Ok(text) = std::str::from_utf8(bytes) {
        firsthand_serve::fuzzing::read_answer(text);
    }
});
