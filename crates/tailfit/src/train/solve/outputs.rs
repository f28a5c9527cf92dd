//! Sums over the softmax of logits.

use super::bias::OutputSums;
use crate::kernels::vectorised;
use crate::numbers::{Real, max_of, replace_and_sum};

/// Classes side by side: the columns of logits are a multiple of it.
const LANES: usize = 16;

/// Adds the softmax of each row of `z + bias`.
pub(super) fn add_outputs<R: Real>(
    sums: &mut OutputSums,
    z: &[R],
    bias: &[R],
    weight: impl Fn(usize) -> f64,
) {
    let c = bias.len().next_multiple_of(LANES);
    // Columns beyond the classes have outputs of 0, so that registers are full.
    let mut padded = bias.to_vec();
    padded.resize(c, R::from_f64(f64::NEG_INFINITY));
    let bias = &padded[..];
    let zero = || vec![R::ZERO; c];
    let (mut p, mut outputs, mut squares, mut entropies) = (zero(), zero(), zero(), zero());
    let mut log_sum = 0.0;
    vectorised(
        #[inline(always)]
        || {
            for (i, row) in z.chunks_exact(c).enumerate() {
                for ((p, &z), &bias) in p.iter_mut().zip(row).zip(bias) {
                    *p = z + bias;
                }
                let max = max_of(&p);
                let total = replace_and_sum(
                    &mut p,
                    #[inline(always)]
                    |value| {
                        let e = (value - max).exp_neg();
                        (e, e)
                    },
                );
                let weight = weight(i);
                let log_total = max.to_f64() + total.to_f64().ln();
                log_sum += weight * log_total;
                let (norm, weight) = (R::ONE / total, R::from_f64(weight));
                let log_total = R::from_f64(log_total);
                let sums = outputs.iter_mut().zip(&mut squares).zip(&mut entropies);
                for (((o, s), h), ((&e, &z), &bias)) in sums.zip(p.iter().zip(row).zip(bias)) {
                    let p = e * norm;
                    *o += weight * p;
                    *s += weight * p * p;
                    *h += weight * p * (log_total - (z + bias));
                }
            }
        },
    );
    sums.log_sum += log_sum;
    for (sums, parts) in [
        (&mut sums.outputs, outputs),
        (&mut sums.squares, squares),
        (&mut sums.entropies, entropies),
    ] {
        sums.iter_mut().zip(&parts).for_each(|(sum, part)| *sum += part.to_f64());
    }
}
