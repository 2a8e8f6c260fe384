//! `spatialthinker`, published as `spatial_sgg`: a reply draws a scene graph before it reasons, and is paid for the
//! form, for the number of things and relations, for the answer, and for where the things are, the last only if the
//! answer is right and nothing at all if the form is not.
//!
//! `compatible` gives what the published code gives, and 0 for the place of things where that code dies of a reply's
//! numbers (`NaN`, 1e999). `strict` (see `strict.rs`) pays for nothing a reply did not earn. Neither knows which words
//! mean the same unless it is given word vectors.
//!
//! Rows: `solution` holds `<scene>` and `<answer>`; `problem` states the picture's size, or else the key `image_size`
//! does, `[width, height]`; `resized_size` is needed if boxes count pixels of the resized picture.

mod compatible;
mod passage;
mod published;
mod size;
mod strict;
#[cfg(test)]
mod tests;

use std::path::PathBuf;

use serde::Deserialize;
use serde_json::{Map, Value};

use super::{Mode, Reward, Row, Scored, settings};
use crate::boxes::Coordinates;
use crate::format::{tags, without_inner_tags};
use crate::likeness::Likeness;
use crate::{Error, Result};

const NAME: &str = "spatialthinker";

/// Published constants and variants, to be replaced by name.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// Weight of the form, 0 or 1.
    pub format: f64,
    /// Weight of the numbers of things and relations, 0 to 1.
    pub count: f64,
    /// Weight of the answer, 0 or 1.
    pub accuracy: f64,
    /// Weight of the place of things (`strict`: and of relations), 0 to 1.
    pub spatial: f64,
    /// Share of relations in the count, and in `strict` in the spatial score, if the truth has any.
    pub relation_share: f64,
    /// What the spatial score is made of. `compatible` only.
    pub variant: Variant,
    /// How boxes are compared. `compatible` only.
    pub overlap: Overlap,
    /// Whether a reply without relations has no spatial score where the truth has some. `compatible` only.
    pub relation_gate: bool,
    /// Price of unlike names when things are paired. `compatible` only.
    pub label_cost: f64,
    /// Price of boxes apart when things are paired. `compatible` only.
    pub overlap_cost: f64,
    /// What the numbers of a reply's boxes count; those of the truth always count pixels of the original.
    pub coordinates: Frame,
    /// Word vectors for the likeness of names, in the text form of word2vec or GloVe; the published code uses those
    /// of spaCy's `en_core_web_md`. Without them names are compared by their letters.
    pub vectors: Option<PathBuf>,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            format: 0.1,
            count: 0.2,
            accuracy: 0.5,
            spatial: 0.2,
            relation_share: 0.3,
            variant: Variant::Boxes,
            overlap: Overlap::Complete,
            relation_gate: false,
            label_cost: 2.0,
            overlap_cost: 1.0,
            coordinates: Frame::Original,
            vectors: None,
        }
    }
}

/// What the published spatial score is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Variant {
    /// Overlaps of paired things, averaged over the true ones: what the published runs used.
    Boxes,
    /// Half things (overlap, distance and name), half relations (`spatial_reward`, which the published code holds and
    /// never calls).
    BoxesAndRelations,
}

/// How boxes are compared, mapped to 0..1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Overlap {
    /// Complete IoU: what the published runs used.
    Complete,
    /// Generalised IoU, which the published code holds and never calls.
    Generalised,
}

/// What the numbers of a reply's boxes count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Frame {
    /// Pixels of the picture whose size the problem states.
    Original,
    /// Pixels of the picture the model saw (Qwen2.5-VL's own frame), whose size is the row's `resized_size`.
    Resized,
    /// Fractions of the sides.
    Unit,
    /// Thousandths of the sides (Qwen2-VL).
    Thousand,
}

pub(super) struct SpatialThinker {
    mode: Mode,
    settings: Settings,
    likeness: Likeness,
}

impl SpatialThinker {
    pub(super) fn new(mode: Mode, given: &Map<String, Value>) -> Result<SpatialThinker> {
        let settings: Settings = settings(NAME, given)?;
        let refuse = |reason: String| Err(Error::Setting { reward: NAME, reason });
        let numbers = [
            ("format", settings.format),
            ("count", settings.count),
            ("accuracy", settings.accuracy),
            ("spatial", settings.spatial),
            ("label_cost", settings.label_cost),
            ("overlap_cost", settings.overlap_cost),
        ];
        if let Some((name, value)) = numbers.iter().find(|(_, value)| !(0.0..=1e6).contains(value)) {
            return refuse(format!("{name} is {value}; give a number of at least 0"));
        }
        if !(0.0..=1.0).contains(&settings.relation_share) {
            return refuse(format!("relation_share is {}; give a share, 0 to 1", settings.relation_share));
        }
        let published = Settings::default();
        let varied = [
            ("variant", settings.variant != published.variant),
            ("overlap", settings.overlap != published.overlap),
            ("relation_gate", settings.relation_gate),
            ("label_cost", settings.label_cost != published.label_cost),
            ("overlap_cost", settings.overlap_cost != published.overlap_cost),
        ];
        if let (Mode::Strict, Some((name, _))) = (mode, varied.iter().find(|(_, varied)| *varied)) {
            return refuse(format!("{name} varies the published code; use it with mode compatible"));
        }
        let likeness = Likeness::of(settings.vectors.as_deref())?;
        Ok(SpatialThinker { mode, settings, likeness })
    }

    /// The four terms and their sum.
    fn total(&self, format: f64, count: f64, accuracy: f64, spatial: f64) -> Scored {
        Scored::weighted(&[
            ("format", format, self.settings.format),
            ("count", count, self.settings.count),
            ("accuracy", accuracy, self.settings.accuracy),
            ("spatial", spatial, self.settings.spatial),
        ])
    }

    /// Agreement of two numbers of things, and of relations where the truth has any.
    fn count(&self, things: [usize; 2], relations: [usize; 2]) -> f64 {
        let agreement =
            |[found, truth]: [usize; 2]| (1.0 - found.abs_diff(truth) as f64 / truth.max(1) as f64).max(0.0);
        match relations[1] {
            0 => agreement(things),
            _ => self.blend(agreement(things), agreement(relations)),
        }
    }

    fn blend(&self, things: f64, relations: f64) -> f64 {
        let share = self.settings.relation_share;
        things * (1.0 - share) + relations * share
    }

    /// What a reply's boxes count, in a picture whose original has this `[width, height]`.
    fn frame(&self, row: &Row, [width, height]: [f64; 2]) -> Result<Coordinates> {
        Ok(match self.settings.coordinates {
            Frame::Original => Coordinates::Pixels { height, width },
            Frame::Resized => {
                let [width, height] = size::stated(row, "resized_size")?.ok_or_else(|| {
                    Error::row(
                        NAME,
                        "no resized_size in the row\nhint: give [width, height] of the picture the model saw",
                    )
                })?;
                Coordinates::Pixels { height, width }
            }
            Frame::Unit => Coordinates::Unit,
            Frame::Thousand => Coordinates::Thousand,
        })
    }
}

impl Reward for SpatialThinker {
    fn score(&self, row: &Row) -> Result<Scored> {
        let scored = match self.mode {
            Mode::Compatible => self.compatible(row),
            Mode::Strict => self.strict(row),
        }?;
        Ok(scored.unread(tags::first(&without_inner_tags(&row.completion), "answer").is_none()))
    }
}
