//! Limited-memory BFGS, driven one evaluation at a time so that many heads can share a pass.

use std::collections::VecDeque;

use faer::Mat;
use rayon::prelude::*;

use super::curvature::{Curvature, Point, Strength};

/// Number of steps remembered.
const MEMORY: usize = 10;

/// Numbers summed side by side.
const LANES: usize = 16;

/// Numbers from which on a product is spread over threads.
const LARGE: usize = 1 << 15;

/// Σ a · b, in the same order whatever the threads.
pub(super) fn dot(a: &Point, b: &Point) -> f64 {
    let of = |c: usize| product(a.col_as_slice(c), b.col_as_slice(c));
    if a.nrows() * a.ncols() < LARGE {
        return (0..a.ncols()).map(of).sum();
    }
    (0..a.ncols()).into_par_iter().map(of).collect::<Vec<f64>>().iter().sum()
}

/// Σ a · b in lanes that vectorise.
fn product(a: &[f64], b: &[f64]) -> f64 {
    let ((a, left_a), (b, left_b)) = (a.as_chunks::<LANES>(), b.as_chunks::<LANES>());
    let mut lanes = [0.0; LANES];
    for (a, b) in a.iter().zip(b) {
        for lane in 0..LANES {
            lanes[lane] += a[lane] * b[lane];
        }
    }
    lanes.iter().sum::<f64>() + left_a.iter().zip(left_b).map(|(a, b)| a * b).sum::<f64>()
}

/// a += factor · b.
pub(super) fn add(a: &mut Point, factor: f64, b: &Point) {
    let add = |(a, b): (&mut [f64], &[f64])| {
        a.iter_mut().zip(b).for_each(|(a, b)| *a += factor * b);
    };
    for c in 0..a.ncols() {
        add((a.col_as_slice_mut(c), b.col_as_slice(c)));
    }
}

/// factor · a.
fn scaled(a: &Point, factor: f64) -> Point {
    Mat::from_fn(a.nrows(), a.ncols(), |i, j| factor * a[(i, j)])
}

/// The state of the search: where it is, and where it looks next.
#[derive(Clone)]
pub(super) struct Descent {
    pub(super) x: Point,
    pub(super) value: f64,
    pub(super) grad: Point,
    /// Past steps and the changes of the gradient over them, oldest first.
    history: VecDeque<(Point, Point)>,
    direction: Point,
    slope: f64,
    step: f64,
}

impl Descent {
    pub(super) fn new(x: Point, value: f64, grad: Point) -> Self {
        let direction = Mat::zeros(x.nrows(), x.ncols());
        Self { x, value, grad, history: VecDeque::new(), direction, slope: 0.0, step: 0.0 }
    }

    /// Changes the weight decay: the history changes by what it contributes, as do value and
    /// gradient, if the bias does not decay.
    pub(super) fn change_decay(&mut self, change: f64) {
        self.value += 0.5 * change * dot(&self.x, &self.x);
        add(&mut self.grad, change, &self.x);
        for (s, y) in &mut self.history {
            add(y, change, s);
        }
    }

    /// Stays where it is for one evaluation, whose outcome replaces what is known of this point.
    pub(super) fn look_again(&mut self) {
        (self.step, self.value) = (0.0, f64::INFINITY);
    }

    /// Takes the evaluation of this very point.
    pub(super) fn here(&mut self, value: f64, grad: Point) {
        (self.value, self.grad) = (value, grad);
    }

    /// Chooses the direction of the next step.
    pub(super) fn aim(&mut self, curvature: &Curvature, strength: &Strength) {
        let mut q = self.grad.clone();
        let mut factors = Vec::with_capacity(self.history.len());
        for (s, y) in self.history.iter().rev() {
            let factor = dot(s, &q) / dot(y, s);
            add(&mut q, -factor, y);
            factors.push(factor);
        }
        let mut direction = curvature.apply(&q, strength);
        if let Some((s, y)) = self.history.back() {
            let scale = dot(s, y) / dot(y, &curvature.apply(y, strength));
            direction = scaled(&direction, scale);
        }
        for ((s, y), factor) in self.history.iter().zip(factors.into_iter().rev()) {
            let back = dot(y, &direction) / dot(y, s);
            add(&mut direction, factor - back, s);
        }
        self.direction = scaled(&direction, -1.0);
        self.slope = dot(&self.grad, &self.direction);
        self.step = 1.0;
    }

    /// The point to evaluate next.
    pub(super) fn candidate(&self) -> Point {
        let mut x = self.x.clone();
        add(&mut x, self.step, &self.direction);
        x
    }

    /// Takes the evaluation of the candidate. Returns `true` if the step is accepted, `false` if a
    /// shorter one should be tried, and `None` if nothing is left to gain at this precision, in
    /// which values are known to within `noise`.
    pub(super) fn take(&mut self, x: Point, value: f64, grad: Point, noise: f64) -> Option<bool> {
        let rise = value - self.value;
        // Where the values differ only by rounding, the slopes decide (Hager and Zhang's
        // approximate Wolfe condition).
        let flat = rise.abs() <= noise && dot(&grad, &self.direction) <= -0.9998 * self.slope;
        if !(value.is_finite() && (rise <= 1e-4 * self.step * self.slope || flat)) {
            let best = -self.slope * self.step / (2.0 * (rise - self.slope * self.step));
            self.step *= if best.is_finite() { best.clamp(0.1, 0.5) } else { 0.1 };
            return (self.step > 1e-6).then_some(false);
        }
        let (mut s, mut y) = (x.clone(), grad.clone());
        add(&mut s, -1.0, &self.x);
        add(&mut y, -1.0, &self.grad);
        if dot(&s, &y) > 1e-14 * dot(&s, &s) {
            self.history.push_back((s, y));
            if self.history.len() > MEMORY {
                self.history.pop_front();
            }
        }
        (self.x, self.value, self.grad) = (x, value, grad);
        Some(true)
    }
}
