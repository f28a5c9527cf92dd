//! Products of features with each other, summed over the samples.

use faer::linalg::matmul::triangular::{self, BlockStructure};
use faer::prelude::ReborrowMut;
use faer::{Accum, Mat, Par};

use crate::numbers::Real;

/// Samples read at a time.
pub(super) const ROWS: usize = 256;

/// Samples that wait, so that each block of the products is fetched from memory once for all of them.
const WAITING: usize = 2 * ROWS;

/// Features per block: two blocks of products fit in L2.
const BLOCK: usize = 192;

/// Some samples about the shift, a column each, `[D, n]`, and the same times their weights; columns
/// beyond `n` are room.
struct Batch {
    x: Mat<f64>,
    weighted: Mat<f64>,
    n: usize,
}

impl Batch {
    /// Room for so many samples.
    fn new(dim: usize, most: usize) -> Self {
        Self { x: Mat::zeros(dim, most), weighted: Mat::zeros(dim, most), n: 0 }
    }

    /// Takes samples with their weights.
    fn fill<'a, R: Real>(&mut self, samples: impl Iterator<Item = (&'a [R], f64)>, shift: &[R]) {
        self.n = 0;
        for (values, weight) in samples {
            let weighted = self.weighted.col_as_slice_mut(self.n);
            let columns = self.x.col_as_slice_mut(self.n).iter_mut().zip(weighted);
            for ((x, weighted), value) in columns.zip(about(values, shift)) {
                (*x, *weighted) = (value, weight * value);
            }
            self.n += 1;
        }
    }
}

/// A sample about the shift.
pub(super) fn about<R: Real>(values: &[R], shift: &[R]) -> impl Iterator<Item = f64> {
    values.iter().zip(shift).map(|(value, shift)| value.to_f64() - shift.to_f64())
}

/// Where the sums of a part of the samples come together.
pub(super) struct Part {
    pub(super) gram: Mat<f64>,
    pub(super) by_class: Mat<f64>,
    batches: Vec<Batch>,
    /// How many of them wait.
    waiting: usize,
}

impl Part {
    /// Zero, and room for batches of at most so many samples.
    pub(super) fn new(dim: usize, k: usize, most: usize) -> Self {
        Self {
            gram: Mat::zeros(dim, dim),
            by_class: Mat::zeros(dim, k),
            batches: (0..WAITING / most).map(|_| Batch::new(dim, most)).collect(),
            waiting: 0,
        }
    }

    /// Lets samples with their weights wait, at most as many as a batch takes.
    pub(super) fn add<'a, R: Real>(
        &mut self,
        samples: impl Iterator<Item = (&'a [R], f64)>,
        shift: &[R],
    ) {
        self.batches[self.waiting].fill(samples, shift);
        self.waiting += 1;
        if self.waiting == self.batches.len() {
            self.multiply();
        }
    }

    /// Adds the products of the batches that wait, one after the other. They are symmetric: half of
    /// them is enough.
    pub(super) fn multiply(&mut self) {
        let dim = self.gram.nrows();
        let width = dim.div_ceil(dim.div_ceil(BLOCK));
        let starts = || (0..dim).step_by(width);
        for (left, top) in starts().flat_map(|left| starts().map(move |top| (left, top))) {
            if top < left {
                continue;
            }
            let [rows, columns] = [top, left].map(|first| width.min(dim - first));
            let mut block = self.gram.submatrix_mut(top, left, rows, columns);
            let whole = BlockStructure::Rectangular;
            let lower = if top == left { BlockStructure::TriangularLower } else { whole };
            for Batch { x, weighted, n } in &self.batches[..self.waiting] {
                let x = x.submatrix(top, 0, rows, *n);
                let weighted = weighted.submatrix(left, 0, columns, *n);
                triangular::matmul(
                    block.rb_mut(),
                    lower,
                    Accum::Add,
                    x,
                    whole,
                    weighted.transpose(),
                    whole,
                    1.0,
                    Par::Seq,
                );
            }
        }
        self.waiting = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::{Purpose, Rng};

    #[test]
    fn products_are_those_written_out() {
        let mut rng = Rng::new(0, Purpose::Start, 0);
        for (dim, n, most) in
            [(1, 3, 256), (3, 700, 256), (BLOCK, 40, 9), (BLOCK + 1, 90, 52), (430, 61, 7)]
        {
            let mut draw = |n: usize| -> Vec<f64> { (0..n).map(|_| rng.normal()).collect() };
            let (x, weights, shift) = (draw(n * dim), draw(n), draw(dim));
            let rows: Vec<_> = x.chunks(dim).zip(weights).collect();
            let mut part = Part::new(dim, 1, most);
            rows.chunks(most).for_each(|rows| part.add(rows.iter().copied(), &shift));
            part.multiply();
            for (i, j) in (0..dim).flat_map(|i| (0..=i).map(move |j| (i, j))) {
                let product =
                    |(x, weight): &(&[f64], f64)| (x[i] - shift[i]) * (x[j] - shift[j]) * weight;
                let plain: f64 = rows.iter().map(product).sum();
                assert!((part.gram[(i, j)] - plain).abs() < 1e-10, "{dim} features, {i}, {j}");
            }
        }
    }
}
