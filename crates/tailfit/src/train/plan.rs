//! Which trials are trained together.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::problem::Problem;
use super::seen::{Seen, SeenAs};
use super::solve::Priors;
use super::{Outcome, Trial};
use crate::error::Result;
use crate::head::Start;
use crate::losses::ClassWeights;
use crate::numbers::Real;
use crate::recipe::Solver;

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
    seen: Vec<Seen<'a, R>>,
}

/// Trials of one solver, as indices into the list of all trials.
pub(super) struct Group {
    pub(super) solver: Solver,
    pub(super) seen: SeenAs,
    pub(super) trials: Vec<usize>,
}

/// Trials that see the same batches through the same kind of head, as indices into the list of
/// all trials.
pub(super) struct Item {
    pub(super) seen: SeenAs,
    pub(super) trials: Vec<usize>,
}

/// Trials with the same key see the same batches through the same kind of head.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Key {
    kind: &'static str,
    seen: String,
    epochs: usize,
    epochs_of_schedule: usize,
    seed: u64,
    batch_size: usize,
    sampler: String,
    nesterov: bool,
}

impl Key {
    fn of<R: Real>(trial: &Trial, problem: &Problem<'_, R>) -> Self {
        let recipe = &trial.recipe;
        Self {
            kind: recipe.head.rules().name,
            seen: format!("{:?}", SeenAs::of(trial, problem)),
            epochs: trial.epochs(),
            epochs_of_schedule: recipe.sgd.epochs,
            seed: trial.seed,
            batch_size: recipe.sgd.batch_size,
            sampler: format!("{:?}", recipe.sampler),
            nesterov: recipe.sgd.nesterov,
        }
    }
}

/// Whether a trial uses the means of the classes. All that do take the same ones, found on the features
/// before they are conditioned, in whatever company.
fn needs_means(trial: &Trial) -> bool {
    trial.recipe.start == Start::ClassMeans
        || trial.recipe.cost.class_weights == ClassWeights::EffectiveArea
}

impl<'a, R: Real> Plan<'a, R> {
    pub(super) fn new(problem: &'a Problem<'a, R>, trials: &[Trial]) -> Result<Self> {
        let mut seen: Vec<Seen<'a, R>> = Vec::new();
        let seen_as_of = |trial: &Trial| SeenAs::of(trial, problem);
        for seen_as in trials.iter().map(seen_as_of) {
            if seen.iter().any(|seen| seen.how == seen_as) {
                continue;
            }
            let base = seen.iter().position(|seen| seen.how == seen_as.base());
            let base = base.unwrap_or_else(|| {
                seen.push(Seen::new(problem, seen_as.base()));
                seen.len() - 1
            });
            let by_means = |t: &Trial| seen_as_of(t) == seen_as && needs_means(t);
            if trials.iter().any(by_means) && !seen_as.normalised {
                seen[base].find_class_means()?;
            }
            if seen_as != seen_as.base() {
                let conditioned = seen[base].conditioned(seen_as)?;
                seen.push(conditioned);
            }
        }
        for seen_as in trials.iter().filter(|trial| needs_means(trial)).map(seen_as_of) {
            let there = seen.iter().find(|seen| seen.how == seen_as);
            there.expect("made for every trial").find_class_means()?;
        }
        let priors = Arc::new(Priors::new(problem, trials)?);
        for seen in &seen {
            seen.priors.get_or_init(|| Arc::clone(&priors));
        }
        let mut solved = Vec::new();
        for solver in [Solver::Ridge, Solver::Lbfgs] {
            for seen_as in seen.iter().map(|seen| seen.how) {
                let of = |&i: &usize| {
                    trials[i].recipe.solver == solver && seen_as_of(&trials[i]) == seen_as
                };
                let trials: Vec<usize> = (0..trials.len()).filter(of).collect();
                if !trials.is_empty() {
                    solved.push(Group { solver, seen: seen_as, trials });
                }
            }
        }
        let mut groups: BTreeMap<Key, Vec<usize>> = BTreeMap::new();
        for i in (0..trials.len()).filter(|&i| trials[i].recipe.solver == Solver::Sgd) {
            groups.entry(Key::of(&trials[i], problem)).or_default().push(i);
        }
        // At least one item per thread, as far as there are heads.
        let threads = rayon::current_num_threads();
        let wanted = threads.div_ceil(groups.len().max(1));
        let head = 2 * size_of::<R>() * problem.dim * problem.counts.n_classes();
        let most = (MEMORY / head.max(1)).clamp(1, HEADS);
        let mut items = Vec::new();
        for group in groups.into_values() {
            let n = group.len().div_ceil(most).max(wanted.min(group.len()));
            let seen = seen_as_of(&trials[group[0]]);
            let portions = group.chunks(group.len().div_ceil(n));
            items.extend(portions.map(|part| Item { seen, trials: part.to_vec() }));
        }
        Ok(Self { solved, split: items.len() < threads, items, seen })
    }

    /// The features as some trials see them.
    pub(super) fn seen(&self, seen_as: SeenAs) -> &Seen<'a, R> {
        self.seen.iter().find(|seen| seen.how == seen_as).expect("made for every trial")
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
