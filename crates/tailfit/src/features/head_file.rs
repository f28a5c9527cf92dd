//! Heads in safetensors files, under the key names of their networks.

use std::collections::HashMap;
use std::path::Path;

use ndarray::{Array1, Array2};

use super::safetensors_file::Tensors;
use crate::error::{Error, Result, nearest};
use crate::files::safetensors::Layout;
use crate::files::{Source, write_atomically};
use crate::head::Head;

/// Prefixes under which common networks store their last layer, as in `fc.weight` and
/// `fc.bias`.
pub const HEAD_KEYS: &[&str] =
    &["fc", "classifier", "head", "linear", "head.fc", "classifier.1", ""];

/// A head with the key prefix it has in its file.
///
/// ```
/// use std::collections::HashMap;
/// use tailfit::features::{HeadFile, load_head, save_head};
/// use tailfit::head::Head;
///
/// let folder = std::env::temp_dir().join(format!("tailfit-doc-{}", std::process::id()));
/// let path = folder.join("head.safetensors");
/// let head = Head::zeros(10, 64);
/// save_head(&path, &HeadFile { head, key: "fc".to_owned(), metadata: HashMap::new() })?;
/// // The key is found, as it is for heads that PyTorch has written.
/// let file = load_head(&path, None)?;
/// assert_eq!((file.key.as_str(), file.head.n_classes(), file.head.dim()), ("fc", 10, 64));
/// # std::fs::remove_dir_all(&folder).ok();
/// # Ok::<(), tailfit::error::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct HeadFile {
    /// The head itself.
    pub head: Head,
    /// Prefix of its tensors: `fc` for `fc.weight` and `fc.bias`.
    pub key: String,
    /// The file's metadata.
    pub metadata: HashMap<String, String>,
}

fn joined(key: &str, name: &str) -> String {
    if key.is_empty() { name.to_owned() } else { format!("{key}.{name}") }
}

/// Reads a head under `key`, or else under the first prefix of [`HEAD_KEYS`] that exists.
///
/// # Errors
///
/// If the file is damaged, lacks such a tensor, or its shapes do not agree.
pub fn load_head(path: &Path, key: Option<&str>) -> Result<HeadFile> {
    parse_head(fs_err::read(path)?, &path.display().to_string(), key)
}

pub(crate) fn parse_head(bytes: Vec<u8>, place: &str, key: Option<&str>) -> Result<HeadFile> {
    let file = Tensors::open(Source::Memory(bytes), place)?;
    let names = file.header.names();
    let has = |key: &&str| names.contains(&joined(key, "weight"));
    let key = match key {
        Some(key) => Some(key).filter(has),
        None => HEAD_KEYS.iter().copied().find(has),
    };
    let Some(key) = key else {
        let found = names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
        let weights = names.iter().map(String::as_str).filter(|n| n.ends_with("weight"));
        let hint = nearest("fc.weight", weights);
        let remedy = format!("name its prefix. {hint}");
        return Err(Error::data(
            place,
            "the last layer's weight, such as `fc.weight`",
            format!("only {found}"),
            remedy.trim(),
        )
        .answered_by("head_key"));
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
    let metadata = file.header.metadata();
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

/// Writes a head in f32, atomically. The metadata says how to apply it.
///
/// # Errors
///
/// If the file cannot be written.
pub fn save_head(path: &Path, file: &HeadFile) -> Result<()> {
    let head = &file.head;
    let mut metadata = file.metadata.clone();
    let apply = if head.normalise_features {
        "logits = weight @ (features / ||features||_2) + bias"
    } else {
        "logits = weight @ features + bias"
    };
    metadata.insert("apply".to_owned(), apply.to_owned());
    metadata.insert("normalise_features".to_owned(), head.normalise_features.to_string());
    let mut layout = Layout::new(metadata);
    layout.add(&joined(&file.key, "weight"), "F32", 4, &[head.n_classes(), head.dim()]);
    layout.add(&joined(&file.key, "bias"), "F32", 4, &[head.n_classes()]);
    let mut bytes = layout.header();
    bytes.extend(head.weight.iter().chain(&head.bias).flat_map(|&v| (v as f32).to_le_bytes()));
    write_atomically(path, &bytes)
}
