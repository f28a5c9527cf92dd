//! One file per command: read, call, write.

pub(crate) mod compare;
pub(crate) mod evaluate;
mod input;
pub(crate) mod list;
mod output;
pub(crate) mod report;
pub(crate) mod train_head;
