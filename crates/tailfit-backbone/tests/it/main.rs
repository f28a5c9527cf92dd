//! Tests from outside: networks against the authors' code, training, resuming.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on must say where")]

mod configs;
mod extraction;
mod files;
mod folders;
mod golden_networks;
mod live;
#[allow(dead_code, reason = "not all that the core's tests need is needed here")]
#[path = "../../../tailfit/tests/it/support.rs"]
mod support;
mod systems;
mod tensors;
mod torch_errors;
mod training;
