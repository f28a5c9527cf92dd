//! The constants of the softmax family.

use crate::numbers::Real;

/// What a loss of the softmax family knows of each class, `[K]` each. With
/// z′ₖ = scaleₖ zₖ + offsetₖ − marginₖ [k = y] and target
/// t = (1 − smoothing_y) e_y + smoothing_y / K,
///
/// ```text
/// L(z, y) = −Σₖ tₖ log softmax(z′)ₖ      ∂L/∂zₖ = scaleₖ (softmax(z′)ₖ − tₖ)
/// ```
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct PerClass<R> {
    /// Factor on the logit of the class, whatever the label.
    pub scale: Vec<R>,
    /// Added to the logit of the class, whatever the label.
    pub offset: Vec<R>,
    /// Taken off the logit of the class where it is the label.
    pub margin: Vec<R>,
    /// Share of the target spread evenly over all classes, by label.
    pub smoothing: Vec<R>,
    /// Whether `scale` is all 1 and `offset` all 0, so that one pass can be saved.
    pub unadjusted: bool,
}

impl PerClass<f64> {
    /// Plain cross-entropy.
    pub(crate) fn neutral(n_classes: usize) -> Self {
        Self {
            scale: vec![1.0; n_classes],
            offset: vec![0.0; n_classes],
            margin: vec![0.0; n_classes],
            smoothing: vec![0.0; n_classes],
            unadjusted: true,
        }
    }

    /// The same in the number trained in.
    pub(crate) fn cast<R: Real>(&self) -> PerClass<R> {
        let cast = |values: &[f64]| values.iter().map(|&v| R::from_f64(v)).collect();
        PerClass {
            scale: cast(&self.scale),
            offset: cast(&self.offset),
            margin: cast(&self.margin),
            smoothing: cast(&self.smoothing),
            unadjusted: self.scale.iter().all(|&s| s == 1.0)
                && self.offset.iter().all(|&o| o == 0.0),
        }
    }
}
