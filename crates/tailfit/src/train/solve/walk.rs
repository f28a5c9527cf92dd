//! The walk of one objective down its weight decays.
//!
//! Points are weights in the eigenbasis, for features about their mean; the bias is solved out in
//! every pass: it is that of the scaled logits, scale (b + ⟨W, mean⟩), where b is the bias of the features
//! themselves, which decays as such.

mod stages;

use super::Solved;
use super::bias::{Wanted, rounding, tolerance};
use super::chain::Chain;
use super::curvature::{Curvature, Point, Strength};
use super::dual::Dual;
use super::head_point::HeadPoint;
use super::lbfgs::{add, dot, for_columns};
use super::space::Space;
use super::state::{Evaluated, Rung, State, WithBias};
use super::targets::Targets;
use crate::numbers::Real;
use crate::train::Trial;
use crate::train::seen::Seen;

/// Maximum number of passes at one weight decay, and to a rung on the way.
const PASSES: usize = 500;
const PASSES_TO_RUNG: usize = 30;

/// Passes without a better gap after which no better one is to be had at this precision.
const IN_VAIN: usize = 50;

/// The state of solving a chain.
pub(super) struct Walk<'a, R> {
    chain: &'a Chain<R>,
    curvature: &'a Curvature,
    /// Σ of the samples' weights over the divisor.
    total: f64,
    /// The target terms of plain cross-entropy and of this loss.
    plain: WithBias,
    target: WithBias,
    stage: usize,
    state: State,
    /// The last rung reached, if any. Its state is there where something starts from it.
    rung: Rung,
    /// Whether the last of all is kept.
    keeps_last: bool,
    /// Passes since the last rung.
    passes: usize,
    /// Certified lower bound on the minimum at the current stage.
    lower: f64,
    /// The smallest gap at the current stage, and after how many passes it was reached.
    best: (f64, usize),
    /// Σ w H(t), the smallest value that the data term can take.
    floor: f64,
    /// See [`Targets::margins`].
    margins: f64,
}

impl<'a, R: Real> Walk<'a, R> {
    pub(super) fn new(chain: &'a Chain<R>, space: &'a Space, seen: &Seen<'_, R>) -> Self {
        let (d, k) = (space.curvature.dim(), chain.form.smoothing.len());
        let Targets { total, plain, target, floor, margins } = Targets::new(chain, space, seen);
        let state = State::zero(d, k);
        let known = seen.problem.known;
        let last = chain.stages.iter().rfind(|stage| stage.is_rung);
        let is_new = match (last, &chain.start) {
            (Some(last), Some(start)) => last.weight_decay < start.weight_decay,
            (last, _) => last.is_some(),
        };
        Self {
            chain,
            curvature: &space.curvature,
            total,
            plain,
            target,
            stage: 0,
            rung: Rung { state: State::zero(0, 0), weight_decay: f64::NAN, passes: 0 },
            keeps_last: is_new && known.has_room_for(State::size_of(d, k)),
            state,
            passes: 0,
            lower: f64::NEG_INFINITY,
            best: (f64::INFINITY, 0),
            floor,
            margins,
        }
    }

    /// Whether all stages are solved.
    pub(super) fn is_done(&self) -> bool {
        self.stage == self.chain.stages.len()
    }

    /// The point to evaluate next.
    pub(super) fn candidate(&self) -> Point {
        self.state.descent.candidate()
    }

    /// The weights that give a candidate's scaled logits, back from the eigenbasis, `[D, K]`.
    pub(super) fn weight_of(&self, candidate: &Point) -> Point {
        let mut weight = self.curvature.back(candidate);
        self.scale(&mut weight);
        weight
    }

    /// Multiplies each class's column by its scale.
    fn scale(&self, point: &mut Point) {
        let scale = &self.chain.form.scale;
        for_columns(point, |c, column| column.iter_mut().for_each(|value| *value *= scale[c]));
    }

    /// The head to evaluate: `weight` is that of the candidate.
    pub(super) fn head_point<'b>(
        &'b self,
        candidate: &Point,
        weight: &'b Point,
    ) -> HeadPoint<'b, R> {
        let weights = self.chain.form.class_weights.iter();
        let gap = self.chain.gap_of(&self.chain.stages[self.stage]);
        HeadPoint {
            objective: &self.chain.objective,
            weight,
            bias: &self.state.bias,
            margin: &self.chain.form.margin,
            class_weights: weights.map(|weight| weight / self.chain.divisor).collect(),
            wanted: Wanted {
                offset: &self.chain.form.offset,
                scale: &self.chain.form.scale,
                targets: &self.target.bias,
                decay: self.decay()[1],
                lowered: self.lowered(candidate),
                tolerance: tolerance::<R>(gap, self.excess() / self.total),
                rounding: rounding::<R>(),
                sweeps: if R::SINGLE { 16 } else { 60 },
            },
            divisor: self.chain.divisor,
        }
    }

    fn decay(&self) -> [f64; 2] {
        self.chain.decay(self.chain.stages[self.stage].weight_decay)
    }

    /// ⟨W, mean⟩ of each class, scaled as its logits.
    fn lowered(&self, x: &Point) -> Vec<f64> {
        let of = |c: usize| -> f64 {
            self.curvature.mean.iter().enumerate().map(|(j, m)| m * x[(j, c)]).sum()
        };
        self.chain.form.scale.iter().enumerate().map(|(c, scale)| scale * of(c)).collect()
    }

    /// The bias of the features themselves, and what both decays add to the objective.
    fn own_bias_and_penalty(&self, x: &Point, bias: &[f64]) -> (Vec<f64>, f64) {
        let decay = self.decay();
        let scaled = bias.iter().zip(self.lowered(x)).map(|(b, low)| b - low);
        let own: Vec<f64> = scaled.zip(&self.chain.form.scale).map(|(b, s)| b / s).collect();
        let square: f64 = own.iter().map(|b| b * b).sum();
        (own, 0.5 * (decay[0] * dot(x, x) + decay[1] * square))
    }

    /// Takes an evaluation and moves on to the next candidate, through as many stages as it solves.
    pub(super) fn take(
        &mut self,
        x: Point,
        found: Evaluated,
        seen: &Seen<'_, R>,
        trials: &[&Trial],
        done: &mut dyn FnMut(usize, Solved),
    ) {
        self.passes += 1;
        let decay = self.decay();
        let (bias, shares) = (found.bias, found.shares);
        // Recover Σ w log Σ exp and the mean of p xᵀ from plain cross-entropy, then this loss.
        let with_bias = |shares: &[f64]| -> f64 {
            let shown = bias.iter().zip(&self.chain.form.offset).map(|(b, offset)| b + offset);
            shown.zip(shares).map(|(shown, share)| shown * share).sum()
        };
        let log_sum =
            found.value + dot(&x, &self.plain.weight) + with_bias(&self.plain.bias) - self.margins;
        let mut outputs = self.curvature.rotated(&found.grad);
        drop(found.grad);
        self.scale(&mut outputs);
        add(&mut outputs, 1.0, &self.plain.weight);
        let (own_bias, penalty) = self.own_bias_and_penalty(&x, &bias);
        let value = log_sum - dot(&x, &self.target.weight) - with_bias(&self.target.bias)
            + penalty
            + self.margins;
        let mut grad = outputs.clone();
        add(&mut grad, -1.0, &self.target.weight);
        add(&mut grad, decay[0], &x);
        if decay[1] > 0.0 {
            for (c, b) in own_bias.iter().enumerate() {
                let column = grad.col_mut(c);
                for (grad, mean) in column.iter_mut().zip(&self.curvature.mean) {
                    *grad -= decay[1] * b * mean;
                }
            }
        }
        let entropy = log_sum - dot(&x, &outputs) - with_bias(&shares);
        let step = if self.state.descent.value.is_infinite() {
            self.state.descent.here(value, grad);
            Some(true)
        } else {
            let noise = if R::SINGLE { 1e-6 * value.abs() + 1e-7 * self.total } else { 1e-14 };
            self.state.descent.take(x, value, grad, noise)
        };
        if step == Some(false) {
            return;
        }
        let stuck = step.is_none();
        if !stuck {
            let state = &mut self.state;
            (state.bias, state.entropy, state.curvature) = (bias, entropy, found.curvature);
            state.outputs = WithBias { weight: outputs, bias: shares };
            state.entropies = found.entropies;
            self.certify();
        }
        self.go_on(self.is_close(stuck), seen, trials, done);
    }

    fn strength(&self) -> Strength<'a> {
        let by_class = self.state.curvature.clone();
        Strength { by_class, scale: &self.chain.form.scale, total: self.total, decay: self.decay() }
    }

    /// How far the value is above the smallest value of the data term.
    fn excess(&self) -> f64 {
        self.state.descent.value - self.floor
    }

    /// Certified bound on what is left to gain, relative to the excess.
    fn gap(&self) -> Option<f64> {
        let left = (self.state.descent.value - self.lower).max(0.0);
        self.lower.is_finite().then(|| left / self.excess())
    }

    /// Raises the lower bound to what the outputs certify.
    fn certify(&mut self) {
        if self.decay()[0] > 0.0 {
            let dual = Dual {
                state: &self.state,
                target: &self.target,
                scale: &self.chain.form.scale,
                margins: self.margins,
                margin: &self.chain.form.margin,
                decay: self.decay(),
                mean: &self.curvature.mean,
                lowered: &self.lowered(&self.state.descent.x),
            };
            self.lower = self.lower.max(self.state.descent.value - dual.bound());
        }
        if let Some(gap) = self.gap().filter(|gap| *gap < 0.99 * self.best.0) {
            self.best = (gap, self.passes);
        }
    }

    fn is_close(&self, stuck: bool) -> bool {
        let wanted = self.chain.gap_of(&self.chain.stages[self.stage]);
        let reached = if let Some(gap) = self.gap() {
            gap <= wanted
        } else {
            // At weight decay 0 nothing is certified.
            let left = self.curvature.decrement(&self.state.descent.grad, &self.strength());
            left <= 1e-2 * wanted * self.excess()
        };
        let most = if self.chain.stages[self.stage].is_rung { PASSES_TO_RUNG } else { PASSES };
        let in_vain = self.gap().is_some() && self.passes > self.best.1 + IN_VAIN;
        reached || stuck || in_vain || self.passes >= most
    }
}
