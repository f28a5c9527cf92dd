//! A matrix of features, in memory or left in its file.

use ndarray::{Array2, ArrayView2};

use super::stored::Stored;
use crate::error::{Error, Result};
use crate::files::Source;

/// Features `[N, D]`: held in memory, or left in their file, from which rows are read as needed.
/// Training is bit-identical for both.
#[derive(Clone, Debug)]
pub enum Matrix {
    /// In memory.
    Memory(Array2<f32>),
    /// In a file.
    File(FileMatrix),
}

/// Features `[N, D]` in a file, as f16, bf16, f32 or f64. The file must not change while in use.
#[derive(Clone, Debug)]
pub struct FileMatrix {
    stored: Stored,
}

/// Which features to hold in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Storage {
    /// Features that, with their views and mirror, would take more bytes than this as f32 are left
    /// in their file.
    pub memory: u64,
    /// Whether such a file is memory-mapped rather than read row by row. If a mapped file is
    /// truncated by someone, the operating system kills the program.
    pub mmap: bool,
}

impl Storage {
    /// Everything in memory.
    pub const MEMORY: Self = Self { memory: u64::MAX, mmap: false };
}

/// Rows per block.
const ROWS: usize = 512;

impl Matrix {
    /// The matrix of a stored array `[N, D]`, loaded into memory or not.
    pub(super) fn of(stored: Stored, in_memory: bool) -> Result<Self> {
        stored.check_type()?;
        let in_memory = in_memory || matches!(*stored.source, Source::Memory(_));
        let matrix = Self::File(FileMatrix { stored });
        if in_memory { matrix.into_memory() } else { Ok(matrix) }
    }

    /// N, the number of samples.
    pub fn n_rows(&self) -> usize {
        match self {
            Self::Memory(array) => array.nrows(),
            Self::File(file) => file.stored.shape[0],
        }
    }

    /// D, the number of features.
    pub fn dim(&self) -> usize {
        match self {
            Self::Memory(array) => array.ncols(),
            Self::File(file) => file.stored.shape[1],
        }
    }

    /// The matrix, if it is in memory.
    ///
    /// # Errors
    ///
    /// If it is left in its file.
    pub fn in_memory(&self) -> Result<ArrayView2<'_, f32>> {
        match self {
            Self::Memory(array) => Ok(array.view()),
            Self::File(file) => Err(Error::usage(
                &file.stored.place,
                "features in memory",
                "features left in their file",
                "read them with Matrix::into_memory",
            )),
        }
    }

    /// The same matrix in memory.
    ///
    /// # Errors
    ///
    /// If the file can no longer be read.
    pub fn into_memory(self) -> Result<Self> {
        let Self::File(FileMatrix { stored }) = &self else { return Ok(self) };
        let shape = (stored.shape[0], stored.shape[1]);
        let array = Array2::from_shape_vec(shape, stored.floats()?);
        Ok(Self::Memory(array.map_err(|error| Error::data(&stored.place, "a matrix", error, ""))?))
    }

    /// Calls `each` with consecutive blocks of rows and the index of each block's first row.
    ///
    /// # Errors
    ///
    /// As for `each`, and if the file can no longer be read.
    pub fn blocks(
        &self,
        mut each: impl FnMut(usize, ArrayView2<'_, f32>) -> Result<()>,
    ) -> Result<()> {
        let stored = match self {
            Self::Memory(array) => {
                let mut blocks = array.axis_chunks_iter(ndarray::Axis(0), ROWS).enumerate();
                return blocks.try_for_each(|(number, block)| each(number * ROWS, block));
            }
            Self::File(file) => &file.stored,
        };
        let (n, dim) = (stored.shape[0], stored.shape[1]);
        let mut block = Array2::zeros((ROWS.min(n), dim));
        for first in (0..n).step_by(ROWS) {
            let rows = ROWS.min(n - first);
            let mut part = block.slice_mut(ndarray::s![..rows, ..]);
            if let Some(values) = part.as_slice_mut() {
                stored.read(first * dim, values)?;
            }
            each(first, part.view())?;
        }
        Ok(())
    }
}

impl FileMatrix {
    /// Calls `each` with each of `rows`, `[D]`, in the order given.
    ///
    /// # Errors
    ///
    /// If the file can no longer be read.
    ///
    /// # Panics
    ///
    /// If a row does not exist.
    pub fn gather(
        &self,
        rows: impl Iterator<Item = usize>,
        each: impl FnMut(&[f32]),
    ) -> Result<()> {
        let n = self.stored.shape[0];
        self.stored.gather(rows.inspect(|&row| assert!(row < n, "row {row} of {n}")), each)
    }
}

impl From<Array2<f32>> for Matrix {
    fn from(array: Array2<f32>) -> Self {
        Self::Memory(array)
    }
}
