//! What the readers of file formats are asked for, and what they return.

use super::stored::Stored;

/// What a reader is told besides the path.
#[derive(Clone, Copy, Debug)]
pub(super) struct Asked {
    /// To map the file, if the format can be left in it.
    pub(super) mapped: bool,
    /// The labels are in a file of their own.
    pub(super) labels_elsewhere: bool,
}

/// The contents of a file before they are checked.
#[derive(Debug, Default)]
pub(super) struct Raw {
    pub(super) features: Option<Stored>,
    pub(super) views: Option<Stored>,
    pub(super) mirror: Option<Stored>,
    pub(super) labels: Option<Vec<u32>>,
    /// Names of the features, `[D]`.
    pub(super) columns: Option<Vec<String>>,
    pub(super) class_names: Option<Vec<String>>,
    pub(super) provenance: Option<String>,
}
