//! A matrix of features, in memory or left in its file.

use ndarray::{Array2, ArrayView2, Axis};

use super::stored::{RowReader, Stored};
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

/// Features `[N, D]` in one or several files, as f16, bf16, f32 or f64. No file must change while in
/// use: an error if its size or time does.
#[derive(Clone, Debug)]
pub struct FileMatrix {
    /// The rows, part by part, each `[n, D]`.
    parts: Vec<Stored>,
}

/// Which features to hold in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Storage {
    /// Features that, with their views and mirror, would take more bytes than this as f32 are left
    /// in their file.
    pub memory: u64,
    /// Whether such a file is memory-mapped rather than read row by row. If a mapped file is
    /// truncated by someone, the operating system ends the program.
    pub mmap: bool,
}

impl Storage {
    /// Everything in memory.
    pub const MEMORY: Self = Self { memory: u64::MAX, mmap: false };
}

/// Rows per block.
const ROWS: usize = 512;

impl Matrix {
    /// The matrix of stored arrays `[n, D]`, one below the other, loaded into memory or not.
    pub(super) fn of(parts: Vec<Stored>, in_memory: bool) -> Result<Self> {
        parts.iter().try_for_each(Stored::check_type)?;
        let held = |part: &Stored| matches!(*part.source, Source::Memory(_));
        let in_memory = in_memory || parts.iter().all(held);
        let matrix = Self::File(FileMatrix { parts });
        if in_memory { matrix.into_memory() } else { Ok(matrix) }
    }

    /// N, the number of samples.
    pub fn n_rows(&self) -> usize {
        match self {
            Self::Memory(array) => array.nrows(),
            Self::File(file) => file.parts.iter().map(|part| part.shape[0]).sum(),
        }
    }

    /// D, the number of features.
    pub fn dim(&self) -> usize {
        match self {
            Self::Memory(array) => array.ncols(),
            Self::File(file) => file.parts[0].shape[1],
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
                &file.parts[0].place,
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
        let Self::File(FileMatrix { parts }) = &self else { return Ok(self) };
        let mut array = Array2::zeros((self.n_rows(), self.dim()));
        let mut below = array.view_mut();
        for part in parts {
            let (mut rows, rest) = below.split_at(Axis(0), part.shape[0]);
            // Always whole rows of a new array.
            if let Some(values) = rows.as_slice_mut() {
                part.read(0, values)?;
            }
            below = rest;
        }
        Ok(Self::Memory(array))
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
        let parts = match self {
            Self::Memory(array) => {
                let mut blocks = array.axis_chunks_iter(Axis(0), ROWS).enumerate();
                return blocks.try_for_each(|(number, block)| each(number * ROWS, block));
            }
            Self::File(file) => &file.parts,
        };
        let (dim, mut before) = (self.dim(), 0);
        let mut block = Array2::zeros((ROWS.min(self.n_rows()), dim));
        for part in parts {
            let n = part.shape[0];
            for first in (0..n).step_by(ROWS) {
                let rows = ROWS.min(n - first);
                let mut rows = block.slice_mut(ndarray::s![..rows, ..]);
                if let Some(values) = rows.as_slice_mut() {
                    part.read(first * dim, values)?;
                }
                each(before + first, rows.view())?;
            }
            before += n;
        }
        Ok(())
    }

    /// Checks that the files, if it is left in any, are those that were opened, as far as their
    /// sizes and times tell.
    ///
    /// # Errors
    ///
    /// If one is not.
    pub fn check_unchanged(&self) -> Result<()> {
        match self {
            Self::Memory(_) => Ok(()),
            Self::File(file) => file.check_unchanged(),
        }
    }
}

impl FileMatrix {
    /// Calls `each` with each of `rows`, `[D]`, in the order given.
    ///
    /// # Errors
    ///
    /// If a file can no longer be read, or holds what is not finite, which it did not when it was
    /// opened.
    ///
    /// # Panics
    ///
    /// If a row does not exist.
    pub fn gather(
        &self,
        rows: impl Iterator<Item = usize>,
        mut each: impl FnMut(&[f32]),
    ) -> Result<()> {
        let mut reader = RowReader::default();
        for row in rows {
            let mut within = row;
            let part = self.parts.iter().find(|part| {
                let here = within < part.shape[0];
                within -= if here { 0 } else { part.shape[0] };
                here
            });
            let part = part.unwrap_or_else(|| panic!("row {row} does not exist"));
            each(part.row(within, &mut reader)?);
        }
        Ok(())
    }

    pub(crate) fn check_unchanged(&self) -> Result<()> {
        self.parts.iter().try_for_each(Stored::check_unchanged)
    }
}

impl From<Array2<f32>> for Matrix {
    fn from(array: Array2<f32>) -> Self {
        Self::Memory(array)
    }
}
