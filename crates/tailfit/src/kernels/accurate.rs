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
        let rows = Unpacked { features, mirror, dim, input };
        let (depth, n) = (depth::<R>(dim), features.len() / dim);
        let shift = rows.shift();
        let shifted = |row: &mut [R]| shift.iter().for_each(|&(j, mean)| row[j] = row[j] - mean);
        let values = if splits::<R>() {
            let mut packed = zeros(n.next_multiple_of(BLOCK) * 3 * depth);
            rows.each(|i, values| {
                shifted(values);
                let row = &mut packed[i * 3 * depth..][..3 * depth];
                for (j, &value) in values.iter().enumerate() {
                    let (high, low) = split(value.to_f32());
                    row[j] = high as u16;
                    row[depth + j] = high as u16;
                    row[2 * depth + j] = low as u16;
                }
            });
            Values::Split(packed)
        } else {
            let mut packed = zeros(n.next_multiple_of(BLOCK) * depth);
            rows.each(|i, values| {
                shifted(values);
                for (j, &value) in values.iter().enumerate() {
                    packed[(i / TILE * depth + j) * TILE + i % TILE] = value;
                }
            });
            Values::Full(packed)
        };
        Self { depth, values, shift }
    }
}

/// Features `[N, D]`, and of the mirrored images, before they are packed.
struct Unpacked<'a, R> {
    features: &'a [R],
    mirror: Option<&'a [R]>,
    dim: usize,
    input: Input<'a, R>,
}

impl<R: Real> Unpacked<'_, R> {
    /// Calls `work` with the number of each sample and what heads see of it, `[D]`.
    fn each(&self, mut work: impl FnMut(usize, &mut [R])) {
        let (mut row, mut mirrored) = (vec![R::ZERO; self.dim], vec![R::ZERO; self.dim]);
        let half = R::from_f64(0.5);
        let mut mirror = self.mirror.map(|mirror| mirror.chunks_exact(self.dim));
        for (i, values) in self.features.chunks_exact(self.dim).enumerate() {
            self.input.see(&mut row, values);
            if let Some(values) = mirror.as_mut().and_then(Iterator::next) {
                self.input.see(&mut mirrored, values);
                row.iter_mut().zip(&mirrored).for_each(|(a, &b)| *a = (*a + b) * half);
            }
            work(i, &mut row);
        }
    }

    /// The means of features that hardly vary about them, and which these are: in products, digits of
    /// such an offset would push out those that matter.
    fn shift(&self) -> Vec<(usize, R)> {
        let n = (self.features.len() / self.dim) as f64;
        let mut first = vec![];
        let (mut sum, mut square) = (vec![0.0; self.dim], vec![0.0; self.dim]);
        self.each(|i, row| {
            if i == 0 {
                first = row.iter().map(|value| value.to_f64()).collect();
            }
            for (j, value) in row.iter().enumerate() {
                let value = value.to_f64() - first[j];
                sum[j] += value;
                square[j] += value * value;
            }
        });
        let mut shift = Vec::new();
        for (j, first) in first.into_iter().enumerate() {
            let about = sum[j] / n;
            let (mean, variance) = (first + about, (square[j] / n - about * about).max(0.0));
            if mean.abs() > VARIES_LITTLE * variance.sqrt() {
                shift.push((j, R::from_f64(mean)));
            }
        }
        shift
    }
}

impl<R: Real> Input<'_, R> {
    /// Writes what heads see of a sample, both `[D]`.
    fn see(self, row: &mut [R], values: &[R]) {
        row.copy_from_slice(values);
        if let Input::Normalised { centre } = self {
            row.iter_mut().zip(centre).for_each(|(x, &centre)| *x = *x - centre);
            normalise_rows(row, row.len());
        }
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
            Values::Full(rows) => {
                let (x, w) = (&rows[part(x.depth)], &self.value);
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
