//! The two products of a step, in tiles of up to 8 rows by three registers. The forward product reads
//! its packed operands in strips of the depth, so that those of a batch stay in L2 for all panels; the
//! gradient reads the same samples square by square, 8 features by 8 samples. What the next tile reads
//! lies elsewhere in memory, and is fetched while a tile is worked on.
//!
//! Each result is one chain of multiply-adds in the order of the inner dimension, whatever tile
//! it is in. It is therefore bit-identical whatever else is computed with it, on any number of
//! threads, and on every instruction set with fused multiply-add.

use pulp::{Simd, WithSimd};

use super::panels::Panels;
use super::prefetch;
use super::update::{Registers, Steps};
use crate::numbers::Real;

/// Rows in a packed tile.
pub(crate) const TILE: usize = 8;

/// Inner length of one round: a panel of this depth stays in L1.
const DEPTH: usize = 128;

/// A row-major matrix with padded rows: its values and its pitch.
pub(crate) struct Rows<'a, R> {
    pub values: &'a mut [R],
    pub pitch: usize,
}

/// Runs `$tile` over all registers of a row, three at a time, in tiles that fit the register
/// file: 8 rows with 32 registers, 4 rows with 16.
macro_rules! for_tiles {
    ($pitch:expr, $tile:ident($($argument:expr),*)) => {
        let few = S::REGISTER_COUNT < 32;
        let mut at = 0;
        while at < $pitch {
            match ($pitch - at, few) {
                (1, false) => $tile::<S, R, 8, 1>($($argument),*, (at, 0)),
                (2, false) => $tile::<S, R, 8, 2>($($argument),*, (at, 0)),
                (_, false) => $tile::<S, R, 8, 3>($($argument),*, (at, 0)),
                (left, true) => {
                    for row in [0, 4] {
                        match left {
                            1 => $tile::<S, R, 4, 1>($($argument),*, (at, row)),
                            2 => $tile::<S, R, 4, 2>($($argument),*, (at, row)),
                            _ => $tile::<S, R, 4, 3>($($argument),*, (at, row)),
                        }
                    }
                }
            }
            at += 3;
        }
    };
}

/// `out = x W + bias`: `x` packed as `[B / 8][depth][8]`, `w` in panels, `bias [columns]`.
pub(crate) struct Forward<'a, R> {
    pub out: Rows<'a, R>,
    pub x: &'a [R],
    pub w: &'a [R],
    pub bias: &'a [R],
    pub panels: Panels,
}

impl<R: Real> WithSimd for Forward<'_, R> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let (Panels { depth, .. }, pitch) = (self.panels, self.out.pitch);
        for from in (0..depth).step_by(DEPTH) {
            let to = depth.min(from + DEPTH);
            for first in self.panels.firsts() {
                let width = self.panels.width(first);
                let w = &self.w[first * depth..][..width * depth];
                let w = R::vectors::<S>(&w[from * width..to * width]);
                let bias = R::vectors::<S>(&self.bias[first..][..width]);
                let (registers, bias) = (bias.len(), (from == 0).then_some(bias));
                let blocks = self.x.chunks_exact(depth * TILE);
                for (x, out) in blocks.zip(self.out.values.chunks_exact_mut(pitch * TILE)) {
                    let x = (&x[from * TILE..to * TILE], depth * TILE);
                    let mut out = Window { values: out, pitch, first, width };
                    for_tiles!(registers, forward_tile(simd, &mut out, x, (w, registers), bias));
                }
            }
        }
    }
}

/// Columns `first..first + width` of 8 rows.
struct Window<'a, R> {
    values: &'a mut [R],
    pitch: usize,
    first: usize,
    width: usize,
}

impl<R: Real> Window<'_, R> {
    #[inline(always)]
    fn row<S: Simd>(&mut self, row: usize) -> &mut [R::Vector<S>] {
        R::vectors_mut::<S>(&mut self.values[row * self.pitch + self.first..][..self.width])
    }
}

/// `ROWS` rows of `out` starting at `row`, `N` registers starting at `at`. If `start` is `None`,
/// the product is added to the contents of `out`.
#[inline(always)]
fn forward_tile<S: Simd, R: Real, const ROWS: usize, const N: usize>(
    simd: S,
    out: &mut Window<'_, R>,
    x: (&[R], usize),
    w: (&[R::Vector<S>], usize),
    start: Option<&[R::Vector<S>]>,
    (at, row): (usize, usize),
) {
    let mut sums = [[R::splat(simd, R::ZERO); N]; ROWS];
    for r in 0..ROWS {
        let from = match start {
            Some(start) => &start[at..at + N],
            None => &out.row::<S>(row + r)[at..at + N],
        };
        for n in 0..N {
            sums[r][n] = from[n];
        }
    }
    let sums = accumulate(simd, sums, x, w, (at, row));
    for r in 0..ROWS {
        let to = &mut out.row::<S>(row + r)[at..at + N];
        for n in 0..N {
            to[n] = sums[r][n];
        }
    }
}

/// `sums + x w`, `x [inner][8]`, `w [inner, pitch]`. What the next tile reads of `x`, `next` numbers
/// further on, is on another page, where processors do not look by themselves.
#[inline(always)]
fn accumulate<S: Simd, R: Real, const ROWS: usize, const N: usize>(
    simd: S,
    mut sums: [[R::Vector<S>; N]; ROWS],
    (x, next): (&[R], usize),
    (w, pitch): (&[R::Vector<S>], usize),
    (at, row): (usize, usize),
) -> [[R::Vector<S>; N]; ROWS] {
    for (x, w) in x.as_chunks::<TILE>().0.iter().zip(w.chunks_exact(pitch)) {
        prefetch(x.as_ptr().wrapping_add(next));
        let w = &w[at..at + N];
        for r in 0..ROWS {
            let x = R::splat(simd, x[row + r]);
            for n in 0..N {
                sums[r][n] = R::mul_add_each(simd, x, w[n], sums[r][n]);
            }
        }
    }
    sums
}

/// A momentum step of a panel `value [depth, width]` along `xᵀ g`: `x` packed as
/// `[B / 8][depth][8]`, `g [B, width]`. Weights and velocity are read and written once.
pub(crate) struct Descend<'a, R> {
    pub value: &'a mut [R],
    pub velocity: &'a mut [R],
    pub x: &'a [R],
    pub g: &'a [R],
    pub steps: Steps<'a, R>,
}

impl<R: Real> WithSimd for Descend<'_, R> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let width = self.steps.lr.len();
        let samples = self.g.len() / width;
        let (steps, g) = (self.steps.registers::<S>(), R::vectors::<S>(self.g));
        let (pitch, x) = (g.len() / samples, self.x.as_chunks::<SQUARE>().0);
        let squares = x.len() / (samples / TILE);
        let values = self.value.chunks_exact_mut(width * TILE);
        let velocities = self.velocity.chunks_exact_mut(width * TILE);
        for (first, (w, v)) in values.zip(velocities).enumerate() {
            let (w, v) = (R::vectors_mut::<S>(w), R::vectors_mut::<S>(v));
            for_tiles!(pitch, descend_tile(simd, w, v, (&x[first..], squares), (g, pitch), steps));
        }
    }
}

/// Elements of 8 features by 8 samples.
const SQUARE: usize = TILE * TILE;

/// `ROWS` rows of the panel starting at `row`, `N` registers starting at `at`.
#[inline(always)]
fn descend_tile<S: Simd, R: Real, const ROWS: usize, const N: usize>(
    simd: S,
    w: &mut [R::Vector<S>],
    v: &mut [R::Vector<S>],
    x: (&[[R; SQUARE]], usize),
    (g, pitch): (&[R::Vector<S>], usize),
    steps: Registers<'_, S, R>,
    (at, row): (usize, usize),
) {
    let mut sums = [[R::splat(simd, R::ZERO); N]; ROWS];
    for r in 0..ROWS {
        let first = (row + r) * pitch + at;
        sums[r] = steps.start(simd, &w[first..first + N], &v[first..first + N], at);
    }
    let sums = accumulate_transposed(simd, sums, x, (g, pitch), (at, row));
    for r in 0..ROWS {
        let first = (row + r) * pitch + at;
        steps.finish(simd, &sums[r], &mut w[first..first + N], &mut v[first..first + N], at);
    }
}

/// `sums + xᵀ g` for `ROWS` of 8 features, starting at `row`: every `squares`-th of `x` holds them for the
/// next 8 samples, `[8 features][8 samples]`; `g [B, pitch]`.
#[inline(always)]
fn accumulate_transposed<S: Simd, R: Real, const ROWS: usize, const N: usize>(
    simd: S,
    mut sums: [[R::Vector<S>; N]; ROWS],
    (x, squares): (&[[R; SQUARE]], usize),
    (g, pitch): (&[R::Vector<S>], usize),
    (at, row): (usize, usize),
) -> [[R::Vector<S>; N]; ROWS] {
    for (square, g) in x.iter().step_by(squares).zip(g.chunks_exact(pitch * TILE)) {
        let next = square.as_ptr().wrapping_add(SQUARE);
        (0..SQUARE).step_by(64 / size_of::<R>()).for_each(|at| prefetch(next.wrapping_add(at)));
        let features = &square.as_chunks::<TILE>().0[row..row + ROWS];
        for (sample, g) in g.chunks_exact(pitch).enumerate() {
            let g = &g[at..at + N];
            for r in 0..ROWS {
                let x = R::splat(simd, features[r][sample]);
                for n in 0..N {
                    sums[r][n] = R::mul_add_each(simd, x, g[n], sums[r][n]);
                }
            }
        }
    }
    sums
}
