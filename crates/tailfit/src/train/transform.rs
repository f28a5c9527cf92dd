//! Features as a recipe's conditioning shows them, and heads between the two.

use std::sync::{Arc, OnceLock};

use faer::{Mat, MatRef};
use ndarray::{Array1, Array2, Axis};

use super::problem::Problem;
use super::seen::{Seen, SeenAs};
use super::solve::{Sums, check_dim};
use crate::error::Result;
use crate::head::Head;
use crate::kernels::Factor;
use crate::numbers::Real;
use crate::recipe::{Conditioning, Statistics};

/// A feature whose standard deviation is below this share of its mean is constant: f32 holds no
/// more of it than its rounding.
const CONSTANT: f64 = 1e-6;

/// x′ = T (x − μ).
pub(super) struct Transform<R: Real> {
    /// μ, `[D]`, as the number type trained in has it.
    mean: Vec<R>,
    by: By<R>,
}

/// T.
enum By<R: Real> {
    /// A diagonal, `[D]`, and its inverse.
    Scale { scale: Vec<R>, inverse: Vec<f64> },
    /// Λ^−½ Vᵀ, and the same for the kernels once features are transformed.
    Whitening { vectors: Arc<Mat<f64>>, values: Vec<f64>, matrix: OnceLock<Box<Factor<R>>> },
}

/// What all whitenings of a problem by the same statistics share: the mean, and V and Λ of the
/// covariance within classes.
pub(super) struct Within<R> {
    mean: Vec<R>,
    vectors: Arc<Mat<f64>>,
    values: Vec<f64>,
}

impl<R: Real> Within<R> {
    pub(super) fn new(seen: &Seen<'_, R>, statistics: Statistics) -> Result<Self> {
        check_dim("features = whitened", seen.problem.dim)?;
        let mean: Vec<R> = moments(seen, statistics)?.0.into_iter().map(R::from_f64).collect();
        let of_class = class_weights(seen.problem, statistics);
        let (vectors, values) = Sums::new(seen, &of_class, &mean, 1)?.within_classes()?;
        Ok(Self { mean, vectors: Arc::new(vectors), values })
    }
}

impl<R: Real> Transform<R> {
    /// The transform of a problem's training features, seen as they are; `None` if they stay so.
    pub(super) fn new(how: SeenAs, seen: &Seen<'_, R>) -> Result<Option<Self>> {
        let statistics = how.statistics;
        Ok(match how.conditioning {
            Conditioning::AsIs => None,
            Conditioning::Centred => {
                let (mean, _) = moments(seen, statistics)?;
                Some(Self::scaled(&mean, &vec![1.0; mean.len()]))
            }
            Conditioning::Standardised => {
                let (mean, deviation) = moments(seen, statistics)?;
                Some(Self::scaled(&mean, &deviation))
            }
            Conditioning::Whitened { shrinkage } => {
                Some(Self::whitening(shrinkage, &*seen.within(statistics)?))
            }
        })
    }

    fn scaled(mean: &[f64], deviation: &[f64]) -> Self {
        let constant = |j: usize| deviation[j] <= CONSTANT * mean[j].abs() || deviation[j] == 0.0;
        let inverse: Vec<f64> =
            (0..mean.len()).map(|j| if constant(j) { 1.0 } else { deviation[j] }).collect();
        let scale: Vec<R> = inverse.iter().map(|deviation| R::from_f64(1.0 / deviation)).collect();
        let mean = mean.iter().map(|&mean| R::from_f64(mean)).collect();
        Self { mean, by: By::Scale { scale, inverse } }
    }

    fn whitening(shrinkage: f64, within: &Within<R>) -> Self {
        let Within { mean, vectors, values } = within;
        let average = values.iter().sum::<f64>() / values.len() as f64;
        // Where no class varies at all, any unit does.
        let least = if average > 0.0 { 1e-9 * average } else { 1.0 };
        let shrunk = |value: f64| ((1.0 - shrinkage) * value + shrinkage * average).max(least);
        let values = values.iter().map(|&value| shrunk(value)).collect();
        let (mean, vectors) = (mean.clone(), Arc::clone(vectors));
        Self { mean, by: By::Whitening { vectors, values, matrix: OnceLock::new() } }
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
            By::Whitening { vectors, values, matrix } => {
                let matrix = matrix.get_or_init(|| {
                    let element = |j, i: usize| R::from_f64(vectors[(j, i)] / values[i].sqrt());
                    Box::new(Factor::new((dim, dim), element))
                });
                let before = rows.to_vec();
                matrix.multiply(before.chunks_exact(dim), false, |row, first, part| {
                    rows[row * dim + first..][..part.len()].copy_from_slice(part);
                });
            }
        }
    }

    /// A head on the features as they are, as one on the transformed features.
    pub(super) fn unfold(&self, head: &mut Head) {
        head.bias += &head.weight.dot(&self.exact_mean());
        head.weight = match &self.by {
            By::Scale { inverse, .. } => &head.weight * &Array1::from(inverse.clone()),
            By::Whitening { vectors, values, .. } => {
                let rotated = product(&head.weight, vectors.as_ref().as_ref());
                rotated * &values.iter().map(|value| value.sqrt()).collect::<Array1<f64>>()
            }
        };
    }

    /// A head on the transformed features, as one on the features as they are.
    pub(super) fn fold(&self, head: &mut Head) {
        head.weight = match &self.by {
            By::Scale { scale, .. } => {
                &head.weight * &scale.iter().map(|scale| scale.to_f64()).collect::<Array1<f64>>()
            }
            By::Whitening { vectors, values, .. } => {
                let scale: Array1<f64> = values.iter().map(|value| 1.0 / value.sqrt()).collect();
                product(&(&head.weight * &scale), vectors.transpose())
            }
        };
        head.bias -= &head.weight.dot(&self.exact_mean());
        if let Some(gate) = &mut head.gate {
            let weight = gate.weight.view().insert_axis(Axis(0)).to_owned();
            let mut row = Head::linear(weight, Array1::from_elem(1, gate.bias));
            self.fold(&mut row);
            (gate.weight, gate.bias) = (row.weight.row(0).to_owned(), row.bias[0]);
        }
    }

    /// Points in the space of the features, `[K, D]`, as they are transformed.
    pub(super) fn points(&self, points: &Array2<f64>) -> Array2<f64> {
        let centred = points - &self.exact_mean();
        match &self.by {
            By::Scale { scale, .. } => {
                centred * &scale.iter().map(|scale| scale.to_f64()).collect::<Array1<f64>>()
            }
            By::Whitening { vectors, values, .. } => {
                let scale: Array1<f64> = values.iter().map(|value| 1.0 / value.sqrt()).collect();
                product(&centred, vectors.as_ref().as_ref()) * &scale
            }
        }
    }

    /// μ, `[D]`.
    pub(super) fn mean(&self) -> &[R] {
        &self.mean
    }

    pub(super) fn exact_mean(&self) -> Array1<f64> {
        self.mean.iter().map(|mean| mean.to_f64()).collect()
    }
}

/// a b, `[K, D]`.
fn product(a: &Array2<f64>, b: MatRef<'_, f64>) -> Array2<f64> {
    let a = Mat::from_fn(a.nrows(), a.ncols(), |k, j| a[(k, j)]);
    let product = &a * b;
    Array2::from_shape_fn((product.nrows(), product.ncols()), |(k, j)| product[(k, j)])
}

/// What each class's samples count in statistics, `[K]`.
fn class_weights<R: Real>(problem: &Problem<'_, R>, statistics: Statistics) -> Vec<f64> {
    let mut weights = vec![1.0; problem.counts.n_classes()];
    if statistics == Statistics::ClassBalanced {
        let mut sums = vec![0.0; weights.len()];
        for (&label, weight) in problem.labels.iter().zip(&problem.weights) {
            sums[label as usize] += weight;
        }
        // Every class has a sample of weight, or the data set would have been refused.
        weights.iter_mut().zip(sums).for_each(|(weight, sum)| *weight = 1.0 / sum);
    }
    weights
}

/// Mean and standard deviation of each feature over all views, `[D]` each.
fn moments<R: Real>(seen: &Seen<'_, R>, statistics: Statistics) -> Result<(Vec<f64>, Vec<f64>)> {
    let (dim, views) = (seen.problem.dim, seen.problem.views.len());
    let of_class = class_weights(seen.problem, statistics);
    let weights: Vec<f64> = seen.problem.weights_with(&of_class).collect();
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
