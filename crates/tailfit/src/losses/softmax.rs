//! The softmax family for one sample, in three passes over its logits.

use super::PerClass;
use crate::numbers::{Real, max_of, replace_and_sum, sum_map};

/// The loss of one sample; `z` becomes `factor` times the gradient. See [`PerClass`].
#[inline(always)]
pub(super) fn row<R: Real>(c: &PerClass<R>, z: &mut [R], y: usize, factor: R) -> R {
    let n = z.len();
    let (scale, offset) = (&c.scale[..n], &c.offset[..n]);
    if c.margin[y] != R::ZERO {
        z[y] = z[y] - c.margin[y] / scale[y];
    }
    if !c.unadjusted {
        for k in 0..n {
            z[k] = z[k].mul_add(scale[k], offset[k]);
        }
    }
    let max = max_of(z);
    let smoothing = c.smoothing[y];
    let classes = R::from_f64(n as f64);
    let spread = smoothing / classes;
    let label = z[y] - max;
    let mean = if smoothing > R::ZERO {
        sum_map(
            z,
            #[inline(always)]
            |v| v,
        ) / classes
            - max
    } else {
        R::ZERO
    };
    let total = exponentiate(z, max);

    let norm = factor / total;
    let floor = -(spread * factor);
    if c.unadjusted {
        for value in z.iter_mut() {
            *value = value.mul_add(norm, floor);
        }
    } else {
        for k in 0..n {
            z[k] = z[k].mul_add(norm, floor) * scale[k];
        }
    }
    z[y] = z[y] - (R::ONE - smoothing) * factor * scale[y];
    // The maximum contributes exp(0) = 1, so the total is at least 1.
    let log_total = R::from_f64(total.to_f64().ln());
    log_total - (R::ONE - smoothing) * label - smoothing * mean
}

/// exp(z − max) in place. Returns (Σ of all but the largest, index of the largest), from which
/// probabilities near 1 can be told apart from 1. Among equal maxima the label `y` is preferred.
#[inline(always)]
pub(super) fn exponentials<R: Real>(z: &mut [R], y: usize) -> (R, usize) {
    let max = max_of(z);
    let at_label = z[y] == max;
    let top = if at_label { y } else { z.iter().position(|&v| v == max).unwrap_or(y) };
    exponentiate(z, max);
    // The largest is exp(0) = 1; it is excluded from the sum exactly.
    z[top] = R::ZERO;
    let others = sum_map(
        z,
        #[inline(always)]
        |e| e,
    );
    z[top] = R::ONE;
    (others, top)
}

/// z ← exp(z − max). Returns the sum.
#[inline(always)]
fn exponentiate<R: Real>(z: &mut [R], max: R) -> R {
    replace_and_sum(
        z,
        #[inline(always)]
        |value| {
            let e = (value - max).exp_neg();
            (e, e)
        },
    )
}
