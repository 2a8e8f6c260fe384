//! firsthand-tiny, the checkpoint inside the binary: what verbs take when no other is named. It becomes an ordinary
//! checkpoint folder in the cache, because everything reads folders. Trained by the recipes in `recipes/tiny` and by
//! nothing else; knows only simulated homes.

use std::path::PathBuf;

use anyhow::Result;

use crate::environment;

/// What manifests call it.
pub(crate) const NAME: &str = "firsthand-tiny";

/// Said whenever it answers.
pub(crate) const NOTE: &str = "firsthand-tiny knows only the simulated home of `firsthand world`; for other media: \
    firsthand fetch Qwen/Qwen2.5-VL-3B-Instruct, then --model Qwen/Qwen2.5-VL-3B-Instruct";

macro_rules! files {
    ($($name:literal),* $(,)?) => {
        [$(($name, include_bytes!(concat!("../tiny/", $name)).as_slice())),*]
    };
}

/// The folder's files.
const FILES: [(&str, &[u8]); 8] = files![
    "config.json",
    "generation_config.json",
    "preprocessor_config.json",
    "video_preprocessor_config.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "chat_template.jinja",
    "model.safetensors",
];

/// The folder, written to the cache if it is not there whole. Its name holds a hash of the files, so that another
/// version of the program never meets this one's.
pub(crate) fn directory() -> Result<PathBuf> {
    let mut hasher = blake3::Hasher::new();
    FILES.iter().for_each(|(name, bytes)| _ = hasher.update(name.as_bytes()).update(bytes));
    let hash = &hasher.finalize().to_hex()[..12];
    let models = environment::firsthand_cache()?.join("models");
    let place = models.join(format!("{NAME}-{hash}"));
    if place.is_dir() {
        return Ok(place);
    }
    fs_err::create_dir_all(&models)?;
    let draft = tempfile::Builder::new().prefix(".tiny-").tempdir_in(&models)?;
    for (name, bytes) in FILES {
        fs_err::write(draft.path().join(name), bytes)?;
    }
    // Another process may have been faster; its folder is the same.
    match fs_err::rename(draft.path(), &place) {
        Err(error) if !place.is_dir() => Err(error.into()),
        _ => Ok(place),
    }
}
