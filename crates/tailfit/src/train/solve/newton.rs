//! The last digits of a small problem: Newton's method on weights and bias together.
//!
//! Differences of values resolve a gap of 1e-14 at best, and quasi-Newton steps take many passes
//! to get there. A few steps with the exact Hessian end at gradients that are rounding alone.

use faer::linalg::solvers::Solve;
use faer::{Accum, Mat, Par, Side, linalg::matmul::matmul};
use ndarray::Array2;

use super::Solved;
use super::chain::{Chain, FINEST, Form};
use crate::error::Result;
use crate::numbers::Real;
use crate::recipe::Recipe;
use crate::train::seen::Seen;

/// Most unknowns, and most products per Hessian.
const MOST_UNKNOWNS: usize = 2000;
const MOST_PRODUCTS: usize = 10_000_000_000;

/// Most steps; three or four are usual.
const STEPS: usize = 20;

/// An objective over weights and bias side by side, `[D + 1, K]`.
struct Objective<'a> {
    /// Features and a 1, `[N, D + 1]`.
    x: Mat<f64>,
    /// Class, and weight over the divisor, of each row.
    labels: Vec<usize>,
    weights: Vec<f64>,
    form: &'a Form,
    offset: Vec<f64>,
    /// Of the weights and of the bias.
    decay: [f64; 2],
}

/// Outputs at a point, `[N, K]`, and the gradient there, `[D + 1, K]`.
struct There {
    outputs: Mat<f64>,
    grad: Mat<f64>,
    square: f64,
}

/// Finishes a solution whose gap is below what values resolve, if the problem is small enough.
pub(super) fn finish<R: Real>(
    seen: &Seen<'_, R>,
    chain: &Chain<R>,
    recipe: &Recipe,
    solved: &mut Solved,
) -> Result<()> {
    let (k, d) = (chain.form.smoothing.len(), seen.problem.dim);
    let n = seen.problem.labels.len() * seen.problem.views.len();
    let unknowns = (d + 1) * k;
    let small = unknowns <= MOST_UNKNOWNS && n * unknowns * unknowns <= MOST_PRODUCTS;
    let decay = chain.decay(recipe.sgd.weight_decay);
    let family = recipe.cost.loss.family(seen.problem.counts);
    let (true, Some(family)) =
        (!R::SINGLE && recipe.gap < FINEST && small && decay[0] > 0.0, family)
    else {
        return Ok(());
    };
    let (mut x, mut gathered) = (Mat::from_fn(n, d + 1, |_, _| 1.0), Vec::new());
    let rows: Vec<u32> = (0..seen.problem.labels.len() as u32).collect();
    for view in 0..seen.problem.views.len() {
        seen.gather(view, &rows, &mut gathered)?;
        for (i, row) in gathered.chunks_exact(d).enumerate() {
            (0..d).for_each(|j| x[(view * rows.len() + i, j)] = row[j].to_f64());
        }
    }
    let labels = seen.problem.labels.iter().map(|&y| y as usize).cycle().take(n).collect();
    let weights: Vec<f64> = seen.problem.weights_with(&chain.form.class_weights).collect();
    let weights = weights.iter().map(|weight| weight / chain.divisor).cycle().take(n).collect();
    let objective =
        Objective { x, labels, weights, form: &chain.form, offset: family.offset, decay };
    let head = &mut solved.head;
    let start =
        Mat::from_fn(d + 1, k, |j, c| if j < d { head.weight[(c, j)] } else { head.bias[c] });
    let Some((theta, there)) = objective.descend(start) else { return Ok(()) };
    let left = there.square / (2.0 * decay[0]);
    solved.gap = Some(left / objective.excess(&theta, &there.outputs));
    head.weight = Array2::from_shape_fn((k, d), |(c, j)| theta[(j, c)]);
    head.bias = (0..k).map(|c| theta[(d, c)]).collect();
    Ok(())
}

impl Objective<'_> {
    /// Newton's method, with a Hessian kept for as long as its steps at least halve the gradient; `None`
    /// if the first cannot be factored.
    fn descend(&self, mut theta: Mat<f64>) -> Option<(Mat<f64>, There)> {
        let mut there = self.at(&theta);
        let mut factored = Some(self.hessian(&there.outputs).llt(Side::Lower).ok()?);
        let mut fresh = true;
        for _ in 0..STEPS {
            if factored.is_none() {
                factored = self.hessian(&there.outputs).llt(Side::Lower).ok();
                fresh = true;
            }
            let Some(hessian) = &factored else { break };
            let (d1, k) = (theta.nrows(), theta.ncols());
            let grad = Mat::from_fn(d1 * k, 1, |i, _| there.grad[(i % d1, i / d1)]);
            let step = hessian.solve(&grad);
            let new = Mat::from_fn(d1, k, |j, c| theta[(j, c)] - step[(c * d1 + j, 0)]);
            let found = self.at(&new);
            let halved = found.square < 0.25 * there.square;
            if found.square < there.square {
                (theta, there) = (new, found);
            }
            match (halved, fresh) {
                (true, _) => fresh = false,
                (false, true) => break,
                (false, false) => factored = None,
            }
        }
        Some((theta, there))
    }

    fn target(&self, i: usize, c: usize) -> f64 {
        let (y, k) = (self.labels[i], self.offset.len() as f64);
        let own = if y == c { 1.0 - self.form.smoothing[y] } else { 0.0 };
        own + self.form.smoothing[y] / k
    }

    fn decay_of(&self, j: usize) -> f64 {
        self.decay[usize::from(j + 1 == self.x.ncols())]
    }

    fn at(&self, theta: &Mat<f64>) -> There {
        let (n, k) = (self.x.nrows(), theta.ncols());
        let Form { scale, margin, .. } = self.form;
        let scaled = Mat::from_fn(theta.nrows(), k, |j, c| scale[c] * theta[(j, c)]);
        let mut outputs = Mat::from_fn(n, k, |_, c| self.offset[c]);
        product(&mut outputs, self.x.as_ref(), scaled.as_ref());
        for (i, &y) in self.labels.iter().enumerate() {
            outputs[(i, y)] -= margin[y];
            let row = outputs.row(i);
            let max = row.iter().fold(f64::NEG_INFINITY, |max, &z| max.max(z));
            let total: f64 = row.iter().map(|z| (z - max).exp()).sum();
            outputs.row_mut(i).iter_mut().for_each(|z| *z = (*z - max).exp() / total);
        }
        let off =
            |i: usize, c: usize| self.weights[i] * scale[c] * (outputs[(i, c)] - self.target(i, c));
        let off = Mat::from_fn(n, k, off);
        let mut grad = Mat::from_fn(theta.nrows(), k, |j, c| self.decay_of(j) * theta[(j, c)]);
        product(&mut grad, self.x.transpose(), off.as_ref());
        let square = grad.squared_norm_l2();
        There { outputs, grad, square }
    }

    /// The Hessian, with class after class. A bias that does not decay has a shift that changes
    /// nothing; it is held.
    fn hessian(&self, p: &Mat<f64>) -> Mat<f64> {
        let (n, d1, k) = (self.x.nrows(), self.x.ncols(), p.ncols());
        let mut all = Mat::zeros(d1 * k, d1 * k);
        for b in 0..k {
            for a in b..k {
                let scale = &self.form.scale;
                let scales = scale[a] * scale[b];
                let curvature = |i: usize| {
                    let own = if a == b { p[(i, a)] } else { 0.0 };
                    self.weights[i] * scales * (own - p[(i, a)] * p[(i, b)])
                };
                let scaled = Mat::from_fn(n, d1, |i, j| curvature(i) * self.x[(i, j)]);
                let mut block = Mat::zeros(d1, d1);
                product(&mut block, self.x.transpose(), scaled.as_ref());
                for j in 0..d1 {
                    for i in 0..d1 {
                        all[(a * d1 + i, b * d1 + j)] = block[(i, j)];
                    }
                }
                if self.decay[1] == 0.0 {
                    let total: f64 = self.weights.iter().sum();
                    let along: f64 = scale.iter().map(|s| 1.0 / (s * s)).sum();
                    all[((a + 1) * d1 - 1, (b + 1) * d1 - 1)] += total / scales / along;
                }
            }
        }
        for i in 0..d1 * k {
            all[(i, i)] += self.decay_of(i % d1);
        }
        all
    }

    /// How far the objective is above the entropy of the targets: Σ w KL(t‖p) and the decay.
    fn excess(&self, theta: &Mat<f64>, p: &Mat<f64>) -> f64 {
        let divergence = |i: usize, c: usize| {
            let t = self.target(i, c);
            if t > 0.0 { self.weights[i] * t * (t / p[(i, c)]).ln() } else { 0.0 }
        };
        let (n, k) = (p.nrows(), p.ncols());
        let data: f64 = (0..n).map(|i| (0..k).map(|c| divergence(i, c)).sum::<f64>()).sum();
        let square = |j: usize, c: usize| self.decay_of(j) * theta[(j, c)] * theta[(j, c)];
        let decay = |j: usize| (0..k).map(|c| square(j, c)).sum::<f64>();
        data + 0.5 * (0..theta.nrows()).map(decay).sum::<f64>()
    }
}

/// sum += a b, in the same order of additions for any number of threads.
fn product(sum: &mut Mat<f64>, a: faer::MatRef<'_, f64>, b: faer::MatRef<'_, f64>) {
    matmul(sum.as_mut(), Accum::Add, a, b, 1.0, Par::Seq);
}
