//! Effective areas of classes, from which class weights can be made.

use ndarray::{Array2, ArrayView1};

use super::Trial;
use super::seen::Seen;
use crate::error::Result;
use crate::losses::ClassWeights;
use crate::numbers::Real;
use crate::recipe::Sampler;

/// The class weights of trials with [`ClassWeights::EffectiveArea`], if there are any. All trials share
/// their batches.
pub(super) fn area_weights<R: Real>(
    seen: &Seen<'_, R>,
    trials: &[&Trial],
) -> Result<Option<Vec<f64>>> {
    let asks = |trial: &&Trial| trial.recipe.cost.class_weights == ClassWeights::EffectiveArea;
    let Some(trial) = trials.iter().find(|trial| asks(trial)) else { return Ok(None) };
    let problem = seen.problem;
    let rows = problem.rows_of_class();
    let order = Sampler::InstanceBalanced.order(&rows, trial.seed, 0, 1);
    seen.find_class_means()?;
    let mut areas = vec![0.0; rows.len()];
    let mut gathered = Vec::new();
    let views = problem.views.len();
    let batches = order.chunks(trial.recipe.sgd.batch_size);
    // The means are of all views, so the areas are too.
    for (view, batch) in batches.flat_map(|batch| (0..views).map(move |view| (view, batch))) {
        seen.gather(view, batch, &mut gathered)?;
        let features = gathered.iter().map(|v| v.to_f64()).collect();
        let features = Array2::from_shape_vec((batch.len(), problem.dim), features);
        let features = features.expect("whole rows");
        let labels: Vec<u32> = batch.iter().map(|&row| problem.labels[row as usize]).collect();
        add_areas(&mut areas, features, &labels, |k| seen.class_mean(k));
    }
    let counts: Vec<f64> = rows.iter().map(|rows| rows.len() as f64).collect();
    let mean: Vec<f64> = areas.into_iter().map(|area| area / views as f64).collect();
    Ok(Some(weights_of(&mean, &counts)))
}

/// wₖ ∝ 1 / Aₖ with Σₖ wₖ = K, no area being below 1 or above the number of the class's samples.
fn weights_of(areas: &[f64], counts: &[f64]) -> Vec<f64> {
    let bounded = areas.iter().zip(counts).map(|(area, count)| area.clamp(1.0, *count));
    let raw: Vec<f64> = bounded.map(f64::recip).collect();
    let factor = raw.len() as f64 / raw.iter().sum::<f64>();
    raw.into_iter().map(|w| w * factor).collect()
}

/// Adds the area of each class in a batch, `[B, D]`: m² / Σᵢⱼ cos(fᵢ − μ, fⱼ − μ) over its m samples,
/// and 1 if there is one.
pub(crate) fn add_areas<'a>(
    areas: &mut [f64],
    mut features: Array2<f64>,
    labels: &[u32],
    mean: impl Fn(usize) -> ArrayView1<'a, f64>,
) {
    for (k, area) in areas.iter_mut().enumerate() {
        let of_class = (0..labels.len()).filter(|&i| labels[i] as usize == k);
        let mut sum = ndarray::Array1::<f64>::zeros(features.ncols());
        let mut m = 0.0;
        for i in of_class {
            let mut row = features.row_mut(i);
            row -= &mean(k);
            let norm = row.dot(&row).sqrt().max(f64::MIN_POSITIVE);
            sum.scaled_add(1.0 / norm, &row);
            m += 1.0;
        }
        if m > 1.0 {
            // Σᵢⱼ cos = ‖Σᵢ uᵢ‖² for directions uᵢ.
            *area += m * m / sum.dot(&sum).max(f64::MIN_POSITIVE);
        } else {
            *area += m;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Areas 8 of 4 samples, 2 of 10 and 0 of 1 count as 4, 2 and 1.
    #[test]
    fn an_area_lies_between_one_sample_and_all() {
        let weights = weights_of(&[8.0, 2.0, 0.0], &[4.0, 10.0, 1.0]);
        for (got, want) in weights.iter().zip([1.0, 2.0, 4.0]) {
            assert!((got - want * 3.0 / 7.0).abs() < 1e-15, "{weights:?}");
        }
    }
}
