//! Re-train classifier heads for long-tailed recognition.
pub mod class_counts;
pub mod class_weights;
pub mod error;
pub mod kernels;
pub mod losses;
pub mod real;
pub mod rng;
pub mod shots;
