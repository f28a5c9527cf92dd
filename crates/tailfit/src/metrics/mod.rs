//! How a head does on a labelled set: accuracy by shot, calibration, Logits Magnitude.

mod accuracy;
mod binary;
mod calibration;
mod class_report;
mod confusion;
mod evaluation;
mod hits;
mod logits_magnitude;
mod per_set;
mod right;

pub use self::accuracy::{Accuracy, samples_per_class};
pub use self::binary::Binary;
pub use self::calibration::{Calibration, CalibrationBins, ConfidenceBin};
pub use self::class_report::{ClassReport, class_reports};
pub use self::confusion::Confusion;
pub(crate) use self::evaluation::evaluate_halves;
pub use self::evaluation::{Evaluation, EvaluationSet, evaluate};
pub(crate) use self::hits::{ScoredHeads, Views, hits, views};
pub use self::logits_magnitude::{
    Deviations, LogitStatistics, LogitsMagnitude, Readings, coefficient_of_variation, one_norm,
    relative_magnitudes,
};
pub use self::per_set::{ClassTally, PerSet, TestPart, halves};
pub use self::right::Right;
