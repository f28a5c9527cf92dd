//! The file formats of features.

use std::path::{Path, PathBuf};

use super::archive::Archive;
use super::labels::Labels;
use super::matrix::Storage;
use super::npz::Npz;
use super::raw::{Asked, Raw};
use super::safetensors_file::Tensors;
use super::{Features, csv_file, npy};
use crate::error::{Error, Result, nearest};
use crate::files::Source;

/// A file format: its extension, what it holds, and how it is read.
pub struct Format {
    /// File extension.
    pub extension: &'static str,
    /// What the file must hold.
    pub holds: &'static str,
    pub(super) read: fn(Source, &str, Asked<'_>) -> Result<Raw>,
}

/// Every format, by extension.
pub const FORMATS: &[Format] = &[
    Format {
        extension: "safetensors",
        holds: "features (or X, feats, embeddings, data) [N, D], labels (or y, targets) [N]; \
                optional views [V, N, D], mirror [N, D], groups [N]; optional metadata class_names (JSON list), \
                provenance",
        read: |source, place, asked| {
            Archive::Safetensors(Tensors::open(source, place)?).raw(place, asked)
        },
    },
    Format {
        extension: "npz",
        holds: "arrays of the same names",
        read: |source, place, asked| Archive::Npz(Npz::open(source, place)?).raw(place, asked),
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

/// How files of features are read.
///
/// ```
/// use tailfit::features::{Features, Reading};
///
/// let folder = std::env::temp_dir().join(format!("tailfit-read-{}", std::process::id()));
/// std::fs::create_dir_all(&folder)?;
/// let path = folder.join("birds.csv");
/// std::fs::write(&path, "wing,beak,species\n3.5,1,owl\n2.5,4,emu\n")?;
/// let reading = Reading { label_column: Some("species"), ..Reading::default() };
/// let features = Features::read(&[path], &reading)?;
/// assert_eq!(features.labels, [1, 0]);
/// assert_eq!(features.class_names, Some(vec!["emu".to_owned(), "owl".to_owned()]));
/// # std::fs::remove_dir_all(&folder).ok();
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Reading<'a> {
    /// Files of labels (npy, or text with one label a line), one for each file of features; empty
    /// if the labels are in the same files.
    pub labels: &'a [PathBuf],
    /// The column of the labels in CSV: its name, or its number from 0 if columns have no names.
    pub label_column: Option<&'a str>,
    /// The column of the groups in CSV, likewise; in files of named arrays the array, `groups` if not
    /// given.
    pub group_column: Option<&'a str>,
    /// The number of the first class.
    pub label_base: u32,
    /// What is held in memory.
    pub storage: Storage,
}

impl Default for Reading<'_> {
    fn default() -> Self {
        Self {
            labels: &[],
            label_column: None,
            group_column: None,
            label_base: 0,
            storage: Storage::MEMORY,
        }
    }
}

impl Features {
    /// Reads files in any of the [`FORMATS`], chosen by their extensions: the samples of the first,
    /// then those of the second, and so on. Labels that are names are numbered in the order of the
    /// names, as scikit-learn does it; see [`Features::in_classes_of`]. Large matrices are left in
    /// their files, as [`Reading::storage`] says, if they are stored uncompressed and row-major:
    /// safetensors, or npy in C order.
    ///
    /// # Errors
    ///
    /// If a file cannot be read, is damaged, has parts that do not match, or contains NaN or
    /// infinite features. The message names the file, the place in it, and what was expected and
    /// found.
    pub fn read(paths: &[PathBuf], reading: &Reading<'_>) -> Result<Self> {
        if !reading.labels.is_empty() && reading.labels.len() != paths.len() {
            let expected = format!("{} files of labels, one for each of features", paths.len());
            return Err(
                Error::usage("labels", expected, reading.labels.len(), "").answered_by("labels")
            );
        }
        let asked = Asked {
            labels_elsewhere: !reading.labels.is_empty(),
            label_column: reading.label_column,
            group_column: reading.group_column,
            features: None,
        };
        let raw = |(file, path): (usize, &PathBuf)| -> Result<(Raw, String)> {
            let format = format_of(path)?;
            let place = path.display().to_string();
            let mut raw = (format.read)(Source::open(path, reading.storage.mmap)?, &place, asked)?;
            if let Some(labels) = reading.labels.get(file) {
                raw.labels = Some(read_labels(labels)?);
            }
            Ok((raw, place))
        };
        let raws = paths.iter().enumerate().map(raw).collect::<Result<Vec<_>>>()?;
        Self::assemble(raws, reading)
    }

    /// Reads one file, with its labels in a second one if given, into memory.
    ///
    /// # Errors
    ///
    /// As for [`Features::read`].
    pub fn load(path: &Path, labels: Option<&Path>) -> Result<Self> {
        Self::open(path, labels, Storage::MEMORY)
    }

    /// As [`Features::load`], but may leave large matrices in their file.
    ///
    /// # Errors
    ///
    /// As for [`Features::read`].
    pub fn open(path: &Path, labels: Option<&Path>, storage: Storage) -> Result<Self> {
        let labels: Vec<PathBuf> = labels.into_iter().map(Path::to_owned).collect();
        let reading = Reading { labels: &labels, storage, ..Reading::default() };
        Self::read(&[path.to_owned()], &reading)
    }

    /// Reads a file that is already in memory, in the format of this extension; `place` stands for
    /// its name in messages.
    ///
    /// # Errors
    ///
    /// As for [`Features::read`].
    pub fn from_bytes(bytes: Vec<u8>, extension: &str, place: &str) -> Result<Self> {
        let format = format_of(Path::new(&format!("{place}.{extension}")))?;
        let raw = (format.read)(Source::Memory(bytes), place, Asked::default())?;
        Self::assemble(vec![(raw, place.to_owned())], &Reading::default())
    }
}

/// The format of a file by its extension, in any case; tsv is csv.
pub(super) fn format_of(path: &Path) -> Result<&'static Format> {
    let extension = path.extension().and_then(|e| e.to_str()).unwrap_or_default().to_lowercase();
    let name = if extension == "tsv" { "csv" } else { extension.as_str() };
    FORMATS.iter().find(|format| format.extension == name).ok_or_else(|| {
        let known: Vec<&str> = FORMATS.iter().map(|f| f.extension).collect();
        let hint = nearest(name, known.iter().copied());
        let remedy = match name {
            "" => "",
            "pt" | "pth" | "bin" | "pkl" | "pickle" | "joblib" | "ckpt" => {
                "pickles are not read; in Python: np.savez('x.npz', features=np.asarray(x), labels=y)"
            }
            _ if hint.is_empty() => "in Python: np.savez('x.npz', features=x, labels=y)",
            _ => &hint,
        };
        let expected = format!("a file ending in one of {}", known.join(", "));
        let found = if name.is_empty() { "no extension" } else { &extension };
        Error::usage(path.display(), expected, found, remedy)
    })
}

fn read_labels(path: &Path) -> Result<Labels> {
    let place = path.display().to_string();
    if path.extension().is_some_and(|e| e == "npy") {
        let mut labels = npy::parse(Source::Memory(fs_err::read(path)?), &place)?;
        labels.place += ": labels";
        return labels.labels();
    }
    let text = String::from_utf8_lossy(&fs_err::read(path)?).into_owned();
    // Editors put a mark of the byte order before it.
    let text = text.trim_start_matches('\u{feff}');
    let lines: Vec<String> =
        text.lines().map(|line| line.trim().to_owned()).filter(|line| !line.is_empty()).collect();
    Labels::from_text(lines, |row| format!("{place} row {row}"))
}
