use serde::{Deserialize, Serialize};

use super::{Draw, Loss, PerClass};
use crate::numbers::{Real, replace_and_sum};

/// Binary cross-entropy on sigmoids, summed over the classes.
///
/// ```text
/// s = sigmoid(z)        L(z, y) = −log s_y − Σ_{k≠y} log(1 − sₖ)        ∂L/∂z = s − e_y
/// ```
///
/// With effective-number class weights this is the class-balanced sigmoid loss. Some ports
/// also divide by K, which amounts to a K times smaller learning rate and a K times larger
/// weight decay. Convex.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SigmoidCrossEntropy {}

impl Loss for SigmoidCrossEntropy {
    const SOFTMAX_FAMILY: bool = false;

    #[inline(always)]
    fn row<R: Real>(&self, _: &PerClass<R>, z: &mut [R], y: usize, factor: R, _: Draw) -> R {
        let label = z[y];
        let value = replace_and_sum(
            z,
            #[inline(always)]
            |logit| {
                let Sigmoid { s, softplus, .. } = Sigmoid::of(logit);
                (softplus, s * factor)
            },
        );
        // s_y − 1 = −sigmoid(−z_y), without cancellation.
        z[y] = -Sigmoid::of(label).q * factor;
        value - label
    }

    fn sees_common_shift(&self) -> bool {
        true
    }

    fn source(&self) -> &'static str {
        "Cui et al., CVPR 2019, eq. 10 (before the class weights)"
    }

    fn formula(&self) -> &'static str {
        "-log s_y - sum_(k != y) log(1 - s_k), s = sigmoid(z)"
    }
}

/// What the sigmoid losses need to know about one logit.
pub(super) struct Sigmoid<R> {
    /// sigmoid(z).
    pub(super) s: R,
    /// 1 − s, without cancellation.
    pub(super) q: R,
    /// log(1 + exp(z)) = −log q.
    pub(super) softplus: R,
    /// log(1 + exp(−z)) = −log s.
    pub(super) softplus_neg: R,
}

impl<R: Real> Sigmoid<R> {
    #[inline(always)]
    pub(super) fn of(z: R) -> Self {
        let e = (-z.abs()).exp_neg();
        let log = e.ln_1p_unit();
        let norm = R::ONE / (R::ONE + e);
        let (small, large) = (e * norm, norm);
        let negative = z < R::ZERO;
        Self {
            s: if negative { small } else { large },
            q: if negative { large } else { small },
            softplus: z.larger(R::ZERO) + log,
            softplus_neg: (-z).larger(R::ZERO) + log,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{AnyLoss, Objective};
    use super::*;
    use crate::class_counts::ClassCounts;

    #[test]
    fn zero_logits_cost_one_bit_each() {
        let counts = ClassCounts::new(vec![3, 3, 3]).unwrap();
        let mut z = [0.0_f64; 3];
        let loss = AnyLoss::SigmoidCrossEntropy(SigmoidCrossEntropy {});
        let value = Objective::plain(loss, &counts).value_and_grad_f64(&mut z, &[1]);
        assert!((value - 3.0 * 2_f64.ln()).abs() < 1e-15);
        assert_eq!(z, [0.5, -0.5, 0.5]);
    }
}
