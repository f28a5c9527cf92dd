//! AREA: class weights from how much of feature space a class spans, found anew in every epoch.

use serde::{Deserialize, Serialize};
use tailfit::error::{Error, Result};
use tailfit::losses::ClassWeights;
use tch::{Device, Kind, Tensor};

use super::look::look_at_training_images;
use super::{EpochStart, Step, System, needs};
use crate::recipe::BackboneRecipe;
use crate::seam::host_loss;

/// Effective areas. From an epoch on, before each epoch: the mean μₖ of each class's features over the
/// augmented training images in evaluation mode, then over batches of them
///
/// ```text
/// Aₖ = Σ_batches m² / Σᵢⱼ cos(fᵢ − μₖ, fⱼ − μₖ)     (m samples of class k in the batch; 1 if m = 1)
/// wₖ ∝ 1 / Aₖ,  Σₖ wₖ = K
/// ```
///
/// and the recipe's loss with these weights and its `mean` (the authors': by weight). By construction
/// the areas depend on the batch size, and may exceed the number of images: without augmentation by far,
/// where the images of a rare class in a batch are all there are, and cancel about their own mean.
///
/// Source: Chen et al., ICCV 2023, eq. 6 and 9 (`AREA_cifar.py`, batches of 64).
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Area {
    /// The first epoch (from 0) with weights; the authors' is 160 of 200.
    pub from_epoch: usize,
}

const WEIGHTS: &str = "system.class_weights";

/// Streams of augmentation: the two passes see other views than training does.
const MEANS: usize = 14;
const AREAS: usize = 15;

impl System for Area {
    fn check(&self, recipe: &BackboneRecipe) -> Result<()> {
        if recipe.cost.class_weights != ClassWeights::Uniform {
            let found = crate::checkpoint::named(&recipe.cost.class_weights);
            return Err(needs("class_weights", "uniform, as the system has its own", found));
        }
        if self.from_epoch >= recipe.sgd.epochs {
            let expected = format!("an epoch (from 0) below {}, their number", recipe.sgd.epochs);
            return Err(Error::usage("system.from_epoch", expected, self.from_epoch, ""));
        }
        Ok(())
    }

    fn tensors(&self, _dim: i64, n_classes: i64) -> Vec<(&'static str, f64, Vec<i64>)> {
        vec![(WEIGHTS, 1.0, vec![n_classes])]
    }

    fn before_epoch(&self, start: &EpochStart<'_>) -> Result<()> {
        if start.epoch < self.from_epoch {
            return Ok(());
        }
        let parameters = start.network.parameters();
        let n_classes = start.data.n_classes() as i64;
        let like = (Kind::Double, parameters.device());
        let mut sums = Tensor::zeros([n_classes, start.network.architecture().dim() as i64], like);
        let mut counts = Tensor::zeros([n_classes], like);
        look_at_training_images(start, MEANS, &mut |features, labels| {
            let _ = sums.index_add_(0, &labels, &features);
            let _ = counts.index_add_(0, &labels, &labels.ones_like().to_kind(Kind::Double));
        })?;
        let means = sums / counts.unsqueeze(1);
        let mut areas = Tensor::zeros([n_classes], like);
        look_at_training_images(start, AREAS, &mut |features, labels| {
            areas += batch_areas(&features, &labels, &means);
        })?;
        let weights = weights(&areas).to_kind(parameters.kind());
        tch::no_grad(|| parameters.get(WEIGHTS).shallow_clone().copy_(&weights));
        Ok(())
    }

    fn cost(&self, step: &Step<'_>) -> Tensor {
        let logits = step.network.logits(&step.features(0));
        let weights = step.network.parameters().get(WEIGHTS).to_device(Device::Cpu);
        let weights = Vec::<f64>::try_from(weights.to_kind(Kind::Double)).expect("numbers");
        let objective = step.objective.clone().with_weights(&weights);
        host_loss(&objective, &logits, &step.seen[0].labels)
    }
}

/// The area of each class in a batch, `[K]`, of features `[B, D]`, labels `[B]` and class means `[K, D]`.
fn batch_areas(features: &Tensor, labels: &Tensor, means: &Tensor) -> Tensor {
    let centred = features - means.index_select(0, labels);
    let length = centred.norm_scalaropt_dim(2, [1_i64].as_slice(), true).clamp_min(1e-300);
    let directions = centred / length;
    let same = labels.unsqueeze(0).eq_tensor(&labels.unsqueeze(1)).to_kind(Kind::Double);
    let cosines = directions.matmul(&directions.transpose(0, 1)) * same;
    let each = cosines.sum_dim_intlist([1_i64].as_slice(), false, Kind::Double);
    let none = Tensor::zeros([means.size()[0]], (Kind::Double, means.device()));
    let m = none.index_add(0, labels, &each.ones_like());
    let sums = none.index_add(0, labels, &each);
    (&m * &m / sums.clamp_min(1e-300)).where_self(&m.gt(1.0), &m)
}

fn weights(areas: &Tensor) -> Tensor {
    let raw = areas.reciprocal();
    &raw * (areas.numel() as f64) / raw.sum(Kind::Double)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::golden::{cases, close, labels, numbers, tensor};

    #[test]
    fn areas_and_weights_are_the_authors() {
        let cases = cases("heads.json", "kind", "area");
        let inputs = &cases.iter().find(|case| case["id"] == "area_batch16").unwrap()["inputs"];
        let (features, labels) = (tensor(&inputs["features"]), labels(&inputs["labels"]));
        for case in &cases {
            let k = case["params"]["class_counts"].as_array().unwrap().len() as i64;
            let labels = Tensor::from_slice(&labels);
            let zeros = |shape: &[i64]| Tensor::zeros(shape, (Kind::Double, Device::Cpu));
            let sums = zeros(&[k, features.size()[1]]).index_add(0, &labels, &features);
            let ones = labels.ones_like().to_kind(Kind::Double);
            let means = sums / zeros(&[k]).index_add(0, &labels, &ones).unsqueeze(1);
            close("means", &means, &numbers(&case["outputs"]["class_mean"]), 1e-12);
            let mut areas = zeros(&[k]);
            let batch = case["params"]["batch"].as_i64().unwrap();
            for (rows, labels) in features.split(batch, 0).iter().zip(labels.split(batch, 0)) {
                areas += batch_areas(rows, &labels, &means);
            }
            close("areas", &areas, &numbers(&case["outputs"]["areas_recomputed"]), 1e-9);
            close("weights", &weights(&areas), &numbers(&case["outputs"]["weights"]), 1e-9);
        }
        assert_eq!(cases.len(), 3);
    }
}
