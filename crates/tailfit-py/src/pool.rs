//! Threads of this process: a fork has none of its parent's, and would wait for them forever.

use std::mem::forget;
use std::sync::{Arc, Mutex, PoisonError};

use rayon::{ThreadPool, ThreadPoolBuilder};

/// The threads, and the process that they are of.
static POOL: Mutex<Option<(u32, Arc<ThreadPool>)>> = Mutex::new(None);

/// Does `work` on this process's threads, which are started when first needed; on as many threads as
/// asked for instead, which end with it.
pub(crate) fn in_pool<T: Send>(threads: Option<usize>, work: impl FnOnce() -> T + Send) -> T {
    let pool = match threads {
        Some(_) => started(threads),
        None => shared(),
    };
    match pool {
        Some(pool) => pool.install(work),
        None => work(),
    }
}

fn started(threads: Option<usize>) -> Option<Arc<ThreadPool>> {
    ThreadPoolBuilder::new().num_threads(threads.unwrap_or(0)).build().ok().map(Arc::new)
}

fn shared() -> Option<Arc<ThreadPool>> {
    let mut pool = POOL.lock().unwrap_or_else(PoisonError::into_inner);
    let process = std::process::id();
    if pool.as_ref().is_none_or(|(of, _)| *of != process) {
        let threads = started(None)?;
        // The parent's threads are not here to be ended.
        forget(pool.replace((process, threads)));
    }
    pool.as_ref().map(|(_, threads)| Arc::clone(threads))
}
