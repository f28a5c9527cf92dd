//! The memory layout of the columns of many heads.

use aligned_vec::{AVec, ConstAlign};
use ndarray::Array2;

use crate::numbers::Real;

/// Memory aligned to a cache line.
pub(crate) type Aligned<T> = AVec<T, ConstAlign<64>>;

/// `n` aligned zeros.
pub(crate) fn zeros<T: Copy + Default>(n: usize) -> Aligned<T> {
    let mut values = AVec::new(64);
    values.resize(n, T::default());
    values
}

/// Columns in a full panel: three registers of sixteen lanes.
pub(crate) const PANEL: usize = 48;

/// The layout of a matrix `[depth, columns]` as consecutive panels `[depth, 48]`, the last
/// narrowed to a multiple of 16. Tiles read and write panels front to back, so weights and
/// velocity never need packing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Panels {
    /// Rows, padded as the kernel requires.
    pub depth: usize,
    /// Columns, a multiple of 16.
    pub columns: usize,
}

impl Panels {
    pub(crate) fn new(depth: usize, columns: usize) -> Self {
        Self { depth, columns: columns.next_multiple_of(16) }
    }

    /// Number of elements in all panels.
    pub(crate) fn len(self) -> usize {
        self.depth * self.columns
    }

    /// Number of columns in the panel that starts at column `first`.
    pub(crate) fn width(self, first: usize) -> usize {
        PANEL.min(self.columns - first)
    }

    /// The first column of every panel.
    pub(crate) fn firsts(self) -> impl Iterator<Item = usize> {
        (0..self.columns).step_by(PANEL)
    }

    /// Index of the element at a row and column.
    pub(crate) fn at(self, row: usize, column: usize) -> usize {
        let first = column / PANEL * PANEL;
        first * self.depth + row * self.width(first) + (column - first)
    }

    /// The elements of a column, row by row: the index of the first, and how far apart they are.
    pub(crate) fn column(self, column: usize) -> (usize, usize) {
        (self.at(0, column), self.width(column / PANEL * PANEL))
    }

    /// Writes `weight`, `[K, D]`, into the panels `columns`, starting at column `first`.
    pub(crate) fn write<R: Real>(self, columns: &mut [R], first: usize, weight: &Array2<f64>) {
        for ((class, row), &value) in weight.indexed_iter() {
            columns[self.at(row, first + class)] = R::from_f64(value);
        }
    }

    /// Reads back a weight of `shape` `[K, D]`, starting at column `first`.
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
