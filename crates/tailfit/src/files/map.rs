//! A file as memory.

use std::fs::File;
use std::io;

use memmap2::Mmap;

/// Maps a whole file for reading.
pub(super) fn map(file: &File) -> io::Result<Mmap> {
    // SAFETY: the bytes are only ever read, copied out and decoded to numbers, of which any
    // value is valid. Somebody who changes the file meanwhile changes those numbers; somebody
    // who cuts it off ends the process with a signal, which is why mapping is asked for by name.
    unsafe { Mmap::map(file) }
}
