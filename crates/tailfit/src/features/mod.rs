//! Frozen features of a data set, from any of the usual files.

mod check;
mod csv_file;
mod decode;
mod head_file;
mod matrix;
mod npy;
mod npz;
mod safetensors_file;
mod source;
mod stored;

use std::path::Path;

use sha2::{Digest, Sha256};

pub use self::check::{check_pair, shared_rows};
pub(crate) use self::head_file::parse_head;
pub use self::head_file::{HEAD_KEYS, HeadFile, load_head, save_head};
pub use self::matrix::{FileMatrix, Matrix, Storage};
use self::source::Source;
use self::stored::Stored;
use crate::error::{Error, Result, nearest};
use crate::metrics::EvaluationSet;

/// Features `[N, D]` with their labels, and where they came from.
#[derive(Clone, Debug)]
pub struct Features {
    /// Features of the plain images, `[N, D]`.
    pub plain: Matrix,
    /// Augmented views, each `[N, D]`, or none; training goes round them, one per epoch.
    pub views: Vec<Matrix>,
    /// Features of the mirrored images, `[N, D]`; scores average logits over both.
    pub mirror: Option<Matrix>,
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
    /// The second argument: whether to map the file.
    read: fn(&Path, bool) -> Result<Raw>,
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
    features: Option<Stored>,
    views: Option<Stored>,
    mirror: Option<Stored>,
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
        Self::open(path, labels, Storage::MEMORY)
    }

    /// As [`Features::load`], but leaves large matrices in their file, if it holds them as they
    /// are: safetensors, or npy in C order.
    ///
    /// # Errors
    ///
    /// As [`Features::load`].
    pub fn open(path: &Path, labels: Option<&Path>, storage: Storage) -> Result<Self> {
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
        let mut raw = (format.read)(path, storage.mmap)?;
        if let Some(labels) = labels {
            raw.labels = Some(read_labels(labels)?);
        }
        Self::assemble(raw, &path.display().to_string(), storage)
    }

    /// Reads a safetensors file that is already in memory.
    ///
    /// # Errors
    ///
    /// As [`Features::load`].
    pub fn from_safetensors(bytes: &[u8], place: &str) -> Result<Self> {
        let source = Source::Memory(bytes.to_vec());
        Self::assemble(safetensors_file::parse(source, place)?, place, Storage::MEMORY)
    }

    fn assemble(raw: Raw, place: &str, storage: Storage) -> Result<Self> {
        let missing = |what: &str, remedy: &str| Error::data(place, what, "none", remedy);
        let plain = raw.features.ok_or_else(|| missing("an array of features", ""))?;
        let labels = raw.labels.ok_or_else(|| {
            missing(
                "an array of labels",
                "put them in the same file, or name theirs (--train-labels …)",
            )
        })?;
        let &[n, d] = plain.shape.as_slice() else {
            let found = format!("{} dimensions {:?}", plain.shape.len(), plain.shape);
            return Err(Error::data(&plain.place, "two dimensions [N, D]", found, ""));
        };
        if n == 0 || d == 0 {
            let expected = "at least one sample and one feature";
            return Err(Error::data(place, expected, format!("[{n}, {d}]"), ""));
        }
        same(&format!("{place}: labels"), &[n], &[labels.len()])?;
        let all = [&Some(&plain), &raw.views.as_ref(), &raw.mirror.as_ref()];
        let size: u64 = all.into_iter().flatten().map(|array| array.size_as_f32()).sum();
        let held = size <= storage.memory;
        let mirror = raw.mirror.map(|mirror| {
            same(&mirror.place, &[n, d], &mirror.shape)?;
            mirror.held(held)
        });
        let views = raw.views.map(|views| -> Result<Vec<Matrix>> {
            let n_views = views.shape.first().copied().unwrap_or(0).max(1);
            same(&views.place, &[n_views, n, d], &views.shape)?;
            (0..n_views).map(|view| views.part(view).held(held)).collect()
        });
        let features = Self {
            plain: plain.held(held)?,
            views: views.transpose()?.unwrap_or_default(),
            mirror: mirror.transpose()?,
            labels,
            class_names: raw.class_names,
            provenance: raw.provenance.unwrap_or_else(|| place.to_owned()),
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
        self.plain.dim()
    }

    /// SHA-256 of everything that training and scoring see, in hexadecimal.
    ///
    /// # Errors
    ///
    /// If features left in their file cannot be read any more.
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
        Ok(hash.finalize().iter().fold(String::new(), |hex, byte| format!("{hex}{byte:02x}")))
    }

    /// The same with everything in memory.
    ///
    /// # Errors
    ///
    /// If the file cannot be read any more.
    pub fn into_memory(self) -> Result<Self> {
        Ok(Self {
            plain: self.plain.into_memory()?,
            views: self.views.into_iter().map(Matrix::into_memory).collect::<Result<_>>()?,
            mirror: self.mirror.map(Matrix::into_memory).transpose()?,
            ..self
        })
    }

    /// The set as evaluation sees it.
    ///
    /// # Errors
    ///
    /// If it is left in its file; see [`Features::into_memory`].
    pub fn evaluation_set(&self) -> Result<EvaluationSet<'_>> {
        Ok(EvaluationSet {
            features: self.plain.in_memory()?,
            mirror: self.mirror.as_ref().map(Matrix::in_memory).transpose()?,
            labels: &self.labels,
            rows: None,
        })
    }
}

fn same(place: &str, expected: &[usize], found: &[usize]) -> Result<()> {
    if expected == found {
        return Ok(());
    }
    Err(Error::data(place, format!("shape {expected:?}"), format!("{found:?}"), ""))
}

fn read_labels(path: &Path) -> Result<Vec<u32>> {
    if path.extension().is_some_and(|e| e == "npy") {
        let place = path.display().to_string();
        let mut labels = npy::parse(Source::Memory(fs_err::read(path)?), &place)?;
        labels.place += ": labels";
        return labels.labels();
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
