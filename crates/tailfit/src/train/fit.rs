//! One head from features alone, without anything to score.

use super::{Options, Outcome, Problem, Trial, train_on, train_stage_1_until};
use crate::class_counts::ClassCounts;
use crate::error::{Error, Result, diverged};
use crate::features::{DataSet, Features, HeadFile};
use crate::recipe::{Recipe, Solver};
use crate::shots::ShotThresholds;

/// What [`fit`] is told.
#[derive(Clone, Debug, Default)]
pub struct Fit {
    /// The recipe to train with.
    pub recipe: Recipe,
    /// The head it starts from, if it starts from one; trained first if it does and there is none.
    pub stage_1: Option<HeadFile>,
    /// A weight for each class in the loss, `[K]`, beside what the recipe does itself; priors do not
    /// see it.
    pub class_weight: Option<Vec<f64>>,
    /// Determines batch order and random starts.
    pub seed: u64,
    /// Whether solvers work in double precision, as for [`train_in_f64`](super::train_in_f64); the head
    /// then is not rounded to f32. SGD is in single precision all the same, unless its head is averaged with that
    /// of a solver.
    pub double: bool,
}

/// What [`fit`] returns.
#[derive(Clone, Debug)]
pub struct Fitted {
    /// The trained head and how it was reached; it has no hits.
    pub outcome: Outcome,
    /// Training samples per class.
    pub counts: ClassCounts,
}

/// Trains one recipe on features: what an estimator does.
///
/// ```
/// use ndarray::array;
/// use tailfit::{features::Features, methods, train::{Fit, fit}};
///
/// let features = Features::new(array![[1.0, 0.0], [0.9, 0.1], [0.0, 1.0]], vec![0, 0, 1])?;
/// let recipe = methods::find("lr-balanced")?.recipe;
/// let how = Fit { recipe, double: true, ..Fit::default() };
/// let fitted = fit(features, how, &Default::default())?;
/// assert_eq!(fitted.outcome.head.weight.dim(), (2, 2));
/// # Ok::<(), tailfit::error::Error>(())
/// ```
///
/// # Errors
///
/// If a class has no samples, class weights are not K numbers above 0, the recipe is invalid
/// or does not suit the features, or training was stopped or diverged.
pub fn fit(features: Features, how: Fit, options: &Options<'_>) -> Result<Fitted> {
    let Fit { recipe, stage_1, class_weight, seed, double } = how;
    let options = Options { score_every_epoch: false, ..*options };
    // A data set has something to test on; it is never looked at.
    let nothing = features.nothing();
    let thresholds = ShotThresholds::default();
    let mut data = DataSet::new("fit", features, nothing, None, stage_1, thresholds)?;
    if recipe.starts_from_stage_1() && data.stage_1.is_none() {
        train_stage_1_until(&mut data, options.stop)?;
    }
    let mut problem = Problem::of(&data, false)?;
    if let Some(of_class) = class_weight {
        let k = data.counts.n_classes();
        if of_class.len() != k || of_class.iter().any(|w| !(w.is_finite() && *w > 0.0)) {
            let expected = format!("{k} finite numbers above 0");
            return Err(Error::usage("class weights", expected, format!("{of_class:?}"), ""));
        }
        let weights: Vec<f64> = problem.weights_with(&of_class).collect();
        let mean = weights.iter().sum::<f64>() / weights.len() as f64;
        problem.weights = weights.into_iter().map(|weight| weight / mean).collect();
    }
    let double = double && recipe.solver != Solver::Sgd;
    let trials = [Trial { recipe, seed, stop_after: None }];
    let mut outcomes = if double {
        train_on(&problem.widened(), &trials, &options)?
    } else {
        train_on(&problem, &trials, &options)?
    };
    let outcome = outcomes.remove(0);
    if outcome.head.is_finite() {
        Ok(Fitted { outcome, counts: data.counts })
    } else {
        Err(diverged())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::methods;
    use ndarray::array;

    /// Only ratios of class weights count, priors do not see them, and a larger one draws predictions.
    #[test]
    fn class_weights_are_relative_and_of_the_loss_alone() {
        let features = || {
            let x =
                array![[1.0, 0.2], [0.8, -0.1], [0.3, 0.4], [-0.2, 0.9], [0.1, 1.1], [0.6, 0.5]];
            Features::new(x, vec![0, 0, 0, 1, 1, 1]).unwrap()
        };
        let recipe = methods::find("balanced-softmax-converged").unwrap().recipe;
        let recipe = recipe.with("gap", &1e-12.into()).unwrap();
        let with = |class_weight: Option<Vec<f64>>| {
            let how = Fit { recipe: recipe.clone(), class_weight, double: true, ..Fit::default() };
            fit(features(), how, &Options::default()).unwrap()
        };
        let (one, ten) = (with(Some(vec![1.0, 3.0])), with(Some(vec![10.0, 30.0])));
        let difference = &one.outcome.head.weight - &ten.outcome.head.weight;
        assert!(difference.iter().all(|d| d.abs() < 1e-7), "{difference}");
        let plain = with(None).outcome.head;
        assert!(one.outcome.head.bias[1] > plain.bias[1] + 0.1);
        let zero = Fit { recipe, class_weight: Some(vec![0.0, 1.0]), ..Fit::default() };
        assert!(fit(features(), zero, &Options::default()).is_err());
    }
}
