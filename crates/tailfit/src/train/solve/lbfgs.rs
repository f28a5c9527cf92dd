//! Limited-memory BFGS, one evaluation at a time, so that many heads share a pass.

use std::collections::VecDeque;

use faer::linalg::solvers::{Llt, Solve};
use faer::{Mat, Side};

use super::pass::Point;

/// Steps remembered.
const MEMORY: usize = 10;

/// Σ a · b.
pub(super) fn dot(a: &Point, b: &Point) -> f64 {
    let columns = a.col_iter().zip(b.col_iter());
    columns.map(|(a, b)| a.iter().zip(b.iter()).map(|(a, b)| a * b).sum::<f64>()).sum()
}

/// a += factor · b.
pub(super) fn add(a: &mut Point, factor: f64, b: &Point) {
    for (a, b) in a.col_iter_mut().zip(b.col_iter()) {
        for (a, b) in a.iter_mut().zip(b.iter()) {
            *a += factor * b;
        }
    }
}

/// Multiplies weights and bias by one number each.
pub(super) fn scaled_rows(point: &Point, weight: f64, bias: f64) -> Point {
    let last = point.nrows() - 1;
    let factor = |row| if row == last { bias } else { weight };
    Mat::from_fn(point.nrows(), point.ncols(), |i, j| factor(i) * point[(i, j)])
}

/// (½ X̃ᵀ X̃ + decay)⁻¹, where X̃ has a column of ones: Böhning's bound on the curvature, the
/// same for all heads with the same class weights and decay.
pub(super) struct Preconditioner(Llt<f64>);

impl Preconditioner {
    /// `None` if the matrix is not positive.
    pub(super) fn new(gram: &Mat<f64>, decay: [f64; 2]) -> Option<Self> {
        let n = gram.nrows();
        // A direction without data and decay is left alone by a curvature that is not 0.
        let floor = 1e-8 * (0..n).map(|i| gram[(i, i)]).sum::<f64>() / n as f64;
        let diagonal = |i| if i + 1 == n { decay[1] } else { decay[0] } + floor;
        let matrix = Mat::from_fn(n, n, |i, j| {
            0.5 * gram[(i, j)] + if i == j { diagonal(i) } else { 0.0 }
        });
        matrix.llt(Side::Lower).ok().map(Self)
    }

    fn apply(&self, point: &Point) -> Point {
        self.0.solve(point)
    }

    /// ½ gᵀ P g: what a step along P g gains at least.
    pub(super) fn decrement(&self, grad: &Point) -> f64 {
        0.5 * dot(grad, &self.apply(grad))
    }
}

/// Where the search is, and where it looks next.
#[derive(Clone)]
pub(super) struct Descent {
    pub(super) x: Point,
    pub(super) value: f64,
    pub(super) grad: Point,
    /// Steps and the changes of the gradient over them, oldest first.
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

    /// Moves to another weight decay, which needs no pass: value, gradient and history change
    /// by what the decay contributes.
    pub(super) fn change_decay(&mut self, change: [f64; 2]) {
        let pull = scaled_rows(&self.x, change[0], change[1]);
        self.value += 0.5 * dot(&self.x, &pull);
        add(&mut self.grad, 1.0, &pull);
        for (s, y) in &mut self.history {
            let pull = scaled_rows(s, change[0], change[1]);
            add(y, 1.0, &pull);
        }
    }

    /// Begins a step.
    pub(super) fn aim(&mut self, preconditioner: &Preconditioner) {
        let mut q = self.grad.clone();
        let mut factors = Vec::with_capacity(self.history.len());
        for (s, y) in self.history.iter().rev() {
            let factor = dot(s, &q) / dot(y, s);
            add(&mut q, -factor, y);
            factors.push(factor);
        }
        let mut direction = preconditioner.apply(&q);
        if let Some((s, y)) = self.history.back() {
            let scale = dot(s, y) / dot(y, &preconditioner.apply(y));
            direction = scaled_rows(&direction, scale, scale);
        }
        for ((s, y), factor) in self.history.iter().zip(factors.into_iter().rev()) {
            let back = dot(y, &direction) / dot(y, s);
            add(&mut direction, factor - back, s);
        }
        self.direction = scaled_rows(&direction, -1.0, -1.0);
        self.slope = dot(&self.grad, &self.direction);
        self.step = 1.0;
    }

    /// The point to evaluate next.
    pub(super) fn candidate(&self) -> Point {
        let mut x = self.x.clone();
        add(&mut x, self.step, &self.direction);
        x
    }

    /// Takes the evaluation of the candidate: `true` if the step is done, `false` if a shorter
    /// one is to be tried; `None` if there is nothing left to gain in this arithmetic.
    pub(super) fn take(&mut self, x: Point, value: f64, grad: Point) -> Option<bool> {
        let rise = value - self.value;
        if !(value.is_finite() && rise <= 1e-4 * self.step * self.slope) {
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
