//! Loops over `[rows, C]` matrices whose columns belong to many heads: each column has
//! its own learning rate, weight decay and sums.

use crate::kernels::vectorised;
use crate::real::Real;

/// Adds `add[c]` to every row.
pub(super) fn add_row<R: Real>(z: &mut [R], add: &[R]) {
    each_row(z, add.len(), |row| {
        for (value, &term) in row.iter_mut().zip(add) {
            *value += term;
        }
    });
}

/// Multiplies every row by `factor[c]`.
pub(super) fn scale_columns<R: Real>(z: &mut [R], factor: &[R]) {
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

/// out[c] = Σ over rows of a · b (of a alone without b).
pub(super) fn column_sums<R: Real>(out: &mut [R], a: &[R], b: Option<&[R]>) {
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

/// L2 norm of every column of `w [D, C]`.
pub(super) fn column_norms<R: Real>(out: &mut [R], w: &[R]) {
    column_sums(out, w, Some(w));
    for norm in out {
        *norm = norm.sqrt();
    }
}

/// One momentum step's hyper-parameters, per column.
pub(super) struct Steps<'a, R> {
    /// Learning rate, `[C]`.
    pub lr: &'a [R],
    /// Coupled weight decay, `[C]`.
    pub decay: &'a [R],
    /// Momentum, `[C]`.
    pub momentum: &'a [R],
    /// Nesterov's form.
    pub nesterov: bool,
}

/// PyTorch's SGD on `w [rows, C]`: g = grad + decay w; v = momentum v + g;
/// w = w − lr v, or with Nesterov w = w − lr (g + momentum v).
pub(super) fn sgd<R: Real>(w: &mut [R], v: &mut [R], grad: &[R], steps: &Steps<'_, R>) {
    let c = steps.lr.len();
    vectorised(
        #[inline(always)]
        || {
            let rows = w.chunks_exact_mut(c).zip(v.chunks_exact_mut(c)).zip(grad.chunks_exact(c));
            for ((w, v), grad) in rows {
                if steps.nesterov {
                    sgd_row::<R, true>(w, v, grad, steps.lr, steps.decay, steps.momentum);
                } else {
                    sgd_row::<R, false>(w, v, grad, steps.lr, steps.decay, steps.momentum);
                }
            }
        },
    );
}

/// One row; slices as arguments, which the compiler knows not to overlap.
#[inline(always)]
fn sgd_row<R: Real, const NESTEROV: bool>(
    w: &mut [R],
    v: &mut [R],
    grad: &[R],
    lr: &[R],
    decay: &[R],
    momentum: &[R],
) {
    let c = w.len();
    let (v, grad) = (&mut v[..c], &grad[..c]);
    let (lr, decay, momentum) = (&lr[..c], &decay[..c], &momentum[..c]);
    for k in 0..c {
        let g = grad[k] + decay[k] * w[k];
        v[k] = (momentum[k] * v[k] + g).flushed();
        let step = if NESTEROV { g + momentum[k] * v[k] } else { v[k] };
        w[k] = w[k] - lr[k] * step;
    }
}
