//! What a record says about its data.

use serde::{Deserialize, Serialize};

use super::head_sha256;
use crate::error::Result;
use crate::features::{DataSet, Features};
use crate::metrics::samples_per_class;
use crate::shots::ShotThresholds;

/// What a record says about its data.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DataRecord {
    /// Name, for display and file names.
    pub name: String,
    /// Where the training features came from.
    pub provenance: String,
    /// N, the number of training samples.
    pub n_train: usize,
    /// K, the number of classes.
    pub n_classes: usize,
    /// D, the number of features.
    pub dim: usize,
    /// Number of test samples.
    pub n_test: usize,
    /// Whether every class has the same number of test samples.
    pub test_is_balanced: bool,
    /// Imbalance ratio, max n / min n.
    pub imbalance_ratio: f64,
    /// Boundaries of the shots.
    pub thresholds: ShotThresholds,
    /// Number of many-, medium- and few-shot classes.
    pub shot_sizes: [usize; 3],
    /// Number of augmented training views used; 0 for plain features.
    pub n_views: usize,
    /// Whether test logits are averaged over plain and mirrored images.
    pub mirror: bool,
    /// Where the stage-1 head came from.
    pub stage_1: String,
    /// SHA-256 of the stage-1 head's f32 weights and biases.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stage_1_sha256: Option<String>,
    /// SHA-256 of the training features and labels.
    pub train_sha256: String,
    /// SHA-256 of the test features and labels.
    pub test_sha256: String,
    /// SHA-256 of the validation features and labels.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub validation_sha256: Option<String>,
}

impl DataRecord {
    /// Describes and hashes a data set.
    ///
    /// # Errors
    ///
    /// If features left in their file can no longer be read.
    pub fn of(data: &DataSet) -> Result<Self> {
        let DataSet { train, test, counts, thresholds, .. } = data;
        let per_class = samples_per_class(test.labels.iter().copied(), counts.n_classes());
        Ok(Self {
            name: data.name.clone(),
            provenance: train.provenance.clone(),
            n_train: train.len(),
            n_classes: counts.n_classes(),
            dim: train.dim(),
            n_test: test.len(),
            test_is_balanced: per_class.iter().all(|&n| n == per_class[0]),
            imbalance_ratio: counts.imbalance_ratio(),
            thresholds: *thresholds,
            shot_sizes: thresholds.sizes(counts),
            n_views: train.views.len(),
            mirror: test.mirror.is_some(),
            stage_1: data.stage_1_origin.clone(),
            stage_1_sha256: data.stage_1.as_ref().map(|file| head_sha256(&file.head)),
            train_sha256: train.sha256()?,
            test_sha256: test.sha256()?,
            validation_sha256: data.validation.as_ref().map(Features::sha256).transpose()?,
        })
    }
}
