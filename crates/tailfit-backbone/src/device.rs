//! The device a network runs on.

use tailfit::error::{Error, Result};
use tch::Device;

/// The device with this name: `cpu`, `cuda` or `cuda:N`.
///
/// # Errors
///
/// If the name is none of these, or there is no such GPU.
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
        let found = format!("{n} GPUs visible to libtorch");
        let remedy = "libtorch sees GPUs only with PyTorch's CUDA wheels beside it when this program is built: \
                      `cargo xtask torch --cuda`, then build again; with CUDA elsewhere, build with TAILFIT_CUDA=1";
        return Err(Error::usage(format!("device {name}"), "a GPU that exists", found, remedy));
    }
    Ok(Device::Cuda(number))
}

/// Sets the number of threads that libtorch's own kernels use.
pub fn set_threads(threads: usize) {
    tch::set_num_threads(i32::try_from(threads).unwrap_or(i32::MAX));
}
