//! safetensors.

use std::borrow::Cow;
use std::path::Path;

use safetensors::SafeTensors;
use safetensors::tensor::{Dtype as Stored, TensorView};

use super::Raw;
use super::decode::{Dtype, Tensor};
use crate::error::{Error, Result, nearest};

pub(super) fn read(path: &Path) -> Result<Raw> {
    parse(&fs_err::read(path)?, &path.display().to_string())
}

pub(super) fn parse(bytes: &[u8], place: &str) -> Result<Raw> {
    let file = open(bytes, place)?;
    let mut raw = Raw::default();
    for (name, view) in file.tensors() {
        let place = format!("{place}: {name}");
        match name.as_str() {
            "features" => raw.features = Some(tensor(&view, &place)?.floats(&place)?),
            "views" => raw.views = Some(tensor(&view, &place)?.floats(&place)?),
            "mirror" => raw.mirror = Some(tensor(&view, &place)?.floats(&place)?),
            "labels" => raw.labels = Some(tensor(&view, &place)?.labels(&place)?),
            _ => {}
        }
    }
    if raw.features.is_none() {
        let names = file.names();
        let found = names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
        let hint = nearest("features", names.iter().copied());
        return Err(Error::data(
            place,
            "a tensor `features` [N, D]",
            format!("only {found}"),
            hint,
        ));
    }
    let (_, metadata) = SafeTensors::read_metadata(bytes).map_err(|error| damaged(place, error))?;
    if let Some(metadata) = metadata.metadata() {
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

pub(super) fn open<'a>(bytes: &'a [u8], place: &str) -> Result<SafeTensors<'a>> {
    SafeTensors::deserialize(bytes).map_err(|error| damaged(place, error))
}

fn damaged(place: &str, error: safetensors::SafeTensorError) -> Error {
    let remedy = "the file is cut off or not safetensors; write it again";
    Error::data(place, "a whole safetensors file", error, remedy)
}

pub(super) fn tensor<'a>(view: &TensorView<'a>, place: &str) -> Result<Tensor<'a>> {
    let dtype = match view.dtype() {
        Stored::F16 => Dtype::F16,
        Stored::BF16 => Dtype::Bf16,
        Stored::F32 => Dtype::F32,
        Stored::F64 => Dtype::F64,
        Stored::I8 => Dtype::Int(1, true),
        Stored::U8 => Dtype::Int(1, false),
        Stored::I16 => Dtype::Int(2, true),
        Stored::U16 => Dtype::Int(2, false),
        Stored::I32 => Dtype::Int(4, true),
        Stored::U32 => Dtype::Int(4, false),
        Stored::I64 => Dtype::Int(8, true),
        Stored::U64 => Dtype::Int(8, false),
        other => {
            return Err(Error::data(
                place,
                "f16, bf16, f32, f64 or integers",
                format!("{other:?}"),
                "",
            ));
        }
    };
    Ok(Tensor { shape: view.shape().to_vec(), dtype, bytes: Cow::Borrowed(view.data()) })
}
