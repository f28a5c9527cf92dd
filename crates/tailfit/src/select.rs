//! Which trial and which epoch counts, and on what it is scored.

use serde::{Deserialize, Serialize};

use crate::train::Outcome;

/// How epoch and hyper-parameters are chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Selection {
    /// The method's default hyper-parameters and the last epoch; needs no held-out data.
    Last,
    /// The best on a validation set; scored on the whole test set.
    Validation,
    /// The best on one half of the test set, scored on the other, and the reverse;
    /// halves are stratified and follow the seed.
    CrossFitted,
    /// The best on the test set it is scored on. Optimistic; only to compare with papers
    /// that did so, and starred in every table.
    BestOnTest,
}

/// Part of the test set on which a score was taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Part {
    /// All of it.
    All,
    /// The half numbered 0.
    HalfA,
    /// The half numbered 1.
    HalfB,
}

impl Part {
    /// Number of the half, if it is one.
    pub fn half(self) -> Option<u8> {
        match self {
            Self::All => None,
            Self::HalfA => Some(0),
            Self::HalfB => Some(1),
        }
    }
}

/// A trial and an epoch, and where they are scored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pick {
    /// Index of the trial.
    pub trial: usize,
    /// Number of epochs trained; 0 is the start.
    pub epoch: usize,
    /// What it is scored on.
    pub scored_on: Part,
}

/// Index of the test and validation set among the scored sets.
pub const TEST: usize = 0;
/// See [`TEST`].
pub const VALIDATION: usize = 1;

/// Macro accuracy of a trial after an epoch on a part of a scored set.
///
/// `samples[s]` has the samples per class of the halves of set s, `[K]` each.
pub fn criterion(
    outcome: &Outcome,
    epoch: usize,
    set: usize,
    part: Part,
    samples: &[Samples],
) -> f64 {
    let hits = &outcome.hits[epoch][set];
    let (hits, samples) = match part.half() {
        None => (hits.total(), &samples[set].all),
        Some(half) => (hits.by_half[half as usize].clone(), &samples[set].by_half[half as usize]),
    };
    let present = samples.iter().filter(|&&n| n > 0).count().max(1) as f64;
    let share = |(&hit, &n): (&u32, &u32)| if n > 0 { f64::from(hit) / f64::from(n) } else { 0.0 };
    100.0 * hits.iter().zip(samples).map(share).sum::<f64>() / present
}

/// Samples per class of a scored set, `[K]` each.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Samples {
    /// Of the whole set.
    pub all: Vec<u32>,
    /// Of each half.
    pub by_half: [Vec<u32>; 2],
}

/// The trial and epoch with the best macro accuracy on a part of a set. Of equal epochs
/// the later one (as the authors' `<=`), of equal trials the first. Epoch 0, the start,
/// is a candidate only where nothing is trained.
pub fn best(outcomes: &[Outcome], set: usize, part: Part, samples: &[Samples]) -> (usize, usize) {
    let mut best = (f64::NEG_INFINITY, 0, 0);
    for (trial, outcome) in outcomes.iter().enumerate() {
        let mut of_trial = (f64::NEG_INFINITY, 0);
        let last = outcome.hits.len() - 1;
        for epoch in last.min(1)..=last {
            let value = criterion(outcome, epoch, set, part, samples);
            if value >= of_trial.0 {
                of_trial = (value, epoch);
            }
        }
        if of_trial.0 > best.0 {
            best = (of_trial.0, trial, of_trial.1);
        }
    }
    (best.1, best.2)
}

/// What a rule selects among the trials of one method and seed. For [`Selection::Last`]
/// the first trial is taken, which must be the method's default.
pub fn picks(outcomes: &[Outcome], rule: Selection, samples: &[Samples]) -> Vec<Pick> {
    let pick = |(trial, epoch), scored_on| Pick { trial, epoch, scored_on };
    match rule {
        Selection::Last => vec![pick((0, outcomes[0].hits.len() - 1), Part::All)],
        Selection::Validation => {
            vec![pick(best(outcomes, VALIDATION, Part::All, samples), Part::All)]
        }
        Selection::BestOnTest => vec![pick(best(outcomes, TEST, Part::All, samples), Part::All)],
        Selection::CrossFitted => [(Part::HalfA, Part::HalfB), (Part::HalfB, Part::HalfA)]
            .map(|(on, scored)| pick(best(outcomes, TEST, on, samples), scored))
            .to_vec(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::head::Head;
    use crate::train::Hits;
    use ndarray::{Array1, Array2};

    /// Hits of class 0 in (half A, half B) for each epoch; two samples in each half.
    fn outcome(hits: &[(u32, u32)]) -> Outcome {
        let head = Head {
            weight: Array2::zeros((1, 1)),
            bias: Array1::zeros(1),
            normalise_features: false,
        };
        let epoch = |&(a, b): &(u32, u32)| vec![Hits { by_half: [vec![a], vec![b]] }];
        Outcome { train_loss: vec![], hits: hits.iter().map(epoch).collect(), head, solution: None }
    }

    #[test]
    fn a_trial_that_wins_on_one_half_is_scored_on_the_other() {
        let samples = [Samples { all: vec![4], by_half: [vec![2], vec![2]] }];
        let outcomes =
            [outcome(&[(2, 2), (0, 1), (1, 1)]), outcome(&[(2, 2), (0, 2), (2, 0), (2, 0)])];
        let [a, b] = picks(&outcomes, Selection::CrossFitted, &samples)[..] else { panic!() };
        assert_eq!((a.trial, a.epoch, a.scored_on), (1, 3, Part::HalfB), "the later of equals");
        assert_eq!((b.trial, b.epoch, b.scored_on), (1, 1, Part::HalfA));
        assert_eq!(criterion(&outcomes[1], 3, TEST, Part::HalfB, &samples), 0.0);
        // On the whole set both trials reach 2 of 4; the first is kept.
        assert_eq!(best(&outcomes, TEST, Part::All, &samples), (0, 2));
        assert_eq!(picks(&outcomes, Selection::Last, &samples)[0].epoch, 2);
    }
}
