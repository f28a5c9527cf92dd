//! What was chosen, and its heads.

use std::collections::BTreeMap;

use super::{Choice, Comparison, Criterion, Pick, SeedRun};
use crate::error::{Result, diverged};
use crate::head::Head;
use crate::recipe::Recipe;
use crate::train::{Options, Outcome, Trial, train_knowing};

/// What identifies a head: seed, trial and epoch.
pub(super) type HeadKey = (u64, usize, usize);

/// A trial and an epoch chosen for a seed.
pub(super) struct Chosen<'a> {
    pub(super) run: &'a SeedRun,
    pub(super) pick: Pick,
}

impl<'a> Chosen<'a> {
    pub(super) fn new(run: &'a SeedRun, recipes: &[Recipe], choice: Choice) -> Result<Self> {
        let pick = run.pick(choice, recipes).ok_or_else(diverged)?;
        Ok(Self { run, pick })
    }

    /// Macro accuracy on the validation set, if there is one, at the chosen epoch.
    pub(super) fn validation_percent(&self) -> Option<f64> {
        let hits = &self.outcome().hits[self.pick.epoch];
        let there = self.run.samples.validation.is_some();
        there.then(|| Criterion::Validation.value(hits, &self.run.samples))
    }

    pub(super) fn outcome(&self) -> &'a Outcome {
        &self.run.outcomes[self.pick.trial]
    }

    pub(super) fn key(&self) -> HeadKey {
        (self.run.seed, self.pick.trial, self.pick.epoch)
    }
}

impl Comparison<'_> {
    /// The heads of the chosen trials at the chosen epochs. Where that is not the last, the trial is
    /// trained again: this is cheaper than keeping the weights of every epoch, and checks that a
    /// record can be replayed. The two halves and the whole set often choose the same trial, which
    /// is then trained only once.
    pub(super) fn replay<'b>(
        &self,
        recipes: &[Recipe],
        chosen: impl Iterator<Item = &'b Chosen<'b>>,
    ) -> Result<BTreeMap<HeadKey, Head>> {
        let mut heads = BTreeMap::new();
        let mut distinct: BTreeMap<HeadKey, &Chosen<'_>> = BTreeMap::new();
        for chosen in chosen {
            let outcome = chosen.outcome();
            if chosen.pick.epoch + 1 == outcome.hits.len() && outcome.head.n_classes() > 0 {
                heads.insert(chosen.key(), outcome.head.clone());
            } else {
                distinct.insert(chosen.key(), chosen);
            }
        }
        let trial = |&(seed, trial, epoch): &HeadKey| Trial {
            recipe: recipes[trial].clone(),
            seed,
            stop_after: Some(epoch),
        };
        let trials: Vec<Trial> = distinct.keys().map(trial).collect();
        let options = Options {
            score_every_epoch: false,
            precision: self.precision,
            stop: self.stop,
            ..Options::default()
        };
        let replayed = train_knowing(self.data, &self.known, &trials, &options)?;
        for (again, chosen) in replayed.iter().zip(distinct.values()) {
            assert_eq!(
                again.hits.last().map(|hits| &hits.test),
                Some(&chosen.outcome().hits[chosen.pick.epoch].test),
                "a replayed trial must repeat bit for bit"
            );
        }
        heads.extend(distinct.into_keys().zip(replayed.into_iter().map(|again| again.head)));
        if heads.values().all(Head::is_finite) { Ok(heads) } else { Err(diverged()) }
    }
}
