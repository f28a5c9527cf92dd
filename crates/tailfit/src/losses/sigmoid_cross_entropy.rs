use serde::{Deserialize, Serialize};

use super::{Loss, PerClass};
use crate::real::{Real, sum_by};

/// Binary cross-entropy on sigmoids, summed over the classes.
///
/// ```text
/// s = sigmoid(z)        L(z, y) = −log s_y − Σ_{k≠y} log(1 − sₖ)        ∂L/∂z = s − e_y
/// ```
///
/// With effective-number class weights it is the class-balanced sigmoid loss. Some
/// ports divide by K as well, which is the same as a K times smaller learning rate
/// and K times larger weight decay. Convex.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SigmoidCrossEntropy {}

impl Loss for SigmoidCrossEntropy {
    #[inline(always)]
    fn row<R: Real>(&self, _: &PerClass<R>, z: &mut [R], y: usize, factor: R) -> R {
        let label = z[y];
        // softplus(z) = max(z, 0) + log(1 + exp(−|z|)); at the label softplus(−z).
        let logits = &*z;
        let value = sum_by(logits.len(), |k| {
            logits[k].larger(R::ZERO) + (-logits[k].abs()).exp_neg().ln_1p_unit()
        }) - label;
        for value in z.iter_mut() {
            *value = sigmoid(*value).0 * factor;
        }
        // s_y − 1 = −sigmoid(−z_y), without cancellation.
        z[y] = -sigmoid(-label).0 * factor;
        value
    }

    fn source(&self) -> &'static str {
        "Cui et al., CVPR 2019, eq. 10 (before the class weights)"
    }

    fn formula(&self) -> &'static str {
        "-log s_y - sum_(k != y) log(1 - s_k), s = sigmoid(z)"
    }
}

/// (sigmoid(z), softplus(−z) = −log sigmoid(z)).
#[inline(always)]
pub(super) fn sigmoid<R: Real>(z: R) -> (R, R) {
    let e = (-z.abs()).exp_neg();
    let s = if z < R::ZERO { e } else { R::ONE } / (R::ONE + e);
    (s, (-z).larger(R::ZERO) + e.ln_1p_unit())
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
        let value = Objective::plain(loss, &counts).value_and_grad(&mut z, &[1]);
        assert!((value - 3.0 * 2_f64.ln()).abs() < 1e-15);
        assert_eq!(z, [0.5, -0.5, 0.5]);
    }
}
