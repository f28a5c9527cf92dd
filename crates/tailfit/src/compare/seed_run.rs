//! The trials of one seed.

use super::{Choice, Pick};
use crate::metrics::{ClassTally, PerSet};
use crate::recipe::Recipe;
use crate::train::Outcome;

/// The whole grid, trained for one seed.
pub(super) struct SeedRun {
    pub(super) seed: u64,
    /// Samples of the scored sets, by class and half.
    pub(super) samples: PerSet<ClassTally>,
    /// Outcomes of the trials, in the order of the grid, each as far as it was trained.
    pub(super) outcomes: Vec<Outcome>,
    /// How many of them are in the grid.
    pub(super) n_trials: usize,
    /// Epochs that heads were trained for.
    pub(super) head_epochs: usize,
    /// The trials that each choice kept to the end.
    pub(super) kept: Vec<(Choice, Vec<usize>)>,
}

impl SeedRun {
    /// Number of trials beyond the grid.
    pub(super) fn n_beyond(&self) -> usize {
        let beyond = self.outcomes[self.n_trials..].iter();
        beyond.filter(|outcome| !outcome.hits.is_empty()).count()
    }

    /// Whether there is one head to choose from: that of one trial, after one epoch or none.
    pub(super) fn has_one_head(&self) -> bool {
        self.outcomes.iter().map(|outcome| outcome.hits.len().max(2) - 1).sum::<usize>() == 1
    }

    pub(super) fn pick(&self, choice: Choice, recipes: &[Recipe]) -> Option<Pick> {
        let kept = self.kept.iter().find(|(of, _)| *of == choice).map(|(_, kept)| kept.clone());
        let trials = kept.unwrap_or_else(|| (0..recipes.len()).collect());
        choice.pick(&trials, &self.outcomes, recipes, &self.samples)
    }
}
