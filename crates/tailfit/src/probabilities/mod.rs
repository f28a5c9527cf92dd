//! Probabilities from logits: calibrated, for classes of other frequencies, and of new samples.
//!
//! Heads re-trained for balance are good at ranking classes and bad at probabilities: re-weighting and
//! over-smoothing change both how sure a head is and which frequencies it assumes. A temperature mends
//! the first, a target prior the second.

mod estimate;
mod prediction;
mod prior;
mod save;
mod scores;
mod temperature;

use ndarray::{Array2, ArrayView2};

pub use self::estimate::{estimate_prior, estimate_prior_by_confusion};
pub use self::prediction::{Predictions, predict};
pub use self::prior::{TargetPrior, log_ratio};
pub use self::scores::ProbabilityScores;
pub use self::temperature::fit_temperature;
use crate::head::Head;

/// Logits `[N, K]` of features `[N, D]`, averaged over plain and mirrored images if there are both.
///
/// # Panics
///
/// If shapes do not agree.
pub fn mean_logits(
    head: &Head,
    plain: ArrayView2<'_, f32>,
    mirror: Option<ArrayView2<'_, f32>>,
) -> Array2<f64> {
    let mut logits = head.logits(plain);
    if let Some(mirror) = mirror {
        logits += &head.logits(mirror);
        logits *= 0.5;
    }
    logits
}

/// softmax of each row of logits `[N, K]` plus `shift`, `[K]`.
pub fn softmax(mut logits: Array2<f64>, shift: &[f64]) -> Array2<f64> {
    for mut row in logits.rows_mut() {
        row.iter_mut().zip(shift).for_each(|(z, shift)| *z += shift);
        let top = row.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        row.mapv_inplace(|z| (z - top).exp());
        let sum = row.sum();
        row /= sum;
    }
    logits
}
