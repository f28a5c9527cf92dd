//! Development commands: `cargo xtask <command>`.

mod ci;
mod docs;
mod embed;
mod large;
mod peers;
mod tables;
mod torch;

use anyhow::{Result, bail};

const USAGE: &str = "cargo xtask COMMAND
  ci              format, lints, all tests, docs: what has to pass
  peers           time PyTorch, JAX, scikit-learn and tailfit in turns; writes docs/performance.md
  peers backbone  the same for stage 1, PyTorch and tailfit: images a second
  large           train from features left in their file, ImageNet-LT's and iNaturalist's shapes;
                  needs 2.3 GB of disk, writes docs/performance.md
  tables          put the table of tailfit-out/records into README.md and results/
  torch [--cuda]  libtorch for tailfit-backbone: your own PyTorch if it fits, else into target/torch
  embed FOLDER    make the embedded data set from a folder of extracted features";

fn main() -> Result<()> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    match args.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["ci"] => ci::run(),
        ["tables"] => tables::run(),
        ["peers"] => peers::run(),
        ["peers", "backbone"] => peers::backbone::run(),
        ["large"] => large::run(),
        ["torch"] => torch::run(false),
        ["torch", "--cuda"] => torch::run(true),
        ["embed", folder] => embed::run(folder.as_ref()),
        _ => bail!("{USAGE}"),
    }
}
