//! The momentum step on rows of weights.

use std::ops::Range;

use crate::real::Real;

/// One momentum step's hyper-parameters, per column.
#[derive(Clone, Copy)]
pub(crate) struct Steps<'a, R> {
    /// Learning rate, `[C]`.
    pub lr: &'a [R],
    /// Coupled weight decay, `[C]`.
    pub decay: &'a [R],
    /// Momentum, `[C]`.
    pub momentum: &'a [R],
    /// Nesterov's form.
    pub nesterov: bool,
}

impl<R> Steps<'_, R> {
    /// Those of some columns.
    #[inline(always)]
    pub(crate) fn of(&self, columns: Range<usize>) -> Self {
        Self {
            lr: &self.lr[columns.clone()],
            decay: &self.decay[columns.clone()],
            momentum: &self.momentum[columns],
            nesterov: self.nesterov,
        }
    }
}

/// Columns at once: one register, which the loops below become.
const LANES: usize = 16;

/// PyTorch's SGD on rows `[rows, C]` of weights, as many as `grad` has; C is a multiple of 16.
/// g = grad + decay w; v = momentum v + g; w = w − lr v, or with Nesterov
/// w = w − lr (g + momentum v).
#[inline(always)]
pub(crate) fn descend<R: Real>(w: &mut [R], v: &mut [R], grad: &[R], steps: &Steps<'_, R>) {
    if steps.nesterov {
        descend_rows::<R, true>(w, v, grad, steps.lr, steps.decay, steps.momentum);
    } else {
        descend_rows::<R, false>(w, v, grad, steps.lr, steps.decay, steps.momentum);
    }
}

#[inline(always)]
fn descend_rows<R: Real, const NESTEROV: bool>(
    w: &mut [R],
    v: &mut [R],
    grad: &[R],
    lr: &[R],
    decay: &[R],
    momentum: &[R],
) {
    let chunks = lr.len() / LANES;
    let (lr, decay, momentum) = (lr.as_chunks().0, decay.as_chunks().0, momentum.as_chunks().0);
    let w = w.as_chunks_mut().0.chunks_exact_mut(chunks);
    let v = v.as_chunks_mut().0.chunks_exact_mut(chunks);
    for ((w, v), grad) in w.zip(v).zip(grad.as_chunks().0.chunks_exact(chunks)) {
        let state = w.iter_mut().zip(v).zip(grad);
        for (((w, v), grad), ((lr, decay), momentum)) in state.zip(lr.iter().zip(decay).zip(momentum)) {
            descend_chunk::<R, NESTEROV>(w, v, grad, lr, decay, momentum);
        }
    }
}

/// Arrays as arguments, which the compiler knows not to overlap.
#[inline(always)]
fn descend_chunk<R: Real, const NESTEROV: bool>(
    w: &mut [R; LANES],
    v: &mut [R; LANES],
    grad: &[R; LANES],
    lr: &[R; LANES],
    decay: &[R; LANES],
    momentum: &[R; LANES],
) {
    for k in 0..LANES {
        let g = grad[k] + decay[k] * w[k];
        v[k] = (momentum[k] * v[k] + g).flushed();
        let step = if NESTEROV { g + momentum[k] * v[k] } else { v[k] };
        w[k] = w[k] - lr[k] * step;
    }
}
