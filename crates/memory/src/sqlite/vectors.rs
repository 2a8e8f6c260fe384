//! Vectors as one byte a number and one scale each: 388 bytes for 384 numbers, cosines within 0.002 of the exact ones. All
//! of them stay in memory after the first search (384 MB for a million) and are compared one by one, in whole numbers, so
//! that the order of hits does not depend on threads or instructions.

use std::collections::HashMap;

use pulp::Arch;
use rusqlite::Connection;

use super::blocks::{Block, id_at, place};

/// A vector of length one as bytes.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Quantized {
    /// What one step of a byte is worth.
    pub(super) scale: f32,
    pub(super) data: Vec<i8>,
}

impl Quantized {
    /// The direction of a vector; `None` for one without length or with numbers that are none.
    pub(super) fn new(vector: &[f32]) -> Option<Quantized> {
        let length = vector.iter().map(|x| f64::from(*x) * f64::from(*x)).sum::<f64>().sqrt();
        let largest = vector.iter().fold(0.0f32, |most, x| most.max(x.abs()));
        if !(length.is_finite() && length > 0.0 && largest > 0.0) {
            return None;
        }
        let data = vector.iter().map(|x| (x / largest * 127.0).round() as i8).collect();
        Some(Quantized { scale: (f64::from(largest) / 127.0 / length) as f32, data })
    }

    pub(super) fn to_bytes(&self) -> Vec<u8> {
        self.data.iter().map(|x| *x as u8).collect()
    }
}

/// The vectors of a block of ids.
#[derive(Default)]
pub(super) struct VectorBlock {
    version: i64,
    /// Place in the block and scale of each vector.
    pub(super) heads: Vec<(u16, f32)>,
    /// The vectors one after another.
    data: Vec<i8>,
}

impl VectorBlock {
    /// Shows offset and cosine of each vector that `wanted` accepts by its offset.
    pub(super) fn scan(
        &self,
        query: &Quantized,
        wanted: impl Fn(usize) -> bool,
        mut show: impl FnMut(usize, f32),
    ) {
        // One dispatch a block: the loop inside is compiled for the widest instructions of this machine.
        Arch::new().dispatch(|| {
            for ((offset, scale), vector) in self.heads.iter().zip(self.data.chunks_exact(query.data.len())) {
                if wanted(usize::from(*offset)) {
                    show(usize::from(*offset), dot(&query.data, vector) as f32 * query.scale * scale);
                }
            }
        });
    }
}

/// Sum of products, each at most 127 * 127: exact up to 133,000 numbers.
#[inline(always)]
fn dot(a: &[i8], b: &[i8]) -> i32 {
    a.iter().zip(b).map(|(x, y)| i32::from(i16::from(*x) * i16::from(*y))).sum()
}

/// The vectors in memory, block by block.
#[derive(Default)]
pub(super) struct Vectors {
    blocks: HashMap<i64, VectorBlock>,
}

impl Vectors {
    /// Reads again what is older than a block says. Call inside the transaction that reads.
    pub(super) fn refresh<'a>(
        &mut self,
        database: &Connection,
        dimensions: usize,
        blocks: impl Iterator<Item = (&'a i64, &'a Block)>,
    ) -> rusqlite::Result<()> {
        let mut read = database
            .prepare_cached("SELECT id, scale, data FROM vectors WHERE id BETWEEN ?1 AND ?2 ORDER BY id")?;
        for (number, block) in blocks {
            if self.blocks.get(number).is_some_and(|known| known.version == block.version) {
                continue;
            }
            let mut fresh = VectorBlock { version: block.version, ..VectorBlock::default() };
            if block.rows.iter().any(super::blocks::Row::has_vector) {
                let mut rows = read.query((id_at(*number, 0).0, id_at(*number + 1, 0).0 - 1))?;
                while let Some(row) = rows.next()? {
                    let bytes = row.get_ref(2)?.as_blob()?;
                    if bytes.len() != dimensions {
                        continue; // `memory check` reports it.
                    }
                    let (_, offset) = place(crate::RecordId(row.get(0)?));
                    fresh.heads.push((offset as u16, row.get::<_, f64>(1)? as f32));
                    fresh.data.extend(bytes.iter().map(|byte| *byte as i8));
                }
            }
            self.blocks.insert(*number, fresh);
        }
        Ok(())
    }

    pub(super) fn block(&self, number: i64) -> Option<&VectorBlock> {
        self.blocks.get(&number)
    }

    pub(super) fn clear(&mut self) {
        self.blocks.clear();
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_byte_a_number_keeps_cosines(
            a in proptest::collection::vec(-1.0f32..1.0, 384),
            b in proptest::collection::vec(-1.0f32..1.0, 384),
        ) {
            let exact = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(x, y)| x * y).sum::<f32>();
            let cosine = exact(&a, &b) / (exact(&a, &a) * exact(&b, &b)).sqrt();
            let (a, b) = (Quantized::new(&a).unwrap(), Quantized::new(&b).unwrap());
            let ours = dot(&a.data, &b.data) as f32 * a.scale * b.scale;
            prop_assert!((ours - cosine).abs() < 2e-3, "{} {}", ours, cosine);
            prop_assert!(a.to_bytes().iter().zip(&a.data).all(|(byte, x)| *byte as i8 == *x));
        }
    }

    #[test]
    fn what_has_no_direction_is_refused() {
        assert_eq!(Quantized::new(&[]), None);
        assert_eq!(Quantized::new(&[0.0, 0.0]), None);
        assert_eq!(Quantized::new(&[f32::NAN, 1.0]), None);
        assert_eq!(Quantized::new(&[f32::INFINITY, 1.0]), None);
    }
}
