//! The bytes that features are decoded from: in memory, in a file, or in a mapped file.

use std::any::Any;
use std::fs::{File, Metadata};
use std::io::{self, ErrorKind};
use std::path::Path;
use std::sync::Arc;
use std::time::SystemTime;

use memmap2::Mmap;

use super::map::map;

/// Where the bytes are held.
#[derive(Debug)]
pub(crate) enum Source {
    Memory(Vec<u8>),
    /// In memory of another owner, who is kept for as long.
    Shared(
        &'static [u8],
        #[allow(dead_code, reason = "kept, not read")] Arc<dyn Any + Send + Sync>,
    ),
    File {
        file: File,
        opened: State,
    },
    Map {
        map: Mmap,
        file: File,
        opened: State,
    },
}

/// What tells that a file is the same: its size, and when it was last written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct State {
    len: u64,
    modified: Option<SystemTime>,
}

impl State {
    fn of(metadata: &Metadata) -> Self {
        Self { len: metadata.len(), modified: metadata.modified().ok() }
    }
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
        let opened = State::of(&metadata);
        if mapped {
            return map(&file).map(|map| Self::Map { map, file, opened }).map_err(named);
        }
        Ok(Self::File { file, opened })
    }

    /// Whether the file is as it was when it was opened, as far as its size and time tell.
    pub(crate) fn is_unchanged(&self) -> bool {
        match self {
            Self::Memory(_) | Self::Shared(..) => true,
            Self::File { file, opened } | Self::Map { file, opened, .. } => {
                file.metadata().is_ok_and(|now| State::of(&now) == *opened)
            }
        }
    }

    /// All of it, in memory.
    pub(crate) fn into_bytes(self) -> io::Result<Vec<u8>> {
        let len = self.len() as usize;
        match self {
            Self::Memory(bytes) => Ok(bytes),
            Self::Shared(bytes, _) => Ok(bytes.to_vec()),
            Self::Map { map, .. } => Ok(map.to_vec()),
            Self::File { .. } => {
                let mut bytes = Vec::new();
                self.bytes(0, len, &mut bytes)?;
                Ok(bytes)
            }
        }
    }

    /// Reads it from its beginning to its end.
    pub(crate) fn reader(&self) -> Reader<'_> {
        Reader { source: self, at: 0, scratch: Vec::new() }
    }

    pub(crate) fn len(&self) -> u64 {
        match self {
            Self::Memory(bytes) => bytes.len() as u64,
            Self::Shared(bytes, _) => bytes.len() as u64,
            Self::File { opened, .. } => opened.len,
            Self::Map { map, .. } => map.len() as u64,
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
            Self::Shared(bytes, _) => bytes,
            Self::Map { map, .. } => &map[..],
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

/// See [`Source::reader`].
pub(crate) struct Reader<'a> {
    source: &'a Source,
    at: u64,
    scratch: Vec<u8>,
}

impl io::Read for Reader<'_> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let n = (self.source.len() - self.at).min(out.len() as u64) as usize;
        out[..n].copy_from_slice(self.source.bytes(self.at, n, &mut self.scratch)?);
        self.at += n as u64;
        Ok(n)
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
