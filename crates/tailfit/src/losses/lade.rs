use serde::{Deserialize, Serialize};

use super::{Loss, PerClass, Samples, in_range};
use crate::class_counts::ClassCounts;
use crate::error::Result;
use crate::numbers::Real;

/// Label distribution disentangling (LADE): balanced softmax with a regulariser on each class's logits
/// over the batch, a bound on a divergence after Donsker and Varadhan.
///
/// ```text
/// L = BalancedSoftmax + α R        over a batch of B samples, B_c of them of class c:
/// T_c = mean of z_c over samples of class c (0 if there are none)
/// S_c = log mean over all samples of exp(z_c) − log π_c − log K
/// R = −Σ_c π_c (T_c − S_c − λ S_c²)
/// ∂R/∂z_ic = −π_c ([y_i = c] / B_c − (1 + 2 λ S_c) exp(z_ic) / Σ_j exp(z_jc))
/// ```
///
/// α = 0 is [`BalancedSoftmax`](super::BalancedSoftmax). R is of a batch, not of a sample, so the optimum
/// would depend on how the data are cut into batches. Needs a linear or cosine head. The authors' code
/// adds 1e-9 to the priors and 1e-8 to B_c.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Lade {
    /// α, weight of the regulariser; at least 0, default 0.1 (the authors: 0.005 to 0.1).
    pub alpha: f64,
    /// λ, weight of its square; at least 0, default 0.01 (the authors: 0.01 to 0.5).
    pub lambda: f64,
}

impl Default for Lade {
    fn default() -> Self {
        Self { alpha: 0.1, lambda: 0.01 }
    }
}

impl Loss for Lade {
    const OF_BATCHES: bool = true;

    fn per_class(&self, counts: &ClassCounts) -> PerClass<f64> {
        let offset = counts.frequencies().into_iter().map(f64::ln).collect();
        PerClass { offset, ..PerClass::neutral(counts.n_classes()) }
    }

    fn batch_term<R: Real>(
        &self,
        c: &PerClass<R>,
        samples: Samples<'_>,
        logit: impl Fn(usize, usize) -> R,
        mut add: impl FnMut(usize, usize, R),
    ) -> f64 {
        let classes = c.offset.len();
        let rows = || (0..samples.len()).map(|i| (i, samples.weights[i]));
        let total: f64 = samples.weights.iter().sum();
        if total <= 0.0 {
            return 0.0;
        }
        let mut value = 0.0;
        for (k, log_prior) in c.offset.iter().map(|p| p.to_f64()).enumerate() {
            let z = |i| logit(i, k).to_f64();
            let own = || rows().filter(|&(i, _)| samples.labels[i] as usize == k);
            let of_class: f64 = own().map(|(_, w)| w).sum();
            let of_class = if of_class > 0.0 { of_class } else { 1.0 };
            let mean = own().map(|(i, w)| w * z(i)).sum::<f64>() / of_class;
            let max = rows().map(|(i, _)| z(i)).fold(f64::NEG_INFINITY, f64::max);
            let exponentials: f64 = rows().map(|(i, w)| w * (z(i) - max).exp()).sum();
            let log_mean = max + (exponentials / total).ln() - log_prior - (classes as f64).ln();
            let prior = self.alpha * log_prior.exp();
            value -= prior * (mean - log_mean - self.lambda * log_mean * log_mean);
            let slope = (1.0 + 2.0 * self.lambda * log_mean) / exponentials;
            for (i, w) in rows() {
                let own = if samples.labels[i] as usize == k { 1.0 / of_class } else { 0.0 };
                add(i, k, R::from_f64(-prior * w * (own - slope * (z(i) - max).exp())));
            }
        }
        value
    }

    fn sees_common_shift(&self) -> bool {
        self.alpha != 0.0
    }

    fn has_no_minimum(&self) -> Option<&'static str> {
        (self.alpha != 0.0).then_some("it depends on how samples are put into batches")
    }

    fn source(&self) -> &'static str {
        "Hong et al., CVPR 2021, eq. 7 to 11; the weights of the terms are their code's"
    }

    fn formula(&self) -> &'static str {
        "balanced softmax - alpha sum_c pi_c (T_c - S_c - lambda S_c^2) over a batch"
    }

    fn check(&self) -> Result<()> {
        in_range("loss.alpha", self.alpha, 0.0..=1e3, "0 <= alpha <= 1000")?;
        in_range("loss.lambda", self.lambda, 0.0..=1e3, "0 <= lambda <= 1000")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::losses::{AnyLoss, Objective};

    /// Equal logits a, two classes equally frequent, one sample: S = a, T = a and 0.
    #[test]
    fn one_sample_with_equal_logits() {
        let counts = ClassCounts::new(vec![5, 5]).unwrap();
        let loss = AnyLoss::Lade(Lade { alpha: 1.0, lambda: 0.5 });
        let mut z = [2.0_f64; 2];
        let value = Objective::plain(loss, &counts).value_and_grad_f64(&mut z, &[0]);
        let regulariser = -0.5 * (2.0 - 2.0 - 0.5 * 4.0) - 0.5 * (0.0 - 2.0 - 0.5 * 4.0);
        assert!((value - 2_f64.ln() - regulariser).abs() < 1e-14, "{value}");
    }
}
