//! TDE: a causal classifier, without the direction that features share at test time.

use serde::{Deserialize, Serialize};
use tailfit::class_counts::ClassCounts;
use tailfit::error::Result;
use tch::Tensor;

use super::{AnySystem, Step, System, needs, not_negative};
use crate::heads::{HeadLayer, LinearMap, in_chunks, normalised};
use crate::network::Network;
use crate::recipe::BackboneRecipe;

/// De-confounded training and the total direct effect. Training is plain, with a causal cosine head,
/// and keeps a moving direction of all features, m ← 0.9 m + mean(x) (its length does not matter). A
/// prediction leaves that direction out, in each chunk h of the features:
///
/// ```text
/// z = scale / H · Σₕ (x̂ₕ − strength · cos(x̂ₕ, m̂ₕ) m̂ₕ) · wₕ/(‖wₕ‖ + 1/32)
/// ```
///
/// which is linear in the normalised chunks x̂ₕ: W (I − strength m̂ m̂ᵀ). Strength 0 is the head as
/// trained. Written from the formulas.
///
/// Source: Tang et al., NeurIPS 2020, eq. 7 to 9. On data sets other than CIFAR the authors' m moves by
/// another factor, and a last batch that is not whole does not move it.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tde {
    /// How much of the shared direction is left out at test time: 1.5 for CIFAR-100, 1 for CIFAR-10,
    /// 3 for ImageNet-LT.
    pub strength: f64,
}

const DIRECTION: &str = "system.direction";

impl System for Tde {
    fn check(&self, recipe: &BackboneRecipe) -> Result<()> {
        not_negative("system.strength", self.strength)?;
        match recipe.head {
            HeadLayer::CausalCosine { .. } => Ok(()),
            other => Err(needs("head", "causal-cosine", crate::checkpoint::named(&other))),
        }
    }

    fn tensors(&self, dim: i64, _n_classes: i64) -> Vec<(&'static str, f64, Vec<i64>)> {
        vec![(DIRECTION, 0.0, vec![dim])]
    }

    fn cost(&self, step: &Step<'_>) -> Tensor {
        let features = step.features(0);
        tch::no_grad(|| {
            let mean = features.mean_dim([0_i64].as_slice(), false, features.kind());
            let mut direction = step.network.parameters().get(DIRECTION).shallow_clone();
            let _ = direction.g_mul_scalar_(0.9).g_add_(&mean);
        });
        step.loss(&step.network.logits(&features), 0)
    }

    fn prediction(&self, network: &Network, _counts: &ClassCounts) -> Option<LinearMap> {
        let HeadLayer::CausalCosine { chunks, .. } = network.head_layer() else { return None };
        let direction = network.parameters().get(DIRECTION);
        let LinearMap { weight, bias } = network.head_map();
        let weight = without(&weight, direction, chunks as i64, self.strength);
        Some(LinearMap { weight, bias })
    }

    fn with_strength(&self, strength: f64) -> Option<AnySystem> {
        Some(AnySystem::Tde(Self { strength }))
    }
}

/// The chunks of weights `[K, D]` without `strength` of their part along a direction `[D]`.
fn without(weight: &Tensor, direction: &Tensor, chunks: i64, strength: f64) -> Tensor {
    let direction = in_chunks(&direction.unsqueeze(0), chunks, |m| normalised(m, 2));
    let along = |w: &Tensor, m: &Tensor| {
        let share = (w * m).sum_dim_intlist([2_i64].as_slice(), true, w.kind());
        w - share * m * strength
    };
    let m = direction.view([1, chunks, -1]);
    in_chunks(weight, chunks, |w| along(w, &m))
}

#[cfg(test)]
mod tests {
    use tailfit::class_counts::ClassCounts;
    use tailfit::losses::{AnyLoss, CrossEntropy, Objective};

    use super::super::Seen;
    use super::*;
    use crate::golden::{cases, close, golden, labels, numbers, tensor};
    use crate::heads::Head;
    use crate::layers::{NormMode, Pass};
    use crate::seam::host_loss;

    /// m ← 0.9 m + mean(x), over all features of a batch.
    #[test]
    fn the_direction_moves() {
        let head = HeadLayer::CausalCosine { chunks: 2, scale: 16.0 };
        let tde = Tde { strength: 1.5 };
        let system = Some(AnySystem::Tde(tde));
        let recipe = BackboneRecipe { head, system, ..BackboneRecipe::default() };
        let network = recipe.network(3, 1, tch::Device::Cpu);
        let pass = Pass { norm: NormMode::Evaluate, bf16: false };
        let counts = ClassCounts::new(vec![1; 3]).unwrap();
        let objective = &Objective::plain(AnyLoss::CrossEntropy(CrossEntropy {}), &counts);
        let mut means = Vec::new();
        for value in [0.3, -0.7] {
            let ramp = Tensor::arange(2 * 3 * 64, (tch::Kind::Float, tch::Device::Cpu)) * value;
            let images = (ramp / 100.0).view([2, 3, 8, 8]);
            means.push(network.features(&images, pass).mean_dim(
                [0_i64].as_slice(),
                false,
                tch::Kind::Float,
            ));
            let seen = &[Seen { images, labels: vec![0, 1] }];
            let (epoch, epochs, network) = (0, 1, &network);
            let step =
                Step { network, pass, trains_features: true, seen, objective, epoch, epochs };
            let _ = tde.cost(&step);
        }
        let wanted = &means[0] * 0.9 + &means[1];
        let wanted = Vec::<f64>::try_from(wanted.to_kind(tch::Kind::Double)).unwrap();
        close("direction", network.parameters().get(DIRECTION), &wanted, 1e-6);
    }

    #[test]
    fn head_and_prediction_are_the_authors() {
        let shared = &golden("heads.json")["shared"];
        let case = cases("heads.json", "kind", "causal_cosine").remove(0);
        let (wanted, shown) = (&case["outputs"], |name: &str| numbers(&case["outputs"][name]));
        let weight = tensor(&shared["W"]).set_requires_grad(true);
        let features = tensor(&shared["features"]).set_requires_grad(true);
        let head = Head::CausalCosine { weight, chunks: 2, scale: 16.0 };
        let logits = head.forward(&features);
        close("training", &logits, &shown("train_logits"), 1e-12);

        let counts = ClassCounts::new(vec![1; logits.size()[1] as usize]).unwrap();
        let objective = Objective::plain(AnyLoss::CrossEntropy(CrossEntropy {}), &counts);
        let loss = host_loss(&objective, &logits, &labels(&shared["labels"]));
        close("value", &loss, &numbers(&wanted["value"]), 1e-12);
        loss.backward();
        let Head::CausalCosine { weight, .. } = &head else { panic!() };
        close("grad W", &weight.grad(), &shown("grad_W"), 1e-12);
        close("grad features", &features.grad(), &shown("grad_features"), 1e-12);

        let direction = tensor(&case["inputs"]["mean_feature"]);
        for (name, strength) in [("test_logits_alpha_1_5", 1.5), ("test_logits_alpha_0", 0.0)] {
            let weight = without(&head.map().weight, &direction, 2, strength);
            let logits = LinearMap { weight, bias: None }.logits(&head.inputs(&features));
            close(name, &logits, &shown(name), 1e-12);
        }
    }
}
