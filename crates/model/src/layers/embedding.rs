//! Token ids to rows of a table. Quantised tables are the loader's to widen: a gather gains nothing from them.

use candle_core::{Result, Tensor};

use super::Weight;
use crate::backend::host::{self, Rows};

/// A table `[vocabulary, width]`; its elements may be shared with a tied head.
#[derive(Clone, Debug)]
pub struct Embedding {
    weight: Weight,
    vocabulary: usize,
    width: usize,
}

impl Embedding {
    /// An error if the table has another size or is quantised.
    pub fn new(weight: Weight, vocabulary: usize, width: usize) -> Result<Self> {
        let actual = match &weight {
            Weight::F32(data) => data.len(),
            Weight::Bf16(data) => data.len(),
            Weight::Quantised(_) => candle_core::bail!("a quantised embedding table: widen it when loading"),
        };
        if actual != vocabulary * width {
            candle_core::bail!("embedding of {actual} elements is not [{vocabulary}, {width}]");
        }
        Ok(Embedding { weight, vocabulary, width })
    }

    /// The table.
    pub fn weight(&self) -> &Weight {
        &self.weight
    }

    /// The table, to be changed within its size.
    pub fn weight_mut(&mut self) -> &mut Weight {
        &mut self.weight
    }

    /// Rows of the table: ids that may be asked for.
    pub fn vocabulary(&self) -> usize {
        self.vocabulary
    }

    /// Features of a row.
    pub fn width(&self) -> usize {
        self.width
    }

    /// `[n, width]`. An error for an id outside the table.
    pub fn forward(&self, ids: &[u32]) -> Result<Tensor> {
        let mut out = Vec::with_capacity(ids.len() * self.width);
        for &id in ids {
            if id as usize >= self.vocabulary {
                candle_core::bail!("token id outside the vocabulary of {}: {id}", self.vocabulary);
            }
            let range = id as usize * self.width..(id as usize + 1) * self.width;
            match &self.weight {
                Weight::F32(data) => out.extend_from_slice(&data[range]),
                Weight::Bf16(data) => out.extend(data[range].iter().map(|v| v.to_f32())),
                Weight::Quantised(_) => unreachable!("refused in new"),
            }
        }
        host::matrix(out, ids.len(), self.width)
    }

    /// Adds each row of `dy [n, width]` to its id's row of the gradient `[vocabulary, width]`.
    pub fn backward(&self, ids: &[u32], dy: &Tensor, grad: &mut Tensor) -> Result<()> {
        let dy = Rows::open(dy)?;
        assert_eq!((dy.shape.rows, dy.shape.cols), (ids.len(), self.width), "shape of dy");
        assert_eq!(grad.dims(), [self.vocabulary, self.width], "shape of the gradient");
        host::edit_dense(grad, |out| {
            for (i, &id) in ids.iter().enumerate() {
                let to = &mut out[id as usize * self.width..][..self.width];
                let from = &dy.data()[i * dy.shape.stride..][..self.width];
                to.iter_mut().zip(from).for_each(|(a, b)| *a += b);
            }
            Ok(())
        })
    }
}
