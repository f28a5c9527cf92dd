//! What is trained on, and what is scored.

use std::borrow::Cow;

use crate::class_counts::ClassCounts;
use crate::error::Result;
use crate::features::FileMatrix;
use crate::head::Head;
use crate::kernels::Samples;
use crate::real::Real;
use crate::rng::{Purpose, Rng};

/// Frozen features and labels of the training set, the stage-1 head, and the sets
/// scored after every epoch.
#[derive(Clone, Debug)]
pub struct Problem<'a, R: Real> {
    /// One or more views of the training features, each `[N, D]` row-major; epoch e
    /// trains on view e mod V.
    pub views: Vec<View<'a, R>>,
    /// D.
    pub dim: usize,
    /// Class of each training sample, `[N]`.
    pub labels: &'a [u32],
    /// Training samples per class.
    pub counts: &'a ClassCounts,
    /// The stage-1 head, if there is one.
    pub stage_1: Option<&'a Head>,
    /// Sets scored after every epoch.
    pub scored: Vec<ScoredSet<'a, R>>,
}

/// Training features, `[N, D]` row-major.
#[derive(Clone, Debug)]
pub enum View<'a, R: Real> {
    /// In memory.
    Memory(Cow<'a, [R]>),
    /// In a file, read row by row.
    File(&'a FileMatrix),
}

/// Features scored after every epoch.
#[derive(Clone, Debug)]
pub struct ScoredSet<'a, R: Real> {
    /// `[N, D]` row-major.
    pub features: Cow<'a, [R]>,
    /// Features of the mirrored images, `[N, D]`; logits are averaged over both.
    pub mirror: Option<Cow<'a, [R]>>,
    /// Class of each sample, `[N]`.
    pub labels: &'a [u32],
    /// Whether hits are counted per half of [`folds`].
    pub halves: bool,
}

impl<R: Real> Problem<'_, R> {
    /// Rows of each class.
    pub(super) fn rows_of_class(&self) -> Vec<Vec<u32>> {
        let mut rows = vec![Vec::new(); self.counts.n_classes()];
        for (row, &label) in self.labels.iter().enumerate() {
            rows[label as usize].push(row as u32);
        }
        rows
    }
}

/// A problem as one kind of head sees it: features divided by their L2 norm for a cosine head,
/// and each scored set as one packed matrix. A head is linear in what it sees, so the mean of
/// plain and mirrored features gives the mean of their logits.
pub(super) struct Seen<'a, R: Real> {
    pub(super) problem: &'a Problem<'a, R>,
    pub(super) normalised: bool,
    pub(super) scored: Vec<Samples<R>>,
}

impl<'a, R: Real> Seen<'a, R> {
    pub(super) fn new(problem: &'a Problem<'a, R>, normalised: bool) -> Self {
        let dim = problem.dim;
        let scored = |set: &ScoredSet<'_, R>| {
            let mut features = set.features.to_vec();
            let mut mirror = set.mirror.as_ref().map(|mirror| mirror.to_vec());
            if normalised {
                normalise(&mut features, dim);
                if let Some(mirror) = &mut mirror {
                    normalise(mirror, dim);
                }
            }
            let half = R::from_f64(0.5);
            for (a, b) in features.iter_mut().zip(mirror.into_iter().flatten()) {
                *a = (*a + b) * half;
            }
            Samples::new(&features, dim)
        };
        Self { problem, normalised, scored: problem.scored.iter().map(scored).collect() }
    }

    /// Samples `rows` of view number `view`, `[B, D]`.
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
        if self.normalised {
            normalise(out, dim);
        }
        Ok(())
    }
}

/// Divides every row by its L2 norm.
fn normalise<R: Real>(rows: &mut [R], dim: usize) {
    for row in rows.chunks_exact_mut(dim) {
        let square = row.iter().fold(R::ZERO, |sum, &v| sum + v * v);
        let norm = square.sqrt().larger(R::from_f64(1e-12));
        for value in row {
            *value = *value / norm;
        }
    }
}

/// The half (0 or 1) each sample is in: per class, a shuffled half each; an odd sample
/// goes to a half by turns. A function of labels and seed alone.
pub fn folds(labels: &[u32], seed: u64) -> Vec<u8> {
    let n_classes = labels.iter().max().map_or(0, |&max| max as usize + 1);
    let mut rows: Vec<Vec<usize>> = vec![Vec::new(); n_classes];
    for (row, &label) in labels.iter().enumerate() {
        rows[label as usize].push(row);
    }
    let mut halves = vec![0; labels.len()];
    let mut rng = Rng::new(seed, Purpose::Folds, 0);
    let mut turn = 0;
    for class in &mut rows {
        rng.shuffle(class);
        for row in class.iter() {
            halves[*row] = turn;
            turn = 1 - turn;
        }
    }
    halves
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn halves_are_stratified_and_follow_the_seed() {
        let labels: Vec<u32> = (0..103).map(|i| i % 10).collect();
        let halves = folds(&labels, 3);
        assert_eq!(halves, folds(&labels, 3));
        assert_ne!(halves, folds(&labels, 4));
        for class in 0..10 {
            let members: Vec<u8> =
                (0..103).filter(|&i| labels[i] == class).map(|i| halves[i]).collect();
            let ones: usize = members.iter().map(|&h| usize::from(h)).sum();
            assert!(ones.abs_diff(members.len() - ones) <= 1);
        }
        let ones: usize = halves.iter().map(|&h| usize::from(h)).sum();
        assert!(ones.abs_diff(51) <= 1);
    }
}
