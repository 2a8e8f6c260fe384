//! Reading one fixture file: typed entries, thinned rows, thinned gradients, and pixel values rebuilt from frames.

use std::collections::BTreeMap;
use std::path::Path;

use safetensors::{Dtype as Kind, SafeTensors, View};

use crate::close::{Comparison, Dtype, Mismatch, close, close_in};
use crate::{must, root};

/// Images or videos: they go through the vision tower in separate calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Medium {
    /// `pixel_values`, `image.*`.
    Image,
    /// `pixel_values_videos`, `video.*`.
    Video,
}

/// An array of bytes with a type and a shape.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    kind: Kind,
    shape: Vec<usize>,
    bytes: Vec<u8>,
}

impl View for Entry {
    fn dtype(&self) -> Kind {
        self.kind
    }
    fn shape(&self) -> &[usize] {
        &self.shape
    }
    fn data(&self) -> std::borrow::Cow<'_, [u8]> {
        (&self.bytes).into()
    }
    fn data_len(&self) -> usize {
        self.bytes.len()
    }
}

/// Every tensor of a safetensors file.
pub(crate) fn read(path: &Path) -> BTreeMap<String, Entry> {
    let bytes = must(fs_err::read(path));
    let file = SafeTensors::deserialize(&bytes).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let entry = |view: safetensors::tensor::TensorView<'_>| Entry {
        kind: view.dtype(),
        shape: view.shape().to_vec(),
        bytes: view.data().to_vec(),
    };
    file.tensors().into_iter().map(|(name, view)| (name, entry(view))).collect()
}

/// The expected gradient of one parameter, thinned when large.
#[derive(Clone, Debug)]
pub struct Gradient {
    /// Every `stride`-th element of the flat gradient is in `values`.
    pub stride: usize,
    /// The kept elements.
    pub values: Vec<f32>,
    /// Euclidean norm of the whole gradient.
    pub norm: f64,
}

/// One fixture file.
#[derive(Clone, Debug)]
pub struct Fixture {
    label: String,
    entries: BTreeMap<String, Entry>,
}

impl Fixture {
    /// The stages of a case, or `gradients`, `bf16`.
    pub fn open(family: &str, case: &str) -> Fixture {
        Fixture::at(&format!("fixtures/{family}/{case}"))
    }

    /// The resized pictures of a vision case.
    pub fn frames(case: &str) -> Fixture {
        Fixture::at(&format!("frames/{case}"))
    }

    /// A file of `tiny/tables`, such as `resize`.
    pub fn table(name: &str) -> Fixture {
        Fixture::at(&format!("tables/{name}"))
    }

    fn at(label: &str) -> Fixture {
        Fixture { label: label.to_owned(), entries: read(&root().join(format!("{label}.safetensors"))) }
    }

    /// Names of all entries, sorted.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.entries.keys().map(String::as_str)
    }

    /// Whether there is such an entry.
    pub fn has(&self, name: &str) -> bool {
        self.entries.contains_key(name)
    }

    /// The shape of an entry as stored.
    pub fn shape(&self, name: &str) -> &[usize] {
        &self.entry(name).shape
    }

    fn entry(&self, name: &str) -> &Entry {
        self.entries.get(name).unwrap_or_else(|| panic!("golden: {} has no entry {name}", self.label))
    }

    fn values<T, const SIZE: usize>(&self, name: &str, kind: Kind, read: fn([u8; SIZE]) -> T) -> Vec<T> {
        let entry = self.entry(name);
        assert_eq!(entry.kind, kind, "golden: type of {} {name}", self.label);
        let chunks = entry.bytes.chunks_exact(SIZE);
        chunks.map(|chunk| read(chunk.try_into().expect("chunks have this size"))).collect()
    }

    /// Values of a float32 entry.
    pub fn f32(&self, name: &str) -> Vec<f32> {
        self.values(name, Kind::F32, f32::from_le_bytes)
    }

    /// Values of a float64 entry.
    pub fn f64(&self, name: &str) -> Vec<f64> {
        self.values(name, Kind::F64, f64::from_le_bytes)
    }

    /// Values of an int64 entry.
    pub fn i64(&self, name: &str) -> Vec<i64> {
        self.values(name, Kind::I64, i64::from_le_bytes)
    }

    /// Values of a uint8 entry.
    pub fn u8(&self, name: &str) -> Vec<u8> {
        self.values(name, Kind::U8, |[byte]: [u8; 1]| byte)
    }

    /// Values of a uint64 entry.
    pub fn u64(&self, name: &str) -> Vec<u64> {
        self.values(name, Kind::U64, u64::from_le_bytes)
    }

    /// Which rows of a stage are kept; `None` when all are.
    pub fn rows(&self, name: &str) -> Option<Vec<usize>> {
        let rows = format!("{name}.rows");
        self.has(&rows).then(|| self.i64(&rows).into_iter().map(|row| row as usize).collect())
    }

    /// Compares all rows of a stage, `[n, d]` or `[d]` flat, with the kept ones, in float32.
    pub fn check(&self, stage: &str, actual: &[f32]) -> Result<Comparison, Mismatch> {
        self.check_in(Dtype::F32, stage, actual)
    }

    /// Compares all rows of a stage with the kept ones, in the given arithmetic.
    pub fn check_in(&self, dtype: Dtype, stage: &str, actual: &[f32]) -> Result<Comparison, Mismatch> {
        let label = format!("{} {stage}", self.label);
        let width = self.shape(stage).last().copied().unwrap_or(1);
        let expected = self.f32(stage);
        let Some(rows) = self.rows(stage) else {
            return close_in(dtype, &label, actual, &expected);
        };
        let complete = rows.last().map_or(0, |last| (last + 1) * width);
        if actual.len() != complete {
            return close_in(dtype, &label, actual, &vec![0.0; complete]);
        }
        let kept: Vec<f32> =
            rows.iter().flat_map(|row| &actual[row * width..(row + 1) * width]).copied().collect();
        close_in(dtype, &label, &kept, &expected)
    }

    /// Checkpoint keys that have a gradient.
    pub fn parameters(&self) -> impl Iterator<Item = &str> {
        self.names().filter_map(|name| name.strip_prefix("gradient_norm/"))
    }

    /// The gradient of a checkpoint key.
    pub fn gradient(&self, key: &str) -> Gradient {
        let norm = self.f64(&format!("gradient_norm/{key}"))[0];
        let whole = format!("gradient/{key}");
        if self.has(&whole) {
            return Gradient { stride: 1, values: self.f32(&whole), norm };
        }
        Gradient { stride: THINNED, values: self.f32(&format!("gradient_every_{THINNED}/{key}")), norm }
    }

    /// Compares the whole flat gradient of a checkpoint key: kept elements and norm.
    pub fn check_gradient(&self, key: &str, actual: &[f32]) -> Result<Comparison, Mismatch> {
        let expected = self.gradient(key);
        let kept: Vec<f32> = actual.iter().step_by(expected.stride).copied().collect();
        let label = format!("{} {key}.gradient", self.label);
        let norm = actual.iter().map(|&x| f64::from(x) * f64::from(x)).sum::<f64>().sqrt();
        close(&label, &[norm as f32], &[expected.norm as f32])?;
        close(&label, &kept, &expected.values)
    }

    /// The normalised patches `[n, 1176]` of the case's images or videos, bit for bit what the processor made:
    /// rebuilt from the stored frames and proven by the stored checksum. `None` when the case has none.
    pub fn pixel_values(&self, medium: Medium) -> Option<Vec<f32>> {
        let count = self.media_count("", medium);
        self.rebuilt("", medium, 0..count)
    }

    /// [`Fixture::pixel_values`] of one row of a batch, whose frames are stored one row after another.
    pub fn row_pixel_values(&self, row: usize, medium: Medium) -> Option<Vec<f32>> {
        let of = |row: usize| self.media_count(&format!("row.{row}."), medium);
        let first: usize = (0..row).map(of).sum();
        self.rebuilt(&format!("row.{row}."), medium, first..first + of(row))
    }

    fn media_count(&self, prefix: &str, medium: Medium) -> usize {
        let grids = format!("{prefix}{}", medium.names().1);
        if self.has(&grids) { self.shape(&grids)[0] } else { 0 }
    }

    fn rebuilt(&self, prefix: &str, medium: Medium, media: std::ops::Range<usize>) -> Option<Vec<f32>> {
        let (name, _, kind) = medium.names();
        let name = format!("{prefix}{name}");
        let checksum =
            self.has(&format!("{name}.checksum")).then(|| self.u64(&format!("{name}.checksum"))[0])?;
        let case = self.label.rsplit('/').next().expect("a label has a last part");
        let frames = Fixture::frames(case);
        let levels = Fixture::table("normalise").f32("levels");
        let mut patches = Vec::new();
        for index in media {
            let picture = format!("{kind}.{index}");
            let shape = frames.shape(&picture);
            let (count, size) = if shape.len() == 4 { (shape[0], &shape[1..]) } else { (1, shape) };
            cut(&frames.u8(&picture), count, size[0], size[1], &levels, &mut patches);
        }
        assert_eq!(checksum_of(&patches), checksum, "golden: {} {name} rebuilt from frames", self.label);
        Some(patches)
    }
}

impl Medium {
    /// Its pixel entry, its grid entry, and what its frames are called.
    fn names(self) -> (&'static str, &'static str, &'static str) {
        match self {
            Medium::Image => ("pixel_values", "image_grid_thw", "image"),
            Medium::Video => ("pixel_values_videos", "video_grid_thw", "video"),
        }
    }
}

/// The exporter keeps every so-many-th element of a large gradient.
const THINNED: usize = 11;
const PATCH: usize = 14;
const MERGE: usize = 2;
const TEMPORAL: usize = 2;

/// Cuts frames, channels last, into patches in the order of the processor: time, merge windows, patches of a
/// window; within a patch channel, time, row, column. A single picture fills both halves of the temporal patch.
fn cut(frames: &[u8], count: usize, height: usize, width: usize, levels: &[f32], patches: &mut Vec<f32>) {
    let windows = (height / PATCH / MERGE, width / PATCH / MERGE);
    for time in 0..count.div_ceil(TEMPORAL) {
        for window in 0..windows.0 * windows.1 {
            for inner in 0..MERGE * MERGE {
                let top = (window / windows.1 * MERGE + inner / MERGE) * PATCH;
                let left = (window % windows.1 * MERGE + inner % MERGE) * PATCH;
                for part in 0..3 * TEMPORAL * PATCH * PATCH {
                    let (channel, rest) =
                        (part / (TEMPORAL * PATCH * PATCH), part % (TEMPORAL * PATCH * PATCH));
                    let frame = (time * TEMPORAL + rest / (PATCH * PATCH)).min(count - 1);
                    let (y, x) = (top + rest % (PATCH * PATCH) / PATCH, left + rest % PATCH);
                    let level = frames[((frame * height + y) * width + x) * 3 + channel];
                    patches.push(levels[channel * 256 + usize::from(level)]);
                }
            }
        }
    }
}

/// Sum of (i + 1) * bits of value i, modulo 2^64.
fn checksum_of(values: &[f32]) -> u64 {
    let terms = values.iter().zip(1u64..).map(|(value, i)| u64::from(value.to_bits()).wrapping_mul(i));
    terms.fold(0, u64::wrapping_add)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{FAMILIES, cases, messages, notes, saved_checkpoint, variant_checkpoint};

    #[test]
    fn every_case_opens_and_its_pixels_rebuild() {
        for family in FAMILIES {
            for case in cases(family) {
                let fixture = Fixture::open(family, case);
                assert!(messages(family, case).is_array());
                assert!(!notes(family, case).is_null(), "{family} {case}");
                for medium in [Medium::Image, Medium::Video] {
                    let pixels = fixture.pixel_values(medium);
                    let name = if medium == Medium::Image { "pixel_values" } else { "pixel_values_videos" };
                    let length: Option<i64> = fixture
                        .has(&format!("{name}.shape"))
                        .then(|| fixture.i64(&format!("{name}.shape")).iter().product());
                    assert_eq!(pixels.map(|p| p.len() as i64), length, "{family} {case} {name}");
                }
            }
        }
    }

    #[test]
    fn a_thinned_stage_notices_a_wrong_row_and_a_wrong_length() {
        let fixture = Fixture::open("qwen2_5_vl", "mixed");
        let rows = fixture.rows("logits").expect("the logits of this case are thinned");
        let (width, kept) = (fixture.shape("logits")[1], fixture.f32("logits"));
        let mut whole = vec![0.0; (rows[rows.len() - 1] + 1) * width];
        for (row, values) in rows.iter().zip(kept.chunks_exact(width)) {
            whole[row * width..(row + 1) * width].copy_from_slice(values);
        }
        assert!(fixture.check("logits", &whole).is_ok());
        assert!(fixture.check("logits", &whole[width..]).is_err());
        whole[rows[1] * width + 3] += 0.1;
        assert!(fixture.check("logits", &whole).is_err());
    }

    #[test]
    fn a_saved_checkpoint_has_every_tensor_once() {
        let target = tempfile::tempdir().unwrap();
        saved_checkpoint("qwen2_vl", target.path());
        let names: Vec<String> = read(&target.path().join("model.safetensors")).into_keys().collect();
        let gradients = Fixture::open("qwen2_vl", "gradients");
        assert_eq!(names.len(), gradients.parameters().count());
        assert!(names.iter().any(|name| name.starts_with("model.visual.blocks.0.")));
        assert!(names.iter().any(|name| name == "model.language_model.embed_tokens.weight"));
        assert!(target.path().join("config.json").exists());
    }

    #[test]
    fn a_variant_takes_the_weights_and_changes_the_configuration() {
        let target = tempfile::tempdir().unwrap();
        variant_checkpoint("qwen2_sliding", target.path());
        assert!(target.path().join("model.safetensors").exists());
        let config = fs_err::read_to_string(target.path().join("config.json")).unwrap();
        assert!(config.contains("\"use_sliding_window\": true"), "{config}");
        let (sliding, turns) = (Fixture::open("qwen2", "sliding"), Fixture::open("qwen2", "turns"));
        assert_eq!(sliding.i64("input_ids"), turns.i64("input_ids"));
        assert!(close("logits", &sliding.f32("logits"), &turns.f32("logits")).is_err());
    }
}
