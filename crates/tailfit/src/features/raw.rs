//! What the readers of file formats are asked for, and what they return.

use super::labels::Labels;
use super::stored::Stored;

/// What a reader is told besides the file.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Asked<'a> {
    /// The labels are in a file of their own.
    pub(super) labels_elsewhere: bool,
    /// The column of the labels: its name, or its number (from 0) if the columns have no names.
    pub(super) label_column: Option<&'a str>,
    /// The column of the groups, likewise; in files of named arrays, the array.
    pub(super) group_column: Option<&'a str>,
    /// Columns that are features, whatever their names look like.
    pub(super) features: Option<&'a [String]>,
}

/// The contents of a file before they are checked.
#[derive(Debug, Default)]
pub(super) struct Raw {
    pub(super) features: Option<Stored>,
    pub(super) views: Option<Stored>,
    pub(super) mirror: Option<Stored>,
    pub(super) labels: Option<Labels>,
    /// The name of each sample's group.
    pub(super) groups: Option<Vec<String>>,
    /// Names of the features, `[D]`.
    pub(super) columns: Option<Vec<String>>,
    pub(super) class_names: Option<Vec<String>>,
    pub(super) provenance: Option<String>,
}
