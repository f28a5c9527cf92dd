//! `tailfit`: re-train classifier heads for long-tailed recognition.

use std::process::ExitCode;

/// libtorch's tensors come and go by the megabyte; with the system's allocator each is paged in
/// anew.
#[cfg(feature = "backbone")]
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    ExitCode::from(tailfit_cli::run(std::env::args_os()))
}
