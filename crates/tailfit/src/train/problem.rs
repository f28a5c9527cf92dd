//! What is trained on, and what is scored, in the number type trained in.

use ndarray::{Array2, ArrayView2};
use std::borrow::Cow;

use super::solve::{Known, NOTHING};
use crate::class_counts::ClassCounts;
use crate::error::Result;
use crate::features::{DataSet, Features, FileMatrix, Matrix};
use crate::groups::Groups;
use crate::head::Head;
use crate::losses::{Draw, Samples};
use crate::metrics::{PerSet, halves};
use crate::numbers::Real;

/// How far a norm may be from 1, and how many rows are looked at.
const UNIT: f64 = 0.01;
const SOME_ROWS: usize = 1000;

/// Frozen features and labels of the training set, the stage-1 head, and the sets to score.
#[derive(Clone)]
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
    /// A vector of norm 1 for each class, `[K, D]`, if there are any.
    pub class_vectors: Option<&'a Array2<f64>>,
    /// What solvers know from earlier trials on it.
    pub known: &'a Known,
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
    /// The groups that halves keep together.
    pub groups: Option<&'a Groups>,
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
            class_vectors: data.class_vectors.as_ref(),
            known: &NOTHING,
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
            groups: set.groups,
        };
        let Self { dim, labels, counts, stage_1, class_vectors, .. } = *self;
        Problem {
            views: self.views.iter().map(view).collect(),
            dim,
            labels,
            weights: self.weights.clone(),
            counts,
            stage_1,
            class_vectors,
            known: &NOTHING,
            scored: self.scored.as_ref().map(|sets| sets.as_ref().map(set)),
        }
    }
}

impl<R: Real> Problem<'_, R> {
    /// Whether features have norm 1, going by the first of them.
    pub(super) fn has_unit_norms(&self) -> Result<bool> {
        let norm = |row: &[R]| row.iter().map(|v| v.to_f64().powi(2)).sum::<f64>().sqrt();
        let is_one = |row: &[R]| (norm(row) - 1.0).abs() < UNIT;
        let n = self.labels.len().min(SOME_ROWS);
        Ok(match &self.views[0] {
            View::Memory(values) => values[..n * self.dim].chunks_exact(self.dim).all(is_one),
            View::File(file) => {
                let (mut all, mut values) = (true, Vec::new());
                file.gather(0..n, |row| {
                    values.clear();
                    values.extend(row.iter().map(|&v| R::from_f64(v.into())));
                    all &= is_one(&values);
                })?;
                all
            }
        })
    }

    /// Classes and weights of the training samples.
    pub(super) fn samples(&self) -> Samples<'_> {
        Samples { labels: self.labels, weights: &self.weights, draw: Draw::default() }
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
        self.scored
            .as_ref()
            .map(|sets| sets.as_ref().map(|set| halves(set.labels, set.groups, seed)))
    }
}

impl<R: Real> View<'_, R> {
    /// Reads samples of `dim` features into `out`, `[B, D]`.
    pub(super) fn gather(
        &self,
        rows: impl ExactSizeIterator<Item = usize>,
        dim: usize,
        out: &mut Vec<R>,
    ) -> Result<()> {
        out.clear();
        out.reserve(rows.len() * dim);
        match self {
            Self::Memory(values) => {
                for row in rows {
                    out.extend_from_slice(&values[row * dim..][..dim]);
                }
                Ok(())
            }
            Self::File(file) => {
                file.gather(rows, |row| out.extend(row.iter().map(|&v| R::from_f64(v.into()))))
            }
        }
    }
}

impl<'a> View<'a, f32> {
    fn of(matrix: &'a Matrix) -> Self {
        match matrix {
            Matrix::Memory(array) => Self::Memory(flat(array.view())),
            Matrix::Shared(array, _) => Self::Memory(flat(array.view())),
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
            groups: features.groups.as_ref(),
        })
    }
}

fn flat(array: ArrayView2<'_, f32>) -> Cow<'_, [f32]> {
    array.to_slice().map_or_else(|| Cow::Owned(array.iter().copied().collect()), Cow::Borrowed)
}
