use serde::{Deserialize, Serialize};

use super::{Draw, Loss, PerClass, focal, in_range};
use crate::error::Result;
use crate::numbers::Real;

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
    focal::modulated(gamma, z, y, factor, |modulator, _, _, _| modulator)
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
