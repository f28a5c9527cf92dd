//! Ctrl-C, and the signal by which schedulers end a program.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use anyhow::Result;
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::flag::{register, register_conditional_shutdown};
use tailfit::error::Error;

/// Set by SIGINT, which is Ctrl-C, or SIGTERM; a second one ends the program at once.
pub(super) fn stop_on_interrupt() -> Result<Arc<AtomicBool>> {
    let stop = Arc::new(AtomicBool::new(false));
    for (signal, status) in [(SIGINT, 130), (SIGTERM, 143)] {
        // In this order: the first signal finds the flag unset, and sets it.
        register_conditional_shutdown(signal, status, Arc::clone(&stop))
            .and_then(|_| register(signal, Arc::clone(&stop)))
            .map_err(|error| Error::usage("signals", "to install a handler", error, ""))?;
    }
    Ok(stop)
}
