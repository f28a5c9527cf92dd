//! A chain: one objective at several weight decays.

use std::sync::Arc;

use ndarray::{Array1, Array2};

use super::curvature::Point;
use super::state::Rung;
use crate::error::{Error, Result};
use crate::head::Head;
use crate::kernels::PerClass;
use crate::losses::{AnyLoss, BatchLoss, CrossEntropy, Mean, is_solvable};
use crate::numbers::Real;
use crate::train::Trial;
use crate::train::seen::Seen;

/// The weight decays that every search steps down through, whatever was asked for: 10^-1, 10^-1½,
/// 10^-2 and so on, each only to [`ON_THE_WAY`]. A solution therefore does not depend on what else
/// is solved, and the way to a single one costs what starting from zero would.
fn rung(number: i32) -> f64 {
    // Powers of ten as they are written.
    if number % 2 == 0 {
        1.0 / 10_f64.powi(number / 2)
    } else {
        10_f64.powf(-0.5 * f64::from(number))
    }
}

/// Rungs: from 10^-1, above which any search is short, down to 10^-7.
const RUNGS: std::ops::RangeInclusive<i32> = 2..=14;

/// The gap at which a rung is left for the next: a close start is worth no more.
const ON_THE_WAY: f64 = 0.3;

/// The finest gap that the differences of values resolve in double precision.
pub(super) const FINEST: f64 = 1e-10;

/// One objective, except for its weight decay, and the weight decays it is solved at.
pub(super) struct Chain<R> {
    pub(super) form: Form,
    pub(super) objective: BatchLoss<R>,
    pub(super) divisor: f64,
    gap: f64,
    /// Where it starts, if an earlier one came down to there: a rung above none of its weight decays.
    pub(super) start: Option<Arc<Rung>>,
    /// Sorted from large to small weight decay.
    pub(super) stages: Vec<Stage>,
}

/// All that an objective depends on, but for its weight decay and the data.
#[derive(Clone, PartialEq)]
pub(super) struct Form {
    pub(super) class_weights: Vec<f64>,
    pub(super) smoothing: Vec<f64>,
    pub(super) offset: Vec<f64>,
    /// Factors on the logits, and what is subtracted from the label's.
    pub(super) scale: Vec<f64>,
    pub(super) margin: Vec<f64>,
    decay_bias: bool,
    mean: Mean,
}

/// A weight decay on the way down.
pub(super) struct Stage {
    pub(super) weight_decay: f64,
    /// Whether later stages start from this one.
    pub(super) is_rung: bool,
    /// Indices of the trials that ask for it.
    pub(super) asked_by: Vec<usize>,
}

impl<R: Real> Chain<R> {
    pub(super) fn new(seen: &Seen<'_, R>, trial: &Trial) -> Result<Self> {
        let (recipe, counts) = (&trial.recipe, seen.problem.counts);
        let cost = &recipe.cost;
        let family = cost.loss.family(counts).filter(is_solvable);
        let Some(PerClass { offset, smoothing, scale, margin, .. }) = family else {
            return Err(not_solvable(cost.loss));
        };
        let class_weights = cost.class_weights.weights(counts);
        let n = seen.problem.labels.len() as f64;
        let divisor = match cost.mean {
            Mean::ByBatch => n,
            Mean::ByWeight => seen.problem.weights_with(&class_weights).sum(),
        };
        // If the bias is not decayed, an offset only shifts it; the shift is undone at the end.
        let free = !recipe.decay_bias;
        let solved_with = if free { vec![0.0; offset.len()] } else { offset };
        let family =
            PerClass { offset: solved_with.clone(), ..PerClass::neutral(counts.n_classes()) };
        let loss = AnyLoss::CrossEntropy(CrossEntropy {});
        let form = Form {
            class_weights: class_weights.clone(),
            smoothing,
            offset: solved_with,
            scale,
            margin,
            decay_bias: recipe.decay_bias,
            mean: cost.mean,
        };
        let rung = seen.problem.known.rung(seen.how, &form);
        Ok(Self {
            start: rung.filter(|rung| recipe.sgd.weight_decay <= rung.weight_decay),
            form,
            objective: BatchLoss::of_family(loss, &family, class_weights),
            divisor: divisor * seen.problem.views.len() as f64,
            gap: recipe.gap,
            stages: vec![],
        })
    }

    pub(super) fn is_same(&self, other: &Self) -> bool {
        let starts_at = |chain: &Self| chain.start.as_ref().map(|rung| rung.weight_decay);
        self.form == other.form && self.gap == other.gap && starts_at(self) == starts_at(other)
    }

    pub(super) fn ask(&mut self, weight_decay: f64, trial: usize) {
        match self.stages.iter_mut().find(|stage| stage.weight_decay == weight_decay) {
            Some(stage) => stage.asked_by.push(trial),
            None => {
                self.stages.push(Stage { weight_decay, is_rung: false, asked_by: vec![trial] });
            }
        }
    }

    /// Adds the rungs down to the smallest weight decay, and sorts the stages: at each weight decay
    /// the rung, from which what was asked for goes on.
    pub(super) fn add_rungs(&mut self) {
        let smallest =
            self.stages.iter().map(|stage| stage.weight_decay).fold(f64::INFINITY, f64::min);
        for weight_decay in RUNGS.map(rung).filter(|&decay| decay >= smallest) {
            self.stages.push(Stage { weight_decay, is_rung: true, asked_by: vec![] });
        }
        self.stages.sort_by(|a, b| {
            let by_decay = b.weight_decay.total_cmp(&a.weight_decay);
            by_decay.then(b.is_rung.cmp(&a.is_rung))
        });
    }

    /// The gap to be reached at a stage.
    pub(super) fn gap_of(&self, stage: &Stage) -> f64 {
        if stage.is_rung { ON_THE_WAY } else { self.gap.max(FINEST) }
    }

    /// The head of a trial whose loss adds `offset`, from what the chain solved: a bias that does
    /// not decay takes up the offset, and loses the shift that all scaled logits share, as the smallest
    /// decay would have it.
    pub(super) fn head(&self, weight: &Point, bias: &[f64], offset: Option<Vec<f64>>) -> Head {
        let (d, k) = (weight.nrows(), bias.len());
        let mut bias = Array1::from(bias.to_vec());
        if !self.form.decay_bias {
            let scale = Array1::from(self.form.scale.clone());
            bias -= &(Array1::from(offset.unwrap_or_else(|| vec![0.0; k])) / &scale);
            let shift = (&bias / &scale).sum() / scale.iter().map(|s| 1.0 / (s * s)).sum::<f64>();
            bias -= &(shift / scale);
        }
        let weight = Array2::from_shape_fn((k, d), |(c, j)| weight[(j, c)]);
        Head::linear(weight, bias)
    }

    /// Decay of the weights and of the bias.
    pub(super) fn decay(&self, weight_decay: f64) -> [f64; 2] {
        [weight_decay, if self.form.decay_bias { weight_decay } else { 0.0 }]
    }
}

fn not_solvable(loss: AnyLoss) -> Error {
    let expected = "a loss of the softmax family whose scales are at least 1e-30, such as cross-entropy, \
                    balanced-softmax, label-over-smoothing, vector-scaling, ldam";
    Error::usage("solver `lbfgs`", expected, loss.name(), "train it with solver = \"sgd\"")
}
