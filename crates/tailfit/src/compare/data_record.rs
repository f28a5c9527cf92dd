//! What a record says about its data.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::head_sha256;
use crate::error::Result;
use crate::features::{DataSet, Features};
use crate::files::hex;
use crate::groups::Groups;
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
    /// Number of groups of test samples, which halves and intervals keep together, if there are any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub test_groups: Option<usize>,
    /// Whether every class has the same number of test samples.
    pub test_is_balanced: bool,
    /// Imbalance ratio, max n / min n.
    pub imbalance_ratio: f64,
    /// Training samples of each class, `[K]`; records of earlier versions have none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub class_counts: Vec<usize>,
    /// Names of the classes, if they are known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub class_names: Option<Vec<String>>,
    /// Boundaries of the shots.
    pub thresholds: ShotThresholds,
    /// Number of many-, medium- and few-shot classes.
    pub shot_sizes: [usize; 3],
    /// Number of the same that have test samples, where some have none: means over a shot are over
    /// these.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tested_shot_sizes: Option<[usize; 3]>,
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
    /// SHA-256 of the class vectors as f64, if there are any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub class_vectors_sha256: Option<String>,
}

impl DataRecord {
    /// Whether both are of the same data, whatever their files are called. Class counts, which records of
    /// earlier versions have none of, follow from the training set.
    pub fn is_same(&self, other: &Self) -> bool {
        let Self { name, provenance, class_counts, .. } = other.clone();
        *other == Self { name, provenance, class_counts, ..self.clone() }
    }

    /// A class by its name, or its number.
    pub fn class_name(&self, class: usize) -> String {
        let names = self.class_names.as_ref();
        names
            .and_then(|names| names.get(class))
            .map_or_else(|| format!("class {class}"), String::clone)
    }

    /// The classes from frequent to rare, equally frequent ones in their order, in `n` groups of nearly equal
    /// size; fewer where there are fewer classes.
    pub fn groups(&self, n: usize) -> Vec<Vec<usize>> {
        let mut order: Vec<usize> = (0..self.class_counts.len()).collect();
        order.sort_by_key(|&class| std::cmp::Reverse(self.class_counts[class]));
        let k = order.len();
        let group = |g: usize| order[g * k / n..(g + 1) * k / n].to_vec();
        (0..n).map(group).filter(|group| !group.is_empty()).collect()
    }

    /// The classes of each shot for a column's header: their number, and how many of them are
    /// tested if not all.
    pub fn shot_headers(&self) -> [String; 3] {
        let tested = self.tested_shot_sizes.unwrap_or(self.shot_sizes);
        let header = |shot: usize| {
            let (name, size) = (["many", "medium", "few"][shot], self.shot_sizes[shot]);
            if tested[shot] == size {
                format!("{name} ({size})")
            } else {
                format!("{name} ({} of {size})", tested[shot])
            }
        };
        [0, 1, 2].map(header)
    }

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
            test_groups: test.groups.as_ref().map(Groups::n_groups),
            test_is_balanced: per_class.iter().all(|&n| n == per_class[0]),
            imbalance_ratio: counts.imbalance_ratio(),
            class_counts: counts.as_slice().to_vec(),
            class_names: train.class_names.clone(),
            thresholds: *thresholds,
            shot_sizes: thresholds.sizes(counts),
            tested_shot_sizes: per_class.contains(&0).then(|| {
                let mut sizes = [0; 3];
                for (&n, &tested) in counts.as_slice().iter().zip(&per_class) {
                    sizes[thresholds.shot(n) as usize] += usize::from(tested > 0);
                }
                sizes
            }),
            n_views: train.views.len(),
            mirror: test.mirror.is_some(),
            stage_1: data.stage_1_origin.clone(),
            stage_1_sha256: data.stage_1.as_ref().map(|file| head_sha256(&file.head)),
            train_sha256: train.sha256()?,
            test_sha256: test.sha256()?,
            validation_sha256: data.validation.as_ref().map(Features::sha256).transpose()?,
            class_vectors_sha256: data.class_vectors.as_ref().map(|vectors| {
                let bytes: Vec<u8> = vectors.iter().flat_map(|v| v.to_le_bytes()).collect();
                hex(Sha256::digest(bytes))
            }),
        })
    }
}
