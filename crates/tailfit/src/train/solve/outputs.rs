//! Sums over the softmax of logits.

use super::bias::OutputSums;
use crate::kernels::vectorised;
use crate::numbers::{Real, max_of, replace_and_sum};

/// Classes side by side: the columns of logits are a multiple of it.
const LANES: usize = 16;

/// Rows whose exponentials are kept until the three sums over them are taken in registers.
const ROWS: usize = 16;

/// What a row is normalised with.
#[derive(Clone, Copy, Default)]
struct Norm<R> {
    max: R,
    /// Σ exp(z + bias − max).
    total: R,
    /// Its inverse.
    scale: R,
    weight: R,
    /// log Σ exp(z + bias).
    log_total: R,
}

/// Adds the softmax of each row of `z + bias`.
pub(super) fn add_outputs<R: Real>(
    sums: &mut OutputSums,
    z: &[R],
    bias: &[R],
    weight: impl Fn(usize) -> f64,
) {
    // Columns beyond the classes have outputs of 0, so that registers are full.
    let mut padded = bias.to_vec();
    padded.resize(bias.len().next_multiple_of(LANES), R::from_f64(f64::NEG_INFINITY));
    let bias = padded.as_chunks().0;
    let c = bias.len();
    let mut exponentials = vec![[R::ZERO; LANES]; ROWS * c];
    let mut parts = vec![[[R::ZERO; LANES]; 3]; c];
    let mut norms = [Norm::default(); ROWS];
    let mut log_sum = 0.0;
    for (block, z) in z.as_chunks().0.chunks(ROWS * c).enumerate() {
        let norms = &mut norms[..z.len() / c];
        vectorised(
            #[inline(always)]
            || exponentiate(&mut exponentials, norms, z, bias),
        );
        for (i, norm) in norms.iter_mut().enumerate() {
            let weight = weight(block * ROWS + i);
            let log_total = norm.max.to_f64() + norm.total.to_f64().ln();
            log_sum += weight * log_total;
            norm.scale = R::ONE / norm.total;
            norm.weight = R::from_f64(weight);
            norm.log_total = R::from_f64(log_total);
        }
        vectorised(
            #[inline(always)]
            || add(&mut parts, &exponentials, norms, z, bias),
        );
    }
    sums.log_sum += log_sum;
    let wanted = [&mut sums.outputs, &mut sums.squares, &mut sums.entropies];
    for (which, sums) in wanted.into_iter().enumerate() {
        let parts = parts.iter().flat_map(|parts| parts[which]);
        sums.iter_mut().zip(parts).for_each(|(sum, part)| *sum += part.to_f64());
    }
}

/// exp(z + bias − max) of each row, with its maximum and sum.
#[inline(always)]
fn exponentiate<R: Real>(
    exponentials: &mut [[R; LANES]],
    norms: &mut [Norm<R>],
    z: &[[R; LANES]],
    bias: &[[R; LANES]],
) {
    let c = bias.len();
    let rows = exponentials.chunks_exact_mut(c).zip(z.chunks_exact(c));
    for ((e, z), norm) in rows.zip(norms) {
        let mut largest = [R::from_f64(f64::NEG_INFINITY); LANES];
        for (z, bias) in z.iter().zip(bias) {
            for (largest, (&z, &bias)) in largest.iter_mut().zip(z.iter().zip(bias)) {
                *largest = largest.larger(z + bias);
            }
        }
        let max = max_of(&largest);
        let numbers = z.as_flattened().iter().zip(bias.as_flattened());
        e.as_flattened_mut().iter_mut().zip(numbers).for_each(|(e, (&z, &bias))| *e = z + bias);
        norm.max = max;
        norm.total = replace_and_sum(
            e.as_flattened_mut(),
            #[inline(always)]
            |value| {
                let e = (value - max).exp_neg();
                (e, e)
            },
        );
    }
}

/// Adds each row's outputs, squares and entropies, register by register.
#[inline(always)]
fn add<R: Real>(
    parts: &mut [[[R; LANES]; 3]],
    exponentials: &[[R; LANES]],
    norms: &[Norm<R>],
    z: &[[R; LANES]],
    bias: &[[R; LANES]],
) {
    let c = bias.len();
    for (at, (parts, bias)) in parts.iter_mut().zip(bias).enumerate() {
        let [mut outputs, mut squares, mut entropies] = *parts;
        let rows = exponentials.chunks_exact(c).zip(z.chunks_exact(c));
        for ((e, z), norm) in rows.zip(norms) {
            let (e, z) = (&e[at], &z[at]);
            let Norm { scale, weight, log_total, .. } = *norm;
            for lane in 0..LANES {
                let p = e[lane] * scale;
                outputs[lane] += weight * p;
                squares[lane] += weight * p * p;
                entropies[lane] += weight * p * (log_total - (z[lane] + bias[lane]));
            }
        }
        *parts = [outputs, squares, entropies];
    }
}
