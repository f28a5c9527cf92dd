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
pub use self::folder::OwnedFolder;
pub(crate) use self::source::Source;
pub use self::write::{check_writable, remove_leftovers, write_atomically, write_atomically_with};

/// Formats bytes, such as hashes, in hexadecimal.
pub fn hex(bytes: impl AsRef<[u8]>) -> String {
    bytes.as_ref().iter().fold(String::new(), |hex, byte| format!("{hex}{byte:02x}"))
}
