//! Which trials are trained together.

use std::collections::BTreeMap;

use super::problem::Problem;
use super::seen::Seen;
use super::{Outcome, Trial};
use crate::error::Result;
use crate::head::Start;
use crate::numbers::Real;
use crate::recipe::{Conditioning, Solver};

/// Maximum number of heads in a work item, for which each batch is packed once.
const HEADS: usize = 16;

/// How much memory the weights and velocities of a work item may take, in bytes.
const MEMORY: usize = 256 << 20;

/// Trials grouped by what they share.
pub(super) struct Plan<'a, R: Real> {
    /// Trials of each solver that reaches the optimum.
    pub(super) solved: Vec<Group>,
    /// Trials that share their batches, in portions for one thread each.
    pub(super) items: Vec<Item>,
    /// Whether there are fewer items than threads, so that individual steps are spread.
    pub(super) split: bool,
    /// The features in each way that a trial sees them.
    seen: Vec<(View, Seen<'a, R>)>,
}

/// Whether features are divided by their norms, and how they are conditioned.
type View = (bool, Conditioning);

fn view_of(trial: &Trial) -> View {
    (trial.recipe.head.rules().normalises_features, trial.recipe.features)
}

/// Trials of one solver, as indices into the list of all trials.
pub(super) struct Group {
    pub(super) solver: Solver,
    pub(super) seen: View,
    pub(super) trials: Vec<usize>,
}

/// Trials that see the same batches through the same kind of head, as indices into the list of
/// all trials.
pub(super) struct Item {
    pub(super) seen: View,
    pub(super) trials: Vec<usize>,
}

/// Trials with the same key see the same batches through the same kind of head.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Key {
    kind: &'static str,
    features: String,
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
            features: format!("{:?}", recipe.features),
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
    pub(super) fn new(problem: &'a Problem<'a, R>, trials: &[Trial]) -> Result<Self> {
        let mut seen: Vec<(View, Seen<'a, R>)> = Vec::new();
        for view in trials.iter().map(view_of) {
            let there = |wanted: View| seen.iter().position(|(view, _)| *view == wanted);
            if there(view).is_some() {
                continue;
            }
            let plain = (view.0, Conditioning::AsIs);
            let base = there(plain).unwrap_or_else(|| {
                seen.push((plain, Seen::new(problem, view.0)));
                seen.len() - 1
            });
            let starts = |t: &Trial| view_of(t).0 == view.0 && t.recipe.start == Start::ClassMeans;
            if trials.iter().any(starts) {
                seen[base].1.find_class_means()?;
            }
            if view != plain {
                let conditioned = seen[base].1.conditioned(view.1)?;
                seen.push((view, conditioned));
            }
        }
        let mut solved = Vec::new();
        for solver in [Solver::Ridge, Solver::Lbfgs] {
            for (view, _) in &seen {
                let of =
                    |&i: &usize| trials[i].recipe.solver == solver && view_of(&trials[i]) == *view;
                let trials: Vec<usize> = (0..trials.len()).filter(of).collect();
                if !trials.is_empty() {
                    solved.push(Group { solver, seen: *view, trials });
                }
            }
        }
        let mut groups: BTreeMap<Key, Vec<usize>> = BTreeMap::new();
        for i in (0..trials.len()).filter(|&i| trials[i].recipe.solver == Solver::Sgd) {
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
            let seen = view_of(&trials[group[0]]);
            let portions = group.chunks(group.len().div_ceil(n));
            items.extend(portions.map(|part| Item { seen, trials: part.to_vec() }));
        }
        Ok(Self { solved, split: items.len() < threads, items, seen })
    }

    /// The features as some trials see them.
    pub(super) fn seen(&self, view: View) -> &Seen<'a, R> {
        let found = self.seen.iter().find(|(known, _)| *known == view);
        found.map(|(_, seen)| seen).expect("made for every trial")
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
