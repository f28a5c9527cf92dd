//! Features of samples whose classes are not known.

use std::path::PathBuf;

use super::formats::format_of;
use super::labels::Labels;
use super::raw::Asked;
use super::{Features, Matrix, Reading, Storage};
use crate::error::{Error, Result};
use crate::files::Source;

/// Features `[N, D]` without labels.
#[derive(Clone, Debug)]
pub struct Unlabelled {
    /// The same with labels that mean nothing.
    features: Features,
}

impl Unlabelled {
    /// Reads files as [`Features::read`] does, but for labels: those that they hold are ignored. In
    /// CSV without a header, all columns are features.
    ///
    /// # Errors
    ///
    /// As for [`Features::read`].
    pub fn read(paths: &[PathBuf], storage: Storage) -> Result<Self> {
        Self::read_without(paths, storage, [None, None], None)
    }

    /// The same where columns of these names, if they are there, hold labels and groups, which are
    /// ignored; groups may be an array of that name. Columns that are known to be `features` are, even if
    /// they look like labels by their names.
    ///
    /// # Errors
    ///
    /// As for [`Features::read`].
    pub fn read_without(
        paths: &[PathBuf],
        storage: Storage,
        [label_column, group_column]: [Option<&str>; 2],
        features: Option<&[String]>,
    ) -> Result<Self> {
        let asked = Asked { labels_elsewhere: true, label_column, group_column, features };
        let raw = |path: &PathBuf| -> Result<_> {
            let place = path.display().to_string();
            let read = format_of(path)?.read;
            let mut raw = read(Source::open(path, storage.mmap)?, &place, asked)?;
            let n = raw.features.as_ref().and_then(|features| features.shape.first().copied());
            raw.labels = Some(Labels::Numbers(vec![0; n.unwrap_or(0)]));
            Ok((raw, place))
        };
        let raws = paths.iter().map(raw).collect::<Result<Vec<_>>>()?;
        let features = Features::assemble(raws, &Reading { storage, ..Reading::default() })?;
        Ok(Self { features })
    }

    /// Labelled samples, of which the labels are left out.
    pub fn of(features: Features) -> Self {
        Self { features }
    }

    /// The names of the features, if their files name them.
    pub fn columns(&self) -> Option<&[String]> {
        self.features.columns.as_deref()
    }

    /// Whether there are features of mirrored images.
    pub fn is_mirrored(&self) -> bool {
        self.features.mirror.is_some()
    }

    /// The same with the features in the order of these names, if the files name theirs.
    ///
    /// # Errors
    ///
    /// If the names are not the same, or cannot be told apart.
    pub fn in_order_of(self, columns: &[String], place: &str) -> Result<Self> {
        Ok(Self { features: self.features.in_order_of(Some(columns), place)? })
    }

    /// N, the number of samples.
    pub fn len(&self) -> usize {
        self.features.len()
    }

    /// Always false: there is at least one sample.
    pub fn is_empty(&self) -> bool {
        self.features.is_empty()
    }

    /// D, the number of features.
    pub fn dim(&self) -> usize {
        self.features.dim()
    }

    /// Calls `each` with consecutive blocks of features of the plain images, `[n, D]`, and of the
    /// mirrored ones, if there are any.
    ///
    /// # Errors
    ///
    /// As for `each`; and if the file can no longer be read, or features with mirrored images are left
    /// in it.
    pub fn blocks(
        &self,
        mut each: impl FnMut(
            ndarray::ArrayView2<'_, f32>,
            Option<ndarray::ArrayView2<'_, f32>>,
        ) -> Result<()>,
    ) -> Result<()> {
        let mirror = self.features.mirror.as_ref().map(Matrix::in_memory).transpose()?;
        self.features.plain.blocks(|first, block| {
            let rows = first..first + block.nrows();
            let mirror = mirror.map(|mirror| mirror.slice_move(ndarray::s![rows, ..]));
            each(block, mirror)
        })
    }

    /// All features of the plain images as a matrix, `[N, D]`.
    ///
    /// # Errors
    ///
    /// If the file can no longer be read.
    pub fn matrix(&self) -> Result<ndarray::Array2<f64>> {
        let mut values = Vec::with_capacity(self.len() * self.dim());
        self.blocks(|block, _mirror| {
            values.extend(block.iter().map(|&v| f64::from(v)));
            Ok(())
        })?;
        let shape = (self.len(), self.dim());
        ndarray::Array2::from_shape_vec(shape, values)
            .map_err(|error| Error::data(&self.features.provenance, "whole rows", error, ""))
    }

    /// Checks that a head with `dim` features fits.
    ///
    /// # Errors
    ///
    /// If D differs.
    pub fn check_dim(&self, dim: usize) -> Result<()> {
        if self.dim() == dim {
            return Ok(());
        }
        let remedy = if self.dim() == dim + 1 {
            "is one of the columns a label or an index? name it label, or leave it out"
        } else {
            "extract them with the backbone that the head was trained on"
        };
        let expected = format!("{dim} features per sample, as the head has");
        Err(Error::data(&self.features.provenance, expected, self.dim(), remedy))
    }
}
