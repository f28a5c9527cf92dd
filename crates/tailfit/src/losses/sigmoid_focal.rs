use serde::{Deserialize, Serialize};

use super::sigmoid_cross_entropy::Sigmoid;
use super::{Draw, Loss, PerClass, in_range};
use crate::error::Result;
use crate::numbers::{Real, replace_and_sum};

/// Focal loss on sigmoids, summed over the classes.
///
/// ```text
/// s = sigmoid(z)    L(z, y) = −(1 − s_y)^γ log s_y − Σ_{k≠y} sₖ^γ log(1 − sₖ)
/// ∂L/∂z_y = (1 − s_y)^γ [γ s_y log s_y − (1 − s_y)]
/// ∂L/∂zₖ  = sₖ^γ [sₖ − γ (1 − sₖ) log(1 − sₖ)]   for k ≠ y
/// ```
///
/// With effective-number class weights this is the class-balanced focal loss. γ = 0 is
/// [`SigmoidCrossEntropy`](super::SigmoidCrossEntropy). Not convex.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SigmoidFocal {
    /// γ; at least 0, default 1 as in the authors' flags.
    pub gamma: f64,
}

impl Default for SigmoidFocal {
    fn default() -> Self {
        Self { gamma: 1.0 }
    }
}

impl SigmoidFocal {
    /// Value and derivative of −σ(−x)^γ log σ(x): the label's term is this at x = z_y, and any
    /// other class's term at x = −zₖ. At γ = 1 the modulator is already known.
    #[inline(always)]
    fn term<R: Real, const GAMMA_IS_1: bool>(self, x: R) -> (R, R) {
        let gamma = R::from_f64(self.gamma);
        let Sigmoid { s, q, softplus, softplus_neg } = Sigmoid::of(x);
        let modulator = if GAMMA_IS_1 { q } else { (-gamma * softplus).exp_neg() };
        (modulator * softplus_neg, -modulator * (gamma * s * softplus_neg + q))
    }

    #[inline(always)]
    fn row_of<R: Real, const GAMMA_IS_1: bool>(self, z: &mut [R], y: usize, factor: R) -> R {
        let label = self.term::<R, GAMMA_IS_1>(z[y]);
        let own = self.term::<R, GAMMA_IS_1>(-z[y]).0;
        let value = replace_and_sum(
            z,
            #[inline(always)]
            |logit| {
                let (value, slope) = self.term::<R, GAMMA_IS_1>(-logit);
                (value, (-slope * factor).flushed())
            },
        );
        z[y] = (label.1 * factor).flushed();
        value - own + label.0
    }
}

impl Loss for SigmoidFocal {
    const SOFTMAX_FAMILY: bool = false;

    #[inline(always)]
    fn row<R: Real>(&self, _: &PerClass<R>, z: &mut [R], y: usize, factor: R, _: Draw) -> R {
        if self.gamma == 1.0 {
            self.row_of::<R, true>(z, y, factor)
        } else {
            self.row_of::<R, false>(z, y, factor)
        }
    }

    fn sees_common_shift(&self) -> bool {
        true
    }

    fn source(&self) -> &'static str {
        "Lin et al., ICCV 2017, eq. 4; Cui et al., CVPR 2019, eq. 12 (before the class weights)"
    }

    fn formula(&self) -> &'static str {
        "-(1 - s_y)^gamma log s_y - sum_(k != y) s_k^gamma log(1 - s_k), s = sigmoid(z)"
    }

    fn check(&self) -> Result<()> {
        in_range("loss.gamma", self.gamma, 0.0..=1e2, "0 <= gamma <= 100")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// At z = 0, s = ½, so with γ = 1 each term is ½ log 2.
    #[test]
    fn zero_logit() {
        let (value, slope) = SigmoidFocal { gamma: 1.0 }.term::<f64, false>(0.0);
        assert!((value - 0.5 * 2_f64.ln()).abs() < 1e-15);
        assert_eq!((value, slope), SigmoidFocal { gamma: 1.0 }.term::<f64, true>(0.0));
        assert!((slope + 0.5 * (0.5 * 2_f64.ln() + 0.5)).abs() < 1e-15);
    }
}
