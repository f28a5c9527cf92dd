//! Re-training heads: many at once, in one pass over the features and one visible loop.

mod area;
mod average;
mod batches;
mod fit;
mod item;
mod learned;
mod plan;
mod problem;
mod scoring;
mod seen;
mod solve;
mod stack;
mod stage_1;
#[cfg(test)]
mod tests;
mod transform;

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

#[cfg(test)]
pub(crate) use self::area::add_areas;
pub use self::fit::{Fit, Fitted, fit};
use self::plan::Plan;
#[cfg(test)]
pub(crate) use self::problem::View;
pub(crate) use self::problem::{Problem, ScoredSet};
pub(crate) use self::solve::{Known, NOTHING};
pub use self::stage_1::{train_stage_1, train_stage_1_until};
use crate::error::{Error, Result};
use crate::features::DataSet;
use crate::head::{Head, Start};
use crate::kernels::Precision;
use crate::metrics::{ClassTally, PerSet};
use crate::numbers::Real;
use crate::recipe::{Recipe, Sampler, Solver};

/// The smallest gap that f32 resolves.
const SMALLEST_GAP: f64 = 1e-6;

/// One recipe with one seed and concrete hyper-parameters.
#[derive(Clone, Debug, PartialEq)]
pub struct Trial {
    /// The recipe to train with.
    pub recipe: Recipe,
    /// Determines batch order, random starts and the halves of the scored sets.
    pub seed: u64,
    /// Stop after this many epochs of the recipe's schedule; if `None`, train all of them.
    pub stop_after: Option<usize>,
}

impl Trial {
    /// Number of epochs trained.
    fn epochs(&self) -> usize {
        let all = self.recipe.course();
        self.stop_after.unwrap_or(all).min(all)
    }
}

/// The result of a trial.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// Mean training loss of each epoch, measured before each step.
    pub train_loss: Vec<f64>,
    /// Hits after each scored epoch: the start (epoch 0) and every epoch, or only the last (see
    /// [`Options::score_every_epoch`]).
    pub hits: Vec<PerSet<ClassTally>>,
    /// The final head: folded, normalised, adjusted, and rounded to f32 if it was trained in
    /// f32.
    pub head: Head,
    /// How the optimum was reached, for solvers that reach it.
    pub solution: Option<Solution>,
}

impl Outcome {
    /// That of a trial which was not trained.
    pub(crate) fn untrained() -> Self {
        Self { train_loss: vec![], hits: vec![], head: Head::zeros(0, 0), solution: None }
    }

    /// Number of epochs before the loss stopped being a finite number: all of them unless training
    /// diverged. Only where every epoch was scored.
    pub fn finite_epochs(&self) -> usize {
        let finite = self.train_loss.iter().take_while(|loss| loss.is_finite()).count();
        if finite < self.train_loss.len() { finite } else { self.hits.len() - 1 }
    }
}

/// What a solver reports about its solution.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Solution {
    /// Certified bound on (F − min F) / (F − F₀), with F₀ the entropy of the targets, a lower bound
    /// on any loss; `None` without weight decay, where no bound exists.
    pub gap: Option<f64>,
    /// Passes over the training features, including those at the larger weight decays on the way.
    pub passes: usize,
}

/// How trials are trained: progress reports, scoring and precision.
#[derive(Clone, Copy)]
pub struct Options<'a> {
    /// Called after every epoch of a work item with the number of head-epochs just completed.
    pub progress: &'a (dyn Fn(usize) + Sync),
    /// Whether to score after every epoch or only after the last.
    pub score_every_epoch: bool,
    /// Whether outcomes keep their heads, 8 K D bytes each; else [`Outcome::head`] has no classes.
    pub keep_heads: bool,
    /// Number format of the matrix products.
    pub precision: Precision,
    /// Called after every pass of a solver over the features with what it took.
    pub on_pass: &'a (dyn Fn(PassTimes) + Sync),
    /// Set, from anywhere, to end training soon: after a few batches, or a pass of a solver.
    pub stop: &'a AtomicBool,
}

/// What the parts of a solver's pass took. Where the logits of all samples would need more than 1 GiB,
/// they are multiplied again in every later part.
#[derive(Clone, Copy, Debug, Default)]
pub struct PassTimes {
    /// The products of features and weights.
    pub logits: Duration,
    /// The sweeps over the logits in which the best bias is sought.
    pub bias: Duration,
    /// Loss and gradient at the logits, and the products of gradient and features.
    pub gradient: Duration,
}

/// A stop that is never set.
pub(crate) static NEVER: AtomicBool = AtomicBool::new(false);

impl Options<'_> {
    /// An error once training is to end.
    fn go_on(&self) -> Result<()> {
        if self.stop.load(Ordering::Relaxed) { Err(Error::Stopped) } else { Ok(()) }
    }
}

impl Default for Options<'_> {
    /// No progress reports, every epoch scored, heads kept, single precision, never stopped.
    fn default() -> Self {
        let precision = Precision::F32;
        let (score_every_epoch, keep_heads) = (true, true);
        Self {
            progress: &|_| {},
            score_every_epoch,
            keep_heads,
            precision,
            on_pass: &|_| {},
            stop: &NEVER,
        }
    }
}

/// Trains all trials and scores them on the test set, and on the validation set if there is one.
/// A trial's result is bit-identical for any number of threads and whatever other trials are
/// trained with it.
///
/// ```
/// use tailfit::features::DataSet;
/// use tailfit::metrics::TestPart;
/// use tailfit::train::{Options, Trial, train};
///
/// let data = DataSet::embedded(Default::default())?;
/// let mut recipe = tailfit::methods::find("balanced-softmax")?.recipe;
/// recipe.sgd.epochs = 1;
/// let trial = Trial { recipe, seed: 0, stop_after: None };
/// let outcomes = train(&data, &[trial], &Options::default())?;
/// let hits: u32 = outcomes[0].hits[1].test.in_part(TestPart::All).iter().sum();
/// assert!(hits > 4000, "{hits} of 10,000 after one epoch");
/// # Ok::<(), tailfit::error::Error>(())
/// ```
///
/// # Errors
///
/// If a recipe is invalid, needs a stage-1 head where there is none, features left in their file can
/// no longer be read, or training was stopped.
pub fn train(data: &DataSet, trials: &[Trial], options: &Options<'_>) -> Result<Vec<Outcome>> {
    train_knowing(data, &NOTHING, trials, options)
}

/// As [`train`], with what earlier trials on the very same data left for further ones: the outcomes are
/// the same.
pub(crate) fn train_knowing(
    data: &DataSet,
    known: &Known,
    trials: &[Trial],
    options: &Options<'_>,
) -> Result<Vec<Outcome>> {
    train_on(&Problem { known, ..Problem::of(data, true)? }, trials, options)
}

/// As [`train`], in double precision throughout: for small problems, several times slower, and with
/// heads that are not rounded to f32. [`Solver::Lbfgs`] here reaches gaps far below 1e-6, down to
/// gradients of 1e-10, so that the same problem put in another way has the same answer.
///
/// # Errors
///
/// As for [`train`].
pub fn train_in_f64(
    data: &DataSet,
    trials: &[Trial],
    options: &Options<'_>,
) -> Result<Vec<Outcome>> {
    train_on(&Problem::of(data, true)?.widened(), trials, options)
}

/// As [`train`], in the number type of the problem. Trials that share their batches form work
/// items, which are spread over the threads of the current rayon pool; if there are fewer items
/// than threads, individual steps are spread instead.
pub(crate) fn train_on<R: Real>(
    problem: &Problem<'_, R>,
    trials: &[Trial],
    options: &Options<'_>,
) -> Result<Vec<Outcome>> {
    options.go_on()?;
    if trials.iter().any(|trial| trial.recipe.is_average()) {
        return average::train(problem, trials, options);
    }
    for trial in trials {
        check(problem, &trial.recipe)?;
    }
    let plan = Plan::new(problem, trials)?;
    let kept = |mut outcomes: Vec<Outcome>| {
        if !options.keep_heads {
            for outcome in &mut outcomes {
                outcome.head = Head::zeros(0, 0);
            }
        }
        outcomes
    };
    let solved = plan.solved.iter().map(|group| {
        let trials: Vec<&Trial> = group.trials.iter().map(|&i| &trials[i]).collect();
        solve::solve(plan.seen(group.seen), group.solver, &trials, options).map(kept)
    });
    let mut outcomes = solved.collect::<Result<Vec<_>>>()?;
    let items = plan.items.par_iter().map(|item| {
        let trials: Vec<&Trial> = item.trials.iter().map(|&i| &trials[i]).collect();
        item::train_item(plan.seen(item.seen), &trials, options, plan.split).map(kept)
    });
    outcomes.extend(items.collect::<Result<Vec<_>>>()?);
    Ok(plan.in_order(outcomes))
}

fn check<R: Real>(problem: &Problem<'_, R>, recipe: &Recipe) -> Result<()> {
    recipe.check()?;
    if R::SINGLE && recipe.solver == Solver::Lbfgs && recipe.gap < SMALLEST_GAP {
        let expected = "a number >= 1e-6, the resolution of f32";
        return Err(Error::usage("gap", expected, recipe.gap, ""));
    }
    let by_class = recipe.sampler != Sampler::InstanceBalanced;
    if by_class && problem.weights.iter().any(|&weight| weight != 1.0) {
        let expected = "`instance-balanced` for samples with weights";
        let remedy = "a sampler decides by itself how often a sample counts: leave out one of them";
        return Err(Error::usage("sampler", expected, "another", remedy));
    }
    if (recipe.start == Start::ClassVectors || recipe.zero_shot.is_some())
        && problem.class_vectors.is_none()
    {
        let expected = "a vector for each class, as of a text encoder";
        return Err(Error::usage("recipe", expected, "none", "").answered_by("class_vectors"));
    }
    let given_divides = recipe.start == Start::Stage1
        && problem.stage_1.is_some_and(|head| head.normalise_features);
    if recipe.zero_shot.is_some()
        && !recipe.head.rules().normalises_features
        && !given_divides
        && !problem.has_unit_norms()?
    {
        let expected = "features of norm 1, on which the zero-shot head is linear";
        let remedy = "divide them by their norms, as the encoder's similarity does";
        return Err(Error::data("training features", expected, "others", remedy));
    }
    if let Some(given) = problem.stage_1.filter(|_| recipe.start == Start::Stage1)
        && (given.gate.is_some() || given.centre.is_some())
    {
        let expected = "a head without a gate or a centre, from which others can start";
        let found = if given.gate.is_some() { "one with a gate" } else { "one with a centre" };
        let remedy = "give the head that the network was trained with";
        return Err(Error::data("head", expected, found, remedy).answered_by("head"));
    }
    let needs_head = recipe.start == Start::Stage1
        || recipe.constraint.is_some_and(|constraint| constraint.radius.is_none());
    if needs_head && problem.stage_1.is_none() {
        return Err(Error::usage(
            "recipe",
            "a stage-1 head, from which it starts or takes the MaxNorm radius",
            "none",
            "give the head, or set start = \"random\" and constraint.radius",
        )
        .answered_by("head"));
    }
    Ok(())
}
