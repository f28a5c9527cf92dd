//! Development commands: `cargo xtask <command>`.

mod embed;

use anyhow::{Result, bail};

fn main() -> Result<()> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    match args.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["embed", folder] => embed::run(folder.as_ref()),
        other => bail!("unknown command {other:?}"),
    }
}
