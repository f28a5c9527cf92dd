//! Sums over the training samples, about their mean.

use faer::{Mat, Side};
use rayon::prelude::*;

use super::products::{Part, ROWS, about};
use crate::error::{Error, Result};
use crate::numbers::Real;
use crate::train::seen::Seen;

/// Weighted sums over the training samples, with weights that add up to 1. Features are taken about
/// `shift`, which is near their mean, so that an offset they share costs no digits.
pub(in crate::train) struct Sums {
    pub(super) dim: usize,
    /// Σ w (x − shift), `[D]`.
    pub(super) mean: Vec<f64>,
    /// Σ w (x − shift)(x − shift)ᵀ, `[D, D]`.
    gram: Mat<f64>,
    /// Σ w (x − shift) e_yᵀ, `[D, K]`.
    pub(super) by_class: Mat<f64>,
    /// Σ w e_y, `[K]`.
    pub(super) shares: Vec<f64>,
}

/// The mean of the features over all views, `[D]`, as the number type they are trained in has it.
pub(super) fn mean<R: Real>(seen: &Seen<'_, R>) -> Result<Vec<R>> {
    let n = seen.problem.labels.len() * seen.problem.views.len();
    let mut sums = vec![0.0; seen.problem.dim];
    seen.each_row(|_, values| {
        sums.iter_mut().zip(values).for_each(|(sum, value)| *sum += value.to_f64());
    })?;
    Ok(sums.into_iter().map(|sum| R::from_f64(sum / n as f64)).collect())
}

/// An orthonormal basis of what the features and their mean span, in columns, `[D, R]`, if that is
/// less than the whole space: fewer samples than features need no more than their own span.
pub(super) fn span<R: Real>(seen: &Seen<'_, R>, shift: &[R]) -> Result<Option<Mat<f64>>> {
    let (n, dim) = (seen.problem.labels.len() * seen.problem.views.len(), seen.problem.dim);
    if n + 1 >= dim {
        return Ok(None);
    }
    let mut columns = Mat::from_fn(dim, n + 1, |j, i| if i == n { shift[j].to_f64() } else { 0.0 });
    let mut at = 0;
    seen.each_row(|_, values| {
        for (j, value) in values.iter().enumerate() {
            columns[(j, at)] = value.to_f64() - shift[j].to_f64();
        }
        at += 1;
    })?;
    Ok(Some(columns.qr().compute_thin_Q()))
}

impl Sums {
    /// Takes the products of features of `every` so manieth sample only: all of them, or as many as
    /// an estimate needs.
    pub(in crate::train) fn new<R: Real>(
        seen: &Seen<'_, R>,
        class_weights: &[f64],
        shift: &[R],
        every: usize,
    ) -> Result<Self> {
        let (dim, labels) = (seen.problem.dim, seen.problem.labels);
        let k = class_weights.len();
        let weights: Vec<f64> = seen.problem.weights_with(class_weights).collect();
        let total: f64 = weights.iter().sum();
        let views = seen.problem.views.len();
        let weight = |row: u32| weights[row as usize] / total / views as f64;
        // The share of the samples whose products are taken.
        let of_some = weights.iter().step_by(every);
        let sampled = if every > 1 { of_some.sum::<f64>() / total } else { 1.0 };
        if sampled <= 0.0 {
            // Only samples without weight are among them.
            return Self::new(seen, class_weights, shift, 1);
        }
        // A fixed number of parts, so that the order of additions does not depend on threads.
        let all: Vec<u32> = (0..labels.len() as u32).collect();
        let n_parts = (MOST_NUMBERS / (dim * dim)).clamp(1, 16);
        let parts: Vec<&[u32]> = all.chunks(all.len().div_ceil(n_parts).max(1)).collect();
        let of_part = |(rows, (part, gathered)): (&&[u32], &mut (Part, Vec<R>))| {
            part.gram.fill(0.0);
            part.by_class.fill(0.0);
            for view in 0..views {
                for rows in rows.chunks(ROWS) {
                    seen.gather(view, rows, gathered)?;
                    let samples = || rows.iter().zip(gathered.chunks_exact(dim));
                    for (&row, values) in samples() {
                        let class = labels[row as usize] as usize;
                        let sums = part.by_class.col_as_slice_mut(class).iter_mut();
                        let (weight, values) = (weight(row), about(values, shift));
                        sums.zip(values).for_each(|(sum, value)| *sum += weight * value);
                    }
                    let some = samples().filter(|(row, _)| (**row as usize).is_multiple_of(every));
                    let some = some.map(|(&row, values)| (values, weight(row) / sampled));
                    part.add(some, shift);
                }
            }
            part.multiply();
            Ok::<_, Error>(())
        };
        // As many at a time as there are threads: each takes the memory of a matrix.
        let (mut gram, mut by_class) = (Mat::zeros(dim, dim), Mat::zeros(dim, k));
        let at_a_time = rayon::current_num_threads().min(parts.len());
        let most = ROWS.div_ceil(every);
        // What threads take of their own, no other could use later: theirs comes from here.
        let room_of_one = |_| (Part::new(dim, k, most), Vec::with_capacity(ROWS * dim));
        let mut room: Vec<_> = (0..at_a_time).map(room_of_one).collect();
        for parts in parts.chunks(at_a_time.max(1)) {
            parts.par_iter().zip(&mut room).try_for_each(of_part)?;
            for (part, _) in &room[..parts.len()] {
                gram += &part.gram;
                by_class += &part.by_class;
            }
        }
        let mean = (0..dim).map(|j| (0..k).map(|c| by_class[(j, c)]).sum()).collect();
        let mut shares = vec![0.0; k];
        for (&label, weight) in labels.iter().zip(&weights) {
            shares[label as usize] += weight / total;
        }
        Ok(Self { dim, mean, gram, by_class, shares })
    }

    /// Eigenvectors `[D, R]`, in columns, and eigenvalues `[R]` of the covariance, within a span of
    /// R directions if one is given.
    pub(super) fn spectrum(&self, span: Option<&Mat<f64>>) -> Result<(Mat<f64>, Vec<f64>)> {
        let (d, mean) = (self.dim, &self.mean);
        let lower = |i: usize, j: usize| self.gram[(i.max(j), i.min(j))] - mean[i] * mean[j];
        let covariance = Mat::from_fn(d, d, lower);
        let Some(span) = span else { return decomposed(&covariance) };
        let (vectors, values) = decomposed(&(span.transpose() * (&covariance * span)))?;
        Ok((span * vectors, values))
    }

    /// The same of the covariance within the classes. Where no class varies, its values are 0, and not
    /// what rounding leaves of them.
    pub(in crate::train) fn within_classes(&self) -> Result<(Mat<f64>, Vec<f64>)> {
        let d = self.dim;
        let total: f64 = (0..d).map(|j| self.gram[(j, j)]).sum();
        let scaled = Mat::from_fn(d, self.shares.len(), |j, c| {
            self.by_class[(j, c)] / self.shares[c].sqrt()
        });
        let between = &scaled * scaled.transpose();
        let within = |i: usize, j: usize| self.gram[(i.max(j), i.min(j))] - between[(i, j)];
        let (vectors, values) = decomposed(&Mat::from_fn(d, d, within))?;
        let rounding = values.iter().sum::<f64>() <= 1e-12 * total;
        Ok((vectors, if rounding { vec![0.0; values.len()] } else { values }))
    }
}

fn decomposed(covariance: &Mat<f64>) -> Result<(Mat<f64>, Vec<f64>)> {
    let decomposition = covariance.self_adjoint_eigen(Side::Lower).map_err(|_none| {
        Error::data(
            "training features",
            "a covariance with an eigendecomposition",
            "numbers that are infinite, NaN or far too large",
            "scale the features, for example to unit variance",
        )
    })?;
    let values = (0..covariance.nrows()).map(|j| decomposition.S()[j].max(0.0)).collect();
    Ok((decomposition.U().to_owned(), values))
}

/// Most numbers of the products of all parts together, were they held at once: a quarter of a GB.
const MOST_NUMBERS: usize = 1 << 25;
