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

/// A mean of more standard deviations than this is an offset.
const VARIES_LITTLE: f64 = 16.0;

/// Samples `[N, D]`, packed for scoring by many heads.
#[derive(Clone, Debug)]
pub(crate) struct ScoringRows<R> {
    depth: usize,
    values: Values<R>,
    /// What was subtracted from which features, for [`ScoringColumns::bias_for`] to add.
    shift: Vec<(usize, R)>,
}

/// What is done to features before they are multiplied.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Input<'a, R> {
    AsIs,
    /// Each row is divided by its L2 norm, less a centre `[D]` before if that is not empty.
    Normalised {
        centre: &'a [R],
    },
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
    /// Packs features `[N, D]` as `input` says. If features of the mirrored images are given, it
    /// packs the mean of the two: W x is linear in x, so this yields the mean of their logits.
    pub(crate) fn new(
        features: &[R],
        mirror: Option<&[R]>,
        dim: usize,
        input: Input<'_, R>,
    ) -> Self {
        let seen = |features: &[R]| {
            let mut rows = features.to_vec();
            if let Input::Normalised { centre } = input {
                if !centre.is_empty() {
                    for row in rows.chunks_exact_mut(dim) {
                        row.iter_mut().zip(centre).for_each(|(x, &centre)| *x = *x - centre);
                    }
                }
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
        Self::pack(&mut features, dim)
    }

    fn pack(features: &mut [R], dim: usize) -> Self {
        let shift = shifted(features, dim);
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
        Self { depth, values, shift }
    }
}

/// Subtracts their mean from features that hardly vary about it: in products, digits of such an
/// offset would push out those that matter. Returns which, and by how much.
fn shifted<R: Real>(features: &mut [R], dim: usize) -> Vec<(usize, R)> {
    let n = (features.len() / dim) as f64;
    let (mut sum, mut square) = (vec![0.0; dim], vec![0.0; dim]);
    let first: Vec<f64> = features[..dim].iter().map(|value| value.to_f64()).collect();
    for row in features.chunks_exact(dim) {
        for j in 0..dim {
            let value = row[j].to_f64() - first[j];
            sum[j] += value;
            square[j] += value * value;
        }
    }
    let mut shift = Vec::new();
    for j in 0..dim {
        let about = sum[j] / n;
        let (mean, variance) = (first[j] + about, (square[j] / n - about * about).max(0.0));
        if mean.abs() > VARIES_LITTLE * variance.sqrt() {
            shift.push((j, R::from_f64(mean)));
        }
    }
    for row in features.chunks_exact_mut(dim) {
        for &(j, mean) in &shift {
            row[j] = row[j] - mean;
        }
    }
    shift
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

    /// The bias for these rows: with what was subtracted from their features.
    pub(crate) fn bias_for(&self, x: &ScoringRows<R>) -> Aligned<R> {
        let mut bias = self.bias.clone();
        for (column, bias) in bias.iter_mut().enumerate() {
            let weight = |j: usize| self.value[self.panels.at(j, column)].to_f64();
            let moved: f64 = x.shift.iter().map(|&(j, shift)| weight(j) * shift.to_f64()).sum();
            if !x.shift.is_empty() {
                *bias = R::from_f64(bias.to_f64() + moved);
            }
        }
        bias
    }

    /// `out = x W + bias` for samples `from..`, as many as `out` has rows, with the bias that
    /// [`ScoringColumns::bias_for`] gives. `from` and the number of rows are multiples of 16.
    pub(crate) fn multiply(&self, out: Rows<'_, R>, x: &ScoringRows<R>, from: usize, bias: &[R]) {
        let Rows { values, pitch } = out;
        let part = |depth: usize| from * depth..(from + values.len() / pitch) * depth;
        match &x.values {
            Values::Full(tall) => {
                let (x, w) = (&tall[part(x.depth)], &self.value);
                let out = Rows { values, pitch };
                pulp::Arch::new().dispatch(Forward { out, x, w, bias, panels: self.panels });
            }
            Values::Split(rows) => {
                let panels = Panels { depth: 3 * x.depth, ..self.panels };
                let (x, bias) = (&rows[part(panels.depth)], R::as_f32(bias));
                let out = Rows { values: R::as_f32_mut(values), pitch };
                bf16::forward(Unit::Tiles, out, x, &self.pairs, bias, panels);
            }
        }
    }
}
