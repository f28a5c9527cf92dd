//! Long work that Ctrl-C interrupts.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::sync::{Arc, mpsc::Sender};
use std::time::Duration;

use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;

use crate::pool::in_pool;

/// How often Python is asked for signals.
const EVERY: Duration = Duration::from_millis(50);

/// Runs `work` in a thread of its own, without the interpreter's lock, and hands what it sends to
/// `each`. On a signal the work is told to stop, which it does soon, by itself, and what Python raises is
/// returned beside what was sent so far.
pub(crate) fn waited<T: Send + 'static>(
    py: Python<'_>,
    threads: Option<usize>,
    work: impl FnOnce(&Sender<T>, &AtomicBool) + Send + 'static,
    mut each: impl FnMut(T) -> PyResult<()>,
) -> PyResult<()> {
    let (sender, mut receiver) = channel();
    let stop = Arc::new(AtomicBool::new(false));
    let told = Arc::clone(&stop);
    let thread = std::thread::spawn(move || in_pool(threads, || work(&sender, &told)));
    loop {
        let next = &mut receiver;
        match py.detach(move || next.recv_timeout(EVERY)) {
            Ok(sent) => {
                if let Err(error) = each(sent) {
                    stop.store(true, Ordering::Relaxed);
                    return Err(error);
                }
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => break,
        }
        if let Err(interrupt) = py.check_signals() {
            stop.store(true, Ordering::Relaxed);
            return Err(interrupt);
        }
    }
    let fault = |_payload| PyRuntimeError::new_err("a fault of tailfit: please report it");
    py.detach(|| thread.join()).map_err(fault)
}
