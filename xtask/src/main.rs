//! Development commands: `cargo xtask <command>`.

mod ci;
mod fuzz;
mod python;
mod torch;

use std::process::Command;

use anyhow::{Context, Result, bail, ensure};

const USAGE: &str = "cargo xtask COMMAND
  ci [--torch]    check format, lints, all tests and docs: what must pass; --torch instead tests the Python
                  package with PyTorch (6 GB), as `python --torch` does
  fuzz [LIMIT [TARGET...]]
                  feed all readers that have a target, or those named, with damaged files; LIMIT is libFuzzer's, such as
                  -runs=10000000; a minute each if not given
  peers           time PyTorch, JAX, scikit-learn and tailfit in turns; writes docs/performance.md
  peers backbone  time PyTorch and tailfit on stage 1, in images per second; writes docs/performance.md
  peers systems   time the systems of stage 1 beside cross-entropy; writes docs/performance.md
  peers passes    passes and seconds of the solver on wide features; writes docs/performance.md
  peers solver    time scikit-learn and tailfit to the same objective; writes docs/performance.md
  large           time training from features left in their file, with the shapes of ImageNet-LT and
                  iNaturalist; needs 2.3 GB of disk, writes docs/performance.md
  tables          update README.md and results/ from tailfit-out/
  paper           update docs/paper.md and results/paper/ from tailfit-out/paper/
  curves          update results/stage-1/curves.svg from the runs there
  python [--torch]
                  build the Python package into target/python and test it; --torch installs
                  PyTorch (6 GB) and tests what goes in and out of models
  torch [--cuda]  provide libtorch for tailfit-backbone: your own PyTorch if its version matches,
                  else installed into target/torch
  embed FOLDER    make the embedded data set from a folder of extracted features";

fn main() -> Result<()> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    match args.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["ci"] => ci::run(),
        ["fuzz"] => fuzz::run(fuzz::A_MINUTE, &[]),
        ["fuzz", limit, names @ ..] => fuzz::run(limit, names),
        ["python"] => python::run(false),
        ["ci" | "python", "--torch"] => python::run(true),
        ["torch"] => torch::run(false),
        ["torch", "--cuda"] => torch::run(true),
        words @ (["tables" | "paper" | "curves" | "large" | "peers"]
        | ["peers", "backbone" | "passes" | "solver" | "systems"]
        | ["embed", _]) => measure(words),
        _ => bail!("{USAGE}"),
    }
}

/// What needs the library is a program of its own, so that the rest builds in seconds.
fn measure(words: &[&str]) -> Result<()> {
    if words == ["peers", "backbone"] {
        torch::run(false)?;
    }
    let mut command = Command::new("cargo");
    command.args(["run", "--release", "--quiet", "--package", "measure", "--"]).args(words);
    let status = command.status().context("cannot start cargo")?;
    ensure!(status.success(), "{} failed", words.join(" "));
    Ok(())
}
