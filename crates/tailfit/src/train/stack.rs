//! Heads side by side: one matrix of weights `[D, H·K]` and one batch for all.

use rayon::prelude::*;

use super::seen::Seen;
use super::{Problem, Trial};
use crate::head::{Gradient, Head, HeadKind, Kind, Layout, Params, Rates, Trained};
use crate::kernels::{
    Aligned, BLOCK, Packed, Panels, Rows, Unit, Weights, column_norms, padded_depth, scale_weights,
    zeros,
};
use crate::losses::{BatchLoss, ClassWeights, HeadLogits, Samples};
use crate::metrics::ScoredHeads;
use crate::numbers::Real;
use crate::recipe::Every;

/// H heads of one kind that see the same batches. Column h·K + k belongs to class k of head h
/// and has its own learning rate, weight decay and momentum. Padding columns have weights that
/// are 0 and stay 0.
pub(super) struct Stack<'a, R: Real> {
    seen: &'a Seen<'a, R>,
    pub(super) trials: &'a [&'a Trial],
    losses: Vec<Losses<R>>,
    radius: Vec<Option<f64>>,
    trained: Trained<R>,
    kind: Box<dyn Kind<R>>,
    /// The finished heads, for scoring.
    scored: ScoredHeads<R>,
    epoch: usize,
    split: bool,
    /// Whether some loss has a term of whole batches, for which the logits are kept.
    of_batches: bool,
}

/// A head's loss before class weights apply, and its loss with them.
struct Losses<R> {
    deferred: BatchLoss<R>,
    weighted: BatchLoss<R>,
}

/// Scratch memory for one batch, shared by stacks that take turns.
pub(super) struct Buffers<R> {
    /// Logits, then their gradient, `[B, C]`.
    z: Aligned<R>,
    /// What the kind of head keeps for its step, `[B, C]`.
    kept: Aligned<R>,
    /// Each block's contribution to each head's loss, `[B / 16, H]`.
    losses: Vec<f64>,
}

impl<R: Real> Buffers<R> {
    pub(super) fn new() -> Self {
        Self { z: zeros(0), kept: zeros(0), losses: vec![] }
    }

    /// Resizes for a batch of `padded` samples and `h` heads in `c` columns.
    fn resize(&mut self, padded: usize, c: usize, h: usize) {
        self.z.resize(padded * c, R::ZERO);
        self.kept.resize(padded * c, R::ZERO);
        self.losses.clear();
        self.losses.resize(padded.div_ceil(BLOCK) * h, 0.0);
    }
}

/// A part of a batch on its way from logits to gradient.
struct Part<'a, R> {
    /// Index of its first sample.
    from: usize,
    z: &'a mut [R],
    kept: &'a mut [R],
    losses: &'a mut [f64],
}

impl<'a, R: Real> Stack<'a, R> {
    /// A stack of the trials' heads at their start; `split` says whether to spread each step over
    /// threads, and `areas` are the class weights of trials that take them from effective areas.
    pub(super) fn new(
        seen: &'a Seen<'a, R>,
        trials: &'a [&'a Trial],
        (unit, split): (Option<Unit>, bool),
        areas: Option<&[f64]>,
    ) -> Self {
        let problem = seen.problem;
        let (n_classes, dim) = problem.shape();
        let panels = Panels::new(padded_depth(dim, unit), trials.len() * n_classes);
        let c = panels.columns;
        let per_column = |value: &dyn Fn(&Trial) -> f64| -> Vec<R> {
            let values = trials.iter().map(|trial| R::from_f64(value(trial))).chain([R::ZERO; 16]);
            values.flat_map(|value| std::iter::repeat_n(value, n_classes)).take(c).collect()
        };
        let rates = Rates {
            lr: vec![R::ZERO; c],
            momentum: per_column(&|t| t.recipe.sgd.momentum),
            decay: per_column(&|t| t.recipe.sgd.weight_decay),
            bias_decay: per_column(&|t| t.recipe.bias_decay()),
            nesterov: trials[0].recipe.sgd.nesterov,
        };
        let norms = seen.stage_1.as_ref().map(Head::weight_norms);
        let radius = |trial: &&Trial| {
            let rule = trial.recipe.constraint?;
            Some(rule.radius(norms.as_deref().unwrap_or(&[1.0])))
        };
        let kinds: Vec<HeadKind> = trials.iter().map(|trial| trial.recipe.head).collect();
        let mut kind = HeadKind::training(&kinds, Layout { n_classes, dim, panels, unit });
        let (mut weights, mut bias) = (Weights::new(panels, unit), Params::new(R::ZERO, c));
        for (h, trial) in trials.iter().enumerate() {
            let mut head = seen.start(trial);
            kind.start(&mut head);
            panels.write(&mut weights.value, h * n_classes, &head.weight);
            for (to, &from) in bias.value[h * n_classes..].iter_mut().zip(&head.bias) {
                *to = R::from_f64(from);
            }
        }
        weights.changed();
        Self {
            seen,
            trials,
            losses: trials.iter().map(|trial| Losses::new(problem, trial, areas)).collect(),
            radius: trials.iter().map(radius).collect(),
            trained: Trained { weights, bias, rates },
            kind,
            scored: ScoredHeads::new(dim, (trials.len(), n_classes), seen.how.gated),
            epoch: 0,
            split,
            of_batches: trials.iter().any(|trial| trial.recipe.cost.loss.is_of_batches()),
        }
    }

    fn n_classes(&self) -> usize {
        self.seen.problem.counts.n_classes()
    }

    /// Sets the learning rates of `epoch`.
    pub(super) fn begin_epoch(&mut self, epoch: usize) {
        self.epoch = epoch;
        let n_classes = self.n_classes();
        let rates = self.trained.rates.lr.chunks_exact_mut(n_classes);
        for (trial, lr) in self.trials.iter().zip(rates) {
            lr.fill(R::from_f64(trial.recipe.sgd.lr_of(epoch)));
        }
    }

    /// One SGD step of every head on a batch. Adds each head's batch loss times the batch size
    /// to `loss_sums`.
    pub(super) fn step(
        &mut self,
        batch: &Packed<R>,
        samples: Samples<'_>,
        buffers: &mut Buffers<R>,
        loss_sums: &mut [f64],
    ) {
        let (h, c) = (self.trials.len(), self.trained.weights.panels.columns);
        buffers.resize(batch.padded, c, h);
        self.kind.prepare(&self.trained.weights);
        let divisors: Vec<f64> = (0..h).map(|h| self.loss(h).divisor(samples)).collect();
        let rows = if self.split {
            batch.padded.div_ceil(rayon::current_num_threads()).next_multiple_of(BLOCK)
        } else {
            batch.padded
        };
        let Buffers { z, kept, losses } = buffers;
        let part = |part: Part<'_, R>| self.gradient(part, batch, samples, &divisors);
        if self.split {
            let losses = losses.par_chunks_mut(rows.div_ceil(BLOCK) * h);
            let parts = z.par_chunks_mut(rows * c).zip(kept.par_chunks_mut(rows * c)).zip(losses);
            parts.enumerate().for_each(|(number, ((z, kept), losses))| {
                part(Part { from: number * rows, z, kept, losses });
            });
        } else {
            part(Part { from: 0, z, kept, losses });
        }
        for block in losses.chunks_exact(h) {
            for (sum, value) in loss_sums.iter_mut().zip(block) {
                *sum += value * samples.len() as f64;
            }
        }
        let whole = &mut **z;
        for (h, sum) in loss_sums.iter_mut().enumerate() {
            let (start, divisor) = (h * self.n_classes(), divisors[h]);
            let logits = HeadLogits { logits: &mut *whole, start, stride: c, samples, divisor };
            *sum += self.loss(h).batch_term(kept, logits) * samples.len() as f64;
        }
        let gradient = Gradient { z, kept, batch, split: self.split };
        self.kind.step(gradient, &mut self.trained);
        self.project(Every::Step);
    }

    /// Computes losses and the gradient of the logits from samples.
    fn gradient(
        &self,
        part: Part<'_, R>,
        batch: &Packed<R>,
        samples: Samples<'_>,
        divisors: &[f64],
    ) {
        let Part { from, z, kept, losses } = part;
        let Trained { weights, bias, .. } = &self.trained;
        let c = weights.panels.columns;
        weights.forward(Rows { values: z, pitch: c }, batch, from, &bias.value);
        self.kind.forward((batch, from), z, kept);
        if self.of_batches {
            kept.copy_from_slice(z);
        }
        let samples = samples.part(from..from + z.len() / c);
        z[samples.len() * c..].fill(R::ZERO);
        self.losses(z, samples, divisors, losses);
    }

    fn loss(&self, h: usize) -> &BatchLoss<R> {
        let deferred = self.epoch < self.trials[h].recipe.cost.defer_weights_to_epoch;
        if deferred { &self.losses[h].deferred } else { &self.losses[h].weighted }
    }

    /// Computes every head's loss for some samples, in blocks of 16 so that the order of additions
    /// does not depend on the number of threads. The logits are replaced by their gradient.
    fn losses(&self, z: &mut [R], samples: Samples<'_>, divisors: &[f64], losses: &mut [f64]) {
        let (n_classes, stride) = (self.n_classes(), self.trained.weights.panels.columns);
        let blocks = z.chunks_mut(BLOCK * stride).enumerate();
        for ((block, z), losses) in blocks.zip(losses.chunks_exact_mut(self.trials.len())) {
            let samples = samples.part(block * BLOCK..(block + 1) * BLOCK);
            for (h, loss) in losses.iter_mut().enumerate() {
                let (start, divisor) = (h * n_classes, divisors[h]);
                let logits = HeadLogits { logits: z, start, stride, samples, divisor };
                *loss = self.loss(h).apply(logits);
            }
        }
    }

    /// Projects the heads whose constraint applies at this point.
    pub(super) fn project(&mut self, now: Every) {
        let applies = |h: usize| self.trials[h].recipe.constraint.is_some_and(|c| c.every == now);
        if !(0..self.trials.len()).any(applies) {
            return;
        }
        let n_classes = self.n_classes();
        let mut factor = vec![R::ZERO; self.trained.weights.panels.columns];
        column_norms(&mut factor, &self.trained.weights);
        for (column, factor) in factor.iter_mut().enumerate() {
            let (h, norm) = (column / n_classes, factor.to_f64());
            *factor = match self.radius.get(h).copied().flatten() {
                Some(radius) if applies(h) && norm > radius => R::from_f64(radius / norm),
                _ => R::ONE,
            };
        }
        scale_weights(&mut self.trained.weights, &factor);
    }

    /// Head h as it would be used now: folded, normalised and adjusted.
    pub(super) fn finished(&self, h: usize) -> Head {
        let (n_classes, dim) = self.seen.problem.shape();
        let Trained { weights: Weights { panels, value, .. }, bias, .. } = &self.trained;
        let columns = h * n_classes..(h + 1) * n_classes;
        let weight = panels.read(value, columns.start, (n_classes, dim));
        let bias = bias.value[columns].iter().map(|b| b.to_f64()).collect();
        let mut head = Head::linear(weight, bias);
        self.kind.fold(h, &mut head);
        self.seen.finish(&self.trials[h].recipe, &mut head);
        head
    }

    /// The finished heads side by side, for scoring.
    pub(super) fn finished_heads(&mut self) -> &ScoredHeads<R> {
        for h in 0..self.trials.len() {
            let head = self.finished(h);
            self.scored.write(h, &head);
        }
        self.scored.changed();
        &self.scored
    }
}

impl<R: Real> Losses<R> {
    fn new(problem: &Problem<'_, R>, trial: &Trial, areas: Option<&[f64]>) -> Self {
        let cost = &trial.recipe.cost;
        let weights = match (cost.class_weights, areas) {
            (ClassWeights::EffectiveArea, Some(areas)) => areas.to_vec(),
            (weights, _) => weights.weights(problem.counts),
        };
        let weighted = BatchLoss::with_weights(cost.loss, weights, cost.mean, problem.counts);
        // Before they apply, all class weights are 1; what the sum is divided by stays the same.
        let ones = vec![1.0; problem.counts.n_classes()];
        let deferred = BatchLoss::with_weights(cost.loss, ones, cost.mean, problem.counts);
        Self { deferred, weighted }
    }
}
