//! Heads in safetensors and npz files, under the key names of their networks.

use std::collections::HashMap;
use std::path::Path;

use ndarray::{Array1, Array2};

use super::archive::Archive;
use super::safetensors_file::Tensors;
use crate::class_counts::ClassCounts;
use crate::error::{Error, Result, listed, nearest};
use crate::files::safetensors::Layout;
use crate::files::{Source, write_atomically};
use crate::head::{Gate, Head};

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
/// save_head(&path, &HeadFile::new(Head::zeros(10, 64), "fc", HashMap::new()))?;
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
    /// Whether the file has a bias; the head has one in any case, of zeros if not.
    pub has_bias: bool,
    /// The file's metadata.
    pub metadata: HashMap<String, String>,
}

impl HeadFile {
    /// A head to be written, with its bias.
    pub fn new(head: Head, key: &str, metadata: HashMap<String, String>) -> Self {
        Self { head, key: key.to_owned(), has_bias: true, metadata }
    }

    /// The names of its classes, if its file says them.
    pub fn class_names(&self) -> Option<Vec<String>> {
        serde_json::from_str(self.metadata.get("class_names")?).ok()
    }

    /// The names of its features, if its file says them.
    pub fn columns(&self) -> Option<Vec<String>> {
        serde_json::from_str(self.metadata.get("columns")?).ok()
    }

    /// The class counts of the set that it was trained on, if its file says them.
    pub fn class_counts(&self) -> Option<ClassCounts> {
        let counts = serde_json::from_str(self.metadata.get("class_counts")?).ok()?;
        ClassCounts::new(counts).ok().filter(|counts| counts.n_classes() == self.head.n_classes())
    }
}

fn joined(key: &str, name: &str) -> String {
    if key.is_empty() { name.to_owned() } else { format!("{key}.{name}") }
}

/// Reads a head under `key`, or else under the first prefix of [`HEAD_KEYS`] that exists, alone or
/// after `module.`, from safetensors or npz. A key may end in `.weight`. A weight `[K, D, 1, 1]`, as
/// of a convolution, is one of `[K, D]`.
///
/// # Errors
///
/// If the file is damaged, lacks such a tensor, or its shapes do not agree.
pub fn load_head(path: &Path, key: Option<&str>) -> Result<HeadFile> {
    let extension = path.extension().and_then(|extension| extension.to_str()).unwrap_or_default();
    if matches!(extension, "pt" | "pth" | "bin" | "ckpt" | "pkl") {
        let remedy = "pickles are not read; in Python: safetensors.torch.save_file({'fc.weight': \
                      state['fc.weight'], 'fc.bias': state['fc.bias']}, 'head.safetensors')";
        let expected = "a head in safetensors or npz";
        return Err(Error::usage(path.display(), expected, format!(".{extension}"), remedy));
    }
    parse(Archive::open(path)?, &path.display().to_string(), key)
}

/// Reads a head from a safetensors file in memory.
///
/// # Errors
///
/// As for [`load_head`].
pub fn head_from_bytes(bytes: Vec<u8>, place: &str, key: Option<&str>) -> Result<HeadFile> {
    let file = Tensors::open(Source::Memory(bytes), place)?;
    parse(Archive::Safetensors(file), place, key)
}

fn parse(mut archive: Archive, place: &str, key: Option<&str>) -> Result<HeadFile> {
    let names = archive.names();
    let has = |key: &String| names.contains(&joined(key, "weight"));
    let key = match key {
        Some("weight" | "bias") => Some(String::new()),
        Some(key) => {
            let ends = [".weight", ".bias"].into_iter();
            Some(ends.fold(key, |key, end| key.strip_suffix(end).unwrap_or(key)).to_owned())
        }
        None => {
            let alone = HEAD_KEYS.iter().map(|&key| key.to_owned());
            let wrapped = HEAD_KEYS.iter().map(|key| format!("module.{key}"));
            alone.chain(wrapped).find(has)
        }
    };
    let Some(key) = key.filter(has) else {
        let weights = names.iter().map(String::as_str).filter(|n| n.ends_with("weight"));
        let hint = nearest("fc.weight", weights);
        return Err(Error::data(
            place,
            "the last layer's weight, such as `fc.weight`",
            format!("only {}", listed(&names)),
            format!("name it. {hint}").trim(),
        )
        .answered_by("head_key"));
    };
    let mut read = |name: &str| -> Result<(Vec<usize>, Vec<f64>)> {
        let name = joined(&key, name);
        let place = format!("{place}: {name}");
        let mut tensor =
            archive.array(&name)?.ok_or_else(|| Error::data(&place, "a tensor", "none", ""))?;
        while tensor.shape.len() > 2 && tensor.shape.last() == Some(&1) {
            tensor.shape.pop();
        }
        let values = tensor.floats()?;
        if values.iter().any(|v| !v.is_finite()) {
            return Err(Error::data(place, "finite weights", "NaN or infinity", ""));
        }
        Ok((tensor.shape, values.into_iter().map(f64::from).collect()))
    };
    let (shape, weight) = read("weight")?;
    let &[k @ 1..=usize::MAX, d @ 1..=usize::MAX] = shape.as_slice() else {
        let place = format!("{place}: {}", joined(&key, "weight"));
        return Err(Error::data(place, "shape [K, D], each at least 1", format!("{shape:?}"), ""));
    };
    let mut vector = |name: &str, wanted: usize| -> Result<Option<Array1<f64>>> {
        if !names.contains(&joined(&key, name)) {
            return Ok(None);
        }
        let (shape, values) = read(name)?;
        if shape == [wanted] {
            return Ok(Some(Array1::from(values)));
        }
        let place = format!("{place}: {}", joined(&key, name));
        Err(Error::data(place, format!("shape [{wanted}]"), format!("{shape:?}"), ""))
    };
    let bias = vector("bias", k)?;
    let centre = vector("centre", d)?;
    let gate = [("gate.weight", d), ("gate.bias", 1), ("gate.scale", k), ("gate.shift", k)]
        .map(|(name, wanted)| vector(name, wanted));
    let [weight_of_gate, bias_of_gate, scale, shift] = gate;
    let gate = match (weight_of_gate?, bias_of_gate?, scale?, shift?) {
        (Some(weight), Some(bias), Some(scale), Some(shift)) => {
            Some(Gate { weight, bias: bias[0], scale, shift })
        }
        (None, None, None, None) => None,
        _ => {
            let expected = "all of `gate.weight`, `gate.bias`, `gate.scale` and `gate.shift`";
            return Err(Error::data(place, expected, "some of them", ""));
        }
    };
    let metadata = archive.metadata();
    let weight = Array2::from_shape_vec((k, d), weight)
        .map_err(|error| Error::data(place, "a matrix", error, ""))?;
    let has_bias = bias.is_some();
    let normalise_features = metadata.get("normalise_features").is_some_and(|v| v == "true");
    let linear = Head::linear(weight, bias.unwrap_or_else(|| Array1::zeros(k)));
    if centre.is_some() && !normalise_features {
        let expected = "no centre in a head that does not divide features by their norm";
        let remedy = "fold it into the bias: b - W c";
        return Err(Error::data(format!("{place}: centre"), expected, "one", remedy));
    }
    let head = Head { normalise_features, centre, gate, ..linear };
    Ok(HeadFile { head, key, has_bias, metadata })
}

/// Writes a head in f32, atomically. The metadata says how to apply it.
///
/// # Errors
///
/// If the file cannot be written.
pub fn save_head(path: &Path, file: &HeadFile) -> Result<()> {
    let head = &file.head;
    let mut metadata = file.metadata.clone();
    metadata.insert("apply".to_owned(), apply(head).to_owned());
    metadata.insert("normalise_features".to_owned(), head.normalise_features.to_string());
    let mut layout = Layout::new(metadata);
    let (k, d) = head.weight.dim();
    let gate = head.gate.as_ref();
    let lengths = [
        (k, Some(head.bias.len())),
        (d, head.centre.as_ref().map(Array1::len)),
        (d, gate.map(|gate| gate.weight.len())),
        (k, gate.map(|gate| gate.scale.len())),
        (k, gate.map(|gate| gate.shift.len())),
    ];
    if let Some((wanted, found)) =
        lengths.iter().find(|(wanted, n)| n.is_some_and(|n| n != *wanted))
    {
        let expected =
            format!("bias, centre and gate for [K, D] = [{k}, {d}], one of {wanted} numbers");
        let found = found.unwrap_or_default();
        return Err(Error::data(path.display(), expected, format!("one of {found}"), ""));
    }
    let mut values: Vec<f64> = Vec::with_capacity(k * (d + 1));
    let mut add = |name: &str, shape: &[usize], tensor: &mut dyn Iterator<Item = &f64>| {
        layout.add(&joined(&file.key, name), "F32", 4, shape);
        values.extend(tensor);
    };
    add("weight", &[k, d], &mut head.weight.iter());
    add("bias", &[k], &mut head.bias.iter());
    if let Some(centre) = &head.centre {
        add("centre", &[d], &mut centre.iter());
    }
    if let Some(gate) = &head.gate {
        add("gate.weight", &[d], &mut gate.weight.iter());
        add("gate.bias", &[1], &mut [gate.bias].iter());
        add("gate.scale", &[k], &mut gate.scale.iter());
        add("gate.shift", &[k], &mut gate.shift.iter());
    }
    let mut bytes = layout.header();
    bytes.extend(values.into_iter().flat_map(|v| (v as f32).to_le_bytes()));
    write_atomically(path, &bytes)
}

/// How a head is applied, in words for other programs.
fn apply(head: &Head) -> &'static str {
    if head.gate.is_some() && head.normalise_features {
        "x = (features - centre) / ||features - centre||_2, with centre 0 if there is none; z = weight @ x + bias; \
         logits = z + sigmoid(gate.weight @ x + gate.bias) * (gate.scale * z + gate.shift)"
    } else if head.gate.is_some() {
        "z = weight @ features + bias; \
         logits = z + sigmoid(gate.weight @ features + gate.bias) * (gate.scale * z + gate.shift)"
    } else if head.normalise_features && head.centre.is_some() {
        "logits = weight @ ((features - centre) / ||features - centre||_2) + bias"
    } else if head.normalise_features {
        "logits = weight @ (features / ||features||_2) + bias"
    } else {
        "logits = weight @ features + bias"
    }
}
