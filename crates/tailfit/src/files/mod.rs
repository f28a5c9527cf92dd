//! Files: atomic writes; bytes in memory, in a file or in a mapped file; the layout of
//! safetensors.

#[cfg(test)]
mod crash_tests;
mod csv;
mod folder;
#[allow(unsafe_code, reason = "a mapped file may be changed by others; see the block")]
mod map;
pub mod safetensors;
mod source;
mod write;

pub(crate) use self::csv::quoted;
pub use self::folder::{OwnedFolder, lock_folder};
pub(crate) use self::source::Source;
pub use self::write::{check_writable, remove_leftovers, write_atomically, write_atomically_with};

/// The text of a file, without the mark of its byte order that editors put before it.
///
/// # Errors
///
/// If it cannot be read, or is not UTF-8.
pub fn read_text(path: &std::path::Path) -> std::io::Result<String> {
    let text = fs_err::read_to_string(path)?;
    Ok(text.strip_prefix('\u{feff}').map(str::to_owned).unwrap_or(text))
}

/// Formats bytes, such as hashes, in hexadecimal.
pub fn hex(bytes: impl AsRef<[u8]>) -> String {
    bytes.as_ref().iter().fold(String::new(), |hex, byte| format!("{hex}{byte:02x}"))
}
