//! Captions that were corrected: the old ones leave every level, the index, the vectors and the summaries, and it is proven
//! that no byte of them is left, as when something is forgotten. The new ones are remembered after that; unlike what is
//! forgotten, the recordings stay known.

use std::collections::{BTreeMap, BTreeSet};

use crate::proof::Texts;
use crate::{Change, Error, Level, Memory, Proof, Record, RecordId, Result};

/// The ids of clips on their way out, kept until the files are clean.
const REPLACING: &str = "build/replacing";

impl Memory {
    /// Takes clips out, so that others can be remembered in their place; `None` if there is nothing to do. Summaries that may
    /// have told of them are put together anew from what is left and wait for a model. After a kill the same call goes on,
    /// and proves what it still finds.
    pub fn replace_clips(&mut self, clips: &[Record]) -> Result<Option<Proof>> {
        let before = self.store.note(REPLACING)?;
        if clips.is_empty() && before.is_none() {
            return Ok(None);
        }
        // A killed call has counted some of them out already.
        let mut leaving: BTreeSet<RecordId> =
            before.and_then(|ids| serde_json::from_str(&ids).ok()).unwrap_or_default();
        let fresh = clips.iter().filter(|clip| leaving.insert(clip.id));
        let mut changes = crate::build::uncounted(&mut *self.store, fresh)?;
        let ids = serde_json::to_string(&leaving).map_err(|error| Error::Io(error.into()))?;
        changes.push(Change::Note { key: REPLACING.to_owned(), text: Some(ids) });
        self.store.write(&changes)?;
        let mut touched: BTreeMap<RecordId, Record> = BTreeMap::new();
        self.spread(clips, &mut touched)?;
        let mut texts = Texts::default();
        for record in clips.iter().chain(touched.values()) {
            // Whose they are and where they can be seen is no secret: the new ones say it too.
            texts.add(&Record { wearer: String::new(), evidence: Vec::new(), ..record.clone() });
        }
        self.take_out(clips, &touched)?;
        for level in Level::ALL {
            for record in touched.values().filter(|record| record.level == level) {
                self.rebuild(record)?;
            }
        }
        self.store.scrub()?;
        let proof = texts.prove(&mut *self.store, |record| leaving.contains(&record.id))?;
        self.store.write(&[Change::Note { key: REPLACING.to_owned(), text: None }])?;
        Ok(Some(proof))
    }
}
