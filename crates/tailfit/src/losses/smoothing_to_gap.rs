use std::ops::Bound::{Excluded, Included};

use serde::{Deserialize, Serialize};

use super::{LabelOverSmoothing, Loss, PerClass, in_range};
use crate::class_counts::ClassCounts;
use crate::error::Result;

/// Label over-smoothing given by the target gap g instead of δ, so that one value means the same for
/// any number of classes.
///
/// ```text
/// δ = K / (K − 1 + exp(g)),  the loss as for label over-smoothing
/// ```
///
/// g is what the true logit exceeds every other by at the minimum, in nats; the inverse of
/// [`target_gap`]. As g → 0, δ → 1; as g → ∞, it becomes cross-entropy.
///
/// [`target_gap`]: super::LabelOverSmoothing::target_gap
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SmoothingToGap {
    /// g, the target gap; above 0, at most 30.
    pub target_gap: f64,
}

impl Default for SmoothingToGap {
    fn default() -> Self {
        Self { target_gap: 1.0 }
    }
}

impl SmoothingToGap {
    /// δ for this many classes.
    pub fn delta(&self, n_classes: usize) -> f64 {
        let k = n_classes as f64;
        k / (k + self.target_gap.exp_m1())
    }
}

impl Loss for SmoothingToGap {
    fn per_class(&self, counts: &ClassCounts) -> PerClass<f64> {
        LabelOverSmoothing { delta: self.delta(counts.n_classes()) }.per_class(counts)
    }

    fn source(&self) -> &'static str {
        "Sun et al., ICLR 2025, eq. 12, with delta such that the true logit ends above the others by target_gap"
    }

    fn formula(&self) -> &'static str {
        "-sum_k t_k log softmax(z)_k, t = (1 - delta) e_y + delta / K, delta = K / (K - 1 + exp(target_gap))"
    }

    fn check(&self) -> Result<()> {
        let range = (Excluded(0.0), Included(30.0));
        in_range("loss.target_gap", self.target_gap, range, "0 < target_gap <= 30")
    }
}

#[cfg(test)]
mod tests {
    use super::super::{AnyLoss, Objective};
    use super::*;

    /// The gap of δ is the one it was made from, and both losses are then the same.
    #[test]
    fn it_is_label_over_smoothing_by_another_number() {
        for (n_classes, target_gap) in [(2, 0.05), (100, 1.112), (1000, 2.41), (8142, 12.0)] {
            let counts = ClassCounts::new(vec![5; n_classes]).unwrap();
            let by_gap = SmoothingToGap { target_gap };
            let by_delta = LabelOverSmoothing { delta: by_gap.delta(n_classes) };
            let again = by_delta.target_gap(n_classes);
            assert!((again / target_gap - 1.0).abs() < 1e-9, "{again}, {target_gap}");
            let grad = |loss| {
                let mut z: Vec<f64> = (0..n_classes).map(|k| (k as f64).sin()).collect();
                (Objective::plain(loss, &counts).value_and_grad_f64(&mut z, &[1]), z)
            };
            let (gap, delta) =
                (AnyLoss::SmoothingToGap(by_gap), AnyLoss::LabelOverSmoothing(by_delta));
            assert_eq!(grad(gap), grad(delta));
        }
    }

    #[test]
    fn a_gap_is_above_zero() {
        for (target_gap, valid) in [(0.0, false), (1e-9, true), (31.0, false), (f64::NAN, false)] {
            assert_eq!(SmoothingToGap { target_gap }.check().is_ok(), valid, "{target_gap}");
        }
    }
}
