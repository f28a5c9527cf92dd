//! Heads side by side: one set of weights `[D, H·K]`, one batch for all.

use ndarray::Array1;
use rayon::prelude::*;

use super::buffers::Buffers;
use super::columns::{column_norms, column_sums, scale_columns, scale_weights};
use super::finish::write_head;
use super::{Problem, Trial, start};
use crate::constraint::Every;
use crate::head::{Head, HeadKind};
use crate::kernels::{
    BLOCK, Columns, Packed, Panels, Rows, Steps, Unit, Weights, descend, padded_depth, vectorised,
};
use crate::losses::{Batch, Objective};
use crate::real::Real;

/// H heads of one kind that see the same batches. Column h·K + k belongs to class k of
/// head h, and has its own learning rate, weight decay and momentum. Columns are padded with
/// weights that are 0 and stay so.
pub(super) struct Stack<'a, R: Real> {
    pub(super) problem: &'a Problem<'a, R>,
    pub(super) trials: &'a [&'a Trial],
    objectives: Vec<[Objective<R>; 2]>,
    radius: Vec<Option<f64>>,
    /// Weights, `[D, C]`.
    pub(super) weights: Weights<R>,
    /// Bias and its momentum, `[C]`.
    pub(super) bias: Params<R>,
    /// Scale of a [`HeadKind::Scaled`] head and its momentum, `[C]`.
    pub(super) scale: Params<R>,
    /// The finished heads, for scoring.
    pub(super) scored: Columns<R>,
    lr: Vec<R>,
    momentum: Vec<R>,
    decay: Vec<R>,
    bias_decay: Vec<R>,
    epoch: usize,
    split: bool,
}

/// A part's number, its logits twice, and its losses.
type Numbered<'a, R> = (usize, ((&'a mut [R], &'a mut [R]), &'a mut [f64]));

pub(super) struct Params<R> {
    pub(super) value: Vec<R>,
    velocity: Vec<R>,
}

impl<R: Real> Params<R> {
    fn new(value: R, n: usize) -> Self {
        Self { value: vec![value; n], velocity: vec![R::ZERO; n] }
    }

    fn descend(&mut self, grad: &[R], steps: &Steps<'_, R>) {
        vectorised(
            #[inline(always)]
            || descend(&mut self.value, &mut self.velocity, grad, steps),
        );
    }
}

impl<'a, R: Real> Stack<'a, R> {
    /// `split`: whether one step is to be spread over threads.
    pub(super) fn new(
        problem: &'a Problem<'a, R>,
        trials: &'a [&'a Trial],
        unit: Option<Unit>,
        split: bool,
    ) -> Self {
        let n_classes = problem.counts.n_classes();
        let panels = Panels::new(padded_depth(problem.dim, unit), trials.len() * n_classes);
        let c = panels.columns;
        let per_column = |value: &dyn Fn(&Trial) -> f64| -> Vec<R> {
            let values = trials.iter().map(|trial| R::from_f64(value(trial))).chain([R::ZERO; 16]);
            values.flat_map(|value| std::iter::repeat_n(value, n_classes)).take(c).collect()
        };
        let norms = problem.stage_1.map(Head::weight_norms);
        let radius = |trial: &&Trial| {
            let rule = trial.recipe.constraint?;
            Some(rule.radius(norms.as_deref().unwrap_or(&[1.0])))
        };
        let mut stack = Self {
            problem,
            trials,
            objectives: trials.iter().map(|trial| objectives(problem, trial)).collect(),
            radius: trials.iter().map(radius).collect(),
            weights: Weights::new(panels, unit),
            bias: Params::new(R::ZERO, c),
            scale: Params::new(R::ONE, c),
            scored: Columns::new(problem.dim, trials.len() * n_classes),
            lr: vec![R::ZERO; c],
            momentum: per_column(&|t| t.recipe.momentum),
            decay: per_column(&|t| t.recipe.weight_decay),
            bias_decay: per_column(&|t| {
                if t.recipe.decay_bias { t.recipe.weight_decay } else { 0.0 }
            }),
            epoch: 0,
            split,
        };
        for (h, trial) in trials.iter().enumerate() {
            let head =
                start::head(&trial.recipe, problem.stage_1, trial.seed, n_classes, problem.dim);
            let bias =
                if stack.cosine_scale(h).is_some() { Array1::zeros(n_classes) } else { head.bias };
            let to = (&mut stack.weights.value[..], &mut stack.bias.value[..]);
            write_head(panels, to, h, &head.weight, &bias);
        }
        stack.weights.changed();
        stack
    }

    pub(super) fn n_classes(&self) -> usize {
        self.problem.counts.n_classes()
    }

    fn kind(&self) -> HeadKind {
        self.trials[0].recipe.head
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

    /// One SGD step of every head on a batch. Adds each head's batch loss times the batch size
    /// to `loss_sums`.
    pub(super) fn step(
        &mut self,
        batch: &Packed<R>,
        labels: &[u32],
        buffers: &mut Buffers<R>,
        loss_sums: &mut [f64],
    ) {
        let (h, c) = (self.trials.len(), self.weights.panels.columns);
        buffers.resize(batch.padded, c, h);
        self.prepare_logits(buffers);
        let divisors: Vec<f64> = (0..h).map(|h| self.objective(h).divisor(labels)).collect();

        let rows = if self.split {
            batch.padded.div_ceil(rayon::current_num_threads()).next_multiple_of(BLOCK)
        } else {
            batch.padded
        };
        let Buffers { z, logits, losses, factor, .. } = buffers;
        let part = |(number, ((z, logits), losses)): Numbered<'_, R>| {
            let from = number * rows;
            self.weights.forward(Rows { values: z, pitch: c }, batch, from, &self.bias.value);
            self.logits(z, logits, factor);
            let labels = &labels[from.min(labels.len())..labels.len().min(from + rows)];
            z[labels.len() * c..].fill(R::ZERO);
            self.losses(z, labels, &divisors, losses);
        };
        let per_part = rows.div_ceil(BLOCK) * h;
        if self.split {
            let parts = z.par_chunks_mut(rows * c).zip(logits.par_chunks_mut(rows * c));
            parts.zip(losses.par_chunks_mut(per_part)).enumerate().for_each(part);
        } else {
            part((0, ((z, logits), losses)));
        }
        for block in losses.chunks_exact(h) {
            for (sum, value) in loss_sums.iter_mut().zip(block) {
                *sum += value * labels.len() as f64;
            }
        }
        self.descend(batch, buffers);
        self.project(Every::Step, buffers);
    }

    fn objective(&self, h: usize) -> &Objective<R> {
        let deferred = self.epoch < self.trials[h].recipe.defer_weights_to_epoch;
        &self.objectives[h][usize::from(!deferred)]
    }

    /// Every head's loss of some samples, in blocks of 16 so that the order of additions does
    /// not depend on the number of threads. The logits become their gradient.
    fn losses(&self, z: &mut [R], labels: &[u32], divisors: &[f64], losses: &mut [f64]) {
        let (n_classes, stride) = (self.n_classes(), self.weights.panels.columns);
        let blocks = z.chunks_mut(BLOCK * stride).zip(labels.chunks(BLOCK));
        for ((z, labels), losses) in blocks.zip(losses.chunks_exact_mut(self.trials.len())) {
            for (h, loss) in losses.iter_mut().enumerate() {
                let batch =
                    Batch { logits: z, start: h * n_classes, stride, labels, divisor: divisors[h] };
                *loss = self.objective(h).apply(batch);
            }
        }
    }

    /// Column norms and factors of a cosine head.
    fn prepare_logits(&self, buffers: &mut Buffers<R>) {
        if self.cosine_scale(0).is_none() {
            return;
        }
        let Buffers { norms, factor, .. } = buffers;
        column_norms(norms, &self.weights);
        let n_classes = self.n_classes();
        for (column, (norm, factor)) in norms.iter_mut().zip(factor).enumerate() {
            *norm = norm.larger(R::from_f64(1e-12));
            let h = (column / n_classes).min(self.trials.len() - 1);
            *factor = R::from_f64(self.cosine_scale(h).unwrap_or(1.0)) / *norm;
        }
    }

    /// From x W + bias to the logits of the head kind; `kept` is what their gradient needs.
    fn logits(&self, z: &mut [R], kept: &mut [R], factor: &[R]) {
        match self.kind() {
            HeadKind::Linear => {}
            HeadKind::Cosine { .. } => {
                scale_columns(z, factor);
                kept.copy_from_slice(z);
            }
            HeadKind::Scaled => {
                kept.copy_from_slice(z);
                scale_columns(z, &self.scale.value);
            }
        }
    }

    /// From the gradient of the logits to new parameters.
    fn descend(&mut self, batch: &Packed<R>, buffers: &mut Buffers<R>) {
        let (kind, c) = (self.kind(), self.weights.panels.columns);
        let nesterov = self.trials[0].recipe.nesterov;
        let (lr, momentum) = (&self.lr[..], &self.momentum[..]);
        let steps = |decay| Steps { lr, decay, momentum, nesterov };
        let Buffers { z, logits, sums, factor, norms, decay, .. } = buffers;
        match kind {
            HeadKind::Linear => {
                column_sums(sums, z, None);
                self.bias.descend(sums, &steps(&self.bias_decay));
                self.weights.descend(z, c, batch, &steps(&self.decay), self.split);
            }
            HeadKind::Cosine { .. } => {
                // dL/dw = (s/‖w‖) Σ g f̂ − (Σ g z / ‖w‖²) w: the second term is a decay.
                column_sums(sums, z, Some(logits));
                for (k, decay) in decay.iter_mut().enumerate() {
                    *decay = self.decay[k] - sums[k] / (norms[k] * norms[k]);
                }
                scale_columns(z, factor);
                self.weights.descend(z, c, batch, &steps(decay), self.split);
            }
            HeadKind::Scaled => {
                column_sums(sums, z, Some(logits));
                self.scale.descend(sums, &steps(&self.decay));
            }
        }
    }

    /// Projects the heads whose constraint applies now.
    pub(super) fn project(&mut self, now: Every, buffers: &mut Buffers<R>) {
        let applies = |h: usize| self.trials[h].recipe.constraint.is_some_and(|c| c.every == now);
        if !(0..self.trials.len()).any(applies) {
            return;
        }
        let Buffers { norms, factor, .. } = buffers;
        column_norms(norms, &self.weights);
        let n_classes = self.n_classes();
        for (column, (norm, factor)) in norms.iter().zip(factor.iter_mut()).enumerate() {
            let h = column / n_classes;
            *factor = match self.radius.get(h).copied().flatten() {
                Some(radius) if applies(h) && norm.to_f64() > radius => {
                    R::from_f64(radius / norm.to_f64())
                }
                _ => R::ONE,
            };
        }
        scale_weights(&mut self.weights, factor);
    }
}

fn objectives<R: Real>(problem: &Problem<'_, R>, trial: &Trial) -> [Objective<R>; 2] {
    let recipe = &trial.recipe;
    [
        Objective::plain(recipe.loss, problem.counts),
        Objective::new(recipe.loss, recipe.class_weights, recipe.mean, problem.counts),
    ]
}
