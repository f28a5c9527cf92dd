//! Everything about stage 2, as plain data.

mod adjust;
mod check;
mod conditioning;
mod constraint;
mod cost;
mod ensemble;
mod overlay;
mod sampler;
mod schedule;
mod sgd;
mod solver;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

pub use self::adjust::{AdjustmentForm, BiasRule, LogitAdjustment, TauNorm};
pub use self::conditioning::{Conditioning, Statistics};
pub use self::constraint::{Every, MaxNorm};
pub use self::cost::Cost;
pub use self::ensemble::Ensemble;
pub use self::overlay::{overlay, overlay_toml};
pub use self::sampler::{Sampler, class_aware, mix};
pub use self::schedule::Schedule;
pub use self::sgd::Sgd;
pub use self::solver::{RidgeBias, Solver};
use crate::class_counts::ClassCounts;
use crate::error::{Error, Result};
use crate::head::{Head, HeadKind, Start};

/// How a head is re-trained, and what is done to it afterwards.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Recipe {
    /// The algorithm that minimises the objective. Settings of steps and batches (epochs, lr,
    /// schedule, momentum, sampler) have no effect on solvers that reach the minimum.
    #[serde(skip_serializing_if = "is_default")]
    pub solver: Solver,
    /// Certified gap at which [`Solver::Lbfgs`] stops: (F − min F) / (F − F₀) is at most this,
    /// with F₀ the entropy of the targets, a lower bound on any loss. At least 1e-6, the resolution
    /// of f32; in double precision, any number above 0.
    #[serde(skip_serializing_if = "is_usual_gap")]
    pub gap: f64,
    /// Bias of [`Solver::Ridge`].
    #[serde(skip_serializing_if = "is_default")]
    pub ridge_bias: RidgeBias,
    /// Loss, class weights, mean and deferral.
    #[serde(flatten)]
    pub cost: Cost,
    /// Which samples each epoch sees.
    pub sampler: Sampler,
    /// How the features are seen in training; the finished head is folded back.
    #[serde(skip_serializing_if = "is_default")]
    pub features: Conditioning,
    /// What counts in the statistics of [`Recipe::features`]; no effect on features as they are.
    #[serde(skip_serializing_if = "is_default")]
    pub feature_statistics: Statistics,
    /// How logits are computed from features.
    pub head: HeadKind,
    /// Where training starts.
    pub start: Start,
    /// Bound on the weight norms.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub constraint: Option<MaxNorm>,
    /// Epochs, batch size, learning rate, momentum and weight decay.
    #[serde(flatten)]
    pub sgd: Sgd,
    /// Whether weight decay also applies to the bias, as it does by default in PyTorch.
    pub decay_bias: bool,
    /// Weight normalisation after training.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub normalise: Option<TauNorm>,
    /// Logit adjustment after training.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub adjustment: Option<LogitAdjustment>,
    /// How many times the class vectors (see [`Start::ClassVectors`]) are added to the finished head's
    /// weight: an ensemble with the zero-shot head, folded into one. Features must have norm 1, unless
    /// the head divides by it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub zero_shot: Option<f64>,
    /// Whether the log of the encoder's own prior, estimated on the training samples, is subtracted from
    /// the zero-shot head's logits before they are added.
    #[serde(skip_serializing_if = "is_default")]
    pub zero_shot_debiased: bool,
    /// Number of heads, 1 to 1000, whose average is the head: each is trained with a seed of its own, so that
    /// their random orders and starts average out.
    #[serde(skip_serializing_if = "is_one")]
    pub runs: usize,
    /// Another head that is averaged with it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ensemble: Option<Ensemble>,
}

/// Most parts that a dotted key may have.
const DEEPEST: usize = 8;

/// Default of [`Recipe::gap`].
const USUAL_GAP: f64 = 1e-3;

/// Keys that are omitted when a recipe is written with their default value.
const OPTIONAL: [&str; 12] = [
    "solver",
    "gap",
    "ridge_bias",
    "features",
    "feature_statistics",
    "constraint",
    "normalise",
    "adjustment",
    "zero_shot",
    "zero_shot_debiased",
    "runs",
    "ensemble",
];

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_one(n: &usize) -> bool {
    *n == 1
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_usual_gap(gap: &f64) -> bool {
    *gap == USUAL_GAP
}

impl Recipe {
    /// Cross-entropy from the stage-1 head with the paper's schedule: 20 epochs, batch
    /// size 64, momentum 0.9, cosine. Every method is defined by how it differs from this.
    pub const PLAIN: Self = Self {
        solver: Solver::Sgd,
        gap: USUAL_GAP,
        ridge_bias: RidgeBias::Fitted,
        cost: Cost::PLAIN,
        sampler: Sampler::InstanceBalanced,
        features: Conditioning::AsIs,
        feature_statistics: Statistics::Samples,
        head: HeadKind::Linear,
        start: Start::Stage1,
        constraint: None,
        sgd: Sgd {
            epochs: 20,
            batch_size: 64,
            lr: 0.01,
            schedule: Schedule::Cosine,
            momentum: 0.9,
            nesterov: false,
            weight_decay: 0.0,
        },
        decay_bias: true,
        normalise: None,
        adjustment: None,
        zero_shot: None,
        zero_shot_debiased: false,
        runs: 1,
        ensemble: None,
    };

    /// Reads a recipe from TOML; omitted keys take their values from [`Recipe::PLAIN`].
    ///
    /// # Errors
    ///
    /// On unknown keys and names (the message gives the nearest valid one) and values out of range.
    pub fn from_toml(text: &str, place: &str) -> Result<Self> {
        let recipe = overlay_toml(&Self::PLAIN, text, &OPTIONAL, place)?;
        recipe.check()?;
        Ok(recipe)
    }

    /// The recipe with these keys replaced.
    ///
    /// # Errors
    ///
    /// As for [`Recipe::from_toml`].
    pub(crate) fn overlaid(&self, changes: &Map<String, Value>, place: &str) -> Result<Self> {
        let recipe = overlay(self, changes, &OPTIONAL, place)?;
        recipe.check()?;
        Ok(recipe)
    }

    /// The recipe with the value at a dotted path, such as `loss.delta`, replaced.
    ///
    /// # Errors
    ///
    /// If there is no such key, or the value is of the wrong type or out of range.
    pub fn with(&self, path: &str, value: &Value) -> Result<Self> {
        // No key is that deep, and serde's trees are walked by recursion.
        if path.split('.').count() > DEEPEST {
            return Err(no_such_key(path));
        }
        let (key, inner) = path.split_once('.').map_or((path, None), |(a, b)| (a, Some(b)));
        let value = match inner {
            None => value.clone(),
            Some(inner) => {
                let tree = serde_json::to_value(self).unwrap_or_default();
                let mut new = tree.get(key).cloned().unwrap_or_default();
                let mut node = &mut new;
                for part in inner.split('.') {
                    if node.is_null() || node.is_string() {
                        *node = json!({});
                    }
                    let Some(map) = node.as_object_mut() else { return Err(no_such_key(path)) };
                    node = map.entry(part).or_insert(Value::Null);
                }
                *node = value.clone();
                new
            }
        };
        self.overlaid(&Map::from_iter([(key.to_owned(), value)]), "recipe")
    }

    /// Weight decay of the bias.
    pub(crate) fn bias_decay(&self) -> f64 {
        if self.decay_bias { self.sgd.weight_decay } else { 0.0 }
    }

    /// Applies weight normalisation, then logit adjustment.
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
        assert!(
            message("wd = 1").contains("there are ") && message("wd = 1").contains("weight_decay")
        );
        let los = Recipe::PLAIN.with("loss.name", &json!("label-over-smoothing"));
        let los = los.and_then(|los| los.with("loss.delta", &json!(0.9))).unwrap();
        let error = los.with("delta", &json!(0.5)).unwrap_err().to_string();
        assert!(error.contains("it belongs to `loss`: `loss.delta`"), "{error}");
        let cosine = Recipe::PLAIN.with("head.cosine.scale", &json!(16)).unwrap();
        let error = cosine.with("scale", &json!(8)).unwrap_err().to_string();
        assert!(error.contains("it belongs to `head`: `head.cosine.scale`"), "{error}");
        let solved = Recipe::PLAIN.with("solver", &json!("lbfgs")).unwrap();
        let error = solved.with("wd", &json!(0)).unwrap_err().to_string();
        assert_eq!(error.matches("solver").count(), 1, "{error}");
    }
}
