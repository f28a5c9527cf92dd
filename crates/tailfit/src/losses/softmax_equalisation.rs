use serde::{Deserialize, Serialize};

use super::{Draw, Loss, PerClass, in_range};
use crate::class_counts::ClassCounts;
use crate::error::Result;
use crate::numbers::Real;

/// Softmax equalisation loss (SEQL): samples do not push down rare classes, but for a share of them.
///
/// ```text
/// β ~ Bernoulli(γ) for each sample and class
/// mₖ = 0 if β = 1, πₖ < λ and k ≠ y; else 1
/// p̃ₖ = mₖ exp zₖ / Σⱼ mⱼ exp zⱼ        L(z, y) = −log p̃_y        ∂L/∂z = p̃ − e_y
/// ```
///
/// γ = 0 or λ = 0 is cross-entropy. Convex for fixed β. The authors' code exponentiates raw logits, which
/// overflow; here the largest is subtracted first.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SoftmaxEqualisation {
    /// γ, the share of samples that ignore a rare class; 0 ≤ γ ≤ 1, default 0.9.
    pub gamma: f64,
    /// λ, the class frequency below which a class is rare; 0 ≤ λ ≤ 1, default 0.005.
    pub threshold: f64,
}

impl Default for SoftmaxEqualisation {
    fn default() -> Self {
        Self { gamma: 0.9, threshold: 0.005 }
    }
}

/// The loss of one sample over the classes that `counts` says count.
#[inline(always)]
pub(crate) fn row<R: Real>(
    z: &mut [R],
    y: usize,
    factor: R,
    mut counts: impl FnMut(usize) -> bool,
) -> R {
    let label = z[y];
    let mut largest = label;
    for (k, v) in z.iter_mut().enumerate() {
        if k == y || counts(k) {
            largest = largest.larger(*v);
        } else {
            *v = R::from_f64(f64::NEG_INFINITY);
        }
    }
    let mut total = 0.0;
    for v in z.iter_mut() {
        *v = (*v - largest).exp_neg();
        total += v.to_f64();
    }
    let norm = factor.to_f64() / total;
    let mut others = R::ZERO;
    for (k, v) in z.iter_mut().enumerate() {
        *v = R::from_f64(v.to_f64() * norm).flushed();
        if k != y {
            others += *v;
        }
    }
    z[y] = -others;
    R::from_f64(total.ln() + (largest - label).to_f64())
}

impl Loss for SoftmaxEqualisation {
    const SOFTMAX_FAMILY: bool = false;

    /// `offset` is 1 for rare classes.
    fn per_class(&self, counts: &ClassCounts) -> PerClass<f64> {
        let rare = |p: f64| if p < self.threshold { 1.0 } else { 0.0 };
        let offset = counts.frequencies().into_iter().map(rare).collect();
        PerClass { offset, ..PerClass::neutral(counts.n_classes()) }
    }

    #[inline(always)]
    fn row<R: Real>(&self, c: &PerClass<R>, z: &mut [R], y: usize, factor: R, draw: Draw) -> R {
        let mut rng = draw.rng();
        row(z, y, factor, |k| c.offset[k] == R::ZERO || rng.uniform() >= self.gamma)
    }

    fn has_no_minimum(&self) -> Option<&'static str> {
        Some("it draws at random which classes a sample ignores")
    }

    fn source(&self) -> &'static str {
        "Tan et al., CVPR 2020, eq. 9 to 11"
    }

    fn formula(&self) -> &'static str {
        "-log (exp z_y / sum_k m_k exp z_k), m_k = 0 for a share gamma of samples of other classes if pi_k < threshold"
    }

    fn check(&self) -> Result<()> {
        in_range("loss.gamma", self.gamma, 0.0..=1.0, "0 <= gamma <= 1")?;
        in_range("loss.threshold", self.threshold, 0.0..=1.0, "0 <= threshold <= 1")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_ignored_class_neither_costs_nor_moves() {
        let mut z = [1.0_f64, 5.0, 1.0];
        let value = row(&mut z, 0, 1.0, |k| k != 1);
        assert!((value - 2_f64.ln()).abs() < 1e-15);
        assert_eq!(z, [-0.5, 0.0, 0.5]);
    }
}
