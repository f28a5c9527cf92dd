use serde::{Deserialize, Serialize};

use super::{Draw, Loss, PerClass, in_range, softmax};
use crate::error::Result;
use crate::numbers::{Real, max_of};

/// Focal loss whose modulator is held constant in the gradient.
///
/// ```text
/// p = softmax(z)        L(z, y) = −(1 − p_y)^γ log p_y
/// step along (1 − p_y)^γ (p − e_y), which is not ∂L/∂z
/// ```
///
/// γ = 0 is cross-entropy. This is what the code of LADE and GCL does under the name of focal loss;
/// [`Focal`](super::Focal) has the whole gradient.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct FocalDetached {
    /// γ; at least 0, default 2.
    pub gamma: f64,
}

impl Default for FocalDetached {
    fn default() -> Self {
        Self { gamma: 2.0 }
    }
}

/// The loss of one sample; `z` becomes `factor` times the direction of the step.
#[inline(always)]
pub(super) fn row<R: Real>(gamma: f64, z: &mut [R], y: usize, factor: R) -> R {
    let label = (z[y] - max_of(z)).to_f64();
    let (others, top) = softmax::exponentials(z, y);
    let total = R::ONE + others;
    // 1 − p_y is computed without cancellation, whether or not y has the largest logit.
    let others = others.to_f64();
    let log_p = label - others.ln_1p();
    let q = if y == top { others / (1.0 + others) } else { 1.0 - z[y].to_f64() / (1.0 + others) };
    let modulator = q.powf(gamma);
    let coefficient = R::from_f64(modulator) * factor;
    let norm = coefficient / total;
    for value in z.iter_mut() {
        *value = (*value * norm).flushed();
    }
    z[y] = (-coefficient * R::from_f64(q)).flushed();
    R::from_f64(-modulator * log_p)
}

impl Loss for FocalDetached {
    const SOFTMAX_FAMILY: bool = false;

    #[inline(always)]
    fn row<R: Real>(&self, _: &PerClass<R>, z: &mut [R], y: usize, factor: R, _: Draw) -> R {
        row(self.gamma, z, y, factor)
    }

    fn has_no_minimum(&self) -> Option<&'static str> {
        (self.gamma != 0.0).then_some("its steps hold the focal factor constant")
    }

    fn source(&self) -> &'static str {
        "Hong et al., CVPR 2021, code (LADE); Lin et al., ICCV 2017, eq. 4, with the factor held constant"
    }

    fn formula(&self) -> &'static str {
        "-(1 - p_y)^gamma log p_y, p = softmax(z), (1 - p_y)^gamma held constant in the gradient"
    }

    fn check(&self) -> Result<()> {
        in_range("loss.gamma", self.gamma, 0.0..=1e2, "0 <= gamma <= 100")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// With two equal logits p = ½: the step is (½)² (½ − 1) for the label.
    #[test]
    fn two_equal_logits() {
        let mut z = [0.0_f64; 2];
        let value = row(2.0, &mut z, 0, 1.0);
        assert!((value - 0.25 * 2_f64.ln()).abs() < 1e-15);
        assert_eq!(z, [-0.125, 0.125]);
    }
}
