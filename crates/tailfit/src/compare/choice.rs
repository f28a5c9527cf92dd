//! A choice among trials and epochs.

use crate::metrics::{ClassTally, PerSet, TestPart};
use crate::recipe::Recipe;
use crate::train::Outcome;

/// What a choice is based on, and where the chosen trial is scored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Choice {
    /// What the choice is based on.
    pub by: Criterion,
    /// Part of the test set that the score is taken on.
    pub scored_on: TestPart,
}

/// What determines the trial and the epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Criterion {
    /// Nothing: the first trial, which is the method's default, and its last epoch.
    Default,
    /// Macro accuracy on the validation set.
    Validation,
    /// Macro accuracy on a part of the test set.
    Test(TestPart),
}

use Criterion::{Test, Validation};
use TestPart::All;

pub(super) const fn choice(by: Criterion, scored_on: TestPart) -> Choice {
    Choice { by, scored_on }
}

impl Choice {
    /// Nothing is chosen.
    pub const NONE: Self = choice(Criterion::Default, All);

    /// The best on the whole test set: what papers claim.
    pub const CLAIM: Self = choice(Test(All), All);

    /// Whether any samples it is scored on took part in the choice; such a score is too good.
    pub fn is_optimistic(self) -> bool {
        matches!(self.by, Test(part) if part == All || self.scored_on == All || part == self.scored_on)
    }

    /// Picks among `trials` of one method and seed, with these recipes; `samples` are those of
    /// the scored sets. Ties go to the later epoch (as with the authors' `<=`) and to the first
    /// trial; on a validation set, towards less training: to the earlier epoch, then the smaller
    /// learning rate. Epoch 0 (the start) is a candidate only if nothing is trained. What has
    /// diverged is never picked; `None` if everything has.
    pub fn pick(
        self,
        trials: &[usize],
        outcomes: &[Outcome],
        recipes: &[Recipe],
        samples: &PerSet<ClassTally>,
    ) -> Option<Pick> {
        let pick = |trial, epoch| Pick { trial, epoch, choice: self };
        if self.by == Criterion::Default {
            let last = outcomes[0].hits.len() - 1;
            return (outcomes[0].finite_epochs() == last).then(|| pick(0, last));
        }
        let less_training = self.by == Validation;
        let mut best: Option<(f64, Pick)> = None;
        for &trial in trials.iter().filter(|&&trial| !outcomes[trial].hits.is_empty()) {
            let outcome = &outcomes[trial];
            let first = (outcome.hits.len() - 1).min(1);
            for epoch in first..=outcome.finite_epochs() {
                let value = self.by.value(&outcome.hits[epoch], samples);
                let wins = best.is_none_or(|(best_value, best)| {
                    let tie = if less_training {
                        let rate = |trial: usize| recipes[trial].sgd.lr;
                        (epoch, rate(trial)) < (best.epoch, rate(best.trial))
                    } else {
                        trial == best.trial
                    };
                    value > best_value || (value == best_value && tie)
                });
                if wins {
                    best = Some((value, pick(trial, epoch)));
                }
            }
        }
        best.map(|(_, pick)| pick)
    }
}

impl Criterion {
    /// Macro accuracy in percent, given hits and samples; 0 for [`Criterion::Default`].
    pub fn value(self, hits: &PerSet<ClassTally>, samples: &PerSet<ClassTally>) -> f64 {
        let of = |hits: &ClassTally, samples: &ClassTally, part| {
            let (hits, samples) = (hits.in_part(part), samples.in_part(part));
            let shares = hits.iter().zip(&samples).filter(|(_, n)| **n > 0);
            let sum: f64 = shares.clone().map(|(&hits, &n)| f64::from(hits) / f64::from(n)).sum();
            100.0 * sum / shares.count().max(1) as f64
        };
        match self {
            Self::Default => 0.0,
            Test(part) => of(&hits.test, &samples.test, part),
            Validation => match (&hits.validation, &samples.validation) {
                (Some(hits), Some(samples)) => of(hits, samples, All),
                _ => 0.0,
            },
        }
    }
}

/// A trial and an epoch, with the choice that picked them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pick {
    /// Index of the trial.
    pub trial: usize,
    /// Number of epochs trained; 0 is the start.
    pub epoch: usize,
    /// The choice that was made.
    pub choice: Choice,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compare::Selection;
    use crate::head::Head;
    use crate::metrics::TestPart::{HalfA, HalfB};

    fn tally((a, b): (u32, u32)) -> PerSet<ClassTally> {
        let halves = [vec![0; a as usize], vec![1; b as usize]].concat();
        PerSet { test: ClassTally::of(&vec![0; halves.len()], &halves, 1), validation: None }
    }

    /// Hits of class 0 in (half A, half B) for each epoch; two samples in each half.
    fn outcome(hits: &[(u32, u32)]) -> Outcome {
        let hits = hits.iter().map(|&hits| tally(hits)).collect();
        Outcome { train_loss: vec![], hits, head: Head::zeros(1, 1), solution: None }
    }

    fn all(n: usize) -> Vec<usize> {
        (0..n).collect()
    }

    /// Recipes with falling learning rates.
    fn recipes(n: usize) -> Vec<Recipe> {
        let recipe = |trial: usize| {
            let mut recipe = Recipe::PLAIN;
            recipe.sgd.lr = 1.0 / (1 + trial) as f64;
            recipe
        };
        (0..n).map(recipe).collect()
    }

    #[test]
    fn a_tie_on_validation_goes_to_less_training() {
        let on_validation = |hits: &[u32]| {
            let hits = hits.iter().map(|&hits| PerSet {
                test: tally((0, 0)).test,
                validation: Some(tally((hits, 0)).test),
            });
            Outcome { hits: hits.collect(), ..outcome(&[]) }
        };
        let samples = PerSet { validation: Some(tally((2, 2)).test), ..tally((2, 2)) };
        let pick = |outcomes: &[Outcome]| {
            let rule = Selection::Validation.rule().choices[0];
            rule.pick(&all(outcomes.len()), outcomes, &recipes(3), &samples)
                .map(|pick| (pick.trial, pick.epoch))
        };
        let [late, early] = [[0, 1, 2, 1], [0, 2, 2, 1]].map(|hits| on_validation(&hits));
        assert_eq!(pick(std::slice::from_ref(&early)), Some((0, 1)));
        assert_eq!(pick(&[late.clone(), early.clone()]), Some((1, 1)));
        assert_eq!(pick(&[early.clone(), late, early]), Some((2, 1)), "at the smaller rate");
    }

    #[test]
    fn a_trial_that_wins_on_one_half_is_scored_on_the_other() {
        let samples = tally((2, 2));
        let outcomes =
            [outcome(&[(2, 2), (0, 1), (1, 1)]), outcome(&[(2, 2), (0, 2), (2, 0), (2, 0)])];
        let picks = |selection: Selection| -> Vec<(usize, usize, TestPart)> {
            let choices = selection.rule().choices.iter();
            let picks =
                choices.filter_map(|choice| choice.pick(&[0, 1], &outcomes, &recipes(2), &samples));
            picks.map(|p| (p.trial, p.epoch, p.choice.scored_on)).collect()
        };
        // The later of equal epochs.
        assert_eq!(picks(Selection::CrossFitted), [(1, 3, HalfB), (1, 1, HalfA)]);
        assert_eq!(Test(HalfB).value(&outcomes[1].hits[3], &samples), 0.0);
        // On the whole set both trials reach 2 of 4; the first is kept.
        assert_eq!(picks(Selection::BestOnTest), [(0, 2, All)]);
        assert_eq!(picks(Selection::Last), [(0, 2, All)]);
    }

    #[test]
    fn what_has_diverged_is_never_picked() {
        let samples = tally((2, 2));
        let mut outcomes = [outcome(&[(0, 0), (1, 1), (2, 2)]), outcome(&[(0, 0), (0, 1), (0, 0)])];
        outcomes[0].train_loss = vec![1.0, f64::NAN];
        outcomes[1].train_loss = vec![f64::INFINITY, 1.0];
        let pick = |outcomes: &[Outcome]| {
            Choice::CLAIM.pick(&all(outcomes.len()), outcomes, &recipes(2), &samples)
        };
        assert_eq!(pick(&outcomes).map(|pick| (pick.trial, pick.epoch)), Some((0, 1)));
        assert_eq!(pick(&outcomes[1..]), None);
        assert_eq!(Choice::NONE.pick(&[0, 1], &outcomes, &recipes(2), &samples), None);
    }
}
