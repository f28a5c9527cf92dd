//! A batch of samples, packed in the order in which the products read it.

use super::bf16::to_bf16;
use super::block::{STEP, Unit};
use super::panels::{Aligned, zeros};
use super::tiles::TILE;
use super::vectorised;
use crate::numbers::Real;

/// Samples of a batch. Both dimensions are padded with zeros, which do not affect any product.
pub(crate) struct Packed<R> {
    /// Number of samples.
    pub samples: usize,
    /// Number of samples with padding.
    pub padded: usize,
    /// Number of features with padding.
    pub depth: usize,
    pub values: Values<R>,
}

pub(crate) enum Values<R> {
    /// `[B / 8][D][8]`: both products read it in squares of 8 features by 8 samples.
    Full(Aligned<R>),
    /// bf16 `[B, D]`, and again transposed for the gradient, `[D, B]`.
    Half { rows: Aligned<u16>, columns: Aligned<u16> },
}

/// D, padded as the kernel requires.
pub(crate) fn padded_depth(dim: usize, unit: Option<Unit>) -> usize {
    dim.next_multiple_of(if unit.is_some() { STEP } else { TILE })
}

impl<R: Real> Packed<R> {
    /// An empty batch for samples of `dim` features.
    pub(crate) fn new(dim: usize, unit: Option<Unit>) -> Self {
        let values = if unit.is_some() {
            Values::Half { rows: zeros(0), columns: zeros(0) }
        } else {
            Values::Full(zeros(0))
        };
        Self { samples: 0, padded: 0, depth: padded_depth(dim, unit), values }
    }

    /// An empty batch in full precision, with memory for `samples` of `dim` features.
    pub(crate) fn with_room(dim: usize, samples: usize) -> Self {
        let empty = Self::new(dim, None);
        let mut values = zeros(0);
        values.reserve(samples.next_multiple_of(TILE) * empty.depth);
        Self { values: Values::Full(values), ..empty }
    }

    /// Packs the samples, each `[D]`.
    pub(crate) fn pack<'a>(&mut self, samples: impl ExactSizeIterator<Item = &'a [R]>) {
        self.samples = samples.len();
        let unit = if let Values::Full(_) = self.values { TILE } else { STEP };
        self.padded = self.samples.next_multiple_of(unit);
        let (padded, depth) = (self.padded, self.depth);
        match &mut self.values {
            Values::Full(values) => {
                renew(values, padded * depth);
                for (i, sample) in samples.enumerate() {
                    let eight = &mut values[i / TILE * TILE * depth..][..TILE * depth];
                    for (slot, &value) in eight.as_chunks_mut::<TILE>().0.iter_mut().zip(sample) {
                        slot[i % TILE] = value;
                    }
                }
            }
            Values::Half { rows, columns } => {
                renew(rows, padded * depth);
                renew(columns, padded * depth);
                for (i, sample) in samples.enumerate() {
                    halve(&mut rows[i * depth..][..sample.len()], sample);
                }
                transpose(columns, rows, depth, padded);
            }
        }
    }
}

/// Converts each number to bf16.
fn halve<R: Real>(out: &mut [u16], values: &[R]) {
    vectorised(
        #[inline(always)]
        || {
            for (slot, &value) in out.iter_mut().zip(values) {
                *slot = to_bf16(value.to_f32()) as u16;
            }
        },
    );
}

/// Writes `columns [depth, padded]` from `rows [padded, depth]`, 32 rows of the result at a time
/// so that what is written stays in L1.
fn transpose(columns: &mut [u16], rows: &[u16], depth: usize, padded: usize) {
    for (block, columns) in columns.chunks_exact_mut(STEP * padded).enumerate() {
        for (i, pair) in rows.chunks_exact(2 * depth).enumerate() {
            let (even, odd) = pair.split_at(depth);
            let part = block * STEP..(block + 1) * STEP;
            let columns = columns.chunks_exact_mut(padded);
            for (column, (&even, &odd)) in columns.zip(even[part.clone()].iter().zip(&odd[part])) {
                column[2 * i..][..2].copy_from_slice(&[even, odd]);
            }
        }
    }
}

/// Resets to `n` zeros, reusing the memory.
fn renew<T: Copy + Default>(values: &mut Aligned<T>, n: usize) {
    values.clear();
    values.resize(n, T::default());
}
