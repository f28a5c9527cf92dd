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

use ndarray::Array2;
use sha2::{Digest, Sha256};

pub use self::check::{check_pair, shared_rows};
pub use self::data_set::DataSet;
pub use self::formats::{FORMATS, Format, Reading};
pub use self::head_file::{HEAD_KEYS, HeadFile, head_from_bytes, load_head, save_head};
pub use self::matrix::{FileMatrix, Matrix, Storage};
pub use self::scale::Scale;
use crate::error::{Error, Result};
use crate::files::hex;

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
    /// Features from arrays: features `[N, D]`, and the class of each sample, `[N]`.
    ///
    /// # Errors
    ///
    /// If there are no samples or no features, the numbers of labels and samples differ, or a value
    /// is not finite.
    pub fn new(features: Array2<f32>, labels: Vec<u32>) -> Result<Self> {
        Self::checked(features.into(), Vec::new(), None, labels, "features")
    }

    /// The same with augmented views, each `[N, D]`, which training uses in turn, one per epoch.
    ///
    /// # Errors
    ///
    /// If a view has another shape, or a value is not finite.
    pub fn with_views(self, views: Vec<Array2<f32>>) -> Result<Self> {
        let views = views.into_iter().map(Matrix::from).collect();
        let Self {
            plain, mirror, labels, columns, class_names, named_by_label, provenance, ..
        } = self;
        let features = Self::checked(plain, views, mirror, labels, &provenance)?;
        Ok(Self { columns, class_names, named_by_label, ..features })
    }

    /// The same with features of the mirrored images, `[N, D]`; scoring averages logits over both.
    ///
    /// # Errors
    ///
    /// If `mirror` has another shape, or a value is not finite.
    pub fn with_mirror(self, mirror: Array2<f32>) -> Result<Self> {
        let mirror = Some(mirror.into());
        let Self { plain, views, labels, columns, class_names, named_by_label, provenance, .. } =
            self;
        let features = Self::checked(plain, views, mirror, labels, &provenance)?;
        Ok(Self { columns, class_names, named_by_label, ..features })
    }

    /// Checks that all parts match each other; `place` says where they came from.
    pub(crate) fn checked(
        plain: Matrix,
        views: Vec<Matrix>,
        mirror: Option<Matrix>,
        labels: Vec<u32>,
        place: &str,
    ) -> Result<Self> {
        let (n, d) = (plain.n_rows(), plain.dim());
        if n == 0 || d == 0 {
            let expected = "at least one sample and one feature";
            return Err(Error::data(place, expected, format!("[{n}, {d}]"), ""));
        }
        same(&format!("{place}: labels"), &[n], &[labels.len()])?;
        let others = views.iter().map(|view| ("views", view));
        for (what, matrix) in others.chain(mirror.iter().map(|mirror| ("mirror", mirror))) {
            same(&format!("{place}: {what}"), &[n, d], &[matrix.n_rows(), matrix.dim()])?;
        }
        let provenance = place.to_owned();
        let (columns, class_names) = (None, None);
        let features = Self {
            plain,
            views,
            mirror,
            labels,
            columns,
            class_names,
            named_by_label: false,
            provenance,
        };
        features.check_finite(place)?;
        Ok(features)
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
