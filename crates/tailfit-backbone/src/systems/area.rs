//! AREA: class weights from how much of feature space a class spans, found anew in every epoch.

use serde::{Deserialize, Serialize};
use tailfit::error::Result;
use tailfit::losses::ClassWeights;
use tch::{Kind, Tensor};

use super::{EpochStart, Step, System, needs};
use crate::recipe::BackboneRecipe;
use crate::seam::host_loss;
use crate::streams::look_at_training_images;

/// Effective areas. From an epoch on, before each epoch: the mean μₖ of each class's features over the
/// augmented training images in evaluation mode, then over batches of them
///
/// ```text
/// Aₖ = Σ_batches m² / Σᵢⱼ cos(fᵢ − μₖ, fⱼ − μₖ)     (m samples of class k in the batch; 1 if m = 1)
/// wₖ ∝ 1 / Aₖ,  Σₖ wₖ = K
/// ```
///
/// and the recipe's loss with these weights and its `mean` (the authors': by weight). The areas depend on the batch size by construction.
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
        let mut counts = Tensor::zeros([n_classes, 1], like);
        look_at_training_images(start, MEANS, &mut |features, classes| {
            sums += classes.transpose(0, 1).matmul(&features);
            counts += classes.sum_dim_intlist([0_i64].as_slice(), false, Kind::Double).unsqueeze(1);
        })?;
        let means = sums / counts;
        let mut areas = Tensor::zeros([n_classes], like);
        look_at_training_images(start, AREAS, &mut |features, classes| {
            areas += batch_areas(&features, &classes, &means);
        })?;
        let weights = weights(&areas).to_kind(parameters.kind());
        tch::no_grad(|| parameters.get(WEIGHTS).shallow_clone().copy_(&weights));
        Ok(())
    }

    fn cost(&self, step: &Step<'_>) -> Tensor {
        let logits = step.network.logits(&step.features(0));
        let weights = step.network.parameters().get(WEIGHTS).to_kind(Kind::Double);
        let weights = Vec::<f64>::try_from(&weights).unwrap_or_default();
        let objective = step.objective.clone().with_weights(&weights);
        host_loss(&objective, &logits, &step.seen[0].labels)
    }
}

/// The area of each class in a batch, `[K]`, of features `[B, D]`, classes `[B, K]` as zeros and ones,
/// and means `[K, D]`. Σᵢⱼ cos is the squared length of the sum of directions.
fn batch_areas(features: &Tensor, classes: &Tensor, means: &Tensor) -> Tensor {
    let centred = features - classes.matmul(means);
    let length = centred.norm_scalaropt_dim(2, [1_i64].as_slice(), true).clamp_min(1e-300);
    let sums = classes.transpose(0, 1).matmul(&(centred / length));
    let squares = (&sums * &sums).sum_dim_intlist([1_i64].as_slice(), false, Kind::Double);
    let m = classes.sum_dim_intlist([0_i64].as_slice(), false, Kind::Double);
    (&m * &m / squares.clamp_min(1e-300)).where_self(&m.gt(1.0), &m)
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
            let classes = Tensor::from_slice(&labels).one_hot(k).to_kind(Kind::Double);
            let counts = classes.sum_dim_intlist([0_i64].as_slice(), false, Kind::Double);
            let means = classes.transpose(0, 1).matmul(&features) / counts.unsqueeze(1);
            close("means", &means, &numbers(&case["outputs"]["class_mean"]), 1e-12);
            let mut areas = Tensor::zeros([k], (Kind::Double, tch::Device::Cpu));
            let batch = case["params"]["batch"].as_i64().unwrap();
            for (rows, classes) in features.split(batch, 0).iter().zip(classes.split(batch, 0)) {
                areas += batch_areas(rows, &classes, &means);
            }
            close("areas", &areas, &numbers(&case["outputs"]["areas_recomputed"]), 1e-9);
            close("weights", &weights(&areas), &numbers(&case["outputs"]["weights"]), 1e-9);
        }
        assert_eq!(cases.len(), 3);
    }
}
