//! The softmax family on one sample, in three passes over its logits.

use super::PerClass;
use crate::real::{Real, max_of, sum_by};

/// Loss of one sample; `z` becomes `factor` times the gradient. See [`PerClass`].
#[inline(always)]
pub(super) fn row<R: Real>(c: &PerClass<R>, z: &mut [R], y: usize, factor: R) -> R {
    let n = z.len();
    let (scale, offset) = (&c.scale[..n], &c.offset[..n]);
    for k in 0..n {
        z[k] = z[k] * scale[k] + offset[k];
    }
    z[y] = z[y] - c.margin[y];
    let smoothing = c.smoothing[y];
    let spread = smoothing / R::from_f64(n as f64);

    let max = max_of(z);
    let label = z[y] - max;
    let mean = if smoothing > R::ZERO {
        sum_by(n, |k| z[k] - max) / R::from_f64(n as f64)
    } else {
        R::ZERO
    };
    for value in z.iter_mut() {
        *value = (*value - max).exp_neg();
    }
    let total = sum_by(n, |k| z[k]);

    let norm = factor / total;
    let floor = spread * factor;
    for k in 0..n {
        z[k] = (z[k] * norm - floor) * scale[k];
    }
    z[y] = z[y] - (R::ONE - smoothing) * factor * scale[y];
    // Every logit is at most the maximum, so the total is at least 1.
    let log_total = R::from_f64(total.to_f64().ln());
    log_total - (R::ONE - smoothing) * label - smoothing * mean
}

/// Softmax of one sample in place, exact where a probability is near 1. Returns
/// (Σ of the exponentials other than the largest, index of the largest).
#[inline(always)]
pub(super) fn exponentials<R: Real>(z: &mut [R]) -> (R, usize) {
    let max = max_of(z);
    let top = z.iter().position(|&value| value == max).unwrap_or(0);
    for value in z.iter_mut() {
        *value = (*value - max).exp_neg();
    }
    let z = &*z;
    let others = sum_by(z.len(), |k| if k == top { R::ZERO } else { z[k] });
    (others, top)
}
