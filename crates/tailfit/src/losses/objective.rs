//! A loss with its class weights, ready for batches.

use super::{AnyLoss, BatchLoss, ClassWeights, Draw, Mean};
use crate::class_counts::ClassCounts;

/// What a batch costs: a loss, class weights and a mean, for given class counts.
///
/// ```text
/// value = Σᵢ w_{yᵢ} L(zᵢ, yᵢ) / B          (or / Σᵢ w_{yᵢ}, see Mean)
/// ```
///
/// ```
/// use tailfit::{class_counts::ClassCounts, losses::{AnyLoss, BalancedSoftmax, Objective}};
///
/// let counts = ClassCounts::new(vec![90, 9, 1])?;
/// let loss = AnyLoss::BalancedSoftmax(BalancedSoftmax { tau: 1.0 });
/// // One sample of class 2 with equal logits, `[B, K]`.
/// let mut logits = [0.0, 0.0, 0.0];
/// let value = Objective::plain(loss, &counts).value_and_grad(&mut logits, &[2]);
/// assert!((value - 100_f64.ln()).abs() < 1e-5);
/// // The logits have been replaced by the gradient: class frequencies minus the target.
/// assert!((logits[2] - (0.01 - 1.0)).abs() < 1e-6);
/// # Ok::<(), tailfit::error::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Objective {
    single: BatchLoss<f32>,
    double: BatchLoss<f64>,
    draw: Draw,
}

impl Objective {
    /// Prepares the constants, all of them computed in f64.
    pub fn new(loss: AnyLoss, weights: ClassWeights, mean: Mean, counts: &ClassCounts) -> Self {
        Self {
            single: BatchLoss::new(loss, weights, mean, counts),
            double: BatchLoss::new(loss, weights, mean, counts),
            draw: Draw::default(),
        }
    }

    /// The same with other random numbers, for losses that draw some: those of `seed` from number
    /// `first`, one for each sample.
    #[must_use]
    pub fn drawing(mut self, seed: u64, first: u64) -> Self {
        self.draw = Draw { seed, index: first };
        self
    }

    /// The same with these class weights, `[K]`.
    ///
    /// # Panics
    ///
    /// If there are not K of them.
    #[must_use]
    pub fn with_weights(mut self, weights: &[f64]) -> Self {
        self.single.set_weights(weights);
        self.double.set_weights(weights);
        self
    }

    /// An objective without class weights.
    pub fn plain(loss: AnyLoss, counts: &ClassCounts) -> Self {
        Self::new(loss, ClassWeights::Uniform, Mean::ByBatch, counts)
    }

    /// The value for a batch of `logits`, `[B, K]` row-major, which are replaced by the gradient
    /// with respect to them.
    ///
    /// # Panics
    ///
    /// If the batch is empty or the shapes do not agree.
    pub fn value_and_grad(&self, logits: &mut [f32], labels: &[u32]) -> f64 {
        self.single.value_and_grad(logits, labels, self.draw)
    }

    /// The same in double precision, for gradient checks.
    ///
    /// # Panics
    ///
    /// As for [`Objective::value_and_grad`].
    pub fn value_and_grad_f64(&self, logits: &mut [f64], labels: &[u32]) -> f64 {
        self.double.value_and_grad(logits, labels, self.draw)
    }
}
