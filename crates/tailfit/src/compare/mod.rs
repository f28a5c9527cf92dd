//! One method on one data set: train the grid for every seed, select, and re-train the
//! selected trials to get their heads.

mod beyond;
mod choice;
mod chosen;
mod data_record;
mod effort;
mod folds;
mod record;
mod replay;
mod scores;
mod search;
mod seed_run;
mod select;

use std::sync::atomic::AtomicBool;

use rayon::prelude::*;

pub use self::choice::{Choice, Criterion, Pick};
use self::chosen::{Chosen, HeadKey};
pub use self::data_record::DataRecord;
pub use self::effort::Effort;
use self::folds::Fold;
pub use self::record::{Claim, FORMAT, HeadRecord, RunRecord, SelectionRecord, head_sha256};
pub use self::replay::replay;
pub use self::scores::score;
use self::search::{HEAD_MEMORY, KNOWN};
use self::seed_run::SeedRun;
pub use self::select::{Rule, Selection};
use crate::error::{Error, Result};
use crate::features::{DataSet, Features};
use crate::groups::Groups;
use crate::head::Head;
use crate::kernels::Precision;
use crate::methods::Method;
use crate::metrics::{Accuracy, ClassTally, PerSet, halves};
use crate::recipe::Recipe;
use crate::train::{Known, NEVER};

/// What all methods of a comparison share.
pub struct Comparison<'a> {
    data: &'a DataSet,
    record: DataRecord,
    selection: Selection,
    seeds: Vec<u64>,
    precision: Precision,
    effort: Effort,
    /// Folds of the training set, for a rule that wants them.
    folds: Vec<Fold>,
    /// What solvers know of the data.
    known: Known,
    stop: &'a AtomicBool,
    /// Bytes that the heads of a search may take.
    head_memory: usize,
}

/// The results of one method.
pub struct MethodResult {
    /// One record per seed.
    pub records: Vec<RunRecord>,
    /// The head to use: that of the first seed, chosen on all held-out samples.
    pub head: Head,
    /// The record of `head`; with [`Selection::CrossFitted`] its scores are optimistic, and marked
    /// as such.
    pub head_record: RunRecord,
    /// Every epoch of every trial.
    pub curves: Vec<Curve>,
}

/// Accuracy of one trial on the whole test set over the epochs.
pub struct Curve {
    /// Index in the method's grid.
    pub trial: usize,
    /// The seed.
    pub seed: u64,
    /// The trial's recipe.
    pub recipe: Recipe,
    /// Mean training loss of each epoch.
    pub train_loss: Vec<f64>,
    /// Accuracy after each epoch, starting with epoch 0.
    pub accuracy: Vec<Accuracy>,
}

impl<'a> Comparison<'a> {
    /// Prepares a comparison over the given seeds.
    ///
    /// # Errors
    ///
    /// If there are no seeds, the rule needs a validation set and there is none or folds of features
    /// that are left in their file, or such features can no longer be read.
    pub fn new(data: &'a DataSet, selection: Selection, seeds: Vec<u64>) -> Result<Self> {
        Self::new_until(data, selection, seeds, &NEVER)
    }

    /// As [`Comparison::new`], ended soon once `stop` is set: this and [`Comparison::run`] then fail with
    /// [`Error::Stopped`].
    ///
    /// # Errors
    ///
    /// As for [`Comparison::new`], and if it was stopped.
    pub fn new_until(
        data: &'a DataSet,
        selection: Selection,
        seeds: Vec<u64>,
        stop: &'a AtomicBool,
    ) -> Result<Self> {
        if seeds.is_empty() {
            return Err(Error::usage("seeds", "at least 1", 0, ""));
        }
        if selection.rule().wants_validation() && data.validation.is_none() {
            return Err(Error::usage(
                format!("selection `{}`", selection.rule().name),
                "a validation set",
                "none",
                "give one, or select `cross-fitted`",
            )
            .answered_by("val"));
        }
        let groups = data.test.groups.as_ref().map_or(2, Groups::n_groups);
        if selection.rule().choices.len() > 1 && groups < 2 {
            let expected = "at least two groups of test samples, one for each half";
            let remedy = "give a validation set, or leave the groups out";
            let place = format!("selection `{}`", selection.rule().name);
            return Err(Error::usage(place, expected, groups, remedy));
        }
        let (record, precision) = (DataRecord::of(data)?, Precision::F32);
        let folds = if selection.rule().folds { folds::folds(data, stop)? } else { vec![] };
        let effort = Effort::Full;
        let (known, head_memory) = (Known::new(KNOWN), HEAD_MEMORY);
        Ok(Self {
            data,
            record,
            selection,
            seeds,
            precision,
            effort,
            folds,
            known,
            stop,
            head_memory,
        })
    }

    /// The same comparison at another precision than f32.
    #[must_use]
    pub fn with_precision(self, precision: Precision) -> Self {
        Self { precision, ..self }
    }

    /// The same comparison with another effort than [`Effort::Full`].
    #[must_use]
    pub fn with_effort(self, effort: Effort) -> Self {
        Self { effort, ..self }
    }

    /// What records say about the data.
    pub fn data_record(&self) -> &DataRecord {
        &self.record
    }

    /// The recipes to try: the grid, or only the default if nothing is chosen.
    fn recipes(&self, method: &Method) -> Result<Vec<Recipe>> {
        if self.selection.rule().searches() {
            self.effort.searched(method).grid()
        } else {
            Ok(vec![method.recipe.clone()])
        }
    }

    /// Approximate number of head-epochs that [`Comparison::run`] will report for a method; the search
    /// for an optimum counts for as many as take that long.
    ///
    /// # Errors
    ///
    /// If the method's grid is invalid.
    pub fn work(&self, method: &Method) -> Result<usize> {
        let recipes = self.recipes(method)?;
        Ok(self.head_epochs(&recipes) * self.seeds.len() * (1 + self.folds.len()))
    }

    /// Trains, selects, and trains the selected trials again; `progress` is called with the number
    /// of head-epochs just completed.
    ///
    /// # Errors
    ///
    /// If the method does not suit the data (see [`train`](crate::train::train)), or it was stopped.
    ///
    /// # Panics
    ///
    /// If a selected trial does not repeat bit for bit, which would be a bug in this program.
    pub fn run(&self, method: &Method, progress: &(dyn Fn(usize) + Sync)) -> Result<MethodResult> {
        let mut recipes = self.recipes(method)?;
        let runs = self.train(&self.effort.searched(method), &mut recipes, progress)?;
        let rule = self.selection.rule();
        let to_use = if runs[0].has_one_head() { Choice::NONE } else { rule.head };
        let to_use = Chosen::new(&runs[0], &recipes, to_use)?;
        let by_seed: Vec<Vec<Chosen<'_>>> =
            runs.iter().map(|run| self.choose(run, &recipes)).collect::<Result<_>>()?;
        let heads = self.replay(&recipes, by_seed.iter().flatten().chain([&to_use]))?;
        let record = |chosen: &[Chosen<'_>]| self.record_of(method, &recipes, chosen, &heads);
        Ok(MethodResult {
            records: by_seed.par_iter().map(|chosen| record(chosen)).collect::<Result<_>>()?,
            head: heads[&to_use.key()].clone(),
            head_record: record(std::slice::from_ref(&to_use))?,
            curves: runs.iter().flat_map(|run| self.curves(&recipes, run)).collect(),
        })
    }

    /// What the rule chooses for a seed; where there is only one head to choose from, nothing is
    /// chosen, and it scores the whole test set.
    fn choose<'b>(&self, run: &'b SeedRun, recipes: &[Recipe]) -> Result<Vec<Chosen<'b>>> {
        if run.has_one_head() {
            return Ok(vec![Chosen::new(run, recipes, Choice::NONE)?]);
        }
        let choices = self.selection.rule().choices.iter();
        choices.map(|&choice| Chosen::new(run, recipes, choice)).collect()
    }

    /// Samples of the scored sets, by class and by the halves of a seed.
    fn samples(&self, seed: u64) -> PerSet<ClassTally> {
        let k = self.data.counts.n_classes();
        let of = |labels: &[u32], groups: Option<&Groups>| {
            ClassTally::of(labels, &halves(labels, groups, seed), k)
        };
        let of_set = |set: &Features| of(&set.labels, set.groups.as_ref());
        PerSet {
            test: of_set(&self.data.test),
            validation: if self.folds.is_empty() {
                self.data.validation.as_ref().map(of_set)
            } else {
                Some(of(&self.labels_in_folds(), None))
            },
        }
    }
}
