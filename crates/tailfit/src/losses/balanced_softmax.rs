use serde::{Deserialize, Serialize};

use super::{Loss, PerClass, in_range};
use crate::class_counts::ClassCounts;
use crate::error::Result;

/// Balanced softmax; for τ ≠ 1, the logit-adjusted loss.
///
/// ```text
/// L(z, y) = −log softmax(z + τ log π)_y        ∂L/∂z = softmax(z + τ log π) − e_y
/// ```
///
/// The offset τ log π is added in training and left out at test time. Counts in place of
/// frequencies give the same loss. τ = 0 is cross-entropy. Google's code adds
/// log(π^τ + 1e-12), which moves the rarest class by 1e-12 / π^τ.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct BalancedSoftmax {
    /// τ, the strength of the prior; at least 0, default 1.
    pub tau: f64,
}

impl Default for BalancedSoftmax {
    fn default() -> Self {
        Self { tau: 1.0 }
    }
}

impl Loss for BalancedSoftmax {
    fn per_class(&self, counts: &ClassCounts) -> PerClass<f64> {
        let offset = counts.frequencies().iter().map(|p| self.tau * p.ln()).collect();
        PerClass { offset, ..PerClass::neutral(counts.n_classes()) }
    }

    fn source(&self) -> &'static str {
        "Ren et al., NeurIPS 2020, eq. 4; tau: Menon et al., ICLR 2021, eq. 10"
    }

    fn formula(&self) -> &'static str {
        "-log softmax(z + tau log pi)_y"
    }

    fn check(&self) -> Result<()> {
        in_range("loss.tau", self.tau, 0.0..=1e3, "0 <= tau <= 1000")
    }
}

#[cfg(test)]
mod tests {
    use super::super::{AnyLoss, Objective};
    use super::*;

    /// With equal logits, softmax(z + log n) is the class frequency n_k / N, so
    /// everything below can be checked by eye.
    #[test]
    fn equal_logits_give_back_the_class_frequencies() {
        let counts = ClassCounts::new(vec![90, 9, 1]).unwrap();
        let loss = AnyLoss::BalancedSoftmax(BalancedSoftmax::default());
        let mut z = [0.0_f64; 3];

        let value = Objective::plain(loss, &counts).value_and_grad_f64(&mut z, &[2]);

        assert!((value - 100_f64.ln()).abs() < 1e-12);
        for (got, want) in z.iter().zip([0.90, 0.09, 0.01 - 1.0]) {
            assert!((got - want).abs() < 1e-12, "{got} against {want}");
        }
    }
}
