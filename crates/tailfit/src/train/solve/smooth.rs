//! The softmax family to a certified optimum, along weight decays, many heads to a pass.
//!
//! With Cₖ the weighted sum of the features of class k, the targets of a loss enter its objective
//! only through the linear term ⟨W, T⟩, T = (1 − s) C + (s / K) Σ C, so one pass of plain
//! cross-entropy serves every smoothing. With a bias that is not decayed, an offset added to the
//! logits only shifts the bias: every τ of balanced softmax has one and the same W.

use super::Solved;
use super::lbfgs::Curvature;
use super::pass::{Point, Sums, evaluate};
use super::walk::Walk;
use crate::class_weights::Mean;
use crate::error::{Error, Result};
use crate::losses::{AnyLoss, CrossEntropy, Objective, PerClass};
use crate::real::Real;
use crate::train::Trial;
use crate::train::problem::Seen;

/// Weight decays that every search comes down by, whatever it was asked for: 1, 10^-½, 10^-1 and
/// so on. So a solution does not depend on what else is solved.
fn rung(number: usize) -> f64 {
    10_f64.powf(-0.5 * number as f64)
}

/// The last rung before weight decay 0.
const RUNGS: usize = 15;

/// One objective but for its weight decay.
pub(super) struct Chain<R> {
    pub(super) objective: Objective<R>,
    pub(super) divisor: f64,
    pub(super) class_weights: Vec<f64>,
    pub(super) smoothing: Vec<f64>,
    pub(super) offset: Vec<f64>,
    pub(super) decay_bias: bool,
    pub(super) gap: f64,
    pub(super) mean: Mean,
    /// Weight decays to solve, large to small; whether it is a rung; the trials that ask for it.
    pub(super) stages: Vec<(f64, bool, Vec<usize>)>,
}

pub(super) fn solve<R: Real>(
    seen: &Seen<'_, R>,
    trials: &[&Trial],
    progress: &(dyn Fn(usize) + Sync),
) -> Result<Vec<Solved>> {
    let mut chains: Vec<Chain<R>> = Vec::new();
    for (index, trial) in trials.iter().enumerate() {
        let chain = Chain::new(seen, trial)?;
        let known = chains.iter().position(|other| other.is_same(&chain));
        let at = known.unwrap_or_else(|| {
            chains.push(chain);
            chains.len() - 1
        });
        chains[at].ask(trial.recipe.weight_decay, index);
    }
    let mut all_sums: Vec<(Vec<f64>, Sums, Curvature)> = Vec::new();
    for chain in &mut chains {
        chain.add_rungs();
        if !all_sums.iter().any(|(weights, ..)| *weights == chain.class_weights) {
            let sums = Sums::new(seen, &chain.class_weights)?;
            let curvature = Curvature::new(&sums).ok_or_else(not_finite)?;
            all_sums.push((chain.class_weights.clone(), sums, curvature));
        }
    }
    let sums = |chain: &Chain<R>| {
        let found = all_sums.iter().find(|(weights, ..)| *weights == chain.class_weights);
        found.map(|(_, sums, curvature)| (sums, curvature)).expect("made for every chain")
    };
    let mut walks: Vec<Walk<'_, R>> =
        chains.iter().map(|chain| Walk::new(chain, sums(chain), seen)).collect();
    let mut solved: Vec<Option<Solved>> = trials.iter().map(|_| None).collect();
    loop {
        let mut active: Vec<&mut Walk<'_, R>> =
            walks.iter_mut().filter(|walk| walk.stage < walk.chain.stages.len()).collect();
        if active.is_empty() {
            break;
        }
        let points: Vec<Point> = active.iter().map(|walk| walk.descent.candidate()).collect();
        let heads: Vec<(&Objective<R>, &Point, f64)> = active
            .iter()
            .zip(&points)
            .map(|(walk, point)| (&walk.chain.objective, point, walk.chain.divisor))
            .collect();
        let evaluations = evaluate(seen, &heads)?;
        for ((walk, point), evaluation) in active.iter_mut().zip(points).zip(evaluations) {
            walk.take(point, evaluation.value, evaluation.grad, seen, trials, &mut |i, one| {
                solved[i] = Some(one);
                progress(1);
            });
        }
    }
    Ok(solved.into_iter().map(|one| one.expect("every trial has a stage")).collect())
}

impl<R: Real> Chain<R> {
    fn new(seen: &Seen<'_, R>, trial: &Trial) -> Result<Self> {
        let (recipe, counts) = (&trial.recipe, seen.problem.counts);
        let Some(PerClass { scale, offset, margin, smoothing, .. }) = recipe.loss.family(counts)
        else {
            return Err(not_solvable(recipe.loss));
        };
        if scale.iter().any(|&s| s != 1.0) || margin.iter().any(|&m| m != 0.0) {
            return Err(not_solvable(recipe.loss));
        }
        let class_weights = recipe.class_weights.weights(counts);
        let n = seen.problem.labels.len() as f64;
        let total = seen.problem.labels.iter().map(|&y| class_weights[y as usize]).sum();
        let divisor = if recipe.mean == Mean::ByBatch { n } else { total };
        // Without decay an offset is a shift of the bias, put back at the end.
        let free = !recipe.decay_bias;
        let solved_with = if free { vec![0.0; offset.len()] } else { offset };
        let family =
            PerClass { offset: solved_with.clone(), ..PerClass::neutral(counts.n_classes()) };
        let loss = AnyLoss::CrossEntropy(CrossEntropy {});
        Ok(Self {
            objective: Objective::of_family(loss, &family, class_weights.clone()),
            divisor: divisor * seen.problem.views.len() as f64,
            class_weights,
            smoothing,
            offset: solved_with,
            decay_bias: recipe.decay_bias,
            gap: recipe.gap,
            mean: recipe.mean,
            stages: vec![],
        })
    }

    fn is_same(&self, other: &Self) -> bool {
        self.class_weights == other.class_weights
            && self.smoothing == other.smoothing
            && self.offset == other.offset
            && (self.decay_bias, self.gap, self.mean) == (other.decay_bias, other.gap, other.mean)
    }

    fn ask(&mut self, weight_decay: f64, trial: usize) {
        match self.stages.iter_mut().find(|stage| stage.0 == weight_decay) {
            Some(stage) => stage.2.push(trial),
            None => self.stages.push((weight_decay, false, vec![trial])),
        }
    }

    /// Completes the stages by the rungs above the smallest and puts them in order.
    fn add_rungs(&mut self) {
        let smallest = self.stages.iter().map(|stage| stage.0).fold(f64::INFINITY, f64::min);
        for number in 0..RUNGS {
            let decay = rung(number);
            let near = |stage: &&mut (f64, bool, Vec<usize>)| (stage.0 / decay - 1.0).abs() < 1e-9;
            if let Some(stage) = self.stages.iter_mut().find(near) {
                stage.1 = true;
            } else if decay > smallest {
                self.stages.push((decay, true, vec![]));
            }
        }
        self.stages.sort_by(|a, b| b.0.total_cmp(&a.0));
    }

    /// What is decayed by how much: weights, bias.
    pub(super) fn decay(&self, weight_decay: f64) -> [f64; 2] {
        [weight_decay, if self.decay_bias { weight_decay } else { 0.0 }]
    }
}

fn not_finite() -> Error {
    Error::data(
        "training features",
        "a covariance with an eigendecomposition",
        "numbers that are not finite or far too large",
        "scale the features, such as to unit variance",
    )
}

fn not_solvable(loss: AnyLoss) -> Error {
    let expected = "a loss of the softmax family without scales and margins: cross-entropy, \
                    balanced-softmax, label-over-smoothing";
    Error::usage("solver `lbfgs`", expected, loss.name(), "train it with solver = \"sgd\"")
}
