//! Re-train classifier heads for long-tailed recognition.
pub mod adjust;
pub mod class_counts;
pub mod class_weights;
pub mod constraint;
pub mod error;
pub mod head;
pub mod kernels;
pub mod losses;
pub mod metrics;
pub mod real;
pub mod recipe;
pub mod rng;
pub mod sampler;
pub mod schedule;
pub mod shots;
pub mod train;
