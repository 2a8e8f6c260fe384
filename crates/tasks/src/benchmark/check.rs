//! Whether a folder holds a benchmark: its files, how many items, what cannot be used and why, which media are
//! missing, and how the answers are distributed. Media are looked for, not opened.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::description::Benchmark;
use super::item::Gold;
use super::read::BadRow;
use super::rows::OpenTable;
use crate::Kind;
use crate::metric::statistics::Positions;

/// What a folder holds of a benchmark.
#[derive(Clone, Debug, Default)]
pub struct Check {
    /// Items that can be used.
    pub items: usize,
    /// Rows that the description leaves out.
    pub left_out: usize,
    /// What cannot be used, in the order of the files.
    pub bad: Vec<BadRow>,
    /// Items by type of answer.
    pub kinds: BTreeMap<Kind, usize>,
    /// Items by group and name.
    pub groups: BTreeMap<String, BTreeMap<String, usize>>,
    /// Where the right options stand.
    pub positions: Positions,
    /// Different media that items name.
    pub media: usize,
    /// Those that are not there.
    pub missing: Vec<String>,
    /// Independent groups of items.
    pub clusters: usize,
}

impl Check {
    /// Whether every row and every medium can be used, and there are some.
    pub fn is_whole(&self) -> bool {
        self.items > 0 && self.bad.is_empty() && self.missing.is_empty()
    }
}

impl Benchmark {
    /// Reads a folder through.
    pub fn check_folder(&self, dir: &Path, tables: Option<OpenTable<'_>>) -> Check {
        let mut check = Check::default();
        let (mut media, mut clusters) = (BTreeSet::new(), BTreeSet::new());
        let mut items = self.items(dir, tables);
        for item in &mut items {
            let item = match item {
                Ok(item) => item,
                Err(bad) => {
                    check.bad.push(bad);
                    continue;
                }
            };
            check.items += 1;
            *check.kinds.entry(item.kind).or_default() += 1;
            for (group, name) in item.groups {
                *check.groups.entry(group).or_default().entry(name).or_default() += 1;
            }
            if let Gold::Choice(right) = item.gold {
                check.positions.add(right, item.options.len());
            }
            let paths = item.media.into_iter().map(|medium| medium.path);
            media.extend(paths.filter(|path| !path.starts_with("data:")));
            clusters.insert(item.cluster);
        }
        check.left_out = items.left_out;
        (check.media, check.clusters) = (media.len(), clusters.len());
        check.missing = media.into_iter().filter(|path| !Path::new(path).exists()).collect();
        check
    }
}
