//! The sampler: what it draws, and how it learns.

use ndarray::Array1;
use rayon::prelude::*;

use crate::rng::{Purpose, Rng};

/// The sampler's logits, with Adam's moments.
pub(super) struct Learned {
    pub(super) phi: Vec<f64>,
    moments: Vec<[f64; 2]>,
    steps: i32,
}

/// What one draw of a batch has chosen.
pub(super) struct Drawn {
    pub(super) row: u32,
    pub(super) class: usize,
    /// Its share of the softmax over all samples, and that of each class.
    pub(super) share: f64,
    pub(super) shares: Vec<f64>,
}

/// Adam's rate and constants, the authors'.
const RATE: f64 = 0.01;
const MOMENTS: [f64; 2] = [0.9, 0.999];
const EPSILON: f64 = 1e-8;

pub(super) fn sigmoid(x: f64) -> f64 {
    1.0 / (1.0 + (-x).exp())
}

impl Learned {
    /// The start, σ(φ) = 1/2 for every class: all samples alike.
    pub(super) fn new(n_classes: usize) -> Self {
        Self { phi: vec![0.0; n_classes], moments: vec![[0.0; 2]; n_classes], steps: 0 }
    }

    /// A batch of `n` independent draws, with the noise of `seed` from number `first` on.
    pub(super) fn draw(&self, labels: &[u32], n: usize, (seed, first): (u64, u64)) -> Vec<Drawn> {
        let probability: Vec<f64> = self.phi.iter().map(|phi| sigmoid(*phi)).collect();
        let one = |number: usize| {
            let mut rng = Rng::new(seed, Purpose::Sampler, first + number as u64);
            // exp(Gumbel) = 1 / exponential.
            let score = |label: &u32| {
                let exponential = -(1.0 - rng.uniform()).ln();
                probability[*label as usize] / exponential.max(f64::MIN_POSITIVE)
            };
            chosen(labels.iter().map(score), labels, self.phi.len())
        };
        (0..n).into_par_iter().map(one).collect()
    }

    /// Steps φ by Adam. `better` is the derivative of the loss on the balanced batch with respect to
    /// the share of each drawn sample; that of the share is of the softmax, straight through.
    pub(super) fn learn(&mut self, drawn: &[Drawn], better: &Array1<f64>) {
        let gradient = self.gradient(drawn, better);
        self.steps += 1;
        let [a, b] = MOMENTS;
        let debias = |moment: f64, factor: f64| moment / (1.0 - factor.powi(self.steps));
        for ((phi, [m, v]), g) in self.phi.iter_mut().zip(&mut self.moments).zip(gradient) {
            *m = a * *m + (1.0 - a) * g;
            *v = b * *v + (1.0 - b) * g * g;
            *phi -= RATE * debias(*m, a) / (debias(*v, b).sqrt() + EPSILON);
        }
    }

    pub(super) fn gradient(&self, drawn: &[Drawn], better: &Array1<f64>) -> Vec<f64> {
        let mut gradient = vec![0.0; self.phi.len()];
        for (Drawn { class, share, shares, .. }, better) in drawn.iter().zip(better) {
            gradient[*class] += better * share;
            for (gradient, of_class) in gradient.iter_mut().zip(shares) {
                *gradient -= better * share * of_class;
            }
        }
        for (gradient, phi) in gradient.iter_mut().zip(&self.phi) {
            *gradient *= 1.0 - sigmoid(*phi);
        }
        gradient
    }
}

/// The sample with the largest score, and the shares of the scores.
pub(super) fn chosen(scores: impl Iterator<Item = f64>, labels: &[u32], n_classes: usize) -> Drawn {
    let (mut best, mut row, mut shares) = (-1.0, 0, vec![0.0; n_classes]);
    for (i, score) in scores.enumerate() {
        shares[labels[i] as usize] += score;
        if score > best {
            (best, row) = (score, i);
        }
    }
    let total: f64 = shares.iter().sum();
    for share in &mut shares {
        *share /= total;
    }
    Drawn { row: row as u32, class: labels[row] as usize, share: best / total, shares }
}
