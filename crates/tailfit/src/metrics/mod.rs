//! What a head does on a labelled set: accuracy by shot, calibration, Logits Magnitude.

mod accuracy;
mod calibration;
mod evaluation;
mod logits_magnitude;

pub use self::accuracy::Accuracy;
pub use self::accuracy::samples_per_class;
pub use self::calibration::{Calibration, CalibrationBins};
pub use self::evaluation::{Evaluation, EvaluationSet, evaluate};
pub use self::logits_magnitude::{
    Deviations, LogitStatistics, LogitsMagnitude, Readings, coefficient_of_variation, one_norm,
};
