//! Everything about one selected trial, as one JSON file.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::{DataRecord, Selection};
use crate::error::{Error, Result};
use crate::files::hex;
use crate::head::Head;
use crate::kernels::Precision;
use crate::metrics::{Accuracy, Evaluation, TestPart};
use crate::recipe::Recipe;
use crate::train::Solution;

/// Version of the record's layout.
pub const FORMAT: u32 = 1;

/// One selected trial: what was done, how it was chosen, what came out. Replaying it
/// gives the same head, byte for byte, on the same instruction set. It holds no times and
/// no paths, so equal runs write equal files.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RunRecord {
    /// [`FORMAT`].
    pub format: u32,
    /// Version of this program.
    pub version: String,
    /// Instruction set of the matrix products.
    pub instruction_set: String,
    /// How the optimum was reached, where the recipe's solver reaches it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub solution: Option<Solution>,
    /// What the products of training were taken in.
    #[serde(default)]
    pub precision: Precision,
    /// The data.
    pub data: DataRecord,
    /// Name of the method.
    pub method: String,
    /// The resolved recipe.
    pub recipe: Recipe,
    /// Seed of batch order, random start and halves.
    pub seed: u64,
    /// Epochs trained of the recipe's schedule: where selection stopped.
    pub epoch: usize,
    /// How trial and epoch were chosen.
    pub selection: SelectionRecord,
    /// Scores on the part of the test set that `selection` names.
    pub evaluation: Evaluation,
    /// Accuracy on the same part after each epoch, from the start (epoch 0) on.
    pub epochs: Vec<Accuracy>,
    /// What choosing trial and epoch on the test set would have claimed.
    pub best_on_test: Claim,
    /// SHA-256 of the head's f32 weights and biases.
    pub head_sha256: String,
}

/// How a trial was chosen.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SelectionRecord {
    /// The rule.
    pub rule: Selection,
    /// Trials it chose from.
    pub n_trials: usize,
    /// Part of the test set the scores are taken on.
    pub scored_on: TestPart,
    /// Whether the scored samples took part in the choice: such a score is too good,
    /// and starred in every table.
    pub optimistic: bool,
}

/// A score that was chosen on the samples it is taken on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Claim {
    /// On the whole test set.
    pub accuracy: Accuracy,
    /// Epochs trained.
    pub epoch: usize,
}

impl RunRecord {
    /// Reads a record.
    ///
    /// # Errors
    ///
    /// If the text is not a record of this format.
    pub fn from_json(text: &str, place: &str) -> Result<Self> {
        let record: Self = serde_json::from_str(text)
            .map_err(|error| Error::data(place, "a run record", error, ""))?;
        if record.format == FORMAT {
            Ok(record)
        } else {
            Err(Error::data(
                place,
                format!("record format {FORMAT}"),
                record.format,
                "use the version that wrote it",
            ))
        }
    }

    /// As pretty JSON with a final line break.
    pub fn to_json(&self) -> String {
        serde_json::to_string_pretty(self).unwrap_or_default() + "\n"
    }
}

/// SHA-256 of a head as it is stored: f32 weight, then bias, then whether features are
/// normalised.
pub fn head_sha256(head: &Head) -> String {
    let mut hash = Sha256::new();
    for value in head.weight.iter().chain(&head.bias) {
        hash.update((*value as f32).to_le_bytes());
    }
    hash.update([u8::from(head.normalise_features)]);
    hex(hash.finalize())
}
