//! What made one answer: what was known before, the hash of its prompt, its media and the settings that shaped it.
//! Whoever answers fills in what is known; this file only puts the two together, the same for every verb.

use firsthand_base::{Digest, Manifest, MediumId};

/// The manifest of one answer. `options` are the settings that shaped it.
pub fn manifest(
    known: &Manifest,
    prompt: &str,
    media: &[MediumId],
    options: impl IntoIterator<Item = (String, String)>,
) -> Manifest {
    let mut manifest = known.clone();
    manifest.prompt = Digest(*blake3::hash(prompt.as_bytes()).as_bytes()).to_hex();
    manifest.media = media.to_vec();
    manifest.options.extend(options);
    manifest
}
