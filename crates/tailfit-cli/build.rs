//! Programs have to find libtorch when they start, with CUDA if it has it.

fn main() {
    println!("cargo:rerun-if-env-changed=DEP_TAILFIT_BACKBONE_LIBTORCH_LIB");
    println!("cargo:rerun-if-env-changed=DEP_TAILFIT_BACKBONE_CUDA");
    if let Some(folder) = std::env::var_os("DEP_TAILFIT_BACKBONE_LIBTORCH_LIB") {
        println!("cargo:rustc-link-arg=-Wl,-rpath,{}", folder.to_string_lossy());
    }
    if let Some(args) = std::env::var_os("DEP_TAILFIT_BACKBONE_CUDA") {
        println!("cargo:rustc-link-arg={}", args.to_string_lossy());
    }
}
