//! When, whose and how long every record is, 24 bytes each, in blocks of 1024 ids that stay in memory (24 MB for a million
//! records). Searches ask here whether a record is in scope; the database is asked only for what is shown.

use std::collections::{BTreeMap, HashMap};

use firsthand_base::Moment;
use rusqlite::Connection;

use crate::{Glance, Level, RecordId, Scope, State};

/// Ids of a block: the low bits of an id.
pub(super) const BLOCK: usize = 1024;
const ROW_BYTES: usize = 24;
/// The level of an id without a record.
const EMPTY: u8 = 0;
const HAS_VECTOR: u8 = 0x80;

/// The block of an id, and its place there.
pub(super) fn place(id: RecordId) -> (i64, usize) {
    (id.0 / BLOCK as i64, (id.0 % BLOCK as i64) as usize)
}

/// The id at a place.
pub(super) fn id_at(block: i64, offset: usize) -> RecordId {
    RecordId(block * BLOCK as i64 + offset as i64)
}

/// What is known of one record without looking it up.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Row {
    pub(super) start_ms: i64,
    pub(super) end_ms: i64,
    pub(super) wearer: u16,
    /// One more than the rank; 0 where there is no record.
    pub(super) level: u8,
    /// The state, and whether there is a vector.
    flags: u8,
    /// Terms of its words.
    pub(super) length: u32,
}

impl Row {
    pub(super) fn new(
        level: Level,
        wearer: u16,
        start: Moment,
        end: Moment,
        state: State,
        length: u32,
    ) -> Row {
        let level = level.rank() as u8 + 1;
        Row { start_ms: start.ms(), end_ms: end.ms(), wearer, level, flags: state as u8, length }
    }

    pub(super) fn exists(&self) -> bool {
        self.level != EMPTY
    }

    pub(super) fn level(&self) -> Option<Level> {
        usize::from(self.level).checked_sub(1).and_then(Level::from_rank)
    }

    pub(super) fn is_open(&self) -> bool {
        self.flags & !HAS_VECTOR == State::Open as u8
    }

    pub(super) fn has_vector(&self) -> bool {
        self.flags & HAS_VECTOR != 0
    }

    pub(super) fn set_vector(&mut self, has: bool) {
        self.flags = self.flags & !HAS_VECTOR | if has { HAS_VECTOR } else { 0 };
    }

    pub(super) fn set_state(&mut self, state: State) {
        self.flags = self.flags & HAS_VECTOR | state as u8;
    }

    fn to_bytes(self) -> [u8; ROW_BYTES] {
        let mut bytes = [0; ROW_BYTES];
        bytes[..8].copy_from_slice(&self.start_ms.to_le_bytes());
        bytes[8..16].copy_from_slice(&self.end_ms.to_le_bytes());
        bytes[16..18].copy_from_slice(&self.wearer.to_le_bytes());
        bytes[18] = self.level;
        bytes[19] = self.flags;
        bytes[20..].copy_from_slice(&self.length.to_le_bytes());
        bytes
    }

    fn from_bytes(bytes: &[u8]) -> Row {
        let long = |at: usize| i64::from_le_bytes(std::array::from_fn(|i| bytes[at + i]));
        Row {
            start_ms: long(0),
            end_ms: long(8),
            wearer: u16::from_le_bytes([bytes[16], bytes[17]]),
            level: bytes[18],
            flags: bytes[19],
            length: u32::from_le_bytes([bytes[20], bytes[21], bytes[22], bytes[23]]),
        }
    }
}

/// 1024 rows and what bounds them.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Block {
    /// The write that last changed it.
    pub(super) version: i64,
    pub(super) rows: Vec<Row>,
    /// Records in it, and the sum of their lengths.
    pub(super) records: u64,
    pub(super) total_length: u64,
    first_start_ms: i64,
    first_end_ms: i64,
    last_end_ms: i64,
    /// Levels and wearers (modulo 64) present.
    levels: u8,
    wearers: u64,
}

impl Block {
    pub(super) fn new(version: i64, rows: Vec<Row>) -> Block {
        let mut block = Block {
            version,
            rows,
            records: 0,
            total_length: 0,
            first_start_ms: i64::MAX,
            first_end_ms: i64::MAX,
            last_end_ms: i64::MIN,
            levels: 0,
            wearers: 0,
        };
        for row in block.rows.iter().filter(|row| row.exists()) {
            block.records += 1;
            block.total_length += u64::from(row.length);
            block.first_start_ms = block.first_start_ms.min(row.start_ms);
            block.first_end_ms = block.first_end_ms.min(row.end_ms);
            block.last_end_ms = block.last_end_ms.max(row.end_ms);
            block.levels |= 1 << (row.level & 7);
            block.wearers |= 1 << (row.wearer % 64);
        }
        block
    }

    pub(super) fn empty() -> Block {
        Block::new(0, vec![Row::default(); BLOCK])
    }

    /// Reads the stored form; `None` if it is damaged.
    pub(super) fn from_bytes(version: i64, bytes: &[u8]) -> Option<Block> {
        (bytes.len() == BLOCK * ROW_BYTES)
            .then(|| Block::new(version, bytes.chunks_exact(ROW_BYTES).map(Row::from_bytes).collect()))
    }

    pub(super) fn to_bytes(&self) -> Vec<u8> {
        self.rows.iter().flat_map(|row| row.to_bytes()).collect()
    }

    /// Whether every record of the block had ended by a clock.
    pub(super) fn all_ended_by(&self, clock_ms: i64) -> bool {
        self.last_end_ms <= clock_ms
    }
}

/// A scope in terms of rows.
#[derive(Clone, Debug)]
pub(super) struct Filter {
    level: Option<u8>,
    wearer: Option<u16>,
    from_ms: i64,
    to_ms: i64,
    ended_by_ms: i64,
}

impl Filter {
    pub(super) fn holds(&self, row: &Row) -> bool {
        row.exists()
            && self.level.is_none_or(|level| level == row.level)
            && self.wearer.is_none_or(|wearer| wearer == row.wearer)
            && (row.end_ms > self.from_ms || row.start_ms >= self.from_ms)
            && row.start_ms < self.to_ms
            && row.end_ms <= self.ended_by_ms
    }

    /// Whether a record of the block may be in scope.
    pub(super) fn may_hold(&self, block: &Block) -> bool {
        block.records > 0
            && self.level.is_none_or(|level| block.levels & (1 << (level & 7)) != 0)
            && self.wearer.is_none_or(|wearer| block.wearers & (1 << (wearer % 64)) != 0)
            && block.last_end_ms >= self.from_ms
            && block.first_start_ms < self.to_ms
            && block.first_end_ms <= self.ended_by_ms
    }
}

/// All blocks, and the names of wearers.
#[derive(Default)]
pub(super) struct Blocks {
    pub(super) blocks: BTreeMap<i64, Block>,
    pub(super) wearers: HashMap<u16, String>,
    /// The last write that is known here.
    version: i64,
    /// SQLite's own counter of other connections' commits at the last look.
    data_version: Option<i64>,
}

impl Blocks {
    /// Takes in what changed since the last look. Call inside the transaction that reads. With `anyway`, also when no
    /// other connection has written.
    pub(super) fn refresh(&mut self, database: &Connection, anyway: bool) -> rusqlite::Result<()> {
        let data_version: i64 =
            database.prepare_cached("PRAGMA data_version")?.query_row([], |row| row.get(0))?;
        if self.data_version == Some(data_version) && !anyway {
            return Ok(());
        }
        let mut changed =
            database.prepare_cached("SELECT block, version, data FROM blocks WHERE version > ?1")?;
        let mut rows = changed.query([self.version])?;
        let mut newest = self.version;
        while let Some(row) = rows.next()? {
            let (number, version): (i64, i64) = (row.get(0)?, row.get(1)?);
            let block = Block::from_bytes(version, row.get_ref(2)?.as_blob()?).ok_or_else(|| {
                rusqlite::Error::FromSqlConversionFailure(
                    2,
                    rusqlite::types::Type::Blob,
                    format!("block {number} is damaged; run memory check --repair").into(),
                )
            })?;
            newest = newest.max(version);
            self.blocks.insert(number, block);
        }
        self.version = newest;
        let mut names = database.prepare_cached("SELECT id, name FROM wearers")?;
        self.wearers =
            names.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?.collect::<rusqlite::Result<_>>()?;
        self.data_version = Some(data_version);
        Ok(())
    }

    /// Forgets everything known, so that the next look reads it all.
    pub(super) fn clear(&mut self) {
        *self = Blocks::default();
    }

    pub(super) fn wearer(&self, name: &str) -> Option<u16> {
        self.wearers.iter().find(|(_, known)| *known == name).map(|(id, _)| *id)
    }

    /// A scope in terms of rows; `None` if no record can be in it.
    pub(super) fn filter(&self, scope: &Scope) -> Option<Filter> {
        let wearer = match &scope.wearer {
            Some(name) => Some(self.wearer(name)?),
            None => None,
        };
        Some(Filter {
            level: scope.level.map(|level| level.rank() as u8 + 1),
            wearer,
            from_ms: scope.from.map_or(i64::MIN, Moment::ms),
            to_ms: scope.to.map_or(i64::MAX, Moment::ms),
            ended_by_ms: scope.ended_by.map_or(i64::MAX, Moment::ms),
        })
    }

    /// The rows of a scope with their ids, by id.
    pub(super) fn matching(&self, filter: &Filter) -> impl Iterator<Item = (RecordId, &Row)> {
        self.blocks
            .iter()
            .filter(|(_, block)| filter.may_hold(block))
            .flat_map(|(number, block)| {
                block.rows.iter().enumerate().map(|(offset, row)| (id_at(*number, offset), row))
            })
            .filter(|(_, row)| filter.holds(row))
    }

    /// What a record is about; `None` if there is none.
    pub(super) fn glance(&self, id: RecordId) -> Option<Glance> {
        if id.0 <= 0 {
            return None;
        }
        let (block, offset) = place(id);
        let row = self.blocks.get(&block)?.rows.get(offset)?;
        Some(Glance {
            id,
            level: row.level()?,
            start: Moment::from_ms(row.start_ms)?,
            end: Moment::from_ms(row.end_ms)?,
            wearer: row.wearer.into(),
        })
    }

    /// When the latest record ends.
    pub(super) fn last_end(&self) -> Option<Moment> {
        self.blocks
            .values()
            .filter(|block| block.records > 0)
            .filter_map(|b| Moment::from_ms(b.last_end_ms))
            .max()
    }

    /// Records that had ended by a clock, and the sum of their lengths.
    pub(super) fn totals(&self, clock_ms: i64) -> (u64, u64) {
        let mut sum = (0, 0);
        for block in self.blocks.values() {
            if block.all_ended_by(clock_ms) {
                sum = (sum.0 + block.records, sum.1 + block.total_length);
                continue;
            }
            for row in block.rows.iter().filter(|row| row.exists() && row.end_ms <= clock_ms) {
                sum = (sum.0 + 1, sum.1 + u64::from(row.length));
            }
        }
        sum
    }
}
