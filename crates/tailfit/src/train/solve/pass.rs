//! What solvers compute from all training samples.

use faer::linalg::matmul::matmul;
use faer::{Accum, Mat, Par};
use rayon::prelude::*;

use crate::error::Result;
use crate::kernels::{Packed, Panels, Rows, Weights, column_sums, padded_depth, zeros};
use crate::losses::{BatchLoss, HeadLogits};
use crate::numbers::Real;
use crate::train::problem::Seen;

/// Samples per batch.
const ROWS: usize = 256;

/// Batches whose gradients are summed in the number type trained in before being added up in f64.
const ROUNDS: usize = 8;

/// Weighted sums over the training samples, with weights that add up to 1.
pub(super) struct Sums {
    pub(super) dim: usize,
    /// Σ w x, `[D]`.
    pub(super) mean: Vec<f64>,
    /// Σ w x xᵀ, `[D, D]`.
    pub(super) gram: Mat<f64>,
    /// Σ w x e_yᵀ, `[D, K]`.
    pub(super) by_class: Mat<f64>,
    /// Σ w e_y, `[K]`.
    pub(super) shares: Vec<f64>,
}

impl Sums {
    pub(super) fn new<R: Real>(seen: &Seen<'_, R>, class_weights: &[f64]) -> Result<Self> {
        let (dim, labels) = (seen.problem.dim, seen.problem.labels);
        let k = class_weights.len();
        let total: f64 = labels.iter().map(|&y| class_weights[y as usize]).sum();
        let views = seen.problem.views.len();
        let weight = |y: u32| class_weights[y as usize] / total / views as f64;
        let zero = || (Mat::<f64>::zeros(dim, dim), Mat::<f64>::zeros(dim, k));
        // A fixed number of parts, so that the order of additions does not depend on threads.
        let all: Vec<u32> = (0..labels.len() as u32).collect();
        let parts: Vec<&[u32]> = all.chunks(all.len().div_ceil(16).max(1)).collect();
        let sums: Vec<(Mat<f64>, Mat<f64>)> = parts
            .into_par_iter()
            .map(|part| {
                let (mut gram, mut by_class) = zero();
                let mut gathered = Vec::new();
                for view in 0..views {
                    for rows in part.chunks(ROWS) {
                        seen.gather(view, rows, &mut gathered)?;
                        let x =
                            Mat::from_fn(rows.len(), dim, |i, j| gathered[i * dim + j].to_f64());
                        let scaled = Mat::from_fn(rows.len(), dim, |i, j| {
                            weight(labels[rows[i] as usize]) * x[(i, j)]
                        });
                        let add = Accum::Add;
                        matmul(&mut gram, add, x.transpose(), &scaled, 1.0, Par::Seq);
                        for (i, &row) in rows.iter().enumerate() {
                            let sums = by_class.col_mut(labels[row as usize] as usize);
                            for (j, sum) in sums.iter_mut().enumerate() {
                                *sum += scaled[(i, j)];
                            }
                        }
                    }
                }
                Ok((gram, by_class))
            })
            .collect::<Result<_>>()?;
        let (mut gram, mut by_class) = zero();
        for (part_gram, part_sums) in &sums {
            gram += part_gram;
            by_class += part_sums;
        }
        let mean = (0..dim).map(|j| (0..k).map(|c| by_class[(j, c)]).sum()).collect();
        let counts = seen.problem.counts.as_slice();
        let shares = counts.iter().zip(class_weights).map(|(&n, w)| n as f64 * w / total).collect();
        Ok(Self { dim, mean, gram, by_class, shares })
    }
}

/// The parameters of one head, `[D + 1, K]`, with the bias in the last row.
pub(super) type Point = Mat<f64>;

/// A head's objective and its gradient at a point, from one pass.
pub(super) struct ValueAndGrad {
    /// Σ w L.
    pub(super) value: f64,
    /// The gradient of `value`, `[D + 1, K]`.
    pub(super) grad: Point,
}

/// The objective of a head, and a point at which to evaluate it.
pub(super) struct HeadPoint<'a, R> {
    pub(super) objective: &'a BatchLoss<R>,
    pub(super) point: &'a Point,
    /// What the sum of weighted losses is divided by.
    pub(super) divisor: f64,
}

/// Evaluates many heads in one pass.
pub(super) fn evaluate<R: Real>(
    seen: &Seen<'_, R>,
    heads: &[HeadPoint<'_, R>],
) -> Result<Vec<ValueAndGrad>> {
    let threads = rayon::current_num_threads();
    let size = heads.len().div_ceil(threads).clamp(1, 16);
    let split = heads.len().div_ceil(size) < threads;
    let parts = heads.par_chunks(size).map(|heads| evaluate_some(seen, heads, split));
    Ok(parts.collect::<Result<Vec<_>>>()?.into_iter().flatten().collect())
}

fn evaluate_some<R: Real>(
    seen: &Seen<'_, R>,
    heads: &[HeadPoint<'_, R>],
    split: bool,
) -> Result<Vec<ValueAndGrad>> {
    let (dim, labels) = (seen.problem.dim, seen.problem.labels);
    let k = seen.problem.counts.n_classes();
    let panels = Panels::new(padded_depth(dim, None), heads.len() * k);
    let c = panels.columns;
    let mut weights = Weights::<R>::new(panels, None);
    let mut bias = vec![R::ZERO; c];
    for (h, HeadPoint { point, .. }) in heads.iter().enumerate() {
        for class in 0..k {
            let column = h * k + class;
            for j in 0..dim {
                weights.value[panels.at(j, column)] = R::from_f64(point[(j, class)]);
            }
            bias[column] = R::from_f64(point[(dim, class)]);
        }
    }
    let mut evaluations: Vec<ValueAndGrad> =
        heads.iter().map(|_| ValueAndGrad { value: 0.0, grad: Mat::zeros(dim + 1, k) }).collect();
    let mut batch = Packed::new(dim, None);
    let (mut gathered, mut sums) = (Vec::new(), vec![R::ZERO; c]);
    let mut z = zeros(ROWS * c);
    let all: Vec<u32> = (0..labels.len() as u32).collect();
    for view in 0..seen.problem.views.len() {
        for round in all.chunks(ROWS * ROUNDS) {
            for rows in round.chunks(ROWS) {
                seen.gather(view, rows, &mut gathered)?;
                batch.pack(gathered.chunks_exact(dim));
                let y: Vec<u32> = rows.iter().map(|&row| labels[row as usize]).collect();
                let z = &mut z[..batch.padded * c];
                weights.forward(Rows { values: z, pitch: c }, &batch, 0, &bias);
                z[rows.len() * c..].fill(R::ZERO);
                for (h, HeadPoint { objective, divisor, .. }) in heads.iter().enumerate() {
                    let (start, divisor) = (h * k, *divisor);
                    let part = HeadLogits { logits: z, start, stride: c, labels: &y, divisor };
                    evaluations[h].value += objective.apply(part);
                }
                column_sums(&mut sums, z, None);
                for (h, evaluation) in evaluations.iter_mut().enumerate() {
                    for class in 0..k {
                        evaluation.grad[(dim, class)] += sums[h * k + class].to_f64();
                    }
                }
                weights.add_gradient(z, c, &batch, split);
            }
            for (h, evaluation) in evaluations.iter_mut().enumerate() {
                for class in 0..k {
                    for (j, sum) in evaluation.grad.col_mut(class).iter_mut().take(dim).enumerate()
                    {
                        *sum += weights.velocity[panels.at(j, h * k + class)].to_f64();
                    }
                }
            }
            weights.velocity.fill(R::ZERO);
        }
    }
    Ok(evaluations)
}
