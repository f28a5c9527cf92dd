//! Which trials are trained together.

use std::collections::BTreeMap;

use super::problem::{Problem, Seen};
use super::{Outcome, Trial};
use crate::numbers::Real;
use crate::recipe::Solver;

/// Maximum number of heads in a work item, for which each batch is packed once.
const HEADS: usize = 16;

/// How much memory the weights and velocities of a work item may take, in bytes.
const MEMORY: usize = 256 << 20;

/// Trials grouped by what they share.
pub(super) struct Plan<'a, R: Real> {
    /// Trials of each solver that reaches the optimum.
    pub(super) solved: Vec<Group<'a, R>>,
    /// Trials that share their batches, in portions for one thread each.
    pub(super) items: Vec<Item>,
    /// Whether there are fewer items than threads, so that individual steps are spread.
    pub(super) split: bool,
    /// Features as they are, and features divided by their norms; each only if a trial needs them.
    plain: Option<Seen<'a, R>>,
    normalised: Option<Seen<'a, R>>,
}

/// Trials of one solver, as indices into the list of all trials.
pub(super) struct Group<'a, R: Real> {
    pub(super) solver: Solver,
    pub(super) seen: Seen<'a, R>,
    pub(super) trials: Vec<usize>,
}

/// Trials that see the same batches through the same kind of head, as indices into the list of
/// all trials.
pub(super) struct Item {
    normalised: bool,
    pub(super) trials: Vec<usize>,
}

/// Trials with the same key see the same batches through the same kind of head.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Key {
    kind: &'static str,
    epochs: usize,
    epochs_of_schedule: usize,
    seed: u64,
    batch_size: usize,
    sampler: String,
    nesterov: bool,
}

impl Key {
    fn of(trial: &Trial) -> Self {
        let recipe = &trial.recipe;
        Self {
            kind: recipe.head.rules().name,
            epochs: trial.epochs(),
            epochs_of_schedule: recipe.sgd.epochs,
            seed: trial.seed,
            batch_size: recipe.sgd.batch_size,
            sampler: format!("{:?}", recipe.sampler),
            nesterov: recipe.sgd.nesterov,
        }
    }
}

impl<'a, R: Real> Plan<'a, R> {
    pub(super) fn new(problem: &'a Problem<'a, R>, trials: &[Trial]) -> Self {
        let of_solver = |solver: Solver| -> Vec<usize> {
            (0..trials.len()).filter(|&i| trials[i].recipe.solver == solver).collect()
        };
        let solved = [Solver::Ridge, Solver::Lbfgs].map(|solver| (solver, of_solver(solver)));
        let solved = solved.into_iter().filter(|(_, trials)| !trials.is_empty());
        let solved = solved.map(|(solver, trials)| Group {
            solver,
            seen: Seen::new(problem, false),
            trials,
        });
        let mut groups: BTreeMap<Key, Vec<usize>> = BTreeMap::new();
        for i in of_solver(Solver::Sgd) {
            groups.entry(Key::of(&trials[i])).or_default().push(i);
        }
        // At least one item per thread, as far as there are heads.
        let threads = rayon::current_num_threads();
        let wanted = threads.div_ceil(groups.len().max(1));
        let head = 2 * size_of::<R>() * problem.dim * problem.counts.n_classes();
        let most = (MEMORY / head.max(1)).clamp(1, HEADS);
        let mut items = Vec::new();
        for group in groups.into_values() {
            let n = group.len().div_ceil(most).max(wanted.min(group.len()));
            let normalised = trials[group[0]].recipe.head.rules().normalises_features;
            let portions = group.chunks(group.len().div_ceil(n));
            items.extend(portions.map(|part| Item { normalised, trials: part.to_vec() }));
        }
        let seen = |normalised: bool| {
            let wanted = items.iter().any(|item: &Item| item.normalised == normalised);
            wanted.then(|| Seen::new(problem, normalised))
        };
        let (plain, normalised) = (seen(false), seen(true));
        Self { solved: solved.collect(), split: items.len() < threads, items, plain, normalised }
    }

    /// The features as an item's heads see them.
    pub(super) fn seen(&self, item: &Item) -> &Seen<'a, R> {
        let seen = if item.normalised { &self.normalised } else { &self.plain };
        seen.as_ref().expect("made for every item")
    }

    /// Puts outcomes, given group by group and then item by item, in the order of the trials.
    pub(super) fn in_order(&self, outcomes: Vec<Vec<Outcome>>) -> Vec<Outcome> {
        let solved = self.solved.iter().map(|group| &group.trials);
        let places = solved.chain(self.items.iter().map(|item| &item.trials)).flatten();
        let mut placed: Vec<(&usize, Outcome)> =
            places.zip(outcomes.into_iter().flatten()).collect();
        placed.sort_by_key(|(place, _)| **place);
        placed.into_iter().map(|(_, outcome)| outcome).collect()
    }
}
