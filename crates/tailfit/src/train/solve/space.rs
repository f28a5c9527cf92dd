//! The space in which objectives are searched.

use super::curvature::Curvature;
use super::state::WithBias;
use super::sums::{Sums, span};
use crate::error::Result;
use crate::numbers::Real;
use crate::train::seen::Seen;

/// Samples per feature that an estimate of the covariance takes.
const PER_FEATURE: usize = 4;

/// The eigenbasis of the features' covariance, and the classes' sums of the features in it. Class weights
/// have no say: what they would change in the covariance takes no fewer passes.
pub(super) struct Space {
    pub(super) curvature: Curvature,
    /// Σ w x̃ e_yᵀ and Σ w e_y, with weights that add up to 1.
    pub(super) by_class: WithBias,
}

impl Space {
    /// `shift` is what the features are taken about.
    pub(super) fn new<R: Real>(seen: &Seen<'_, R>, shift: &[R]) -> Result<Self> {
        // An estimate of the covariance is all that the curvature needs.
        let every = seen.problem.labels.len() / (PER_FEATURE * shift.len());
        let equal = vec![1.0; seen.problem.counts.n_classes()];
        let sums = Sums::new(seen, &equal, shift, every.max(1))?;
        let exact: Vec<f64> = shift.iter().map(|value| value.to_f64()).collect();
        let curvature = Curvature::new(&sums, &exact, span(seen, shift)?.as_ref())?;
        let weight = curvature.rotated(&sums.by_class);
        Ok(Self { curvature, by_class: WithBias { weight, bias: sums.shares } })
    }

    /// Bytes of its matrices.
    pub(super) fn size(&self) -> usize {
        let WithBias { weight, .. } = &self.by_class;
        self.curvature.size() + size_of::<f64>() * weight.nrows() * weight.ncols()
    }
}
