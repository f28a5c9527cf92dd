//! The walk of one objective down its weight decays.

use faer::Mat;
use ndarray::{Array1, Array2};

use super::Solved;
use super::chain::{Chain, Stage};
use super::lbfgs::{Curvature, Descent, Strength, add, dot, scaled_rows};
use super::pass::{Point, Sums, ValueAndGrad};

use crate::head::Head;
use crate::numbers::Real;
use crate::train::Trial;
use crate::train::problem::Seen;

/// Maximum number of passes at one weight decay.
const PASSES: usize = 500;

/// The state of solving a chain.
pub(super) struct Walk<'a, R> {
    pub(super) chain: &'a Chain<R>,
    sums: &'a Sums,
    curvature: &'a Curvature,
    /// Σ of the samples' weights over the divisor.
    total: f64,
    /// The target terms of plain cross-entropy and of this loss, `[D + 1, K]`.
    plain: Point,
    target: Point,
    pub(super) stage: usize,
    pub(super) descent: Descent,
    /// The search at the last rung solved, or at zero.
    rung: Descent,
    rung_decay: f64,
    rung_outputs: (f64, Point),
    /// Passes up to that rung, and since.
    rung_passes: usize,
    passes: usize,
    /// Certified lower bound on the minimum at the current stage.
    lower: f64,
    /// Sums over the last outputs p: Σ w H(p), and Σ w p x̃ᵀ in `outputs`.
    entropy: f64,
    outputs: Point,
    /// Σ w H(t), the smallest value that the data term can take.
    floor: f64,
}

impl<'a, R: Real> Walk<'a, R> {
    pub(super) fn new(
        chain: &'a Chain<R>,
        (sums, curvature): (&'a Sums, &'a Curvature),
        seen: &Seen<'_, R>,
    ) -> Self {
        let (d, k) = (sums.dim, sums.shares.len());
        let weights = seen.problem.labels.iter().map(|&y| chain.class_weights[y as usize]);
        let views = seen.problem.views.len() as f64;
        let total = weights.sum::<f64>() * views / chain.divisor;
        let of = |row: usize, c: usize| {
            total * if row == d { sums.shares[c] } else { sums.by_class[(row, c)] }
        };
        let plain = Mat::from_fn(d + 1, k, of);
        let spread: Vec<f64> = (0..=d)
            .map(|row| (0..k).map(|c| chain.smoothing[c] * of(row, c)).sum::<f64>() / k as f64)
            .collect();
        let target =
            Mat::from_fn(d + 1, k, |row, c| (1.0 - chain.smoothing[c]) * of(row, c) + spread[row]);
        let log = |p: f64| if p > 0.0 { -p * p.ln() } else { 0.0 };
        let entropy = |c: usize| {
            let spread = chain.smoothing[c] / k as f64;
            log(1.0 - chain.smoothing[c] + spread) + (k - 1) as f64 * log(spread)
        };
        let floor = (0..k).map(|c| plain[(d, c)] * entropy(c)).sum();
        let zero = Mat::zeros(d + 1, k);
        let descent = Descent::new(zero.clone(), f64::INFINITY, zero.clone());
        Self {
            chain,
            sums,
            curvature,
            total,
            plain,
            target,
            stage: 0,
            rung: descent.clone(),
            rung_decay: f64::NAN,
            outputs: zero.clone(),
            rung_outputs: (0.0, zero),
            descent,
            rung_passes: 0,
            passes: 0,
            lower: f64::NEG_INFINITY,
            entropy: 0.0,
            floor,
        }
    }

    /// Takes an evaluation and moves on to the next candidate, through as many stages as it solves.
    pub(super) fn take(
        &mut self,
        x: Point,
        plain: ValueAndGrad,
        seen: &Seen<'_, R>,
        trials: &[&Trial],
        done: &mut dyn FnMut(usize, Solved),
    ) {
        self.passes += 1;
        let decay = self.chain.decay(self.chain.stages[self.stage].weight_decay);
        // Recover Σ w log Σ exp and the mean of p xᵀ from plain cross-entropy, then this loss.
        let shares = |point: &Point| -> f64 {
            let last = point.nrows() - 1;
            (0..point.ncols()).map(|c| self.chain.offset[c] * point[(last, c)]).sum()
        };
        let log_sum = plain.value + dot(&x, &self.plain) + shares(&self.plain);
        let mut outputs = plain.grad;
        add(&mut outputs, 1.0, &self.plain);
        let pull = scaled_rows(&x, decay[0], decay[1]);
        let value = log_sum - dot(&x, &self.target) - shares(&self.target) + 0.5 * dot(&x, &pull);
        let mut grad = outputs.clone();
        add(&mut grad, -1.0, &self.target);
        let mut full = grad.clone();
        add(&mut full, 1.0, &pull);

        let entropy = log_sum - dot(&x, &outputs) - shares(&outputs);
        let first = self.descent.value.is_infinite();
        let step = if first {
            self.descent = Descent::new(x, value, full);
            Some(true)
        } else {
            let noise = if R::SINGLE { 1e-6 * value.abs() } else { 1e-14 };
            self.descent.take(x, value, full, noise)
        };
        if step == Some(false) {
            return;
        }
        let mut stuck = step.is_none();
        if !stuck {
            (self.entropy, self.outputs) = (entropy, outputs);
            if first {
                // At zero the weight decay does not matter: stages above the first rung start here.
                self.keep_rung();
            }
            self.certify();
        }
        // The outputs at this point may certify several stages.
        while self.close(stuck) {
            self.solved(seen, trials, done);
            if !self.next_stage() {
                return;
            }
            stuck = false;
        }
        self.descent.aim(self.curvature, &self.strength());
    }

    fn strength(&self) -> Strength {
        // The curvature of a sample's softmax is at most ½ and falls with its entropy.
        let sure = (self.entropy / self.total).clamp(1e-4, 1.0);
        let decay = self.chain.decay(self.chain.stages[self.stage].weight_decay);
        Strength { gamma: 0.5 * sure.sqrt(), decay }
    }

    /// How far the value is above the smallest value of the data term.
    fn excess(&self) -> f64 {
        self.descent.value - self.floor
    }

    /// Certified bound on what is left to gain, relative to the excess.
    fn gap(&self) -> Option<f64> {
        let left = (self.descent.value - self.lower).max(0.0);
        self.lower.is_finite().then(|| left / self.excess())
    }

    /// Raises the lower bound to what the outputs certify.
    fn certify(&mut self) {
        let weight_decay = self.chain.stages[self.stage].weight_decay;
        if weight_decay > 0.0 {
            let left = self.bound(self.chain.decay(weight_decay));
            self.lower = self.lower.max(self.descent.value - left);
        }
    }

    fn close(&self, stuck: bool) -> bool {
        let reached = if let Some(gap) = self.gap() {
            gap <= self.chain.gap
        } else {
            // At weight decay 0 nothing is certified.
            let left = self.curvature.decrement(&self.descent.grad, &self.strength());
            left <= 1e-2 * self.chain.gap * self.excess()
        };
        reached || stuck || self.passes >= PASSES
    }

    /// Hands this stage's solution to the trials that asked for it.
    fn solved(&self, seen: &Seen<'_, R>, trials: &[&Trial], done: &mut dyn FnMut(usize, Solved)) {
        let Stage { weight_decay, asked_by, .. } = &self.chain.stages[self.stage];
        let decay = self.chain.decay(*weight_decay);
        let x = &self.descent.x;
        let loss = self.descent.value - 0.5 * dot(x, &scaled_rows(x, decay[0], decay[1]));
        for &i in asked_by {
            let head = self.head(trials[i], seen);
            let passes = self.rung_passes + self.passes;
            done(i, Solved { head, loss, gap: self.gap(), passes });
        }
    }

    /// Moves to the next stage, starting from the last rung; `false` if there is none.
    fn next_stage(&mut self) -> bool {
        if self.chain.stages[self.stage].is_rung {
            self.keep_rung();
        } else {
            self.descent = self.rung.clone();
            (self.entropy, self.outputs) = self.rung_outputs.clone();
        }
        self.stage += 1;
        let Some(next) = self.chain.stages.get(self.stage) else { return false };
        let [old, new] = [self.chain.decay(self.rung_decay), self.chain.decay(next.weight_decay)];
        self.descent.change_decay([new[0] - old[0], new[1] - old[1]]);
        self.passes = 0;
        self.lower = f64::NEG_INFINITY;
        self.certify();
        true
    }

    /// Makes the current point the rung from which the next stages start.
    fn keep_rung(&mut self) {
        (self.rung, self.rung_decay) =
            (self.descent.clone(), self.chain.stages[self.stage].weight_decay);
        self.rung_outputs = (self.entropy, self.outputs.clone());
        self.rung_passes += std::mem::take(&mut self.passes);
    }

    /// Upper bound on what is left to gain: the value minus the dual objective at the outputs p,
    /// which is ‖∇F‖² / 2 divided by the decay of each part. If the bias is not decayed, the mean
    /// of the outputs must equal that of the targets, so they are mixed with a distribution q that
    /// makes it so.
    fn bound(&self, decay: [f64; 2]) -> f64 {
        let (d, k, grad) = (self.sums.dim, self.outputs.ncols(), &self.descent.grad);
        let square = |point: &Point, rows: std::ops::Range<usize>| -> f64 {
            let column = |c| rows.clone().map(|j| point[(j, c)] * point[(j, c)]).sum::<f64>();
            (0..k).map(column).sum()
        };
        if decay[1] > 0.0 {
            let [weight, bias] = [square(grad, 0..d), square(grad, d..d + 1)];
            return weight / (2.0 * decay[0]) + bias / (2.0 * decay[1]);
        }
        let shortfall = |c: usize| 1.0 - self.target[(d, c)] / self.outputs[(d, c)];
        let share = (0..k).map(shortfall).fold(0.0, f64::max);
        if share >= 1.0 {
            return f64::INFINITY;
        }
        let q: Vec<f64> = (0..k)
            .map(|c| self.target[(d, c)] - (1.0 - share) * self.outputs[(d, c)])
            .map(|mass| if share > 0.0 { (mass / (share * self.total)).max(0.0) } else { 0.0 })
            .collect();
        let entropy_of_q: f64 = q.iter().filter(|q| **q > 0.0).map(|q| -q * q.ln()).sum();
        let mut mixed = self.outputs.clone();
        for (c, q) in q.iter().enumerate() {
            for j in 0..d {
                let own = self.total * q * self.sums.mean[j];
                mixed[(j, c)] += share * (own - self.outputs[(j, c)]);
            }
        }
        add(&mut mixed, -1.0, &self.target);
        let entropy = (1.0 - share) * self.entropy + share * self.total * entropy_of_q;
        self.descent.value - entropy + square(&mixed, 0..d) / (2.0 * decay[0])
    }

    fn head(&self, trial: &Trial, seen: &Seen<'_, R>) -> Head {
        let (d, k, x) = (self.sums.dim, self.plain.ncols(), &self.descent.x);
        let family = trial.recipe.cost.loss.family(seen.problem.counts);
        let shift = |c: usize| family.as_ref().map_or(0.0, |f| f.offset[c] - self.chain.offset[c]);
        Head {
            weight: Array2::from_shape_fn((k, d), |(c, j)| x[(j, c)]),
            bias: Array1::from_shape_fn(k, |c| x[(d, c)] - shift(c)),
            normalise_features: false,
        }
    }
}
