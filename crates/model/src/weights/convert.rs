//! From bytes of a mapped file to layers: borrowed where the number type is right, converted where it is not,
//! quantised where asked. One tensor at a time, so that memory never holds more than the result and one piece
//! of a matrix. Weights are checked for NaN and infinity where they are read anyway, and sampled where they are
//! only mapped, because reading all of them would cost the start its speed.

use std::sync::Arc;

use candle_core::quantized::{GgmlDType, QStorage, QTensor};
use candle_core::{Device, Tensor};
use half::{bf16, f16};
use rayon::prelude::*;
use safetensors::tensor::Dtype as FileDtype;

use super::file::{Entry, WeightFile};
use super::index::Weights;
use crate::backend::cpu::{blocks, simd};
use crate::error::{ModelError, Result};
use crate::layers::{Buffer, Embedding, LayerNorm, Linear, RmsNorm, Weight};
use crate::parts::Named;

/// Number type of matrices in memory.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Dtype {
    /// As in the file; F16, which no kernel reads, becomes f32.
    #[default]
    Auto,
    /// Single precision.
    F32,
    /// Brain floating point.
    Bf16,
}

/// Block format of the decoder's matrices.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Quantize {
    /// 8 bits and a scale for every 32 weights.
    Q8_0,
    /// 4 bits with two-level scales for every 256 weights.
    Q4K,
}

impl Quantize {
    /// Whether a matrix `[outputs, inputs]` is quantised. The tensor library's fast product wants rows of whole
    /// 256s, sixteen at a time; its slow one takes ten times as long as bf16 (Q8_0, 896 wide, 512 tokens).
    pub fn takes(self, outputs: usize, inputs: usize) -> bool {
        inputs.is_multiple_of(256) && outputs.is_multiple_of(16)
    }

    /// Weights in one block.
    pub fn block(self) -> usize {
        self.ggml().block_size()
    }

    /// Bytes of one block.
    pub fn block_bytes(self) -> usize {
        self.ggml().type_size()
    }

    fn ggml(self) -> GgmlDType {
        match self {
            Quantize::Q8_0 => GgmlDType::Q8_0,
            Quantize::Q4K => GgmlDType::Q4K,
        }
    }
}

/// Elements looked at in a matrix that stays mapped.
const SAMPLES: usize = 2;
/// Rows of a matrix quantised at a time by one thread.
const PIECE_ROWS: usize = 64;

/// Makes layers of a checkpoint's tensors.
pub struct Loader<'a> {
    weights: &'a Weights,
    dtype: Dtype,
    quantize: Option<Quantize>,
    /// Matrices that were to be quantised and were not, because of [`Quantize::takes`].
    pub unquantised: Vec<String>,
}

/// A tensor found, checked for shape, and ready to be converted.
struct Source<'a> {
    name: String,
    file: &'a WeightFile,
    entry: Entry,
}

impl<'a> Loader<'a> {
    /// Will read from `weights`, as asked.
    pub fn new(weights: &'a Weights, dtype: Dtype, quantize: Option<Quantize>) -> Self {
        Loader { weights, dtype, quantize, unquantised: Vec::new() }
    }

    /// A matrix of the decoder, quantised if that was asked for.
    pub fn linear(&mut self, name: &str, outputs: usize, inputs: usize, bias: bool) -> Result<Named<Linear>> {
        let source = self.source(&format!("{name}.weight"), &[outputs, inputs])?;
        let weight = self.quantised_if_asked(&source, outputs, inputs)?;
        self.finish(name, source.name, weight, outputs, inputs, bias)
    }

    /// A matrix that is never quantised (vision towers: a tenth of the weights, and sensitive). `shape` is the
    /// tensor's in the file; its product is `outputs * inputs`.
    pub fn plain_linear(
        &mut self,
        name: &str,
        shape: &[usize],
        outputs: usize,
        inputs: usize,
        bias: bool,
    ) -> Result<Named<Linear>> {
        let source = self.source(&format!("{name}.weight"), shape)?;
        let weight = self.plain(&source)?;
        self.finish(name, source.name, weight, outputs, inputs, bias)
    }

    /// A table of rows to be gathered. Never quantised: only the rows that occur are read.
    pub fn embedding(&mut self, name: &str, rows: usize, width: usize) -> Result<Named<Embedding>> {
        let source = self.source(&format!("{name}.weight"), &[rows, width])?;
        let layer = Embedding::new(self.plain(&source)?, rows, width)?;
        Ok(Named { key: key(&source.name), layer })
    }

    /// The output head, which is the token table where the checkpoint ties them. As in the reference, a head
    /// that is stored and differs from the table is not tied, whatever the config says.
    pub fn head(&mut self, tied: bool, vocab: usize, width: usize) -> Result<Named<Linear>> {
        let own = "lm_head.weight";
        let shape = [vocab, width];
        let tied = tied
            && (self.weights.find(own).is_none() || self.same_bytes(own, "model.embed_tokens.weight")?);
        match tied {
            true => {
                let source = self.source("model.embed_tokens.weight", &shape)?;
                let weight = self.quantised_if_asked(&source, vocab, width)?;
                self.finish("model.embed_tokens", source.name, weight, vocab, width, false)
            }
            false => self.linear("lm_head", vocab, width, false),
        }
    }

    /// An RMSNorm.
    pub fn rms_norm(&mut self, name: &str, width: usize, epsilon: f64) -> Result<Named<RmsNorm>> {
        let (spelling, weight) = self.vector(&format!("{name}.weight"), width)?;
        Ok(Named { key: key(&spelling), layer: RmsNorm { weight, epsilon: epsilon as f32 } })
    }

    /// A LayerNorm.
    pub fn layer_norm(&mut self, name: &str, width: usize, epsilon: f64) -> Result<Named<LayerNorm>> {
        let (spelling, weight) = self.vector(&format!("{name}.weight"), width)?;
        let (_, bias) = self.vector(&format!("{name}.bias"), width)?;
        Ok(Named { key: key(&spelling), layer: LayerNorm { weight, bias, epsilon: epsilon as f32 } })
    }

    /// A short tensor, always f32 and always checked whole.
    fn vector(&self, name: &str, len: usize) -> Result<(String, Tensor)> {
        let source = self.source(name, &[len])?;
        let values = source.to_f32(0..len);
        source.check(values.iter().copied().enumerate())?;
        Ok((source.name, Tensor::from_vec(values, len, &Device::Cpu)?))
    }

    fn source(&self, name: &str, shape: &[usize]) -> Result<Source<'a>> {
        let (name, file, entry) = self.weights.expect(name, shape)?;
        Ok(Source { name, file, entry })
    }

    fn finish(
        &self,
        name: &str,
        spelling: String,
        weight: Weight,
        outputs: usize,
        inputs: usize,
        bias: bool,
    ) -> Result<Named<Linear>> {
        let bias = bias.then(|| self.vector(&format!("{name}.bias"), outputs)).transpose()?;
        let layer = Linear::new(weight, bias.map(|(_, bias)| bias), outputs, inputs)?;
        Ok(Named { key: key(&spelling), layer })
    }

    fn quantised_if_asked(&mut self, source: &Source<'_>, outputs: usize, inputs: usize) -> Result<Weight> {
        match self.quantize {
            Some(format) if format.takes(outputs, inputs) => {
                Ok(Weight::Quantised(Arc::new(source.quantised(format, outputs, inputs)?)))
            }
            Some(_) => {
                self.unquantised.push(source.name.clone());
                self.plain(source)
            }
            None => self.plain(source),
        }
    }

    /// A matrix in f32 or bf16, borrowed from the file where that is its type.
    fn plain(&self, source: &Source<'_>) -> Result<Weight> {
        let len = source.len();
        let as_bf16 = match self.dtype {
            Dtype::Auto => source.entry.dtype == FileDtype::BF16,
            Dtype::F32 => false,
            Dtype::Bf16 => true,
        };
        let (map, offset) = (&source.file.map, source.entry.bytes.start);
        match (source.entry.dtype, as_bf16) {
            (FileDtype::F32, false) => {
                if let Ok(mapped) = Buffer::mapped(map.clone(), offset, len) {
                    source.sample()?;
                    return Ok(Weight::F32(mapped));
                }
            }
            (FileDtype::BF16, true) => {
                if let Ok(mapped) = Buffer::mapped(map.clone(), offset, len) {
                    source.sample()?;
                    return Ok(Weight::Bf16(mapped));
                }
            }
            _ => {}
        }
        // Another type, or bytes that are not aligned: convert in pieces that threads share.
        source.prefetch();
        let piece = 1 << 16;
        if as_bf16 {
            let mut out = vec![bf16::ZERO; len];
            out.par_chunks_mut(piece).enumerate().try_for_each(|(i, out)| {
                let values = source.to_f32(i * piece..i * piece + out.len());
                out.iter_mut().zip(&values).for_each(|(to, &from)| *to = bf16::from_f32(from));
                source.check(values.into_iter().enumerate().map(|(j, value)| (i * piece + j, value)))
            })?;
            source.release();
            Ok(Weight::Bf16(out.into()))
        } else {
            let mut out = vec![0f32; len];
            out.par_chunks_mut(piece).enumerate().try_for_each(|(i, out)| {
                source.read_f32(i * piece, out);
                source.check(out.iter().copied().enumerate().map(|(j, value)| (i * piece + j, value)))
            })?;
            source.release();
            Ok(Weight::F32(out.into()))
        }
    }

    /// Whether two tensors hold the same bytes.
    fn same_bytes(&self, one: &str, other: &str) -> Result<bool> {
        let bytes = |name| self.weights.find(name).map(|(_, file, entry)| &file.map[entry.bytes]);
        Ok(bytes(one) == bytes(other))
    }
}

impl Source<'_> {
    fn len(&self) -> usize {
        self.entry.shape.iter().product()
    }

    fn bytes(&self) -> &[u8] {
        &self.file.map[self.entry.bytes.clone()]
    }

    /// Elements `range` widened to f32.
    fn to_f32(&self, range: std::ops::Range<usize>) -> Vec<f32> {
        let mut out = vec![0f32; range.len()];
        self.read_f32(range.start, &mut out);
        out
    }

    /// Elements from `start` on widened to f32.
    fn read_f32(&self, start: usize, out: &mut [f32]) {
        let bytes = self.bytes();
        match self.entry.dtype {
            FileDtype::F32 => {
                let bytes = bytes[start * 4..].chunks_exact(4);
                out.iter_mut()
                    .zip(bytes)
                    .for_each(|(to, b)| *to = f32::from_le_bytes([b[0], b[1], b[2], b[3]]));
            }
            FileDtype::BF16 => {
                let bytes = bytes[start * 2..].chunks_exact(2);
                out.iter_mut()
                    .zip(bytes)
                    .for_each(|(to, b)| *to = bf16::from_le_bytes([b[0], b[1]]).to_f32());
            }
            FileDtype::F16 => {
                let bytes = bytes[start * 2..].chunks_exact(2);
                out.iter_mut().zip(bytes).for_each(|(to, b)| *to = f16::from_le_bytes([b[0], b[1]]).to_f32());
            }
            other => unreachable!("{other:?} is refused by Weights::expect"),
        }
    }

    fn check(&self, values: impl Iterator<Item = (usize, f32)>) -> Result<()> {
        for (index, value) in values {
            if !value.is_finite() {
                let (name, file) = (self.name.clone(), self.file.path.clone());
                return Err(ModelError::NonFinite { name, file, index, value });
            }
        }
        Ok(())
    }

    /// Checks a few elements spread over a mapped matrix.
    fn sample(&self) -> Result<()> {
        let len = self.len();
        let step = len.div_ceil(SAMPLES).max(1);
        let mut value = [0f32];
        for index in (0..len).step_by(step) {
            self.read_f32(index, &mut value);
            self.check(std::iter::once((index, value[0])))?;
        }
        Ok(())
    }

    /// Asks the system to read a tensor ahead: page by page, a disk gives a fraction of its speed.
    fn prefetch(&self) {
        #[cfg(unix)]
        // Advice that is refused changes nothing but speed.
        let _ = self.file.map.advise_range(
            memmap2::Advice::WillNeed,
            self.entry.bytes.start,
            self.entry.bytes.len(),
        );
    }

    /// Gives the pages of a tensor that was copied back to the system, so that loading stays within its plan.
    fn release(&self) {
        let Entry { bytes, .. } = &self.entry;
        // SAFETY: the map is read-only and backed by the file: a page given back is read again when touched.
        #[cfg(unix)]
        #[allow(unsafe_code)]
        unsafe {
            // Advice that is refused changes nothing but memory use.
            let _ = self.file.map.unchecked_advise_range(
                memmap2::UncheckedAdvice::DontNeed,
                bytes.start,
                bytes.len(),
            );
        }
    }

    /// The matrix in a block format, some rows at a time.
    fn quantised(&self, format: Quantize, outputs: usize, inputs: usize) -> Result<QTensor> {
        let row_bytes = inputs / format.block() * format.block_bytes();
        self.prefetch();
        let level = simd::level();
        let mut out = vec![0u8; outputs * row_bytes];
        out.par_chunks_mut(PIECE_ROWS * row_bytes).enumerate().try_for_each(|(i, out)| {
            let rows = out.len() / row_bytes;
            let first = i * PIECE_ROWS * inputs;
            let values = self.to_f32(first..first + rows * inputs);
            self.check(values.iter().copied().enumerate().map(|(j, value)| (first + j, value)))?;
            match format {
                Quantize::Q8_0 => blocks::q8_0(level, &values, out),
                Quantize::Q4K => blocks::q4_k(level, &values, out),
            }
            Ok::<(), ModelError>(())
        })?;
        self.release();
        let storage = QStorage::from_data(out.into(), &Device::Cpu, format.ggml())?;
        Ok(QTensor::new(storage, (outputs, inputs))?)
    }
}

/// The numbers of one tensor, all of them checked.
pub fn read_f32(name: String, file: &WeightFile, entry: Entry) -> Result<Vec<f32>> {
    if !matches!(entry.dtype, FileDtype::F32 | FileDtype::BF16 | FileDtype::F16) {
        let got = format!("{:?}", entry.dtype);
        return Err(ModelError::Dtype { name, file: file.path.clone(), got });
    }
    let source = Source { name, file, entry };
    let values = source.to_f32(0..source.len());
    source.check(values.iter().copied().enumerate())?;
    Ok(values)
}

/// Reads every weight of a checkpoint and reports the first that is not finite: the check that loading skips.
pub fn check_all(weights: &Weights) -> Result<()> {
    for (name, file, entry) in weights.tensors() {
        if !matches!(entry.dtype, FileDtype::F32 | FileDtype::BF16 | FileDtype::F16) {
            continue;
        }
        let source = Source { name, file, entry };
        let piece = 1 << 16;
        (0..source.len().div_ceil(piece)).into_par_iter().try_for_each(|i| {
            let values = source.to_f32(i * piece..source.len().min((i + 1) * piece));
            source.check(values.into_iter().enumerate().map(|(j, value)| (i * piece + j, value)))
        })?;
        source.release();
    }
    Ok(())
}

/// The key of a layer: its weight's name without `.weight`.
fn key(spelling: &str) -> String {
    spelling.strip_suffix(".weight").unwrap_or(spelling).to_owned()
}
