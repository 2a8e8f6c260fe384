//! The order of training: which rows make up any step, computed from a seed and the step's number alone, so that a
//! resumed run needs no replay and no saved state. Sources are mixed by weight; each shows all its rows before it
//! repeats one. It knows rows by number only.

use serde::{Deserialize, Serialize};

use super::dataset::Dataset;
use super::row::{Error, Result, RowId};

/// How rows are ordered.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct OrderOptions {
    /// Fixes the order.
    pub seed: u64,
    /// When given, one item of a batch is one set of media with up to this many rows about it, side by side, so that
    /// they share the work on the media. Otherwise an item is a row.
    pub group_by_media: Option<usize>,
}

/// The order of all rows of a dataset.
#[derive(Clone, Debug)]
pub struct Order {
    seed: u64,
    lanes: Vec<Lane>,
    /// Items of one epoch: the sum of the lanes' draws.
    items: u64,
}

/// One source within the order.
#[derive(Clone, Debug)]
struct Lane {
    /// Items of this source in an epoch of the mix.
    draws: u64,
    /// Rows by unit: a unit is what one item shows.
    units: Units,
}

/// What the items of one source are.
#[derive(Clone, Debug)]
enum Units {
    /// This many rows, each by itself.
    Rows(u64),
    /// Rows by the media they share, `most` of them at a time. `chunks[i]` is a group and where in its shuffled rows
    /// unit `i` begins.
    Groups { groups: Vec<Vec<u32>>, chunks: Vec<(u32, u32)>, most: usize },
}

impl Order {
    /// The order of a dataset's rows.
    pub fn new(dataset: &Dataset, options: &OrderOptions) -> Result<Order> {
        if options.group_by_media == Some(0) {
            let what = "group_by_media: 0; give the most rows per set of media, or leave it out".to_owned();
            return Err(Error::Source { name: "all".to_owned(), what });
        }
        let weights = dataset.weights();
        let units = (0..weights.len()).map(|source| {
            let groups = dataset.media_groups(source);
            Units::new(groups, options.group_by_media)
        });
        Ok(Order::mix(options.seed, &weights, units.collect()))
    }

    fn mix(seed: u64, weights: &[Option<f64>], units: Vec<Units>) -> Order {
        let total: u64 = units.iter().map(Units::count).sum();
        let draws = match weights.iter().copied().collect::<Option<Vec<f64>>>() {
            None => units.iter().map(Units::count).collect(),
            Some(weights) => share_out(total, &weights),
        };
        let lanes: Vec<Lane> =
            draws.into_iter().zip(units).map(|(draws, units)| Lane { draws, units }).collect();
        let items = lanes.iter().map(|lane| lane.draws).sum();
        Order { seed, lanes, items }
    }

    /// Items in one epoch of the mix. Without weights an epoch shows every row once.
    pub fn epoch_items(&self) -> u64 {
        self.items
    }

    /// Whether every row is sure to be among those of steps `first..end` of `size` items.
    pub fn shows_all(&self, first: u64, end: u64, size: usize) -> bool {
        // So many whole epochs show all rows of a source: one, unless weights make its share another than its size.
        let epochs = |lane: &Lane| match lane.units.count() {
            count if count == lane.draws => 1,
            // Any `2 count - 1` draws in a row have a whole pass among them.
            count => u128::from(2 * count - 1).div_ceil(u128::from(lane.draws)),
        };
        let needed = self.lanes.iter().map(epochs).max().unwrap_or(0);
        let item = |step: u64| u128::from(step) * size as u128;
        let items = u128::from(self.items);
        item(first).next_multiple_of(items) + needed * items <= item(end)
    }

    /// The rows of step `step` (counted from 0) at `size` items a step. Rows that share media stand side by side.
    pub fn batch(&self, step: u64, size: usize) -> Vec<RowId> {
        let first = u128::from(step) * size as u128;
        let items = u128::from(self.items);
        let mut rows = Vec::with_capacity(size);
        for position in first..first + size as u128 {
            self.item((position / items) as u64, (position % items) as u64, &mut rows);
        }
        rows
    }

    /// The rows of one item of an epoch.
    fn item(&self, epoch: u64, position: u64, rows: &mut Vec<RowId>) {
        let (source, rank) = self.draw(epoch, position);
        let lane = &self.lanes[source];
        let nth = u128::from(epoch) * u128::from(lane.draws) + u128::from(rank);
        let count = u128::from(lane.units.count());
        let (pass, place) = ((nth / count) as u64, (nth % count) as u64);
        let key = hash(&[self.seed, 1, source as u64, pass]);
        let unit = permute(key, lane.units.count(), place);
        lane.units.rows(key, unit, &mut |index| rows.push(RowId { source, index }));
    }

    /// Which source is drawn at a position of an epoch, and how many times it was drawn before in that epoch.
    ///
    /// Draw `j` of a source with `k` draws stands at time `(j + noise) / k`, so every source is spread evenly; the
    /// position counts draws of all sources by time. Times are 64-bit fractions, equal ones ordered by source.
    fn draw(&self, epoch: u64, position: u64) -> (usize, u64) {
        let keys: Vec<u64> =
            (0..self.lanes.len()).map(|source| hash(&[self.seed, 2, source as u64, epoch])).collect();
        // Draws of a source at or before a time: `j * 2^64 + noise < (time + 1) * k` counts draw j.
        let until = |source: usize, time: u64| {
            let reach = (u128::from(time) + 1) * u128::from(self.lanes[source].draws);
            let (whole, rest) = ((reach >> 64) as u64, reach as u64);
            whole + u64::from(noise(keys[source], whole) < rest)
        };
        let counted = |time: u64| (0..keys.len()).map(|source| until(source, time)).sum::<u64>();
        // The earliest time by which more than `position` draws have come.
        let (mut low, mut high) = (0u64, u64::MAX);
        while low < high {
            let middle = low + (high - low) / 2;
            if counted(middle) > position {
                high = middle;
            } else {
                low = middle + 1;
            }
        }
        let before = |source: usize| if low == 0 { 0 } else { until(source, low - 1) };
        let mut seen: u64 = (0..keys.len()).map(before).sum();
        for source in 0..keys.len() {
            let (first, last) = (before(source), until(source, low));
            if position < seen + (last - first) {
                return (source, first + (position - seen));
            }
            seen += last - first;
        }
        unreachable!("more than {position} draws were counted by this time");
    }
}

impl Units {
    /// `media[row]` numbers the media of a row; rows with equal numbers share them.
    fn new(media: &[u32], most: Option<usize>) -> Units {
        let Some(most) = most else { return Units::Rows(media.len() as u64) };
        let mut groups: Vec<Vec<u32>> = Vec::new();
        for (row, &group) in media.iter().enumerate() {
            if groups.len() <= group as usize {
                groups.resize(group as usize + 1, Vec::new());
            }
            groups[group as usize].push(row as u32);
        }
        groups.retain(|rows| !rows.is_empty());
        let starts = |(group, rows): (usize, &Vec<u32>)| {
            (0..rows.len()).step_by(most).map(move |start| (group as u32, start as u32)).collect::<Vec<_>>()
        };
        let chunks = groups.iter().enumerate().flat_map(starts).collect();
        Units::Groups { groups, chunks, most }
    }

    fn count(&self) -> u64 {
        match self {
            Units::Rows(count) => *count,
            Units::Groups { chunks, .. } => chunks.len() as u64,
        }
    }

    /// The rows of a unit in the pass whose key is given; which rows of a group come together differs by pass.
    fn rows(&self, key: u64, unit: u64, push: &mut dyn FnMut(usize)) {
        let Units::Groups { groups, chunks, most } = self else { return push(unit as usize) };
        let (group, start) = chunks[unit as usize];
        let rows = &groups[group as usize];
        let key = hash(&[key, u64::from(group)]);
        for place in start as usize..rows.len().min(start as usize + most) {
            push(rows[permute(key, rows.len() as u64, place as u64) as usize] as usize);
        }
    }
}

/// `total` items shared out by weight, the rest to the largest remainders, at least one to each.
fn share_out(total: u64, weights: &[f64]) -> Vec<u64> {
    let sum: f64 = weights.iter().sum();
    let exact: Vec<f64> = weights.iter().map(|weight| weight / sum * total as f64).collect();
    let mut shares: Vec<u64> = exact.iter().map(|share| (share.floor() as u64).max(1)).collect();
    let mut by_rest: Vec<usize> = (0..weights.len()).collect();
    by_rest.sort_by(|&a, &b| exact[b].fract().total_cmp(&exact[a].fract()).then(a.cmp(&b)));
    let missing = total.saturating_sub(shares.iter().sum());
    for &source in by_rest.iter().cycle().take(missing as usize) {
        shares[source] += 1;
    }
    shares
}

/// The finaliser of splitmix64 (Steele, Lea, Flood 2014): every output bit depends on every input bit.
fn mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

fn hash(words: &[u64]) -> u64 {
    words.iter().fold(0x6a09_e667_f3bc_c908, |state, &word| mix(state.rotate_left(23) ^ mix(word ^ state)))
}

fn noise(key: u64, counter: u64) -> u64 {
    mix(key ^ mix(counter.wrapping_add(0x9e37_79b9_7f4a_7c15)))
}

/// Where a keyed permutation of `0..count` sends `place`: a Feistel network of four rounds over the next even number
/// of bits, walked until it lands inside. Needs no table, so any place of any pass costs the same.
fn permute(key: u64, count: u64, place: u64) -> u64 {
    let half = (u64::BITS - (count - 1).leading_zeros()).div_ceil(2).max(1);
    let mask = (1u64 << half) - 1;
    let mut value = place;
    loop {
        let (mut left, mut right) = (value >> half, value & mask);
        for round in 0..4 {
            (left, right) = (right, left ^ (noise(key.wrapping_add(round), right) & mask));
        }
        value = left << half | right;
        if value < count {
            return value;
        }
    }
}

#[cfg(test)]
#[path = "order_tests.rs"]
mod tests;
