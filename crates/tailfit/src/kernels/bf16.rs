//! Products in bf16 (single precision cut to 8 bits of mantissa), with operands in the pairs that
//! the matrix instructions expect. Sums are in f32.

use pulp::{Simd, WithSimd};

use super::block::{Addend, BLOCK, Block, Session, Unit};
use super::panels::{PANEL, Panels};
use super::tiles::Rows;
use super::update::Steps;

/// The upper 16 bits of a number, rounded to nearest even.
#[inline(always)]
pub(crate) fn to_bf16(value: f32) -> u32 {
    let bits = value.to_bits();
    bits.wrapping_add(0x7fff + (bits >> 16 & 1)) >> 16
}

/// The value of a bf16.
#[inline(always)]
pub(crate) fn from_bf16(bits: u32) -> f32 {
    f32::from_bits(bits << 16)
}

/// Rounds a register to bf16, in the lower half of each lane.
#[inline(always)]
fn round<S: Simd>(simd: S, value: S::f32s) -> S::u32s {
    let (bits, sixteen) = (simd.transmute_u32s_f32s(value), simd.splat_u32s(16));
    let odd = simd.and_u32s(simd.wrapping_dyn_shr_u32s(bits, sixteen), simd.splat_u32s(1));
    let rounding = simd.add_u32s(odd, simd.splat_u32s(0x7fff));
    simd.wrapping_dyn_shr_u32s(simd.add_u32s(bits, rounding), sixteen)
}

/// Two registers as one register of pairs, the first in the lower half.
#[inline(always)]
fn pair<S: Simd>(simd: S, even: S::f32s, odd: S::f32s) -> S::u32s {
    let odd = simd.wrapping_dyn_shl_u32s(round(simd, odd), simd.splat_u32s(16));
    simd.or_u32s(round(simd, even), odd)
}

/// Two rows as one row of pairs, the even row in the lower half. Row lengths are multiples of 16.
#[inline(always)]
pub(crate) fn pair_rows<S: Simd>(simd: S, out: &mut [u32], even: &[f32], odd: &[f32]) {
    let rows = S::as_simd_f32s(even).0.iter().zip(S::as_simd_f32s(odd).0);
    for (out, (&even, &odd)) in S::as_mut_simd_u32s(out).0.iter_mut().zip(rows) {
        *out = pair(simd, even, odd);
    }
}

/// As [`pair_rows`], for the remainder of each number after rounding to bf16.
#[inline(always)]
pub(crate) fn pair_rests<S: Simd>(simd: S, out: &mut [u32], even: &[f32], odd: &[f32]) {
    let rest = |value: S::f32s| {
        let high = simd.wrapping_dyn_shl_u32s(round(simd, value), simd.splat_u32s(16));
        simd.sub_f32s(value, simd.transmute_f32s_u32s(high))
    };
    let rows = S::as_simd_f32s(even).0.iter().zip(S::as_simd_f32s(odd).0);
    for (out, (&even, &odd)) in S::as_mut_simd_u32s(out).0.iter_mut().zip(rows) {
        *out = pair(simd, rest(even), rest(odd));
    }
}

/// Converts rows of panels to pairs: `from [depth, C]` to `to [depth / 2, C]`.
pub(crate) struct PairPanels<'a> {
    pub from: &'a [f32],
    pub to: &'a mut [u32],
    pub panels: Panels,
    /// Whether to write three times the depth: the pairs, their remainders, and the pairs again.
    pub split: bool,
}

impl WithSimd for PairPanels<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let depth = self.panels.depth;
        for first in self.panels.firsts() {
            let (width, at) = (self.panels.width(first), first * depth);
            let rows = self.from[at..][..width * depth].chunks_exact(2 * width);
            let size = width * depth / 2;
            let parts = if self.split { 3 } else { 1 };
            let pairs = &mut self.to[at / 2 * parts..][..size * parts];
            for (number, rows) in rows.enumerate() {
                let (even, odd) = rows.split_at(width);
                let place = number * width..(number + 1) * width;
                pair_rows(simd, &mut pairs[place.clone()], even, odd);
                if self.split {
                    pair_rests(simd, &mut pairs[size..][place.clone()], even, odd);
                    pairs.copy_within(place.clone(), 2 * size + place.start);
                }
            }
        }
    }
}

/// Inner length of one round: a panel of this depth stays in L1.
const DEPTH: usize = 256;

/// `out = x W + bias`: `x [B, depth]` in bf16, `w` the panels' rows in pairs, `[depth / 2, 48]`.
pub(crate) fn forward(
    unit: Unit,
    Rows { values, pitch }: Rows<'_, f32>,
    x: &[u16],
    w: &[u32],
    bias: &[f32],
    panels: Panels,
) {
    let session = Session::begin(unit);
    let Panels { depth, .. } = panels;
    for first in panels.firsts() {
        let width = panels.width(first);
        let w = &w[first * depth / 2..][..width * depth / 2];
        let mut start = [0.0; PANEL * BLOCK];
        for row in start[..width * BLOCK].chunks_exact_mut(width) {
            row.copy_from_slice(&bias[first..first + width]);
        }
        for from in (0..depth).step_by(DEPTH) {
            let blocks = x.chunks_exact(depth * BLOCK);
            for (x, out) in blocks.zip(values.chunks_exact_mut(pitch * BLOCK)) {
                session.multiply(Block {
                    out: &mut out[first..],
                    pitch,
                    start: if from == 0 { Addend::Rows(&start) } else { Addend::Out },
                    a: &x[from..],
                    a_pitch: depth,
                    b: &w[from / 2 * width..],
                    b_pitch: width,
                    inner: DEPTH.min(depth - from),
                    registers: width / BLOCK,
                });
            }
        }
    }
}

/// Number of gradient blocks computed before the first is used.
const AHEAD: usize = 4;

/// As [`Descend`](super::tiles::Descend), with bf16 operands: `x [rows, samples]`, and
/// `g [samples, width]` taken from a matrix of `pitch` columns, starting at column `first`. Also
/// updates the weights' pairs.
pub(crate) struct Descend<'a> {
    pub unit: Unit,
    pub value: &'a mut [f32],
    pub velocity: &'a mut [f32],
    pub pairs: &'a mut [u32],
    pub x: &'a [u16],
    pub g: &'a [f32],
    pub pitch: usize,
    pub first: usize,
    pub scratch: &'a mut Vec<u32>,
    pub steps: Steps<'a, f32>,
}

impl WithSimd for Descend<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let (width, samples) = (self.steps.lr.len(), self.g.len() / self.pitch);
        let (registers, lanes) = (width / BLOCK, width / S::F32_LANES);
        let steps = self.steps.registers::<S>();
        self.scratch.resize(samples / 2 * width, 0);
        for (i, out) in self.scratch.chunks_exact_mut(width).enumerate() {
            let even = &self.g[2 * i * self.pitch + self.first..];
            pair_rows(simd, out, &even[..width], &even[self.pitch..][..width]);
        }
        let session = Session::begin(self.unit);
        let mut grad = [0.0; PANEL * BLOCK * AHEAD];
        let round = AHEAD * BLOCK * width;
        let state = self.value.chunks_mut(round).zip(self.velocity.chunks_mut(round));
        let state = state.zip(self.pairs.chunks_mut(round / 2));
        for (x, ((w, v), pairs)) in self.x.chunks(AHEAD * BLOCK * samples).zip(state) {
            // Several blocks are computed before the first is read: reading what the unit has just
            // written is slow.
            for (a, out) in
                x.chunks_exact(samples * BLOCK).zip(grad.chunks_exact_mut(width * BLOCK))
            {
                session.multiply(Block {
                    out,
                    pitch: width,
                    start: Addend::Zero,
                    a,
                    a_pitch: samples,
                    b: self.scratch,
                    b_pitch: width,
                    inner: samples,
                    registers,
                });
            }
            let grad = S::as_simd_f32s(&grad).0.chunks_exact(2 * lanes);
            let w = S::as_mut_simd_f32s(w).0.chunks_exact_mut(2 * lanes);
            let v = S::as_mut_simd_f32s(v).0.chunks_exact_mut(2 * lanes);
            let pairs = S::as_mut_simd_u32s(pairs).0.chunks_exact_mut(lanes);
            for ((grad, pairs), (w, v)) in grad.zip(pairs).zip(w.zip(v)) {
                let (even, odd) = grad.split_at(lanes);
                let (w_even, w_odd) = w.split_at_mut(lanes);
                let (v_even, v_odd) = v.split_at_mut(lanes);
                steps.descend(simd, even, w_even, v_even);
                steps.descend(simd, odd, w_odd, v_odd);
                for (pairs, (even, odd)) in pairs.iter_mut().zip(w_even.iter().zip(w_odd)) {
                    *pairs = pair(simd, *even, *odd);
                }
            }
        }
    }
}
