//! Cross-validation on the training set.

use std::sync::atomic::AtomicBool;

use super::Comparison;
use super::search::KNOWN;
use crate::error::{Error, Result};
use crate::features::{DataSet, Features, HeadFile, Matrix};
use crate::groups::Groups;
use crate::metrics::ClassTally;
use crate::rng::{Purpose, Rng};
use crate::train::{Known, Options, Outcome, Trial, train_knowing, train_stage_1_until};

/// Number of folds.
const FOLDS: usize = 5;

/// A fold: samples on which heads are scored that are trained on all the others.
pub(super) struct Fold {
    train: Vec<u32>,
    scored: Vec<u32>,
    /// Trained on the fold's training samples, if the data have such a head at all.
    stage_1: Option<HeadFile>,
    /// What solvers know of it.
    known: Known,
}

/// The fold of each sample, if any. Each class is shuffled and dealt out in turn, so that it is in
/// training in every fold; the only sample of a class is in no fold. Groups, if there are any, are
/// dealt out whole instead, and a group with all samples of a class is in no fold. A function of the
/// labels and the groups alone.
fn fold_of_each(labels: &[u32], groups: Option<&Groups>, n_classes: usize) -> Vec<Option<usize>> {
    if let Some(groups) = groups {
        let shares = [1.0 / FOLDS as f64; FOLDS];
        return groups.deal(labels, &shares, |_| true, &mut Rng::new(0, Purpose::Folds, 1));
    }
    let mut rows: Vec<Vec<usize>> = vec![Vec::new(); n_classes];
    for (row, &label) in labels.iter().enumerate() {
        rows[label as usize].push(row);
    }
    let mut rng = Rng::new(0, Purpose::Folds, 1);
    let (mut folds, mut turn) = (vec![None; labels.len()], 0);
    for class in rows.iter_mut().filter(|class| class.len() > 1) {
        rng.shuffle(class);
        for &row in class.iter() {
            folds[row] = Some(turn);
            turn = (turn + 1) % FOLDS;
        }
    }
    folds
}

/// The same for features, whose samples of weight 0 are as if they were not there: in no fold, and no
/// reason to hold out the others of their class.
fn fold_of_each_counted(train: &Features, n_classes: usize) -> Vec<Option<usize>> {
    let weight = |row: usize| train.weights.as_ref().map_or(1.0, |weights| weights[row]);
    let counted: Vec<usize> = (0..train.len()).filter(|&row| weight(row) > 0.0).collect();
    let labels: Vec<u32> = counted.iter().map(|&row| train.labels[row]).collect();
    let groups = train.groups.as_ref().map(|groups| groups.select(counted.iter().copied()));
    let mut folds = vec![None; train.len()];
    for (row, fold) in counted.into_iter().zip(fold_of_each(&labels, groups.as_ref(), n_classes)) {
        folds[row] = fold;
    }
    folds
}

/// The folds of a data set's training samples.
pub(super) fn folds(data: &DataSet, stop: &AtomicBool) -> Result<Vec<Fold>> {
    if matches!(data.train.plain, Matrix::File(_)) {
        let remedy = "raise the memory limit, load them, or give a validation set";
        let expected = "training features in memory, which are cut into folds";
        let found = "features left where they are";
        return Err(Error::usage("selection `cross-validated`", expected, found, remedy)
            .answered_by("memory"));
    }
    let fold_of = fold_of_each_counted(&data.train, data.counts.n_classes());
    let fold = |number: usize| {
        let is_scored = |row: &u32| fold_of[*row as usize] == Some(number);
        let (scored, train) = (0..fold_of.len() as u32).partition(is_scored);
        let mut fold = Fold { train, scored, stage_1: None, known: Known::new(KNOWN / FOLDS) };
        if data.stage_1.is_some() {
            let mut own = fold.data_set(data)?;
            train_stage_1_until(&mut own, stop)?;
            fold.stage_1 = own.stage_1;
        }
        Ok(fold)
    };
    let scored = |fold: &Result<Fold>| fold.as_ref().map_or(true, |fold| !fold.scored.is_empty());
    let folds: Vec<Fold> = (0..FOLDS).map(fold).filter(scored).collect::<Result<_>>()?;
    if folds.is_empty() {
        let expected = "a class with at least two training samples, or groups";
        return Err(Error::data("selection `cross-validated`", expected, "none", ""));
    }
    Ok(folds)
}

impl Fold {
    /// The fold as a data set of its own, tested on the samples left out.
    fn data_set(&self, data: &DataSet) -> Result<DataSet> {
        let of = |rows: &[u32]| -> Result<Features> { data.train.select(rows) };
        let (train, test) = (of(&self.train)?, of(&self.scored)?);
        let stage_1 = self.stage_1.clone();
        let fold = DataSet::new(&data.name, train, test, None, stage_1, data.thresholds)?;
        Ok(DataSet { class_vectors: data.class_vectors.clone(), ..fold })
    }
}

impl Comparison<'_> {
    /// Adds to the outcomes of trials what they reach on the samples left out of each fold, as if it
    /// were a validation set; there are no folds unless the rule wants them.
    pub(super) fn cross_validate(
        &self,
        trials: &[Trial],
        outcomes: &mut [Outcome],
        options: &Options<'_>,
    ) -> Result<()> {
        let options = Options { keep_heads: false, ..*options };
        if !self.folds.is_empty() {
            // A validation set that there is besides has no say.
            let hits = outcomes.iter_mut().flat_map(|outcome| &mut outcome.hits);
            hits.for_each(|hits| hits.validation = None);
        }
        for fold in &self.folds {
            let data = fold.data_set(self.data)?;
            let of_fold = train_knowing(&data, &fold.known, trials, &options)?;
            for (outcome, of_fold) in outcomes.iter_mut().zip(of_fold) {
                for (hits, of_fold) in outcome.hits.iter_mut().zip(of_fold.hits) {
                    let empty = || ClassTally::new(self.data.counts.n_classes());
                    hits.validation.get_or_insert_with(empty).merge(&of_fold.test);
                }
            }
        }
        Ok(())
    }

    /// The labels of the samples that are in a fold.
    pub(super) fn labels_in_folds(&self) -> Vec<u32> {
        let rows = self.folds.iter().flat_map(|fold| &fold.scored);
        rows.map(|&row| self.data.train.labels[row as usize]).collect()
    }

    /// Number of classes that cross-validation cannot judge, because they have one training sample, or
    /// one group; 0 for other rules.
    pub fn unjudged_classes(&self) -> usize {
        if self.folds.is_empty() {
            return 0;
        }
        let judged: std::collections::BTreeSet<u32> = self.labels_in_folds().into_iter().collect();
        self.data.counts.n_classes() - judged.len()
    }

    /// Number of classes that have samples in some of the folds only; 0 for other rules.
    pub fn thinly_judged_classes(&self) -> usize {
        let mut folds_of = vec![0; self.data.counts.n_classes()];
        for fold in &self.folds {
            let labels = fold.scored.iter().map(|&row| self.data.train.labels[row as usize]);
            for class in labels.collect::<std::collections::BTreeSet<u32>>() {
                folds_of[class as usize] += 1;
            }
        }
        folds_of.iter().filter(|&&n| n > 0 && n < self.folds.len()).count()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_class_stays_in_training_and_every_other_sample_is_scored_once() {
        let labels = [vec![0; 13], vec![1; 2], vec![2]].concat();
        let folds = fold_of_each(&labels, None, 3);
        assert_eq!(folds, fold_of_each(&labels, None, 3));
        let of = |class: u32, fold: usize| {
            let both = labels.iter().zip(&folds);
            both.filter(|(label, of)| **label == class && **of == Some(fold)).count()
        };
        assert!((0..FOLDS).all(|fold| (2..=3).contains(&of(0, fold)) && of(1, fold) <= 1));
        assert_eq!(folds.iter().filter(|fold| fold.is_none()).count(), 1, "the single one");
    }

    /// The one sample of class 1 that counts is never held out, in groups or not.
    #[test]
    fn samples_of_weight_0_are_in_no_fold() {
        let labels = [vec![0; 10], vec![1; 6]].concat();
        let matrix = ndarray::Array2::from_shape_fn((16, 2), |(i, j)| (i + j) as f32);
        let weights = (0..16).map(|i| f64::from(u8::from(i < 11))).collect();
        let features = Features::new(matrix, labels).unwrap().with_weights(weights).unwrap();
        let of_groups = features.clone().with_groups(Groups::new(0..16)).unwrap();
        for features in [features, of_groups] {
            let folds = fold_of_each_counted(&features, 2);
            assert!(folds[..10].iter().all(Option::is_some), "{folds:?}");
            assert!(folds[10..].iter().all(Option::is_none), "{folds:?}");
        }
    }
}
