//! A tokenizer of whole words: every listed piece is one token, anything else falls to its bytes. Written as the
//! files that the family's loaders read.
//!
//! Learns nothing: which words there are is the caller's list.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

/// Pieces of text: a word with the space before it, one digit, a run of punctuation, one space or line break.
const SPLIT: &str = r" ?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+|\s";

/// The family's special tokens, in its order; they follow the words.
const SPECIAL: [&str; 14] = [
    "<|endoftext|>",
    "<|im_start|>",
    "<|im_end|>",
    "<|object_ref_start|>",
    "<|object_ref_end|>",
    "<|box_start|>",
    "<|box_end|>",
    "<|quad_start|>",
    "<|quad_end|>",
    "<|vision_start|>",
    "<|vision_end|>",
    "<|vision_pad|>",
    "<|image_pad|>",
    "<|video_pad|>",
];

/// Tags of reasoned answers and of dialogues with tools: one token each, and plain text to a reader.
const TAGS: [&str; 14] = [
    "<think>",
    "</think>",
    "<answer>",
    "</answer>",
    "<observe>",
    "</observe>",
    "<scene>",
    "</scene>",
    "<tool>",
    "</tool>",
    "<information>",
    "</information>",
    "<timestamp>",
    "</timestamp>",
];

/// ChatML without a standing system message; media where their part stands.
pub(super) const TEMPLATE: &str = "\
{%- for message in messages -%}
{{- '<|im_start|>' + message['role'] + '\\n' -}}
{%- if message['content'] is string -%}
{{- message['content'] -}}
{%- else -%}
{%- for part in message['content'] -%}
{%- if part['type'] == 'image' or 'image' in part or 'image_url' in part -%}
{{- '<|vision_start|><|image_pad|><|vision_end|>' -}}
{%- elif part['type'] == 'video' or 'video' in part -%}
{{- '<|vision_start|><|video_pad|><|vision_end|>' -}}
{%- elif 'text' in part -%}
{{- part['text'] -}}
{%- endif -%}
{%- endfor -%}
{%- endif -%}
{{- '<|im_end|>\\n' -}}
{%- endfor -%}
{%- if add_generation_prompt -%}
{{- '<|im_start|>assistant\\n' -}}
{%- endif -%}
";

/// The tokens of a new vocabulary: bytes, words, special tokens, tags.
pub(super) struct Tokens {
    /// Text of every token in order of id; bytes and words in the byte-level spelling.
    spelled: Vec<String>,
    ids: BTreeMap<String, u32>,
    /// First id after bytes and words.
    added: usize,
}

impl Tokens {
    pub(super) fn new(words: &[String]) -> Tokens {
        let mut spelled: Vec<String> = (0..=255u8).map(|byte| spell(&[byte])).collect();
        let unique: BTreeSet<&String> = words.iter().filter(|word| word.len() > 1).collect();
        spelled.extend(unique.into_iter().map(|word| spell(word.as_bytes())));
        let added = spelled.len();
        spelled.extend(SPECIAL.iter().chain(&TAGS).map(|&name| name.to_owned()));
        let ids = spelled.iter().enumerate().map(|(id, text)| (text.clone(), id as u32)).collect();
        Tokens { spelled, ids, added }
    }

    pub(super) fn len(&self) -> usize {
        self.spelled.len()
    }

    /// Id of a special token or tag.
    pub(super) fn id(&self, name: &str) -> u32 {
        self.ids[name]
    }

    /// Every token as a person writes it, in order of id; bytes that are no text stay in the byte-level spelling.
    pub(super) fn texts(&self) -> impl Iterator<Item = String> + '_ {
        self.spelled.iter().map(|text| text.replace('\u{120}', " ").replace('\u{10a}', "\n"))
    }

    /// tokenizer.json
    pub(super) fn file(&self) -> Value {
        let vocabulary: Map<String, Value> = self.spelled[..self.added]
            .iter()
            .enumerate()
            .map(|(id, text)| (text.clone(), Value::from(id)))
            .collect();
        let added: Vec<Value> = self.spelled[self.added..]
            .iter()
            .enumerate()
            .map(|(i, text)| {
                let mut token = added_token(text);
                token["id"] = Value::from(self.added + i);
                token
            })
            .collect();
        let bytes = json!({"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": false, "use_regex": false});
        json!({
            "version": "1.0",
            "truncation": null,
            "padding": null,
            "added_tokens": added,
            "normalizer": {"type": "NFC"},
            "pre_tokenizer": {"type": "Sequence", "pretokenizers": [
                {"type": "Split", "pattern": {"Regex": SPLIT}, "behavior": "Isolated", "invert": false},
                bytes
            ]},
            "post_processor": bytes,
            "decoder": bytes,
            "model": {
                "type": "BPE", "dropout": null, "unk_token": null, "continuing_subword_prefix": "",
                "end_of_word_suffix": "", "fuse_unk": false, "byte_fallback": false, "ignore_merges": true,
                "vocab": vocabulary, "merges": []
            }
        })
    }

    /// tokenizer_config.json. The class that reads tokenizer.json as it is: the family's own class would build its
    /// merges anew.
    pub(super) fn settings(&self) -> Value {
        let decoder: Map<String, Value> = self.spelled[self.added..]
            .iter()
            .enumerate()
            .map(|(i, text)| ((self.added + i).to_string(), added_token(text)))
            .collect();
        json!({
            "tokenizer_class": "PreTrainedTokenizerFast",
            "processor_class": "Qwen2_5_VLProcessor",
            "added_tokens_decoder": decoder,
            "bos_token": null,
            "eos_token": "<|im_end|>",
            "pad_token": "<|endoftext|>",
            "unk_token": null,
            "add_bos_token": false,
            "clean_up_tokenization_spaces": false,
            "model_max_length": 4096,
            "image_token": "<|image_pad|>",
            "video_token": "<|video_pad|>",
            "vision_start_token": "<|vision_start|>",
            "vision_end_token": "<|vision_end|>"
        })
    }
}

fn added_token(text: &str) -> Value {
    json!({
        "content": text, "lstrip": false, "rstrip": false, "normalized": false, "single_word": false,
        "special": SPECIAL.contains(&text)
    })
}

/// Bytes in the printable spelling of byte-level tokenizers (GPT-2): visible Latin-1 stands for itself, the rest
/// moves up from U+0100.
fn spell(bytes: &[u8]) -> String {
    let visible = |byte: u8| matches!(byte, b'!'..=b'~' | 0xa1..=0xac | 0xae..=0xff);
    let letter = |byte: u8| {
        if visible(byte) {
            return char::from(byte);
        }
        let place = (0..byte).filter(|&earlier| !visible(earlier)).count() as u32;
        char::from_u32(0x100 + place).expect("below the surrogates")
    };
    bytes.iter().map(|&byte| letter(byte)).collect()
}

/// Cuts a text as the tokenizer does before it looks words up: what [`create`](super::NewModel::create) wants listed.
/// Tags and special tokens are left out.
pub fn pieces(text: &str) -> Vec<&str> {
    let mut parts = vec![text];
    for tag in TAGS.iter().chain(&SPECIAL) {
        parts = parts.into_iter().flat_map(|part| part.split(tag)).collect();
    }
    let mut found = Vec::new();
    for part in parts {
        let mut rest = part;
        while let Some(first) = rest.chars().next() {
            let space = usize::from(first == ' ');
            let of =
                |class: fn(char) -> bool| rest[space..].find(|c| !class(c)).unwrap_or(rest.len() - space);
            let (letters, marks) = (of(char::is_alphabetic), of(is_mark));
            let length = match (letters, marks) {
                (1.., _) => space + letters,
                (_, 1..) => space + marks,
                _ => first.len_utf8(),
            };
            found.push(&rest[..length]);
            rest = &rest[length..];
        }
    }
    found
}

fn is_mark(c: char) -> bool {
    !c.is_whitespace() && !c.is_alphabetic() && !c.is_numeric()
}
