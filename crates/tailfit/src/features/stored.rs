//! Arrays as stored in a file.

use std::io;
use std::sync::Arc;

use super::decode::Dtype;
use crate::error::{Error, Result};
use crate::files::Source;

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

impl Stored {
    /// All values as f32.
    pub(super) fn floats(&self) -> Result<Vec<f32>> {
        self.check_type()?;
        let mut values = vec![0.0; self.shape.iter().product()];
        self.read(0, &mut values)?;
        Ok(values)
    }

    /// The values as labels; the array has one dimension, or two with one column.
    pub(super) fn labels(&self) -> Result<Vec<u32>> {
        let (&[n] | &[n, 1]) = self.shape.as_slice() else {
            return Err(Error::data(&self.place, "shape [N]", format!("{:?}", self.shape), ""));
        };
        let mut scratch = Vec::new();
        let bytes = self.source.bytes(self.at, n * self.dtype.size(), &mut scratch);
        self.dtype.labels(bytes.map_err(|error| self.unreadable(&error))?, &self.place)
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

    /// Calls `each` with individual rows of a matrix.
    pub(super) fn gather(
        &self,
        rows: impl Iterator<Item = usize>,
        mut each: impl FnMut(&[f32]),
    ) -> Result<()> {
        let dim = self.shape[1];
        let (mut scratch, mut out) = (Vec::new(), vec![0.0; dim]);
        let size = dim * self.dtype.size();
        for row in rows {
            let bytes = self.source.bytes(self.at + (row * size) as u64, size, &mut scratch);
            self.dtype.floats(bytes.map_err(|error| self.unreadable(&error))?, &mut out);
            each(&out);
        }
        Ok(())
    }

    /// Checks that the values can be features.
    pub(super) fn check_type(&self) -> Result<()> {
        if self.dtype.is_float() {
            return Ok(());
        }
        let expected = "features of type f16, bf16, f32 or f64";
        Err(Error::data(&self.place, expected, format!("{:?}", self.dtype), ""))
    }

    fn unreadable(&self, error: &io::Error) -> Error {
        let remedy =
            "the file was cut off or can no longer be read; it must not change while in use";
        Error::data(&self.place, "a readable file", error, remedy)
    }
}
