//! safetensors files. Only the header is read at first; arrays are read when needed.

use std::path::Path;
use std::sync::Arc;

use safetensors::tensor::Dtype as Named;

use super::decode::Dtype;
use super::raw::{Asked, Raw};
use super::stored::Stored;
use crate::error::{Error, Result, nearest};
use crate::files::Source;
use crate::files::safetensors::Header;

pub(super) fn read(path: &Path, asked: Asked) -> Result<Raw> {
    parse(Source::open(path, asked.mapped)?, &path.display().to_string())
}

pub(super) fn parse(source: Source, place: &str) -> Result<Raw> {
    let file = Tensors::open(source, place)?;
    let names = file.header.names();
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
    let metadata = file.header.metadata();
    raw.provenance = metadata.get("provenance").cloned();
    if let Some(names) = metadata.get("class_names") {
        let names = serde_json::from_str(names).map_err(|error| {
            Error::data(format!("{place}: class_names"), "a JSON list of strings", error, "")
        })?;
        raw.class_names = Some(names);
    }
    Ok(raw)
}

/// A safetensors file whose header has been read.
pub(super) struct Tensors {
    source: Arc<Source>,
    pub(super) header: Header,
    place: String,
}

impl Tensors {
    pub(super) fn open(source: Source, place: &str) -> Result<Self> {
        let header = Header::read(&source, place)?;
        Ok(Self { source: Arc::new(source), header, place: place.to_owned() })
    }

    /// The tensor of this name, if there is one.
    pub(super) fn tensor(&self, name: &str) -> Result<Option<Stored>> {
        let Some(info) = self.header.info(name) else { return Ok(None) };
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
        let at = self.header.at + info.data_offsets.0 as u64;
        let shape = info.shape.clone();
        Ok(Some(Stored { source: Arc::clone(&self.source), at, dtype, shape, place }))
    }
}
