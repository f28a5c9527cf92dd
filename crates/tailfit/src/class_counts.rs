//! How many training samples each class has.

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

/// How many training samples each class has: n₀, …, n₍K₋₁₎, all at least 1.
///
/// This is the only statistic of the training set that long-tail methods share, so it is
/// passed around on its own rather than with the data set.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Vec<usize>", into = "Vec<usize>")]
pub struct ClassCounts(Vec<usize>);

impl ClassCounts {
    /// Checks the counts.
    ///
    /// # Errors
    ///
    /// If there are fewer than two classes, or a class has no samples.
    pub fn new(counts: Vec<usize>) -> Result<Self> {
        if counts.len() < 2 {
            return Err(Error::data("class counts", "at least 2 classes", counts.len(), ""));
        }
        let empty: Vec<usize> = (0..counts.len()).filter(|&k| counts[k] == 0).collect();
        if empty.is_empty() {
            return Ok(Self(counts));
        }
        let named = empty.iter().take(8).map(ToString::to_string).collect::<Vec<_>>().join(", ");
        let more = if empty.len() > 8 { ", …" } else { "" };
        Err(Error::data(
            "training labels",
            format!("at least one training sample for each of {} classes", counts.len()),
            format!("none for {} of them: class {named}{more}", empty.len()),
            "number the classes 0, 1, 2, … without gaps, or drop the empty classes from every set",
        ))
    }

    /// Counts the labels of a training set with `n_classes` classes.
    ///
    /// # Errors
    ///
    /// As for [`ClassCounts::new`], and if a label is not below `n_classes`.
    pub fn from_labels(labels: &[u32], n_classes: usize) -> Result<Self> {
        let mut counts = vec![0; n_classes];
        for (row, &label) in labels.iter().enumerate() {
            *counts.get_mut(label as usize).ok_or_else(|| {
                Error::data(
                    format!("training labels, row {row}"),
                    format!("a class below {n_classes}"),
                    label,
                    "",
                )
            })? += 1;
        }
        Self::new(counts)
    }

    /// K, the number of classes.
    pub fn n_classes(&self) -> usize {
        self.0.len()
    }

    /// N, the number of training samples.
    pub fn total(&self) -> usize {
        self.0.iter().sum()
    }

    /// The counts, `[K]`.
    pub fn as_slice(&self) -> &[usize] {
        &self.0
    }

    /// Class frequencies πₖ = nₖ / N, `[K]`.
    pub fn frequencies(&self) -> Vec<f64> {
        let total = self.total() as f64;
        self.0.iter().map(|&n| n as f64 / total).collect()
    }

    /// Imbalance ratio max n / min n, at least 1.
    pub fn imbalance_ratio(&self) -> f64 {
        let max = self.0.iter().max().copied().unwrap_or(1);
        let min = self.0.iter().min().copied().unwrap_or(1);
        max as f64 / min as f64
    }

    /// Class ids from most to least frequent; ties are broken by id.
    pub fn by_frequency(&self) -> Vec<usize> {
        let mut order: Vec<usize> = (0..self.0.len()).collect();
        order.sort_by_key(|&class| std::cmp::Reverse(self.0[class]));
        order
    }
}

impl TryFrom<Vec<usize>> for ClassCounts {
    type Error = Error;

    fn try_from(counts: Vec<usize>) -> Result<Self> {
        Self::new(counts)
    }
}

impl From<ClassCounts> for Vec<usize> {
    fn from(counts: ClassCounts) -> Self {
        counts.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_frequencies_and_ratio() {
        let counts = ClassCounts::from_labels(&[0, 2, 0, 1, 0], 3).unwrap();
        assert_eq!(counts.as_slice(), [3, 1, 1]);
        assert_eq!(counts.frequencies(), [0.6, 0.2, 0.2]);
        assert_eq!(counts.imbalance_ratio(), 3.0);
        assert_eq!(counts.by_frequency(), [0, 1, 2]);
    }

    #[test]
    fn an_empty_class_is_named() {
        let error = ClassCounts::from_labels(&[0, 2], 3).unwrap_err().to_string();
        assert!(error.contains("class 1"), "{error}");
    }
}
