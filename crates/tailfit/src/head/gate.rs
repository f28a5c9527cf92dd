//! A gate on a head's logits.

use ndarray::{Array1, Array2, ArrayView1};

/// What a gate adds to the logits z of a head, more for some samples than for others:
///
/// ```text
/// z′ₖ = zₖ + σ(v·f + u) (αₖ zₖ + βₖ)
/// ```
///
/// With a gate a head is no linear layer, and the mean of two views' logits is not the logits of
/// their mean.
///
/// Source: DisAlign: Zhang et al., CVPR 2021, eq. 5 and 6, where σ is a sample's confidence.
#[derive(Clone, Debug, PartialEq)]
pub struct Gate {
    /// v, `[D]`.
    pub weight: Array1<f64>,
    /// u.
    pub bias: f64,
    /// α, `[K]`.
    pub scale: Array1<f64>,
    /// β, `[K]`.
    pub shift: Array1<f64>,
}

impl Gate {
    /// σ(v·f + u) of features `[D]`.
    pub fn of(&self, features: ArrayView1<'_, f64>) -> f64 {
        1.0 / (1.0 + (-self.weight.dot(&features) - self.bias).exp())
    }

    /// Adds to logits `[N, K]` of features `[N, D]`.
    pub(super) fn apply(&self, logits: &mut Array2<f64>, features: &Array2<f64>) {
        for (mut z, features) in logits.rows_mut().into_iter().zip(features.rows()) {
            let gate = self.of(features);
            for ((z, scale), shift) in z.iter_mut().zip(&self.scale).zip(&self.shift) {
                *z += gate * (scale * *z + shift);
            }
        }
    }

    /// All its numbers, in the order of its fields.
    pub(crate) fn values(&self) -> impl Iterator<Item = &f64> {
        self.weight.iter().chain([&self.bias]).chain(&self.scale).chain(&self.shift)
    }

    /// Each of its numbers rounded to f32.
    pub(super) fn rounded(&self) -> Self {
        let round = |v: f64| f64::from(v as f32);
        Self {
            weight: self.weight.mapv(round),
            bias: round(self.bias),
            scale: self.scale.mapv(round),
            shift: self.shift.mapv(round),
        }
    }
}
