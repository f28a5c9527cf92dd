//! The curvature of the objective, as far as it is known without a pass.

use faer::Mat;

use super::lbfgs::{dot, for_columns};
use super::sums::Sums;
use crate::error::Result;
use crate::kernels::Factor;

/// Weights of one head in the eigenbasis of the features' covariance, `[R, K]`, where most of the
/// curvature is diagonal: with it, every head has its own at no cost. R is D, or the dimension of
/// what the features span.
pub(super) type Point = Mat<f64>;

/// The eigenbasis, and the features in it.
pub(super) struct Curvature {
    /// The eigenvectors Q in columns, `[D, R]`, and in rows.
    into: Factor<f64>,
    out_of: Factor<f64>,
    /// Eigenvalues λ, `[R]`.
    values: Vec<f64>,
    /// The features' mean itself, in the eigenbasis, `[R]`.
    pub(super) mean: Vec<f64>,
}

/// What distinguishes the curvature of one head at one point.
#[derive(Clone)]
pub(super) struct Strength<'a> {
    /// Mean of p (1 − p) times the sum of the weights, of each class, `[K]`.
    pub(super) by_class: Vec<f64>,
    /// Factors on the logits, `[K]`.
    pub(super) scale: &'a [f64],
    /// The sum of the samples' weights.
    pub(super) total: f64,
    /// Decay of the weights and of the bias.
    pub(super) decay: [f64; 2],
}

impl Curvature {
    /// `shift` is what the sums are about, `span` what everything is in.
    pub(super) fn new(sums: &Sums, shift: &[f64], span: Option<&Mat<f64>>) -> Result<Self> {
        let (vectors, values) = sums.spectrum(span)?;
        let (d, r) = (vectors.nrows(), vectors.ncols());
        let into = Factor::new((d, r), |j, i| vectors[(j, i)]);
        let out_of = Factor::new((r, d), |i, j| vectors[(j, i)]);
        let mut curvature = Self { into, out_of, values, mean: vec![] };
        let column = Mat::from_fn(shift.len(), 1, |j, _| shift[j]);
        let rotated = curvature.rotated(&column);
        curvature.mean = rotated.col(0).iter().copied().collect();
        Ok(curvature)
    }

    /// R.
    pub(super) fn dim(&self) -> usize {
        self.values.len()
    }

    /// Bytes of its matrices.
    pub(super) fn size(&self) -> usize {
        2 * size_of::<f64>() * self.dim() * self.out_of.columns
    }

    /// Into the eigenbasis: Qᵀ A for `[D, K]`, to `[R, K]`.
    pub(super) fn rotated(&self, point: &Point) -> Point {
        product(point, &self.into)
    }

    /// Back from the eigenbasis: Q A.
    pub(super) fn back(&self, point: &Point) -> Point {
        product(point, &self.out_of)
    }

    /// An estimate of the inverse Hessian of the objective with its bias solved out, times a point.
    /// For class k it is the inverse of
    ///
    /// ```text
    /// γₖ Λ + weight_decay + cₖ μ μᵀ,    cₖ = hₖ d / (hₖ + d)
    /// ```
    ///
    /// with hₖ the mean of p (1 − p), here as in γₖ times the square of the scale, and d the decay of
    /// the bias: a bias that costs something
    /// follows the weights only in part. With a free bias γₖ is hₖ, which takes a tenth to a half fewer
    /// passes than ½ √hₖ, its geometric mean with Böhning's bound ½; with one that decays it is the
    /// other way round, and the root takes a fifth fewer.
    pub(super) fn apply(&self, point: &Point, strength: &Strength<'_>) -> Point {
        let d = point.nrows();
        let Strength { by_class, scale, total, decay } = strength;
        // A floor keeps the curvature non-zero in directions with neither variance nor decay.
        let floor = 1e-9 * self.values.iter().sum::<f64>() / d as f64;
        let mut out = point.clone();
        for_columns(&mut out, |c, out| {
            let h = (by_class[c] / total).clamp(1e-6, 0.25) * total;
            let gamma = if decay[1] > 0.0 { 0.5 * (h * total).sqrt() } else { h };
            let [h, gamma] = [h, gamma].map(|unscaled| scale[c] * scale[c] * unscaled);
            let strength = |value: &f64| gamma * (value + floor) + decay[0];
            out.iter_mut().zip(&self.values).for_each(|(out, value)| *out /= strength(value));
            let coupling = h * decay[1] / (h + decay[1]);
            if coupling > 0.0 {
                let (mut along, mut size) = (0.0, 0.0);
                for ((out, mean), value) in out.iter().zip(&self.mean).zip(&self.values) {
                    along += mean * *out;
                    size += mean * mean / strength(value);
                }
                let factor = coupling * along / (1.0 + coupling * size);
                for ((out, mean), value) in out.iter_mut().zip(&self.mean).zip(&self.values) {
                    *out -= factor * mean / strength(value);
                }
            }
        });
        out
    }

    /// ½ gᵀ P g, an estimate of what is left to gain.
    pub(super) fn decrement(&self, grad: &Point, strength: &Strength<'_>) -> f64 {
        0.5 * dot(grad, &self.apply(grad, strength))
    }
}

/// Each column, as a row, times a factor.
fn product(point: &Point, factor: &Factor<f64>) -> Point {
    let k = point.ncols();
    let mut out = Mat::zeros(factor.columns, k);
    let columns = (0..k).map(|c| point.col_as_slice(c));
    factor.multiply(columns, true, |c, first, part| {
        out.col_as_slice_mut(c)[first..][..part.len()].copy_from_slice(part);
    });
    out
}
