//! Limited-memory BFGS, driven one evaluation at a time.

use std::collections::VecDeque;

use faer::{ColMut, Mat};
use rayon::prelude::*;

use super::curvature::{Curvature, Point, Strength};

/// Number of steps remembered.
const MEMORY: usize = 10;

/// Numbers summed side by side.
const LANES: usize = 16;

/// Numbers from which on work is spread over threads.
const LARGE: usize = 1 << 15;

/// Σ a · b, in the same order whatever the threads.
pub(super) fn dot(a: &Point, b: &Point) -> f64 {
    let of = |c: usize| product(a.col_as_slice(c), b.col_as_slice(c));
    if is_small(a) {
        return (0..a.ncols()).map(of).sum();
    }
    (0..a.ncols()).into_par_iter().map(of).collect::<Vec<f64>>().iter().sum()
}

fn is_small(point: &Point) -> bool {
    point.nrows() * point.ncols() < LARGE
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

/// What `work` makes of each column and its number, in their order whatever the threads.
pub(super) fn for_columns<T: Send>(
    point: &mut Point,
    work: impl Fn(usize, &mut [f64]) -> T + Sync,
) -> Vec<T> {
    fn slice(column: ColMut<'_, f64>) -> &mut [f64] {
        column.try_as_col_major_mut().expect("columns lie in one piece").as_slice_mut()
    }
    let small = is_small(point);
    let columns = point.col_iter_mut().map(slice).enumerate();
    if small {
        return columns.map(|(c, column)| work(c, column)).collect();
    }
    let columns: Vec<_> = columns.collect();
    columns.into_par_iter().map(|(c, column)| work(c, column)).collect()
}

/// a += factor · b.
pub(super) fn add(a: &mut Point, factor: f64, b: &Point) {
    for_columns(a, |c, a| add_column(a, factor, b.col_as_slice(c)));
}

/// a += factor · b, and then Σ a · with.
fn add_and_dot(a: &mut Point, (factor, b): (f64, &Point), with: &Point) -> f64 {
    let products = for_columns(a, |c, a| {
        add_column(a, factor, b.col_as_slice(c));
        product(a, with.col_as_slice(c))
    });
    products.iter().sum()
}

fn add_column(a: &mut [f64], factor: f64, b: &[f64]) {
    a.iter_mut().zip(b).for_each(|(a, b)| *a += factor * b);
}

/// a *= factor.
fn scale(a: &mut Point, factor: f64) {
    for_columns(a, |_, a| a.iter_mut().for_each(|a| *a *= factor));
}

/// A past step s, the change y of the gradient over it, and Σ s · y.
#[derive(Clone)]
struct Past {
    s: Point,
    y: Point,
    product: f64,
}

/// The state of the search: where it is, and where it looks next.
#[derive(Clone)]
pub(super) struct Descent {
    pub(super) x: Point,
    pub(super) value: f64,
    pub(super) grad: Point,
    /// Oldest first.
    history: VecDeque<Past>,
    direction: Point,
    slope: f64,
    step: f64,
}

impl Descent {
    /// The most points that it holds.
    pub(super) const POINTS: usize = 2 * MEMORY + 3;

    pub(super) fn new(x: Point, value: f64, grad: Point) -> Self {
        let direction = Mat::zeros(x.nrows(), x.ncols());
        Self { x, value, grad, history: VecDeque::new(), direction, slope: 0.0, step: 0.0 }
    }

    /// Changes the weight decay: the history changes by what it contributes, as do value and
    /// gradient, if the bias does not decay.
    pub(super) fn change_decay(&mut self, change: f64) {
        self.value += 0.5 * change * dot(&self.x, &self.x);
        add(&mut self.grad, change, &self.x);
        for Past { s, y, product } in &mut self.history {
            *product = add_and_dot(y, (change, s), s);
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
    pub(super) fn aim(&mut self, curvature: &Curvature, strength: &Strength<'_>) {
        let mut q = self.grad.clone();
        let mut factors = Vec::with_capacity(self.history.len());
        let mut along = self.history.back().map_or(0.0, |past| dot(&past.s, &q));
        for (i, Past { y, product, .. }) in self.history.iter().enumerate().rev() {
            let factor = along / product;
            factors.push(factor);
            match i.checked_sub(1).and_then(|before| self.history.get(before)) {
                Some(before) => along = add_and_dot(&mut q, (-factor, y), &before.s),
                None => add(&mut q, -factor, y),
            }
        }
        let mut direction = curvature.apply(&q, strength);
        if let Some(Past { y, product, .. }) = self.history.back() {
            scale(&mut direction, product / dot(y, &curvature.apply(y, strength)));
        }
        let mut along = self.history.front().map_or(0.0, |past| dot(&past.y, &direction));
        for (i, Past { s, product, .. }) in self.history.iter().enumerate() {
            let step = factors[self.history.len() - 1 - i] - along / product;
            match self.history.get(i + 1) {
                Some(next) => along = add_and_dot(&mut direction, (step, s), &next.y),
                None => add(&mut direction, step, s),
            }
        }
        scale(&mut direction, -1.0);
        self.direction = direction;
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
        let product = dot(&s, &y);
        if product > 1e-14 * dot(&s, &s) {
            self.history.push_back(Past { s, y, product });
            if self.history.len() > MEMORY {
                self.history.pop_front();
            }
        }
        (self.x, self.value, self.grad) = (x, value, grad);
        Some(true)
    }
}
