//! Accurate products for scoring: single precision, or a close match of it where the machine has
//! matrix tiles. There each number is split into two bf16, high and low, and x w is computed as
//! the sum of three products, xₕ wₕ + xₕ wₗ + xₗ wₕ, with an error below 2⁻¹⁶ Σ |x| |w| at several
//! times the speed. The three are done as one product over three times the depth.

use super::bf16::{self, PairPanels, from_bf16, to_bf16};
use super::block::{BLOCK, Unit, units};
use super::packed::padded_depth;
use super::panels::{Aligned, Panels, zeros};
use super::tiles::{Forward, Rows, TILE};
use crate::numbers::Real;

/// Samples `[N, D]`, packed for scoring by many heads.
#[derive(Clone, Debug)]
pub(crate) struct ScoringRows<R> {
    depth: usize,
    values: Values<R>,
}

#[derive(Clone, Debug)]
enum Values<R> {
    /// `[N / 8][D][8]`.
    Full(Aligned<R>),
    /// bf16 `[N, 3 D]`: high, high, low.
    Split(Aligned<u16>),
}

fn splits<R: Real>() -> bool {
    R::SINGLE && units().first() == Some(&Unit::Tiles)
}

/// D, padded as scoring requires.
fn depth<R: Real>(dim: usize) -> usize {
    padded_depth(dim, splits::<R>().then_some(Unit::Tiles))
}

impl<R: Real> ScoringRows<R> {
    /// Packs features `[N, D]`, either as they are or with each row divided by its L2 norm. If
    /// features of the mirrored images are given, it packs the mean of the two: a head is linear in
    /// its input, so this yields the mean of their logits.
    pub(crate) fn new(features: &[R], mirror: Option<&[R]>, dim: usize, normalised: bool) -> Self {
        let seen = |features: &[R]| {
            let mut rows = features.to_vec();
            if normalised {
                normalise_rows(&mut rows, dim);
            }
            rows
        };
        let mut features = seen(features);
        if let Some(mirror) = mirror {
            let half = R::from_f64(0.5);
            for (a, b) in features.iter_mut().zip(seen(mirror)) {
                *a = (*a + b) * half;
            }
        }
        Self::pack(&features, dim)
    }

    fn pack(features: &[R], dim: usize) -> Self {
        let (depth, n) = (depth::<R>(dim), features.len() / dim);
        let values = if splits::<R>() {
            let mut rows = zeros(n.next_multiple_of(BLOCK) * 3 * depth);
            for (row, values) in rows.chunks_exact_mut(3 * depth).zip(features.chunks_exact(dim)) {
                for (j, &value) in values.iter().enumerate() {
                    let (high, low) = split(value.to_f32());
                    row[j] = high as u16;
                    row[depth + j] = high as u16;
                    row[2 * depth + j] = low as u16;
                }
            }
            Values::Split(rows)
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

/// Divides every row `[D]` by its L2 norm.
pub(crate) fn normalise_rows<R: Real>(rows: &mut [R], dim: usize) {
    for row in rows.chunks_exact_mut(dim) {
        let square = row.iter().fold(R::ZERO, |sum, &v| sum + v * v);
        let norm = square.sqrt().larger(R::from_f64(1e-12));
        for value in row {
            *value = *value / norm;
        }
    }
}

/// Splits a number into the sum of two bf16.
#[inline(always)]
fn split(value: f32) -> (u32, u32) {
    let high = to_bf16(value);
    (high, to_bf16(value - from_bf16(high)))
}

/// Columns `[D, C]` of the heads to score.
pub(crate) struct ScoringColumns<R> {
    pub panels: Panels,
    /// Whoever changes it must call [`ScoringColumns::changed`] afterwards.
    pub value: Aligned<R>,
    /// `[C]`.
    pub bias: Aligned<R>,
    /// The split copy, in panels of three times the depth: high, low, high.
    pairs: Aligned<u32>,
}

impl<R: Real> ScoringColumns<R> {
    pub(crate) fn new(dim: usize, columns: usize) -> Self {
        let panels = Panels::new(depth::<R>(dim), columns);
        let n = panels.len();
        let pairs = zeros(if splits::<R>() { 3 * n / 2 } else { 0 });
        Self { panels, value: zeros(n), bias: zeros(panels.columns), pairs }
    }

    /// Brings the split copy up to date.
    pub(crate) fn changed(&mut self) {
        if !splits::<R>() {
            return;
        }
        let (from, to) = (R::as_f32(&self.value), &mut self.pairs);
        pulp::Arch::new().dispatch(PairPanels { from, to, panels: self.panels, split: true });
    }

    /// `out = x W + bias` for samples `from..`, as many as `out` has rows. `from` and the number
    /// of rows are multiples of 16.
    pub(crate) fn multiply(&self, out: Rows<'_, R>, x: &ScoringRows<R>, from: usize) {
        let Rows { values, pitch } = out;
        let part = |depth: usize| from * depth..(from + values.len() / pitch) * depth;
        match &x.values {
            Values::Full(tall) => {
                let (x, w, bias) = (&tall[part(x.depth)], &self.value, &self.bias);
                let out = Rows { values, pitch };
                pulp::Arch::new().dispatch(Forward { out, x, w, bias, panels: self.panels });
            }
            Values::Split(rows) => {
                let panels = Panels { depth: 3 * x.depth, ..self.panels };
                let (x, bias) = (&rows[part(panels.depth)], R::as_f32(&self.bias));
                let out = Rows { values: R::as_f32_mut(values), pitch };
                bf16::forward(Unit::Tiles, out, x, &self.pairs, bias, panels);
            }
        }
    }
}
