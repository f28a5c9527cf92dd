//! A matrix that many others are multiplied by.

use rayon::prelude::*;

use super::packed::{Packed, Values, padded_depth};
use super::panels::{Aligned, Panels, zeros};
use super::tiles::{Forward, Rows};
use crate::numbers::Real;

/// A matrix `[D, C]`, kept as the product reads it.
pub(crate) struct Factor<R> {
    panels: Panels,
    /// C.
    pub(crate) columns: usize,
    value: Aligned<R>,
}

impl<R: Real> Factor<R> {
    /// The matrix of a shape `[D, C]` with these elements, by row and column.
    pub(crate) fn new(
        (depth, columns): (usize, usize),
        element: impl Fn(usize, usize) -> R,
    ) -> Self {
        let panels = Panels::new(padded_depth(depth, None), columns);
        let mut value = zeros(panels.len());
        for column in 0..columns {
            for row in 0..depth {
                value[panels.at(row, column)] = element(row, column);
            }
        }
        Self { panels, columns, value }
    }

    /// Rows of `[D]` times the matrix. `put` is given the product of row number i piece by piece: i, where
    /// the piece starts, and the piece. With `split`, the work is spread over threads.
    pub(crate) fn multiply<'a>(
        &self,
        rows: impl ExactSizeIterator<Item = &'a [R]>,
        split: bool,
        mut put: impl FnMut(usize, usize, &[R]),
    ) {
        let mut packed = Packed::new(self.panels.depth, None);
        packed.pack(rows);
        let part = |first: usize| self.part(&packed, first);
        let firsts: Vec<usize> = self.panels.firsts().collect();
        let parts: Vec<Aligned<R>> = if split {
            firsts.par_iter().map(|&first| part(first)).collect()
        } else {
            firsts.iter().map(|&first| part(first)).collect()
        };
        for (first, part) in firsts.into_iter().zip(parts) {
            let width = self.panels.width(first);
            for (i, row) in part.chunks_exact(width).take(packed.samples).enumerate() {
                put(i, first, &row[..width.min(self.columns - first)]);
            }
        }
    }

    /// The columns of the product in the panel that starts at column `first`, with its padding.
    fn part(&self, packed: &Packed<R>, first: usize) -> Aligned<R> {
        let Values::Full(x) = &packed.values else { unreachable!("packed in full precision") };
        let (depth, width) = (self.panels.depth, self.panels.width(first));
        let mut out = zeros(packed.padded * width);
        pulp::Arch::new().dispatch(Forward {
            out: Rows { values: &mut out, pitch: width },
            x,
            w: &self.value[first * depth..][..width * depth],
            bias: &zeros(width),
            panels: Panels::new(depth, width),
        });
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::{Purpose, Rng};

    #[test]
    fn products_of_any_shape_are_those_of_a_plain_loop() {
        let mut rng = Rng::new(0, Purpose::Start, 0);
        for (n, depth, columns) in [(1, 1, 1), (3, 7, 5), (9, 130, 49), (17, 33, 100), (8, 300, 48)]
        {
            let of = |n: usize, rng: &mut Rng| -> Vec<f64> {
                (0..n).map(|_| rng.uniform() - 0.5).collect()
            };
            let (a, b) = (of(n * depth, &mut rng), of(depth * columns, &mut rng));
            let factor = Factor::new((depth, columns), |i, j| b[i * columns + j]);
            let product = |split| {
                let mut out = vec![f64::NAN; n * columns];
                factor.multiply(a.chunks_exact(depth), split, |i, first, part| {
                    out[i * columns + first..][..part.len()].copy_from_slice(part);
                });
                out
            };
            let got = product(false);
            assert_eq!(got, product(true), "whatever the threads");
            for (at, got) in got.into_iter().enumerate() {
                let term = |j: usize| a[at / columns * depth + j] * b[j * columns + at % columns];
                let want: f64 = (0..depth).map(term).sum();
                assert!((got - want).abs() < 1e-12, "{n} x {depth} x {columns}: {got} for {want}");
            }
        }
    }
}
