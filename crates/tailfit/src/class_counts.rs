//! How many training samples each class has.

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

/// How many training samples each class has: n₀, …, n₍K₋₁₎, all at least 1.
///
/// This is the only statistic of the training set that long-tail methods share, so it is
/// passed around on its own rather than with the data set. Where samples have weights, priors and
/// class weights go by the sums of the weights, so that a weight of 2 is the sample twice.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Vec<usize>", into = "Vec<usize>")]
pub struct ClassCounts {
    samples: Vec<usize>,
    /// The sum of each class's sample weights, if samples have weights.
    sums: Option<Vec<f64>>,
}

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
            return Ok(Self { samples: counts, sums: None });
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

    /// The same for samples with weights: `weights` are those of the samples with these `labels`.
    ///
    /// # Errors
    ///
    /// If the samples of a class have no weight at all.
    pub(crate) fn with_weights(self, labels: &[u32], weights: &[f64]) -> Result<Self> {
        let mut sums = vec![0.0; self.n_classes()];
        for (&label, weight) in labels.iter().zip(weights) {
            sums[label as usize] += weight;
        }
        if let Some(class) = sums.iter().position(|&sum| sum <= 0.0) {
            let expected = format!("a positive weight for a sample of class {class}");
            let remedy = "drop the class, or give one of its samples a weight";
            return Err(Error::data("sample weights", expected, "only zeros", remedy));
        }
        Ok(Self { sums: Some(sums), ..self })
    }

    /// K, the number of classes.
    pub fn n_classes(&self) -> usize {
        self.samples.len()
    }

    /// N, the number of training samples.
    pub fn total(&self) -> usize {
        self.samples.iter().sum()
    }

    /// The counts, `[K]`.
    pub fn as_slice(&self) -> &[usize] {
        &self.samples
    }

    /// The sums of the samples' weights, `[K]`: the counts where samples have none.
    pub fn weighted(&self) -> Vec<f64> {
        let counts = || self.samples.iter().map(|&n| n as f64).collect();
        self.sums.clone().unwrap_or_else(counts)
    }

    /// Class frequencies πₖ = nₖ / N, `[K]`, by weight where samples have weights.
    pub fn frequencies(&self) -> Vec<f64> {
        let weighted = self.weighted();
        let total: f64 = weighted.iter().sum();
        weighted.into_iter().map(|n| n / total).collect()
    }

    /// Imbalance ratio max n / min n, at least 1.
    pub fn imbalance_ratio(&self) -> f64 {
        let max = self.samples.iter().max().copied().unwrap_or(1);
        let min = self.samples.iter().min().copied().unwrap_or(1);
        max as f64 / min as f64
    }

    /// Class ids from most to least frequent; ties are broken by id.
    pub fn by_frequency(&self) -> Vec<usize> {
        let mut order: Vec<usize> = (0..self.samples.len()).collect();
        order.sort_by_key(|&class| std::cmp::Reverse(self.samples[class]));
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
        counts.samples
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
