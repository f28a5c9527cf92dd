use serde::{Deserialize, Serialize};

use super::{Loss, PerClass, in_range};
use crate::class_counts::ClassCounts;
use crate::error::Result;

/// Vector-scaling loss (VS); for τ = 0, the class-dependent temperatures loss (CDT).
///
/// ```text
/// Δₖ = (nₖ / n_max)^γ        z′ₖ = Δₖ zₖ + τ log πₖ
/// L(z, y) = −log softmax(z′)_y        ∂L/∂zₖ = Δₖ (softmax(z′)ₖ − [k = y])
/// ```
///
/// Logits of rare classes are shrunk in training, so that the raw logits used at test time
/// grow. γ = 0 is [`BalancedSoftmax`](super::BalancedSoftmax).
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct VectorScaling {
    /// γ, strength of the scaling; at least 0, default 0.3.
    pub gamma: f64,
    /// τ, strength of the prior; at least 0, default 1.
    pub tau: f64,
}

impl Default for VectorScaling {
    fn default() -> Self {
        Self { gamma: 0.3, tau: 1.0 }
    }
}

impl Loss for VectorScaling {
    fn per_class(&self, counts: &ClassCounts) -> PerClass<f64> {
        let counted = counts.weighted();
        let largest = counted.iter().copied().fold(0.0, f64::max);
        let scale = counted.iter().map(|n| (n / largest).powf(self.gamma));
        let offset = counts.frequencies().into_iter().map(|p| self.tau * p.ln());
        PerClass {
            scale: scale.collect(),
            offset: offset.collect(),
            ..PerClass::neutral(counts.n_classes())
        }
    }

    /// A per-class scale turns a common shift into a different one for each class.
    fn sees_common_shift(&self) -> bool {
        self.gamma != 0.0
    }

    fn source(&self) -> &'static str {
        "Kini et al., NeurIPS 2021, eq. 2; CDT: Ye et al., 2020, arXiv:2001.01385"
    }

    fn formula(&self) -> &'static str {
        "-log softmax(D z + tau log pi)_y, D_k = (n_k / n_max)^gamma"
    }

    fn check(&self) -> Result<()> {
        in_range("loss.gamma", self.gamma, 0.0..=1e2, "0 <= gamma <= 100")?;
        in_range("loss.tau", self.tau, 0.0..=1e3, "0 <= tau <= 1000")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quarter_of_the_samples_is_half_the_scale_at_gamma_one_half() {
        let counts = ClassCounts::new(vec![80, 20]).unwrap();
        let constants = VectorScaling { gamma: 0.5, tau: 1.0 }.per_class(&counts);
        assert_eq!(constants.scale, [1.0, 0.5]);
        assert_eq!(constants.offset, [0.8_f64.ln(), 0.2_f64.ln()]);
    }
}
