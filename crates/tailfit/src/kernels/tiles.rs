//! The two products of a step, in tiles of up to 8 rows by three registers: both operands are
//! packed so that every loop reads memory front to back.
//!
//! Each number is one chain of multiply-adds in the order of the inner dimension, whatever tile
//! it is in. So it has the same bits in any company, on any number of threads, and on every
//! instruction set that fuses multiply and add.

use pulp::{Simd, WithSimd};

use super::lane::Lane;
use super::panels::{PANEL, Panels};

/// Rows of a packed tile.
pub(crate) const TILE: usize = 8;

/// Inner length of one round: a panel of this depth stays in the first cache.
const DEPTH: usize = 128;

/// Values and pitch of a row-major matrix whose rows are padded.
pub(crate) struct Rows<'a, R> {
    pub values: &'a mut [R],
    pub pitch: usize,
}

/// `out = x W + bias`: `x` packed as `[B / 8][depth][8]`, `w` in panels, `bias [columns]`.
pub(crate) struct Forward<'a, R> {
    pub out: Rows<'a, R>,
    pub x: &'a [R],
    pub w: &'a [R],
    pub bias: &'a [R],
    pub panels: Panels,
}

impl<R: Lane> WithSimd for Forward<'_, R> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Panels { depth, .. } = self.panels;
        for first in self.panels.firsts() {
            let width = self.panels.width(first);
            let w = &self.w[first * depth..][..width * depth];
            let bias = &self.bias[first..][..width];
            for from in (0..depth).step_by(DEPTH) {
                let to = depth.min(from + DEPTH);
                let w = &w[from * width..to * width];
                let blocks = self.x.chunks_exact(depth * TILE);
                for (x, out) in
                    blocks.zip(self.out.values.chunks_exact_mut(self.out.pitch * TILE))
                {
                    let mut out = Window { values: out, pitch: self.out.pitch, first, width };
                    let x = &x[from * TILE..to * TILE];
                    multiply::<S, R>(simd, &mut out, x, w, (from == 0).then_some(bias));
                }
            }
        }
    }
}

/// `xᵀ g` in tiles of 8 rows, each handed to `then` with the number of its first row while it
/// is in the first cache: `x` packed as `[rows / 8][B][8]`, `g [B, width]`.
pub(crate) struct Gradient<'a, R, F> {
    x: &'a [R],
    g: &'a [R],
    width: usize,
    then: F,
}

impl<'a, R: Lane, F: FnMut(usize, &[R])> Gradient<'a, R, F> {
    pub(crate) fn new(x: &'a [R], g: &'a [R], width: usize, then: F) -> Self {
        Self { x, g, width, then }
    }
}

impl<R: Lane, F: FnMut(usize, &[R])> WithSimd for Gradient<'_, R, F> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(mut self, simd: S) {
        let (zero, mut tile) = ([R::default(); PANEL], [R::default(); PANEL * TILE]);
        let (width, samples) = (self.width, self.g.len() / self.width);
        let values = &mut tile[..width * TILE];
        for (number, x) in self.x.chunks_exact(samples * TILE).enumerate() {
            let mut out = Window { values, pitch: width, first: 0, width };
            multiply::<S, R>(simd, &mut out, x, self.g, Some(&zero[..width]));
            (self.then)(number * TILE, values);
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

impl<R: Lane> Window<'_, R> {
    #[inline(always)]
    fn row<S: Simd>(&mut self, row: usize) -> &mut [R::Vector<S>] {
        R::vectors_mut::<S>(&mut self.values[row * self.pitch + self.first..][..self.width])
    }
}

/// 8 rows of `out = start + x w`, `x [inner][8]`, `w [inner, width]`; without a start the
/// product is added to what is there.
#[inline(always)]
fn multiply<S: Simd, R: Lane>(
    simd: S,
    out: &mut Window<'_, R>,
    x: &[R],
    w: &[R],
    start: Option<&[R]>,
) {
    let (w, pitch) = (R::vectors::<S>(w), out.row::<S>(0).len());
    let start = start.map(R::vectors::<S>);
    let mut at = 0;
    while at < pitch {
        // The accumulators have to fit the registers: 8 x 3 of 32, or 4 x 3 of 16.
        let few = S::REGISTER_COUNT < 32;
        match (pitch - at, few) {
            (1, false) => tile::<S, R, 8, 1>(simd, out, x, w, start, (pitch, at, 0)),
            (2, false) => tile::<S, R, 8, 2>(simd, out, x, w, start, (pitch, at, 0)),
            (_, false) => tile::<S, R, 8, 3>(simd, out, x, w, start, (pitch, at, 0)),
            (left, true) => {
                for row in [0, 4] {
                    match left {
                        1 => tile::<S, R, 4, 1>(simd, out, x, w, start, (pitch, at, row)),
                        2 => tile::<S, R, 4, 2>(simd, out, x, w, start, (pitch, at, row)),
                        _ => tile::<S, R, 4, 3>(simd, out, x, w, start, (pitch, at, row)),
                    }
                }
            }
        }
        at += 3;
    }
}

/// `ROWS` rows from `row` on, `N` registers from `at` on.
#[inline(always)]
fn tile<S: Simd, R: Lane, const ROWS: usize, const N: usize>(
    simd: S,
    out: &mut Window<'_, R>,
    x: &[R],
    w: &[R::Vector<S>],
    start: Option<&[R::Vector<S>]>,
    (pitch, at, row): (usize, usize, usize),
) {
    let mut sums = [[R::splat(simd, R::default()); N]; ROWS];
    for r in 0..ROWS {
        let from = match start {
            Some(start) => &start[at..at + N],
            None => &out.row::<S>(row + r)[at..at + N],
        };
        for n in 0..N {
            sums[r][n] = from[n];
        }
    }
    for (x, w) in x.as_chunks::<TILE>().0.iter().zip(w.chunks_exact(pitch)) {
        let w = &w[at..at + N];
        for r in 0..ROWS {
            let x = R::splat(simd, x[row + r]);
            for n in 0..N {
                sums[r][n] = R::mul_add(simd, x, w[n], sums[r][n]);
            }
        }
    }
    for r in 0..ROWS {
        let to = &mut out.row::<S>(row + r)[at..at + N];
        for n in 0..N {
            to[n] = sums[r][n];
        }
    }
}
