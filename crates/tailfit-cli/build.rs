//! Programs have to find libtorch when they start.

fn main() {
    println!("cargo:rerun-if-env-changed=DEP_TAILFIT_BACKBONE_LIBTORCH_LIB");
    if let Some(folder) = std::env::var_os("DEP_TAILFIT_BACKBONE_LIBTORCH_LIB") {
        println!("cargo:rustc-link-arg=-Wl,-rpath,{}", folder.to_string_lossy());
    }
}
