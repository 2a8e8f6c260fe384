//! The names a tensor goes by. Inside this room a tensor has its published name (`visual.*`, `model.layers.*`,
//! `lm_head.*`); checkpoints saved by later versions of the reference library nest towers under `model`.

/// Every name a tensor may have in a file, the published one first.
pub(super) fn spellings(published: &str) -> Vec<String> {
    let mut names = vec![published.to_owned()];
    if let Some(rest) = published.strip_prefix("model.") {
        names.push(format!("model.language_model.{rest}"));
    } else if published.starts_with("visual.") {
        names.push(format!("model.{published}"));
    }
    names
}

/// The published name of a tensor as some file spells it; the inverse of [`spellings`].
pub fn published(spelling: &str) -> String {
    if let Some(rest) = spelling.strip_prefix("model.language_model.") {
        format!("model.{rest}")
    } else if let Some(rest) = spelling.strip_prefix("model.visual.") {
        format!("visual.{rest}")
    } else {
        spelling.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_spelling_leads_back_to_the_published_name() {
        for name in ["visual.patch_embed.proj.weight", "model.layers.0.mlp.up_proj.weight", "lm_head.weight"]
        {
            for spelling in spellings(name) {
                assert_eq!(published(&spelling), name);
            }
        }
        assert_eq!(spellings("lm_head.weight").len(), 1);
    }
}
