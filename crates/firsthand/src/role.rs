//! Models by the part they play: who acts, who looks at video, who at pictures, who sums up. Each is a checkpoint here, a
//! model behind an address, or for the agent a searcher that needs no model; whoever asks cannot tell which.

use std::sync::Arc;

use anyhow::Result;
use firsthand_agent::Seeker;
use firsthand_base::{
    Conversation, Generate, GenerateError, Generation, Manifest, SamplingOptions, StopRules,
};
use firsthand_engine::{EngineOptions, Local};
use firsthand_input::GenerationDefaults;
use firsthand_media::Opener;

use crate::cli::PROGRAM;
use crate::commands::eval::Endpoint;
use crate::failure::failure;
use crate::options::model::ModelFlags;
use crate::session::{STEP_TOKENS, Session};

/// Patches planned for of one medium.
const PATCHES: usize = 16_384;

/// A checkpoint here, which ends where its generation settings say that a turn ends, as a server would have it: whoever
/// gives it a part to play knows no token ids.
struct Ending<G> {
    local: G,
    ends: Vec<u32>,
}

impl<G: Generate> Generate for Ending<G> {
    fn generate(
        &mut self,
        conversation: &Conversation,
        sampling: &SamplingOptions,
        stop: &StopRules,
        on_text: &mut dyn FnMut(&str) -> bool,
    ) -> Result<Generation, GenerateError> {
        let tokens = stop.tokens.iter().chain(&self.ends).copied().collect();
        self.local.generate(conversation, sampling, &StopRules { tokens, ..stop.clone() }, on_text)
    }
}

/// A model that plays a part.
pub(crate) struct Role {
    /// It.
    pub(crate) model: Box<dyn Generate + Send>,
    /// What is known of everything it says.
    pub(crate) manifest: Manifest,
    /// How it samples where no flag says so.
    pub(crate) defaults: GenerationDefaults,
}

impl Role {
    /// The model that a word means: `seeker`, `URL#NAME`, or what `--model` takes. `who` is the flag's name; `flags` say
    /// how checkpoints are held; `tokens` is the longest conversation planned for.
    pub(crate) fn open(
        who: &'static str,
        word: Option<&str>,
        flags: &ModelFlags,
        opener: &Arc<Opener>,
        tokens: usize,
    ) -> Result<Role> {
        if word == Some(Seeker::NAME) {
            let manifest = Manifest {
                program: PROGRAM.to_owned(),
                model: Seeker::NAME.to_owned(),
                ..Manifest::default()
            };
            let defaults = GenerationDefaults::default();
            return Ok(Role { model: Box::new(Seeker::new()), manifest, defaults });
        }
        if let Some(address) = word.filter(|word| word.starts_with("http://") || word.starts_with("https://"))
        {
            let Some((url, name)) = address.split_once('#') else {
                return Err(failure(
                    format!("--{who}: the address does not say which model: {address}"),
                    "write URL#NAME, e.g. http://127.0.0.1:8000/v1#Ego-R1-Agent-3B",
                ));
            };
            let endpoint = Endpoint::connect(who, url, name, opener)?;
            let manifest = endpoint.manifest().clone();
            return Ok(Role { model: Box::new(endpoint), manifest, defaults: GenerationDefaults::default() });
        }
        let flags = ModelFlags { model: word.map(str::to_owned), ..flags.clone() };
        let session = Session::open(&flags, opener.clone())?;
        let (manifest, defaults) = (session.manifest.clone(), session.renderer.generation_defaults().clone());
        let (renderer, runner) = session.load(tokens, PATCHES)?;
        let step = EngineOptions { step_tokens: STEP_TOKENS, max_sequences: 1, ..EngineOptions::default() };
        let local = Local::new(runner, renderer, step)?;
        let ends = defaults.stop.tokens.clone();
        Ok(Role { model: Box::new(Ending { local, ends }), manifest, defaults })
    }

    /// How it samples by itself.
    pub(crate) fn sampling(&self) -> Result<SamplingOptions> {
        self.defaults.check(&[])?;
        Ok(self.defaults.sampling.clone())
    }
}

#[cfg(test)]
mod tests {
    use firsthand_base::Finish;

    use super::*;

    /// Says which tokens it was told to stop at.
    struct Told;

    impl Generate for Told {
        fn generate(
            &mut self,
            _: &Conversation,
            _: &SamplingOptions,
            stop: &StopRules,
            _: &mut dyn FnMut(&str) -> bool,
        ) -> Result<Generation, GenerateError> {
            Ok(Generation {
                text: format!("{} {:?}", stop.max_tokens, stop.strings),
                ids: stop.tokens.clone(),
                new_tokens: 0,
                logprobs: Vec::new(),
                finish: Finish::Stop,
                prompt_tokens: 0,
                cached_tokens: 0,
                prompt: String::new(),
                media: Vec::new(),
            })
        }
    }

    #[test]
    fn a_checkpoint_ends_at_its_own_end_of_turn_as_well() {
        let mut ending = Ending { local: Told, ends: vec![7, 8] };
        let stop = StopRules { max_tokens: 5, tokens: vec![1], strings: vec!["x".into()] };
        let said =
            ending.generate(&Conversation::default(), &SamplingOptions::default(), &stop, &mut |_| true);
        let said = said.unwrap();
        assert_eq!((said.ids, said.text.as_str()), (vec![1, 7, 8], r#"5 ["x"]"#));
    }
}
