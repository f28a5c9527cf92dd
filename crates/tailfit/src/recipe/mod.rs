//! All of stage 2 as plain data.

mod check;

use serde::{Deserialize, Serialize};

use crate::adjust::{LogitAdjustment, TauNorm};
use crate::class_counts::ClassCounts;
use crate::class_weights::{ClassWeights, Mean};
use crate::constraint::MaxNorm;
use crate::error::{Error, Result, nearest_in_message};
use crate::head::{Head, HeadKind};
use crate::losses::AnyLoss;
use crate::sampler::Sampler;
use crate::schedule::Schedule;
use crate::solver::{RidgeBias, Solver};

/// How a head is re-trained, and what is done to it afterwards.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Recipe {
    /// What looks for the minimum. Everything that steps and batches need (epochs, lr, schedule,
    /// momentum, sampler) means nothing to solvers that reach it.
    #[serde(skip_serializing_if = "is_default")]
    pub solver: Solver,
    /// Certified gap at which [`Solver::Lbfgs`] stops: (F − min F) / (F − F₀) is at most this, with F₀
    /// the entropy of the targets, below which no loss can go.
    #[serde(skip_serializing_if = "is_usual_gap")]
    pub gap: f64,
    /// Bias of [`Solver::Ridge`].
    #[serde(skip_serializing_if = "is_default")]
    pub ridge_bias: RidgeBias,
    /// What a sample costs.
    pub loss: AnyLoss,
    /// Weights of the classes in the loss.
    pub class_weights: ClassWeights,
    /// What a weighted batch is divided by.
    pub mean: Mean,
    /// Epoch (from 0) from which the class weights apply; before it they are 1.
    /// Deferred re-weighting (DRW) of Cao et al., NeurIPS 2019.
    pub defer_weights_to_epoch: usize,
    /// Which samples an epoch sees.
    pub sampler: Sampler,
    /// How logits come from features.
    pub head: HeadKind,
    /// Where training starts.
    pub start: Start,
    /// Bound on the weight norms.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub constraint: Option<MaxNorm>,
    /// Number of epochs; 0 trains nothing.
    pub epochs: usize,
    /// Samples of a batch, B; the last batch of an epoch may be smaller.
    pub batch_size: usize,
    /// Base learning rate.
    pub lr: f64,
    /// Learning rate over the epochs.
    pub schedule: Schedule,
    /// SGD momentum, PyTorch's form: v = momentum v + g, θ = θ − lr v.
    pub momentum: f64,
    /// Nesterov's form of it.
    pub nesterov: bool,
    /// Coupled L2: adds `weight_decay` θ to the gradient.
    pub weight_decay: f64,
    /// Whether weight decay applies to the bias too (it does in PyTorch by default).
    pub decay_bias: bool,
    /// Weight normalisation after training.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub normalise: Option<TauNorm>,
    /// Logit adjustment after training.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub adjustment: Option<LogitAdjustment>,
}

/// [`Recipe::gap`] if nothing is said.
const USUAL_GAP: f64 = 1e-3;

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for a reference")]
fn is_usual_gap(gap: &f64) -> bool {
    *gap == USUAL_GAP
}

/// Weights at which training starts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Start {
    /// The stage-1 head: a warm start.
    #[default]
    #[serde(rename = "stage-1")]
    Stage1,
    /// Zeros.
    Zero,
    /// PyTorch's start of a linear layer, uniform in ±1/√D for weight and bias; for a
    /// cosine head rows of norm 1 in random directions.
    Random,
}

impl Recipe {
    /// Cross-entropy from the stage-1 head with the paper's schedule: 20 epochs, batch
    /// 64, momentum 0.9, cosine. Every method says how it differs from this.
    pub const PLAIN: Self = Self {
        solver: Solver::Sgd,
        gap: USUAL_GAP,
        ridge_bias: RidgeBias::Fitted,
        loss: AnyLoss::CrossEntropy(crate::losses::CrossEntropy {}),
        class_weights: ClassWeights::Uniform,
        mean: Mean::ByBatch,
        defer_weights_to_epoch: 0,
        sampler: Sampler::InstanceBalanced,
        head: HeadKind::Linear,
        start: Start::Stage1,
        constraint: None,
        epochs: 20,
        batch_size: 64,
        lr: 0.01,
        schedule: Schedule::Cosine,
        momentum: 0.9,
        nesterov: false,
        weight_decay: 0.0,
        decay_bias: true,
        normalise: None,
        adjustment: None,
    };

    /// Reads a recipe from TOML; keys left out take the values of [`Recipe::PLAIN`].
    ///
    /// # Errors
    ///
    /// Unknown keys and names (with the nearest valid one) and values out of range.
    pub fn from_toml(text: &str, place: &str) -> Result<Self> {
        let recipe: Self = toml::from_str(text).map_err(|error| {
            let message = error.to_string();
            let hint = nearest_in_message(&message);
            Error::usage(place, "a recipe", message.trim(), hint)
        })?;
        recipe.check()?;
        Ok(recipe)
    }

    /// The recipe with the value at a dotted path, such as `loss.delta`, replaced.
    ///
    /// # Errors
    ///
    /// If there is no such key, or the value does not fit or is out of range.
    pub fn with(&self, path: &str, value: &serde_json::Value) -> Result<Self> {
        let mut tree = serde_json::to_value(self).unwrap_or_default();
        let mut keys: Vec<&str> = path.split('.').collect();
        let last = keys.pop().unwrap_or_default();
        let mut node = &mut tree;
        for key in keys {
            let entry = node
                .as_object_mut()
                .map(|map| map.entry(key).or_insert_with(|| serde_json::json!({})));
            let Some(entry) = entry else { return Err(no_such_key(path)) };
            if entry.is_null() || entry.is_string() {
                *entry = serde_json::json!({});
            }
            node = entry;
        }
        let Some(map) = node.as_object_mut() else { return Err(no_such_key(path)) };
        map.insert(last.to_owned(), value.clone());
        let recipe: Self = serde_json::from_value(tree).map_err(|error| {
            let message = error.to_string();
            let hint = nearest_in_message(&message);
            Error::usage(format!("recipe key `{path}`"), "a valid key and value", message, hint)
        })?;
        recipe.check()?;
        Ok(recipe)
    }

    /// Weight normalisation, then logit adjustment.
    pub fn finish(&self, head: &mut Head, counts: &ClassCounts) {
        if let Some(rule) = self.normalise {
            rule.apply(head);
        }
        if let Some(rule) = self.adjustment {
            rule.apply(head, counts);
        }
    }
}

impl Default for Recipe {
    fn default() -> Self {
        Self::PLAIN
    }
}

fn no_such_key(path: &str) -> Error {
    Error::usage(format!("recipe key `{path}`"), "a key of the recipe", "none of that name", "")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_value_is_set_by_its_dotted_path() {
        let recipe = Recipe::PLAIN.with("loss", &json!({"name": "label-over-smoothing"})).unwrap();
        let recipe = recipe.with("loss.delta", &json!(0.9)).unwrap();
        let recipe = recipe.with("head.cosine.scale", &json!(16)).unwrap();
        let recipe = recipe.with("adjustment.tau", &json!(1.5)).unwrap();
        assert_eq!(recipe.head, HeadKind::Cosine { scale: 16.0 });
        assert_eq!(recipe.adjustment.unwrap().tau, 1.5);
        let toml = toml::to_string(&recipe).unwrap();
        assert_eq!(Recipe::from_toml(&toml, "").unwrap(), recipe, "{toml}");
    }

    #[test]
    fn unknown_keys_names_and_bad_values_are_refused_by_name() {
        let message = |text: &str| Recipe::from_toml(text, "my.toml").unwrap_err().to_string();
        assert!(message("weigth_decay = 1").contains("did you mean `weight_decay`?"));
        assert!(message("loss = { name = 'focall' }").contains("did you mean `focal`?"));
        assert!(message("loss = { name = 'focal', gama = 1 }").contains("did you mean `gamma`?"));
        assert!(message("loss = { name = 'label-over-smoothing', delta = 1 }").contains("< 1"));
        assert!(message("lr = -1").contains("lr: expected"));
        assert!(Recipe::PLAIN.with("loss.delta", &json!(0.5)).is_err());
        assert!(Recipe::PLAIN.with("lr.x", &json!(0.5)).is_err());
    }
}
