//! What the outputs at a point certify: a lower bound on the minimum, from the dual objective.

use super::curvature::Point;
use super::lbfgs::{add, dot};
use super::state::{State, WithBias};

/// A point, and what the dual objective there depends on.
pub(super) struct Dual<'a> {
    pub(super) state: &'a State,
    /// Sums of the targets.
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
    /// Upper bound on what is left to gain: the value minus the dual objective at the outputs p,
    /// which is ‖∇F‖² / 2 divided by the decay of each part. If the bias is not decayed, the mean
    /// of the outputs must equal that of the targets: what the bias is still off is moved.
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
        let largest = self.margin.iter().copied().fold(0.0, f64::max);
        let margins = self.margins - moved * largest;
        let entropy = entropy - lost - moved + moved * entropy_of_q + margins;
        // Sums of targets and outputs are equal up to rounding.
        let rounding = (moved - all_missing).abs() * (1.0 + (k as f64).ln());
        descent.value - entropy + rounding + square(&mixed) / (2.0 * decay[0])
    }
}

#[cfg(test)]
mod tests {
    use faer::Mat;

    use super::*;
    use crate::rng::{Purpose, Rng};

    /// Where the bias is far off, the bound is that of the outputs moved, up to what concavity gives away.
    #[test]
    fn what_is_moved_is_a_point_of_the_dual() {
        let (n, d, k, decay) = (60, 3, 4, 1e-5);
        let mut rng = Rng::new(0, Purpose::Start, 0);
        let (scale, margin) = ([0.5, 0.7, 1.0, 0.2], [3.0, 2.0, 1.0, 0.0]);
        let x = Mat::from_fn(n, d, |_, _| 1.0 + rng.normal());
        let labels: Vec<usize> = (0..n).map(|i| k * i * i / (n * n)).collect();
        let bias: Vec<f64> = (0..k).map(|_| rng.normal()).collect();
        let mut state = State::zero(d, k);
        state.descent.x = Mat::from_fn(d, k, |_, _| rng.normal());
        let logit = |i: usize, c: usize| -> f64 {
            let product: f64 = (0..d).map(|j| x[(i, j)] * state.descent.x[(j, c)]).sum();
            scale[c] * product + bias[c] - if labels[i] == c { margin[c] } else { 0.0 }
        };
        let total = |i: usize| -> f64 { (0..k).map(|c| logit(i, c).exp()).sum() };
        let p = Mat::from_fn(n, k, |i, c| logit(i, c).exp() / total(i));
        let targets = Mat::from_fn(n, k, |i, c| f64::from(u8::from(labels[i] == c)));
        let log = |p: f64| if p > 0.0 { -p * p.ln() } else { 0.0 };
        let mean = |of: &dyn Fn(usize) -> f64| (0..n).map(of).sum::<f64>() / n as f64;
        // Entropy less the margins, sums, and what the dual objective is at some outputs.
        let entropy = |p: &Mat<f64>| {
            let own = |i: usize| p[(i, labels[i])] * margin[labels[i]];
            mean(&|i| (0..k).map(|c| log(p[(i, c)])).sum::<f64>() - own(i))
        };
        let sums = |p: &Mat<f64>| WithBias {
            weight: Mat::from_fn(d, k, |j, c| mean(&|i| scale[c] * p[(i, c)] * x[(i, j)])),
            bias: (0..k).map(|c| mean(&|i| p[(i, c)])).collect(),
        };
        let target = sums(&targets);
        let margins = mean(&|i| margin[labels[i]]);
        let objective = |p: &Mat<f64>| {
            let off = &sums(p).weight - &target.weight;
            entropy(p) + margins - off.squared_norm_l2() / (2.0 * decay)
        };

        state.descent.value = mean(&|i| total(i).ln() - logit(i, labels[i]))
            + 0.5 * decay * state.descent.x.squared_norm_l2();
        state.entropy = entropy(&p);
        state.entropies = (0..k).map(|c| mean(&|i| log(p[(i, c)]))).collect();
        state.outputs = sums(&p);
        let had = &state.outputs.bias;
        let over: Vec<f64> = (0..k).map(|c| had[c] - target.bias[c]).collect();
        let all: f64 = over.iter().filter(|over| **over < 0.0).sum();
        let taken = |i: usize, c: usize| over[c].max(0.0) / had[c] * p[(i, c)];
        let moved = Mat::from_fn(n, k, |i, c| {
            let share: f64 = (0..k).map(|c| taken(i, c)).sum();
            p[(i, c)] - taken(i, c) + share * over[c].min(0.0) / all
        });
        assert!(all < -0.1, "much is moved: {all}");
        let dual = Dual {
            state: &state,
            target: &target,
            scale: &scale,
            margin: &margin,
            margins,
            decay: [decay, 0.0],
            mean: &[0.0; 3],
            lowered: &[0.0; 4],
        };
        let slack = dual.bound() - (state.descent.value - objective(&moved));
        assert!((0.0..1.5).contains(&slack), "{slack} of {}", dual.bound());
    }
}
