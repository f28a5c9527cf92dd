//! The best bias for given weights: a small convex problem of its own, solved by quasi-Newton steps
//! of which each costs a sweep over the logits, and no product.

use std::collections::VecDeque;

use crate::numbers::Real;

/// Steps remembered.
const MEMORY: usize = 8;

/// Steps without any use, between values that rounding makes equal, after which it is left: they follow
/// the rounding, ever further from the best.
const IN_VAIN: usize = 2;

/// What the bias has to fulfil.
pub(super) struct Wanted<'a> {
    /// What the objective adds to the logits, `[K]`.
    pub(super) offset: &'a [f64],
    /// What the bias that decays is multiplied by, `[K]`, and `lowered` with it.
    pub(super) scale: &'a [f64],
    /// Sums of the targets, t, `[K]`.
    pub(super) targets: &'a [f64],
    /// Decay of the bias, and by how much the bias of the features themselves is smaller, `[K]`.
    pub(super) decay: f64,
    pub(super) lowered: Vec<f64>,
    /// The sum of |∇| over the classes, relative to that of the targets, at which it is good.
    pub(super) tolerance: f64,
    /// Differences of values, relative to them, that rounding may make.
    pub(super) rounding: f64,
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

/// Differences of values, relative to them, that rounding may make.
pub(super) fn rounding<R: Real>() -> f64 {
    if R::SINGLE { 1e-7 } else { 1e-15 }
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
    /// Minimises Σ w log Σ exp(z + b + offset) − ⟨b, t⟩ + ½ decay ‖(b − lowered) / scale‖² from `bias`,
    /// given the sums that a bias gives. Returns the bias with the smallest gradient found and the sums there.
    pub(super) fn solve<E>(
        &self,
        mut bias: Vec<f64>,
        mut sums_at: impl FnMut(&[f64]) -> Result<OutputSums, E>,
    ) -> Result<(Vec<f64>, OutputSums), E> {
        let total: f64 = self.targets.iter().sum();
        let size = |grad: &[f64]| grad.iter().map(|g| g.abs()).sum::<f64>();
        let mut sums = sums_at(&bias)?;
        let (mut value, mut grad) = self.value_and_grad(&bias, &sums);
        let mut history: VecDeque<(Vec<f64>, Vec<f64>)> = VecDeque::new();
        let mut sweeps = 1;
        let mut best = (size(&grad), bias.clone(), sums.clone());
        let mut in_vain = 0;
        while sweeps < self.sweeps && best.0 > self.tolerance * total && in_vain < IN_VAIN {
            let mut step = self.direction(&grad, &sums, &history);
            // In units of the logits; far from the optimum the curvature says little.
            let longest = step.iter().fold(0.0_f64, |longest, d| longest.max(d.abs()));
            if longest > 3.0 {
                step = scaled(step, 3.0 / longest);
            }
            let mut slope = dot(&grad, &step);
            let rounded = loop {
                let new: Vec<f64> = bias.iter().zip(&step).map(|(b, d)| b + d).collect();
                let found = sums_at(&new)?;
                sweeps += 1;
                let (new_value, new_grad) = self.value_and_grad(&new, &found);
                let change = (new_value - value).abs() / value.abs();
                let flat = change <= 1e-7 && dot(&new_grad, &step).abs() <= slope.abs();
                if new_value <= value + 1e-4 * slope || flat {
                    let turned: Vec<f64> =
                        new_grad.iter().zip(&grad).map(|(new, old)| new - old).collect();
                    if dot(&step, &turned) > 0.0 {
                        history.push_back((step, turned));
                        if history.len() > MEMORY {
                            history.pop_front();
                        }
                    }
                    (bias, sums, value, grad) = (new, found, new_value, new_grad);
                    break change <= self.rounding;
                }
                if sweeps >= self.sweeps {
                    break true;
                }
                step = scaled(step, 0.3);
                slope *= 0.3;
            };
            if size(&grad) < best.0 {
                (best, in_vain) = ((size(&grad), bias.clone(), sums.clone()), 0);
            } else if rounded {
                in_vain += 1;
            }
        }
        let (_, bias, sums) = best;
        Ok((bias, sums))
    }

    fn value_and_grad(&self, bias: &[f64], sums: &OutputSums) -> (f64, Vec<f64>) {
        let own = |c: usize| (bias[c] - self.lowered[c]) / self.scale[c];
        let k = bias.len();
        let square: f64 = (0..k).map(|c| own(c) * own(c)).sum();
        let value = sums.log_sum - dot(bias, self.targets) + 0.5 * self.decay * square;
        let grad =
            |c: usize| sums.outputs[c] - self.targets[c] + self.decay * own(c) / self.scale[c];
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
        for ((q, h), s) in q.iter_mut().zip(sums.curvature()).zip(self.scale) {
            *q /= h.max(least) + self.decay / (s * s);
        }
        for ((s, y), factor) in history.iter().zip(factors.into_iter().rev()) {
            let back = dot(y, &q) / dot(s, y);
            q.iter_mut().zip(s).for_each(|(q, s)| *q += (factor - back) * s);
        }
        scaled(q, -1.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::{Purpose, Rng};
    use crate::train::solve::outputs::add_outputs;

    /// How far the outputs are off at every bias tried, and at the one that is returned.
    fn sizes<R: Real>(k: usize, fall: f64) -> (Vec<f64>, f64) {
        let n = 2000;
        let mut rng = Rng::new(0, Purpose::Start, 0);
        let z: Vec<R> =
            (0..n * k.next_multiple_of(16)).map(|_| R::from_f64(4.0 * rng.normal())).collect();
        let targets: Vec<f64> = (0..k).map(|c| fall.powi(c as i32)).collect();
        let total: f64 = targets.iter().sum();
        let targets: Vec<f64> = targets.iter().map(|t| t / total).collect();
        let off = |sums: &OutputSums| -> f64 {
            sums.outputs.iter().zip(&targets).map(|(o, t)| (o - t).abs()).sum()
        };
        let mut sizes = Vec::new();
        let wanted = Wanted {
            offset: &vec![0.0; k],
            scale: &vec![1.0; k],
            targets: &targets,
            decay: 0.0,
            lowered: vec![0.0; k],
            tolerance: 1e-12,
            rounding: rounding::<R>(),
            sweeps: 100,
        };
        let solved = wanted.solve(vec![0.0; k], |bias| {
            let shown: Vec<R> = bias.iter().map(|&b| R::from_f64(b)).collect();
            let mut sums = OutputSums::new(k);
            for batch in z.chunks(100 * k.next_multiple_of(16)) {
                add_outputs(&mut sums, batch, &shown, |_| 1.0 / n as f64);
            }
            sizes.push(off(&sums));
            Ok::<_, ()>(sums)
        });
        let left = off(&solved.unwrap().1);
        (sizes, left)
    }

    /// Asked for more than single precision has, it neither leaves the best bias nor goes on in vain.
    #[test]
    fn rounding_does_not_lead_it_astray() {
        let (sizes, left) = sizes::<f32>(16, 0.7);
        let best = sizes.iter().copied().fold(f64::INFINITY, f64::min);
        assert!(left == best && best < 1e-6, "{left:.1e} left, {best:.1e} seen: {sizes:?}");
        assert!(sizes.len() < 40, "{} sweeps", sizes.len());
    }

    /// In double precision it goes on where steps no longer show in seven digits of the value.
    #[test]
    fn double_precision_is_used_up() {
        for (k, fall) in [(16, 0.7), (60, 0.7), (50, 0.91)] {
            let (sizes, left) = sizes::<f64>(k, fall);
            assert!(left < 1e-12, "{k} classes: {left:.1e} left after {} sweeps", sizes.len());
        }
    }
}
