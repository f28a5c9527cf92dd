//! How much a comparison spends on each method, and on which trials.

use serde::{Deserialize, Serialize};

use super::choice::Choice;
use crate::error::Result;
use crate::methods::{self, Method};
use crate::metrics::{ClassTally, PerSet};
use crate::recipe::{Recipe, Sampler};
use crate::train::Outcome;

/// How much a comparison spends on each method: the same rule for all, whatever their grids.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Effort {
    /// A first look: half of the values of each axis, standardised features only where that is
    /// searched, solvers to a gap of 1 %, successive halving as below but to a single trial, and up to two
    /// steps beyond an edge of the grid where the best lies there.
    Quick,
    /// The whole grid by successive halving: all trials for a tenth of their epochs, the best eight
    /// for three tenths, and the best two to the end (of fewer than 20 epochs, three tenths and half);
    /// and up to two steps beyond an edge of the grid. Recipes that become something else on the way,
    /// through deferred weights or progressive sampling, are trained to the end.
    Standard,
    /// The whole grid, every trial to its end, up to two steps beyond its edges, and combinations of
    /// methods.
    Thorough,
    /// The whole grid, every trial to its end, and nothing beyond: what published tables show.
    #[default]
    Full,
}

/// A stage of successive halving: trials are trained for this share of their epochs, or that of a
/// short recipe, whose tenth says little, and the best of them go on.
struct Rung {
    share: f64,
    of_short: f64,
    keep: usize,
}

/// A recipe of fewer epochs is short.
const SHORT: usize = 20;

impl Rung {
    const fn first(keep: usize) -> Self {
        Self { share: 0.1, of_short: 0.3, keep }
    }

    const fn second(keep: usize) -> Self {
        Self { share: 0.3, of_short: 0.5, keep }
    }
}

impl Effort {
    /// Every effort.
    pub const ALL: [Self; 4] = [Self::Quick, Self::Standard, Self::Thorough, Self::Full];

    /// Name in commands and records.
    pub fn name(self) -> &'static str {
        match self {
            Self::Quick => "quick",
            Self::Standard => "standard",
            Self::Thorough => "thorough",
            Self::Full => "full",
        }
    }

    /// What it means, in a few words, for help texts.
    pub fn help(self) -> &'static str {
        match self {
            Self::Quick => {
                "A first look in a minute: a few methods, half of the values of each axis, one seed"
            }
            Self::Standard => {
                "Every method's whole grid, by successive halving, and beyond its edges"
            }
            Self::Thorough => {
                "Every trial of every grid to its end, beyond its edges, and combinations"
            }
            Self::Full => "Every trial of every grid to its end, and nothing else",
        }
    }

    /// The methods that a comparison takes if none are named, for data with a vector for each class or
    /// without.
    ///
    /// # Errors
    ///
    /// Never, but for a fault of this program.
    pub fn methods(self, class_vectors: bool) -> Result<Vec<Method>> {
        let wanted = |method: &Method| match self {
            Self::Quick => methods::is_quick(&method.name),
            Self::Standard => !methods::is_further(&method.name),
            Self::Thorough | Self::Full => !methods::is_by_name_only(method),
        };
        let mut chosen: Vec<Method> = methods::all().into_iter().filter(wanted).collect();
        if self == Self::Thorough {
            chosen.extend(methods::combinations());
        }
        if class_vectors {
            chosen.extend(methods::with_class_vectors()?);
        }
        Ok(chosen)
    }

    /// A method with the grid that is searched.
    pub fn searched(self, method: &Method) -> Method {
        if self == Self::Quick { method.thinned() } else { method.clone() }
    }

    /// How many steps a search takes beyond an edge of the grid, as long as the best lies there.
    pub fn steps_beyond(self) -> usize {
        match self {
            Self::Quick | Self::Standard | Self::Thorough => 2,
            Self::Full => 0,
        }
    }

    fn rungs(self) -> &'static [Rung] {
        match self {
            Self::Quick => const { &[Rung::first(4), Rung::second(1)] },
            Self::Standard => const { &[Rung::first(8), Rung::second(2)] },
            Self::Thorough | Self::Full => &[],
        }
    }

    /// The numbers of epochs of the rungs for a recipe: none where it is not worth stopping, or early
    /// epochs are not of what it becomes.
    pub(super) fn stops(self, recipe: &Recipe) -> Vec<usize> {
        let epochs = recipe.sgd.epochs;
        let changes =
            recipe.cost.defer_weights_to_epoch > 0 || recipe.sampler == Sampler::Progressive;
        if !recipe.has_course() || epochs < 5 || changes {
            return vec![];
        }
        let share = |rung: &Rung| if epochs < SHORT { rung.of_short } else { rung.share };
        self.rungs().iter().map(|rung| (share(rung) * epochs as f64).round() as usize).collect()
    }

    /// The trials that a choice keeps after rung number `rung`, of those it has: the best up to
    /// `epochs` by what the choice goes by, and nothing else, so that no sample it will be scored
    /// on has a say.
    pub(super) fn keep(
        self,
        (rung, epochs): (usize, usize),
        choice: Choice,
        trials: &[usize],
        (outcomes, samples): (&[Outcome], &PerSet<ClassTally>),
    ) -> Vec<usize> {
        let best = |&trial: &usize| {
            let outcome = &outcomes[trial];
            let last = outcome.finite_epochs().min(epochs);
            // The start, which is all that a trial has that diverges at once, is not its merit.
            let values = (1..=last).map(|e| choice.by.value(&outcome.hits[e], samples));
            values.fold(f64::NEG_INFINITY, f64::max)
        };
        let mut ranked: Vec<(f64, usize)> =
            trials.iter().map(|trial| (best(trial), *trial)).collect();
        // The first of equals stays.
        ranked.sort_by(|a, b| b.0.total_cmp(&a.0));
        ranked.truncate(self.rungs()[rung].keep);
        // In the order in which the choice came to know them, which depends on no other.
        let is_kept = |trial: &&usize| ranked.iter().any(|(_, kept)| kept == *trial);
        trials.iter().filter(is_kept).copied().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_early_epochs_cannot_tell_is_not_halved() {
        let stops = |name: &str| Effort::Standard.stops(&methods::find(name).unwrap().recipe);
        assert_eq!(stops("los"), [2, 6]);
        assert_eq!(stops("ltwb"), [3, 5]);
        for name in ["ldam-drw", "class-balanced-drw", "effective-area", "progressive-sampling"] {
            assert!(stops(name).is_empty(), "{name}");
        }
        assert!(Effort::Full.stops(&methods::find("los").unwrap().recipe).is_empty());
        // Every recipe that may stop does so before its end, and later at each rung.
        for epochs in 5..60 {
            let mut recipe = Recipe::PLAIN;
            recipe.sgd.epochs = epochs;
            let stops = Effort::Standard.stops(&recipe);
            assert!(
                0 < stops[0] && stops[0] < stops[1] && stops[1] < epochs,
                "{epochs}: {stops:?}"
            );
        }
    }
}
