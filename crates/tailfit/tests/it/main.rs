//! Tests from outside: golden numbers, contracts over the registry, real data.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on must say where")]

mod averages;
mod class_vectors;
mod company;
mod conditioning;
mod cross_validation;
mod csv_features;
mod difference;
mod effort;
mod file_features;
mod forms;
mod golden_data;
mod golden_metrics;
mod groups;
mod head_files;
mod html;
mod hygiene;
mod owners;
mod plain;
mod plain_gate;
mod real_data;
mod real_engine;
mod selection;
mod shapes;
mod stopping;
mod support;
mod weights;
