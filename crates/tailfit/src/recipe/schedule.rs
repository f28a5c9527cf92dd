//! Learning rate per epoch.

use std::f64::consts::PI;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

/// Learning rate in epoch e (from 0) of E, as a factor of the base rate.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Schedule {
    /// (1 + cos(π e / E)) / 2: the first epoch has the full rate, the last a rate above 0,
    /// as given by a scheduler stepped after each epoch (LOS).
    #[default]
    Cosine,
    /// (1 + cos(π (e + 1) / E)) / 2: no epoch has the full rate, and the last has rate 0,
    /// as given by a scheduler stepped before each epoch (LTWB, cRT).
    CosineBefore,
    /// Linear warm-up from a factor a, a + (1 − a) e / `warm_up` for e < `warm_up`, then
    /// (1 + cos(π (e − `warm_up`) / (E − 1 − `warm_up`))) / 2: epoch number `warm_up` has the full rate,
    /// the last one rate 0 (BALMS: a = 1/2).
    CosineAfterWarmUp {
        /// Number of warm-up epochs, less than E − 1.
        warm_up: usize,
        /// a.
        warm_up_from: f64,
    },
    /// Always 1.
    Constant,
    /// Linear warm-up, (e + 1) / `warm_up` for e < `warm_up`, then the factor of the
    /// last milestone reached, 1 before the first (LDAM-DRW: milestones 160 and 180,
    /// factors 0.01 and 0.0001, warm-up 5).
    Step {
        /// Epochs (from 0) at which the factor changes, ascending.
        milestones: Vec<usize>,
        /// Factor of the base rate from each milestone onwards.
        factors: Vec<f64>,
        /// Number of warm-up epochs.
        #[serde(default)]
        warm_up: usize,
        /// Warm up from this factor instead, a + (1 − a) e / `warm_up` (BBN: a = 1/3).
        #[serde(default, skip_serializing_if = "Option::is_none")]
        warm_up_from: Option<f64>,
    },
}

impl Schedule {
    /// Checks that milestones and factors match, and where the warm-up begins.
    ///
    /// # Errors
    ///
    /// If the warm-up begins at a negative factor, milestones are not ascending, their number differs from that of the factors, or a factor
    /// is negative or not finite.
    pub fn check(&self) -> Result<()> {
        let usable = |factor: &f64| factor.is_finite() && *factor >= 0.0;
        let from = match self {
            Self::Step { warm_up_from, .. } => *warm_up_from,
            Self::CosineAfterWarmUp { warm_up_from, .. } => Some(*warm_up_from),
            _ => None,
        };
        if let Some(from) = from.filter(|from| !usable(from)) {
            return Err(Error::usage("schedule: warm_up_from", "a number from 0 on", from, ""));
        }
        let Self::Step { milestones, factors, .. } = self else { return Ok(()) };
        let finite = factors.iter().all(usable);
        if milestones.len() == factors.len() && milestones.is_sorted() && finite {
            return Ok(());
        }
        let found = format!("{milestones:?} and {factors:?}");
        Err(Error::usage("schedule.step", "ascending milestones, one factor each", found, ""))
    }

    /// The factor for `epoch` of `epochs`.
    pub fn factor(&self, epoch: usize, epochs: usize) -> f64 {
        let cosine = |e: usize| 0.5 * (1.0 + (PI * e as f64 / epochs as f64).cos());
        match self {
            Self::Cosine => cosine(epoch),
            Self::CosineBefore => cosine(epoch + 1),
            Self::CosineAfterWarmUp { warm_up, warm_up_from } => {
                let (e, from) = (epoch as f64, *warm_up as f64);
                if epoch < *warm_up {
                    warm_up_from + (1.0 - warm_up_from) * e / from
                } else {
                    // Of an end that is too early, the full rate is left.
                    let rest = (epochs as f64 - 1.0 - from).max(1.0);
                    0.5 * (1.0 + (PI * (e - from) / rest).cos())
                }
            }
            Self::Constant => 1.0,
            Self::Step { warm_up, warm_up_from, .. } if epoch < *warm_up => match warm_up_from {
                Some(from) => from + (1.0 - from) * epoch as f64 / *warm_up as f64,
                None => (epoch + 1) as f64 / *warm_up as f64,
            },
            Self::Step { milestones, factors, .. } => milestones
                .iter()
                .zip(factors)
                .rfind(|(milestone, _)| epoch >= **milestone)
                .map_or(1.0, |(_, factor)| *factor),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_warm_up_from_below_zero_is_named() {
        let step = |warm_up_from| Schedule::Step {
            milestones: vec![],
            factors: vec![],
            warm_up: 2,
            warm_up_from,
        };
        assert!(step(Some(0.5)).check().is_ok());
        assert_eq!([0, 1, 2].map(|e| step(Some(0.5)).factor(e, 9)), [0.5, 0.75, 1.0]);
        for from in [-0.1, f64::NAN] {
            let error = step(Some(from)).check().unwrap_err().to_string();
            assert!(error.contains("warm_up_from"), "{error}");
        }
        let warm = |warm_up| Schedule::CosineAfterWarmUp { warm_up, warm_up_from: 0.5 };
        let rates = [0, 1, 2, 3, 4].map(|e| warm(2).factor(e, 5));
        assert!(rates.iter().zip([0.5, 0.75, 1.0, 0.5, 0.0]).all(|(a, b)| (a - b).abs() < 1e-15));
        assert!([0, 1, 2].iter().all(|&e| warm(2).factor(e, 3).is_finite()));
        let below = Schedule::CosineAfterWarmUp { warm_up: 2, warm_up_from: -0.1 };
        assert!(below.check().unwrap_err().to_string().contains("warm_up_from"));
    }

    #[test]
    fn the_two_cosines_differ_by_one_epoch() {
        let factors = |s: Schedule| (0..4).map(|e| s.factor(e, 4)).collect::<Vec<_>>();
        let (after, before) = (factors(Schedule::Cosine), factors(Schedule::CosineBefore));
        assert_eq!(after[0], 1.0);
        assert_eq!(after[1..], before[..3]);
        assert_eq!(before[3], 0.0);
    }
}
