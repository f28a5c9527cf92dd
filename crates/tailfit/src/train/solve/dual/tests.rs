//! The dual bound against the dual objective, written out.

use faer::Mat;

use super::*;
use crate::rng::{Purpose, Rng};

/// Where the bias is far off, the bound is that of the outputs moved, up to what concavity gives away.
#[test]
fn what_is_moved_is_a_point_of_the_dual() {
    let (n, d, k, decay) = (60, 3, 4, 1e-5);
    let mut rng = Rng::new(0, Purpose::Start, 0);
    let (scale, margin) = ([0.5, 0.7, 1.0, 0.2], [3.0, 2.0, 1.0, 0.0]);
    let x = Mat::from_fn(n, d, |_, _| 1.0 + rng.normal());
    let labels: Vec<usize> = (0..n).map(|i| k * i * i / (n * n)).collect();
    let bias: Vec<f64> = (0..k).map(|_| rng.normal()).collect();
    let mut state = State::zero(d, k);
    state.descent.x = Mat::from_fn(d, k, |_, _| rng.normal());
    let logit = |i: usize, c: usize| -> f64 {
        let product: f64 = (0..d).map(|j| x[(i, j)] * state.descent.x[(j, c)]).sum();
        scale[c] * product + bias[c] - if labels[i] == c { margin[c] } else { 0.0 }
    };
    let total = |i: usize| -> f64 { (0..k).map(|c| logit(i, c).exp()).sum() };
    let p = Mat::from_fn(n, k, |i, c| logit(i, c).exp() / total(i));
    let targets = Mat::from_fn(n, k, |i, c| f64::from(u8::from(labels[i] == c)));
    let log = |p: f64| if p > 0.0 { -p * p.ln() } else { 0.0 };
    let mean = |of: &dyn Fn(usize) -> f64| (0..n).map(of).sum::<f64>() / n as f64;
    // Entropy less the margins, sums, and what the dual objective is at some outputs.
    let entropy = |p: &Mat<f64>| {
        let own = |i: usize| p[(i, labels[i])] * margin[labels[i]];
        mean(&|i| (0..k).map(|c| log(p[(i, c)])).sum::<f64>() - own(i))
    };
    let sums = |p: &Mat<f64>| WithBias {
        weight: Mat::from_fn(d, k, |j, c| mean(&|i| scale[c] * p[(i, c)] * x[(i, j)])),
        bias: (0..k).map(|c| mean(&|i| p[(i, c)])).collect(),
    };
    let target = sums(&targets);
    let margins = mean(&|i| margin[labels[i]]);
    let objective = |p: &Mat<f64>| {
        let off = &sums(p).weight - &target.weight;
        entropy(p) + margins - off.squared_norm_l2() / (2.0 * decay)
    };

    state.descent.value = mean(&|i| total(i).ln() - logit(i, labels[i]))
        + 0.5 * decay * state.descent.x.squared_norm_l2();
    state.entropy = entropy(&p);
    state.entropies = (0..k).map(|c| mean(&|i| log(p[(i, c)]))).collect();
    state.outputs = sums(&p);
    let had = &state.outputs.bias;
    let over: Vec<f64> = (0..k).map(|c| had[c] - target.bias[c]).collect();
    let all: f64 = over.iter().filter(|over| **over < 0.0).sum();
    let taken = |i: usize, c: usize| over[c].max(0.0) / had[c] * p[(i, c)];
    let moved = Mat::from_fn(n, k, |i, c| {
        let share: f64 = (0..k).map(|c| taken(i, c)).sum();
        p[(i, c)] - taken(i, c) + share * over[c].min(0.0) / all
    });
    assert!(all < -0.1, "much is moved: {all}");
    let dual = Dual {
        state: &state,
        target: &target,
        scale: &scale,
        margin: &margin,
        margins,
        decay: [decay, 0.0],
        mean: &[0.0; 3],
        lowered: &[0.0; 4],
    };
    let slack = dual.bound() - (state.descent.value - objective(&moved));
    assert!((0.0..1.5).contains(&slack), "{slack} of {}", dual.bound());
}
