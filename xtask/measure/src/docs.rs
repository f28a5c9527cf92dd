//! Tables that commands write into the docs.

use std::io::Write as _;

use anyhow::{Context, Result};
use tailfit::files::write_atomically;

/// Puts `text` between the marks `<!-- NAME: begin -->` and `<!-- NAME: end -->` of a file, and
/// prints it.
pub(crate) fn put(path: &str, name: &str, text: &str) -> Result<()> {
    writeln!(std::io::stdout(), "{text}")?;
    let (begin, end) = (format!("<!-- {name}: begin -->\n"), format!("<!-- {name}: end -->"));
    let docs = fs_err::read_to_string(path)?;
    let (before, rest) =
        docs.split_once(&begin).with_context(|| format!("{path} has no marker {begin}"))?;
    let (_, after) =
        rest.split_once(&end).with_context(|| format!("{path} has no marker {end}"))?;
    let docs = format!("{before}{begin}{text}\n{end}{after}");
    Ok(write_atomically(path.as_ref(), docs.as_bytes())?)
}
