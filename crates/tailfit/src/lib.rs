//! Re-train classifier heads for long-tailed recognition.
//!
//! Real data are long-tailed: a few classes have most of the samples, and a network
//! trained on them fails on the rare ones. The cure has two stages: train features on the
//! data as they are, freeze them, then re-train only the classifier head. This crate does
//! the second stage, for many heads at once, and says honestly what each method does.
//!
//! | To | See |
//! |:--|:--|
//! | load features | [`features`], [`data::embedded`], [`data_set`] |
//! | find a loss, a method, a metric | [`losses`], [`methods`], [`metrics`] |
//! | say how a head is trained | [`recipe`] |
//! | train heads | [`train`](mod@train), [`compare`] |
//! | choose epoch and hyper-parameters | [`select`] |
//! | keep and show results | [`record`], [`report`] |
//!
//! ```
//! use tailfit::{compare::Comparison, data_set::DataSet, methods, select::Selection};
//!
//! let data = DataSet::embedded(tailfit::shots::ShotThresholds::default())?;
//! let comparison = Comparison::new(&data, Selection::Last, vec![0])?;
//! let mut method = methods::find("los")?;
//! method.recipe.epochs = 1;
//! let result = comparison.run(&method, &|_head_epochs| {})?;
//! let accuracy = &result.records[0].evaluation.accuracy;
//! assert!(accuracy.few_percent > Some(10.0));
//! # Ok::<(), tailfit::error::Error>(())
//! ```
//!
//! B samples of a batch, K classes, N training samples, D features, H heads trained
//! together: these letters mean nothing else here. All arrays are row-major.

pub mod adjust;
pub mod class_counts;
pub mod class_weights;
pub mod compare;
pub mod constraint;
pub mod data;
pub mod data_set;
pub mod error;
pub mod features;
pub mod files;
pub mod head;
pub mod kernels;
mod lanes;
pub mod losses;
pub mod methods;
pub mod metrics;
pub mod precision;
pub mod real;
pub mod recipe;
pub mod record;
pub mod report;
pub mod rng;
pub mod sampler;
pub mod schedule;
pub mod select;
pub mod shots;
pub mod solver;
pub mod train;
