//! Trains the grid of a method: whole, or by successive halving.

use std::collections::BTreeSet;

use super::{Comparison, SeedRun};
use crate::error::Result;
use crate::methods::Method;
use crate::recipe::{Recipe, Solver};
use crate::train::{Options, Outcome, Trial, train_knowing};

/// How many head-epochs of SGD take as long as the search for an optimum, about.
const OPTIMUM: usize = 45;

/// Heads of a search are kept up to this many bytes, so that what is chosen need not be trained again.
pub(super) const HEAD_MEMORY: usize = 2 << 30;

/// What solvers know of the data is kept up to this many bytes, and of all folds up to as many.
pub(super) const KNOWN: usize = 1 << 30;

impl Comparison<'_> {
    /// Approximate number of head-epochs, or as much time, that a trial takes.
    fn epochs_of(&self, recipe: &Recipe) -> usize {
        let of = |recipe: &Recipe| match recipe.solver {
            Solver::Sgd => recipe.sgd.epochs.max(1),
            Solver::Ridge => 1,
            // An optimum is the same for every seed, and found once.
            Solver::Lbfgs => (OPTIMUM / self.seeds.len()).max(1),
        };
        recipe.of_heads().map(|recipe| recipe.runs * of(recipe)).sum()
    }

    /// Approximate number of head-epochs that a grid takes for a seed.
    pub(super) fn head_epochs(&self, recipes: &[Recipe]) -> usize {
        let whole = |recipe: &Recipe| self.epochs_of(recipe);
        let stops = self.stops(recipes);
        let all: usize = recipes.iter().map(whole).sum();
        match (stops.first(), stops.last()) {
            // About a third of the trials go on, and a tenth to the end; about one step beyond an edge.
            (Some(first), Some(last)) => {
                recipes.len() * first + recipes.len() * last / 3 + all / 10 + last
            }
            _ if recipes.len() > 1 => all + self.effort.steps_beyond() * all / (2 * recipes.len()),
            _ => all,
        }
    }

    /// The numbers of epochs after which trials are dropped; none where trials are of different lengths,
    /// or one is not to be dropped early.
    fn stops(&self, recipes: &[Recipe]) -> Vec<usize> {
        let of = |recipe: &Recipe| (recipe.sgd.epochs, self.effort.stops(recipe));
        let first = of(&recipes[0]);
        let alike = recipes.len() > 1 && recipes.iter().all(|recipe| of(recipe) == first);
        if alike { first.1 } else { vec![] }
    }

    /// Trains the grid of a method for every seed; recipes beyond its edges are added to `recipes`.
    pub(super) fn train(
        &self,
        method: &Method,
        recipes: &mut Vec<Recipe>,
        progress: &(dyn Fn(usize) + Sync),
    ) -> Result<Vec<SeedRun>> {
        let rule = self.selection.rule();
        let everything: Vec<usize> = (0..recipes.len()).collect();
        let n_trials = recipes.len();
        let run = |(at, &seed): (usize, &u64)| {
            // The head to use is that of the first seed.
            let choices = rule.choices.iter().chain((at == 0).then_some(&rule.head));
            let kept = choices.map(|&choice| (choice, everything.clone())).collect();
            let (samples, outcomes, head_epochs) = (self.samples(seed), vec![], 0);
            SeedRun { seed, samples, outcomes, n_trials, head_epochs, kept }
        };
        let mut runs: Vec<SeedRun> = self.seeds.iter().enumerate().map(run).collect();
        let all = vec![everything.clone(); runs.len()];
        let stops = self.stops(recipes);
        let outcomes = self.up_to(recipes, &all, stops.first().copied(), progress)?;
        for (run, outcomes) in runs.iter_mut().zip(outcomes) {
            run.outcomes = outcomes;
            run.head_epochs = self.spent(recipes, &everything, stops.first().copied());
        }
        if stops.is_empty() {
            for _ in 0..self.effort.steps_beyond() {
                self.step_beyond(method, recipes, &mut runs, None, progress)?;
            }
        }
        for (rung, &epochs) in stops.iter().enumerate() {
            self.step_beyond(method, recipes, &mut runs, Some(epochs), progress)?;
            let mut wanted = vec![];
            for run in &mut runs {
                let mut of_run = BTreeSet::new();
                for (choice, kept) in &mut run.kept {
                    let known = (&run.outcomes[..], &run.samples);
                    *kept = self.effort.keep((rung, epochs), *choice, kept, known);
                    of_run.extend(kept.iter().copied());
                }
                if rung + 1 == stops.len() {
                    // Tables show the default recipe's whole course.
                    of_run.extend(recipes.iter().position(|recipe| *recipe == method.recipe));
                }
                wanted.push(of_run.into_iter().collect::<Vec<_>>());
            }
            let stop_after = stops.get(rung + 1).copied();
            self.train_more(recipes, &mut runs, (wanted, stop_after), progress)?;
        }
        Ok(runs)
    }

    /// Trains some trials of each seed, from the beginning, and puts what comes out in their place.
    pub(super) fn train_more(
        &self,
        recipes: &[Recipe],
        runs: &mut [SeedRun],
        (wanted, stop_after): (Vec<Vec<usize>>, Option<usize>),
        progress: &(dyn Fn(usize) + Sync),
    ) -> Result<()> {
        let trained = self.up_to(recipes, &wanted, stop_after, progress)?;
        for ((run, wanted), outcomes) in runs.iter_mut().zip(wanted).zip(trained) {
            run.head_epochs += self.spent(recipes, &wanted, stop_after);
            for (trial, outcome) in wanted.into_iter().zip(outcomes) {
                run.outcomes[trial] = outcome;
            }
        }
        Ok(())
    }

    /// Epochs that heads are trained for on the whole training set and on folds.
    fn spent(&self, recipes: &[Recipe], trials: &[usize], stop_after: Option<usize>) -> usize {
        let of = |&trial: &usize| {
            let heads = recipes[trial].of_heads().filter(|head| head.solver == Solver::Sgd);
            let all = heads.map(|head| head.runs * head.sgd.epochs).sum();
            stop_after.map_or(all, |epochs| epochs.min(all))
        };
        trials.iter().map(of).sum::<usize>() * (1 + self.folds.len())
    }

    /// Trains some trials of each seed for some epochs, or to their end.
    fn up_to(
        &self,
        recipes: &[Recipe],
        wanted: &[Vec<usize>],
        stop_after: Option<usize>,
        progress: &(dyn Fn(usize) + Sync),
    ) -> Result<Vec<Vec<Outcome>>> {
        let of_seed = |(&seed, wanted): (&u64, &Vec<usize>)| {
            let trial = |&i: &usize| Trial { recipe: recipes[i].clone(), seed, stop_after };
            wanted.iter().map(trial).collect::<Vec<_>>()
        };
        let trials: Vec<Trial> = self.seeds.iter().zip(wanted).flat_map(of_seed).collect();
        // A solver counts the trials it has solved.
        let solves = recipes
            .first()
            .is_some_and(|recipe| recipe.solver == Solver::Lbfgs && !recipe.is_average());
        let each = if solves { self.epochs_of(&recipes[0]) } else { 1 };
        let progress: &(dyn Fn(usize) + Sync) = &|done| progress(done * each);
        let (precision, stop) = (self.precision, self.stop);
        // Those that are chosen are trained again where keeping all would take too much.
        let of_each = 8 * self.data.counts.n_classes() * self.data.train.dim();
        let keep_heads = trials.len() * of_each <= self.head_memory;
        let options = Options { progress, keep_heads, precision, stop, ..Options::default() };
        let mut outcomes = train_knowing(self.data, &self.known, &trials, &options)?;
        self.cross_validate(&trials, &mut outcomes, &options)?;
        let mut outcomes = outcomes.into_iter();
        Ok(wanted.iter().map(|wanted| outcomes.by_ref().take(wanted.len()).collect()).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compare::{Effort, Selection};
    use crate::features::DataSet;
    use crate::methods;
    use crate::shots::ShotThresholds;

    /// What is chosen comes out the same where heads are kept and where they are trained again.
    #[test]
    fn heads_that_are_not_kept_are_trained_again() {
        let data = DataSet::embedded(ShotThresholds::default()).unwrap();
        for (name, selection) in
            [("tau-norm", Selection::CrossFitted), ("lr-balanced", Selection::CrossFitted)]
        {
            let method = methods::find(name).unwrap();
            let run = |head_memory: usize| {
                let comparison = Comparison::new(&data, selection, vec![0]).unwrap();
                Comparison { head_memory, ..comparison }.run(&method, &|_| {}).unwrap()
            };
            let (kept, again) = (run(usize::MAX), run(0));
            assert_eq!((kept.records, kept.head), (again.records, again.head), "{name}");
        }
    }

    #[test]
    fn a_grid_is_halved_as_a_whole_or_not_at_all() {
        let data = DataSet::embedded(ShotThresholds::default()).unwrap();
        let comparison = Comparison::new(&data, Selection::CrossFitted, vec![0]).unwrap();
        let comparison = comparison.with_effort(Effort::Standard);
        let deferred = methods::find("class-balanced-drw").unwrap().recipe;
        let at_once = deferred.with("defer_weights_to_epoch", &0.into()).unwrap();
        assert_eq!(comparison.stops(&[at_once.clone(), at_once.clone()]), [2, 6]);
        assert!(comparison.stops(&[at_once.clone(), deferred]).is_empty());
        let longer = at_once.with("epochs", &21.into()).unwrap();
        assert!(comparison.stops(&[at_once, longer]).is_empty());
    }
}
