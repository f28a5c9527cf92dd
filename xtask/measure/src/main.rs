//! The development commands that need the library; `cargo xtask` calls them.

mod curves;
mod docs;
mod embed;
mod large;
mod live;
mod paper;
mod peak;
mod peers;
mod tables;

use anyhow::{Result, bail};

fn main() -> Result<()> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    match args.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["tables"] => tables::run(),
        ["paper"] => paper::run(),
        ["curves"] => curves::run(),
        ["peers"] => peers::run(),
        ["peers", "backbone"] => peers::backbone::run(),
        ["peers", "passes"] => peers::passes::run(),
        ["peers", "solver"] => peers::solver::run(),
        ["peers", "systems"] => peers::systems::run(),
        ["large"] => large::run(),
        ["embed", folder] => embed::run(folder.as_ref()),
        _ => bail!("see `cargo xtask`"),
    }
}
