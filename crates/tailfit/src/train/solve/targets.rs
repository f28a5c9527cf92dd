//! What the samples' targets contribute to an objective: sums, the same at every point.

use faer::Mat;

use super::chain::{Chain, Form};
use super::lbfgs::for_columns;
use super::space::Space;
use super::state::WithBias;
use crate::numbers::Real;
use crate::train::seen::Seen;

/// The target terms of a chain, in the eigenbasis.
pub(super) struct Targets {
    /// Σ of the samples' weights over the divisor.
    pub(super) total: f64,
    /// Those of plain cross-entropy, and of the chain's loss.
    pub(super) plain: WithBias,
    pub(super) target: WithBias,
    /// Σ w H(t), the smallest value that the data term can take.
    pub(super) floor: f64,
    /// Σ w of the labels' margins; labels that have any are not smoothed.
    pub(super) margins: f64,
}

impl Targets {
    pub(super) fn new<R: Real>(chain: &Chain<R>, space: &Space, seen: &Seen<'_, R>) -> Self {
        let (d, k) = (space.curvature.dim(), chain.form.smoothing.len());
        let (views, weights) = (seen.problem.views.len(), &chain.form.class_weights);
        let all = seen.problem.weights.iter().sum::<f64>() * views as f64 / chain.divisor;
        let WithBias { weight: mut by_class, bias: shares } = space.by_class.clone();
        for_columns(&mut by_class, |c, sums| {
            for sum in sums {
                *sum *= all * weights[c];
            }
        });
        let Form { scale, margin, .. } = &chain.form;
        let shares: Vec<f64> = shares.iter().zip(weights).map(|(s, w)| all * w * s).collect();
        let total = shares.iter().sum();
        let smoothed =
            |own: f64, c: usize, spread: f64| (1.0 - chain.form.smoothing[c]) * own + spread;
        let spread = |of: &dyn Fn(usize) -> f64| {
            (0..k).map(|c| chain.form.smoothing[c] * of(c)).sum::<f64>() / k as f64
        };
        let of_row: Vec<f64> = (0..d).map(|j| spread(&|c| by_class[(j, c)])).collect();
        let of_bias = spread(&|c| shares[c]);
        let target = WithBias {
            weight: Mat::from_fn(d, k, |j, c| scale[c] * smoothed(by_class[(j, c)], c, of_row[j])),
            bias: (0..k).map(|c| smoothed(shares[c], c, of_bias)).collect(),
        };
        let log = |p: f64| if p > 0.0 { -p * p.ln() } else { 0.0 };
        let entropy = |c: usize| {
            let spread = chain.form.smoothing[c] / k as f64;
            log(1.0 - chain.form.smoothing[c] + spread) + (k - 1) as f64 * log(spread)
        };
        let floor = (0..k).map(|c| shares[c] * entropy(c)).sum();
        let margins = shares.iter().zip(margin).map(|(share, margin)| share * margin).sum();
        for_columns(&mut by_class, |c, sums| sums.iter_mut().for_each(|sum| *sum *= scale[c]));
        let plain = WithBias { weight: by_class, bias: shares };
        Self { total, plain, target, floor, margins }
    }
}
