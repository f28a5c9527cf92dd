//! BBN: a branch for the data as they are and one for the tail, mixed.

use serde::{Deserialize, Serialize};
use tailfit::error::Result;
use tailfit::recipe::Sampler;
use tch::Tensor;

use super::{Step, Stream, System, needs};
use crate::heads::HeadLayer;
use crate::recipe::BackboneRecipe;

/// The bilateral-branch network. Two streams, one by the recipe's sampler through the first branch
/// and one with class probabilities ∝ 1/nₖ through the second; one head on both.
///
/// ```text
/// α = 1 − (e/E)²                                  (epoch e of E, from 0)
/// z = W [2 α f_a ; 2 (1 − α) f_b] + b
/// loss = α L(z, y_a) + (1 − α) L(z, y_b)
/// ```
///
/// Predictions weigh both branches equally, which is α = 1/2.
///
/// Source: Zhou et al., CVPR 2020, eq. 1 to 3 (`lib/core/combiner.py`).
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bbn {}

impl System for Bbn {
    fn check(&self, recipe: &BackboneRecipe) -> Result<()> {
        if recipe.network.branches() != 2 {
            let found = crate::checkpoint::named(&recipe.network);
            return Err(needs("network", "a network with two branches", found));
        }
        if recipe.head != HeadLayer::Linear {
            return Err(needs("head", "linear", crate::checkpoint::named(&recipe.head)));
        }
        Ok(())
    }

    fn streams(&self) -> Vec<Stream> {
        vec![Stream { sampler: Some(Sampler::Power { q: -1.0 }), augmentation: None }]
    }

    fn cost(&self, step: &Step<'_>) -> Tensor {
        let branch = |i: usize| step.network.branch_features(&step.seen[i].images, i, step.pass);
        let alpha = alpha(step.epoch, step.epochs);
        let logits = step.network.logits(&mixed(&branch(0), &branch(1), alpha));
        step.loss(&logits, 0) * alpha + step.loss(&logits, 1) * (1.0 - alpha)
    }
}

fn alpha(epoch: usize, epochs: usize) -> f64 {
    1.0 - (epoch as f64 / epochs as f64).powi(2)
}

fn mixed(a: &Tensor, b: &Tensor, alpha: f64) -> Tensor {
    Tensor::cat(&[a * (2.0 * alpha), b * (2.0 * (1.0 - alpha))], 1)
}

#[cfg(test)]
mod tests {
    use tailfit::class_counts::ClassCounts;
    use tailfit::losses::{AnyLoss, CrossEntropy, Objective};

    use tch::{Device, Kind};

    use super::super::Seen;
    use super::*;
    use crate::architecture::Architecture;
    use crate::golden::{cases, close, labels, numbers, tensor};
    use crate::layers::{NormMode, Pass};
    use crate::seam::host_loss;

    #[test]
    fn mixing_is_the_authors() {
        let cases = cases("pair_losses.json", "loss", "bbn_mix");
        assert_eq!(cases.len(), 4);
        for case in &cases {
            let get = |name: &str| tensor(&case["inputs"][name]).set_requires_grad(true);
            let [a, b, weight, bias] = ["feature_a", "feature_b", "W", "b"].map(get);
            let (epoch, epochs) = (&case["params"]["epoch"], &case["params"]["div_epoch"]);
            let alpha =
                alpha(epoch.as_u64().unwrap() as usize - 1, epochs.as_u64().unwrap() as usize);
            let logits = mixed(&a, &b, alpha).linear(&weight, Some(&bias));
            let counts = ClassCounts::new(vec![1; weight.size()[0] as usize]).unwrap();
            let objective = Objective::plain(AnyLoss::CrossEntropy(CrossEntropy {}), &counts);
            let loss = |name: &str| host_loss(&objective, &logits, &labels(&case["inputs"][name]));
            let loss = loss("labels_a") * alpha + loss("labels_b") * (1.0 - alpha);
            close("value", &loss, &numbers(&case["value"]), 1e-12);
            loss.backward();
            for (name, input) in
                [("feature_a", &a), ("feature_b", &b), ("W", &weight), ("b", &bias)]
            {
                close(name, &input.grad(), &numbers(&case["grad"][name]), 1e-12);
            }
        }
    }

    /// At first only the first stream counts, at the end only the second; in between, the images of
    /// each go through their own branch.
    #[test]
    fn a_step_costs_the_mixture() {
        let recipe = BackboneRecipe { network: Architecture::BbnResnet32, ..Default::default() };
        let network = recipe.network(3, 1, tch::Device::Cpu);
        let pass = Pass { norm: NormMode::Evaluate, bf16: false };
        let image = |value: f64| Tensor::full([1, 3, 8, 8], value, (Kind::Float, Device::Cpu));
        let seen = [(image(0.3), 0), (image(-0.7), 2)]
            .map(|(images, label)| Seen { images, labels: vec![label] });
        let counts = ClassCounts::new(vec![1; 3]).unwrap();
        let objective = &Objective::plain(AnyLoss::CrossEntropy(CrossEntropy {}), &counts);
        let features = |i: usize| network.branch_features(&seen[i].images, i, pass);
        for epoch in [0, 3, 6] {
            let network = &network;
            let step = Step {
                network,
                pass,
                trains_features: true,
                seen: &seen,
                objective,
                epoch,
                epochs: 6,
            };
            let found = Bbn {}.cost(&step).double_value(&[]);
            // 1 − (e / 6)²: 1, 3/4 and 0.
            let alpha = [1.0, 0.75, 0.0][epoch / 3];
            let mixed = [features(0) * (2.0 * alpha), features(1) * (2.0 - 2.0 * alpha)];
            let log = network.logits(&Tensor::cat(&mixed, 1)).log_softmax(1, Kind::Double);
            let of = |class: i64| -log.double_value(&[0, class]);
            let wanted = alpha * of(0) + (1.0 - alpha) * of(2);
            assert!((found - wanted).abs() < 1e-5, "{epoch}: {found} against {wanted}");
        }
    }

    /// Classes of the second stream come up as often as in the authors' sampler.
    #[test]
    fn the_second_stream_is_the_authors() {
        let all = cases("heads.json", "kind", "sampler");
        let case = all.iter().find(|case| case["id"] == "sampler_sample_weights").unwrap();
        let counts = numbers(&case["params"]["class_counts"]);
        let counts: Vec<usize> = counts.into_iter().map(|n| n as usize).collect();
        let sampler = Bbn {}.streams()[0].sampler.unwrap();
        let found = Tensor::from_slice(&sampler.class_probabilities(&counts, 0, 1));
        let wanted = numbers(&case["outputs"]["reverse_class_probability"]);
        close("probabilities", &found, &wanted, 1e-12);
    }

    /// At equal weights the mixture is what is predicted from.
    #[test]
    fn half_and_half_is_concatenation() {
        let (a, b) =
            (Tensor::from_slice(&[1.0, 2.0]).view([1, 2]), Tensor::from_slice(&[3.0]).view([1, 1]));
        close("mixed", &mixed(&a, &b, 0.5), &[1.0, 2.0, 3.0], 0.0);
        assert_eq!([alpha(0, 10), alpha(5, 10)], [1.0, 0.75]);
    }
}
