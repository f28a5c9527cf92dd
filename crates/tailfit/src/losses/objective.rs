//! A loss with its class weights, ready for batches.

use super::{AnyLoss, Loss, LossVisitor, PerClass};
use crate::class_counts::ClassCounts;
use crate::class_weights::{ClassWeights, Mean};
use crate::kernels;
use crate::real::Real;

/// One head's logits for one batch, inside the logits of many heads.
pub struct Batch<'a, R> {
    /// Logits of all heads side by side; the first of this head's is at `start`.
    /// Replaced by the gradient.
    pub logits: &'a mut [R],
    /// Offset of sample 0, class 0.
    pub start: usize,
    /// Distance between samples.
    pub stride: usize,
    /// Class of each sample, `[B]`, each below K.
    pub labels: &'a [u32],
    /// What the sum over the samples is divided by: [`Objective::divisor`] of the whole batch,
    /// of which this may be a part.
    pub divisor: f64,
}

/// Loss, class weights and mean for given class counts: what a batch costs.
///
/// ```text
/// value = Σᵢ w_{yᵢ} L(zᵢ, yᵢ) / B          (or / Σᵢ w_{yᵢ}, see Mean)
/// ```
#[derive(Clone, Debug)]
pub struct Objective<R> {
    loss: AnyLoss,
    constants: PerClass<R>,
    weights: Vec<f64>,
    mean: Mean,
    n_classes: usize,
}

impl<R: Real> Objective<R> {
    /// Prepares the constants, all computed in f64.
    pub fn new(loss: AnyLoss, weights: ClassWeights, mean: Mean, counts: &ClassCounts) -> Self {
        let constants = loss.each(Constants(counts)).cast();
        let n_classes = counts.n_classes();
        Self { loss, constants, weights: weights.weights(counts), mean, n_classes }
    }

    /// Without class weights.
    pub fn plain(loss: AnyLoss, counts: &ClassCounts) -> Self {
        Self::new(loss, ClassWeights::Uniform, Mean::ByBatch, counts)
    }

    /// Value of a batch `logits`, `[B, K]` row-major, which it replaces by the
    /// gradient with respect to them.
    ///
    /// # Panics
    ///
    /// If the batch is empty or the shapes do not agree.
    pub fn value_and_grad(&self, logits: &mut [R], labels: &[u32]) -> f64 {
        assert_eq!(logits.len(), labels.len() * self.n_classes, "logits are not [B, K]");
        assert!(!labels.is_empty(), "a batch needs at least one sample");
        let divisor = self.divisor(labels);
        self.apply(Batch { logits, start: 0, stride: self.n_classes, labels, divisor })
    }

    /// B, or Σᵢ w_{yᵢ} (see [`Mean`]).
    pub fn divisor(&self, labels: &[u32]) -> f64 {
        match self.mean {
            Mean::ByBatch => labels.len() as f64,
            Mean::ByWeight => labels.iter().map(|&label| self.weights[label as usize]).sum(),
        }
    }

    /// As [`Objective::value_and_grad`], for one head of a stack and some of a batch's samples.
    ///
    /// # Panics
    ///
    /// If the samples reach outside the logits.
    pub fn apply(&self, batch: Batch<'_, R>) -> f64 {
        self.loss.each(Apply { objective: self, batch })
    }
}

struct Constants<'a>(&'a ClassCounts);

impl LossVisitor for Constants<'_> {
    type Output = PerClass<f64>;

    fn visit(self, loss: &impl Loss) -> Self::Output {
        loss.per_class(self.0)
    }
}

struct Apply<'a, R> {
    objective: &'a Objective<R>,
    batch: Batch<'a, R>,
}

impl<R: Real> LossVisitor for Apply<'_, R> {
    type Output = f64;

    fn visit(self, loss: &impl Loss) -> f64 {
        let Self { objective, batch } = self;
        let weight = |label: u32| objective.weights[label as usize];
        kernels::vectorised(
            #[inline(always)]
            || {
                let mut value = 0.0;
                for (i, &label) in batch.labels.iter().enumerate() {
                    let first = batch.start + i * batch.stride;
                    let z = &mut batch.logits[first..first + objective.n_classes];
                    let factor = weight(label) / batch.divisor;
                    let row =
                        loss.row(&objective.constants, z, label as usize, R::from_f64(factor));
                    value += row.to_f64() * factor;
                }
                value
            },
        )
    }
}
