use serde::{Deserialize, Serialize};

use super::{Draw, Loss, PerClass, softmax};
use crate::numbers::{Real, product_of_one_plus, replace_and_sum};

/// Binary cross-entropy applied to softmax probabilities, averaged over the classes:
/// what LTWB's second stage calls its "softmax" loss.
///
/// ```text
/// p = softmax(z)      L(z, y) = −(1/K) [log p_y + Σ_{j≠y} log(1 − p_j)]
/// S = Σ_{j≠y} p_j / (1 − p_j)
/// ∂L/∂z_y = (p_y (1 − S) − 1) / K      ∂L/∂zₖ = (pₖ / (1 − pₖ) + pₖ (1 − S)) / K
/// ```
///
/// Not convex for K ≥ 3. Its gradient is about K times smaller than that of cross-entropy, so
/// at K = 100 a weight decay of 0.1 acts like one of about 10 in cross-entropy.
///
/// The authors' code uses PyTorch's `binary_cross_entropy`, which clamps logarithms at −100
/// and floors p(1 − p) at 1e-12 in the backward pass. Here 1 − p is computed without
/// cancellation and only floored at the smallest exponential (e^-34 in f32).
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct BceOnSoftmax {}

impl Loss for BceOnSoftmax {
    const SOFTMAX_FAMILY: bool = false;

    #[inline(always)]
    fn row<R: Real>(&self, _: &PerClass<R>, z: &mut [R], y: usize, factor: R, _: Draw) -> R {
        let n = R::from_f64(z.len() as f64);
        let max = crate::numbers::max_of(z);
        let label = (z[y] - max).to_f64();
        let (others, top) = softmax::exponentials(z, y);
        let others = others.larger(R::SMALLEST_EXP);
        let total = R::ONE + others;
        // For k ≠ top, p ≤ ½, so 1 − p = (total − e) / total is safe. The label and the largest
        // entry are excluded from the sums exactly, by zeroing them. z becomes p / (1 − p).
        (z[y], z[top]) = (R::ZERO, R::ZERO);
        let rest_odds = replace_and_sum(
            z,
            #[inline(always)]
            |e| {
                let odds = e / (total - e);
                (odds, odds)
            },
        );
        let odds_sum = rest_odds + if top == y { R::ZERO } else { R::ONE / others };
        // −log(1 − p) = log(1 + p / (1 − p)); the product over all classes is at most 4.
        let rest = product_of_one_plus(z).to_f64().ln();
        let log_total = others.to_f64().ln_1p();
        let at_top = if top == y { 0.0 } else { log_total - others.to_f64().ln() };
        let value = rest + at_top + log_total - label;

        let scale = factor / n;
        let tilt = R::ONE - odds_sum;
        for value in z.iter_mut() {
            let odds = *value;
            *value = ((odds + odds / (R::ONE + odds) * tilt) * scale).flushed();
        }
        // Where 1 − p is nearly 0, the two huge terms of the sum cancel analytically:
        // 1/others + (1 − 1/others − S′) / (1 + others) = (2 − S′) / (1 + others).
        z[top] = (R::ONE + R::ONE - rest_odds) / total * scale;
        let p = R::from_f64((label - log_total).exp());
        z[y] = (p - R::ONE - p * odds_sum) * scale;
        R::from_f64(value) / n
    }

    fn source(&self) -> &'static str {
        "Alshammari et al., CVPR 2022, second stage as in their code (binary cross-entropy on softmax)"
    }

    fn formula(&self) -> &'static str {
        "-(1/K) [log p_y + sum_(j != y) log(1 - p_j)], p = softmax(z)"
    }
}

#[cfg(test)]
mod tests {
    use super::super::{AnyLoss, Objective};
    use super::*;
    use crate::class_counts::ClassCounts;

    /// With two classes 1 − p_j = p_y, so the loss is cross-entropy.
    #[test]
    fn with_two_classes_it_is_cross_entropy() {
        let counts = ClassCounts::new(vec![3, 3]).unwrap();
        let (mut z, mut ce) = ([1.5_f64, -0.5], [1.5_f64, -0.5]);
        let value = Objective::plain(AnyLoss::BceOnSoftmax(BceOnSoftmax {}), &counts)
            .value_and_grad_f64(&mut z, &[1]);
        let plain = AnyLoss::CrossEntropy(super::super::CrossEntropy {});
        let expected = Objective::plain(plain, &counts).value_and_grad_f64(&mut ce, &[1]);
        assert!((value - expected).abs() < 1e-14, "{value} against {expected}");
        assert!((z[0] - ce[0]).abs() < 1e-14 && (z[1] - ce[1]).abs() < 1e-14);
    }
}
