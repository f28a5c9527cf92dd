//! How much a comparison spends on each method, and on which trials.

use serde::{Deserialize, Serialize};

use super::choice::Choice;
use crate::error::Result;
use crate::methods::{self, Method};
use crate::metrics::{ClassTally, PerSet};
use crate::recipe::{Recipe, Solver};
use crate::train::Outcome;

/// How much a comparison spends on each method: the same rule for all, whatever their grids.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Effort {
    /// A first look: half of the values of each axis, standardised features only where that is
    /// searched, solvers to a gap of 1 %, successive halving to a single trial, and up to two steps beyond
    /// an edge of the grid where the best lies there.
    Quick,
    /// The whole grid by successive halving: all trials for a tenth of their epochs, the best eight
    /// for three tenths, and the best two to the end; and up to two steps beyond an edge of the grid.
    Standard,
    /// The whole grid, every trial to its end, up to two steps beyond its edges, and combinations of
    /// methods.
    Thorough,
    /// The whole grid, every trial to its end, and nothing beyond: what published tables show.
    #[default]
    Full,
}

/// A stage of successive halving: trials are trained for this share of their epochs, and the best
/// of them go on.
struct Rung {
    share: f64,
    keep: usize,
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
            Self::Quick => const { &[Rung { share: 0.1, keep: 4 }, Rung { share: 0.3, keep: 1 }] },
            Self::Standard => {
                const { &[Rung { share: 0.1, keep: 8 }, Rung { share: 0.3, keep: 2 }] }
            }
            Self::Thorough | Self::Full => &[],
        }
    }

    /// The numbers of epochs of the rungs for a recipe: none where it is not worth stopping.
    pub(super) fn stops(self, recipe: &Recipe) -> Vec<usize> {
        let epochs = recipe.sgd.epochs;
        if recipe.solver != Solver::Sgd || epochs < 5 {
            return vec![];
        }
        let rungs = self.rungs().iter();
        rungs.map(|rung| ((rung.share * epochs as f64).round() as usize).max(1)).collect()
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
