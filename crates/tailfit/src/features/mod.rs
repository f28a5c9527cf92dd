//! Frozen features of a data set, from any of the usual files.

mod check;
mod csv_file;
mod decode;
mod head_file;
mod npy;
mod npz;
mod safetensors_file;

use std::path::Path;

use ndarray::{Array2, Array3, Axis};
use sha2::{Digest, Sha256};

pub use self::check::{check_pair, shared_rows};
pub(crate) use self::head_file::parse_head;
pub use self::head_file::{HEAD_KEYS, HeadFile, load_head, save_head};
use crate::error::{Error, Result, nearest};
use crate::metrics::EvaluationSet;

/// Features `[N, D]` with their labels, and where they came from.
#[derive(Clone, Debug, PartialEq)]
pub struct Features {
    /// Features of the plain images, `[N, D]`.
    pub plain: Array2<f32>,
    /// Augmented views, `[V, N, D]`; training goes round them, one per epoch.
    pub views: Option<Array3<f32>>,
    /// Features of the mirrored images, `[N, D]`; scores average logits over both.
    pub mirror: Option<Array2<f32>>,
    /// Class of each sample, `[N]`.
    pub labels: Vec<u32>,
    /// Name of each class, if known.
    pub class_names: Option<Vec<String>>,
    /// Where the features came from, for people.
    pub provenance: String,
}

/// A file format: extension, what it holds, how it is read.
pub struct Format {
    /// File extension.
    pub extension: &'static str,
    /// What the file must hold.
    pub holds: &'static str,
    read: fn(&Path) -> Result<Raw>,
}

/// Every format, by extension.
pub const FORMATS: &[Format] = &[
    Format {
        extension: "safetensors",
        holds: "features [N, D], labels [N]; optional views [V, N, D], mirror [N, D]; \
                optional metadata class_names (JSON list), provenance",
        read: safetensors_file::read,
    },
    Format {
        extension: "npz",
        holds: "features (or X, feats, embeddings, data) [N, D], labels (or y, targets) [N]; \
                optional views, mirror",
        read: npz::read,
    },
    Format {
        extension: "npy",
        holds: "features [N, D]; labels in a second file (--train-labels and so on)",
        read: npy::read,
    },
    Format {
        extension: "csv",
        holds: "one sample a line; the label in the column label (or labels, y, target, class), \
                or in the last one; header optional",
        read: csv_file::read,
    },
];

/// What a file holds before it is checked.
#[derive(Debug, Default)]
pub(crate) struct Raw {
    features: Option<(Vec<usize>, Vec<f32>)>,
    views: Option<(Vec<usize>, Vec<f32>)>,
    mirror: Option<(Vec<usize>, Vec<f32>)>,
    labels: Option<Vec<u32>>,
    class_names: Option<Vec<String>>,
    provenance: Option<String>,
}

impl Features {
    /// Reads a file of any format of [`FORMATS`], told by its extension, with the
    /// labels from a second file (npy, or text with one label a line) if given.
    ///
    /// # Errors
    ///
    /// If the file cannot be read, is damaged, or its contents do not fit together;
    /// also for NaN and infinite features. The message names file, place, what was
    /// expected and found.
    pub fn load(path: &Path, labels: Option<&Path>) -> Result<Self> {
        let extension = path.extension().and_then(|e| e.to_str()).unwrap_or_default();
        let format = FORMATS.iter().find(|f| f.extension == extension).ok_or_else(|| {
            let known: Vec<&str> = FORMATS.iter().map(|f| f.extension).collect();
            Error::usage(
                path.display(),
                format!("a file ending in one of {}", known.join(", ")),
                if extension.is_empty() { "no extension" } else { extension },
                nearest(extension, known),
            )
        })?;
        let mut raw = (format.read)(path)?;
        if let Some(labels) = labels {
            raw.labels = Some(read_labels(labels)?);
        }
        Self::assemble(raw, &path.display().to_string())
    }

    /// Reads a safetensors file that is already in memory.
    ///
    /// # Errors
    ///
    /// As [`Features::load`].
    pub fn from_safetensors(bytes: &[u8], place: &str) -> Result<Self> {
        Self::assemble(safetensors_file::parse(bytes, place)?, place)
    }

    fn assemble(raw: Raw, place: &str) -> Result<Self> {
        let missing = |what: &str, remedy: &str| Error::data(place, what, "none", remedy);
        let (shape, values) = raw.features.ok_or_else(|| missing("an array of features", ""))?;
        let plain = matrix(shape, values, place, "features")?;
        let labels = raw.labels.ok_or_else(|| {
            missing(
                "an array of labels",
                "put them in the same file, or name theirs (--train-labels …)",
            )
        })?;
        let (n, d) = plain.dim();
        let same = |what: &str, expected: &[usize], found: &[usize]| {
            if expected == found {
                return Ok(());
            }
            Err(Error::data(
                format!("{place}: {what}"),
                format!("shape {expected:?}"),
                format!("{found:?}"),
                "",
            ))
        };
        if n == 0 || d == 0 {
            return Err(Error::data(
                place,
                "at least one sample and one feature",
                format!("[{n}, {d}]"),
                "",
            ));
        }
        same("labels", &[n], &[labels.len()])?;
        let mirror =
            raw.mirror.map(|(shape, values)| matrix(shape, values, place, "mirror")).transpose()?;
        if let Some(mirror) = &mirror {
            same("mirror", &[n, d], mirror.shape())?;
        }
        let views = raw.views.map(|(shape, values)| -> Result<_> {
            same("views", &[shape.first().copied().unwrap_or(0).max(1), n, d], &shape)?;
            Array3::from_shape_vec((shape[0], n, d), values)
                .map_err(|error| Error::data(place, "views [V, N, D]", error, ""))
        });
        let features = Self {
            plain,
            views: views.transpose()?,
            mirror,
            labels,
            class_names: raw.class_names,
            provenance: raw.provenance.unwrap_or_else(|| place.to_owned()),
        };
        features.check_finite(place)?;
        Ok(features)
    }

    fn check_finite(&self, place: &str) -> Result<()> {
        let views = self.views.iter().flat_map(|views| views.axis_iter(Axis(0)));
        let matrices = [("features", self.plain.view())].into_iter();
        let mirror = self.mirror.iter().map(|m| ("mirror", m.view()));
        for (what, matrix) in matrices.chain(mirror).chain(views.map(|v| ("views", v))) {
            for (row, values) in matrix.rows().into_iter().enumerate() {
                if let Some(column) = values.iter().position(|v| !v.is_finite()) {
                    return Err(Error::data(
                        format!("{place}: {what}, row {row}, column {column}"),
                        "a finite number within f32",
                        values[column],
                        "drop the row, or find out which image makes the backbone overflow",
                    ));
                }
            }
        }
        Ok(())
    }

    /// N.
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    /// Never: a set has at least one sample.
    pub fn is_empty(&self) -> bool {
        self.labels.is_empty()
    }

    /// D.
    pub fn dim(&self) -> usize {
        self.plain.ncols()
    }

    /// SHA-256 of everything that training and scoring see, in hexadecimal.
    pub fn sha256(&self) -> String {
        let mut hash = Sha256::new();
        let mut add = |values: &mut dyn Iterator<Item = &f32>| {
            for value in values {
                hash.update(value.to_le_bytes());
            }
        };
        add(&mut self.plain.iter());
        if let Some(views) = &self.views {
            add(&mut views.iter());
        }
        if let Some(mirror) = &self.mirror {
            add(&mut mirror.iter());
        }
        for label in &self.labels {
            hash.update(label.to_le_bytes());
        }
        let shape = [self.len(), self.dim(), usize::from(self.mirror.is_some())];
        hash.update(format!("{shape:?}"));
        hash.finalize().iter().fold(String::new(), |hex, byte| format!("{hex}{byte:02x}"))
    }

    /// The set as evaluation sees it.
    pub fn evaluation_set(&self) -> EvaluationSet<'_> {
        EvaluationSet {
            features: self.plain.view(),
            mirror: self.mirror.as_ref().map(|mirror| mirror.view()),
            labels: &self.labels,
            rows: None,
        }
    }
}

fn matrix(shape: Vec<usize>, values: Vec<f32>, place: &str, what: &str) -> Result<Array2<f32>> {
    let &[n, d] = shape.as_slice() else {
        let found = format!("{} dimensions {shape:?}", shape.len());
        return Err(Error::data(format!("{place}: {what}"), "two dimensions [N, D]", found, ""));
    };
    Array2::from_shape_vec((n, d), values)
        .map_err(|error| Error::data(place, format!("{what} [N, D]"), error, ""))
}

fn read_labels(path: &Path) -> Result<Vec<u32>> {
    if path.extension().is_some_and(|e| e == "npy") {
        let bytes = fs_err::read(path)?;
        let place = path.display().to_string();
        return npy::parse(&bytes, &place)?.labels(&place);
    }
    let text = fs_err::read_to_string(path)?;
    text.lines()
        .filter(|line| !line.trim().is_empty())
        .enumerate()
        .map(|(row, line)| {
            decode::label_text(line.trim(), &format!("{} row {row}", path.display()))
        })
        .collect()
}
