//! safetensors: the header is read and checked against the file's size; arrays are read later.

use std::path::Path;
use std::sync::Arc;

use safetensors::tensor::{Dtype as Named, Metadata};

use super::Raw;
use super::decode::Dtype;
use super::source::Source;
use super::stored::Stored;
use crate::error::{Error, Result, nearest};

/// Longest header, in bytes; the format's own limit.
const LONGEST_HEADER: u64 = 100_000_000;

pub(super) fn read(path: &Path, mapped: bool) -> Result<Raw> {
    parse(Source::open(path, mapped)?, &path.display().to_string())
}

pub(super) fn parse(source: Source, place: &str) -> Result<Raw> {
    let file = Tensors::open(source, place)?;
    let names = file.names();
    let mut raw = Raw {
        features: file.tensor("features")?,
        views: file.tensor("views")?,
        mirror: file.tensor("mirror")?,
        labels: file.tensor("labels")?.map(|labels| labels.labels()).transpose()?,
        ..Raw::default()
    };
    if raw.features.is_none() {
        let found = names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
        let hint = nearest("features", names.iter().map(String::as_str));
        return Err(Error::data(
            place,
            "a tensor `features` [N, D]",
            format!("only {found}"),
            hint,
        ));
    }
    if let Some(metadata) = file.metadata.metadata() {
        raw.provenance = metadata.get("provenance").cloned();
        if let Some(names) = metadata.get("class_names") {
            let names = serde_json::from_str(names).map_err(|error| {
                Error::data(format!("{place}: class_names"), "a JSON list of strings", error, "")
            })?;
            raw.class_names = Some(names);
        }
    }
    Ok(raw)
}

/// A safetensors file whose header has been read.
pub(super) struct Tensors {
    source: Arc<Source>,
    pub(super) metadata: Metadata,
    /// Where the data begin.
    at: u64,
    place: String,
}

impl Tensors {
    pub(super) fn open(source: Source, place: &str) -> Result<Self> {
        let damaged = |error: &dyn std::fmt::Display| {
            let remedy = "the file is cut off or not safetensors; write it again";
            Error::data(place, "a whole safetensors file", error, remedy)
        };
        let total = source.len();
        let mut scratch = Vec::new();
        let length = source.bytes(0, total.min(8) as usize, &mut scratch)?;
        let length = length.try_into().map_err(|_short| damaged(&format!("{total} bytes")))?;
        let length = u64::from_le_bytes(length);
        if length > LONGEST_HEADER.min(total - 8) {
            return Err(damaged(&format!("a header of {length} bytes in a file of {total}")));
        }
        let header = source.bytes(8, length as usize, &mut scratch)?;
        let metadata: Metadata = serde_json::from_slice(header).map_err(|error| damaged(&error))?;
        let (at, wanted) = (8 + length, metadata.data_len() as u64);
        if wanted != total - at {
            return Err(damaged(&format!("{} of {wanted} bytes of data", total - at)));
        }
        Ok(Self { source: Arc::new(source), metadata, at, place: place.to_owned() })
    }

    /// Names in the order of the file.
    pub(super) fn names(&self) -> Vec<String> {
        self.metadata.offset_keys()
    }

    /// The tensor of this name, if there is one.
    pub(super) fn tensor(&self, name: &str) -> Result<Option<Stored>> {
        let Some(info) = self.metadata.info(name) else { return Ok(None) };
        let place = format!("{}: {name}", self.place);
        let dtype = match info.dtype {
            Named::F16 => Dtype::F16,
            Named::BF16 => Dtype::Bf16,
            Named::F32 => Dtype::F32,
            Named::F64 => Dtype::F64,
            Named::I8 => Dtype::Int(1, true),
            Named::U8 => Dtype::Int(1, false),
            Named::I16 => Dtype::Int(2, true),
            Named::U16 => Dtype::Int(2, false),
            Named::I32 => Dtype::Int(4, true),
            Named::U32 => Dtype::Int(4, false),
            Named::I64 => Dtype::Int(8, true),
            Named::U64 => Dtype::Int(8, false),
            other => {
                let expected = "f16, bf16, f32, f64 or integers";
                return Err(Error::data(place, expected, format!("{other:?}"), ""));
            }
        };
        let at = self.at + info.data_offsets.0 as u64;
        let shape = info.shape.clone();
        Ok(Some(Stored { source: Arc::clone(&self.source), at, dtype, shape, place }))
    }
}
