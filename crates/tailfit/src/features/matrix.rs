//! A matrix of features, in memory or in its file.

use ndarray::{Array2, ArrayView2};

use super::stored::Stored;
use crate::error::{Error, Result};
use crate::files::Source;

/// Features `[N, D]`: held in memory, or left in their file, from which rows are read as they
/// are needed. Training gives the same bits for both.
#[derive(Clone, Debug)]
pub enum Matrix {
    /// In memory.
    Memory(Array2<f32>),
    /// In a file.
    File(FileMatrix),
}

/// Features `[N, D]` in a file, as f16, bf16, f32 or f64. The file must not change meanwhile.
#[derive(Clone, Debug)]
pub struct FileMatrix {
    stored: Stored,
}

/// Which features are held in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Storage {
    /// Features, with their views and mirror, that would take more bytes than this as f32 are left
    /// in their file.
    pub memory: u64,
    /// Whether such a file is mapped to memory rather than read row by row. Should somebody cut
    /// off a mapped file, the system ends the program.
    pub mmap: bool,
}

impl Storage {
    /// Everything in memory.
    pub const MEMORY: Self = Self { memory: u64::MAX, mmap: false };
}

/// Rows handed over at once.
const ROWS: usize = 512;

impl Matrix {
    /// A stored array `[N, D]`, in memory or not.
    pub(super) fn of(stored: Stored, in_memory: bool) -> Result<Self> {
        stored.check_type()?;
        let in_memory = in_memory || matches!(*stored.source, Source::Memory(_));
        let matrix = Self::File(FileMatrix { stored });
        if in_memory { matrix.into_memory() } else { Ok(matrix) }
    }

    /// N.
    pub fn n_rows(&self) -> usize {
        match self {
            Self::Memory(array) => array.nrows(),
            Self::File(file) => file.stored.shape[0],
        }
    }

    /// D.
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
    /// If the file cannot be read any more.
    pub fn into_memory(self) -> Result<Self> {
        let Self::File(FileMatrix { stored }) = &self else { return Ok(self) };
        let shape = (stored.shape[0], stored.shape[1]);
        let array = Array2::from_shape_vec(shape, stored.floats()?);
        Ok(Self::Memory(array.map_err(|error| Error::data(&stored.place, "a matrix", error, ""))?))
    }

    /// Calls `each` with blocks of rows that follow each other, and the number of their first.
    ///
    /// # Errors
    ///
    /// Those of `each`, or if the file cannot be read any more.
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
    /// Calls `each` with each of `rows`, `[D]`, in their order.
    ///
    /// # Errors
    ///
    /// If the file cannot be read any more.
    ///
    /// # Panics
    ///
    /// If there is no such row.
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
