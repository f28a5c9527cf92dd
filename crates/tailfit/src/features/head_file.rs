//! A head in a safetensors file, under the key names of its network.

use std::collections::HashMap;
use std::path::Path;

use super::safetensors_file::Tensors;
use super::source::Source;
use crate::error::{Error, Result, nearest};
use crate::files::write_atomically;
use crate::head::Head;
use ndarray::{Array1, Array2};

/// Prefixes under which the last layer of the usual networks is stored, as in
/// `fc.weight` and `fc.bias`.
pub const HEAD_KEYS: &[&str] =
    &["fc", "classifier", "head", "linear", "head.fc", "classifier.1", ""];

/// A head with the key prefix it had, or is to have.
#[derive(Clone, Debug, PartialEq)]
pub struct HeadFile {
    /// The classifier.
    pub head: Head,
    /// Prefix of its tensors: `fc` for `fc.weight` and `fc.bias`.
    pub key: String,
    /// The file's metadata.
    pub metadata: HashMap<String, String>,
}

fn joined(key: &str, name: &str) -> String {
    if key.is_empty() { name.to_owned() } else { format!("{key}.{name}") }
}

/// Reads a head, under `key` or under the first prefix of [`HEAD_KEYS`] that is there.
///
/// # Errors
///
/// If the file is damaged, has no such tensor, or its shapes do not agree.
pub fn load_head(path: &Path, key: Option<&str>) -> Result<HeadFile> {
    parse_head(fs_err::read(path)?, &path.display().to_string(), key)
}

pub(crate) fn parse_head(bytes: Vec<u8>, place: &str, key: Option<&str>) -> Result<HeadFile> {
    let file = Tensors::open(Source::Memory(bytes), place)?;
    let names = file.names();
    let has = |key: &&str| names.contains(&joined(key, "weight"));
    let key = match key {
        Some(key) => Some(key).filter(has),
        None => HEAD_KEYS.iter().copied().find(has),
    };
    let Some(key) = key else {
        let found = names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
        let weights = names.iter().map(String::as_str).filter(|n| n.ends_with("weight"));
        let hint = nearest("fc.weight", weights);
        let remedy = format!("name its prefix with --head-key. {hint}");
        return Err(Error::data(
            place,
            "the last layer's weight, such as `fc.weight`",
            format!("only {found}"),
            remedy.trim(),
        ));
    };
    let read = |name: &str| -> Result<(Vec<usize>, Vec<f64>)> {
        let name = joined(key, name);
        let place = format!("{place}: {name}");
        let tensor =
            file.tensor(&name)?.ok_or_else(|| Error::data(&place, "a tensor", "none", ""))?;
        let values = tensor.floats()?;
        if values.iter().any(|v| !v.is_finite()) {
            return Err(Error::data(place, "finite weights", "NaN or infinity", ""));
        }
        Ok((tensor.shape, values.into_iter().map(f64::from).collect()))
    };
    let (shape, weight) = read("weight")?;
    let &[k, d] = shape.as_slice() else {
        return Err(Error::data(
            format!("{place}: {key}.weight"),
            "shape [K, D]",
            format!("{shape:?}"),
            "",
        ));
    };
    let bias_name = joined(key, "bias");
    let (bias_shape, bias) =
        if names.contains(&bias_name) { read("bias")? } else { (vec![k], vec![0.0; k]) };
    if bias_shape != [k] {
        return Err(Error::data(
            format!("{place}: {bias_name}"),
            format!("shape [{k}]"),
            format!("{bias_shape:?}"),
            "",
        ));
    }
    let metadata = file.metadata.metadata().clone().unwrap_or_default();
    let shape_error = |error| Error::data(place, "a matrix", error, "");
    Ok(HeadFile {
        head: Head {
            weight: Array2::from_shape_vec((k, d), weight).map_err(shape_error)?,
            bias: Array1::from(bias),
            normalise_features: metadata.get("normalise_features").is_some_and(|v| v == "true"),
        },
        key: key.to_owned(),
        metadata,
    })
}

/// Writes a head in f32, whole or not at all. The metadata say how to apply it.
///
/// # Errors
///
/// If the file cannot be written.
pub fn save_head(path: &Path, file: &HeadFile) -> Result<()> {
    let bytes = |values: &mut dyn Iterator<Item = &f64>| -> Vec<u8> {
        values.flat_map(|&v| (v as f32).to_le_bytes()).collect()
    };
    let head = &file.head;
    let weight = bytes(&mut head.weight.iter());
    let bias = bytes(&mut head.bias.iter());
    let tensors = [
        (joined(&file.key, "weight"), vec![head.n_classes(), head.dim()], weight),
        (joined(&file.key, "bias"), vec![head.n_classes()], bias),
    ];
    let mut metadata = file.metadata.clone();
    let apply = if head.normalise_features {
        "logits = weight @ (features / ||features||_2) + bias"
    } else {
        "logits = weight @ features + bias"
    };
    metadata.insert("apply".to_owned(), apply.to_owned());
    metadata.insert("normalise_features".to_owned(), head.normalise_features.to_string());
    let bytes = serialise(tensors, metadata)
        .map_err(|error| Error::data(path.display(), "a storable head", error, ""))?;
    write_atomically(path, &bytes)
}

/// safetensors keeps metadata in a hash map, whose order changes from run to run; the
/// header is therefore written here with its keys in order, so that equal heads are
/// equal bytes.
fn serialise(
    tensors: [(String, Vec<usize>, Vec<u8>); 2],
    metadata: HashMap<String, String>,
) -> std::result::Result<Vec<u8>, serde_json::Error> {
    let metadata: std::collections::BTreeMap<_, _> = metadata.into_iter().collect();
    let mut header = serde_json::Map::new();
    header.insert("__metadata__".to_owned(), serde_json::to_value(metadata)?);
    let mut data = Vec::new();
    for (name, shape, bytes) in tensors {
        let start = data.len();
        data.extend(bytes);
        let entry = serde_json::json!({
            "dtype": "F32", "shape": shape, "data_offsets": [start, data.len()],
        });
        header.insert(name, entry);
    }
    let mut text = serde_json::to_string(&header)?;
    while text.len() % 8 > 0 {
        text.push(' ');
    }
    Ok([&(text.len() as u64).to_le_bytes(), text.as_bytes(), &data].concat())
}
