//! The constants of the softmax family.

use crate::numbers::Real;

/// The constants that define a loss of the softmax family, `[K]` each. With
/// z′ₖ = scaleₖ zₖ + offsetₖ − marginₖ [k = y] and target
/// t = (1 − smoothing_y) e_y + smoothing_y / K,
///
/// ```text
/// L(z, y) = −Σₖ tₖ log softmax(z′)ₖ      ∂L/∂zₖ = scaleₖ (softmax(z′)ₖ − tₖ)
/// ```
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct PerClass<R> {
    /// Factor on the class's logit, whatever the label.
    pub scale: Vec<R>,
    /// Added to the class's logit, whatever the label.
    pub offset: Vec<R>,
    /// Subtracted from the class's logit if it is the label.
    pub margin: Vec<R>,
    /// Share of the target spread evenly over all classes if the class is the label.
    pub smoothing: Vec<R>,
    /// Whether `scale` is all 1 and `offset` all 0, which saves a pass.
    pub unadjusted: bool,
}

impl PerClass<f64> {
    /// The constants of plain cross-entropy.
    pub(crate) fn neutral(n_classes: usize) -> Self {
        Self {
            scale: vec![1.0; n_classes],
            offset: vec![0.0; n_classes],
            margin: vec![0.0; n_classes],
            smoothing: vec![0.0; n_classes],
            unadjusted: true,
        }
    }

    /// The same constants in the number type trained in.
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
