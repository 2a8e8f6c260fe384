//! What a recipe can get wrong by itself: found before anything is opened, said in one line.

use super::text::suggestion;
use super::{AdapterRecipe, PhaseKind, PhaseRecipe, Rates, Recipe};
use crate::rl::RlRecipe;

impl Recipe {
    pub(super) fn check(&self) -> Result<(), String> {
        if self.output.as_os_str().is_empty() {
            return Err("output is empty; name a folder".into());
        }
        match (&self.model.start, &self.model.new) {
            (Some(_), Some(_)) => return Err("[model]: both start and new are given; keep one".into()),
            (None, None) => {
                return Err("[model]: give start (a checkpoint) or new (sizes of one to be made)".into());
            }
            _ => {}
        }
        if self.model.quantize.is_some() && self.adapter.is_none() {
            return Err(
                "[model] quantize: quantised weights cannot be trained; add an [adapter], or leave it out"
                    .into(),
            );
        }
        for (at, source) in self.sources.iter().enumerate() {
            source.check().map_err(|error| format!("[[source]] {}: {error}", at + 1))?;
            if self.sources[..at].iter().any(|other| other.name == source.name) {
                return Err(format!("two sources have the name {:?}; rename one", source.name));
            }
        }
        if let Some(adapter) = &self.adapter {
            adapter.check()?;
        }
        if self.save.every == 0 || self.save.keep == 0 || self.log.every == 0 {
            return Err("save.every, save.keep and log.every count from 1".into());
        }
        for (at, phase) in self.phases.iter().enumerate() {
            if self.phases[..at].iter().any(|other| other.name == phase.name) {
                return Err(format!("two phases have the name {:?}; rename one", phase.name));
            }
            phase.check(self).map_err(|reason| format!("phase {:?}: {reason}", phase.name))?;
        }
        Ok(())
    }
}

impl AdapterRecipe {
    fn check(&self) -> Result<(), String> {
        if self.rank == 0 || !(self.alpha.is_finite() && self.alpha > 0.0) || self.targets.is_empty() {
            return Err(format!(
                "[adapter]: rank {}, alpha {} and {} targets must all be above 0",
                self.rank,
                self.alpha,
                self.targets.len()
            ));
        }
        Ok(())
    }
}

impl PhaseRecipe {
    fn check(&self, recipe: &Recipe) -> Result<(), String> {
        self.check_numbers()?;
        match (self.steps, self.epochs) {
            (Some(_), Some(_)) => return Err("both steps and epochs are given; keep one".into()),
            (None, None) => return Err("how long? give steps or epochs".into()),
            (Some(0), _) => return Err("steps: 0; give at least 1, or leave the phase out".into()),
            (_, Some(epochs)) if !(epochs.is_finite() && epochs > 0.0) => {
                return Err(format!("epochs: {epochs}; give a number above 0"));
            }
            _ => {}
        }
        let Rates { vision, merger, language, .. } = self.learning_rate;
        if self.rl.is_some() != (self.kind == PhaseKind::Rl) {
            return Err(
                "kind = \"rl\" and a table [train.rl] (or [phase.rl]) belong together; give both or none"
                    .into(),
            );
        }
        match self.kind {
            PhaseKind::Sft | PhaseKind::Rl => {
                for name in self.sources.iter().flatten() {
                    if !recipe.sources.iter().any(|source| source.name == *name) {
                        let known: Vec<&str> =
                            recipe.sources.iter().map(|source| source.name.as_str()).collect();
                        return Err(format!("no source has the name {name:?}{}", suggestion(name, &known)));
                    }
                }
                if recipe.sources_of(self).is_empty() {
                    return Err("it has no source; add a [[source]]".into());
                }
                if self.pairs.is_some() {
                    return Err("pairs belong to kind = \"vision-words\"; leave them out".into());
                }
                if self.cache_features && (vision > 0.0 || merger > 0.0) {
                    return Err("cache_features keeps what a frozen tower gives, but vision or merger is trained; set their learning_rate to 0 or cache_features = false".into());
                }
                if let Some(rl) = &self.rl {
                    self.check_rl(rl, recipe)?;
                }
            }
            PhaseKind::VisionWords => {
                if self.pairs.is_none() || self.steps.is_none() {
                    return Err(
                        "kind = \"vision-words\" needs pairs = { seeds = [first, end] } and steps".into()
                    );
                }
                if language > 0.0 || recipe.adapter.is_some() {
                    return Err("kind = \"vision-words\" trains the vision tower towards a fixed token table; use learning_rate = { vision = ..., merger = ... } and no [adapter]".into());
                }
                if self.sources.is_some() || self.questions.is_some() || self.cache_features {
                    return Err("kind = \"vision-words\" draws its own frames; leave out sources, questions and cache_features".into());
                }
            }
        }
        Ok(())
    }

    fn check_rl(&self, rl: &RlRecipe, recipe: &Recipe) -> Result<(), String> {
        rl.check()?;
        if self.questions.is_some() || self.cache_features || self.accumulate > 1 {
            return Err(
                "kind = \"rl\" samples every prompt anew; leave out questions, cache_features and accumulate"
                    .into(),
            );
        }
        if rl.kl.weight > 0.0 && recipe.adapter.as_ref().is_some_and(|adapter| adapter.start.is_some()) {
            return Err("rl.kl: there is no reference: an adapter that is there already is trained further, and beneath it is another policy than the run starts from; merge it first (firsthand train merge), or leave kl out".into());
        }
        if let Some(held_out) = &rl.held_out {
            let known: Vec<&str> = recipe.sources.iter().map(|source| source.name.as_str()).collect();
            if !known.contains(&held_out.source.as_str()) {
                let hint = suggestion(&held_out.source, &known);
                return Err(format!("rl.held_out: no source has the name {:?}{hint}", held_out.source));
            }
            if recipe.sources_of(self).iter().any(|source| source.name == held_out.source) {
                return Err(format!(
                    "rl.held_out: the phase also learns from {:?}; name its sources without it",
                    held_out.source
                ));
            }
        }
        Ok(())
    }

    fn check_numbers(&self) -> Result<(), String> {
        let counts =
            [("batch", self.batch), ("accumulate", self.accumulate), ("pass_tokens", self.pass_tokens)];
        let questions = self.questions.map(|count| ("questions", count));
        if let Some((name, _)) = counts.into_iter().chain(questions).find(|(_, count)| *count == 0) {
            return Err(format!("{name}: 0; give at least 1"));
        }
        if self.max_skipped == 0 {
            return Err("max_skipped: 0; give at least 1".into());
        }
        let Rates { vision, merger, language, .. } = self.learning_rate;
        for (name, value) in [
            ("learning_rate.vision", vision),
            ("learning_rate.merger", merger),
            ("learning_rate.language", language),
            ("weight_decay", self.weight_decay),
        ] {
            if !(value.is_finite() && value >= 0.0) {
                return Err(format!("{name}: {value}; give a number from 0 up"));
            }
        }
        if vision.max(merger).max(language) == 0.0 {
            return Err("every learning_rate is 0: nothing is left to train".into());
        }
        if let Some(clip) = self.clip
            && !(clip.is_finite() && clip > 0.0)
        {
            return Err(format!("clip: {clip}; give a number above 0, or leave it out"));
        }
        let shares = [
            ("warm_up_ratio", self.warm_up_ratio.unwrap_or(0.0)),
            ("decay_from", self.decay_from),
            ("min_ratio", self.min_ratio),
        ];
        if let Some((name, value)) = shares.into_iter().find(|(_, value)| !(0.0..=1.0).contains(value)) {
            return Err(format!("{name}: {value}; give a share from 0 to 1"));
        }
        if self.warm_up_steps.is_some() && self.warm_up_ratio.is_some() {
            return Err("both warm_up_steps and warm_up_ratio are given; keep one".into());
        }
        let [beta1, beta2] = self.betas;
        if ![beta1, beta2].iter().all(|beta| (0.0..1.0).contains(beta)) {
            return Err(format!("betas: [{beta1}, {beta2}]; give two numbers from 0 up and below 1"));
        }
        if !(self.epsilon.is_finite() && self.epsilon > 0.0) {
            return Err(format!("epsilon: {}; give a number above 0", self.epsilon));
        }
        Ok(())
    }
}
