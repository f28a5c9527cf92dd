//! `cargo xtask ci`: the cheapest check first.

use std::process::Command;

use anyhow::{Result, ensure};

pub(crate) fn run() -> Result<()> {
    cargo(&["fmt", "--all", "--check"], &[])?;
    crate::torch::run(false)?;
    cargo(
        &[
            "clippy",
            "--workspace",
            "--all-targets",
            "--all-features",
            "--locked",
            "--",
            "--deny",
            "warnings",
        ],
        &[],
    )?;
    // The program as most people build it, without libtorch.
    cargo(&["clippy", "--locked", "--", "--deny", "warnings"], &[])?;
    cargo(&["test", "--workspace", "--all-features", "--locked"], &[])?;
    crate::python::run(false)?;
    crate::fuzz::run(crate::fuzz::A_MINUTE, &[])?;
    cargo(
        &["doc", "--workspace", "--all-features", "--no-deps", "--locked"],
        &[("RUSTDOCFLAGS", "--deny warnings")],
    )
}

fn cargo(words: &[&str], environment: &[(&str, &str)]) -> Result<()> {
    eprintln!("cargo {}", words.join(" "));
    let status = Command::new("cargo").args(words).envs(environment.iter().copied()).status()?;
    ensure!(status.success(), "cargo {} failed", words.join(" "));
    Ok(())
}
