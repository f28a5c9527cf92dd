//! A problem as heads see it.

use std::sync::{Arc, OnceLock};

use ndarray::{Array1, Array2, ArrayView1, Axis};

use super::Trial;
use super::problem::{Problem, ScoredSet, View};
use super::transform::{Transform, Within};
use crate::error::Result;
use crate::head::{Head, Start};
use crate::kernels::ScoringRows;
use crate::metrics::PerSet;
use crate::numbers::Real;
use crate::recipe::{Conditioning, Recipe};

/// Samples read at a time.
const ROWS: usize = 256;

/// A problem as some heads see it: features transformed or divided by their L2 norm, and each
/// scored set packed.
pub(super) struct Seen<'a, R: Real> {
    pub(super) problem: &'a Problem<'a, R>,
    pub(super) normalised: bool,
    /// What is done to the training features; scored sets stay as they are.
    transform: Option<Transform<R>>,
    /// The stage-1 head on the features as they are seen.
    pub(super) stage_1: Option<Head>,
    /// Class means, `[K, D]`, and what whitenings share: once something needs them.
    class_means: OnceLock<Array2<f64>>,
    within: OnceLock<Arc<Within<R>>>,
    pub(super) scored: Option<Arc<PerSet<ScoringRows<R>>>>,
}

impl<'a, R: Real> Seen<'a, R> {
    pub(super) fn new(problem: &'a Problem<'a, R>, normalised: bool) -> Self {
        let pack = |set: &ScoredSet<'_, R>| {
            ScoringRows::new(&set.features, set.mirror.as_deref(), problem.dim, normalised)
        };
        let scored = problem.scored.as_ref().map(|sets| Arc::new(sets.as_ref().map(pack)));
        let stage_1 = problem.stage_1.cloned();
        let (class_means, within) = (OnceLock::new(), OnceLock::new());
        Self { problem, normalised, transform: None, stage_1, class_means, within, scored }
    }

    /// The same features conditioned in another way, with the scored sets shared, and the class means
    /// if they are known.
    pub(super) fn conditioned(&self, conditioning: Conditioning) -> Result<Self> {
        let transform = Transform::new(conditioning, self)?;
        let mut stage_1 = self.stage_1.clone();
        if let (Some(transform), Some(head)) = (&transform, &mut stage_1) {
            transform.unfold(head);
        }
        let (problem, normalised) = (self.problem, self.normalised);
        let (class_means, within) = (OnceLock::new(), OnceLock::new());
        if let (Some(transform), Some(means)) = (&transform, self.class_means.get()) {
            class_means.get_or_init(|| transform.points(means));
        }
        let scored = self.scored.clone();
        Ok(Self { problem, normalised, transform, stage_1, class_means, within, scored })
    }

    /// What all whitenings of these features share.
    pub(super) fn within(&self) -> Result<Arc<Within<R>>> {
        if self.within.get().is_none() {
            let within = Arc::new(Within::new(self)?);
            self.within.get_or_init(|| within);
        }
        Ok(Arc::clone(self.within.get().expect("just set")))
    }

    /// Finds the weighted means of the classes as they are seen, `[K, D]`, from which trials start.
    pub(super) fn find_class_means(&self) -> Result<()> {
        if self.class_means.get().is_some() {
            return Ok(());
        }
        let mut sums = Array2::<f64>::zeros(self.problem.shape());
        let mut totals = Array1::<f64>::zeros(sums.nrows());
        self.each_row(|row, values| {
            let (class, weight) = (self.problem.labels[row] as usize, self.problem.weights[row]);
            totals[class] += weight;
            for (sum, value) in sums.row_mut(class).iter_mut().zip(values) {
                *sum += weight * value.to_f64();
            }
        })?;
        sums /= &totals.insert_axis(Axis(1));
        self.class_means.get_or_init(|| sums);
        Ok(())
    }

    /// The mean of class k, once found.
    pub(super) fn class_mean(&self, k: usize) -> ArrayView1<'_, f64> {
        self.class_means.get().expect("found before they are used").row(k)
    }

    /// The head at which a trial starts, on the features as they are seen.
    pub(super) fn start(&self, trial: &Trial) -> Head {
        let Recipe { start, head, .. } = trial.recipe;
        if start == Start::ClassMeans {
            let weight = self.class_means.get().expect("found for every such trial").clone();
            let bias = weight.rows().into_iter().map(|mean| -0.5 * mean.dot(&mean)).collect();
            return Head { weight, bias, normalise_features: false };
        }
        if let (Start::ClassVectors, Some(vectors)) = (start, self.problem.class_vectors) {
            let mut head = Head { weight: vectors.clone(), ..Head::zeros(0, 0) };
            head.bias = Array1::zeros(vectors.nrows());
            if let Some(transform) = &self.transform {
                transform.unfold(&mut head);
            }
            return head;
        }
        start.head(head, self.stage_1.as_ref(), trial.seed, self.problem.shape())
    }

    /// Makes a trained head on the features as they are seen the one to use: normalised and adjusted,
    /// on the features as they are, with its share of the zero-shot head.
    pub(super) fn finish(&self, recipe: &Recipe, head: &mut Head) {
        recipe.finish(head, self.problem.counts);
        if let Some(transform) = &self.transform {
            transform.fold(head);
        }
        if let (Some(share), Some(vectors)) = (recipe.zero_shot, self.problem.class_vectors) {
            head.weight.scaled_add(share, vectors);
        }
    }

    /// Calls `work` with the number and the features of every sample of every view.
    pub(super) fn each_row(&self, mut work: impl FnMut(usize, &[R])) -> Result<()> {
        let all: Vec<u32> = (0..self.problem.labels.len() as u32).collect();
        let mut gathered = Vec::new();
        for view in 0..self.problem.views.len() {
            for rows in all.chunks(ROWS) {
                self.gather(view, rows, &mut gathered)?;
                for (&row, values) in rows.iter().zip(gathered.chunks_exact(self.problem.dim)) {
                    work(row as usize, values);
                }
            }
        }
        Ok(())
    }

    /// Reads the samples `rows` of view number `view` into `out`, `[B, D]`.
    pub(super) fn gather(&self, view: usize, rows: &[u32], out: &mut Vec<R>) -> Result<()> {
        let dim = self.problem.dim;
        let rows = rows.iter().map(|&row| row as usize);
        out.clear();
        match &self.problem.views[view] {
            View::Memory(values) => {
                for row in rows {
                    out.extend_from_slice(&values[row * dim..][..dim]);
                }
            }
            View::File(file) => {
                file.gather(rows, |row| out.extend(row.iter().map(|&v| R::from_f64(v.into()))))?;
            }
        }
        if let Some(transform) = &self.transform {
            transform.apply(out);
        }
        if self.normalised {
            crate::kernels::normalise_rows(out, dim);
        }
        Ok(())
    }
}
