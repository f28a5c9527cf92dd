//! Whether sets fit each other.

use std::collections::HashMap;

use super::Features;
use crate::error::{Error, Result};

/// Checks that `other` has the features and classes of `train`.
///
/// # Errors
///
/// If D differs, or a label of `other` is not a class of `train`.
pub fn check_pair(train: &Features, other: &Features, n_classes: usize, name: &str) -> Result<()> {
    if train.dim() != other.dim() {
        return Err(Error::data(
            name,
            format!("{} features per sample, as in training", train.dim()),
            other.dim(),
            "extract both with the same backbone",
        ));
    }
    match other.labels.iter().position(|&label| label as usize >= n_classes) {
        None => Ok(()),
        Some(row) => Err(Error::data(
            format!("{name}: labels, row {row}"),
            format!("a class below {n_classes}, the number of classes in training"),
            other.labels[row],
            "a class that is never trained cannot be scored; drop it or add training samples",
        )),
    }
}

/// Rows (a, b) of the two sets with exactly the same features; for each row of `b` the
/// first such row of `a`.
pub fn shared_rows(a: &Features, b: &Features) -> Vec<(usize, usize)> {
    let key =
        |row: ndarray::ArrayView1<'_, f32>| row.iter().map(|v| v.to_bits()).collect::<Vec<u32>>();
    let mut rows: HashMap<Vec<u32>, usize> = HashMap::new();
    for (index, row) in a.plain.rows().into_iter().enumerate() {
        rows.entry(key(row)).or_insert(index);
    }
    let found = b.plain.rows().into_iter().enumerate();
    found.filter_map(|(index, row)| rows.get(&key(row)).map(|&first| (first, index))).collect()
}
