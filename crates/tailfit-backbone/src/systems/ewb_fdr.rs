//! EWB-FDR: a fixed head, and features kept short.

use serde::{Deserialize, Serialize};
use tailfit::class_counts::ClassCounts;
use tailfit::error::Result;
use tch::Tensor;

use super::{AnySystem, Step, System, log_prior, needs, not_negative};
use crate::heads::{HeadLayer, LinearMap};
use crate::network::Network;
use crate::recipe::BackboneRecipe;

/// Weight balancing in one stage: a fixed equiangular head (`fixed-etf`), and the recipe's loss plus
/// feature_decay / 2 · mean ‖x‖². Predictions multiply logit k by πₖ^−strength. The authors' L2 term on
/// all weights is the recipe's `weight_decay`, which has the same gradient.
///
/// Source: Hasegawa and Sato, "Exploring Weight Balancing on Long-Tailed Recognition Problem", ICLR
/// 2024 (`utils/regularizers.py`, `utils/model_units.py`).
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EwbFdr {
    /// Weight of the penalty on features; the authors' is 0.01.
    pub feature_decay: f64,
    /// Exponent of the prior at test time, chosen on validation images: 0.65 for CIFAR-100, 1.6 for
    /// CIFAR-10.
    pub strength: f64,
}

impl System for EwbFdr {
    fn check(&self, recipe: &BackboneRecipe) -> Result<()> {
        not_negative("system.feature_decay", self.feature_decay)?;
        not_negative("system.strength", self.strength)?;
        if recipe.head != HeadLayer::FixedEtf {
            return Err(needs("head", "fixed-etf", crate::checkpoint::named(&recipe.head)));
        }
        Ok(())
    }

    fn cost(&self, step: &Step<'_>) -> Tensor {
        let features = step.features(0);
        step.loss(&step.network.logits(&features), 0) + penalty(&features, self.feature_decay)
    }

    fn prediction(&self, network: &Network, counts: &ClassCounts) -> Option<LinearMap> {
        let LinearMap { weight, bias } = network.head_map();
        let factors = (log_prior(counts, &weight) * -self.strength).exp();
        let bias = bias.map(|bias| bias * &factors);
        Some(LinearMap { weight: weight * factors.unsqueeze(1), bias })
    }

    fn with_strength(&self, strength: f64) -> Option<AnySystem> {
        Some(AnySystem::EwbFdr(Self { strength, ..*self }))
    }
}

/// decay / 2 · mean ‖x‖² of features `[B, D]`.
fn penalty(features: &Tensor, decay: f64) -> Tensor {
    let squares = features * features;
    squares.sum(features.kind()) * (decay / 2.0 / features.size()[0] as f64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::golden::{cases, close, numbers, tensor};

    #[test]
    fn the_penalty_is_the_authors() {
        let case = cases("pair_losses.json", "loss", "feature_norm").remove(0);
        let features = tensor(&case["inputs"]["features"]).set_requires_grad(true);
        let value = penalty(&features, case["params"]["coefficient"].as_f64().unwrap());
        close("value", &value, &numbers(&case["value"]), 1e-12);
        value.backward();
        close("gradient", &features.grad(), &numbers(&case["grad"]["features"]), 1e-12);
    }

    #[test]
    fn multiplied_logits_are_the_authors() {
        let shared = &crate::golden::golden("heads.json")["shared"];
        let counts: Vec<usize> =
            crate::golden::labels(&shared["counts"]).into_iter().map(|n| n as usize).collect();
        let counts = ClassCounts::new(counts).unwrap();
        let factors = |strength: f64, like: &Tensor| (log_prior(&counts, like) * -strength).exp();
        let mut n = 0;
        for case in cases("heads.json", "kind", "posthoc_la") {
            if case["params"]["additive"] != false {
                continue;
            }
            let (logits, tau) = (tensor(&case["inputs"]["logits"]), case["params"]["tau"].as_f64());
            let got = &logits * factors(tau.unwrap(), &logits);
            close("logits", &got, &numbers(&case["outputs"]["logits"]), 1e-12);
            n += 1;
        }
        assert_eq!(n, 3);
    }
}
