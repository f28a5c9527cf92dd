//! Heads side by side: one set of weights `[D, H·K]`, one batch for all.

use ndarray::Array1;

use super::columns::{Steps, add_row, column_norms, column_sums, scale_columns, sgd};
use super::finish::write_head;
use super::{Problem, Trial, start};
use crate::constraint::Every;
use crate::head::{Head, HeadKind};
use crate::kernels;
use crate::losses::{Batch, Objective};
use crate::real::Real;

/// H heads of one kind that see the same batches. Column h·K + k belongs to class k of
/// head h, and has its own learning rate, weight decay and momentum.
pub(super) struct Stack<'a, R: Real> {
    pub(super) problem: &'a Problem<'a, R>,
    pub(super) trials: &'a [&'a Trial],
    objectives: Vec<[Objective<R>; 2]>,
    radius: Vec<Option<f64>>,
    /// Weight and its momentum, `[D, C]`.
    pub(super) weight: Params<R>,
    /// Bias and its momentum, `[1, C]`.
    pub(super) bias: Params<R>,
    /// Scale of a [`HeadKind::Scaled`] head and its momentum, `[1, C]`.
    pub(super) scale: Params<R>,
    pub(super) grad: Vec<R>,
    lr: Vec<R>,
    momentum: Vec<R>,
    decay: Vec<R>,
    bias_decay: Vec<R>,
    epoch: usize,
    pub(super) buffers: Buffers<R>,
}

pub(super) struct Params<R> {
    pub(super) value: Vec<R>,
    velocity: Vec<R>,
}

impl<R: Real> Params<R> {
    fn new(value: Vec<R>) -> Self {
        Self { velocity: vec![R::ZERO; value.len()], value }
    }
}

/// Scratch of one batch.
#[derive(Default)]
pub(super) struct Buffers<R> {
    x: Vec<R>,
    labels: Vec<u32>,
    /// Logits, then their gradient, `[B, C]`.
    z: Vec<R>,
    /// Logits before the loss, where the gradient needs them, `[B, C]`.
    logits: Vec<R>,
    pub(super) sums: Vec<R>,
    factor: Vec<R>,
    column_decay: Vec<R>,
}

impl<'a, R: Real> Stack<'a, R> {
    pub(super) fn new(problem: &'a Problem<'a, R>, trials: &'a [&'a Trial]) -> Self {
        let n_classes = problem.counts.n_classes();
        let c = trials.len() * n_classes;
        let per_column = |value: &dyn Fn(&Trial) -> f64| -> Vec<R> {
            trials
                .iter()
                .flat_map(|trial| std::iter::repeat_n(R::from_f64(value(trial)), n_classes))
                .collect()
        };
        let norms = problem.stage_1.map(Head::weight_norms);
        let mut stack = Self {
            problem,
            trials,
            objectives: trials.iter().map(|trial| objectives(problem, trial)).collect(),
            radius: trials
                .iter()
                .map(|t| {
                    t.recipe.constraint.map(|rule| rule.radius(norms.as_deref().unwrap_or(&[1.0])))
                })
                .collect(),
            weight: Params::new(vec![R::ZERO; problem.dim * c]),
            bias: Params::new(vec![R::ZERO; c]),
            scale: Params::new(vec![R::ONE; c]),
            grad: vec![R::ZERO; problem.dim * c],
            lr: vec![R::ZERO; c],
            momentum: per_column(&|t| t.recipe.momentum),
            decay: per_column(&|t| t.recipe.weight_decay),
            bias_decay: per_column(&|t| {
                if t.recipe.decay_bias { t.recipe.weight_decay } else { 0.0 }
            }),
            epoch: 0,
            buffers: Buffers {
                sums: vec![R::ZERO; c],
                factor: vec![R::ZERO; c],
                column_decay: vec![R::ZERO; c],
                ..Buffers::default()
            },
        };
        for (h, trial) in trials.iter().enumerate() {
            let head =
                start::head(&trial.recipe, problem.stage_1, trial.seed, n_classes, problem.dim);
            let bias =
                if stack.cosine_scale(h).is_some() { Array1::zeros(n_classes) } else { head.bias };
            write_head(&mut stack.weight.value, &mut stack.bias.value, h, &head.weight, &bias);
        }
        stack
    }

    pub(super) fn columns(&self) -> usize {
        self.lr.len()
    }

    pub(super) fn n_classes(&self) -> usize {
        self.problem.counts.n_classes()
    }

    fn cosine_scale(&self, h: usize) -> Option<f64> {
        match self.trials[h].recipe.head {
            HeadKind::Cosine { scale } => Some(scale),
            _ => None,
        }
    }

    /// Sets the learning rates of `epoch`.
    pub(super) fn begin_epoch(&mut self, epoch: usize) {
        self.epoch = epoch;
        let n_classes = self.n_classes();
        for (trial, lr) in self.trials.iter().zip(self.lr.chunks_exact_mut(n_classes)) {
            let recipe = &trial.recipe;
            lr.fill(R::from_f64(recipe.lr * recipe.schedule.factor(epoch, recipe.epochs)));
        }
    }

    /// One SGD step of every head on the samples `rows` of `view`. Adds each head's
    /// batch loss times the batch size to `loss_sums`.
    pub(super) fn step(&mut self, view: &[R], rows: &[u32], loss_sums: &mut [f64]) {
        let (b, d, c) = (rows.len(), self.problem.dim, self.columns());
        self.gather(view, rows);
        let kind = self.trials[0].recipe.head;
        self.buffers.z.resize(b * c, R::ZERO);
        kernels::product(&mut self.buffers.z, &self.buffers.x, &self.weight.value, b, d, c);
        self.logits(kind);

        let n_classes = self.n_classes();
        for (h, objectives) in self.objectives.iter().enumerate() {
            let deferred = self.epoch < self.trials[h].recipe.defer_weights_to_epoch;
            let value = objectives[usize::from(!deferred)].apply(Batch {
                logits: &mut self.buffers.z,
                start: h * n_classes,
                stride: c,
                labels: &self.buffers.labels,
            });
            loss_sums[h] += value * b as f64;
        }
        self.descend(kind, b);
        self.project(Every::Step);
    }

    fn gather(&mut self, view: &[R], rows: &[u32]) {
        let d = self.problem.dim;
        self.buffers.x.clear();
        self.buffers.labels.clear();
        for &row in rows {
            let first = row as usize * d;
            self.buffers.x.extend_from_slice(&view[first..first + d]);
            self.buffers.labels.push(self.problem.labels[row as usize]);
        }
    }

    /// From products X Wᵀ to the logits of the head kind.
    fn logits(&mut self, kind: HeadKind) {
        let buffers = &mut self.buffers;
        match kind {
            HeadKind::Linear => add_row(&mut buffers.z, &self.bias.value),
            HeadKind::Cosine { .. } => {
                column_norms(&mut buffers.sums, &self.weight.value);
                let n_classes = self.problem.counts.n_classes();
                for (column, factor) in buffers.factor.iter_mut().enumerate() {
                    let norm = buffers.sums[column].larger(R::from_f64(1e-12));
                    buffers.sums[column] = norm;
                    let HeadKind::Cosine { scale } = self.trials[column / n_classes].recipe.head
                    else {
                        unreachable!("a stack holds one kind of head")
                    };
                    *factor = R::from_f64(scale) / norm;
                }
                scale_columns(&mut buffers.z, &buffers.factor);
                buffers.logits.clone_from(&buffers.z);
            }
            HeadKind::Scaled => {
                add_row(&mut buffers.z, &self.bias.value);
                buffers.logits.clone_from(&buffers.z);
                scale_columns(&mut buffers.z, &self.scale.value);
            }
        }
    }

    /// From the gradient of the logits to new parameters.
    fn descend(&mut self, kind: HeadKind, b: usize) {
        let (d, c) = (self.problem.dim, self.columns());
        let buffers = &mut self.buffers;
        let nesterov = self.trials[0].recipe.nesterov;
        let momentum = &self.momentum;
        let steps = |decay| Steps { lr: &self.lr, decay, momentum, nesterov };
        match kind {
            HeadKind::Linear => {
                column_sums(&mut buffers.sums, &buffers.z, None);
                let Params { value, velocity } = &mut self.bias;
                sgd(value, velocity, &buffers.sums, &steps(&self.bias_decay));
                kernels::transposed_product(&mut self.grad, &buffers.x, &buffers.z, b, d, c);
                let Params { value, velocity } = &mut self.weight;
                sgd(value, velocity, &self.grad, &steps(&self.decay));
            }
            HeadKind::Cosine { .. } => {
                // dL/dw = (s/‖w‖) Σ g f̂ − (Σ g z / ‖w‖²) w: the second term is a decay.
                let norms = buffers.sums.clone();
                column_sums(&mut buffers.sums, &buffers.z, Some(&buffers.logits));
                for (k, norm) in norms.into_iter().enumerate() {
                    let pull = buffers.sums[k] / (norm * norm);
                    buffers.column_decay[k] = self.decay[k] - pull;
                }
                scale_columns(&mut buffers.z, &buffers.factor);
                kernels::transposed_product(&mut self.grad, &buffers.x, &buffers.z, b, d, c);
                let Params { value, velocity } = &mut self.weight;
                sgd(value, velocity, &self.grad, &steps(&buffers.column_decay));
            }
            HeadKind::Scaled => {
                column_sums(&mut buffers.sums, &buffers.z, Some(&buffers.logits));
                let Params { value, velocity } = &mut self.scale;
                sgd(value, velocity, &buffers.sums, &steps(&self.decay));
            }
        }
    }

    /// Projects the heads whose constraint applies now.
    pub(super) fn project(&mut self, now: Every) {
        let applies = |h: usize| self.trials[h].recipe.constraint.is_some_and(|c| c.every == now);
        if !(0..self.trials.len()).any(applies) {
            return;
        }
        column_norms(&mut self.buffers.sums, &self.weight.value);
        let n_classes = self.problem.counts.n_classes();
        for (column, factor) in self.buffers.factor.iter_mut().enumerate() {
            let h = column / n_classes;
            let norm = self.buffers.sums[column].to_f64();
            *factor = match self.radius[h] {
                Some(radius) if applies(h) && norm > radius => R::from_f64(radius / norm),
                _ => R::ONE,
            };
        }
        scale_columns(&mut self.weight.value, &self.buffers.factor);
    }
}

fn objectives<R: Real>(problem: &Problem<'_, R>, trial: &Trial) -> [Objective<R>; 2] {
    let recipe = &trial.recipe;
    [
        Objective::plain(recipe.loss, problem.counts),
        Objective::new(recipe.loss, recipe.class_weights, recipe.mean, problem.counts),
    ]
}
