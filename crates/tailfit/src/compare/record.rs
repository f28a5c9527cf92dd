//! Everything about one method with one seed, in one JSON file.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::{DataRecord, Effort, Selection};
use crate::error::{Error, Result};
use crate::files::hex;
use crate::head::{Gate, Head};
use crate::kernels::Precision;
use crate::metrics::{Accuracy, Evaluation, TestPart};
use crate::recipe::Recipe;
use crate::train::Solution;

/// Version of the record format.
pub const FORMAT: u32 = 2;

/// One method and seed: what was done, how it was chosen, and what came out. Replaying it on the
/// same instruction set gives the same heads, byte for byte. It contains no times or paths, so
/// equal runs write equal files.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RunRecord {
    /// Version of the record format, [`FORMAT`].
    pub format: u32,
    /// Version of this program.
    pub version: String,
    /// Instruction set of the matrix products.
    pub instruction_set: String,
    /// Number format of the matrix products in training.
    pub precision: Precision,
    /// The data set.
    pub data: DataRecord,
    /// Name of the method.
    pub method: String,
    /// Seed of the batch order, the random start and the halves.
    pub seed: u64,
    /// How trials and epochs were chosen.
    pub selection: SelectionRecord,
    /// The selected heads: one, or with [`Selection::CrossFitted`] one for each half of the test
    /// set, chosen on the other half.
    pub heads: Vec<HeadRecord>,
    /// Scores on the test set, each sample scored once, by the head that `heads` names for it.
    pub evaluation: Evaluation,
    /// Accuracy of the same after each epoch, beginning with the start (epoch 0); a trial with
    /// fewer epochs than the other stays at its last.
    pub epochs: Vec<Accuracy>,
    /// What would have been claimed by choosing the trial and the epoch on the test set; absent in
    /// the record of a replay, which trains no other trials.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub best_on_test: Option<Claim>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_zero(n: &usize) -> bool {
    *n == 0
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_full(effort: &Effort) -> bool {
    *effort == Effort::Full
}

/// One selected head.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HeadRecord {
    /// Part of the test set that it scores.
    pub scored_on: TestPart,
    /// The resolved recipe.
    pub recipe: Recipe,
    /// Number of epochs trained, of the recipe's schedule: the selected epoch.
    pub epoch: usize,
    /// How the optimum was reached, if the recipe's solver reaches it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub solution: Option<Solution>,
    /// Macro accuracy in percent on the validation set, if there is one, or on the folds of
    /// [`Selection::CrossValidated`]: with these selections, what the choice went by.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub validation_percent: Option<f64>,
    /// SHA-256 of the head's f32 weights and biases.
    pub sha256: String,
}

/// How a trial was chosen.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SelectionRecord {
    /// The selection rule.
    pub rule: Selection,
    /// Number of trials chosen from: those of the grid.
    pub n_trials: usize,
    /// Number of further trials beyond the grid's edges, where the best lay.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub n_beyond: usize,
    /// Epochs that heads were trained for by SGD in the search, over all of these trials and the folds if
    /// there are any. Records of earlier versions do not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub head_epochs: Option<usize>,
    /// How much was spent on them.
    #[serde(default, skip_serializing_if = "is_full")]
    pub effort: Effort,
    /// Whether the scored samples took part in the choice. Such a score is too good, and is
    /// starred in every table.
    pub optimistic: bool,
}

/// A score taken on the same samples it was chosen on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Claim {
    /// Accuracy on the whole test set.
    pub accuracy: Accuracy,
    /// Number of epochs trained.
    pub epoch: usize,
}

impl HeadRecord {
    /// The gap at which its solver stopped, if that is larger than the recipe asks for.
    pub fn missed_gap(&self) -> Option<f64> {
        self.solution?.gap.filter(|gap| *gap > self.recipe.gap)
    }
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
        if record.format != FORMAT {
            let expected = format!("record format {FORMAT}");
            let remedy = "use the version that wrote it";
            return Err(Error::data(place, expected, record.format, remedy));
        }
        if record.heads.is_empty() {
            return Err(Error::data(place, "at least one head", "none", ""));
        }
        if record.must_be_optimistic() && !record.selection.optimistic {
            let expected = "a score chosen on its own samples to be marked optimistic";
            return Err(Error::data(place, expected, "false", "was the record edited?"));
        }
        Ok(record)
    }

    /// Whether its rule and its heads say that scored samples took part in a choice.
    fn must_be_optimistic(&self) -> bool {
        let has_epochs = |head: &HeadRecord| head.recipe.course() > 1;
        let chosen = self.selection.n_trials > 1 || self.heads.iter().any(has_epochs);
        let rule = self.selection.rule.rule();
        let of = |head: &HeadRecord| {
            let own = rule.choices.iter().find(|choice| choice.scored_on == head.scored_on);
            own.unwrap_or(&rule.head).is_optimistic()
        };
        chosen && self.heads.iter().any(of)
    }

    /// JSON in one line, ending in a newline, without the readings per class, which a replay of the record gives
    /// again: what is kept of many records.
    pub fn to_short_line(&self) -> String {
        let mut line = serde_json::to_value(self).unwrap_or_default();
        if let Some(evaluation) = line["evaluation"].as_object_mut() {
            for key in ["logits_magnitude", "weight_norms", "centred_weight_norms"] {
                evaluation.remove(key);
            }
        }
        line.to_string() + "\n"
    }

    /// Pretty-printed JSON, ending in a newline.
    pub fn to_json(&self) -> String {
        serde_json::to_string_pretty(self).unwrap_or_default() + "\n"
    }
}

/// SHA-256 of a head as stored: the f32 weight, then the bias, then whether features are
/// normalised, then the centre and the gate if there are any.
pub fn head_sha256(head: &Head) -> String {
    let mut hash = Sha256::new();
    for value in head.weight.iter().chain(&head.bias) {
        hash.update((*value as f32).to_le_bytes());
    }
    hash.update([u8::from(head.normalise_features)]);
    let more = head.centre.iter().flatten().chain(head.gate.iter().flat_map(Gate::values));
    for value in more {
        hash.update((*value as f32).to_le_bytes());
    }
    hex(hash.finalize())
}
