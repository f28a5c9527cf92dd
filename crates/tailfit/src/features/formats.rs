//! The file formats of features.

use std::path::Path;

use super::decode;
use super::matrix::{Matrix, Storage};
use super::raw::{Asked, Raw};
use super::{Features, csv_file, npy, npz, safetensors_file, same};
use crate::error::{Error, Result, nearest};
use crate::files::Source;

/// A file format: its extension, what it holds, and how it is read.
pub struct Format {
    /// File extension.
    pub extension: &'static str,
    /// What the file must hold.
    pub holds: &'static str,
    read: fn(&Path, Asked) -> Result<Raw>,
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
    Format { extension: "npy", holds: "features [N, D]; labels in a second file", read: npy::read },
    Format {
        extension: "csv",
        holds: "one sample a line, separated by commas, semicolons or tabs; the label in the \
                column label (or labels, y, target, class), without a header (or under 0,1,2,…) in \
                the last one",
        read: csv_file::read,
    },
];

impl Features {
    /// Reads a file in any of the [`FORMATS`], chosen by its extension; labels come from a
    /// second file (npy, or text with one label per line) if given.
    ///
    /// # Errors
    ///
    /// If the file cannot be read, is damaged, has parts that do not match, or contains NaN or
    /// infinite features. The message names the file, the place in it, and what was expected and
    /// found.
    pub fn load(path: &Path, labels: Option<&Path>) -> Result<Self> {
        Self::open(path, labels, Storage::MEMORY)
    }

    /// As [`Features::load`], but leaves large matrices in their file if it stores them
    /// uncompressed and row-major: safetensors, or npy in C order.
    ///
    /// # Errors
    ///
    /// As for [`Features::load`].
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
        let asked = Asked { mapped: storage.mmap, labels_elsewhere: labels.is_some() };
        let mut raw = (format.read)(path, asked)?;
        if let Some(labels) = labels {
            raw.labels = Some(read_labels(labels)?);
        }
        Self::assemble(raw, &path.display().to_string(), storage)
    }

    /// Reads a safetensors file that is already in memory.
    ///
    /// # Errors
    ///
    /// As for [`Features::load`].
    pub fn from_safetensors(bytes: &[u8], place: &str) -> Result<Self> {
        let source = Source::Memory(bytes.to_vec());
        Self::assemble(safetensors_file::parse(source, place)?, place, Storage::MEMORY)
    }

    fn assemble(raw: Raw, place: &str, storage: Storage) -> Result<Self> {
        let missing = |what: &str, remedy: &str| Error::data(place, what, "none", remedy);
        let plain = raw.features.ok_or_else(|| missing("an array of features", ""))?;
        let labels = raw.labels.ok_or_else(|| {
            missing("an array of labels", "put them in the same file, or name a second one")
                .answered_by("labels")
        })?;
        let &[n, d] = plain.shape.as_slice() else {
            let found = format!("{} dimensions {:?}", plain.shape.len(), plain.shape);
            return Err(Error::data(&plain.place, "two dimensions [N, D]", found, ""));
        };
        let all = [&Some(&plain), &raw.views.as_ref(), &raw.mirror.as_ref()];
        let size: u64 = all.into_iter().flatten().map(|array| array.size_as_f32()).sum();
        let held = size <= storage.memory;
        let mirror = raw.mirror.map(|mirror| {
            same(&mirror.place, &[n, d], &mirror.shape)?;
            Matrix::of(mirror, held)
        });
        let views = raw.views.map(|views| -> Result<Vec<Matrix>> {
            let n_views = views.shape.first().copied().unwrap_or(0).max(1);
            same(&views.place, &[n_views, n, d], &views.shape)?;
            (0..n_views).map(|view| Matrix::of(views.part(view), held)).collect()
        });
        let (views, mirror) = (views.transpose()?.unwrap_or_default(), mirror.transpose()?);
        let features = Self::checked(Matrix::of(plain, held)?, views, mirror, labels, place)?;
        Ok(Self {
            columns: raw.columns,
            class_names: raw.class_names,
            provenance: raw.provenance.unwrap_or_else(|| place.to_owned()),
            ..features
        })
    }
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
