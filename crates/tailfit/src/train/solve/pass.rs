//! One pass over the training samples: a head's value and gradient, with its bias solved out.
//!
//! For given weights, the best bias needs logits but no products. What is left to search are the
//! weights alone, in half the passes; and since the outputs then have the right mean, they are a
//! feasible point of the dual, whose bound follows the true gap closely.

use faer::Mat;
use rayon::prelude::*;

use super::bias::{OutputSums, Wanted};
use super::curvature::Point;
use super::lbfgs::add;
use super::outputs::add_outputs;
use super::room::{Logits, Room};
use super::shared::{ROWS, Shared};
use crate::error::{Error, Result};
use crate::kernels::{Aligned, Panels, Rows, Weights, padded_depth, zeros};
use crate::losses::{BatchLoss, HeadLogits, Samples};
use crate::numbers::Real;

/// Logits are kept through a pass up to this many bytes per head.
const KEPT: usize = 1 << 30;

/// Most numbers of the groups' weights and gradients together.
const MOST_NUMBERS: usize = 1 << 26;

/// Batches whose gradients are summed in the number type trained in before being added up in f64.
const ROUNDS: usize = 8;

/// A head, and what its bias has to fulfil.
pub(super) struct HeadPoint<'a, R> {
    pub(super) objective: &'a BatchLoss<R>,
    /// Weights on the features themselves, `[D, K]`.
    pub(super) weight: &'a Point,
    /// Where the search for the bias starts, `[K]`; it is for features about their mean.
    pub(super) bias: &'a [f64],
    /// Weights of the classes' samples, `[K]`, over the divisor.
    pub(super) class_weights: Vec<f64>,
    pub(super) wanted: Wanted<'a>,
    pub(super) divisor: f64,
}

impl<R> HeadPoint<'_, R> {
    /// The weight of sample number `i`, over the divisor.
    fn weight_of(&self, samples: Samples<'_>, i: usize) -> f64 {
        samples.weights[i] * self.class_weights[samples.labels[i] as usize]
    }
}

/// What comes out of a pass.
pub(super) struct Evaluated {
    /// Σ w L of plain cross-entropy with the offset.
    pub(super) value: f64,
    /// Its gradient with respect to the weights, `[D, K]`.
    pub(super) grad: Point,
    /// The best bias, `[K]`.
    pub(super) bias: Vec<f64>,
    /// Σ w p, `[K]`.
    pub(super) shares: Vec<f64>,
    /// Σ w p (1 − p), `[K]`.
    pub(super) curvature: Vec<f64>,
    /// Σ w (−p log p), `[K]`.
    pub(super) entropies: Vec<f64>,
}

/// A part of the batches, always the same, whatever the threads, and what it works in.
struct Group<R> {
    batches: std::ops::Range<usize>,
    weights: Weights<R>,
    logits: Logits<R>,
    room: Room<R>,
    /// Its gradient, `[D, K]`.
    grad: Point,
}

/// Passes over the training samples, one after the other in the same memory; none after one that failed.
pub(super) struct Passes<'a, R: Real> {
    shared: &'a Shared<'a, R>,
    groups: Vec<Group<R>>,
    /// The weights of the head at hand, in panels.
    columns: Aligned<R>,
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
            weights: Weights::new(panels, None),
            logits: Logits::new(per_group, c, keep),
            room: Room::default(),
            grad: Mat::zeros(dim, k),
        };
        let groups = (0..n).step_by(per_group).map(group).collect();
        let split = n_groups < rayon::current_num_threads();
        Self { shared, groups, columns: zeros(panels.len()), split }
    }

    /// Evaluates a head.
    pub(super) fn evaluate(&mut self, head: &HeadPoint<'_, R>) -> Result<Evaluated> {
        let Self { shared, groups, columns, split } = self;
        let (dim, k) = (head.weight.nrows(), head.weight.ncols());
        let panels = groups[0].weights.panels;
        let c = panels.columns;
        for class in 0..k {
            let (first, apart) = panels.column(class);
            let to = columns[first..].iter_mut().step_by(apart);
            let of_class = head.weight.col_as_slice(class);
            to.zip(of_class).for_each(|(to, &weight)| *to = R::from_f64(weight));
        }
        groups.par_iter_mut().try_for_each(|group| {
            group.weights.value.copy_from_slice(columns);
            if group.logits.all { group.each(shared, |_, _| ()) } else { Ok(()) }
        })?;

        let (bias, sums) = head.wanted.solve(head.bias.to_vec(), |bias| {
            let shown: Vec<R> =
                bias.iter().zip(head.wanted.offset).map(|(b, o)| R::from_f64(b + o)).collect();
            let parts = groups.par_iter_mut().map(|group| {
                let mut sums = OutputSums::new(k);
                group.sweep(shared, |samples, z| {
                    let weight = |i: usize| head.weight_of(samples, i);
                    add_outputs(&mut sums, &z[..samples.len() * c], &shown, weight);
                })?;
                Ok(sums)
            });
            let mut sums = OutputSums::new(k);
            parts.collect::<Result<Vec<_>>>()?.iter().for_each(|part| sums.merge(part));
            Ok::<_, Error>(sums)
        })?;

        // Value and gradient there.
        let shown: Vec<R> = bias.iter().map(|&b| R::from_f64(b)).collect();
        let parts = groups.par_iter_mut().map(|group| group.gradient(shared, head, &shown, *split));
        let (mut value, mut shares) = (0.0, vec![0.0; k]);
        for (part_value, part_shares) in parts.collect::<Result<Vec<_>>>()? {
            value += part_value;
            shares.iter_mut().zip(part_shares).for_each(|(sum, part)| *sum += part);
        }
        let mut grad = Mat::zeros(dim, k);
        for group in groups.iter() {
            add(&mut grad, 1.0, &group.grad);
        }
        let curvature = sums.curvature();
        Ok(Evaluated { value, grad, bias, shares, curvature, entropies: sums.entropies })
    }
}

impl<R: Real> Group<R> {
    /// Multiplies every batch, and calls `work` with its samples and logits without bias.
    fn each(
        &mut self,
        shared: &Shared<'_, R>,
        mut work: impl FnMut(Samples<'_>, &mut [R]),
    ) -> Result<()> {
        let Self { batches, weights, logits, room, .. } = self;
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

    /// Calls `work` with the logits of every batch, which are multiplied only if they were not kept.
    fn sweep(
        &mut self,
        shared: &Shared<'_, R>,
        mut work: impl FnMut(Samples<'_>, &mut [R]),
    ) -> Result<()> {
        if !self.logits.all {
            return self.each(shared, work);
        }
        let c = self.weights.panels.columns;
        for (at, batch) in self.batches.clone().enumerate() {
            work(shared.samples(batch), self.logits.of(at, c));
        }
        Ok(())
    }

    /// Value and sums of the outputs `[K]`; leaves the gradient in [`Group::grad`].
    fn gradient(
        &mut self,
        shared: &Shared<'_, R>,
        head: &HeadPoint<'_, R>,
        bias: &[R],
        split: bool,
    ) -> Result<(f64, Vec<f64>)> {
        let k = bias.len();
        let panels = self.weights.panels;
        let c = panels.columns;
        let (mut value, mut shares) = (0.0, vec![0.0; k]);
        let none = zeros(c);
        let Self { batches, weights, logits, room, grad } = self;
        grad.fill(0.0);
        let last = batches.len() - 1;
        for (at, batch) in batches.clone().enumerate() {
            let (samples, kept, z) = (shared.samples(batch), logits.all, logits.of(at, c));
            shared.with(batch, room, |packed| {
                let z = &mut z[..packed.padded * c];
                if !kept {
                    weights.forward(Rows { values: z, pitch: c }, packed, 0, &none);
                }
                value += z_to_gradient(z, (samples, bias), head, &mut shares);
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

/// Replaces logits without bias by the gradient with respect to them; adds the outputs to `shares`.
fn z_to_gradient<R: Real>(
    z: &mut [R],
    (samples, bias): (Samples<'_>, &[R]),
    head: &HeadPoint<'_, R>,
    shares: &mut [f64],
) -> f64 {
    let (k, n) = (bias.len(), samples.len());
    let c = z.len() / n.next_multiple_of(8);
    for row in z.chunks_exact_mut(c).take(n) {
        row.iter_mut().zip(bias).for_each(|(z, &bias)| *z += bias);
    }
    z[n * c..].fill(R::ZERO);
    let divisor = head.divisor;
    let value =
        head.objective.apply(HeadLogits { logits: z, start: 0, stride: c, samples, divisor });
    let mut sums = vec![R::ZERO; k];
    for (i, (row, &label)) in z.chunks_exact(c).zip(samples.labels).enumerate() {
        sums.iter_mut().zip(row).for_each(|(sum, &grad)| *sum += grad);
        shares[label as usize] += head.weight_of(samples, i);
    }
    shares.iter_mut().zip(sums).for_each(|(share, sum)| *share += sum.to_f64());
    value
}
