//! The search beyond the edges of a method's grid.

use std::collections::BTreeSet;

use super::{Comparison, SeedRun};
use crate::error::Result;
use crate::methods::Method;
use crate::recipe::Recipe;
use crate::train::Outcome;

impl Comparison<'_> {
    /// Where the best that a choice has so far lies at an edge of the grid, trains what lies a step
    /// beyond, up to as many epochs, for that choice to choose from: no other is told.
    pub(super) fn step_beyond(
        &self,
        method: &Method,
        recipes: &mut Vec<Recipe>,
        runs: &mut [SeedRun],
        stop_after: Option<usize>,
        progress: &(dyn Fn(usize) + Sync),
    ) -> Result<()> {
        let steps = self.effort.steps_beyond();
        if steps == 0 || !self.selection.rule().searches() {
            return Ok(());
        }
        let mut wanted = vec![BTreeSet::new(); runs.len()];
        for (run, wanted) in runs.iter_mut().zip(&mut wanted) {
            for (choice, kept) in &mut run.kept {
                let pick = choice.pick(kept, &run.outcomes, recipes, &run.samples);
                let beyond = pick.map(|pick| method.beyond(&recipes[pick.trial], steps));
                for recipe in beyond.into_iter().flatten() {
                    let known = recipes.iter().position(|known| *known == recipe);
                    let trial = known.unwrap_or_else(|| {
                        recipes.push(recipe);
                        recipes.len() - 1
                    });
                    if !kept.contains(&trial) {
                        kept.push(trial);
                        wanted.insert(trial);
                    }
                }
            }
        }
        for run in runs.iter_mut() {
            run.outcomes.resize_with(recipes.len(), Outcome::untrained);
        }
        // What another choice has had trained already may be there, but not as far.
        let missing = |(run, wanted): (&SeedRun, BTreeSet<usize>)| {
            let far = |trial: usize| match &recipes[trial] {
                recipe if recipe.has_course() => stop_after.unwrap_or(recipe.sgd.epochs),
                _ => 0,
            };
            let missing = |&trial: &usize| run.outcomes[trial].hits.len() <= far(trial);
            wanted.into_iter().filter(missing).collect()
        };
        let wanted: Vec<Vec<usize>> = runs.iter().zip(wanted).map(missing).collect();
        if wanted.iter().all(Vec::is_empty) {
            return Ok(());
        }
        self.train_more(recipes, runs, (wanted, stop_after), progress)
    }
}
