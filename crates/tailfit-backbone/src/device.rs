//! Where the network is.

use tailfit::error::{Error, Result};
use tch::Device;

/// The device of this name: `cpu`, `cuda` or `cuda:N`.
///
/// # Errors
///
/// For other names, or if there is no such GPU.
pub fn device(name: &str) -> Result<Device> {
    let number = match name {
        "cpu" => return Ok(Device::Cpu),
        "cuda" => Some(0),
        other => other.strip_prefix("cuda:").and_then(|n| n.parse().ok()),
    };
    let Some(number) = number else {
        return Err(Error::usage("device", "cpu, cuda or cuda:N", name, ""));
    };
    let n = tch::Cuda::device_count();
    if number >= n as usize {
        let found = format!("{n} GPUs that libtorch sees");
        let remedy = "libtorch sees GPUs only with PyTorch's CUDA wheels beside it when this program is built: \
                      `cargo xtask torch --cuda`, then build again; with CUDA elsewhere, build with TAILFIT_CUDA=1";
        return Err(Error::usage(format!("device {name}"), "a GPU of that number", found, remedy));
    }
    Ok(Device::Cuda(number))
}

/// Threads of libtorch's own kernels.
pub fn set_threads(threads: usize) {
    tch::set_num_threads(i32::try_from(threads).unwrap_or(i32::MAX));
}
