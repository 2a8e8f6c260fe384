//! Vision features of a frozen tower, each medium encoded once. In memory up to a budget; beyond it each in a file
//! of its own below the run's folder, which belongs to one set of tower weights and is removed with the phase.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use candle_core::{Device, Tensor};
use firsthand_base::Digest;

use crate::error::Result;
use crate::optimizer::with_slice;

/// Features by the key of the vision item.
pub struct Features {
    folder: PathBuf,
    memory: HashMap<Digest, Tensor>,
    /// Sides of those on disk.
    disk: HashMap<Digest, [usize; 2]>,
    budget_bytes: u64,
    used_bytes: u64,
}

impl Features {
    /// Nothing known yet. What another run left in `folder` is removed: it may be of other weights.
    pub fn new(folder: &Path, budget_bytes: u64) -> Result<Features> {
        if folder.exists() {
            fs_err::remove_dir_all(folder)?;
        }
        let folder = folder.to_owned();
        Ok(Features { folder, memory: HashMap::new(), disk: HashMap::new(), budget_bytes, used_bytes: 0 })
    }

    /// Whether features are known.
    pub fn has(&self, key: &Digest) -> bool {
        self.memory.contains_key(key) || self.disk.contains_key(key)
    }

    /// Keeps the features `[n, width]` of an item.
    pub fn keep(&mut self, key: Digest, features: Tensor) -> Result<()> {
        let bytes = 4 * features.elem_count() as u64;
        if self.used_bytes + bytes <= self.budget_bytes {
            self.used_bytes += bytes;
            self.memory.insert(key, features);
            return Ok(());
        }
        fs_err::create_dir_all(&self.folder)?;
        let bytes =
            with_slice(&features, |values| values.iter().flat_map(|v| v.to_le_bytes()).collect::<Vec<u8>>())?;
        fs_err::write(self.file(&key), bytes)?;
        self.disk.insert(key, features.dims2()?.into());
        Ok(())
    }

    /// The features of an item; `None` if they are not known.
    pub fn get(&self, key: &Digest) -> Result<Option<Tensor>> {
        if let Some(features) = self.memory.get(key) {
            return Ok(Some(features.clone()));
        }
        let Some(shape) = self.disk.get(key) else { return Ok(None) };
        let bytes = fs_err::read(self.file(key))?;
        let values: Vec<f32> =
            bytes.chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect();
        Ok(Some(Tensor::from_vec(values, shape.as_slice(), &Device::Cpu)?))
    }

    fn file(&self, key: &Digest) -> PathBuf {
        self.folder.join(format!("{key}.f32"))
    }
}

impl Drop for Features {
    fn drop(&mut self) {
        // Left over files are removed by the next run.
        let _ = fs_err::remove_dir_all(&self.folder);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn features_return_from_memory_and_from_disk() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path().join("features");
        let mut features = Features::new(&folder, 4 * 24).unwrap();
        let make =
            |i: u8| Tensor::arange(f32::from(i), f32::from(i) + 12.0, &Device::Cpu).unwrap().reshape((3, 4));
        for i in 0..4u8 {
            features.keep(Digest([i; 32]), make(i).unwrap()).unwrap();
        }
        assert_eq!(fs_err::read_dir(&folder).unwrap().count(), 2, "two fit in memory");
        for i in 0..4u8 {
            let back = features.get(&Digest([i; 32])).unwrap().unwrap();
            assert_eq!(back.to_vec2::<f32>().unwrap(), make(i).unwrap().to_vec2::<f32>().unwrap());
        }
        assert!(!features.has(&Digest([9; 32])) && features.get(&Digest([9; 32])).unwrap().is_none());
        drop(features);
        assert!(!folder.exists());
    }
}
