//! Which images of a balanced set a long-tailed one has.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::{Kept, LongTail, kept_positions};
use crate::class_counts::ClassCounts;
use crate::error::{Error, Result};
use crate::shots::ShotThresholds;

/// A long-tailed training set cut out of a balanced one, and possibly a balanced validation set
/// of images that neither stage is trained on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Split {
    /// How the number of images falls.
    pub rule: LongTail,
    /// Which images stay.
    pub kept: Kept,
    /// Images of each class held out for validation.
    pub validation_per_class: usize,
    /// Training images of each class, `[K]`.
    pub counts: Vec<usize>,
    /// Where shots end.
    pub thresholds: ShotThresholds,
    /// Many-, medium- and few-shot classes.
    pub shot_sizes: [usize; 3],
    /// Where the training images stand in the balanced set: by class, then as selected.
    pub train: Vec<u32>,
    /// Where the validation images stand.
    pub validation: Vec<u32>,
    /// SHA-256 of the training indices joined by commas.
    pub train_sha256: String,
}

impl Split {
    /// Cuts down a set with these labels. With validation images, n_max is what is left of the
    /// smallest class and counts are rounded, as EWB-FDR does (480 and 20 of CIFAR-100's 500);
    /// without, counts are truncated, as everybody else does.
    ///
    /// # Errors
    ///
    /// If a class has no images, or fewer than are to be held out, or the ratio leaves none.
    pub fn cut(
        labels: &[u32],
        n_classes: usize,
        rule: LongTail,
        kept: Kept,
        validation_per_class: usize,
        thresholds: ShotThresholds,
    ) -> Result<Self> {
        if !(rule.imbalance_ratio >= 1.0 && rule.imbalance_ratio.is_finite()) {
            return Err(Error::usage("imbalance ratio", "at least 1", rule.imbalance_ratio, ""));
        }
        let all = ClassCounts::from_labels(labels, n_classes)?;
        let available = all.as_slice().iter().min().copied().unwrap_or(0);
        let n_max = available.saturating_sub(validation_per_class);
        let counts = if validation_per_class > 0 {
            rule.rounded_counts(n_max, n_classes)
        } else {
            rule.counts(n_max, n_classes)
        };
        if let Some(class) = counts.iter().position(|&n| n == 0) {
            let found = format!("none for class {class} of {available} images a class");
            let remedy = "lower the imbalance ratio, or hold out fewer images";
            return Err(Error::usage(
                "split",
                "at least one training image a class",
                found,
                remedy,
            ));
        }
        let mut rows: Vec<Vec<u32>> = vec![Vec::new(); n_classes];
        for (row, &label) in labels.iter().enumerate() {
            rows[label as usize].push(row as u32);
        }
        let wanted: Vec<usize> = counts.iter().map(|n| n + validation_per_class).collect();
        let positions = kept_positions(kept, &wanted, available);
        let (mut train, mut validation) = (Vec::new(), Vec::new());
        for ((rows, positions), &n) in rows.iter().zip(&positions).zip(&counts) {
            let chosen = |part: &[usize]| part.iter().map(|&p| rows[p]).collect::<Vec<u32>>();
            train.extend(chosen(&positions[..n]));
            validation.extend(chosen(&positions[n..]));
        }
        let shot_sizes = thresholds.sizes(&ClassCounts::new(counts.clone())?);
        let train_sha256 = sha256(&train);
        Ok(Self {
            rule,
            kept,
            validation_per_class,
            counts,
            thresholds,
            shot_sizes,
            train,
            validation,
            train_sha256,
        })
    }

    /// Reads a split and checks its hash.
    ///
    /// # Errors
    ///
    /// If it is damaged or was edited.
    pub fn from_json(text: &str, place: &str) -> Result<Self> {
        let split: Self = serde_json::from_str(text).map_err(|error| {
            Error::data(place, "a split as `tailfit split` writes it", error, "")
        })?;
        let found = sha256(&split.train);
        if found != split.train_sha256 {
            let expected = format!("indices with hash {}", split.train_sha256);
            return Err(Error::data(place, expected, found, "was the file edited? make it again"));
        }
        Ok(split)
    }

    /// As [`Split::from_json`] reads it.
    ///
    /// # Panics
    ///
    /// Never: a split is plain data.
    pub fn to_json(&self) -> String {
        serde_json::to_string(self).expect("plain data") + "\n"
    }
}

fn sha256(indices: &[u32]) -> String {
    let text: Vec<String> = indices.iter().map(u32::to_string).collect();
    let digest = Sha256::digest(text.join(","));
    digest.iter().fold(String::new(), |hex, byte| format!("{hex}{byte:02x}"))
}
