//! One file per command: read, call, write.

pub(crate) mod average;
pub(crate) mod compare;
pub(crate) mod evaluate;
#[cfg(feature = "backbone")]
pub(crate) mod extract_features;
mod images;
mod input;
mod interrupt;
pub(crate) mod list;
pub(crate) mod output;
pub(crate) mod predict;
mod prior_shift;
mod probabilities;
mod replay;
pub(crate) mod report;
pub(crate) mod split;
#[cfg(feature = "backbone")]
pub(crate) mod train_backbone;
pub(crate) mod train_head;
#[cfg(feature = "backbone")]
mod train_live;
