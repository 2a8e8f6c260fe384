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

#[test]
fn the_text_of_a_list_is_that_of_its_bytes() {
    // What the engine's streaming relies on: 😀 is four bytes that this small vocabulary does not join, an unfinished
    // character shows as one replacement character at the end, and the next token does not change what is before it.
    let tokenizer = tokenizer();
    let ids = tokenizer.encode("a😀b").unwrap();
    let texts: Vec<String> = (1..=ids.len()).map(|end| tokenizer.decode(&ids[..end])).collect();
    assert_eq!(texts, ["a", "a\u{FFFD}", "a\u{FFFD}", "a\u{FFFD}", "a😀", "a😀b"]);
    assert_eq!(tokenizer.decode(&[ids[1], ids[5]]), "\u{FFFD}b");
}

proptest! {
    #[test]
    fn normalised_text_survives_a_round_trip(text in "[ -~\\n杯é😀]{0,60}") {
        let ids = tokenizer().encode(&text).unwrap();
        prop_assert_eq!(tokenizer().decode(&ids), text);
    }
}

#[test]
fn the_bytes_of_tokens_are_those_of_their_text() {
    let tokenizer = Tokenizer::open(&firsthand_golden::checkpoint("qwen2_5_vl")).unwrap();
    for text in ["where is it?", "é ü 浴室 杯 😀👩‍👧 \u{0}\n", " two  blanks\t"] {
        let ids = tokenizer.encode(text).unwrap();
        let bytes: Vec<u8> = ids.iter().flat_map(|&id| tokenizer.bytes_of(id)).collect();
        assert_eq!(bytes, text.as_bytes(), "{text}");
    }
    let ids = tokenizer.encode("浴").unwrap();
    assert!(ids.len() > 1, "a character of several tokens");
    assert_ne!(tokenizer.bytes_of(ids[0]), "\u{fffd}".as_bytes());
    let end = tokenizer.token_id("<|im_end|>").unwrap();
    assert_eq!(tokenizer.bytes_of(end), b"<|im_end|>");
    assert!(tokenizer.bytes_of(1 << 20).is_empty());
}
