//! Checkpoint files: config.json and the header of a safetensors file, one byte choosing which is damaged.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Some((&which, rest)) = bytes.split_first() else { return };
    let dir = tempfile::tempdir().expect("a temporary folder");
    let config: &[u8] = br#"{"model_type":"qwen2","hidden_size":8,"num_hidden_layers":1,"num_attention_heads":2,
        "num_key_value_heads":1,"intermediate_size":16,"vocab_size":16,"rms_norm_eps":1e-6}"#;
    let (config, weights) = if which % 2 == 0 { (rest, &[][..]) } else { (config, rest) };
    std::fs::write(dir.path().join("config.json"), config).expect("room for a small file");
    std::fs::write(dir.path().join("model.safetensors"), weights).expect("room for a small file");
    if let Ok(checkpoint) = firsthand_model::Checkpoint::open(dir.path()) {
        let _ = checkpoint.load(&firsthand_model::LoadOptions::default());
    }
});
