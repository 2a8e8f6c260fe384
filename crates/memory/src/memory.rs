//! The memory of a wearer's days: the one door for builders and askers, over whatever [`Store`] keeps the records.

use std::path::Path;

use crate::{Change, Embed, Error, Hit, Query, RecordId, Result, Store};

/// A memory. Made by [`Memory::create`] or [`Memory::open`] in a folder, or over any [`Store`].
pub struct Memory {
    store: Box<dyn Store>,
}

impl Memory {
    /// A new memory in a folder, which is made if it is missing and must be empty.
    pub fn create(folder: &Path) -> Result<Memory> {
        Err(Error::NotAMemory { path: folder.into(), reason: "stores are not built yet".into() })
    }

    /// The memory in a folder.
    pub fn open(folder: &Path) -> Result<Memory> {
        Err(Error::NotAMemory { path: folder.into(), reason: "stores are not built yet".into() })
    }

    /// A memory over another store.
    pub fn over(store: Box<dyn Store>) -> Memory {
        Memory { store }
    }

    /// The store below, for reading and for what needs no rule of this type.
    pub fn store(&mut self) -> &mut dyn Store {
        &mut *self.store
    }

    /// Writes in one transaction and gives the ids of the records put. Refuses records that cannot be
    /// ([`crate::Record::validate`]) and summaries that end before a source of theirs does: they would tell the future.
    /// A summary whose source is replaced by a record of other words, or deleted, is marked [`crate::State::Open`]
    /// unless the same write puts it.
    pub fn write(&mut self, changes: &[Change]) -> Result<Vec<RecordId>> {
        self.store.write(changes)
    }

    /// Gives a vector to every record that has none, `batch` texts at a time; `on_progress` hears how many are done and
    /// stops the work by returning `false`. Gives how many were made.
    pub fn embed_missing(
        &mut self,
        _embed: &mut dyn Embed,
        _batch: usize,
        _on_progress: &mut dyn FnMut(u64) -> bool,
    ) -> Result<u64> {
        Err(Error::Query("not built yet".into()))
    }

    /// What the memory knows about a question, best first. Nothing that ends after `query.clock` is in it.
    pub fn recall(&mut self, _query: &Query, _embed: Option<&mut dyn Embed>) -> Result<Vec<Hit>> {
        Err(Error::Query("not built yet".into()))
    }
}
