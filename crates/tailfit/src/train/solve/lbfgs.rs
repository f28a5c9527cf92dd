//! Limited-memory BFGS, driven one evaluation at a time so that many heads can share a pass.

use std::collections::VecDeque;

use faer::{Mat, Side};

use super::pass::{Point, Sums};

/// Number of steps remembered.
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

/// The point with its weights and its bias multiplied by one number each.
pub(super) fn scaled_rows(point: &Point, weight: f64, bias: f64) -> Point {
    let last = point.nrows() - 1;
    let factor = |row| if row == last { bias } else { weight };
    Mat::from_fn(point.nrows(), point.ncols(), |i, j| factor(i) * point[(i, j)])
}

/// An estimate of the inverse curvature, which for heads with the same class weights differs only
/// in three numbers. With covariance Q Λ Qᵀ and mean μ of the features, and the bias taken at the
/// mean (b + W μ), it is Q (γ Λ + weight_decay)⁻¹ Qᵀ and (γ + decay of the bias)⁻¹. γ = ½ is
/// Böhning's bound. (A smaller γ for rare classes, as Σ w p (1 − p) suggests, was found to take
/// twice as many passes.)
pub(super) struct Curvature {
    vectors: Mat<f64>,
    values: Vec<f64>,
    mean: Vec<f64>,
}

/// The three numbers that distinguish heads: γ, and the decay of weights and bias.
#[derive(Clone, Copy)]
pub(super) struct Strength {
    pub(super) gamma: f64,
    pub(super) decay: [f64; 2],
}

impl Curvature {
    /// `None` if the features have no eigendecomposition.
    pub(super) fn new(sums: &Sums) -> Option<Self> {
        let (d, mean) = (sums.dim, sums.mean.clone());
        let covariance = Mat::from_fn(d, d, |i, j| sums.gram[(i, j)] - mean[i] * mean[j]);
        let decomposition = covariance.self_adjoint_eigen(Side::Lower).ok()?;
        let values: Vec<f64> = (0..d).map(|j| decomposition.S()[j].max(0.0)).collect();
        Some(Self { vectors: decomposition.U().to_owned(), values, mean })
    }

    fn apply(&self, point: &Point, strength: &Strength) -> Point {
        let (d, k) = (self.mean.len(), point.ncols());
        let Strength { gamma, decay } = *strength;
        // A floor keeps the curvature non-zero in directions with neither variance nor decay.
        let floor = 1e-9 * self.values.iter().sum::<f64>() / d as f64;
        let centred = Mat::from_fn(d, k, |j, c| point[(j, c)] - self.mean[j] * point[(d, c)]);
        let mut rotated = self.vectors.transpose() * &centred;
        for c in 0..k {
            for j in 0..d {
                rotated[(j, c)] /= gamma * (self.values[j] + floor) + decay[0];
            }
        }
        let weight = &self.vectors * &rotated;
        let at_mean = |c: usize| (0..d).map(|j| self.mean[j] * weight[(j, c)]).sum::<f64>();
        let bias: Vec<f64> =
            (0..k).map(|c| point[(d, c)] / (gamma + decay[1]) - at_mean(c)).collect();
        Mat::from_fn(d + 1, k, |j, c| if j == d { bias[c] } else { weight[(j, c)] })
    }

    /// ½ gᵀ P g, an estimate of what is left to gain.
    pub(super) fn decrement(&self, grad: &Point, strength: &Strength) -> f64 {
        0.5 * dot(grad, &self.apply(grad, strength))
    }
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

    /// Changes the weight decay, which needs no pass: value, gradient and history change by what
    /// the decay contributes.
    pub(super) fn change_decay(&mut self, change: [f64; 2]) {
        let pull = scaled_rows(&self.x, change[0], change[1]);
        self.value += 0.5 * dot(&self.x, &pull);
        add(&mut self.grad, 1.0, &pull);
        for (s, y) in &mut self.history {
            let pull = scaled_rows(s, change[0], change[1]);
            add(y, 1.0, &pull);
        }
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
