//! Which checkpoint and how it is held: flags into a directory and the options of `model` and `input`.

use std::collections::BTreeMap;
use std::path::PathBuf;

use anyhow::Result;
use clap::builder::PossibleValue;
use clap::{Args, ValueEnum};
use firsthand_input::{RenderOptions, TextAfter, VideoTime};
use firsthand_model::weights::Weights;
use firsthand_model::{Dtype, LoadOptions, Quantize};

use crate::{checkpoint, tiny};

/// `--dtype`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum DtypeFlag {
    /// As in the weight files.
    Auto,
    /// Single precision: equal to the reference within 1e-3.
    F32,
    /// Half the memory.
    Bf16,
}

/// `--quantize`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "snake_case")]
pub(crate) enum QuantizeFlag {
    /// 8 bits: 7B in about 9 GB.
    #[value(name = "q8_0")]
    Q8_0,
    /// 4.5 bits: 7B in about 6 GB.
    #[value(name = "q4_k")]
    Q4K,
}

/// `--time`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum TimeFlag {
    /// The true time between frames, as the reference library computes it.
    Absolute,
    /// One second per frame pair, with which Video-R1 was trained.
    Constant,
}

/// `--text-after`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum TextAfterFlag {
    /// transformers 5: after the larger side of the medium's grid.
    LargerSide,
    /// transformers 4: after the largest position of the medium.
    LargestPosition,
}

/// Flags that choose a checkpoint and its arithmetic.
#[derive(Args, Clone)]
#[command(next_help_heading = "Model")]
pub(crate) struct ModelFlags {
    /// Checkpoint: a directory, or owner/name of one that `firsthand fetch` downloaded. Default: firsthand-tiny, which
    /// is inside this program and knows only the simulated home of `firsthand world`.
    #[arg(long, value_name = "DIR|owner/name")]
    pub(crate) model: Option<String>,
    /// Branch, tag or commit of a downloaded checkpoint.
    #[arg(long, value_name = "NAME", default_value = "main")]
    pub(crate) revision: String,
    /// Number type of the weights in memory.
    #[arg(long, value_name = "TYPE", default_value = "auto")]
    pub(crate) dtype: DtypeFlag,
    /// Quantise the decoder's weights when loading.
    #[arg(long, value_name = "FORMAT")]
    pub(crate) quantize: Option<QuantizeFlag>,
    /// Where to run: cpu or cuda.
    #[arg(long, value_name = "NAME", default_value = "cpu")]
    pub(crate) device: String,
    /// How Qwen2.5-VL is told the time between video frames.
    #[arg(long, value_name = "RULE", default_value = "absolute")]
    pub(crate) time: TimeFlag,
    /// Where text continues after a long video.
    #[arg(long, value_name = "RULE", default_value = "larger-side")]
    pub(crate) text_after: TextAfterFlag,
}

impl ModelFlags {
    /// The checkpoint's directory.
    pub(crate) fn directory(&self) -> Result<PathBuf> {
        match &self.model {
            Some(model) => checkpoint::directory(model, &self.revision),
            None => tiny::directory(),
        }
    }

    /// How the weights are held.
    pub(crate) fn load_options(&self) -> LoadOptions {
        LoadOptions {
            dtype: match self.dtype {
                DtypeFlag::Auto => Dtype::Auto,
                DtypeFlag::F32 => Dtype::F32,
                DtypeFlag::Bf16 => Dtype::Bf16,
            },
            quantize: self.quantize.map(|format| match format {
                QuantizeFlag::Q8_0 => Quantize::Q8_0,
                QuantizeFlag::Q4K => Quantize::Q4K,
            }),
            device: self.device.clone(),
        }
    }

    /// How prompts are built.
    pub(crate) fn render_options(&self) -> RenderOptions {
        RenderOptions {
            time: match self.time {
                TimeFlag::Absolute => VideoTime::Absolute,
                TimeFlag::Constant => VideoTime::Constant(1.0),
            },
            text_after: match self.text_after {
                TextAfterFlag::LargerSide => TextAfter::LargerSide,
                TextAfterFlag::LargestPosition => TextAfter::LargestPosition,
            },
            ..RenderOptions::default()
        }
    }

    /// The arithmetic by name, for manifests.
    pub(crate) fn arithmetic(&self, weights: &Weights) -> &'static str {
        let is_bf16 = || weights.tensors().any(|(_, _, entry)| format!("{:?}", entry.dtype) == "BF16");
        match (self.quantize, self.dtype) {
            (Some(QuantizeFlag::Q8_0), _) => "q8_0",
            (Some(QuantizeFlag::Q4K), _) => "q4_k",
            (None, DtypeFlag::Bf16) => "bf16",
            (None, DtypeFlag::Auto) if is_bf16() => "bf16",
            (None, DtypeFlag::Auto | DtypeFlag::F32) => "f32",
        }
    }

    /// What shapes prompts, by name, for manifests.
    pub(crate) fn prompt_settings(&self) -> BTreeMap<String, String> {
        let name = |value: Option<PossibleValue>| value.map_or_else(String::new, |v| v.get_name().to_owned());
        BTreeMap::from([
            ("time".to_owned(), name(self.time.to_possible_value())),
            ("text_after".to_owned(), name(self.text_after.to_possible_value())),
        ])
    }
}
