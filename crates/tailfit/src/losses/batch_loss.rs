//! An objective in the number type trained in, for one head among many.

use super::{AnyLoss, ClassWeights, Draw, HeadLogits, Loss, LossVisitor, Mean, Samples};
use crate::class_counts::ClassCounts;
use crate::kernels::{self, Family, PerClass, SoftmaxRows};
use crate::numbers::Real;

/// An [`Objective`](super::Objective) in the number type trained in.
#[derive(Clone, Debug)]
pub(crate) struct BatchLoss<R> {
    loss: AnyLoss,
    constants: PerClass<R>,
    weights: Vec<f64>,
    mean: Mean,
    n_classes: usize,
}

impl<R: Real> BatchLoss<R> {
    /// Prepares the constants, all of them computed in f64.
    pub(crate) fn new(
        loss: AnyLoss,
        weights: ClassWeights,
        mean: Mean,
        counts: &ClassCounts,
    ) -> Self {
        Self::with_weights(loss, weights.weights(counts), mean, counts)
    }

    /// The same given the class weights themselves, `[K]`.
    pub(crate) fn with_weights(
        loss: AnyLoss,
        weights: Vec<f64>,
        mean: Mean,
        counts: &ClassCounts,
    ) -> Self {
        let constants = loss.each(Constants(counts)).cast();
        Self { loss, constants, weights, mean, n_classes: counts.n_classes() }
    }

    /// Replaces the class weights, `[K]`.
    pub(crate) fn set_weights(&mut self, weights: &[f64]) {
        assert_eq!(weights.len(), self.n_classes, "not a weight for each class");
        self.weights = weights.to_vec();
    }

    /// A loss of the softmax family, given its constants and the class weights, `[K]`.
    pub(crate) fn of_family(loss: AnyLoss, family: &PerClass<f64>, weights: Vec<f64>) -> Self {
        let n_classes = weights.len();
        Self { loss, constants: family.cast(), weights, mean: Mean::ByBatch, n_classes }
    }

    /// An objective without class weights.
    pub(crate) fn plain(loss: AnyLoss, counts: &ClassCounts) -> Self {
        Self::new(loss, ClassWeights::Uniform, Mean::ByBatch, counts)
    }

    /// As for [`Objective::value_and_grad`](super::Objective::value_and_grad).
    pub(crate) fn value_and_grad(&self, logits: &mut [R], labels: &[u32], draw: Draw) -> f64 {
        assert_eq!(logits.len(), labels.len() * self.n_classes, "logits are not [B, K]");
        assert!(!labels.is_empty(), "a batch needs at least one sample");
        let samples = Samples { labels, weights: &vec![1.0; labels.len()], draw };
        let divisor = self.divisor(samples);
        let given = if self.loss.is_of_batches() { logits.to_vec() } else { vec![] };
        let mut batch = HeadLogits { logits, start: 0, stride: self.n_classes, samples, divisor };
        let value = self.apply(batch.reborrow());
        value + self.batch_term(&given, batch)
    }

    /// The term of the whole batch, if the loss has one; its gradient is added to that in `batch`,
    /// whose logits were `given`.
    pub(crate) fn batch_term(&self, given: &[R], batch: HeadLogits<'_, R>) -> f64 {
        if !self.loss.is_of_batches() {
            return 0.0;
        }
        self.loss.each(BatchTerm { objective: self, given, batch })
    }

    /// What a batch of these samples, with weights uᵢ, is divided by: B, or Σᵢ uᵢ w_{yᵢ} (see
    /// [`Mean`]).
    pub(crate) fn divisor(&self, samples: Samples<'_>) -> f64 {
        match self.mean {
            Mean::ByBatch => samples.len() as f64,
            Mean::ByWeight => {
                let each = samples.labels.iter().zip(samples.weights);
                let sum = each.map(|(&label, weight)| weight * self.weights[label as usize]).sum();
                // A batch without weight has a sum of 0, whatever it is divided by.
                if sum > 0.0 { sum } else { 1.0 }
            }
        }
    }

    /// As [`BatchLoss::value_and_grad`], for one head of a stack and part of a batch.
    ///
    /// # Panics
    ///
    /// If the samples extend beyond the logits.
    pub(crate) fn apply(&self, batch: HeadLogits<'_, R>) -> f64 {
        self.loss.each(Apply { objective: self, batch })
    }
}

struct Constants<'a>(&'a ClassCounts);

impl LossVisitor for Constants<'_> {
    type Output = PerClass<f64>;

    fn visit<L: Loss>(self, loss: &L) -> Self::Output {
        loss.per_class(self.0)
    }
}

impl AnyLoss {
    /// The loss's constants, if it belongs to the softmax family.
    pub(crate) fn family(&self, counts: &ClassCounts) -> Option<PerClass<f64>> {
        self.each(FamilyOf(counts))
    }
}

struct FamilyOf<'a>(&'a ClassCounts);

impl LossVisitor for FamilyOf<'_> {
    type Output = Option<PerClass<f64>>;

    fn visit<L: Loss>(self, loss: &L) -> Self::Output {
        L::SOFTMAX_FAMILY.then(|| loss.per_class(self.0))
    }
}

struct Apply<'a, R> {
    objective: &'a BatchLoss<R>,
    batch: HeadLogits<'a, R>,
}

impl<R: Real> LossVisitor for Apply<'_, R> {
    type Output = f64;

    fn visit<L: Loss>(self, loss: &L) -> f64 {
        let Self { objective, batch } = self;
        let factor = |i: usize| {
            let Samples { labels, weights, .. } = batch.samples;
            weights[i] * objective.weights[labels[i] as usize] / batch.divisor
        };
        if L::SOFTMAX_FAMILY && R::SINGLE {
            let rows = SoftmaxRows {
                logits: R::as_f32_mut(batch.logits),
                start: batch.start,
                stride: batch.stride,
                labels: batch.samples.labels,
                constants: Family::of(&objective.constants),
                factor: &factor,
            };
            if let Some(value) = rows.apply() {
                return value;
            }
        }
        kernels::vectorised(
            #[inline(always)]
            || {
                let mut value = 0.0;
                for (i, &label) in batch.samples.labels.iter().enumerate() {
                    let first = batch.start + i * batch.stride;
                    let z = &mut batch.logits[first..first + objective.n_classes];
                    let factor = factor(i);
                    let (label, draw) = (label as usize, batch.samples.draw.after(i));
                    let row = loss.row(&objective.constants, z, label, R::from_f64(factor), draw);
                    value += row.to_f64() * factor;
                }
                value
            },
        )
    }
}

struct BatchTerm<'a, R> {
    objective: &'a BatchLoss<R>,
    given: &'a [R],
    batch: HeadLogits<'a, R>,
}

impl<R: Real> LossVisitor for BatchTerm<'_, R> {
    type Output = f64;

    fn visit<L: Loss>(self, loss: &L) -> f64 {
        let Self { objective, given, batch: HeadLogits { logits, start, stride, samples, .. } } =
            self;
        let at = |i: usize, k: usize| start + i * stride + k;
        let logit = |i, k| given[at(i, k)];
        loss.batch_term(&objective.constants, samples, logit, |i, k, g| logits[at(i, k)] += g)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::{Purpose, Rng};

    /// The kernel for rows in registers is bit-identical to each loss's own row, for every number
    /// of classes that fits and some that do not. A loss that wrongly claims to be of the family
    /// fails here.
    #[test]
    fn the_softmax_kernel_is_every_family_losss_own_row() {
        let mut rng = Rng::new(5, Purpose::Start, 0);
        for n_classes in (2..=40).chain([100, 191, 192, 193, 250]) {
            let counts = (0..n_classes).map(|k| 1 + 300 / (k + 1)).collect();
            let counts = ClassCounts::new(counts).unwrap();
            let labels: Vec<u32> = (0..6).map(|_| rng.below(n_classes) as u32).collect();
            let logits: Vec<f32> = (0..labels.len() * n_classes)
                .map(|_| 30.0 * (rng.uniform() as f32 - 0.5))
                .collect();
            for loss in AnyLoss::all().into_iter().filter(|loss| !loss.is_of_batches()) {
                let objective = BatchLoss::<f32>::plain(loss, &counts);
                let mut grad = logits.clone();
                let value = objective.value_and_grad(&mut grad, &labels, Draw::default());
                let (own_value, own_grad) = loss.each(Own(&objective, &logits, &labels));
                assert_eq!(grad, own_grad, "{} K = {n_classes}", loss.name());
                assert_eq!(value, own_value, "{} K = {n_classes}", loss.name());
            }
        }
    }

    struct Own<'a>(&'a BatchLoss<f32>, &'a [f32], &'a [u32]);

    impl LossVisitor for Own<'_> {
        type Output = (f64, Vec<f32>);

        fn visit<L: Loss>(self, loss: &L) -> Self::Output {
            let Self(objective, logits, labels) = self;
            let (mut grad, mut value) = (logits.to_vec(), 0.0);
            let factor = 1.0 / labels.len() as f64;
            let rows = grad.chunks_exact_mut(objective.n_classes).zip(labels);
            for (i, (z, &label)) in rows.enumerate() {
                let draw = Draw::default().after(i);
                let row = loss.row(&objective.constants, z, label as usize, factor as f32, draw);
                value += f64::from(row) * factor;
            }
            (value, grad)
        }
    }
}
