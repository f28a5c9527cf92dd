//! The files in a run's folder.

/// The checkpoint.
pub const CHECKPOINT: &str = "checkpoint.safetensors";
/// The weights after the last epoch.
pub const LAST: &str = "last.safetensors";
/// The weights of the best scored epoch.
pub const BEST: &str = "best.safetensors";
/// The log, one JSON line per epoch.
pub const LOG: &str = "log.jsonl";
/// The same log for TensorBoard.
pub const EVENTS: &str = "events.out.tfevents.tailfit";
