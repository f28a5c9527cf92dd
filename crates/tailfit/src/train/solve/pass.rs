//! One pass over the training samples: a head's value and gradient, with its bias solved out.
//!
//! For given weights, the best bias needs logits but no products. What is left to search are the
//! weights alone, in half the passes; and since the outputs then have the right mean, they are a
//! feasible point of the dual, whose bound follows the true gap closely.

use std::time::Instant;

use faer::Mat;
use rayon::prelude::*;

use super::bias::OutputSums;
use super::curvature::Point;
use super::head_point::HeadPoint;
use super::lbfgs::add;
use super::outputs::add_outputs;
use super::room::{Logits, Room};
use super::shared::{ROWS, Shared};
use super::state::Evaluated;
use crate::error::{Error, Result};
use crate::kernels::{Panels, Rows, Weights, padded_depth, zeros};
use crate::losses::Samples;
use crate::numbers::Real;
use crate::train::PassTimes;

/// Logits are kept through a pass up to this many bytes per head.
const KEPT: usize = 1 << 30;

/// Most numbers of all groups' weights and gradients together, were they held at once.
const MOST_NUMBERS: usize = 1 << 26;

/// Batches whose gradients are summed in the number type trained in before being added up in f64.
const ROUNDS: usize = 8;

/// A part of the batches, always the same, whatever the threads.
struct Group<R> {
    batches: std::ops::Range<usize>,
    logits: Logits<R>,
}

/// What a group is worked on in.
struct Worker<R> {
    /// The weights of the head at hand, in panels.
    weights: Weights<R>,
    room: Room<R>,
    /// The gradient of the group, `[D, K]`.
    grad: Point,
}

/// Passes over the training samples, one after the other in the same memory; none after one that failed.
pub(super) struct Passes<'a, R: Real> {
    shared: &'a Shared<'a, R>,
    groups: Vec<Group<R>>,
    /// As many as work at a time.
    workers: Vec<Worker<R>>,
    /// Whether a group's products are spread over threads themselves.
    split: bool,
}

impl<'a, R: Real> Passes<'a, R> {
    /// For heads of `dim` features and `k` classes.
    pub(super) fn new(shared: &'a Shared<'a, R>, (dim, k): (usize, usize)) -> Self {
        let panels = Panels::new(padded_depth(dim, None), k);
        let c = panels.columns;
        let n = shared.n_batches();
        let n_groups = (MOST_NUMBERS / (2 * panels.len())).clamp(1, 16).min(n);
        let per_group = n.div_ceil(n_groups);
        let keep = n * ROWS * c * size_of::<R>() <= KEPT;
        let group = |first| Group {
            batches: first..n.min(first + per_group),
            logits: Logits::new(per_group, c, keep),
        };
        let groups: Vec<_> = (0..n).step_by(per_group).map(group).collect();
        let threads = rayon::current_num_threads();
        let worker = |_| Worker {
            weights: Weights::new(panels, None),
            room: Room::default(),
            grad: Mat::zeros(dim, k),
        };
        let split = groups.len() < threads;
        let workers = (0..groups.len().min(threads)).map(worker).collect();
        Self { shared, groups, workers, split }
    }

    /// Evaluates a head.
    pub(super) fn evaluate(&mut self, head: &HeadPoint<'_, R>) -> Result<Evaluated> {
        let (shared, split) = (self.shared, self.split);
        let (dim, k) = (head.weight.nrows(), head.weight.ncols());
        let start = Instant::now();
        let c = self.load(head.weight);
        let keeps_all = self.groups.iter().all(|group| group.logits.all);
        if keeps_all {
            let multiply = |group: &mut Group<R>, worker: &mut Worker<R>| {
                group.each(shared, worker, |samples, z| head.subtract_margins(samples, z))
            };
            self.for_groups(multiply, |(), _| ())?;
        }
        let multiplied = Instant::now();
        let (bias, sums) = head.wanted.solve(head.bias.to_vec(), |bias| {
            let shown: Vec<R> =
                bias.iter().zip(head.wanted.offset).map(|(b, o)| R::from_f64(b + o)).collect();
            let mut all = OutputSums::new(k);
            let add = |sums: &mut OutputSums, samples: Samples<'_>, z: &[R]| {
                let weight = |i: usize| head.weight_of(samples, i);
                add_outputs(sums, &z[..samples.len() * c], &shown, weight);
            };
            if keeps_all {
                // Short, and in need of no worker: all groups at once.
                let sweep = |group: &mut Group<R>| {
                    let mut sums = OutputSums::new(k);
                    group.each_kept(shared, c, |samples, z| add(&mut sums, samples, z));
                    sums
                };
                let parts: Vec<_> = self.groups.par_iter_mut().map(sweep).collect();
                for sums in &parts {
                    all.merge(sums);
                }
                return Ok::<_, Error>(all);
            }
            let sweep = |group: &mut Group<R>, worker: &mut Worker<R>| {
                let mut sums = OutputSums::new(k);
                group.each(shared, worker, |samples, z| {
                    head.subtract_margins(samples, z);
                    add(&mut sums, samples, z);
                })?;
                Ok(sums)
            };
            self.for_groups(sweep, |sums, _| all.merge(&sums))?;
            Ok(all)
        })?;

        // Value and gradient there.
        let solved = Instant::now();
        let shown: Vec<R> = bias.iter().map(|&b| R::from_f64(b)).collect();
        let (mut value, mut shares, mut grad) = (0.0, vec![0.0; k], Mat::zeros(dim, k));
        let gradient = |group: &mut Group<R>, worker: &mut Worker<R>| {
            group.gradient(shared, worker, head, &shown, split)
        };
        self.for_groups(gradient, |(part_value, part_shares), worker| {
            value += part_value;
            shares.iter_mut().zip(part_shares).for_each(|(sum, part)| *sum += part);
            add(&mut grad, 1.0, &worker.grad);
        })?;
        let times = PassTimes {
            logits: multiplied.duration_since(start),
            bias: solved.duration_since(multiplied),
            gradient: solved.elapsed(),
        };
        let curvature = sums.curvature();
        Ok(Evaluated { value, grad, bias, shares, curvature, entropies: sums.entropies, times })
    }

    /// Hands every worker a head's weights `[D, K]`; returns the columns of their panels.
    fn load(&mut self, weight: &Point) -> usize {
        let (first, others) = self.workers.split_first_mut().expect("there is a group");
        let Weights { panels, value, .. } = &mut first.weights;
        for class in 0..weight.ncols() {
            let (first, apart) = panels.column(class);
            let to = value[first..].iter_mut().step_by(apart);
            to.zip(weight.col_as_slice(class)).for_each(|(to, &weight)| *to = R::from_f64(weight));
        }
        others.par_iter_mut().for_each(|other| other.weights.value.copy_from_slice(value));
        panels.columns
    }

    /// Does `work` for each group, as many at a time as there are workers, and takes what comes out in
    /// the groups' order.
    fn for_groups<T: Send>(
        &mut self,
        work: impl Fn(&mut Group<R>, &mut Worker<R>) -> Result<T> + Sync,
        mut take: impl FnMut(T, &Worker<R>),
    ) -> Result<()> {
        let Self { groups, workers, .. } = self;
        for groups in groups.chunks_mut(workers.len()) {
            let pairs = groups.par_iter_mut().zip(workers.par_iter_mut());
            let done =
                pairs.map(|(group, worker)| work(group, worker)).collect::<Result<Vec<T>>>()?;
            done.into_iter().zip(&*workers).for_each(|(one, worker)| take(one, worker));
        }
        Ok(())
    }
}

impl<R: Real> Group<R> {
    /// Multiplies every batch, and calls `work` with its samples and logits without bias.
    fn each(
        &mut self,
        shared: &Shared<'_, R>,
        Worker { weights, room, .. }: &mut Worker<R>,
        mut work: impl FnMut(Samples<'_>, &mut [R]),
    ) -> Result<()> {
        let Self { batches, logits } = self;
        let c = weights.panels.columns;
        let none = zeros(c);
        for (at, batch) in batches.clone().enumerate() {
            let (samples, z) = (shared.samples(batch), logits.of(at, c));
            shared.with(batch, room, |packed| {
                let z = &mut z[..packed.padded * c];
                weights.forward(Rows { values: z, pitch: c }, packed, 0, &none);
                work(samples, z);
            })?;
        }
        Ok(())
    }

    /// Calls `work` with the samples of every batch and their logits, which were kept, in `c` columns.
    fn each_kept(
        &mut self,
        shared: &Shared<'_, R>,
        c: usize,
        mut work: impl FnMut(Samples<'_>, &mut [R]),
    ) {
        for (at, batch) in self.batches.clone().enumerate() {
            work(shared.samples(batch), self.logits.of(at, c));
        }
    }

    /// Value and sums of the outputs `[K]`; leaves the gradient in [`Worker::grad`].
    fn gradient(
        &mut self,
        shared: &Shared<'_, R>,
        Worker { weights, room, grad }: &mut Worker<R>,
        head: &HeadPoint<'_, R>,
        bias: &[R],
        split: bool,
    ) -> Result<(f64, Vec<f64>)> {
        let k = bias.len();
        let panels = weights.panels;
        let c = panels.columns;
        let (mut value, mut shares) = (0.0, vec![0.0; k]);
        let none = zeros(c);
        let Self { batches, logits } = self;
        grad.fill(0.0);
        let last = batches.len() - 1;
        for (at, batch) in batches.clone().enumerate() {
            let (samples, kept, z) = (shared.samples(batch), logits.all, logits.of(at, c));
            shared.with(batch, room, |packed| {
                let z = &mut z[..packed.padded * c];
                if !kept {
                    weights.forward(Rows { values: z, pitch: c }, packed, 0, &none);
                    head.subtract_margins(samples, z);
                }
                value += head.gradient(z, (samples, bias), &mut shares);
                weights.add_gradient(z, c, packed, split);
            })?;
            if (at + 1) % ROUNDS == 0 || at == last {
                for class in 0..k {
                    let (first, apart) = panels.column(class);
                    let of_class = weights.velocity[first..].iter().step_by(apart);
                    let sums = grad.col_as_slice_mut(class).iter_mut();
                    sums.zip(of_class).for_each(|(sum, grad)| *sum += grad.to_f64());
                }
                weights.velocity.fill(R::ZERO);
            }
        }
        Ok((value, shares))
    }
}
