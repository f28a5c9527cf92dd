//! Readers that take a path, from bytes; there only when fuzzed.

use crate::error::Result;
use crate::images::{idx, image_lists};

/// A list of images: lines, or iNaturalist's JSON.
///
/// # Errors
///
/// If it is none.
pub fn list(text: &str, is_json: bool) -> Result<()> {
    image_lists::parse(text, is_json, "list").map(|_list| ())
}

/// An IDX file of images (3 dimensions) or labels (1), gzipped or not.
///
/// # Errors
///
/// If it is none.
pub fn idx(bytes: Vec<u8>, zipped: bool, dimensions: usize) -> Result<()> {
    idx::parse(bytes, zipped, dimensions, "idx").map(|_data| ())
}
