//! The reading of requests without a server, for the fuzzer: no body ends the program, and what is wrong with one is always
//! the client's.

use firsthand_input::GenerationDefaults;
use serde_json::Value;

use crate::chat::request::{Reading, chat};
use crate::chat::tools::{Listening, call};
use crate::options::Limits;
use crate::refusal::Answered;
use crate::routes::{as_chat, read_embeddings, read_new};

/// Reads bytes as every kind of request.
pub fn read_requests(bytes: &[u8]) {
    let Ok(body) = serde_json::from_slice::<Value>(bytes) else { return };
    let (defaults, limits) = (GenerationDefaults::default(), Limits::default());
    let reading = Reading { defaults: &defaults, limits: &limits };
    if let Some(asked) = checked(chat(body.clone(), &reading)) {
        assert!((1..=limits.choices).contains(&asked.choices), "{asked:?}");
        assert!(asked.stop.max_tokens <= limits.max_tokens, "{asked:?}");
    }
    checked(as_chat(body.clone()).and_then(|converted| {
        chat(converted.body.clone(), &reading).map_err(|refusal| converted.refused(refusal))
    }));
    if let Some(wanted) = checked(read_embeddings(body.clone(), limits.inputs)) {
        assert!((1..=limits.inputs).contains(&wanted.inputs.len()), "{wanted:?}");
    }
    checked(read_new(body, [784, limits.live.frame_pixels as u64]));
}

/// Takes what a model said apart, a few bytes at a time.
pub fn read_answer(text: &str) {
    let mut listening = Listening::default();
    let pieces: Vec<char> = text.chars().collect();
    let heard: usize =
        pieces.chunks(3).map(|piece| listening.push(&piece.iter().collect::<String>()).len()).sum();
    assert!(heard + listening.finish(true).len() <= text.len(), "more was heard than said");
    // It is a call or it is not.
    let _ = call(text);
}

#[track_caller]
fn checked<T>(read: Answered<T>) -> Option<T> {
    read.map_err(|refusal| assert!(refusal.status.is_client_error(), "{refusal:?}")).ok()
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_seeds_are_requests_of_every_kind() {
        let seeds = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/seeds/requests");
        let files: Vec<_> = fs_err::read_dir(seeds).unwrap().flatten().collect();
        assert!(files.len() >= 5);
        for file in files {
            super::read_requests(&fs_err::read(file.path()).unwrap());
        }
        super::read_answer("I look. <tool_call>{\"name\": \"look\"}</tool_call> <tool_ca");
    }
}
