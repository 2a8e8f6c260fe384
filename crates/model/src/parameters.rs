//! The parameters of a loaded model by checkpoint key: listed, read, changed, saved. What to change them to is
//! the trainer's business.

use std::borrow::Cow;
use std::path::Path;

use candle_core::{Device, Tensor};
use half::bf16;
use safetensors::SafeTensorError;
use safetensors::tensor::{Dtype as FileDtype, View};

use crate::backend::cpu::{dots, simd};
use crate::error::{ModelError, Result};
use crate::layers::Weight;
use crate::model::Model;
use crate::parts::{Held, HeldMut, LORA_A, LORA_B, Parts};
use crate::weights::{Dtype, published};

/// Which part of a model a parameter belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Part {
    /// The vision tower without its merger.
    Vision,
    /// The two projections and the norm between tower and decoder.
    Merger,
    /// The decoder, its token table and its head.
    Language,
}

impl Part {
    /// The part a checkpoint key belongs to.
    pub fn of(key: &str) -> Part {
        let name = published(key);
        if name.starts_with("visual.merger.") {
            Part::Merger
        } else if name.starts_with("visual.") {
            Part::Vision
        } else {
            Part::Language
        }
    }
}

/// One parameter of a model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parameter {
    /// Its name in the checkpoint's files.
    pub key: String,
    /// Its sides there. A gradient of a patch embedding has the same numbers as a matrix.
    pub shape: Vec<usize>,
    /// Which part of the model it belongs to.
    pub part: Part,
}

impl Model {
    /// Every parameter, in order of the forward pass, the decoder first. A token table that is also the head is
    /// listed once.
    pub fn parameters(&self) -> Vec<Parameter> {
        let mut all = Vec::new();
        self.visit(&mut |name, held| {
            let key = name.to_string();
            let shape = self.shape(&key, &held);
            all.push(Parameter { part: Part::of(&key), key, shape });
        });
        all
    }

    /// Changes a parameter in place. It must be held in f32. The first change of one that is mapped from a file
    /// copies it, later ones copy nothing.
    pub fn edit(&mut self, key: &str, change: &mut dyn FnMut(&mut [f32]) -> Result<()>) -> Result<()> {
        self.with(key, |held| match held {
            HeldMut::Matrix(Weight::F32(data)) => change(data.to_mut()),
            HeldMut::Matrix(Weight::Bf16(_)) => Err(ModelError::Input(format!(
                "{key} is held in bf16 and cannot be changed in place; load the model with dtype f32 to train it"
            ))),
            HeldMut::Matrix(Weight::Quantised(_)) => Err(quantised(key)),
            HeldMut::Vector(tensor) => {
                let mut values = tensor.to_vec1::<f32>()?;
                change(&mut values)?;
                *tensor = Tensor::from_vec(values, tensor.dims(), &Device::Cpu)?;
                Ok(())
            }
        })
    }

    /// Replaces a parameter's numbers, rounded to the type it is held in.
    pub fn set(&mut self, key: &str, values: &[f32]) -> Result<()> {
        let count = |len: usize| match len == values.len() {
            true => Ok(()),
            false => Err(ModelError::Input(format!("{key} has {len} numbers, got {}", values.len()))),
        };
        self.with(key, |held| match held {
            HeldMut::Matrix(Weight::F32(data)) => {
                count(data.len())?;
                data.to_mut().copy_from_slice(values);
                Ok(())
            }
            HeldMut::Matrix(Weight::Bf16(data)) => {
                count(data.len())?;
                dots::round(simd::level(), values, data.to_mut());
                Ok(())
            }
            HeldMut::Matrix(Weight::Quantised(_)) => Err(quantised(key)),
            HeldMut::Vector(tensor) => {
                count(tensor.elem_count())?;
                *tensor = Tensor::from_slice(values, tensor.dims(), &Device::Cpu)?;
                Ok(())
            }
        })
    }

    /// A parameter's numbers.
    pub fn read(&self, key: &str) -> Result<Vec<f32>> {
        let mut found = None;
        self.visit(&mut |name, held| {
            if name.is(key) {
                found = Some(match held {
                    Held::Matrix(Weight::F32(data), _) => Ok(data.to_vec()),
                    Held::Matrix(Weight::Bf16(data), _) => Ok(data.iter().map(|v| v.to_f32()).collect()),
                    Held::Matrix(Weight::Quantised(_), _) => Err(quantised(key)),
                    Held::Vector(tensor) => tensor.to_vec1().map_err(ModelError::from),
                });
            }
        });
        found.unwrap_or_else(|| Err(absent(key)))
    }

    /// Writes all parameters but an adapter's to one safetensors file under the checkpoint's keys: complete or not
    /// at all, and on the disk when this returns. With [`Dtype::Auto`] each is written as it is held.
    pub fn save_weights(&self, path: &Path, dtype: Dtype) -> Result<()> {
        let mut tensors = Vec::new();
        let mut refused = None;
        self.visit(&mut |name, held| {
            let key = name.to_string();
            if key.ends_with(LORA_A) || key.ends_with(LORA_B) {
                return;
            }
            if matches!(held, Held::Matrix(Weight::Quantised(_), _)) {
                refused = Some(quantised(&key));
            }
            let shape = self.shape(&key, &held);
            tensors.push((key, Stored { held, shape, dtype }));
        });
        match refused {
            Some(error) => Err(error),
            None => write(path, tensors),
        }
    }

    /// Sides of a parameter in the checkpoint's files; those of the layer where it is in none.
    fn shape(&self, key: &str, held: &Held<'_>) -> Vec<usize> {
        match self.weights().find(&published(key)) {
            Some((_, _, entry)) if entry.shape.iter().product::<usize>() == held.len() => entry.shape,
            _ => match held {
                Held::Matrix(_, shape) => shape.to_vec(),
                Held::Vector(tensor) => tensor.dims().to_vec(),
            },
        }
    }

    /// Hands one parameter to `work`. The head of a tied model gives up its share of the token table meanwhile.
    fn with(&mut self, key: &str, mut work: impl FnMut(HeldMut<'_>) -> Result<()>) -> Result<()> {
        let tied = self.decoder.tied() && key.strip_suffix(".weight") == Some(&self.decoder.embed.key);
        if tied {
            if matches!(self.decoder.head.layer.weight(), Weight::Quantised(_)) {
                return Err(quantised(key));
            }
            self.decoder.head.layer.replace_weight(Weight::F32(Vec::new().into()));
        }
        let mut done = None;
        self.visit_mut(&mut |name, held| {
            if name.is(key) {
                done = Some(work(held));
            }
        });
        if tied {
            let table = self.decoder.embed.layer.weight().clone();
            self.decoder.head.layer.replace_weight(table);
        }
        done.unwrap_or_else(|| Err(absent(key)))
    }
}

fn absent(key: &str) -> ModelError {
    ModelError::Input(format!("the model has no parameter {key}; `parameters` lists them"))
}

fn quantised(key: &str) -> ModelError {
    ModelError::Input(format!(
        "{key} is held quantised; load the model without quantising to change or save it"
    ))
}

/// A parameter as a file holds it, made when it is written.
pub(crate) struct Stored<'a> {
    pub(crate) held: Held<'a>,
    pub(crate) shape: Vec<usize>,
    pub(crate) dtype: Dtype,
}

impl View for Stored<'_> {
    fn dtype(&self) -> FileDtype {
        match (self.dtype, &self.held) {
            (Dtype::Bf16, _) | (Dtype::Auto, Held::Matrix(Weight::Bf16(_), _)) => FileDtype::BF16,
            _ => FileDtype::F32,
        }
    }

    fn shape(&self) -> &[usize] {
        &self.shape
    }

    fn data(&self) -> Cow<'_, [u8]> {
        let (vector, matrix_f32, matrix_bf16);
        let values: &[f32] = match self.held {
            Held::Vector(tensor) => {
                vector = tensor.to_vec1::<f32>().expect("vectors are f32 in host memory");
                &vector
            }
            Held::Matrix(Weight::F32(data), _) => {
                matrix_f32 = data;
                matrix_f32
            }
            Held::Matrix(Weight::Bf16(data), _) => {
                if self.dtype() == FileDtype::BF16 {
                    return Cow::Owned(data.iter().flat_map(|v| v.to_le_bytes()).collect());
                }
                matrix_bf16 = data.iter().map(|v| v.to_f32()).collect::<Vec<_>>();
                &matrix_bf16
            }
            Held::Matrix(Weight::Quantised(_), _) => unreachable!("refused before writing"),
        };
        Cow::Owned(match self.dtype() {
            FileDtype::BF16 => {
                let mut rounded = vec![bf16::ZERO; values.len()];
                dots::round(simd::level(), values, &mut rounded);
                rounded.iter().flat_map(|v| v.to_le_bytes()).collect()
            }
            _ => values.iter().flat_map(|v| v.to_le_bytes()).collect(),
        })
    }

    fn data_len(&self) -> usize {
        self.held.len() * if self.dtype() == FileDtype::BF16 { 2 } else { 4 }
    }
}

/// Writes tensors beside `path`, waits for the disk, and renames.
pub(crate) fn write<V: View>(path: &Path, tensors: Vec<(String, V)>) -> Result<()> {
    let metadata = [("format".to_owned(), "pt".to_owned())].into();
    renamed(path, |draft| {
        safetensors::serialize_to_file(tensors, Some(metadata), draft).map_err(|error| match error {
            SafeTensorError::IoError(error) => {
                let text = format!("writing {}: {error}", path.display());
                ModelError::Io(std::io::Error::new(error.kind(), text))
            }
            error => ModelError::Damaged { file: path.to_owned(), reason: error.to_string() },
        })
    })
}

/// Writes bytes beside `path`, waits for the disk, and renames.
pub(crate) fn replace(path: &Path, bytes: &[u8]) -> Result<()> {
    renamed(path, |draft| Ok(fs_err::write(draft, bytes)?))
}

fn renamed(path: &Path, write: impl FnOnce(&Path) -> Result<()>) -> Result<()> {
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let draft = folder.join(format!(".{name}.{}.part", std::process::id()));
    let written = write(&draft)
        .and_then(|()| Ok(fs_err::File::open(&draft)?.sync_all()?))
        .and_then(|()| Ok(fs_err::rename(&draft, path)?));
    if written.is_err() {
        // A draft that cannot be removed either is the smaller trouble.
        let _ = fs_err::remove_file(&draft);
    }
    written?;
    #[cfg(unix)]
    fs_err::File::open(folder)?.sync_all()?;
    Ok(())
}
