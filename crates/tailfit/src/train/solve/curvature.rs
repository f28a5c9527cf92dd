//! The curvature of the objective, as far as it is known without a pass.

use faer::linalg::matmul::matmul;
use faer::{Accum, Mat, Par};
use rayon::prelude::*;

use super::sums::Sums;
use crate::error::Result;

/// Weights of one head in the eigenbasis of the features' covariance, `[R, K]`, where most of the
/// curvature is diagonal: with it, every head has its own at no cost. R is D, or the dimension of
/// what the features span.
pub(super) type Point = Mat<f64>;

/// The eigenbasis, and the features in it.
pub(super) struct Curvature {
    vectors: Mat<f64>,
    /// Eigenvalues λ, `[R]`.
    values: Vec<f64>,
    /// The features' mean itself, in the eigenbasis, `[R]`.
    pub(super) mean: Vec<f64>,
}

/// What distinguishes the curvature of one head at one point.
#[derive(Clone)]
pub(super) struct Strength {
    /// Mean of p (1 − p) times the sum of the weights, of each class, `[K]`.
    pub(super) by_class: Vec<f64>,
    /// The sum of the samples' weights.
    pub(super) total: f64,
    /// Decay of the weights and of the bias.
    pub(super) decay: [f64; 2],
}

/// Columns that one thread multiplies at a time.
const COLUMNS: usize = 16;

impl Curvature {
    /// `shift` is what the sums are about, `span` what everything is in.
    pub(super) fn new(sums: &Sums, shift: &[f64], span: Option<&Mat<f64>>) -> Result<Self> {
        let (vectors, values) = sums.spectrum(span)?;
        let mut curvature = Self { vectors, values, mean: vec![] };
        let column = Mat::from_fn(shift.len(), 1, |j, _| shift[j]);
        let rotated = curvature.rotated(&column);
        curvature.mean = rotated.col(0).iter().copied().collect();
        Ok(curvature)
    }

    /// R.
    pub(super) fn dim(&self) -> usize {
        self.values.len()
    }

    /// Into the eigenbasis: Qᵀ A for `[D, K]`, to `[R, K]`.
    pub(super) fn rotated(&self, point: &Point) -> Point {
        self.product(point, true)
    }

    /// Back from the eigenbasis: Q A.
    pub(super) fn back(&self, point: &Point) -> Point {
        self.product(point, false)
    }

    /// Columns are independent, so that threads do not change what comes out.
    fn product(&self, point: &Point, transposed: bool) -> Point {
        let left = if transposed { self.vectors.transpose() } else { self.vectors.as_ref() };
        let (d, k) = (left.nrows(), point.ncols());
        let firsts: Vec<usize> = (0..k).step_by(COLUMNS).collect();
        let parts = firsts.into_par_iter().map(|first| {
            let columns = point.subcols(first, COLUMNS.min(k - first));
            let mut out = Mat::zeros(d, columns.ncols());
            matmul(&mut out, Accum::Replace, left, columns, 1.0, Par::Seq);
            (first, out)
        });
        let mut all = Mat::zeros(d, k);
        for (first, part) in parts.collect::<Vec<_>>() {
            all.subcols_mut(first, part.ncols()).copy_from(&part);
        }
        all
    }

    /// An estimate of the inverse Hessian of the objective with its bias solved out, times a point.
    /// For class k it is the inverse of
    ///
    /// ```text
    /// γₖ Λ + weight_decay + cₖ μ μᵀ,    cₖ = hₖ d / (hₖ + d)
    /// ```
    ///
    /// with hₖ the mean of p (1 − p), and d the decay of the bias: a bias that costs something
    /// follows the weights only in part. With a free bias γₖ is hₖ, which takes a tenth to a half fewer
    /// passes than ½ √hₖ, its geometric mean with Böhning's bound ½; with one that decays it is the
    /// other way round, and the root takes a fifth fewer.
    pub(super) fn apply(&self, point: &Point, strength: &Strength) -> Point {
        let (d, k) = (point.nrows(), point.ncols());
        let Strength { by_class, total, decay } = strength;
        // A floor keeps the curvature non-zero in directions with neither variance nor decay.
        let floor = 1e-9 * self.values.iter().sum::<f64>() / d as f64;
        let mut out = Mat::zeros(d, k);
        for c in 0..k {
            let h = (by_class[c] / total).clamp(1e-6, 0.25) * total;
            let gamma = if decay[1] > 0.0 { 0.5 * (h * total).sqrt() } else { h };
            let scale = |j: usize| gamma * (self.values[j] + floor) + decay[0];
            let (mut along, mut size) = (0.0, 0.0);
            for j in 0..d {
                out[(j, c)] = point[(j, c)] / scale(j);
                along += self.mean[j] * out[(j, c)];
                size += self.mean[j] * self.mean[j] / scale(j);
            }
            let coupling = h * decay[1] / (h + decay[1]);
            if coupling > 0.0 {
                let factor = coupling * along / (1.0 + coupling * size);
                for j in 0..d {
                    out[(j, c)] -= factor * self.mean[j] / scale(j);
                }
            }
        }
        out
    }

    /// ½ gᵀ P g, an estimate of what is left to gain.
    pub(super) fn decrement(&self, grad: &Point, strength: &Strength) -> f64 {
        0.5 * super::lbfgs::dot(grad, &self.apply(grad, strength))
    }
}
