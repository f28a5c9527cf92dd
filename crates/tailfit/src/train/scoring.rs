//! Finished heads on the features as they are: what they get right, and how large their logits are.

use std::cell::OnceCell;

use ndarray::Array2;
use rayon::prelude::*;

use super::Problem;
use super::seen::{Seen, SeenAs};
use super::solve::score;
use crate::error::Result;
use crate::head::Head;
use crate::metrics::{ClassTally, PerSet};
use crate::numbers::Real;
use crate::recipe::{Conditioning, Statistics};

/// Samples read at a time.
const ROWS: usize = 256;

/// The features as finished heads see them: as they are, or divided by their norms.
pub(super) struct Scoring<'a, R: Real> {
    problem: &'a Problem<'a, R>,
    seen: [OnceCell<Seen<'a, R>>; 2],
}

impl<'a, R: Real> Scoring<'a, R> {
    pub(super) fn new(problem: &'a Problem<'a, R>) -> Self {
        Self { problem, seen: [OnceCell::new(), OnceCell::new()] }
    }

    pub(super) fn problem(&self) -> &'a Problem<'a, R> {
        self.problem
    }

    fn seen_by(&self, head: &Head) -> &Seen<'_, R> {
        let normalised = head.normalise_features;
        self.seen[usize::from(normalised)].get_or_init(|| {
            let how = SeenAs {
                normalised,
                gated: false,
                of_unit_norm: false,
                conditioning: Conditioning::AsIs,
                statistics: Statistics::default(),
            };
            Seen::new(self.problem, how)
        })
    }

    /// Hits on the scored sets.
    pub(super) fn score(&self, head: &Head, seed: u64) -> Option<PerSet<ClassTally>> {
        score(self.seen_by(head), head, seed)
    }

    /// Weighted mean over training samples of the standard deviation of a head's logits.
    pub(super) fn scale(&self, head: &Head) -> Result<f64> {
        let (seen, weights, dim) = (self.seen_by(head), &self.problem.weights, self.problem.dim);
        let all: Vec<u32> = (0..self.problem.labels.len() as u32).collect();
        let of_block = |rows: &[u32]| -> Result<f64> {
            let mut values = Vec::new();
            seen.gather(0, rows, &mut values)?;
            let value = |(i, j)| R::to_f64(values[i * dim + j]);
            let logits = head.logits_of(Array2::from_shape_fn((rows.len(), dim), value));
            let each = rows.iter().zip(logits.rows());
            Ok(each.map(|(&row, z)| weights[row as usize] * z.std(0.0)).sum())
        };
        let blocks = all.par_chunks(ROWS).map(of_block).collect::<Result<Vec<f64>>>()?;
        Ok(blocks.into_iter().sum::<f64>() / weights.iter().sum::<f64>())
    }
}
