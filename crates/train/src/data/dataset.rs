//! All sources of a recipe: opened once to find and check every row, then read a row at a time. Between the two only
//! the places of rows are in memory, never their words or media.

use std::collections::{HashMap, HashSet};
use std::path::Path;

use firsthand_base::{Begun, Digest, Part, Report, Silent, Unit, json};

use super::config::SourceConfig;
use super::media::{Files, MediaRules};
use super::row::{BadRow, Error, Result, Row, RowId};
use super::source::Reader;
use super::store::{Found, Store};

/// The rows of all sources.
#[derive(Debug)]
pub struct Dataset {
    sources: Vec<Source>,
    skipped: Vec<BadRow>,
    digest: Digest,
}

/// One opened source.
#[derive(Debug)]
struct Source {
    config: SourceConfig,
    media: MediaRules,
    store: Store,
    /// Per usable row, a number that rows with the same media share.
    groups: Vec<u32>,
}

impl Dataset {
    /// Opens every source and reads every row once. Rows that cannot be used are left out and listed by
    /// [`Dataset::skipped`]; a source without a usable row is an error.
    pub fn open(configs: &[SourceConfig]) -> Result<Dataset> {
        Dataset::open_and_tell(configs, &Silent)
    }

    /// The same, and tells how far it is.
    pub fn open_and_tell(configs: &[SourceConfig], report: &dyn Report) -> Result<Dataset> {
        check_together(configs)?;
        let mut hasher = blake3::Hasher::new();
        let mut skipped = Vec::new();
        let sources = configs
            .iter()
            .map(|config| Source::open(config, &mut skipped, &mut hasher, report))
            .collect::<Result<_>>()?;
        Ok(Dataset { sources, skipped, digest: Digest(*hasher.finalize().as_bytes()) })
    }

    /// Usable rows of all sources.
    pub fn len(&self) -> usize {
        self.sources.iter().map(|source| source.groups.len()).sum()
    }

    /// Never true: a dataset without rows does not open.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Each source's name and its number of usable rows.
    pub fn sources(&self) -> impl Iterator<Item = (&str, usize)> {
        self.sources.iter().map(|source| (source.config.name.as_str(), source.groups.len()))
    }

    /// The rows that cannot be used, in the order of the files.
    pub fn skipped(&self) -> &[BadRow] {
        &self.skipped
    }

    /// BLAKE3 over the bytes of every usable row, in order: a resumed run compares it.
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// Reads one row. Panics when there is no such row.
    pub fn row(&self, id: RowId) -> Result<Row> {
        self.sources[id.source].row(id.index)
    }

    pub(super) fn weights(&self) -> Vec<Option<f64>> {
        self.sources.iter().map(|source| source.config.weight).collect()
    }

    /// Per usable row of a source, a number that rows with the same media share.
    pub(super) fn media_groups(&self, source: usize) -> &[u32] {
        &self.sources[source].groups
    }
}

/// What one source alone cannot show to be wrong.
fn check_together(configs: &[SourceConfig]) -> Result<()> {
    let refuse = |name: &str, what: &str| Err(Error::Source { name: name.to_owned(), what: what.to_owned() });
    if configs.is_empty() {
        return refuse("none", "there is nothing to learn from; give at least one source");
    }
    let mut names = HashSet::new();
    for config in configs {
        config.check()?;
        if !names.insert(&config.name) {
            return refuse(&config.name, "two sources have this name; give each its own");
        }
        if config.weight.is_some() != configs[0].weight.is_some() {
            return refuse(
                &config.name,
                "weight: some sources have one and some not; give it to all or to none",
            );
        }
    }
    Ok(())
}

impl Source {
    fn open(
        config: &SourceConfig,
        skipped: &mut Vec<BadRow>,
        hasher: &mut blake3::Hasher,
        report: &dyn Report,
    ) -> Result<Source> {
        let folder = if config.path.is_dir() { Some(&*config.path) } else { config.path.parent() };
        let media = MediaRules::new(config, folder.unwrap_or(Path::new(".")));
        let reader = Reader { config, media: &media };
        let mut intake = Intake::default();
        let (before, mut left_out, mut inside) = (skipped.len(), 0, None);
        let (what, unit) = (format!("reading {}", config.name), Unit::Things("rows"));
        let reading = Begun::new(report, &what, None, unit);
        let store = Store::open(config, &mut |found| {
            let Found { file, at, value } = found;
            reading.advance(1);
            if value.as_ref().is_ok_and(|(value, _)| !config.takes(value)) {
                left_out += 1;
                return false;
            }
            let taken = value.and_then(|(value, bytes)| {
                let read = reader.read(&value, file, at).and_then(|row| intake.take(&row));
                read.map_err(|reason| {
                    if skipped.len() == before && intake.groups.is_empty() {
                        inside = json::nested(bytes);
                    }
                    json::explain(bytes, at.line, "", reason)
                })?;
                hasher.update(bytes);
                Ok(())
            });
            let keep = taken.is_ok();
            if let Err(reason) = taken {
                skipped.push(BadRow { source_name: config.name.clone(), file: file.into(), at, reason });
            }
            keep
        })?;
        if intake.groups.is_empty() {
            let what = match skipped.get(before) {
                Some(first) => {
                    let count = skipped.len() - before;
                    let inside = inside.filter(|_| count == 1).map(|hint| format!("; {hint}"));
                    format!(
                        "none of {count} rows can be used; the first: {first}{}",
                        inside.unwrap_or_default()
                    )
                }
                None if left_out > 0 => {
                    format!("none of {left_out} rows is as `only` says; give values that the file has")
                }
                None => format!("{}: no rows", config.path.display()),
            };
            return Err(Error::Source { name: config.name.clone(), what });
        }
        Ok(Source { config: config.clone(), media, store, groups: intake.groups })
    }

    fn row(&self, index: usize) -> Result<Row> {
        let (file, at) = self.store.place(index);
        let reader = Reader { config: &self.config, media: &self.media };
        let row = self.store.value(index).and_then(|value| reader.read(&value, file, at));
        row.map_err(|reason| {
            // It could be read when the file was opened.
            let reason = format!("the file has changed since it was opened: {reason}");
            Error::Row(BadRow { source_name: self.config.name.clone(), file: file.into(), at, reason })
        })
    }
}

/// What is remembered of rows while a source is opened.
#[derive(Default)]
struct Intake {
    files: Files,
    groups: Vec<u32>,
    known: HashMap<u128, u32>,
    /// Groups so far.
    count: u32,
}

impl Intake {
    /// Accepts a row whose media are there.
    fn take(&mut self, row: &Row) -> Result<(), String> {
        self.files.check(&row.conversation)?;
        let mut hasher = blake3::Hasher::new();
        let mut shows = false;
        for part in row.conversation.parts().filter(|part| !matches!(part, Part::Text(_))) {
            hasher.update(format!("{part:?}").as_bytes());
            shows = true;
        }
        let next = self.count;
        // Rows of words alone share nothing.
        let group = if shows {
            let key =
                u128::from_le_bytes(hasher.finalize().as_bytes()[..16].try_into().expect("16 of 32 bytes"));
            *self.known.entry(key).or_insert(next)
        } else {
            next
        };
        self.count += u32::from(group == next);
        self.groups.push(group);
        Ok(())
    }
}
