//! Re-train classifier heads for long-tailed recognition.
//!
//! Real data is long-tailed: a few classes have most of the samples, and a network trained
//! on it fails on the rare ones. The remedy has two stages: train features on the data as it
//! is, freeze them, then re-train only the classifier head. This crate does the second stage,
//! for many heads at once, and reports honestly what each method achieves.
//!
//! | To | See |
//! |:--|:--|
//! | load features, or start from arrays | [`features`] |
//! | find a loss, a method, a metric | [`losses`], [`methods`], [`metrics`] |
//! | describe how a head is trained | [`recipe`] |
//! | train heads | [`train`](mod@train) |
//! | compare methods; choose epoch and hyper-parameters | [`compare`] |
//! | calibrate, adjust to other frequencies, predict | [`probabilities`] |
//! | show results | [`report`] |
//!
//! ```
//! use tailfit::compare::{Comparison, Selection};
//! use tailfit::{features::DataSet, methods, shots::ShotThresholds};
//!
//! let data = DataSet::embedded(ShotThresholds::default())?;
//! let comparison = Comparison::new(&data, Selection::Last, vec![0])?;
//! let mut method = methods::find("los")?;
//! method.recipe.sgd.epochs = 1;
//! let result = comparison.run(&method, &|_head_epochs| {})?;
//! let accuracy = &result.records[0].evaluation.accuracy;
//! assert!(accuracy.few_percent > Some(10.0));
//! # Ok::<(), tailfit::error::Error>(())
//! ```
//!
//! B samples in a batch, K classes, N training samples, D features, H heads trained
//! together: these letters mean nothing else here. All arrays are row-major.

pub mod class_counts;
pub mod compare;
pub mod error;
pub mod features;
pub mod figures;
pub mod files;
#[cfg(fuzzing)]
pub mod fuzzing;
pub mod groups;
pub mod head;
pub mod images;
mod kernels;
pub mod losses;
pub mod methods;
pub mod metrics;
mod numbers;
pub mod probabilities;
pub mod propositions;
pub mod recipe;
pub mod report;
pub mod rng;
pub mod shots;
#[cfg(test)]
mod tests;
pub mod train;

pub use self::kernels::{Precision, PrecisionChoice, instruction_set};
