//! A checkpoint in use: the renderer for its prompts, its weights once the workload is known, and the manifest of
//! what it makes. Checks memory before a weight is read.

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Result;
use firsthand_base::{Damaged, Digest, Manifest, ModelInput, VisionItem};
use firsthand_input::Renderer;
use firsthand_media::{Opener, OpenerOptions};
use firsthand_model::layers::CacheType;
use firsthand_model::weights::Weights;
use firsthand_model::{CacheOptions, Checkpoint, LoadOptions, ModelRunner, Plan, Workload};

use crate::cli::PROGRAM;
use crate::environment;
use crate::interrupt;
use crate::options::model::ModelFlags;
use crate::progress::Progress;
use crate::tiny;

/// Tokens in one block of the key-value cache.
const BLOCK_TOKENS: usize = 16;
/// Most new tokens in one pass; longer prompts run in chunks.
pub(crate) const STEP_TOKENS: usize = 2048;
/// Patches planned for where the media are not known yet: 64 frames of 256 patches, or 16 of 1024.
const BATCH_PATCHES: usize = 16_384;

/// Opens media with this program's cache. `damaged` is for whatever asks for nothing else itself.
pub(crate) fn opener(keep_originals: bool, damaged: Damaged) -> Result<Arc<Opener>> {
    let cache_dir = environment::firsthand_cache()?.join("media");
    interrupt::media_cache(&cache_dir);
    let options =
        OpenerOptions { cache_dir: Some(cache_dir), keep_originals, damaged, ..OpenerOptions::default() };
    Ok(Arc::new(Opener::new(options)))
}

/// A checkpoint whose prompts can be built; weights are mapped, not read.
pub(crate) struct Session {
    /// Where it is.
    pub(crate) directory: PathBuf,
    /// Its prompts.
    pub(crate) renderer: Renderer,
    /// What is known of every answer.
    pub(crate) manifest: Manifest,
    checkpoint: Checkpoint,
    load: LoadOptions,
}

impl Session {
    /// Opens everything but the weights.
    pub(crate) fn open(flags: &ModelFlags, opener: Arc<Opener>) -> Result<Session> {
        let directory = flags.directory()?;
        let _opening = Progress::working(&format!("opening {}", directory.display()));
        let checkpoint = Checkpoint::open(&directory)?;
        let renderer = Renderer::open(&directory, flags.render_options(), opener)?;
        let load = flags.load_options();
        let location = flags.model.clone().unwrap_or_else(|| tiny::NAME.to_owned());
        let manifest = Manifest {
            program: PROGRAM.to_owned(),
            model: location,
            weights: weights_hash(&checkpoint.weights),
            dtype: flags.arithmetic(&checkpoint.weights).to_owned(),
            device: load.device.clone(),
            decoder: firsthand_media::decoder_version(),
            options: flags.prompt_settings(),
            ..Manifest::default()
        };
        Ok(Session { directory, renderer, manifest, checkpoint, load })
    }

    /// Loads the weights for one sequence of at most `tokens`, with no more patches in one medium than `patches`.
    pub(crate) fn load(self, tokens: usize, patches: usize) -> Result<(Renderer, ModelRunner)> {
        let tokens = tokens.min(self.renderer.context_length()).next_multiple_of(BLOCK_TOKENS);
        self.plan(tokens, patches).check()?;
        self.runner(tokens)
    }

    /// Loads the weights for `sequences` at once of unknown length: the cache holds as many tokens as all of them
    /// can have, or as fit in memory.
    pub(crate) fn load_for_many(self, sequences: usize) -> Result<(Renderer, ModelRunner)> {
        let most = (self.renderer.context_length() * sequences).next_multiple_of(BLOCK_TOKENS);
        let (bare, full) = (self.plan(BLOCK_TOKENS, BATCH_PATCHES), self.plan(most, BATCH_PATCHES));
        bare.check()?;
        let room =
            bare.available.map_or(full.cache, |available| available / 10 * 9).saturating_sub(bare.total());
        let fitting = (u128::from(room) * most as u128 / u128::from(full.cache.max(1))) as usize;
        self.runner(fitting.clamp(BLOCK_TOKENS, most) / BLOCK_TOKENS * BLOCK_TOKENS)
    }

    fn plan(&self, tokens: usize, patches: usize) -> Plan {
        let pass_tokens = tokens.clamp(1, STEP_TOKENS);
        self.checkpoint
            .plan(&self.load, &Workload { cache_tokens: tokens, cache_bf16: false, pass_tokens, patches })
    }

    fn runner(self, tokens: usize) -> Result<(Renderer, ModelRunner)> {
        let working = Progress::working(&format!("loading {}", self.directory.display()));
        let model = self.checkpoint.load(&self.load)?;
        drop(working);
        let cache = CacheOptions { block_tokens: BLOCK_TOKENS, tokens, kind: CacheType::F32 };
        Ok((self.renderer, ModelRunner::new(model, cache)))
    }
}

/// Patches of the largest medium of a prompt.
pub(crate) fn largest_medium(input: &ModelInput) -> usize {
    input.vision.iter().map(VisionItem::patch_count).max().unwrap_or(0)
}

/// Pages of each weight file that go into its fingerprint, evenly spread, the first and the last among them.
const FINGERPRINT_PAGES: usize = 256;
/// Bytes of one of them.
const PAGE: usize = 4096;

/// BLAKE3 over names, sizes, headers and evenly spread pages of the weight files. A fine-tuned copy has the same
/// names, sizes and headers as its base, so numbers must count; reading all of them would take longer than an
/// answer. Two checkpoints that differ only between those pages look equal.
pub(crate) fn weights_hash(weights: &Weights) -> String {
    let mut hasher = blake3::Hasher::new();
    for file in weights.files() {
        let name = file.path.file_name().unwrap_or_default().to_string_lossy();
        hasher.update(name.as_bytes());
        hasher.update(&(file.map.len() as u64).to_le_bytes());
        hasher.update(file.header());
        let last = file.map.len().saturating_sub(PAGE);
        for page in 0..FINGERPRINT_PAGES {
            let start = (last as u128 * page as u128 / (FINGERPRINT_PAGES as u128 - 1)) as usize;
            hasher.update(&file.map[start..(start + PAGE).min(file.map.len())]);
        }
    }
    Digest(*hasher.finalize().as_bytes()).to_hex()
}
