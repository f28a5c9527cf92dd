//! Loops over `[rows, C]` matrices whose columns belong to many heads; each column has its
//! own factor and its own sum.

use super::{Weights, vectorised};
use crate::numbers::Real;

/// Multiplies column c of every row by `factor[c]`.
pub(crate) fn scale_columns<R: Real>(z: &mut [R], factor: &[R]) {
    each_row(z, factor.len(), |row| {
        for (value, &factor) in row.iter_mut().zip(factor) {
            *value = *value * factor;
        }
    });
}

#[inline(always)]
fn each_row<R: Real>(z: &mut [R], c: usize, work: impl Fn(&mut [R])) {
    vectorised(
        #[inline(always)]
        || z.chunks_exact_mut(c).for_each(&work),
    );
}

/// out[c] = Σ over rows of a · b, or of a alone if `b` is `None`.
pub(crate) fn column_sums<R: Real>(out: &mut [R], a: &[R], b: Option<&[R]>) {
    let c = out.len();
    vectorised(
        #[inline(always)]
        || {
            out.fill(R::ZERO);
            match b {
                None => {
                    for row in a.chunks_exact(c) {
                        for (sum, &a) in out.iter_mut().zip(row) {
                            *sum += a;
                        }
                    }
                }
                Some(b) => {
                    for (row_a, row_b) in a.chunks_exact(c).zip(b.chunks_exact(c)) {
                        for ((sum, &a), &b) in out.iter_mut().zip(row_a).zip(row_b) {
                            *sum += a * b;
                        }
                    }
                }
            }
        },
    );
}

/// L2 norm of every column of the weights.
pub(crate) fn column_norms<R: Real>(out: &mut [R], weights: &Weights<R>) {
    for first in weights.panels.firsts() {
        let columns = first..first + weights.panels.width(first);
        let panel = &weights.value[columns.start * weights.panels.depth..];
        let panel = &panel[..columns.len() * weights.panels.depth];
        column_sums(&mut out[columns], panel, Some(panel));
    }
    for norm in out {
        *norm = norm.sqrt();
    }
}

/// Multiplies column c of the weights by `factor[c]`.
pub(crate) fn scale_weights<R: Real>(weights: &mut Weights<R>, factor: &[R]) {
    for first in weights.panels.firsts() {
        let columns = first..first + weights.panels.width(first);
        let panel = &mut weights.value[columns.start * weights.panels.depth..];
        let panel = &mut panel[..columns.len() * weights.panels.depth];
        scale_columns(panel, &factor[columns]);
    }
    weights.changed();
}
