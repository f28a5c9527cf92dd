//! The best bias for given weights: a small convex problem of its own, solved by quasi-Newton steps
//! of which each costs a sweep over the logits, and no product.

use std::collections::VecDeque;

use crate::numbers::Real;

/// Steps remembered.
const MEMORY: usize = 8;

/// What the bias has to fulfil.
pub(super) struct Wanted<'a> {
    /// What the objective adds to the logits, `[K]`.
    pub(super) offset: &'a [f64],
    /// Sums of the targets, t, `[K]`.
    pub(super) targets: &'a [f64],
    /// Decay of the bias, and by how much the bias of the features themselves is smaller, `[K]`.
    pub(super) decay: f64,
    pub(super) lowered: Vec<f64>,
    /// The sum of |∇| over the classes, relative to that of the targets, at which it is good.
    pub(super) tolerance: f64,
    pub(super) sweeps: usize,
}

/// How far the bias may be off, for a gap relative to this excess: what is moved for the dual costs
/// its mass times the size of the logits, and should not show.
pub(super) fn tolerance<R: Real>(gap: f64, excess: f64) -> f64 {
    let shows = 3e-3 * gap * excess;
    match (R::SINGLE, shows.is_finite()) {
        (false, _) => 1e-13,
        (true, true) => shows.clamp(2e-7, 3e-6),
        (true, false) => 3e-6,
    }
}

/// Sums over the samples at some bias.
#[derive(Clone)]
pub(super) struct OutputSums {
    /// Σ w log Σ exp.
    pub(super) log_sum: f64,
    /// Σ w p, `[K]`.
    pub(super) outputs: Vec<f64>,
    /// Σ w p², `[K]`.
    pub(super) squares: Vec<f64>,
    /// Σ w (−p log p), `[K]`.
    pub(super) entropies: Vec<f64>,
}

impl OutputSums {
    pub(super) fn new(k: usize) -> Self {
        let zero = || vec![0.0; k];
        Self { log_sum: 0.0, outputs: zero(), squares: zero(), entropies: zero() }
    }

    pub(super) fn merge(&mut self, other: &Self) {
        self.log_sum += other.log_sum;
        for (sums, others) in [
            (&mut self.outputs, &other.outputs),
            (&mut self.squares, &other.squares),
            (&mut self.entropies, &other.entropies),
        ] {
            sums.iter_mut().zip(others).for_each(|(sum, other)| *sum += other);
        }
    }

    /// Σ w p (1 − p), `[K]`.
    pub(super) fn curvature(&self) -> Vec<f64> {
        self.outputs.iter().zip(&self.squares).map(|(o, s)| o - s).collect()
    }
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

fn scaled(values: Vec<f64>, factor: f64) -> Vec<f64> {
    values.into_iter().map(|value| factor * value).collect()
}

impl Wanted<'_> {
    /// Minimises Σ w log Σ exp(z + b + offset) − ⟨b, t⟩ + ½ decay ‖b − lowered‖² from `bias`, given
    /// the sums that a bias gives. Returns the best bias found and the sums there.
    pub(super) fn solve<E>(
        &self,
        mut bias: Vec<f64>,
        mut sums_at: impl FnMut(&[f64]) -> Result<OutputSums, E>,
    ) -> Result<(Vec<f64>, OutputSums), E> {
        let total: f64 = self.targets.iter().sum();
        let mut sums = sums_at(&bias)?;
        let (mut value, mut grad) = self.value_and_grad(&bias, &sums);
        let mut history: VecDeque<(Vec<f64>, Vec<f64>)> = VecDeque::new();
        let mut sweeps = 1;
        while sweeps < self.sweeps
            && grad.iter().map(|g| g.abs()).sum::<f64>() > self.tolerance * total
        {
            let mut step = self.direction(&grad, &sums, &history);
            // In units of the logits; far from the optimum the curvature says little.
            let longest = step.iter().fold(0.0_f64, |longest, d| longest.max(d.abs()));
            if longest > 3.0 {
                step = scaled(step, 3.0 / longest);
            }
            let mut slope = dot(&grad, &step);
            loop {
                let new: Vec<f64> = bias.iter().zip(&step).map(|(b, d)| b + d).collect();
                let found = sums_at(&new)?;
                sweeps += 1;
                let (new_value, new_grad) = self.value_and_grad(&new, &found);
                let flat = (new_value - value).abs() <= 1e-7 * value.abs()
                    && dot(&new_grad, &step).abs() <= slope.abs();
                if new_value <= value + 1e-4 * slope || flat {
                    let change: Vec<f64> =
                        new_grad.iter().zip(&grad).map(|(new, old)| new - old).collect();
                    if dot(&step, &change) > 0.0 {
                        history.push_back((step, change));
                        if history.len() > MEMORY {
                            history.pop_front();
                        }
                    }
                    (bias, sums, value, grad) = (new, found, new_value, new_grad);
                    break;
                }
                if sweeps >= self.sweeps {
                    return Ok((bias, sums));
                }
                step = scaled(step, 0.3);
                slope *= 0.3;
            }
        }
        Ok((bias, sums))
    }

    fn value_and_grad(&self, bias: &[f64], sums: &OutputSums) -> (f64, Vec<f64>) {
        let own = |c: usize| bias[c] - self.lowered[c];
        let k = bias.len();
        let square: f64 = (0..k).map(|c| own(c) * own(c)).sum();
        let value = sums.log_sum - dot(bias, self.targets) + 0.5 * self.decay * square;
        let grad = |c: usize| sums.outputs[c] - self.targets[c] + self.decay * own(c);
        (value, (0..k).map(grad).collect())
    }

    /// The quasi-Newton direction, from the diagonal of the Hessian.
    fn direction(
        &self,
        grad: &[f64],
        sums: &OutputSums,
        history: &VecDeque<(Vec<f64>, Vec<f64>)>,
    ) -> Vec<f64> {
        let mut q = grad.to_vec();
        let mut factors = Vec::with_capacity(history.len());
        for (s, y) in history.iter().rev() {
            let factor = dot(s, &q) / dot(s, y);
            q.iter_mut().zip(y).for_each(|(q, y)| *q -= factor * y);
            factors.push(factor);
        }
        let least = 1e-9 * self.targets.iter().sum::<f64>();
        for (q, h) in q.iter_mut().zip(sums.curvature()) {
            *q /= h.max(least) + self.decay;
        }
        for ((s, y), factor) in history.iter().zip(factors.into_iter().rev()) {
            let back = dot(y, &q) / dot(s, y);
            q.iter_mut().zip(s).for_each(|(q, s)| *q += (factor - back) * s);
        }
        scaled(q, -1.0)
    }
}
