//! npz files: zip archives of npy files. An entry that claims to expand more than 100 times
//! and beyond 64 MiB is refused before it is unpacked.

use std::io::{Cursor, Read};
use std::path::Path;

use zip::ZipArchive;

use super::npy;
use super::raw::{Asked, Raw};
use super::stored::Stored;
use crate::error::{Error, Result};
use crate::files::Source;

// Always read into memory: entries may be compressed.
type Archive = ZipArchive<Cursor<Vec<u8>>>;

const FEATURE_KEYS: [&str; 7] = ["features", "feats", "embeddings", "X", "x", "data", "X_train"];
const LABEL_KEYS: [&str; 6] = ["labels", "label", "y", "targets", "target", "y_train"];

pub(super) fn read(path: &Path, _asked: Asked) -> Result<Raw> {
    let place = path.display().to_string();
    let bytes = fs_err::read(path)?;
    let mut archive =
        ZipArchive::new(Cursor::new(bytes)).map_err(|error| damaged(&place, &error))?;
    let names = archive
        .file_names()
        .map(|name| name.map(std::borrow::Cow::into_owned))
        .collect::<std::result::Result<Vec<_>, _>>()
        .map_err(|error| damaged(&place, &error))?;
    let find = |keys: &[&str]| {
        keys.iter().map(|key| format!("{key}.npy")).find(|name| names.contains(name))
    };
    let mut raw = Raw::default();
    let Some(features) = find(&FEATURE_KEYS) else {
        let expected = format!("an array named one of {}", FEATURE_KEYS.join(", "));
        return Err(Error::data(place, expected, format!("only {}", names.join(", ")), ""));
    };
    raw.features = Some(entry(&mut archive, &features, &place)?);
    if let Some(name) = find(&LABEL_KEYS) {
        let mut labels = entry(&mut archive, &name, &place)?;
        labels.place += ": labels";
        raw.labels = Some(labels.labels()?);
    }
    if let Some(name) = find(&["mirror"]) {
        raw.mirror = Some(entry(&mut archive, &name, &place)?);
    }
    if let Some(name) = find(&["views"]) {
        raw.views = Some(entry(&mut archive, &name, &place)?);
    }
    Ok(raw)
}

fn damaged(place: &str, error: &dyn std::fmt::Display) -> Error {
    Error::data(place, "a whole npz file", error, "the file is cut off or damaged; write it again")
}

/// Unpacks an entry into an array.
fn entry(archive: &mut Archive, name: &str, place: &str) -> Result<Stored> {
    let place = format!("{place}: {name}");
    let file = archive.by_name(name).map_err(|error| damaged(&place, &error))?;
    let (size, packed) = (file.size(), file.compressed_size());
    if size > 64 << 20 && size / 100 > packed {
        return Err(Error::data(
            place,
            "features, which hardly compress",
            format!("{packed} bytes that claim to unpack to {size}"),
            "if you trust the file, save it with np.savez instead of np.savez_compressed",
        ));
    }
    let mut bytes = Vec::new();
    file.take(size + 1).read_to_end(&mut bytes).map_err(|error| damaged(&place, &error))?;
    if bytes.len() as u64 != size {
        let found = format!("{} or more", bytes.len());
        return Err(Error::data(place, format!("{size} bytes, as its directory says"), found, ""));
    }
    npy::parse(Source::Memory(bytes), &place)
}
