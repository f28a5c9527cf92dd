//! Tells the tests of this crate, and programs that use it, where libtorch is and whether it can
//! use a GPU.

use std::path::Path;

fn main() {
    println!("cargo:rerun-if-env-changed=DEP_TCH_LIBTORCH_LIB");
    println!("cargo:rerun-if-env-changed=TAILFIT_CUDA");
    let Some(folder) = std::env::var_os("DEP_TCH_LIBTORCH_LIB") else { return };
    let folder = Path::new(&folder);
    println!("cargo:rustc-link-arg=-Wl,-rpath,{}", folder.display());
    println!("cargo:libtorch_lib={}", folder.display());
    // PyTorch's CUDA wheels lie beside it; libtorch_cuda alone does not load.
    let wheels = folder.join("../../nvidia");
    if wheels.exists() {
        // (Cargo would build anew every time for a path that does not exist.)
        println!("cargo:rerun-if-changed={}", wheels.display());
    }
    let cuda = match std::env::var("TAILFIT_CUDA").as_deref() {
        Ok(said) => said != "0",
        Err(_) => folder.join("libtorch_cuda.so").exists() && wheels.join("cudnn/lib").exists(),
    };
    if cuda {
        // Nothing calls into it, so linkers leave it out unless told not to.
        let args = "-Wl,--no-as-needed,-ltorch_cuda,-lc10_cuda";
        println!("cargo:rustc-link-arg={args}");
        println!("cargo:cuda={args}");
    }
}
