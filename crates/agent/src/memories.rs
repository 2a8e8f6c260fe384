//! The memories that tools look into: one that several wearers share, or a folder of memories with a week of somebody in
//! each. A wearer is in one of them; who is in none is nobody.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use firsthand_base::Moment;
use firsthand_memory::Memory;

use crate::{Error, Result};

/// A memory that tools share.
pub type SharedMemory = Arc<Mutex<Memory>>;

/// Memories by wearer.
#[derive(Clone, Default)]
pub struct Memories {
    of: BTreeMap<String, SharedMemory>,
    records: u64,
    last: Option<Moment>,
}

impl Memories {
    /// Of one memory.
    pub fn one(memory: SharedMemory) -> Result<Memories> {
        let mut memories = Memories::default();
        memories.add(memory, Path::new("the memory"))?;
        Ok(memories)
    }

    /// Of a folder: the memory in it, or the memories in its folders, or in those of its folder `memories`.
    pub fn open(folder: &Path) -> Result<Memories> {
        let mut memories = Memories::default();
        let own = match Memory::open(folder) {
            Ok(memory) => {
                memories.add(Arc::new(Mutex::new(memory)), folder)?;
                return Ok(memories);
            }
            Err(firsthand_memory::Error::NotAMemory { reason, .. }) => reason,
            Err(error) => error.to_string(),
        };
        let inside = [folder.join("memories"), folder.to_owned()].into_iter().find(|path| path.is_dir());
        for path in inside.map(|path| folders(&path)).unwrap_or_default() {
            if let Ok(memory) = Memory::open(&path) {
                memories.add(Arc::new(Mutex::new(memory)), &path)?;
            }
        }
        match memories.of.is_empty() {
            true => Err(Error::File {
                path: folder.display().to_string(),
                reason: format!("no memory, nor a folder of them: {own}"),
                remedy: "name a folder that `firsthand remember` or `firsthand world memory` made",
            }),
            false => Ok(memories),
        }
    }

    fn add(&mut self, memory: SharedMemory, folder: &Path) -> Result<()> {
        let bad = |reason: String| Error::File {
            path: folder.display().to_string(),
            reason,
            remedy: "keep a wearer in one memory, and have `firsthand memory` check it",
        };
        let counts = memory.lock().unwrap_or_else(PoisonError::into_inner).store().counts();
        let counts = counts.map_err(|error| bad(error.to_string()))?;
        self.records += counts.records();
        self.last = self.last.max(counts.last);
        for wearer in counts.wearers.into_keys() {
            if self.of.insert(wearer.clone(), memory.clone()).is_some() {
                return Err(bad(format!("{wearer} is in another memory too")));
            }
        }
        Ok(())
    }

    /// The memory of a wearer, by the full name.
    pub fn of(&self, wearer: &str) -> Option<&SharedMemory> {
        self.of.get(wearer)
    }

    /// Everybody who is remembered.
    pub fn wearers(&self) -> impl Iterator<Item = &String> + Clone {
        self.of.keys()
    }

    /// The wearer that a name means: the name itself, or the only one whose short form (`A1` of `A1_JAKE`) is the short
    /// form of the name.
    pub fn named(&self, name: &str) -> Option<String> {
        wearer_named(self.wearers(), name)
    }

    /// How many records there are.
    pub fn records(&self) -> u64 {
        self.records
    }

    /// When the latest record ends.
    pub fn last(&self) -> Option<Moment> {
        self.last
    }

    /// Every memory once.
    pub fn each(&self) -> impl Iterator<Item = &SharedMemory> {
        let mut seen: Vec<*const Mutex<Memory>> = Vec::new();
        self.of.values().filter(move |memory| {
            let at = Arc::as_ptr(memory);
            let is_new = !seen.contains(&at);
            seen.push(at);
            is_new
        })
    }
}

/// The wearer that a name means among those known.
pub fn wearer_named<'a>(known: impl IntoIterator<Item = &'a String> + Clone, name: &str) -> Option<String> {
    let short = |name: &str| name.split('_').next().unwrap_or_default().to_owned();
    if let Some(exact) = known.clone().into_iter().find(|wearer| *wearer == name) {
        return Some(exact.clone());
    }
    let mut same = known.into_iter().filter(|wearer| short(wearer) == short(name));
    let first = same.next().cloned();
    first.filter(|_| same.next().is_none())
}

fn folders(path: &Path) -> Vec<PathBuf> {
    let entries = fs_err::read_dir(path).into_iter().flatten().flatten().map(|entry| entry.path());
    let is_place = |path: &PathBuf| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        path.is_dir() && !name.starts_with('.')
    };
    let mut found: Vec<PathBuf> = entries.filter(is_place).collect();
    found.sort();
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scripted_memory;

    #[test]
    fn a_memory_or_a_folder_of_them() {
        let folder = tempfile::tempdir().unwrap();
        let weeks = folder.path().join("memories");
        scripted_memory::make(&weeks.join("one"));
        fs_err::create_dir_all(weeks.join(".draft")).unwrap();
        fs_err::create_dir_all(weeks.join("other")).unwrap();
        for path in [weeks.join("one"), weeks.clone(), folder.path().to_owned()] {
            let memories = Memories::open(&path).unwrap();
            assert_eq!(memories.wearers().cloned().collect::<Vec<_>>(), ["A1_JAKE", "A2_ALICE"]);
            assert_eq!((memories.each().count(), memories.named("A2").as_deref()), (1, Some("A2_ALICE")));
            assert!(memories.of("A1_JAKE").is_some() && memories.of("A1").is_none());
            assert_eq!(memories.last().unwrap().to_string(), "DAY4_00000000");
        }
        for path in [weeks.join("other"), folder.path().join("nowhere")] {
            assert!(
                Memories::open(&path).err().unwrap().to_string().contains("no memory, nor a folder of them")
            );
        }
        // The same person in two memories would be two people.
        scripted_memory::make(&weeks.join("two"));
        assert!(Memories::open(&weeks).err().unwrap().to_string().contains("is in another memory too"));
    }
}
