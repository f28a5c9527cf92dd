//! Features as a recipe's conditioning shows them, and heads between the two.

use faer::Mat;
use ndarray::{Array1, Array2};

use super::problem::Seen;
use super::solve::Sums;
use crate::error::Result;
use crate::head::Head;
use crate::kernels::{Packed, Panels, Rows, Weights, padded_depth, zeros};
use crate::numbers::Real;
use crate::recipe::Conditioning;

/// A feature whose standard deviation is below this share of its mean is constant: f32 holds no
/// more of it than its rounding.
const CONSTANT: f64 = 1e-6;

/// x′ = T (x − μ).
pub(super) struct Transform<R> {
    /// μ, `[D]`, as the number type trained in has it.
    mean: Vec<R>,
    by: By<R>,
}

/// T and its inverse.
enum By<R> {
    /// A diagonal, `[D]`.
    Scale { scale: Vec<R>, inverse: Vec<f64> },
    /// Symmetric matrices, `[D, D]`.
    Matrix { matrix: Box<Weights<R>>, exact: Array2<f64>, inverse: Array2<f64> },
}

impl<R: Real> Transform<R> {
    /// The transform of a problem's training features, seen as they are; `None` if they stay so.
    pub(super) fn new(conditioning: Conditioning, seen: &Seen<'_, R>) -> Result<Option<Self>> {
        let by = match conditioning {
            Conditioning::AsIs => return Ok(None),
            Conditioning::Centred => {
                let (mean, _) = moments(seen)?;
                let one = vec![1.0; mean.len()];
                return Ok(Some(Self::scaled(&mean, &one)));
            }
            Conditioning::Standardised => {
                let (mean, deviation) = moments(seen)?;
                return Ok(Some(Self::scaled(&mean, &deviation)));
            }
            Conditioning::Whitened { shrinkage } => shrinkage,
        };
        let (mean, _) = moments(seen)?;
        let mean: Vec<R> = mean.into_iter().map(R::from_f64).collect();
        let uniform = vec![1.0; seen.problem.counts.n_classes()];
        let (vectors, values) = Sums::new(seen, &uniform, &mean, 1)?.within_classes(by)?;
        let power = |exponent: f64| {
            let d = values.len();
            let scaled = Mat::from_fn(d, d, |i, j| vectors[(i, j)] * values[j].powf(exponent));
            let product = &scaled * vectors.transpose();
            Array2::from_shape_fn((d, d), |(i, j)| product[(i, j)])
        };
        let (exact, inverse) = (power(-0.5), power(0.5));
        let panels = Panels::new(padded_depth(values.len(), None), values.len());
        let mut matrix = Box::new(Weights::new(panels, None));
        panels.write(&mut matrix.value, 0, &exact);
        Ok(Some(Self { mean, by: By::Matrix { matrix, exact, inverse } }))
    }

    fn scaled(mean: &[f64], deviation: &[f64]) -> Self {
        let constant = |j: usize| deviation[j] <= CONSTANT * mean[j].abs() || deviation[j] == 0.0;
        let inverse: Vec<f64> =
            (0..mean.len()).map(|j| if constant(j) { 1.0 } else { deviation[j] }).collect();
        let scale: Vec<R> = inverse.iter().map(|deviation| R::from_f64(1.0 / deviation)).collect();
        let mean = mean.iter().map(|&mean| R::from_f64(mean)).collect();
        Self { mean, by: By::Scale { scale, inverse } }
    }

    /// Transforms rows of features, `[B, D]`.
    pub(super) fn apply(&self, rows: &mut [R]) {
        let dim = self.mean.len();
        for row in rows.chunks_exact_mut(dim) {
            row.iter_mut().zip(&self.mean).for_each(|(x, &mean)| *x = *x - mean);
        }
        match &self.by {
            By::Scale { scale, .. } => {
                for row in rows.chunks_exact_mut(dim) {
                    row.iter_mut().zip(scale).for_each(|(x, &scale)| *x = *x * scale);
                }
            }
            By::Matrix { matrix, .. } => {
                let mut packed = Packed::new(dim, None);
                packed.pack(rows.chunks_exact(dim));
                let pitch = matrix.panels.columns;
                let mut out = zeros(packed.padded * pitch);
                let values = Rows { values: &mut out, pitch };
                matrix.forward(values, &packed, 0, &zeros(pitch));
                for (row, product) in rows.chunks_exact_mut(dim).zip(out.chunks_exact(pitch)) {
                    row.copy_from_slice(&product[..dim]);
                }
            }
        }
    }

    /// A head on the features as they are, as one on the transformed features.
    pub(super) fn unfold(&self, head: &mut Head) {
        head.bias += &head.weight.dot(&self.exact_mean());
        head.weight = match &self.by {
            By::Scale { inverse, .. } => &head.weight * &Array1::from(inverse.clone()),
            By::Matrix { inverse, .. } => head.weight.dot(inverse),
        };
    }

    /// A head on the transformed features, as one on the features as they are.
    pub(super) fn fold(&self, head: &mut Head) {
        head.weight = match &self.by {
            By::Scale { scale, .. } => {
                &head.weight * &scale.iter().map(|scale| scale.to_f64()).collect::<Array1<f64>>()
            }
            By::Matrix { exact, .. } => head.weight.dot(exact),
        };
        head.bias -= &head.weight.dot(&self.exact_mean());
    }

    fn exact_mean(&self) -> Array1<f64> {
        self.mean.iter().map(|mean| mean.to_f64()).collect()
    }
}

/// Mean and standard deviation of each feature over all views, `[D]` each.
fn moments<R: Real>(seen: &Seen<'_, R>) -> Result<(Vec<f64>, Vec<f64>)> {
    let (dim, views) = (seen.problem.dim, seen.problem.views.len());
    let weights = &seen.problem.weights;
    let total = weights.iter().sum::<f64>() * views as f64;
    let sum_of = |term: &dyn Fn(usize, f64) -> f64| -> Result<Vec<f64>> {
        let mut sums = vec![0.0; dim];
        seen.each_row(|row, values| {
            for (j, (sum, value)) in sums.iter_mut().zip(values).enumerate() {
                *sum += weights[row] * term(j, value.to_f64());
            }
        })?;
        Ok(sums.into_iter().map(|sum| sum / total).collect())
    };
    let mean = sum_of(&|_, value| value)?;
    let variance = sum_of(&|j, value| (value - mean[j]).powi(2))?;
    Ok((mean, variance.into_iter().map(f64::sqrt).collect()))
}
