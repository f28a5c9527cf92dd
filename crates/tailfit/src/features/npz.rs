//! npz files: zip archives of npy files. What comes out is counted, whatever the directory says: an
//! entry that unpacks to more than 100 times the whole file and 64 MiB is refused.

use std::io::{Cursor, Read};

use zip::ZipArchive;

use super::npy;
use super::stored::Stored;
use crate::error::{Error, Result};
use crate::files::Source;

/// An npz file, read into memory, as its entries may be compressed.
pub(super) struct Npz {
    archive: ZipArchive<Cursor<Vec<u8>>>,
    /// Names of the entries, without `.npy`.
    names: Vec<String>,
    /// Bytes of the file.
    size: u64,
    /// The most bytes that an entry may unpack to.
    limit: u64,
    place: String,
}

impl Npz {
    pub(super) fn open(source: Source, place: &str) -> Result<Self> {
        let bytes = source.into_bytes()?;
        let size = bytes.len() as u64;
        let limit = (64 << 20) + 100 * size;
        let archive =
            ZipArchive::new(Cursor::new(bytes)).map_err(|error| damaged(place, &error))?;
        let names = archive
            .file_names()
            .map(|name| name.map(|name| name.trim_end_matches(".npy").to_owned()))
            .collect::<std::result::Result<Vec<_>, _>>()
            .map_err(|error| damaged(place, &error))?;
        Ok(Self { archive, names, size, limit, place: place.to_owned() })
    }

    pub(super) fn names(&self) -> &[String] {
        &self.names
    }

    /// Unpacks the array of this name, if there is one.
    pub(super) fn array(&mut self, name: &str) -> Result<Option<Stored>> {
        if !self.names.iter().any(|known| known == name) {
            return Ok(None);
        }
        let place = format!("{}: {name}", self.place);
        let file = self
            .archive
            .by_name(&format!("{name}.npy"))
            .map_err(|error| damaged(&place, &error))?;
        // All at once where it is not compressed, so that it need not grow.
        let mut bytes = Vec::with_capacity(file.size().min(self.size) as usize);
        let unpacked = file.take(self.limit + 1).read_to_end(&mut bytes);
        unpacked.map_err(|error| damaged(&place, &error))?;
        if bytes.len() as u64 > self.limit {
            return Err(Error::data(
                place,
                "features, which hardly compress",
                format!("more than {} bytes in a file of a hundredth of that", self.limit),
                "if you trust the file, save it with np.savez instead of np.savez_compressed",
            ));
        }
        npy::parse(Source::Memory(bytes), &place).map(Some)
    }
}

fn damaged(place: &str, error: &dyn std::fmt::Display) -> Error {
    Error::data(place, "a whole npz file", error, "the file is cut off or damaged; write it again")
}
