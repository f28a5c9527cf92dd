use serde::{Deserialize, Serialize};

use super::{Draw, Loss, PerClass, in_range, softmax};
use crate::error::Result;
use crate::numbers::{Real, max_of};

/// Focal loss on softmax.
///
/// ```text
/// p = softmax(z)        L(z, y) = −(1 − p_y)^γ log p_y
/// ∂L/∂z = [(1 − p_y)^γ − γ p_y (1 − p_y)^(γ−1) log p_y] (p − e_y)
/// ```
///
/// γ = 0 is cross-entropy. Not convex. It uses no class counts. This is neither the detached
/// form (some code treats (1 − p_y)^γ as a constant) nor the sigmoid form
/// ([`SigmoidFocal`](super::SigmoidFocal)). The seed paper does not give its γ.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Focal {
    /// γ; at least 0, default 1.
    pub gamma: f64,
}

impl Default for Focal {
    fn default() -> Self {
        Self { gamma: 1.0 }
    }
}

/// The loss of one sample; `z` becomes `factor` times `size` of (1 − p_y)^γ, p_y, 1 − p_y and log p_y
/// times p − e_y.
#[inline(always)]
pub(super) fn modulated<R: Real>(
    gamma: f64,
    z: &mut [R],
    y: usize,
    factor: R,
    size: impl Fn(f64, f64, f64, f64) -> f64,
) -> R {
    let label = (z[y] - max_of(z)).to_f64();
    let (others, top) = softmax::exponentials(z, y);
    let total = R::ONE + others;
    // 1 − p_y is computed without cancellation, whether or not y has the largest logit.
    let (others, p) = (others.to_f64(), z[y].to_f64() / (1.0 + others.to_f64()));
    let log_p = label - others.ln_1p();
    let q = if y == top { others / (1.0 + others) } else { 1.0 - p };
    let modulator = if gamma == 1.0 { q } else { q.powf(gamma) };
    let coefficient = R::from_f64(size(modulator, p, q, log_p)) * factor;
    let norm = coefficient / total;
    for value in z.iter_mut() {
        *value = (*value * norm).flushed();
    }
    z[y] = (-coefficient * R::from_f64(q)).flushed();
    R::from_f64(-modulator * log_p)
}

impl Loss for Focal {
    const SOFTMAX_FAMILY: bool = false;

    #[inline(always)]
    fn row<R: Real>(&self, _: &PerClass<R>, z: &mut [R], y: usize, factor: R, _: Draw) -> R {
        modulated(self.gamma, z, y, factor, |modulator, p, q, log_p| {
            if q > 0.0 { modulator - self.gamma * p * modulator / q * log_p } else { modulator }
        })
    }

    fn source(&self) -> &'static str {
        "Lin et al., ICCV 2017, eq. 4, with softmax as in Cao et al., NeurIPS 2019"
    }

    fn formula(&self) -> &'static str {
        "-(1 - p_y)^gamma log p_y, p = softmax(z)"
    }

    fn check(&self) -> Result<()> {
        in_range("loss.gamma", self.gamma, 0.0..=1e2, "0 <= gamma <= 100")
    }
}

#[cfg(test)]
mod tests {
    use super::super::{AnyLoss, Objective};
    use super::*;
    use crate::class_counts::ClassCounts;

    /// With two equal logits p = ½, so L = (½)² log 2 at γ = 2.
    #[test]
    fn two_equal_logits() {
        let counts = ClassCounts::new(vec![3, 3]).unwrap();
        let mut z = [0.0_f64; 2];
        let value = Objective::plain(AnyLoss::Focal(Focal { gamma: 2.0 }), &counts)
            .value_and_grad_f64(&mut z, &[0]);
        assert!((value - 0.25 * 2_f64.ln()).abs() < 1e-15);
        let slope = 0.125 + 0.25 * 2_f64.ln();
        assert!((z[1] - slope).abs() < 1e-15 && (z[0] + slope).abs() < 1e-15);
    }
}
