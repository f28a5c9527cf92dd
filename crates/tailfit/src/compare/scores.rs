//! From what was chosen to records: every test sample is scored once, by the head chosen for it.

use std::collections::BTreeMap;

use super::{
    Choice, Chosen, Claim, Comparison, Criterion, Curve, FORMAT, HeadKey, HeadRecord, RunRecord,
    SeedRun, SelectionRecord, head_sha256,
};
use crate::error::{Error, Result};
use crate::features::DataSet;
use crate::head::Head;
use crate::kernels::instruction_set;
use crate::methods::Method;
use crate::metrics::{
    Accuracy, ClassTally, Evaluation, EvaluationSet, TestPart, evaluate, evaluate_halves, halves,
};
use crate::recipe::Recipe;
use crate::train::Outcome;

impl Comparison<'_> {
    /// Accuracy on the test set, each sample scored by the head chosen for it, `epoch` epochs from
    /// the start or as many as its trial has.
    fn accuracy_after(&self, chosen: &[Chosen<'_>], epoch: usize) -> Accuracy {
        let samples = &chosen[0].run.samples.test;
        let mut hits = vec![0; self.data.counts.n_classes()];
        for Chosen { run, pick } in chosen {
            let path = &run.outcomes[pick.trial].hits;
            let of_part = path[epoch.min(path.len() - 1)].test.in_part(pick.choice.scored_on);
            hits.iter_mut().zip(of_part).for_each(|(sum, hits)| *sum += hits);
        }
        self.accuracy(&hits, samples)
    }

    fn accuracy(&self, hits: &[u32], samples: &ClassTally) -> Accuracy {
        let samples = samples.in_part(TestPart::All);
        Accuracy::new(hits, &samples, &self.data.counts, self.data.thresholds)
    }

    pub(super) fn record_of(
        &self,
        method: &Method,
        recipes: &[Recipe],
        chosen: &[Chosen<'_>],
        heads: &BTreeMap<HeadKey, Head>,
    ) -> Result<RunRecord> {
        let run = chosen[0].run;
        let everything: Vec<usize> = (0..recipes.len()).collect();
        let claim = Choice::CLAIM.pick(&everything, &run.outcomes, recipes, &run.samples);
        let claim = claim.unwrap_or(chosen[0].pick);
        let claimed = &run.outcomes[claim.trial].hits[claim.epoch].test;
        let last = chosen.iter().map(|one| one.outcome().hits.len() - 1).max().unwrap_or(0);
        let head_record = |one: &Chosen<'_>| HeadRecord {
            scored_on: one.pick.choice.scored_on,
            recipe: recipes[one.pick.trial].clone(),
            epoch: one.pick.epoch,
            solution: one.outcome().solution,
            validation_percent: one.validation_percent(),
            sha256: head_sha256(&heads[&one.key()]),
        };
        let parts = chosen.iter().map(|one| (&heads[&one.key()], one.pick.choice.scored_on));
        Ok(RunRecord {
            format: FORMAT,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            instruction_set: instruction_set().to_owned(),
            precision: self.precision,
            data: self.record.clone(),
            method: method.name.clone(),
            seed: run.seed,
            selection: SelectionRecord {
                rule: self.selection,
                n_trials: run.n_trials,
                n_beyond: run.n_beyond(),
                head_epochs: Some(run.head_epochs),
                effort: self.effort,
                optimistic: chosen.iter().any(|one| {
                    // Validation samples that are test samples too make the choice theirs.
                    let Choice { by, .. } = one.pick.choice;
                    // Where folds choose, such a set has no say.
                    let has_say = self.folds.is_empty() && self.data.validation_in_test > 0;
                    let shared = by == Criterion::Validation && has_say;
                    shared || one.pick.choice.is_optimistic()
                }),
            },
            heads: chosen.iter().map(head_record).collect(),
            evaluation: score(self.data, run.seed, &parts.collect::<Vec<_>>())?,
            epochs: (0..=last).map(|epoch| self.accuracy_after(chosen, epoch)).collect(),
            best_on_test: Some(Claim {
                accuracy: self.accuracy(&claimed.in_part(TestPart::All), &run.samples.test),
                epoch: claim.epoch,
            }),
        })
    }

    pub(super) fn curves(&self, recipes: &[Recipe], run: &SeedRun) -> Vec<Curve> {
        let curve = |(trial, (recipe, outcome)): (usize, (&Recipe, &Outcome))| {
            let path = outcome.hits.iter().map(|hits| hits.test.in_part(TestPart::All));
            Curve {
                trial,
                seed: run.seed,
                recipe: recipe.clone(),
                train_loss: outcome.train_loss.clone(),
                accuracy: path.map(|hits| self.accuracy(&hits, &run.samples.test)).collect(),
            }
        };
        let trained = recipes.iter().zip(&run.outcomes).enumerate();
        trained.filter(|(_, (_, outcome))| !outcome.hits.is_empty()).map(curve).collect()
    }
}

/// Scores heads on the test set, each on its part; the parts make up the whole, halved as `seed`
/// halves it.
///
/// # Errors
///
/// If the parts are neither all of the test set nor its two halves.
pub fn score(data: &DataSet, seed: u64, heads: &[(&Head, TestPart)]) -> Result<Evaluation> {
    let set = EvaluationSet::of(&data.test)?;
    match *heads {
        [(head, TestPart::All)] => Ok(evaluate(head, &set, &data.counts, data.thresholds)),
        [(a, TestPart::HalfA), (b, TestPart::HalfB)]
        | [(b, TestPart::HalfB), (a, TestPart::HalfA)] => {
            let halves = halves(&data.test.labels, data.test.groups.as_ref(), seed);
            Ok(evaluate_halves([a, b], &halves, &set, &data.counts, data.thresholds))
        }
        _ => {
            let parts: Vec<TestPart> = heads.iter().map(|(_, part)| *part).collect();
            let expected = "one head for all of the test set, or one for each half";
            Err(Error::usage("scores", expected, format!("{parts:?}"), ""))
        }
    }
}
