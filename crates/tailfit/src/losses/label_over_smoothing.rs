use serde::{Deserialize, Serialize};

use super::{Loss, PerClass, in_range};
use crate::class_counts::ClassCounts;
use crate::error::Result;

/// Label over-smoothing (LOS): cross-entropy against labels smoothed so much that the true
/// class keeps only a little more than 1/K.
///
/// ```text
/// t_y = 1 − δ + δ/K        tₖ = δ/K  for k ≠ y
/// L(z, y) = −Σₖ tₖ log softmax(z)ₖ        ∂L/∂z = softmax(z) − t
/// ```
///
/// It uses no class counts. δ = 0 is cross-entropy; δ around 0.1 is ordinary label smoothing,
/// which has the same formula. Convex, with a finite minimiser even at weight decay 0: every
/// fitted sample ends with the same gap, [`target_gap`], between its true logit and the others.
/// As δ → 1 with weight decay it becomes ridge regression on centred one-hot labels.
///
/// It is the gap, not δ, that is comparable across numbers of classes: 1.11 at K = 100,
/// δ = 0.98, and 2.41 at K = 1000, δ = 0.99.
///
/// [`target_gap`]: LabelOverSmoothing::target_gap
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LabelOverSmoothing {
    /// δ, the share of the label spread evenly over all classes; 0 ≤ δ < 1.
    pub delta: f64,
}

impl Default for LabelOverSmoothing {
    fn default() -> Self {
        Self { delta: 0.98 }
    }
}

impl LabelOverSmoothing {
    /// log(1 + K (1 − δ) / δ): the true logit minus any other at the minimum.
    /// Infinite at δ = 0.
    pub fn target_gap(&self, n_classes: usize) -> f64 {
        (n_classes as f64 * (1.0 - self.delta) / self.delta).ln_1p()
    }
}

impl Loss for LabelOverSmoothing {
    fn per_class(&self, counts: &ClassCounts) -> PerClass<f64> {
        let n_classes = counts.n_classes();
        PerClass { smoothing: vec![self.delta; n_classes], ..PerClass::neutral(n_classes) }
    }

    fn source(&self) -> &'static str {
        "Sun et al., ICLR 2025, eq. 12; as label smoothing: Szegedy et al., CVPR 2016, section 7"
    }

    fn formula(&self) -> &'static str {
        "-sum_k t_k log softmax(z)_k, t = (1 - delta) e_y + delta / K"
    }

    fn check(&self) -> Result<()> {
        in_range("loss.delta", self.delta, 0.0..1.0, "0 <= delta < 1")
    }
}

#[cfg(test)]
mod tests {
    use super::super::{AnyLoss, Objective};
    use super::*;

    #[test]
    fn at_the_target_gap_the_gradient_is_zero() {
        let counts = ClassCounts::new(vec![5; 100]).unwrap();
        let loss = LabelOverSmoothing { delta: 0.98 };
        let gap = loss.target_gap(100);
        assert!((gap - 1.112).abs() < 5e-4, "{gap}");
        let mut z = vec![0.0_f64; 100];
        z[7] = gap;
        Objective::plain(AnyLoss::LabelOverSmoothing(loss), &counts)
            .value_and_grad_f64(&mut z, &[7]);
        assert!(z.iter().all(|g| g.abs() < 1e-15), "{z:?}");
    }
}
