//! Frozen features of a data set, from arrays or from files in common formats.

mod archive;
mod assemble;
mod check;
mod csv_file;
mod data_set;
mod decode;
pub mod embedded;
mod formats;
mod head_file;
mod labels;
mod matrix;
mod npy;
mod npz;
mod raw;
mod safetensors_file;
mod save;
mod scale;
mod stored;
mod unlabelled;

use ndarray::Array2;
use sha2::{Digest, Sha256};

pub use self::check::{check_pair, shared_rows};
pub use self::data_set::DataSet;
pub use self::formats::{FORMATS, Format, Reading};
pub use self::head_file::{HEAD_KEYS, HeadFile, head_from_bytes, load_head, save_head};
pub use self::matrix::{FileMatrix, Matrix, Storage};
pub use self::scale::Scale;
pub use self::unlabelled::Unlabelled;
use crate::error::{Error, Result};
use crate::files::hex;
use crate::groups::Groups;

/// Features `[N, D]` with their labels and their provenance.
///
/// ```
/// use ndarray::array;
/// use tailfit::features::Features;
///
/// let features = Features::new(array![[0.5, 1.0], [0.0, 2.0]], vec![0, 1])?;
/// assert_eq!((features.len(), features.dim()), (2, 2));
/// assert!(Features::new(array![[f32::NAN]], vec![0]).is_err());
/// # Ok::<(), tailfit::error::Error>(())
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Features {
    /// Features of the plain images, `[N, D]`.
    pub plain: Matrix,
    /// Augmented views, each `[N, D]`, if any; training uses them in turn, one per epoch.
    pub views: Vec<Matrix>,
    /// Features of the mirrored images, `[N, D]`; scoring averages logits over both.
    pub mirror: Option<Matrix>,
    /// Class of each sample, `[N]`.
    pub labels: Vec<u32>,
    /// Weight of each sample in training, `[N]`, at least 0; all 1 if there are none. A weight of 2
    /// is the sample twice, for losses, priors and class weights alike.
    pub weights: Option<Vec<f64>>,
    /// Samples that belong together, if any do: folds, halves and held-out sets keep them together.
    pub groups: Option<Groups>,
    /// Name of each feature, `[D]`, if the file names them.
    pub columns: Option<Vec<String>>,
    /// Name of each class, if known.
    pub class_names: Option<Vec<String>>,
    /// Whether the labels were names.
    named_by_label: bool,
    /// Where the features came from, in words.
    pub provenance: String,
}

impl Features {
    /// Features from arrays: features `[N, D]`, in memory or left where they are (see
    /// [`Matrix::left_in`] and [`Matrix::left_with`]), and the class of each sample, `[N]`.
    ///
    /// # Errors
    ///
    /// If there are no samples or no features, the numbers of labels and samples differ, or a value
    /// is not finite.
    pub fn new(features: impl Into<Matrix>, labels: Vec<u32>) -> Result<Self> {
        Self::checked(features.into(), Vec::new(), None, labels, "features")
    }

    /// The same with augmented views, each `[N, D]`, which training uses in turn, one per epoch.
    ///
    /// # Errors
    ///
    /// If a view has another shape, or a value is not finite.
    pub fn with_views(self, views: Vec<Array2<f32>>) -> Result<Self> {
        let views = views.into_iter().map(Matrix::from).collect();
        Self { views, ..self }.verified()
    }

    /// The same with features of the mirrored images, `[N, D]`; scoring averages logits over both.
    ///
    /// # Errors
    ///
    /// If `mirror` has another shape, or a value is not finite.
    pub fn with_mirror(self, mirror: Array2<f32>) -> Result<Self> {
        Self { mirror: Some(mirror.into()), ..self }.verified()
    }

    /// The same with a weight for each sample, `[N]`, in training.
    ///
    /// # Errors
    ///
    /// If there are not N, or one is negative or not a finite number.
    pub fn with_weights(self, weights: Vec<f64>) -> Result<Self> {
        same("sample weights", &[self.len()], &[weights.len()])?;
        if let Some(row) = weights.iter().position(|w| !(w.is_finite() && *w >= 0.0)) {
            let place = format!("sample weights, row {row}");
            return Err(Error::data(place, "a finite number of at least 0", weights[row], ""));
        }
        Ok(Self { weights: Some(weights), ..self })
    }

    /// The same with the group of each sample, `[N]`.
    ///
    /// # Errors
    ///
    /// If there are not N.
    pub fn with_groups(self, groups: Groups) -> Result<Self> {
        same(&format!("{}: groups", self.provenance), &[self.len()], &[groups.len()])?;
        Ok(Self { groups: Some(groups), ..self })
    }

    /// The weights of the samples, scaled to a mean of 1.
    pub(crate) fn mean_one_weights(&self) -> Vec<f64> {
        let Some(weights) = &self.weights else { return vec![1.0; self.len()] };
        let mean = weights.iter().sum::<f64>() / self.len() as f64;
        weights.iter().map(|weight| weight / mean).collect()
    }

    /// Checks that all parts match each other; `place` says where they came from.
    pub(crate) fn checked(
        plain: Matrix,
        views: Vec<Matrix>,
        mirror: Option<Matrix>,
        labels: Vec<u32>,
        place: &str,
    ) -> Result<Self> {
        let features = Self {
            plain,
            views,
            mirror,
            labels,
            weights: None,
            groups: None,
            columns: None,
            class_names: None,
            named_by_label: false,
            provenance: place.to_owned(),
        };
        features.verified()
    }

    fn verified(self) -> Result<Self> {
        let place = &self.provenance;
        let (n, d) = (self.plain.n_rows(), self.plain.dim());
        if n == 0 || d == 0 {
            let expected = "at least one sample and one feature";
            return Err(Error::data(place, expected, format!("[{n}, {d}]"), ""));
        }
        same(&format!("{place}: labels"), &[n], &[self.labels.len()])?;
        for (what, matrix) in self.matrices() {
            same(&format!("{place}: {what}"), &[n, d], &[matrix.n_rows(), matrix.dim()])?;
        }
        self.check_finite(place)?;
        Ok(self)
    }

    /// Each matrix with its name.
    fn matrices(&self) -> impl Iterator<Item = (&'static str, &Matrix)> {
        let views = self.views.iter().map(|view| ("views", view));
        let mirror = self.mirror.iter().map(|mirror| ("mirror", mirror));
        std::iter::once(("features", &self.plain)).chain(views).chain(mirror)
    }

    fn check_finite(&self, place: &str) -> Result<()> {
        for (what, matrix) in self.matrices() {
            matrix.blocks(|first, block| {
                for (row, values) in block.rows().into_iter().enumerate() {
                    if let Some(column) = values.iter().position(|v| !v.is_finite()) {
                        return Err(Error::data(
                            format!("{place}: {what}, row {}, column {column}", first + row),
                            "a finite number within f32",
                            values[column],
                            "drop the row, or find out which image makes the backbone overflow",
                        ));
                    }
                }
                Ok(())
            })?;
        }
        Ok(())
    }

    /// N, the number of samples.
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    /// Always false: a set has at least one sample.
    pub fn is_empty(&self) -> bool {
        self.labels.is_empty()
    }

    /// D, the number of features.
    pub fn dim(&self) -> usize {
        self.plain.dim()
    }

    /// SHA-256 of everything that training and scoring see, in hexadecimal.
    ///
    /// # Errors
    ///
    /// If features left in their file can no longer be read.
    pub fn sha256(&self) -> Result<String> {
        let mut hash = Sha256::new();
        for (_, matrix) in self.matrices() {
            matrix.blocks(|_, block| {
                let bytes: Vec<u8> = block.iter().flat_map(|value| value.to_le_bytes()).collect();
                hash.update(bytes);
                Ok(())
            })?;
        }
        for label in &self.labels {
            hash.update(label.to_le_bytes());
        }
        for weight in self.weights.iter().flatten() {
            hash.update(weight.to_le_bytes());
        }
        for group in self.groups.iter().flat_map(Groups::each) {
            hash.update(group.to_le_bytes());
        }
        let shape = [self.len(), self.dim(), usize::from(self.mirror.is_some())];
        hash.update(format!("{shape:?}"));
        Ok(hex(hash.finalize()))
    }

    /// The same with everything in memory.
    ///
    /// # Errors
    ///
    /// If the file can no longer be read.
    pub fn into_memory(self) -> Result<Self> {
        Ok(Self {
            plain: self.plain.into_memory()?,
            views: self.views.into_iter().map(Matrix::into_memory).collect::<Result<_>>()?,
            mirror: self.mirror.map(Matrix::into_memory).transpose()?,
            ..self
        })
    }
}

fn same(place: &str, expected: &[usize], found: &[usize]) -> Result<()> {
    if expected == found {
        return Ok(());
    }
    Err(Error::data(place, format!("shape {expected:?}"), format!("{found:?}"), ""))
}
