//! The map from tensor names to files, for one file or many. Opens every shard once; reads no weights.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

use firsthand_base::json;
use safetensors::tensor::Dtype;
use serde::Deserialize;

use super::file::{Entry, WeightFile};
use super::names::spellings;
use crate::error::{ModelError, Result};

/// The weight files of one checkpoint.
pub struct Weights {
    /// The checkpoint directory.
    pub dir: PathBuf,
    files: Vec<WeightFile>,
    /// Name in the file -> file.
    holder: HashMap<String, usize>,
}

/// `model.safetensors.index.json`.
#[derive(Deserialize)]
struct Index {
    weight_map: BTreeMap<String, String>,
}

impl Weights {
    /// Maps the weight files of a checkpoint directory.
    pub fn open(dir: &Path) -> Result<Weights> {
        let single = dir.join("model.safetensors");
        let index_path = dir.join("model.safetensors.index.json");
        let files = if single.exists() {
            vec![WeightFile::open(&single)?]
        } else if index_path.exists() {
            open_shards(dir, &index_path)?
        } else {
            return Err(ModelError::NoWeights(dir.to_owned()));
        };
        let mut holder = HashMap::new();
        for (at, file) in files.iter().enumerate() {
            for name in file.metadata.offset_keys() {
                holder.insert(name, at);
            }
        }
        Ok(Weights { dir: dir.to_owned(), files, holder })
    }

    /// The spelling, file and entry of a tensor, by its published name.
    pub fn find(&self, published: &str) -> Option<(String, &WeightFile, Entry)> {
        spellings(published).into_iter().find_map(|name| {
            let file = &self.files[*self.holder.get(&name)?];
            let entry = file.entry(&name)?;
            Some((name, file, entry))
        })
    }

    /// As [`Weights::find`], refusing an absent tensor, another shape and unreadable number types.
    pub fn expect(&self, published: &str, shape: &[usize]) -> Result<(String, &WeightFile, Entry)> {
        let Some((name, file, entry)) = self.find(published) else {
            return Err(ModelError::TensorMissing {
                name: published.to_owned(),
                dir: self.dir.clone(),
                remedy: match published {
                    "lm_head.weight" => {
                        "download every shard, or set tie_word_embeddings if the head is the embedding"
                    }
                    _ => "download every shard of this checkpoint and check config.json is of the same one",
                },
            });
        };
        if entry.shape != shape {
            let (expected, got) = (shape.to_vec(), entry.shape);
            return Err(ModelError::Shape { name, file: file.path.clone(), expected, got });
        }
        if !matches!(entry.dtype, Dtype::F32 | Dtype::BF16 | Dtype::F16) {
            let got = format!("{:?}", entry.dtype);
            return Err(ModelError::Dtype { name, file: file.path.clone(), got });
        }
        Ok((name, file, entry))
    }

    /// Every tensor: its spelling, file and entry, ordered by file and then by offset.
    pub fn tensors(&self) -> impl Iterator<Item = (String, &WeightFile, Entry)> {
        self.files.iter().flat_map(|file| {
            file.metadata
                .offset_keys()
                .into_iter()
                .filter_map(move |name| file.entry(&name).map(|entry| (name, file, entry)))
        })
    }

    /// The files, in the order of their names.
    pub fn files(&self) -> &[WeightFile] {
        &self.files
    }
}

/// Maps every file the index names, and checks that each holds what the index says.
fn open_shards(dir: &Path, index_path: &Path) -> Result<Vec<WeightFile>> {
    let damaged = |reason: String| ModelError::Damaged { file: index_path.to_owned(), reason };
    let bytes = fs_err::read(index_path)?;
    let index: Index = json::read_object(&bytes).map_err(|what| damaged(what.to_string()))?;
    let mut shards: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (name, shard) in &index.weight_map {
        // A shard is a plain file beside the index; anything else could leave the checkpoint directory.
        if Path::new(shard).file_name() != Some(shard.as_ref()) {
            return Err(damaged(format!("shard {shard:?} is not a file name")));
        }
        shards.entry(shard).or_default().push(name);
    }
    let mut files = Vec::with_capacity(shards.len());
    for (shard, names) in shards {
        let path = dir.join(shard);
        if !path.exists() {
            return Err(ModelError::ShardMissing { shard: path, index: index_path.to_owned() });
        }
        let file = WeightFile::open(&path)?;
        if let Some(name) = names.into_iter().find(|name| file.metadata.info(name).is_none()) {
            return Err(ModelError::Damaged {
                reason: format!("it lacks {name}, which {} places in it", index_path.display()),
                file: path,
            });
        }
        files.push(file);
    }
    Ok(files)
}
