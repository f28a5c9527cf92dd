//! A head that a pass evaluates.

use super::bias::Wanted;
use super::curvature::Point;
use crate::losses::{BatchLoss, HeadLogits, Samples};
use crate::numbers::Real;

/// A head, and what its bias has to fulfil.
pub(super) struct HeadPoint<'a, R> {
    pub(super) objective: &'a BatchLoss<R>,
    /// Weights on the features themselves, times the scales, `[D, K]`.
    pub(super) weight: &'a Point,
    /// Where the search for the bias starts, `[K]`; it is for features about their mean.
    pub(super) bias: &'a [f64],
    /// What is subtracted from the logits of the labels, `[K]`.
    pub(super) margin: &'a [f64],
    /// Weights of the classes' samples, `[K]`, over the divisor.
    pub(super) class_weights: Vec<f64>,
    pub(super) wanted: Wanted<'a>,
    pub(super) divisor: f64,
}

impl<R: Real> HeadPoint<'_, R> {
    /// Subtracts the margins from the logits of the samples' labels.
    pub(super) fn subtract_margins(&self, samples: Samples<'_>, z: &mut [R]) {
        if self.margin.iter().any(|margin| *margin != 0.0) {
            let c = z.len() / samples.len().next_multiple_of(8);
            for (row, &label) in z.chunks_exact_mut(c).zip(samples.labels) {
                let (label, margin) = (label as usize, self.margin[label as usize]);
                row[label] = row[label] - R::from_f64(margin);
            }
        }
    }

    /// The weight of sample number `i`, over the divisor.
    pub(super) fn weight_of(&self, samples: Samples<'_>, i: usize) -> f64 {
        samples.weights[i] * self.class_weights[samples.labels[i] as usize]
    }

    /// Replaces logits without bias, less the margins, by the gradient with respect to them; adds the
    /// outputs to `shares`.
    pub(super) fn gradient(
        &self,
        z: &mut [R],
        (samples, bias): (Samples<'_>, &[R]),
        shares: &mut [f64],
    ) -> f64 {
        let (k, n) = (bias.len(), samples.len());
        let c = z.len() / n.next_multiple_of(8);
        for row in z.chunks_exact_mut(c).take(n) {
            row.iter_mut().zip(bias).for_each(|(z, &bias)| *z += bias);
        }
        z[n * c..].fill(R::ZERO);
        let divisor = self.divisor;
        let value =
            self.objective.apply(HeadLogits { logits: z, start: 0, stride: c, samples, divisor });
        let mut sums = vec![R::ZERO; k];
        for (i, (row, &label)) in z.chunks_exact(c).zip(samples.labels).enumerate() {
            sums.iter_mut().zip(row).for_each(|(sum, &grad)| *sum += grad);
            shares[label as usize] += self.weight_of(samples, i);
        }
        shares.iter_mut().zip(sums).for_each(|(share, sum)| *share += sum.to_f64());
        value
    }
}
