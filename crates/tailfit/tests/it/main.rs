//! Tests from outside: golden numbers, contracts over the registry, real data.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on must say where")]

mod contract;
mod file_features;
mod golden_data;
mod golden_heads;
mod golden_losses;
mod golden_metrics;
mod golden_rules;
mod hygiene;
mod real_data;
mod real_engine;
mod solvers;
mod support;
