//! One method on one data set: train the grid for every seed, select, and train the
//! selected trials again to get their heads.

use rayon::prelude::*;

use crate::data_set::{DataRecord, DataSet};
use crate::error::{Error, Result};
use crate::head::Head;
use crate::kernels::instruction_set;
use crate::methods::Method;
use crate::metrics::{Accuracy, EvaluationSet, evaluate};
use crate::precision::Precision;
use crate::recipe::Recipe;
use crate::record::{Claim, FORMAT, RunRecord, SelectionRecord, head_sha256};
use crate::select::{Part, Pick, Samples, Selection, TEST, VALIDATION, best, picks};
use crate::train::{Hits, Outcome, Problem, Run, Trial, folds, train};

/// What is the same for all methods of a comparison.
pub struct Comparison<'a> {
    data: &'a DataSet,
    record: DataRecord,
    problem: Problem<'a, f32>,
    selection: Selection,
    seeds: Vec<u64>,
    precision: Precision,
}

/// What one method came to.
pub struct MethodResult {
    /// One record per seed, or two with [`Selection::CrossFitted`].
    pub records: Vec<RunRecord>,
    /// The head to use: of the first seed, chosen on all held-out samples.
    pub head: Head,
    /// Its record; with [`Selection::CrossFitted`] its scores are optimistic and marked.
    pub head_record: RunRecord,
    /// Every epoch of every trial.
    pub curves: Vec<Curve>,
}

/// Accuracies of one trial on the whole test set after each epoch, from 0.
pub struct Curve {
    /// Index in the method's grid.
    pub trial: usize,
    /// Seed.
    pub seed: u64,
    /// What was done.
    pub recipe: Recipe,
    /// Mean training loss of each epoch.
    pub train_loss: Vec<f64>,
    /// After each epoch.
    pub accuracy: Vec<Accuracy>,
}

impl<'a> Comparison<'a> {
    /// Prepares a comparison over the given seeds.
    ///
    /// # Errors
    ///
    /// If there are no seeds, selection by validation without a validation set, or features left
    /// in their file cannot be read any more.
    pub fn new(data: &'a DataSet, selection: Selection, seeds: Vec<u64>) -> Result<Self> {
        if seeds.is_empty() {
            return Err(Error::usage("seeds", "at least 1", 0, ""));
        }
        if selection == Selection::Validation && data.validation.is_none() {
            return Err(Error::usage(
                "selection `validation`",
                "a validation set",
                "none",
                "give --val, or select `cross-fitted`",
            ));
        }
        let problem = data.problem(selection == Selection::CrossFitted)?;
        let precision = Precision::F32;
        Ok(Self { data, record: data.record()?, problem, selection, seeds, precision })
    }

    /// The same in other numbers than f32.
    #[must_use]
    pub fn with_precision(self, precision: Precision) -> Self {
        Self { precision, ..self }
    }

    /// What records say of the data.
    pub fn data_record(&self) -> &DataRecord {
        &self.record
    }

    /// Recipes tried: the grid, or the default alone with [`Selection::Last`].
    fn recipes(&self, method: &Method) -> Result<Vec<Recipe>> {
        if self.selection == Selection::Last {
            Ok(vec![method.recipe.clone()])
        } else {
            method.grid()
        }
    }

    /// Head-epochs that [`Comparison::run`] will report for a method, about.
    ///
    /// # Errors
    ///
    /// If the method's grid is invalid.
    pub fn work(&self, method: &Method) -> Result<usize> {
        let recipes = self.recipes(method)?;
        Ok(recipes.iter().map(|recipe| recipe.epochs.max(1)).sum::<usize>() * self.seeds.len())
    }

    /// Trains, selects and trains the selected again; `progress` is told the number of
    /// head-epochs done as they are done.
    ///
    /// # Errors
    ///
    /// If the method does not suit the data (see [`train`]).
    ///
    /// # Panics
    ///
    /// If a selected trial does not repeat bit for bit, which would be a fault of this
    /// program.
    pub fn run(&self, method: &Method, progress: &(dyn Fn(usize) + Sync)) -> Result<MethodResult> {
        let recipes = self.recipes(method)?;
        let trial =
            |seed, recipe: &Recipe| Trial { recipe: recipe.clone(), seed, stop_after: None };
        let trials: Vec<Trial> = self
            .seeds
            .iter()
            .flat_map(|&seed| recipes.iter().map(move |r| trial(seed, r)))
            .collect();
        let every = Run { progress, score_every_epoch: true, precision: self.precision };
        let outcomes = train(&self.problem, &trials, &every)?;

        let mut chosen = Vec::new();
        for (&seed, outcomes) in self.seeds.iter().zip(outcomes.chunks(recipes.len())) {
            let samples = self.data.samples(seed);
            let mut picks = picks(outcomes, self.selection, &samples);
            if seed == self.seeds[0] {
                picks.insert(0, self.final_pick(outcomes, &samples));
            }
            chosen.extend(picks.into_iter().map(|pick| (seed, pick, outcomes, samples.clone())));
        }
        let heads = self.replay(&recipes, &chosen)?;
        let records = chosen
            .par_iter()
            .zip(&heads)
            .map(|((seed, pick, outcomes, samples), head)| {
                self.record_of(method, &recipes, (*seed, *pick), outcomes, samples, head)
            })
            .collect::<Result<Vec<RunRecord>>>()?;
        let mut records = records.into_iter();
        let mut head_record = records.next().expect("one seed at least");
        head_record.selection.optimistic |= self.selection == Selection::CrossFitted;
        Ok(MethodResult {
            records: records.collect(),
            head: heads.into_iter().next().expect("one seed at least"),
            head_record,
            curves: self.curves(&trials, &outcomes, recipes.len()),
        })
    }

    /// What the head for use is chosen by: everything held out.
    fn final_pick(&self, outcomes: &[Outcome], samples: &[Samples]) -> Pick {
        let (trial, epoch) = match self.selection {
            Selection::Last => (0, outcomes[0].hits.len() - 1),
            Selection::Validation => best(outcomes, VALIDATION, Part::All, samples),
            Selection::CrossFitted | Selection::BestOnTest => {
                best(outcomes, TEST, Part::All, samples)
            }
        };
        Pick { trial, epoch, scored_on: Part::All }
    }

    /// Trains the chosen trials again, up to the chosen epochs: cheaper than keeping the
    /// weights of every epoch, and a check that a record can be replayed.
    fn replay(
        &self,
        recipes: &[Recipe],
        chosen: &[(u64, Pick, &[Outcome], Vec<Samples>)],
    ) -> Result<Vec<Head>> {
        // The two halves and the whole often choose the same trial.
        let key =
            |index: &usize| (chosen[*index].0, chosen[*index].1.trial, chosen[*index].1.epoch);
        let first_like =
            |index: usize| (0..index).find(|other| key(other) == key(&index)).unwrap_or(index);
        let distinct: Vec<usize> = (0..chosen.len()).filter(|&i| first_like(i) == i).collect();
        let trial = |&index: &usize| {
            let (seed, trial, epoch) = key(&index);
            Trial { recipe: recipes[trial].clone(), seed, stop_after: Some(epoch) }
        };
        let trials: Vec<Trial> = distinct.iter().map(trial).collect();
        let precision = self.precision;
        let quiet = Run { score_every_epoch: false, progress: &|_| {}, precision };
        let replayed = train(&self.problem, &trials, &quiet)?;
        for (again, &index) in replayed.iter().zip(&distinct) {
            let (_, pick, outcomes, _) = &chosen[index];
            assert_eq!(
                again.hits.last(),
                Some(&outcomes[pick.trial].hits[pick.epoch]),
                "a replayed trial must repeat bit for bit"
            );
        }
        let head = |index| {
            let place = distinct.iter().position(|&i| i == first_like(index));
            replayed[place.expect("the first of its like is distinct")].head.clone()
        };
        Ok((0..chosen.len()).map(head).collect())
    }

    fn accuracy(&self, hits: &Hits, part: Part, samples: &Samples) -> Accuracy {
        let (hits, samples) = match part.half() {
            None => (hits.total(), &samples.all),
            Some(half) => (hits.by_half[half as usize].clone(), &samples.by_half[half as usize]),
        };
        Accuracy::new(&hits, samples, &self.data.counts, self.data.thresholds)
    }

    fn record_of(
        &self,
        method: &Method,
        recipes: &[Recipe],
        (seed, pick): (u64, Pick),
        outcomes: &[Outcome],
        samples: &[Samples],
        head: &Head,
    ) -> Result<RunRecord> {
        let rows = test_rows(&self.data.test.labels, seed, pick.scored_on);
        let set = EvaluationSet { rows: rows.as_deref(), ..self.data.test.evaluation_set()? };
        let path = &outcomes[pick.trial].hits;
        let (trial, epoch) = best(outcomes, TEST, Part::All, samples);
        let claim = self.accuracy(&outcomes[trial].hits[epoch][TEST], Part::All, &samples[TEST]);
        Ok(RunRecord {
            format: FORMAT,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            instruction_set: instruction_set().to_owned(),
            solution: outcomes[pick.trial].solution,
            precision: self.precision,
            data: self.record.clone(),
            method: method.name.clone(),
            recipe: recipes[pick.trial].clone(),
            seed,
            epoch: pick.epoch,
            selection: SelectionRecord {
                rule: self.selection,
                n_trials: recipes.len(),
                scored_on: pick.scored_on,
                optimistic: self.selection == Selection::BestOnTest,
            },
            evaluation: evaluate(head, &set, &self.data.counts, self.data.thresholds),
            epochs: path
                .iter()
                .map(|sets| self.accuracy(&sets[TEST], pick.scored_on, &samples[TEST]))
                .collect(),
            best_on_test: Claim { accuracy: claim, epoch },
            head_sha256: head_sha256(head),
        })
    }

    fn curves(&self, trials: &[Trial], outcomes: &[Outcome], n_recipes: usize) -> Vec<Curve> {
        let samples = &self.data.samples(0)[TEST];
        let curve = |(i, (trial, outcome)): (usize, (&Trial, &Outcome))| Curve {
            trial: i % n_recipes,
            seed: trial.seed,
            recipe: trial.recipe.clone(),
            train_loss: outcome.train_loss.clone(),
            accuracy: outcome
                .hits
                .iter()
                .map(|sets| self.accuracy(&sets[TEST], Part::All, samples))
                .collect(),
        };
        trials.iter().zip(outcomes).enumerate().map(curve).collect()
    }
}

/// Rows of a part of the test set, or `None` for all.
pub fn test_rows(labels: &[u32], seed: u64, part: Part) -> Option<Vec<usize>> {
    let half = part.half()?;
    let halves = folds(labels, seed);
    Some((0..labels.len()).filter(|&row| halves[row] == half).collect())
}
