//! What is trained on, and what is scored, in the number type trained in.

use std::borrow::Cow;
use std::sync::Arc;

use ndarray::{Array1, ArrayView2, Axis};

use super::Trial;
use super::transform::Transform;
use crate::class_counts::ClassCounts;
use crate::error::Result;
use crate::features::{DataSet, Features, FileMatrix, Matrix};
use crate::head::{Head, Start};
use crate::kernels::ScoringRows;
use crate::losses::Samples;
use crate::metrics::{PerSet, halves};
use crate::numbers::Real;
use crate::recipe::{Conditioning, Recipe};

/// Samples read at a time.
const ROWS: usize = 256;

/// Frozen features and labels of the training set, the stage-1 head, and the sets to score.
#[derive(Clone, Debug)]
pub(crate) struct Problem<'a, R: Real> {
    /// One or more views of the training features, each `[N, D]` row-major; epoch e (from 0)
    /// trains on view e mod V.
    pub views: Vec<View<'a, R>>,
    /// D, the number of features.
    pub dim: usize,
    /// Class of each training sample, `[N]`.
    pub labels: &'a [u32],
    /// Weight of each training sample, `[N]`, with a mean of 1.
    pub weights: Vec<f64>,
    /// Training samples per class.
    pub counts: &'a ClassCounts,
    /// The stage-1 head, if there is one.
    pub stage_1: Option<&'a Head>,
    /// The sets to score, if any.
    pub scored: Option<PerSet<ScoredSet<'a, R>>>,
}

/// Training features, `[N, D]` row-major.
#[derive(Clone, Debug)]
pub(crate) enum View<'a, R: Real> {
    /// In memory.
    Memory(Cow<'a, [R]>),
    /// In a file, read row by row.
    File(&'a FileMatrix),
}

/// The features and labels of one set to score.
#[derive(Clone, Debug)]
pub(crate) struct ScoredSet<'a, R: Real> {
    /// `[N, D]` row-major.
    pub features: Cow<'a, [R]>,
    /// Features of the mirrored images, `[N, D]`; logits are averaged over both.
    pub mirror: Option<Cow<'a, [R]>>,
    /// Class of each sample, `[N]`.
    pub labels: &'a [u32],
}

impl<'a> Problem<'a, f32> {
    /// The problem of training on a data set; `scored` says whether to score its test and
    /// validation sets.
    pub(super) fn of(data: &'a DataSet, scored: bool) -> Result<Self> {
        let views = match &data.train.views[..] {
            [] => std::slice::from_ref(&data.train.plain),
            views => views,
        };
        let sets = || -> Result<_> {
            let validation = data.validation.as_ref().map(ScoredSet::of).transpose()?;
            Ok(PerSet { test: ScoredSet::of(&data.test)?, validation })
        };
        Ok(Self {
            views: views.iter().map(View::of).collect(),
            dim: data.train.dim(),
            labels: &data.train.labels,
            weights: data.train.mean_one_weights(),
            counts: &data.counts,
            stage_1: data.stage_1.as_ref().map(|file| &file.head),
            scored: if scored { Some(sets()?) } else { None },
        })
    }

    /// The same in double precision.
    pub(super) fn widened(&self) -> Problem<'a, f64> {
        let wide = |values: &[f32]| Cow::Owned(values.iter().map(|&v| f64::from(v)).collect());
        let view = |view: &View<'a, f32>| match view {
            View::Memory(values) => View::Memory(wide(values)),
            View::File(file) => View::File(file),
        };
        let set = |set: &ScoredSet<'a, f32>| ScoredSet {
            features: wide(&set.features),
            mirror: set.mirror.as_deref().map(wide),
            labels: set.labels,
        };
        let Self { dim, labels, counts, stage_1, .. } = *self;
        Problem {
            views: self.views.iter().map(view).collect(),
            dim,
            labels,
            weights: self.weights.clone(),
            counts,
            stage_1,
            scored: self.scored.as_ref().map(|sets| sets.as_ref().map(set)),
        }
    }
}

impl<R: Real> Problem<'_, R> {
    /// Classes and weights of the training samples.
    pub(super) fn samples(&self) -> Samples<'_> {
        Samples { labels: self.labels, weights: &self.weights }
    }

    /// The weight of each training sample times that of its class.
    pub(super) fn weights_with(&self, of_class: &[f64]) -> impl Iterator<Item = f64> {
        self.labels.iter().zip(&self.weights).map(|(&y, weight)| weight * of_class[y as usize])
    }

    /// K and D.
    pub(super) fn shape(&self) -> (usize, usize) {
        (self.counts.n_classes(), self.dim)
    }

    /// Checks that features left in their files are those that were opened.
    pub(super) fn check_unchanged(&self) -> Result<()> {
        self.views.iter().try_for_each(|view| match view {
            View::Memory(_) => Ok(()),
            View::File(file) => file.check_unchanged(),
        })
    }

    /// Training rows of each class.
    pub(super) fn rows_of_class(&self) -> Vec<Vec<u32>> {
        let mut rows = vec![Vec::new(); self.counts.n_classes()];
        for (row, &label) in self.labels.iter().enumerate() {
            rows[label as usize].push(row as u32);
        }
        rows
    }

    /// The half that each scored sample is in, for a seed.
    pub(super) fn halves(&self, seed: u64) -> Option<PerSet<Vec<u8>>> {
        self.scored.as_ref().map(|sets| sets.as_ref().map(|set| halves(set.labels, seed)))
    }
}

impl<'a> View<'a, f32> {
    fn of(matrix: &'a Matrix) -> Self {
        match matrix {
            Matrix::Memory(array) => Self::Memory(flat(array.view())),
            Matrix::File(file) => Self::File(file),
        }
    }
}

impl<'a> ScoredSet<'a, f32> {
    fn of(features: &'a Features) -> Result<Self> {
        let mirror = features.mirror.as_ref().map(Matrix::in_memory).transpose()?;
        Ok(Self {
            features: flat(features.plain.in_memory()?),
            mirror: mirror.map(flat),
            labels: &features.labels,
        })
    }
}

fn flat(array: ArrayView2<'_, f32>) -> Cow<'_, [f32]> {
    array.to_slice().map_or_else(|| Cow::Owned(array.iter().copied().collect()), Cow::Borrowed)
}

/// A problem as some heads see it: features transformed or divided by their L2 norm, and each
/// scored set packed.
pub(super) struct Seen<'a, R: Real> {
    pub(super) problem: &'a Problem<'a, R>,
    pub(super) normalised: bool,
    /// What is done to the training features; scored sets stay as they are.
    transform: Option<Transform<R>>,
    /// The stage-1 head on the features as they are seen.
    pub(super) stage_1: Option<Head>,
    /// The head of the class means, once a trial starts from it.
    class_means: Option<Head>,
    pub(super) scored: Option<Arc<PerSet<ScoringRows<R>>>>,
}

impl<'a, R: Real> Seen<'a, R> {
    pub(super) fn new(problem: &'a Problem<'a, R>, normalised: bool) -> Self {
        let pack = |set: &ScoredSet<'_, R>| {
            ScoringRows::new(&set.features, set.mirror.as_deref(), problem.dim, normalised)
        };
        let scored = problem.scored.as_ref().map(|sets| Arc::new(sets.as_ref().map(pack)));
        let stage_1 = problem.stage_1.cloned();
        Self { problem, normalised, transform: None, stage_1, class_means: None, scored }
    }

    /// The same features conditioned in another way, with the scored sets shared.
    pub(super) fn conditioned(&self, conditioning: Conditioning) -> Result<Self> {
        let transform = Transform::new(conditioning, self)?;
        let mut stage_1 = self.stage_1.clone();
        if let (Some(transform), Some(head)) = (&transform, &mut stage_1) {
            transform.unfold(head);
        }
        let (problem, normalised) = (self.problem, self.normalised);
        let scored = self.scored.clone();
        Ok(Self { problem, normalised, transform, stage_1, class_means: None, scored })
    }

    /// Prepares starts from the class means.
    pub(super) fn find_class_means(&mut self) -> Result<()> {
        if self.class_means.is_some() {
            return Ok(());
        }
        let mut head = Head::zeros(self.problem.counts.n_classes(), self.problem.dim);
        let mut totals = Array1::<f64>::zeros(head.n_classes());
        self.each_row(|row, values| {
            let (class, weight) = (self.problem.labels[row] as usize, self.problem.weights[row]);
            totals[class] += weight;
            for (sum, value) in head.weight.row_mut(class).iter_mut().zip(values) {
                *sum += weight * value.to_f64();
            }
        })?;
        head.weight /= &totals.insert_axis(Axis(1));
        head.bias = head.weight.rows().into_iter().map(|mean| -0.5 * mean.dot(&mean)).collect();
        self.class_means = Some(head);
        Ok(())
    }

    /// The head at which a trial starts, on the features as they are seen.
    pub(super) fn start(&self, trial: &Trial) -> Head {
        let Recipe { start, head, .. } = trial.recipe;
        let known = if start == Start::ClassMeans { &self.class_means } else { &self.stage_1 };
        start.head(head, known.as_ref(), trial.seed, self.problem.shape())
    }

    /// Makes a head on the features as they are seen one on the features as they are.
    pub(super) fn fold(&self, head: &mut Head) {
        if let Some(transform) = &self.transform {
            transform.fold(head);
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
