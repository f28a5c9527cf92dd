//! Tests from outside: networks against the authors' code, training, resuming.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on must say where")]

mod configs;
mod extraction;
mod golden_networks;
mod live;
mod support;
mod training;
