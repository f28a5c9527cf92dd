//! Tensors in safetensors files, where they lie.

use std::sync::Arc;

use safetensors::Dtype as Named;

use super::decode::Dtype;
use super::stored::Stored;
use crate::error::{Error, Result};
use crate::files::Source;
use crate::files::safetensors::Header;

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
            Named::U8 | Named::BOOL => Dtype::Int(1, false),
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
