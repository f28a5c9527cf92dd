//! bf16: single precision with 8 bits of mantissa, as pairs that the matrix instructions take.
//! Sums are in f32.

use super::block::{BLOCK, Block, Session, Unit};
use super::panels::{PANEL, Panels};
use super::tiles::Rows;

/// The upper half of a number, rounded to nearest even.
#[inline(always)]
pub(crate) fn bf16(value: f32) -> u32 {
    let bits = value.to_bits();
    bits.wrapping_add(0x7fff + (bits >> 16 & 1)) >> 16
}

/// The number of a bf16.
#[inline(always)]
pub(crate) fn from_bf16(bits: u32) -> f32 {
    f32::from_bits(bits << 16)
}

/// Two rows as one row of pairs, the even row in the lower half; rows are multiples of 16.
#[inline(always)]
pub(crate) fn pair_rows(out: &mut [u32], even: &[f32], odd: &[f32]) {
    let rows = even.as_chunks::<BLOCK>().0.iter().zip(odd.as_chunks::<BLOCK>().0);
    for (out, (even, odd)) in out.as_chunks_mut::<BLOCK>().0.iter_mut().zip(rows) {
        for k in 0..BLOCK {
            out[k] = bf16(even[k]) | bf16(odd[k]) << 16;
        }
    }
}

/// `out = x W + bias`, or added to `out` without a bias: `x [B, depth]` bf16, `w` the panels'
/// rows in pairs, `[depth / 2, 48]`.
pub(crate) fn forward(
    unit: Unit,
    Rows { values, pitch }: Rows<'_, f32>,
    x: &[u16],
    w: &[u32],
    bias: Option<&[f32]>,
    panels: Panels,
) {
    let session = Session::begin(unit);
    let Panels { depth, .. } = panels;
    for first in panels.firsts() {
        let width = panels.width(first);
        let w = &w[first * depth / 2..][..width * depth / 2];
        let blocks = x.chunks_exact(depth * BLOCK);
        for (x, out) in blocks.zip(values.chunks_exact_mut(pitch * BLOCK)) {
            session.multiply(Block {
                out: &mut out[first..],
                pitch,
                start: bias.map(|bias| &bias[first..first + width]),
                a: x,
                a_pitch: depth,
                b: w,
                b_pitch: width,
                inner: depth,
                registers: width / BLOCK,
            });
        }
    }
}

/// `xᵀ g` in tiles of 16 rows, each handed to `then` with the number of its first row: `x [rows,
/// samples]` bf16, `g [samples / 2, width]` pairs.
#[inline(always)]
pub(crate) fn gradient(
    unit: Unit,
    x: &[u16],
    g: &[u32],
    width: usize,
    mut then: impl FnMut(usize, &[f32]),
) {
    let session = Session::begin(unit);
    let (zero, mut tile) = ([0.0; PANEL], [0.0; PANEL * BLOCK]);
    let samples = g.len() / width * 2;
    let values = &mut tile[..width * BLOCK];
    for (number, x) in x.chunks_exact(samples * BLOCK).enumerate() {
        session.multiply(Block {
            out: values,
            pitch: width,
            start: Some(&zero[..width]),
            a: x,
            a_pitch: samples,
            b: g,
            b_pitch: width,
            inner: samples,
            registers: width / BLOCK,
        });
        then(number * BLOCK, values);
    }
}
