//! Who holds which block of the key-value cache: reference counts, and a table from content hash to block so that
//! sequences with a common beginning share blocks without copying. It never sees what a block contains; the chained
//! hash of `sequence.rs` stands for it.

use std::collections::{BTreeMap, HashMap};

use firsthand_base::Digest;

/// One physical block.
#[derive(Clone, Copy, Default)]
struct Block {
    /// Sequences whose table names it.
    references: u32,
    /// Content, once full and published.
    hash: Option<Digest>,
    /// Key in `idle` while published and unreferenced.
    idle_since: u64,
}

/// The table of all blocks. Each is in exactly one state: free, held (referenced), or idle (published, unreferenced,
/// ready to be found again or evicted, least recently released first).
pub(crate) struct Blocks {
    blocks: Vec<Block>,
    free: Vec<u32>,
    published: HashMap<Digest, u32>,
    idle: BTreeMap<u64, u32>,
    clock: u64,
}

impl Blocks {
    /// `count` free blocks.
    pub(crate) fn new(count: u32) -> Self {
        Blocks {
            blocks: vec![Block::default(); count as usize],
            free: (0..count).rev().collect(),
            published: HashMap::new(),
            idle: BTreeMap::new(),
            clock: 0,
        }
    }

    /// Blocks that [`Blocks::take`] can still give: free ones and idle ones.
    pub(crate) fn available(&self) -> usize {
        self.free.len() + self.idle.len()
    }

    /// Blocks whose content can be found by hash.
    pub(crate) fn published(&self) -> usize {
        self.published.len()
    }

    /// Whether a block of this content exists, and if so whether it is idle.
    pub(crate) fn find(&self, hash: &Digest) -> Option<bool> {
        self.published.get(hash).map(|&block| self.blocks[block as usize].references == 0)
    }

    /// Shares the block of this content, if there is one. Balance with [`Blocks::release`].
    pub(crate) fn share(&mut self, hash: &Digest) -> Option<u32> {
        let block = *self.published.get(hash)?;
        let entry = &mut self.blocks[block as usize];
        if entry.references == 0 {
            self.idle.remove(&entry.idle_since);
        }
        entry.references += 1;
        Some(block)
    }

    /// A block to write, evicting the longest idle one if none is free. Balance with [`Blocks::release`].
    pub(crate) fn take(&mut self) -> Option<u32> {
        let block = match self.free.pop() {
            Some(block) => block,
            None => {
                let (_, block) = self.idle.pop_first()?;
                let hash = self.blocks[block as usize].hash.take().expect("idle blocks are published");
                self.published.remove(&hash);
                block
            }
        };
        self.blocks[block as usize].references = 1;
        Some(block)
    }

    /// Makes a held, fully written block findable. When another block has this content already, that one stays the
    /// one to find and this one stays private to its holder.
    pub(crate) fn publish(&mut self, block: u32, hash: Digest) {
        let entry = &mut self.blocks[block as usize];
        assert!(entry.references == 1 && entry.hash.is_none(), "block {block} is not its writer's alone");
        if let std::collections::hash_map::Entry::Vacant(vacant) = self.published.entry(hash) {
            vacant.insert(block);
            entry.hash = Some(hash);
        }
    }

    /// Gives back the blocks of one table. The last block goes first, so that eviction shortens a cached prefix
    /// from its end and never leaves an unreachable rest.
    pub(crate) fn release(&mut self, table: &mut Vec<u32>) {
        while let Some(block) = table.pop() {
            let entry = &mut self.blocks[block as usize];
            entry.references = entry.references.checked_sub(1).expect("a held block has a reference");
            if entry.references > 0 {
                continue;
            }
            if entry.hash.is_some() {
                self.clock += 1;
                entry.idle_since = self.clock;
                self.idle.insert(self.clock, block);
            } else {
                self.free.push(block);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use proptest::prelude::*;

    use super::*;

    impl Blocks {
        /// Every block is in one state, counted once, and the tables name each held block as often as it says.
        pub(crate) fn check<'a>(&self, tables: impl Iterator<Item = &'a Vec<u32>>) {
            let mut named = vec![0; self.blocks.len()];
            tables.flatten().for_each(|&block| named[block as usize] += 1);
            let free: HashSet<u32> = self.free.iter().copied().collect();
            let idle: HashSet<u32> = self.idle.values().copied().collect();
            assert_eq!(free.len() + idle.len(), self.available(), "a block is listed twice");
            for (i, block) in self.blocks.iter().enumerate() {
                let id = i as u32;
                assert_eq!(block.references, named[i], "references of block {i}");
                let states = [block.references > 0, free.contains(&id), idle.contains(&id)];
                assert_eq!(states.iter().filter(|&&s| s).count(), 1, "block {i}: {states:?}");
                assert!(!free.contains(&id) || block.hash.is_none(), "free block {i} is published");
                if let Some(hash) = block.hash {
                    assert_eq!(self.published.get(&hash), Some(&id));
                }
            }
            assert_eq!(self.published.len(), self.blocks.iter().filter(|b| b.hash.is_some()).count());
        }
    }

    fn hash(path: &[u8]) -> Digest {
        Digest(*blake3::hash(path).as_bytes())
    }

    #[derive(Clone, Debug)]
    enum Step {
        Start(Vec<u8>),
        Grow(usize, u8),
        Stop(usize),
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            2 => proptest::collection::vec(0..2u8, 1..6).prop_map(Step::Start),
            3 => (any::<usize>(), 0..2u8).prop_map(|(i, token)| Step::Grow(i, token)),
            2 => any::<usize>().prop_map(Step::Stop),
        ]
    }

    /// A sequence of one-token blocks: its tokens and its table.
    struct Mate {
        path: Vec<u8>,
        table: Vec<u32>,
    }

    fn grow(blocks: &mut Blocks, contents: &mut [Vec<u8>], mate: &mut Mate, token: u8) {
        let mut path = mate.path.clone();
        path.push(token);
        let block = match blocks.share(&hash(&path)) {
            Some(block) => block,
            None => {
                let Some(block) = blocks.take() else { return };
                contents[block as usize] = path.clone();
                blocks.publish(block, hash(&path));
                block
            }
        };
        mate.table.push(block);
        mate.path = path;
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(256))]

        /// Against a model that remembers what was written where: a shared block always holds the sharer's own
        /// prefix, nothing leaks, nothing is handed out twice.
        #[test]
        fn tables_always_name_their_own_content(count in 1..12u32, steps in proptest::collection::vec(step(), 1..80)) {
            let mut blocks = Blocks::new(count);
            let mut contents = vec![Vec::new(); count as usize];
            let mut mates: Vec<Mate> = Vec::new();
            for step in steps {
                match step {
                    Step::Start(path) => {
                        let mut mate = Mate { path: Vec::new(), table: Vec::new() };
                        path.into_iter().for_each(|token| grow(&mut blocks, &mut contents, &mut mate, token));
                        mates.push(mate);
                    }
                    Step::Grow(i, token) if !mates.is_empty() => {
                        let i = i % mates.len();
                        grow(&mut blocks, &mut contents, &mut mates[i], token);
                    }
                    Step::Stop(i) if !mates.is_empty() => {
                        let i = i % mates.len();
                        blocks.release(&mut mates.swap_remove(i).table);
                    }
                    _ => {}
                }
                blocks.check(mates.iter().map(|mate| &mate.table));
                for mate in &mates {
                    for (depth, &block) in mate.table.iter().enumerate() {
                        prop_assert_eq!(&contents[block as usize], &mate.path[..=depth]);
                    }
                }
            }
            mates.iter_mut().for_each(|mate| blocks.release(&mut mate.table));
            prop_assert_eq!(blocks.available(), count as usize);
        }
    }

    #[test]
    fn the_longest_idle_block_goes_first_and_a_prefix_is_eaten_from_its_end() {
        let mut blocks = Blocks::new(4);
        let mut contents = vec![Vec::new(); 4];
        let mut old = Mate { path: Vec::new(), table: Vec::new() };
        let mut new = Mate { path: Vec::new(), table: Vec::new() };
        [0, 0].into_iter().for_each(|token| grow(&mut blocks, &mut contents, &mut old, token));
        [1, 1].into_iter().for_each(|token| grow(&mut blocks, &mut contents, &mut new, token));
        blocks.release(&mut old.table);
        blocks.release(&mut new.table);
        let found = |blocks: &Blocks| {
            [&[0u8][..], &[0, 0], &[1], &[1, 1]].map(|path| blocks.find(&hash(path)).is_some())
        };
        assert_eq!(found(&blocks), [true; 4]);
        blocks.take().expect("one is idle");
        assert_eq!(found(&blocks), [true, false, true, true]);
        let mut shared = vec![blocks.share(&hash(&[0])).expect("still there")];
        blocks.take().expect("one is idle");
        assert_eq!(found(&blocks), [true, false, true, false], "what was just shared is not idle");
        blocks.take().expect("one is idle");
        assert_eq!(blocks.take(), None);
        blocks.release(&mut shared);
        assert!(blocks.take().is_some());
    }

    #[test]
    fn equal_content_written_twice_stays_private_the_second_time() {
        let mut blocks = Blocks::new(2);
        let (first, second) = (blocks.take().expect("free"), blocks.take().expect("free"));
        blocks.publish(first, hash(&[7]));
        blocks.publish(second, hash(&[7]));
        blocks.check([vec![first, second]].iter());
        blocks.release(&mut vec![second]);
        assert_eq!(blocks.find(&hash(&[7])), Some(false));
        assert_eq!(blocks.share(&hash(&[7])), Some(first));
    }
}
