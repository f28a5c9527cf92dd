//! `cargo xtask fuzz`: readers, fed with damaged files.

use std::path::{Path, PathBuf};
use std::process::{Child, Command};

use anyhow::{Context, Result, bail, ensure};

const TARGETS: [&str; 10] =
    ["npy", "npz", "safetensors", "csv", "head", "list", "inaturalist", "idx", "recipe", "record"];

/// What libFuzzer steers by; on stable Rust, the compiler passes it on to LLVM.
const COVERAGE: &str = "--cfg fuzzing -Cpasses=sancov-module -Ccodegen-units=1 \
    -Cllvm-args=-sanitizer-coverage-level=4 -Cllvm-args=-sanitizer-coverage-inline-8bit-counters \
    -Cllvm-args=-sanitizer-coverage-pc-table -Cllvm-args=-sanitizer-coverage-trace-compares";

/// The limit of a check in passing.
pub(crate) const A_MINUTE: &str = "-max_total_time=60";

/// Longest input in bytes: text is read slowly, and shows all it can do in few lines.
fn longest(name: &str) -> usize {
    if matches!(name, "npy" | "npz" | "safetensors" | "head" | "idx") { 16_384 } else { 2_048 }
}

/// Runs the named targets, all if none is named, two at a time, each with this limit of libFuzzer's,
/// such as `-max_total_time=60` or `-runs=10000000`.
pub(crate) fn run(limit: &str, names: &[&str]) -> Result<()> {
    let names = if names.is_empty() { &TARGETS[..] } else { names };
    if let Some(name) = names.iter().find(|name| !TARGETS.contains(name)) {
        bail!("no target `{name}`; there are {}", TARGETS.join(", "));
    }
    let binary = build()?;
    for pair in names.chunks(2) {
        let running =
            pair.iter().map(|name| start(&binary, name, limit)).collect::<Result<Vec<_>>>()?;
        for (name, mut child) in pair.iter().zip(running) {
            let status = child.wait()?;
            let log = fs_err::read_to_string(log(name))?;
            let last =
                |what: &str| log.lines().rfind(|line| line.contains(what)).unwrap_or("").to_owned();
            eprintln!("{name}: {}", last("Done "));
            ensure!(status.success(), "{name}: {status}\n{log}\n{}", last("Test unit written to"));
        }
    }
    Ok(())
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz")
}

fn log(name: &str) -> PathBuf {
    root().join("target").join(format!("{name}.log"))
}

fn build() -> Result<PathBuf> {
    let host = Command::new("rustc").args(["--print", "host-tuple"]).output()?;
    let host = String::from_utf8(host.stdout)?.trim().to_owned();
    // With a target named, the flags do not reach build scripts.
    let status = Command::new("cargo")
        .args(["build", "--release", "--locked", "--quiet", "--target", &host])
        .current_dir(root())
        .env("RUSTFLAGS", COVERAGE)
        .status()
        .context("cannot start cargo")?;
    ensure!(status.success(), "the fuzzer does not build");
    Ok(root().join("target").join(host).join("release/fuzz"))
}

/// Starts a target on its committed corpus; what it finds goes to a folder that is not committed.
fn start(binary: &Path, name: &str, limit: &str) -> Result<Child> {
    let (found, corpus) =
        (root().join("target/found").join(name), root().join("corpus").join(name));
    fs_err::create_dir_all(&found)?;
    let log = fs_err::File::create(log(name))?.into_file();
    Command::new(binary)
        .arg(found)
        .arg(corpus)
        .args([limit, "-timeout=10", "-rss_limit_mb=2048", "-print_final_stats=1"])
        .arg(format!("-max_len={}", longest(name)))
        .arg(format!("-artifact_prefix={}/{name}-", root().join("target").display()))
        .env("FUZZ_TARGET", name)
        .stderr(log)
        .spawn()
        .context("cannot start the fuzzer")
}
