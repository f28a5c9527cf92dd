//! Memory-mapped files.

use std::fs::File;
use std::io;

use memmap2::Mmap;

/// Maps a whole file for reading.
pub(super) fn map(file: &File) -> io::Result<Mmap> {
    // SAFETY: the bytes are only ever read, copied out and decoded to numbers, of which any value
    // is valid. If the file is modified meanwhile, those numbers change; if it is truncated, the
    // process is killed by a signal, which is why mapping is opt-in.
    unsafe { Mmap::map(file) }
}
