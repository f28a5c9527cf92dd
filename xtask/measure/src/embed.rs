//! `cargo xtask embed FOLDER`: the embedded data set from a folder of extracted
//! features, without its augmented views, which would not fit the size limit.

use std::path::Path;

use anyhow::{Context, Result, ensure};
use safetensors::SafeTensors;

const TARGET: &str = "crates/tailfit/embedded";
const LIMIT: usize = 8 << 20;

pub(crate) fn run(folder: &Path) -> Result<()> {
    let mut total = 0;
    for name in ["train", "test", "head"] {
        let path = folder.join(format!("{name}.safetensors"));
        let bytes = fs_err::read(&path)?;
        let file = SafeTensors::deserialize(&bytes).context(path.display().to_string())?;
        let mut tensors = file.tensors();
        tensors.retain(|(name, _)| name != "views");
        tensors.sort_by(|a, b| a.0.cmp(&b.0));
        let bytes = safetensors::serialize(tensors, None)?;
        total += bytes.len();
        fs_err::write(format!("{TARGET}/{name}.safetensors"), bytes)?;
    }
    ensure!(total <= LIMIT, "{total} bytes to embed, but at most {LIMIT} are allowed");
    Ok(())
}
