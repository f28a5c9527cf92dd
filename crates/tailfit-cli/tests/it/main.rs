//! The program as a user types it.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on must say where")]

mod bad_input;
mod heads;
mod hold_out;
mod images;
mod pipeline;
mod predict;
mod reproduce;
#[cfg(feature = "backbone")]
mod runs;
mod searches;
mod snapshots;
mod support;
mod warnings;
