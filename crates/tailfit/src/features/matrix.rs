//! A matrix of features, in memory, or left in its file or with its owner.

use std::any::Any;
use std::path::Path;
use std::sync::Arc;

use ndarray::{Array2, ArrayView2, Axis};

use super::decode::Dtype;
use super::stored::{RowReader, Stored};
use crate::error::{Error, Result};
use crate::files::Source;

/// Features `[N, D]`: held in memory, or left in their file or with their owner, from where rows are read as
/// needed. Training is bit-identical for all.
#[derive(Clone, Debug)]
pub enum Matrix {
    /// In memory.
    Memory(Array2<f32>),
    /// In memory of another owner, such as an interpreter's array, who is kept for as long. It must
    /// not change while in use.
    Shared(ArrayView2<'static, f32>, Arc<dyn Any + Send + Sync>),
    /// In a file, or as another type than f32 in memory of another owner.
    File(FileMatrix),
}

/// Features `[N, D]` in one or several files, or in memory of another owner, as f16, bf16, f32 or f64. Nothing
/// of it must change while in use: an error if a file's size or time does.
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

    /// Features `[N, D]` that stay in a file, `n` rows of `dim` values from byte `at` on, as a memory map
    /// of them shows: little-endian f16, bf16, f32 or f64, by name.
    ///
    /// ```
    /// # let path = std::env::temp_dir().join(format!("tailfit-{}.raw", std::process::id()));
    /// use tailfit::features::{Features, Matrix};
    ///
    /// std::fs::write(&path, [0, 0, 0x80, 0x3f, 0, 0, 0, 0x40])?;
    /// let matrix = Matrix::left_in(&path, 0, "f32", (2, 1))?;
    /// let features = Features::new(matrix, vec![0, 1])?;
    /// assert_eq!((features.len(), features.dim()), (2, 1));
    /// # std::fs::remove_file(&path)?;
    /// # Ok::<(), tailfit::error::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// If the file cannot be opened, is too short, or the type is another.
    pub fn left_in(path: &Path, at: u64, dtype: &str, (n, dim): (usize, usize)) -> Result<Self> {
        let source = Source::open(path, false)?;
        Self::left(source, path.display().to_string(), at, dtype, (n, dim))
    }

    /// Features `[N, D]` of type f16, bf16, f32 or f64, by name, that stay where they are in memory, `n` rows
    /// of `dim` little-endian values. Rows are made f32 as they are needed. The owner of the bytes, who is
    /// kept for as long, must not change them while they are in use.
    ///
    /// # Errors
    ///
    /// If there are too few bytes, or the type is another.
    pub fn left_with(
        owner: Arc<dyn Any + Send + Sync>,
        bytes: &'static [u8],
        dtype: &str,
        (n, dim): (usize, usize),
    ) -> Result<Self> {
        Self::left(Source::Shared(bytes, owner), "features".to_owned(), 0, dtype, (n, dim))
    }

    fn left(
        source: Source,
        place: String,
        at: u64,
        dtype: &str,
        (n, dim): (usize, usize),
    ) -> Result<Self> {
        let types = [Dtype::F16, Dtype::Bf16, Dtype::F32, Dtype::F64];
        let Some(dtype) = types.into_iter().find(|known| known.to_string() == dtype) else {
            return Err(Error::usage(place, "values of type f16, bf16, f32 or f64", dtype, ""));
        };
        let size = n.checked_mul(dim).and_then(|values| values.checked_mul(dtype.size()));
        let end = size.and_then(|size| at.checked_add(size as u64));
        if end.is_none_or(|end| end > source.len()) {
            let expected = format!("{n} x {dim} values of type {dtype} from byte {at} on");
            return Err(Error::data(place, expected, format!("{} bytes", source.len()), ""));
        }
        let part = Stored { source: Arc::new(source), at, dtype, shape: vec![n, dim], place };
        Self::of(vec![part], false)
    }

    /// N, the number of samples.
    pub fn n_rows(&self) -> usize {
        match self {
            Self::Memory(array) => array.nrows(),
            Self::Shared(array, _) => array.nrows(),
            Self::File(file) => file.parts.iter().map(|part| part.shape[0]).sum(),
        }
    }

    /// D, the number of features.
    pub fn dim(&self) -> usize {
        match self {
            Self::Memory(array) => array.ncols(),
            Self::Shared(array, _) => array.ncols(),
            Self::File(file) => file.parts[0].shape[1],
        }
    }

    /// The matrix, if it is in memory.
    ///
    /// # Errors
    ///
    /// If it is left in its file, or with its owner.
    pub fn in_memory(&self) -> Result<ArrayView2<'_, f32>> {
        match self {
            Self::Memory(array) => Ok(array.view()),
            Self::Shared(array, _) => Ok(array.view()),
            Self::File(file) => Err(Error::usage(
                &file.parts[0].place,
                "features in memory",
                "features left where they are",
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
        let Self::File(FileMatrix { parts }) = self else {
            let array = self.in_memory()?;
            let mut blocks = array.axis_chunks_iter(Axis(0), ROWS).enumerate();
            return blocks.try_for_each(|(number, block)| each(number * ROWS, block));
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
            Self::Memory(_) | Self::Shared(..) => Ok(()),
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
