//! Where the columns of many heads lie in memory.

use aligned_vec::{AVec, ConstAlign};
use ndarray::Array2;

use crate::numbers::Real;

/// Memory that starts at a cache line.
pub(crate) type Aligned<T> = AVec<T, ConstAlign<64>>;

/// `n` zeros.
pub(crate) fn zeros<T: Copy + Default>(n: usize) -> Aligned<T> {
    let mut values = AVec::new(64);
    values.resize(n, T::default());
    values
}

/// Columns of a full panel: three registers of sixteen.
pub(crate) const PANEL: usize = 48;

/// The layout of a matrix `[depth, columns]` as panels `[depth, 48]` one after another, the
/// last narrowed to a multiple of 16. The tiles read and write panels front to back, so that
/// weights and momentum never need to be packed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Panels {
    /// Rows, padded as the kernel wants it.
    pub depth: usize,
    /// Columns, a multiple of 16.
    pub columns: usize,
}

impl Panels {
    pub(crate) fn new(depth: usize, columns: usize) -> Self {
        Self { depth, columns: columns.next_multiple_of(16) }
    }

    /// Numbers in all panels.
    pub(crate) fn len(self) -> usize {
        self.depth * self.columns
    }

    /// Columns of the panel that starts at column `first`.
    pub(crate) fn width(self, first: usize) -> usize {
        PANEL.min(self.columns - first)
    }

    /// First column of every panel.
    pub(crate) fn firsts(self) -> impl Iterator<Item = usize> {
        (0..self.columns).step_by(PANEL)
    }

    /// Where the number of a row and column is.
    pub(crate) fn at(self, row: usize, column: usize) -> usize {
        let first = column / PANEL * PANEL;
        first * self.depth + row * self.width(first) + (column - first)
    }

    /// Writes `weight`, `[K, D]`, into `columns` of the panels from column `first` on.
    pub(crate) fn write<R: Real>(self, columns: &mut [R], first: usize, weight: &Array2<f64>) {
        for ((class, row), &value) in weight.indexed_iter() {
            columns[self.at(row, first + class)] = R::from_f64(value);
        }
    }

    /// Reads `[K, D]` from there.
    pub(crate) fn read<R: Real>(
        self,
        columns: &[R],
        first: usize,
        shape: (usize, usize),
    ) -> Array2<f64> {
        let at = |(class, row): (usize, usize)| columns[self.at(row, first + class)].to_f64();
        Array2::from_shape_fn(shape, at)
    }
}
