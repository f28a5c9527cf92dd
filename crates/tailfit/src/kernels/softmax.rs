//! The softmax family for rows that fit in registers: each row is read once and written once.
//! Bit-identical to the loop in `losses`, which handles all other rows.

use pulp::{Simd, WithSimd};

use super::PerClass;
use crate::numbers::Lane;

/// Lanes of the registers this is written for, and of the fixed-order sums everywhere else.
const LANES: usize = 16;

/// Maximum number of classes: what fits in the registers left over by the exponential.
const MOST: usize = 12 * LANES;

/// [`PerClass`] in single precision.
#[derive(Clone, Copy)]
pub(crate) struct Family<'a> {
    scale: &'a [f32],
    offset: &'a [f32],
    margin: &'a [f32],
    smoothing: &'a [f32],
    unadjusted: bool,
}

impl<'a> Family<'a> {
    pub(crate) fn of<R: Lane>(c: &'a PerClass<R>) -> Self {
        Self {
            scale: R::as_f32(&c.scale),
            offset: R::as_f32(&c.offset),
            margin: R::as_f32(&c.margin),
            smoothing: R::as_f32(&c.smoothing),
            unadjusted: c.unadjusted,
        }
    }
}

/// Rows of logits to be replaced by their gradient.
pub(crate) struct SoftmaxRows<'a> {
    /// Logits of all heads; this head's for sample i begin at `start + i stride`.
    pub logits: &'a mut [f32],
    pub start: usize,
    pub stride: usize,
    pub labels: &'a [u32],
    pub constants: Family<'a>,
    /// What value and gradient of sample i are multiplied by.
    pub factor: &'a dyn Fn(usize) -> f64,
}

impl SoftmaxRows<'_> {
    /// The sum of the losses times their factors; `None`, with nothing changed, if the rows do
    /// not fit or the machine lacks such registers.
    pub(crate) fn apply(self) -> Option<f64> {
        pulp::Arch::new().dispatch(self)
    }
}

impl WithSimd for SoftmaxRows<'_> {
    type Output = Option<f64>;

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> Option<f64> {
        let n_classes = self.constants.scale.len();
        if S::F32_LANES != LANES || n_classes > MOST {
            return None;
        }
        macro_rules! by_registers {
            ($($n:literal)*) => {
                match n_classes.div_ceil(LANES) {
                    $($n => rows::<S, $n>(simd, self, n_classes),)*
                    _ => return None,
                }
            };
        }
        Some(by_registers!(1 2 3 4 5 6 7 8 9 10 11 12))
    }
}

#[inline(always)]
fn rows<S: Simd, const N: usize>(simd: S, rows: SoftmaxRows<'_>, n_classes: usize) -> f64 {
    let mut value = 0.0;
    for (i, &label) in rows.labels.iter().enumerate() {
        let z = &mut rows.logits[rows.start + i * rows.stride..][..n_classes];
        let factor = (rows.factor)(i);
        value +=
            f64::from(row::<S, N>(simd, rows.constants, z, label as usize, factor as f32)) * factor;
    }
    value
}

#[inline(always)]
fn row<S: Simd, const N: usize>(
    simd: S,
    c: Family<'_>,
    z: &mut [f32],
    y: usize,
    factor: f32,
) -> f32 {
    if c.margin[y] != 0.0 {
        z[y] -= c.margin[y] / c.scale[y];
    }
    let smoothing = c.smoothing[y];
    let splat = |value| simd.splat_f32s(value);
    let lowest = splat(f32::NEG_INFINITY);
    let full = (N - 1) * LANES;
    let mut values = [lowest; N];
    {
        let (vectors, tail) = z.split_at(full);
        let vectors = S::as_simd_f32s(vectors).0;
        for n in 0..N - 1 {
            values[n] = vectors[n];
        }
        values[N - 1] = simd.partial_load_f32s(tail);
    }
    if !c.unadjusted {
        for n in 0..N {
            let part = n * LANES..z.len().min((n + 1) * LANES);
            let scale = simd.partial_load_f32s(&c.scale[part.clone()]);
            let offset = simd.partial_load_f32s(&c.offset[part]);
            values[n] = simd.mul_add_e_f32s(values[n], scale, offset);
        }
    }
    let label = z[y];
    let label = if c.unadjusted { label } else { label.mul_add(c.scale[y], c.offset[y]) };
    let left = tail_mask(simd, z.len() - full);
    let mut sum = splat(0.0);
    if smoothing > 0.0 {
        for n in 0..N - 1 {
            sum = simd.add_f32s(sum, values[n]);
        }
        sum = simd.add_f32s(sum, simd.select_f32s(left, values[N - 1], splat(0.0)));
    }
    values[N - 1] = simd.select_f32s(left, values[N - 1], lowest);
    let mut max = values[0];
    for n in 1..N {
        max = simd.max_f32s(max, values[n]);
    }
    let max = simd.reduce_max_f32s(max);
    let mean = if smoothing > 0.0 { simd.reduce_sum_f32s(sum) / z.len() as f32 - max } else { 0.0 };
    let mut total = splat(0.0);
    for n in 0..N {
        values[n] = exp_neg(simd, simd.sub_f32s(values[n], splat(max)));
        total = simd.add_f32s(total, values[n]);
    }
    let total = simd.reduce_sum_f32s(total);
    let floor = -(smoothing / z.len() as f32 * factor);
    let norm = factor / total;
    for n in 0..N {
        values[n] = simd.mul_add_e_f32s(values[n], splat(norm), splat(floor));
        if !c.unadjusted {
            let part = n * LANES..z.len().min((n + 1) * LANES);
            let scale = simd.partial_load_f32s(&c.scale[part]);
            values[n] = simd.mul_f32s(values[n], scale);
        }
    }
    let (vectors, tail) = z.split_at_mut(full);
    let vectors = S::as_mut_simd_f32s(vectors).0;
    for n in 0..N - 1 {
        vectors[n] = values[n];
    }
    simd.partial_store_f32s(tail, values[N - 1]);
    z[y] -= (1.0 - smoothing) * factor * c.scale[y];
    // The maximum contributes exp(0) = 1, so the total is at least 1.
    let log_total = f64::from(total).ln() as f32;
    log_total - (1.0 - smoothing) * (label - max) - smoothing * mean
}

/// Mask of the first `left` lanes.
#[inline(always)]
fn tail_mask<S: Simd>(simd: S, left: usize) -> S::m32s {
    const ORDER: [f32; LANES] =
        [0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0, 10.0, 11.0, 12.0, 13.0, 14.0, 15.0];
    simd.less_than_f32s(S::as_simd_f32s(&ORDER).0[0], simd.splat_f32s(left as f32))
}

/// [`crate::numbers::Real::exp_neg`] for a register.
#[inline(always)]
fn exp_neg<S: Simd>(simd: S, x: S::f32s) -> S::f32s {
    use crate::numbers::exp::{COEFFICIENTS, LN_2_HIGH, LN_2_LOW, LOWEST, ROUND};
    let splat = |value| simd.splat_f32s(value);
    let below = simd.less_than_f32s(x, splat(LOWEST));
    let x = simd.select_f32s(below, splat(LOWEST), x);
    let shifted = simd.mul_add_e_f32s(x, splat(std::f32::consts::LOG2_E), splat(ROUND));
    let n = simd.sub_f32s(shifted, splat(ROUND));
    let r = simd.mul_add_e_f32s(n, splat(-LN_2_HIGH), x);
    let r = simd.mul_add_e_f32s(n, splat(-LN_2_LOW), r);
    let mut p = splat(COEFFICIENTS[0]);
    for &coefficient in &COEFFICIENTS[1..] {
        p = simd.mul_add_e_f32s(p, r, splat(coefficient));
    }
    let bits = simd.transmute_u32s_f32s(shifted);
    let power = simd.wrapping_dyn_shl_u32s(bits, simd.splat_u32s(23));
    let power = simd.transmute_f32s_u32s(simd.add_u32s(power, simd.splat_u32s(127 << 23)));
    simd.select_f32s(below, splat(0.0), simd.mul_f32s(p, power))
}
