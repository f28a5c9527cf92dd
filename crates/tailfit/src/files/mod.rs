//! Files: atomic writes; bytes in memory, in a file or in a mapped file; the layout of
//! safetensors.

#[allow(unsafe_code, reason = "a mapped file may be changed by others; see the block")]
mod map;
pub mod safetensors;
mod source;

use std::io::{self, BufWriter, Write};
use std::path::Path;

pub(crate) use self::source::Source;
use crate::error::Result;

/// Formats bytes, such as hashes, in hexadecimal.
pub fn hex(bytes: impl AsRef<[u8]>) -> String {
    bytes.as_ref().iter().fold(String::new(), |hex, byte| format!("{hex}{byte:02x}"))
}

/// Writes `bytes` to a temporary file beside `path`, then renames it. Creates the folder if
/// needed.
///
/// # Errors
///
/// If the folder cannot be created or the file cannot be written; `path` is then unchanged.
pub fn write_atomically(path: &Path, bytes: &[u8]) -> Result<()> {
    write_atomically_with(path, &mut |out| out.write_all(bytes))
}

/// As [`write_atomically`], with the contents that `write` produces.
///
/// # Errors
///
/// As for [`write_atomically`], and the errors of `write`.
pub fn write_atomically_with(
    path: &Path,
    write: &mut dyn FnMut(&mut dyn Write) -> io::Result<()>,
) -> Result<()> {
    let folder = path.parent().unwrap_or(Path::new(""));
    if !folder.as_os_str().is_empty() {
        fs_err::create_dir_all(folder)?;
    }
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let temporary = path.with_file_name(format!(".{name}.{}.tmp", std::process::id()));
    let written = (|| {
        let mut out = BufWriter::new(fs_err::File::create(&temporary)?);
        write(&mut out)?;
        out.flush()?;
        fs_err::rename(&temporary, path)
    })();
    if written.is_err() {
        // Nothing more can be done; the first error is the one to report.
        let _ignored = fs_err::remove_file(&temporary);
    }
    Ok(written?)
}

/// Removes temporary files that killed writers of `path` left beside it. Call it only while no
/// one else is writing the file.
///
/// # Errors
///
/// If the folder cannot be read or a file cannot be removed; a missing folder is not an error.
pub fn remove_leftovers(path: &Path) -> Result<()> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let Some(folder) = path.parent().filter(|folder| folder.is_dir()) else { return Ok(()) };
    for entry in fs_err::read_dir(folder)? {
        let entry = entry?;
        let other = entry.file_name().to_string_lossy().into_owned();
        let process =
            other.strip_prefix(&format!(".{name}.")).and_then(|rest| rest.strip_suffix(".tmp"));
        if process.is_some_and(|process| process.parse::<u32>().is_ok()) {
            fs_err::remove_file(entry.path())?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn leftovers_of_a_file_are_removed_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("run.json");
        let others = [".other.json.17.tmp", ".run.json.17", ".run.json.mine.tmp", "run.json"];
        for name in others.iter().chain(&[".run.json.17.tmp"]) {
            fs_err::write(folder.path().join(name), "x").unwrap();
        }
        remove_leftovers(&path).unwrap();
        remove_leftovers(&folder.path().join("none/run.json")).unwrap();
        let left = fs_err::read_dir(folder.path()).unwrap();
        let mut left: Vec<_> = left.map(|entry| entry.unwrap().file_name()).collect();
        left.sort();
        assert_eq!(left, others);
    }
}
