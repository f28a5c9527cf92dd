//! Which images of a data set are used for training.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::{Kept, LongTail, hold_out, kept_positions};
use crate::class_counts::ClassCounts;
use crate::error::{Error, Result};
use crate::files::hex;
use crate::shots::ShotThresholds;

/// A training set, usually a long-tailed one cut out of a balanced one, with an optional balanced
/// validation set of images that neither stage trains on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Split {
    /// How the number of images falls off; none if nothing is cut.
    pub rule: Option<LongTail>,
    /// Which images are kept; none if nothing is cut.
    pub kept: Option<Kept>,
    /// Images per class held out for validation when the split was cut.
    pub validation_per_class: usize,
    /// Training images of each class, `[K]`.
    pub counts: Vec<usize>,
    /// Boundaries of the shots.
    pub thresholds: ShotThresholds,
    /// Number of many-, medium- and few-shot classes.
    pub shot_sizes: [usize; 3],
    /// Indices of the training images in the data set: by class, then in the order selected.
    pub train: Vec<u32>,
    /// Indices of the validation images.
    pub validation: Vec<u32>,
    /// Indices of the images held out of the training images as test images; empty if the data set
    /// has its own.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub test: Vec<u32>,
    /// SHA-256 of the training indices, joined by commas.
    pub train_sha256: String,
    /// The same for the validation indices, if there are any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub validation_sha256: Option<String>,
    /// The same for the test indices, if there are any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub test_sha256: Option<String>,
}

impl Split {
    /// A split that trains on all images.
    ///
    /// # Errors
    ///
    /// If a class has no images.
    pub fn whole(labels: &[u32], n_classes: usize, thresholds: ShotThresholds) -> Result<Self> {
        let counts = ClassCounts::from_labels(labels, n_classes)?;
        let mut train: Vec<u32> = (0..labels.len() as u32).collect();
        train.sort_by_key(|&row| labels[row as usize]);
        Ok(Self::new((None, None), counts, thresholds, train, Vec::new()))
    }

    /// The same split with only the images that satisfy `keep`.
    ///
    /// # Errors
    ///
    /// If a class is left without training images.
    pub fn retain(&self, labels: &[u32], keep: impl Fn(u32) -> bool) -> Result<Self> {
        let kept = |rows: &[u32]| rows.iter().copied().filter(|&row| keep(row)).collect::<Vec<_>>();
        let (train, validation) = (kept(&self.train), kept(&self.validation));
        let test = kept(&self.test);
        let labels: Vec<u32> = train.iter().map(|&row| labels[row as usize]).collect();
        let counts = ClassCounts::from_labels(&labels, self.counts.len())?;
        let split = Self::new((self.rule, self.kept), counts, self.thresholds, train, validation);
        let split = split.with_test(test);
        Ok(Self { validation_per_class: self.validation_per_class, ..split })
    }

    fn new(
        (rule, kept): (Option<LongTail>, Option<Kept>),
        counts: ClassCounts,
        thresholds: ShotThresholds,
        train: Vec<u32>,
        validation: Vec<u32>,
    ) -> Self {
        Self {
            rule,
            kept,
            validation_per_class: 0,
            shot_sizes: thresholds.sizes(&counts),
            counts: counts.as_slice().to_vec(),
            thresholds,
            train_sha256: sha256(&train),
            validation_sha256: (!validation.is_empty()).then(|| sha256(&validation)),
            train,
            validation,
            test: Vec::new(),
            test_sha256: None,
        }
    }

    /// The same with these test images.
    fn with_test(self, test: Vec<u32>) -> Self {
        let test_sha256 = (!test.is_empty()).then(|| sha256(&test));
        Self { test, test_sha256, ..self }
    }

    /// Holds out `percent` of each class, rounded, as test images: at least one of a class of two
    /// or more, and never all. A naturally long-tailed set has no test set of its own, and its
    /// classes keep their proportions in both parts.
    ///
    /// # Errors
    ///
    /// If a class has no images, or `percent` is not between 0 and 100.
    pub fn hold_out(
        labels: &[u32],
        n_classes: usize,
        percent: f64,
        seed: u64,
        thresholds: ShotThresholds,
    ) -> Result<Self> {
        ClassCounts::from_labels(labels, n_classes)?;
        let (train, test) = hold_out(labels, None, n_classes, percent, seed)?;
        let of_train: Vec<u32> = train.iter().map(|&row| labels[row as usize]).collect();
        let counts = ClassCounts::from_labels(&of_train, n_classes)?;
        let split = Self::new((None, None), counts, thresholds, train, Vec::new());
        Ok(split.with_test(test))
    }

    /// Cuts down a set with these labels. With validation images, n_max is what remains of the
    /// smallest class and counts are rounded, as in EWB-FDR (480 and 20 of CIFAR-100's 500);
    /// without, counts are truncated, as everyone else does.
    ///
    /// # Errors
    ///
    /// If a class has no images or too few to hold out, or the ratio leaves a class without any.
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
            let found = format!("none for class {class}, with {available} images per class");
            let remedy = "lower the imbalance ratio, or hold out fewer images";
            return Err(Error::usage(
                "split",
                "at least one training image per class",
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
        let counts = ClassCounts::new(counts)?;
        let split = Self::new((Some(rule), Some(kept)), counts, thresholds, train, validation);
        Ok(Self { validation_per_class, ..split })
    }

    /// Reads a split and checks its hashes.
    ///
    /// # Errors
    ///
    /// If the text is damaged or was edited.
    pub fn from_json(text: &str, place: &str) -> Result<Self> {
        let split: Self = serde_json::from_str(text).map_err(|error| {
            Error::data(place, "a split as `tailfit split` writes it", error, "")
        })?;
        let said = [
            Some(&split.train_sha256),
            split.validation_sha256.as_ref(),
            split.test_sha256.as_ref(),
        ];
        let parts = [&split.train, &split.validation, &split.test];
        for (rows, said) in parts.into_iter().zip(said) {
            let found = sha256(rows);
            if said.is_some_and(|said| *said != found) {
                let expected = format!("indices with hash {}", said.map_or("", String::as_str));
                let remedy = "was the file edited? recreate it";
                return Err(Error::data(place, expected, found, remedy));
            }
        }
        Ok(split)
    }

    /// The JSON that [`Split::from_json`] reads.
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
    hex(Sha256::digest(text.join(",")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::images::Profile;

    #[test]
    fn a_whole_set_and_what_is_left_of_it() {
        let labels = [1, 0, 1, 1, 0];
        let whole = Split::whole(&labels, 2, ShotThresholds::default()).unwrap();
        assert_eq!((&whole.train[..], &whole.counts[..]), (&[1, 4, 0, 2, 3][..], &[2, 3][..]));
        assert_eq!(Split::from_json(&whole.to_json(), "split").unwrap(), whole);
        let left = whole.retain(&labels, |row| row != 2 && row != 4).unwrap();
        assert_eq!((&left.train[..], &left.counts[..]), (&[1, 0, 3][..], &[1, 2][..]));
        assert_ne!(left.train_sha256, whole.train_sha256);
        let none = whole.retain(&labels, |row| labels[row as usize] == 1).unwrap_err().to_string();
        assert!(none.contains("none for 1 of them: class 0"), "{none}");
    }

    #[test]
    fn edited_indices_are_noticed() {
        let labels: Vec<u32> = (0..40).map(|row| row % 4).collect();
        let rule = LongTail { profile: Profile::Exponential, imbalance_ratio: 4.0 };
        let thresholds = ShotThresholds::default();
        let split = Split::cut(&labels, 4, rule, Kept::FirstN, 2, thresholds).unwrap();
        assert_eq!((split.counts[0], split.validation.len()), (8, 8));
        let left_out = split.validation[3];
        let left = split.retain(&labels, |row| row != left_out).unwrap();
        assert_eq!((left.train.len(), left.validation.len()), (split.train.len(), 7));
        assert!(!left.validation.contains(&left_out), "{left:?}");
        let mut edits = [split.clone(), split];
        edits[0].train.swap(0, 1);
        edits[1].validation.swap(0, 1);
        for edited in edits {
            let message = Split::from_json(&edited.to_json(), "split").unwrap_err().to_string();
            assert!(message.contains("split: expected indices with hash"), "{message}");
        }
    }
}
