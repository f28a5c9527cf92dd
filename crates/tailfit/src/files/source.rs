//! The bytes that features are decoded from: in memory, in a file, or in a mapped file.

use std::fs::File;
use std::io::{self, ErrorKind};
use std::path::Path;

use memmap2::Mmap;

use super::map::map;

/// Where the bytes are held.
#[derive(Debug)]
pub(crate) enum Source {
    Memory(Vec<u8>),
    File { file: File, len: u64 },
    Map(Mmap),
}

impl Source {
    /// Opens a file without reading any of it.
    pub(crate) fn open(path: &Path, mapped: bool) -> io::Result<Self> {
        let file = fs_err::File::open(path)?;
        let metadata = file.metadata()?;
        let named =
            |error: io::Error| io::Error::new(error.kind(), format!("{}: {error}", path.display()));
        if metadata.is_dir() {
            return Err(named(ErrorKind::IsADirectory.into()));
        }
        let file = file.into_parts().0;
        if mapped {
            return map(&file).map(Self::Map).map_err(named);
        }
        Ok(Self::File { file, len: metadata.len() })
    }

    pub(crate) fn len(&self) -> u64 {
        match self {
            Self::Memory(bytes) => bytes.len() as u64,
            Self::File { len, .. } => *len,
            Self::Map(map) => map.len() as u64,
        }
    }

    /// `n` bytes starting at `at`; those of a file are read into `scratch`.
    pub(crate) fn bytes<'a>(
        &'a self,
        at: u64,
        n: usize,
        scratch: &'a mut Vec<u8>,
    ) -> io::Result<&'a [u8]> {
        let held = match self {
            Self::Memory(bytes) => &bytes[..],
            Self::Map(map) => &map[..],
            Self::File { file, .. } => {
                scratch.resize(n, 0);
                read_exact_at(file, scratch, at)?;
                return Ok(scratch);
            }
        };
        let part = usize::try_from(at).ok().and_then(|at| held.get(at..at.checked_add(n)?));
        part.ok_or_else(|| io::Error::from(ErrorKind::UnexpectedEof))
    }
}

#[cfg(unix)]
fn read_exact_at(file: &File, bytes: &mut [u8], at: u64) -> io::Result<()> {
    std::os::unix::fs::FileExt::read_exact_at(file, bytes, at)
}

#[cfg(windows)]
fn read_exact_at(file: &File, mut bytes: &mut [u8], mut at: u64) -> io::Result<()> {
    while !bytes.is_empty() {
        let n = std::os::windows::fs::FileExt::seek_read(file, bytes, at)?;
        if n == 0 {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        bytes = &mut bytes[n..];
        at += n as u64;
    }
    Ok(())
}
