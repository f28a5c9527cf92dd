//! Ridge regression: all weight decays from one eigendecomposition.

use faer::Mat;
use ndarray::{Array1, Array2};

use super::Solved;
use super::sums::{Sums, mean, span};
use crate::error::Result;
use crate::head::Head;
use crate::numbers::Real;
use crate::recipe::RidgeBias;
use crate::train::Trial;
use crate::train::seen::Seen;

/// Solves all trials; those with the same class weights share sums and decomposition.
pub(super) fn solve<R: Real>(seen: &Seen<'_, R>, trials: &[&Trial]) -> Result<Vec<Solved>> {
    let mut systems: Vec<(Vec<f64>, System)> = Vec::new();
    let shift = mean(seen)?;
    let span = span(seen, &shift)?;
    let mut solved = Vec::with_capacity(trials.len());
    for trial in trials {
        let weights = trial.recipe.cost.class_weights.weights(seen.problem.counts);
        if !systems.iter().any(|(known, _)| *known == weights) {
            let sums = Sums::new(seen, &weights, &shift, 1)?;
            let shift = shift.iter().map(|value| value.to_f64()).collect();
            systems.push((weights.clone(), System::new(&sums, shift, span.as_ref())?));
        }
        for (known, system) in &systems {
            if *known == weights {
                let recipe = &trial.recipe;
                let (head, loss) = system.solve(recipe.sgd.weight_decay, recipe.ridge_bias);
                solved.push(Solved { head, loss, gap: Some(0.0), passes: 1 });
            }
        }
    }
    Ok(solved)
}

/// The normal equations, with covariance C = Q Λ Qᵀ.
struct System {
    /// Q, `[D, R]`: R is D, or the dimension of what the features span.
    vectors: Mat<f64>,
    /// Λ, `[R]`.
    values: Vec<f64>,
    /// Qᵀ Σ w (x − μ) e_yᵀ, `[R, K]`.
    targets: Mat<f64>,
    /// Mean of the samples and mean of the class means about `shift`, `[D]`.
    means: [Vec<f64>; 2],
    shift: Vec<f64>,
    /// Weighted share of each class, `[K]`.
    shares: Vec<f64>,
}

impl System {
    fn new(sums: &Sums, shift: Vec<f64>, span: Option<&Mat<f64>>) -> Result<Self> {
        let (d, k) = (sums.dim, sums.shares.len());
        let mean = &sums.mean;
        let (vectors, values) = sums.spectrum(span)?;
        let centred = Mat::from_fn(d, k, |j, c| sums.by_class[(j, c)] - mean[j] * sums.shares[c]);
        let targets = vectors.transpose() * &centred;
        let balanced = (0..d)
            .map(|j| (0..k).map(|c| sums.by_class[(j, c)] / sums.shares[c]).sum::<f64>() / k as f64)
            .collect();
        let means = [mean.clone(), balanced];
        Ok(Self { vectors, values, targets, means, shift, shares: sums.shares.clone() })
    }

    /// The head, and half the mean squared error of the head with fitted bias.
    fn solve(&self, weight_decay: f64, bias: RidgeBias) -> (Head, f64) {
        let (d, k) = (self.values.len(), self.shares.len());
        // Directions without variance get no weight, even at weight decay 0.
        let smallest = 1e-12 * self.values.iter().fold(0.0, |a: f64, &b| a.max(b));
        let rotated = Mat::from_fn(d, k, |j, c| {
            let value = self.values[j] + weight_decay;
            if value > smallest { self.targets[(j, c)] / value } else { 0.0 }
        });
        let weight = &self.vectors * &rotated;
        let output = |mean: &[f64], c: usize| {
            mean.iter().enumerate().map(|(j, mean)| weight[(j, c)] * mean).sum::<f64>()
        };
        let [mean, balanced] = &self.means;
        let fitted: Vec<f64> = (0..k).map(|c| self.shares[c] - output(mean, c)).collect();
        // For the fitted bias: Σ (t − t̄)² − 2 ⟨W, B⟩ + ⟨W, C W⟩, halved below.
        let mut square = 1.0 - self.shares.iter().map(|s| s * s).sum::<f64>();
        for j in 0..d {
            for c in 0..k {
                let w = rotated[(j, c)];
                square += w * (self.values[j] * w - 2.0 * self.targets[(j, c)]);
            }
        }
        let bias = match bias {
            RidgeBias::Fitted => fitted,
            RidgeBias::Balanced => (0..k).map(|c| 1.0 / k as f64 - output(balanced, c)).collect(),
        };
        let bias: Vec<f64> =
            bias.iter().enumerate().map(|(c, b)| b - output(&self.shift, c)).collect();
        let weight = Array2::from_shape_fn((k, self.shift.len()), |(c, j)| weight[(j, c)]);
        let head = Head::linear(weight, Array1::from(bias));
        (head, 0.5 * square)
    }
}
