//! What the readers of file formats return.

use super::stored::Stored;

/// The contents of a file before they are checked.
#[derive(Debug, Default)]
pub(super) struct Raw {
    pub(super) features: Option<Stored>,
    pub(super) views: Option<Stored>,
    pub(super) mirror: Option<Stored>,
    pub(super) labels: Option<Vec<u32>>,
    pub(super) class_names: Option<Vec<String>>,
    pub(super) provenance: Option<String>,
}
