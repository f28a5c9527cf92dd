//! Arrays as stored in a file.

use std::io;
use std::sync::Arc;

use super::decode::Dtype;
use crate::error::{Error, Result};
use crate::files::Source;

const UNCHANGED: &str = "features as they were when they were opened";
const RUN_AGAIN: &str = "leave them alone while they are in use, and run again";

/// Values read at a time.
const CHUNK: usize = 1 << 18;

/// An array of any shape that has not been read yet. Whoever creates one must have checked that
/// its source is long enough.
#[derive(Clone, Debug)]
pub(super) struct Stored {
    pub(super) source: Arc<Source>,
    /// Offset of the first byte.
    pub(super) at: u64,
    pub(super) dtype: Dtype,
    pub(super) shape: Vec<usize>,
    /// File and array name, for messages.
    pub(super) place: String,
}

/// Room for the bytes and the values of a row.
#[derive(Debug, Default)]
pub(super) struct RowReader {
    scratch: Vec<u8>,
    out: Vec<f32>,
}

impl Stored {
    /// All values as f32.
    pub(super) fn floats(&self) -> Result<Vec<f32>> {
        self.check_type()?;
        let mut values = vec![0.0; self.shape.iter().product()];
        self.read(0, &mut values)?;
        Ok(values)
    }

    /// Calls `each` with the bytes of some rows of `width` values at a time.
    pub(super) fn chunks(
        &self,
        width: usize,
        mut each: impl FnMut(&[u8]) -> Result<()>,
    ) -> Result<()> {
        let n: usize = self.shape.iter().product();
        let at_once = (CHUNK / width).max(1) * width;
        let (size, mut scratch) = (self.dtype.size(), Vec::new());
        for first in (0..n).step_by(at_once) {
            let bytes = at_once.min(n - first) * size;
            let bytes = self.source.bytes(self.at + (first * size) as u64, bytes, &mut scratch);
            each(bytes.map_err(|error| self.unreadable(&error))?)?;
        }
        Ok(())
    }

    /// Slice `number` along the first dimension.
    pub(super) fn part(&self, number: usize) -> Self {
        let shape = self.shape[1..].to_vec();
        let size = shape.iter().product::<usize>() * self.dtype.size();
        Self { at: self.at + (number * size) as u64, shape, ..self.clone() }
    }

    /// Reads values starting at number `first`, as many as `out` has room for.
    pub(super) fn read(&self, first: usize, out: &mut [f32]) -> Result<()> {
        let size = self.dtype.size();
        let mut scratch = Vec::new();
        for (number, out) in out.chunks_mut(CHUNK).enumerate() {
            let at = self.at + ((first + number * CHUNK) * size) as u64;
            let bytes = self.source.bytes(at, out.len() * size, &mut scratch);
            self.dtype.floats(bytes.map_err(|error| self.unreadable(&error))?, out);
        }
        Ok(())
    }

    /// Bytes it takes in memory as f32.
    pub(super) fn size_as_f32(&self) -> u64 {
        4 * self.shape.iter().product::<usize>() as u64
    }

    /// One row of a matrix.
    pub(super) fn row<'a>(&self, row: usize, reader: &'a mut RowReader) -> Result<&'a [f32]> {
        let RowReader { scratch, out } = reader;
        let size = self.shape[1] * self.dtype.size();
        out.resize(self.shape[1], 0.0);
        let bytes = self.source.bytes(self.at + (row * size) as u64, size, scratch);
        self.dtype.floats(bytes.map_err(|error| self.unreadable(&error))?, out);
        // They were when it was opened.
        if let Some(column) = out.iter().position(|value| !value.is_finite()) {
            let place = format!("{}, row {row}, column {column}", self.place);
            return Err(Error::data(place, UNCHANGED, out[column], RUN_AGAIN));
        }
        Ok(out)
    }

    /// Checks that the values can be features.
    pub(super) fn check_type(&self) -> Result<()> {
        if self.dtype.is_float() {
            return Ok(());
        }
        let expected = "features of type f16, bf16, f32 or f64";
        Err(Error::data(&self.place, expected, self.dtype, "save x.astype('float32')"))
    }

    /// Checks that the file is the one that was opened, as far as its size and time tell.
    pub(super) fn check_unchanged(&self) -> Result<()> {
        if self.source.is_unchanged() {
            return Ok(());
        }
        Err(Error::data(&self.place, UNCHANGED, "another size or time", RUN_AGAIN))
    }

    fn unreadable(&self, error: &io::Error) -> Error {
        let remedy =
            "the file was cut off or can no longer be read; it must not change while in use";
        Error::data(&self.place, "a readable file", error, remedy)
    }
}
