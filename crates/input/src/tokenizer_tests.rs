//! Reading tokenizers, added tokens, and streams of ids, on the fixtures' byte-level tokenizer.

use std::sync::LazyLock;

use proptest::prelude::*;

use super::*;

fn fixture() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../golden/tiny/qwen2")
}

fn tokenizer() -> &'static Tokenizer {
    static SHARED: LazyLock<Tokenizer> = LazyLock::new(|| Tokenizer::open(&fixture()).unwrap());
    &SHARED
}

#[test]
fn special_tokens_are_found_by_name_and_left_out_of_text() {
    let tokenizer = tokenizer();
    let end = tokenizer.token_id("<|im_end|>").unwrap();
    assert_eq!(tokenizer.token_name(end).as_deref(), Some("<|im_end|>"));
    let ids = tokenizer.encode("a<|im_end|>b<tool_call>").unwrap();
    assert!(ids.contains(&end));
    assert_eq!(tokenizer.decode(&ids), "ab<tool_call>");
    assert_eq!(tokenizer.token_id("<|nothing|>"), None);
    assert_eq!(
        tokenizer.named_tokens().find(|(role, _)| *role == "eos_token"),
        Some(("eos_token", "<|im_end|>"))
    );
    assert_eq!(tokenizer.decode(&[u32::MAX]), "");
}

#[test]
fn tokens_of_the_config_are_added_with_their_ids() {
    let open = |added: &str| {
        let dir = tempfile::tempdir().unwrap();
        fs_err::copy(fixture().join("tokenizer.json"), dir.path().join("tokenizer.json")).unwrap();
        let text =
            format!("{{\"added_tokens_decoder\": {added}, \"eos_token\": {{\"content\": \"<|im_end|>\"}}}}");
        fs_err::write(dir.path().join("tokenizer_config.json"), text).unwrap();
        Tokenizer::open(dir.path())
    };
    let next = tokenizer().inner.get_vocab_size(true) as u32;
    let added = open(&format!(
        r#"{{"{}": {{"content": "<b>", "special": true}}, "{next}": {{"content": "<a>"}}}}"#,
        next + 1
    ));
    let added = added.unwrap();
    assert_eq!(added.encode("<a><b>").unwrap(), [next, next + 1]);
    assert_eq!(added.decode(&[next, next + 1]), "<a>");
    assert_eq!(added.named_tokens().next(), Some(("eos_token", "<|im_end|>")));
    let error = open(r#"{"7": {"content": "<a>"}}"#).unwrap_err().to_string();
    assert!(error.contains("tokenizer_config.json: added token <a> has id 7 here"), "{error}");
    let error = open(r#"{"x": 3}"#).unwrap_err().to_string();
    assert!(error.contains("added_tokens_decoder: expected an object from ids to tokens"), "{error}");
}

#[test]
fn missing_and_broken_files_are_named() {
    let dir = tempfile::tempdir().unwrap();
    let error = Tokenizer::open(dir.path()).unwrap_err().to_string();
    assert!(error.contains("tokenizer.json: no such file; fetch it"), "{error}");
    for text in ["", "{", "{\"model\": 3}", "[]"] {
        fs_err::write(dir.path().join("tokenizer.json"), text).unwrap();
        let error = Tokenizer::open(dir.path()).unwrap_err().to_string();
        assert!(
            error.contains("tokenizer.json: not a tokenizer") && !error.contains('\n'),
            "{text:?} {error}"
        );
    }
}

fn streamed(tokenizer: &Tokenizer, ids: &[u32]) -> Vec<String> {
    let mut stream = tokenizer.stream();
    let mut pieces: Vec<String> = ids.iter().map(|&id| stream.push(id)).collect();
    pieces.push(stream.finish());
    pieces
}

#[test]
fn a_stream_holds_back_half_characters() {
    let tokenizer = tokenizer();
    // 😀 is four bytes that this small vocabulary does not join.
    let ids = tokenizer.encode("a😀b").unwrap();
    assert_eq!(ids.len(), 6);
    assert_eq!(streamed(tokenizer, &ids), ["a", "", "", "", "😀", "b", ""]);
    assert_eq!(streamed(tokenizer, &ids[..3]), ["a", "", "", "\u{FFFD}"]);
    // A broken character followed by a whole one.
    assert_eq!(streamed(tokenizer, &[ids[1], ids[5]]), ["", "\u{FFFD}b", ""]);
}

proptest! {
    #[test]
    fn a_stream_gives_the_whole_text(ids in prop::collection::vec(0u32..400, 0..80)) {
        let tokenizer = tokenizer();
        prop_assert_eq!(streamed(tokenizer, &ids).concat(), tokenizer.decode(&ids));
    }

    #[test]
    fn valid_text_streams_without_replacement_characters(text in "\\PC{0,40}") {
        let tokenizer = tokenizer();
        let ids = tokenizer.encode(&text).unwrap();
        for piece in streamed(tokenizer, &ids) {
            prop_assert!(text.contains(REPLACEMENT) || !piece.contains(REPLACEMENT));
        }
    }
}

#[test]
fn endless_broken_characters_stay_cheap() {
    let tokenizer = tokenizer();
    let lead = tokenizer.encode("😀").unwrap()[0];
    let mut stream = tokenizer.stream();
    let mut text = String::new();
    for _ in 0..1000 {
        text.push_str(&stream.push(lead));
        assert!(stream.pending.len() <= TextStream::MOST_PENDING + 1);
    }
    text.push_str(&stream.finish());
    assert_eq!(text, tokenizer.decode(&vec![lead; 1000]));
}
