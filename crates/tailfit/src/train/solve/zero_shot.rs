//! The prior of the encoder that class vectors are from, estimated on the training samples.

use ndarray::{Array1, Array2};
use rayon::prelude::*;

use super::bias::{OutputSums, Wanted, rounding};
use super::outputs::add_outputs;
use crate::error::{Error, Result};
use crate::kernels::{Factor, normalise_rows};
use crate::numbers::Real;
use crate::train::{Problem, Trial};

/// Samples read at a time, and how many times as many are summed up before others.
const ROWS: usize = 256;
const TIMES: usize = 16;

/// Logits are kept from sweep to sweep up to this many bytes.
const KEPT: usize = 1 << 30;

const SWEEPS: usize = 100;

/// −log q, `[K]`, for each multiple of the class vectors that is added to a head less the encoder's prior q.
pub(in crate::train) struct Priors(Vec<(f64, Array1<f64>)>);

impl Priors {
    /// What these trials need.
    pub(in crate::train) fn new<R: Real>(
        problem: &Problem<'_, R>,
        trials: &[Trial],
    ) -> Result<Self> {
        let mut found: Vec<(f64, Array1<f64>)> = Vec::new();
        for recipe in trials.iter().map(|trial| &trial.recipe) {
            let wanted = recipe.zero_shot.filter(|_| recipe.zero_shot_debiased);
            let (Some(share), Some(vectors)) = (wanted, problem.class_vectors) else { continue };
            if found.iter().all(|(known, _)| *known != share) {
                found.push((share, minus_log_prior(problem, vectors, share)?));
            }
        }
        Ok(Self(found))
    }

    pub(in crate::train) fn of(&self, share: f64) -> Option<&Array1<f64>> {
        self.0.iter().find(|(known, _)| *known == share).map(|(_, bias)| bias)
    }
}

/// −log q, `[K]`, of the prior q that the zero-shot logits `share` ⟨vₖ, x⟩ / |x| contain: without it, they
/// have the smallest cross-entropy on samples weighted so that all classes count the same,
///
/// ```text
/// min over q of   Σ L(share V x / |x| − log q) / n,   Σ q = 1
/// ```
///
/// which is where the outputs are 1 / K for each class, on average over these samples. Zhu et al., NeurIPS
/// 2023, estimate it on a balanced set. A class without samples, as in a fold, gets the mean of the others.
fn minus_log_prior<R: Real>(
    problem: &Problem<'_, R>,
    vectors: &Array2<f64>,
    share: f64,
) -> Result<Array1<f64>> {
    let (n, dim, k) = (problem.labels.len(), problem.dim, vectors.nrows());
    let factor = Factor::new((dim, k), |j, class| R::from_f64(share * vectors[[class, j]]));
    let mut totals = vec![0.0; k];
    let labels = problem.labels.iter().map(|&label| label as usize);
    let samples = labels.zip(problem.weights.iter().copied());
    for (class, weight) in samples.clone() {
        totals[class] += weight;
    }
    // A part of the data need not have all classes.
    let there: Vec<bool> = totals.iter().map(|total| *total > 0.0).collect();
    let each = 1.0 / there.iter().filter(|there| **there).count() as f64;
    let views = problem.views.len();
    let share_of = |(class, weight): (usize, f64)| {
        if weight > 0.0 { weight / totals[class] * each / views as f64 } else { 0.0 }
    };
    let weights: Vec<f64> = samples.map(share_of).collect();

    let columns = k.next_multiple_of(16);
    let places: Vec<(usize, usize)> =
        (0..views).flat_map(|view| (0..n).step_by(ROWS).map(move |row| (view, row))).collect();
    let logits = |&(view, first): &(usize, usize)| -> Result<Vec<R>> {
        let mut x = Vec::new();
        problem.views[view].gather(first..n.min(first + ROWS), dim, &mut x)?;
        normalise_rows(&mut x, dim);
        let mut z = vec![R::ZERO; x.len() / dim * columns];
        factor.multiply(x.chunks_exact(dim), false, |i, first, part| {
            z[i * columns + first..][..part.len()].copy_from_slice(part);
        });
        Ok(z)
    };
    let keeps = places.len() * ROWS * columns * size_of::<R>() <= KEPT;
    let kept = places.par_iter().filter(|_| keeps).map(logits).collect::<Result<Vec<_>>>()?;

    let wanted = Wanted {
        offset: &vec![0.0; k],
        scale: &vec![1.0; k],
        targets: &there.iter().map(|&there| if there { each } else { 0.0 }).collect::<Vec<_>>(),
        decay: 0.0,
        lowered: vec![0.0; k],
        tolerance: if R::SINGLE { 1e-6 } else { 1e-12 },
        rounding: rounding::<R>(),
        sweeps: SWEEPS,
    };
    let (mut bias, _) = wanted.solve(vec![0.0; k], |bias| {
        let shown: Vec<R> = bias.iter().map(|&b| R::from_f64(b)).collect();
        let group = |first: usize| {
            let mut sums = OutputSums::new(k);
            for at in first..places.len().min(first + TIMES) {
                let z = match kept.get(at) {
                    Some(z) => z,
                    None => &logits(&places[at])?,
                };
                add_outputs(&mut sums, z, &shown, |i| weights[places[at].1 + i]);
            }
            Ok::<_, Error>(sums)
        };
        let groups: Vec<usize> = (0..places.len()).step_by(TIMES).collect();
        let parts = groups.into_par_iter().map(group).collect::<Result<Vec<_>>>()?;
        let mut all = OutputSums::new(k);
        for part in &parts {
            all.merge(part);
        }
        Ok::<_, Error>(all)
    })?;
    // Of a class that is not there nothing is known.
    let known = bias.iter().zip(&there).filter(|(_, there)| **there);
    let mean = each * known.map(|(b, _)| b).sum::<f64>();
    for (b, _) in bias.iter_mut().zip(&there).filter(|(_, there)| !**there) {
        *b = mean;
    }
    let log_total = bias.iter().map(|b| (-b).exp()).sum::<f64>().ln();
    Ok(bias.into_iter().map(|b| b + log_total).collect())
}
