//! Products with all the accuracy of single precision, for scoring. Where the machine has
//! matrix tiles, a number is split into two bf16, high and low, and x w taken as the sum of three
//! products: its error is below 2⁻¹⁶ Σ |x| |w|, at several times the speed.

use super::block::{BLOCK, Unit, units};
use super::half::{self, PairPanels, bf16, from_bf16};
use super::packed::padded_depth;
use super::panels::{Aligned, Panels, zeros};
use super::tiles::{Forward, Rows, TILE};
use crate::real::Real;

/// Samples `[N, D]` that many heads will score.
#[derive(Clone)]
pub(crate) struct Samples<R> {
    depth: usize,
    values: Values<R>,
}

#[derive(Clone)]
enum Values<R> {
    /// `[N / 8][D][8]`.
    Full(Aligned<R>),
    /// `[N, D]` bf16, high and low.
    Split([Aligned<u16>; 2]),
}

fn splits<R: Real>() -> bool {
    R::SINGLE && units().first() == Some(&Unit::Tiles)
}

/// D with padding, as scoring wants it.
fn depth<R: Real>(dim: usize) -> usize {
    padded_depth(dim, splits::<R>().then_some(Unit::Tiles))
}

impl<R: Real> Samples<R> {
    pub(crate) fn new(features: &[R], dim: usize) -> Self {
        let (depth, n) = (depth::<R>(dim), features.len() / dim);
        let values = if splits::<R>() {
            let mut parts = [0, 1].map(|_| zeros(n.next_multiple_of(BLOCK) * depth));
            for (i, row) in features.chunks_exact(dim).enumerate() {
                for (j, &value) in row.iter().enumerate() {
                    let (high, low) = split(value.to_f32());
                    parts[0][i * depth + j] = high as u16;
                    parts[1][i * depth + j] = low as u16;
                }
            }
            Values::Split(parts)
        } else {
            let mut tall = zeros(n.next_multiple_of(BLOCK) * depth);
            for (i, row) in features.chunks_exact(dim).enumerate() {
                for (j, &value) in row.iter().enumerate() {
                    tall[(i / TILE * depth + j) * TILE + i % TILE] = value;
                }
            }
            Values::Full(tall)
        };
        Self { depth, values }
    }
}

/// A number as the sum of two bf16.
#[inline(always)]
fn split(value: f32) -> (u32, u32) {
    let high = bf16(value);
    (high, bf16(value - from_bf16(high)))
}

/// Columns `[D, C]` to score with.
pub(crate) struct Columns<R> {
    pub panels: Panels,
    /// Changed from outside only with [`Columns::changed`] after it.
    pub value: Aligned<R>,
    /// `[C]`.
    pub bias: Aligned<R>,
    pairs: [Aligned<u32>; 2],
}

impl<R: Real> Columns<R> {
    pub(crate) fn new(dim: usize, columns: usize) -> Self {
        let panels = Panels::new(depth::<R>(dim), columns);
        let n = panels.len();
        let pairs = [0, 1].map(|_| zeros(if splits::<R>() { n / 2 } else { 0 }));
        Self { panels, value: zeros(n), bias: zeros(panels.columns), pairs }
    }

    /// Brings the split copy up to date.
    pub(crate) fn changed(&mut self) {
        if !splits::<R>() {
            return;
        }
        let from = R::as_f32(&self.value);
        for (to, rests) in self.pairs.iter_mut().zip([false, true]) {
            pulp::Arch::new().dispatch(PairPanels { from, to, panels: self.panels, rests });
        }
    }

    /// `out = x W + bias` for samples `from..`, as many as `out` has rows; both are multiples of
    /// 16.
    pub(crate) fn multiply(&self, out: Rows<'_, R>, x: &Samples<R>, from: usize) {
        let Rows { values, pitch } = out;
        let part = from * x.depth..(from + values.len() / pitch) * x.depth;
        match &x.values {
            Values::Full(tall) => {
                let out = Rows { values, pitch };
                let (x, w, bias) = (&tall[part], &self.value, &self.bias);
                pulp::Arch::new().dispatch(Forward { out, x, w, bias, panels: self.panels });
            }
            Values::Split([high, low]) => {
                let values = R::as_f32_mut(values);
                let bias = R::as_f32(&self.bias);
                let [w_high, w_low] = &self.pairs;
                let mut add = |x: &[u16], w: &[u32], bias: Option<&[f32]>| {
                    let out = Rows { values: &mut *values, pitch };
                    half::forward(Unit::Tiles, out, x, w, bias, self.panels);
                };
                add(&high[part.clone()], w_high, Some(bias));
                add(&high[part.clone()], w_low, None);
                add(&low[part], w_high, None);
            }
        }
    }
}
