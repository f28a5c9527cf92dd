//! The momentum step.

use std::ops::Range;

use pulp::{Simd, WithSimd};

use crate::numbers::Real;

/// The hyper-parameters of one momentum step, per column.
#[derive(Clone, Copy)]
pub(crate) struct Steps<'a, R> {
    /// Learning rate, `[C]`.
    pub lr: &'a [R],
    /// Coupled weight decay, `[C]`.
    pub decay: &'a [R],
    /// Momentum, `[C]`.
    pub momentum: &'a [R],
    /// Whether to use Nesterov momentum.
    pub nesterov: bool,
}

impl<'a, R: Real> Steps<'a, R> {
    /// The same hyper-parameters for a range of columns.
    pub(crate) fn of(&self, columns: Range<usize>) -> Self {
        Self {
            lr: &self.lr[columns.clone()],
            decay: &self.decay[columns.clone()],
            momentum: &self.momentum[columns],
            nesterov: self.nesterov,
        }
    }

    /// The same as f32; panics for any other number type.
    pub(super) fn as_f32(&self) -> Steps<'a, f32> {
        let [lr, decay, momentum] =
            [R::as_f32(self.lr), R::as_f32(self.decay), R::as_f32(self.momentum)];
        Steps { lr, decay, momentum, nesterov: self.nesterov }
    }

    /// The same as registers.
    #[inline(always)]
    pub(super) fn registers<S: Simd>(&self) -> Registers<'a, S, R> {
        let [lr, decay, momentum] =
            [R::vectors(self.lr), R::vectors(self.decay), R::vectors(self.momentum)];
        Registers { lr, decay, momentum, nesterov: self.nesterov }
    }
}

/// [`Steps`] as registers.
#[derive(Clone, Copy)]
pub(super) struct Registers<'a, S: Simd, R: Real> {
    lr: &'a [R::Vector<S>],
    decay: &'a [R::Vector<S>],
    momentum: &'a [R::Vector<S>],
    nesterov: bool,
}

impl<S: Simd, R: Real> Registers<'_, S, R> {
    /// What the gradient of N registers starting at `at` is added to: decay w + momentum v, or
    /// decay w with Nesterov. The loads begin long before [`Registers::finish`] needs them.
    #[inline(always)]
    pub(super) fn start<const N: usize>(
        &self,
        simd: S,
        w: &[R::Vector<S>],
        v: &[R::Vector<S>],
        at: usize,
    ) -> [R::Vector<S>; N] {
        let (decay, momentum) = (&self.decay[at..at + N], &self.momentum[at..at + N]);
        let mut sums = [R::splat(simd, R::ZERO); N];
        for n in 0..N {
            if !self.nesterov {
                sums[n] = R::mul_add_each(simd, momentum[n], v[n], sums[n]);
            }
            sums[n] = R::mul_add_each(simd, decay[n], w[n], sums[n]);
        }
        sums
    }

    /// PyTorch's SGD: with g = gradient + decay w and v = momentum v + g, w becomes w − lr v, or
    /// w − lr (g + momentum v) with Nesterov. `sums` is the start plus the gradient.
    #[inline(always)]
    pub(super) fn finish<const N: usize>(
        &self,
        simd: S,
        sums: &[R::Vector<S>; N],
        w: &mut [R::Vector<S>],
        v: &mut [R::Vector<S>],
        at: usize,
    ) {
        let (lr, momentum) = (&self.lr[at..at + N], &self.momentum[at..at + N]);
        for n in 0..N {
            let mut step = sums[n];
            if self.nesterov {
                v[n] =
                    R::flush(simd, R::mul_add_each(simd, momentum[n], v[n], step), R::NEGLIGIBLE);
                step = R::mul_add_each(simd, momentum[n], v[n], step);
            } else {
                step = R::flush(simd, step, R::NEGLIGIBLE);
                v[n] = step;
            }
            w[n] = R::negate_mul_add_each(simd, lr[n], step, w[n]);
        }
    }

    /// A whole step for one row.
    #[inline(always)]
    pub(super) fn descend(
        &self,
        simd: S,
        grad: &[R::Vector<S>],
        w: &mut [R::Vector<S>],
        v: &mut [R::Vector<S>],
    ) {
        let one = R::splat(simd, R::ONE);
        let n = grad.len();
        let this = Self {
            lr: &self.lr[..n],
            decay: &self.decay[..n],
            momentum: &self.momentum[..n],
            nesterov: self.nesterov,
        };
        let (w, v) = (&mut w[..n], &mut v[..n]);
        for at in 0..n {
            let [start] = this.start::<1>(simd, &w[at..=at], &v[at..=at], at);
            let sum = R::mul_add_each(simd, one, grad[at], start);
            this.finish(simd, &[sum], &mut w[at..=at], &mut v[at..=at], at);
        }
    }
}

/// A step for one row of parameters, `[C]`, with C a multiple of 16.
pub(crate) fn descend<R: Real>(w: &mut [R], v: &mut [R], grad: &[R], steps: &Steps<'_, R>) {
    struct Row<'a, R>(&'a mut [R], &'a mut [R], &'a [R], &'a Steps<'a, R>);

    impl<R: Real> WithSimd for Row<'_, R> {
        type Output = ();

        #[inline(always)]
        fn with_simd<S: Simd>(self, simd: S) {
            let Self(w, v, grad, steps) = self;
            let (w, v) = (R::vectors_mut::<S>(w), R::vectors_mut::<S>(v));
            steps.registers().descend(simd, R::vectors(grad), w, v);
        }
    }

    pulp::Arch::new().dispatch(Row(w, v, grad, steps));
}
