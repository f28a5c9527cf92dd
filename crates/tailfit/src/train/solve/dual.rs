//! What the outputs at a point certify: a lower bound on the minimum, from the dual objective.

use super::curvature::Point;
use super::lbfgs::{add, dot};
use super::state::{State, WithBias};

/// A point, and what the dual objective there depends on.
pub(super) struct Dual<'a> {
    pub(super) state: &'a State,
    /// Sums of the targets, the weights' times the scales.
    pub(super) target: &'a WithBias,
    /// Factors on the logits, `[K]`.
    pub(super) scale: &'a [f64],
    /// What is subtracted from the logits of the labels, `[K]`, and in all.
    pub(super) margin: &'a [f64],
    pub(super) margins: f64,
    /// Decay of the weights and of the bias.
    pub(super) decay: [f64; 2],
    /// Mean of the features, and its product with each class's weights, scaled.
    pub(super) mean: &'a [f64],
    pub(super) lowered: &'a [f64],
}

impl Dual<'_> {
    /// Upper bound on what is left to gain: the value minus the dual objective at the outputs p, of
    /// which H(p) − p_y margin_y is known as their entropy. It is ‖∇F‖² / 2 divided by the decay of each
    /// part. If the bias is not decayed, the mean of the outputs must equal that of the targets: what the
    /// bias is still off is moved.
    pub(super) fn bound(&self) -> f64 {
        let State { descent, outputs, entropy, .. } = self.state;
        let (d, k, decay) = (descent.x.nrows(), outputs.bias.len(), self.decay);
        let square = |point: &Point| dot(point, point);
        if decay[1] > 0.0 {
            // The gradient with respect to weight and bias of the features themselves.
            let mut grad = outputs.weight.clone();
            add(&mut grad, -1.0, &self.target.weight);
            add(&mut grad, decay[0], &descent.x);
            let mut of_bias = 0.0;
            for (c, lowered) in self.lowered.iter().enumerate() {
                let off = self.scale[c] * (outputs.bias[c] - self.target.bias[c]);
                let column = grad.col_mut(c);
                for (grad, mean) in column.iter_mut().zip(self.mean) {
                    *grad += off * mean;
                }
                let bias = (self.state.bias[c] - lowered) / self.scale[c];
                of_bias += (off + decay[1] * bias).powi(2);
            }
            return square(&grad) / (2.0 * decay[0]) + of_bias / (2.0 * decay[1]);
        }
        // Of the classes with more than their target, a part of the outputs is taken, p aₖ with
        // aₖ = tₖ / oₖ, and given to the others in one distribution q. By concavity, what is left of a
        // sample with its share m has an entropy of at least Σ −p a log (p a) − m + m H(q).
        let (target, had) = (&self.target.bias, &outputs.bias);
        let over: Vec<f64> = (0..k).map(|c| (had[c] - target[c]).max(0.0)).collect();
        let moved: f64 = over.iter().sum();
        let kept: Vec<f64> = over.iter().zip(had).map(|(over, had)| 1.0 - over / had).collect();
        let missing = (0..k).map(|c| (target[c] - had[c]).max(0.0));
        let all_missing: f64 = missing.clone().sum();
        let q: Vec<f64> =
            missing.map(|mass| if all_missing > 0.0 { mass / all_missing } else { 0.0 }).collect();
        let log = |p: f64| if p > 0.0 { -p * p.ln() } else { 0.0 };
        let entropy_of_q: f64 = q.iter().map(|&q| log(q)).sum();
        let lost: f64 = (0..k)
            .map(|c| (1.0 - kept[c]) * self.state.entropies[c] + had[c] * kept[c] * kept[c].ln())
            .sum();
        let mut mixed = outputs.weight.clone();
        let mut taken = vec![0.0; d];
        for c in 0..k {
            for j in 0..d {
                let part = (1.0 - kept[c]) * outputs.weight[(j, c)];
                taken[j] += part / self.scale[c];
                mixed[(j, c)] -= part;
            }
        }
        for c in (0..k).filter(|&c| q[c] > 0.0) {
            for j in 0..d {
                mixed[(j, c)] += q[c] * taken[j] * self.scale[c];
            }
        }
        add(&mut mixed, -1.0, &self.target.weight);
        // What is given to a sample's label costs its margin.
        let costs = q.iter().zip(self.margin).map(|(q, margin)| q * margin);
        let margins = self.margins - moved * costs.fold(0.0, f64::max);
        let entropy = entropy - lost - moved + moved * entropy_of_q + margins;
        // Sums of targets and outputs are equal up to rounding.
        let rounding = (moved - all_missing).abs() * (1.0 + (k as f64).ln());
        descent.value - entropy + rounding + square(&mixed) / (2.0 * decay[0])
    }
}

#[cfg(test)]
mod tests;
