//! Files of named arrays, npz and safetensors, and what their arrays are called.

use std::collections::HashMap;
use std::path::Path;

use super::npz::Npz;
use super::raw::{Asked, Raw};
use super::safetensors_file::Tensors;
use super::stored::Stored;
use crate::error::{Error, Result, listed, nearest};
use crate::files::Source;

/// Names under which features and labels are commonly stored, the surest first.
pub(super) const FEATURE_KEYS: [&str; 8] =
    ["features", "feats", "embeddings", "embedding", "X", "x", "data", "X_train"];
pub(super) const LABEL_KEYS: [&str; 6] = ["labels", "label", "y", "targets", "target", "y_train"];

/// A file of named arrays.
pub(super) enum Archive {
    Npz(Npz),
    Safetensors(Tensors),
}

impl Archive {
    /// Opens a file by its extension.
    pub(super) fn open(path: &Path) -> Result<Self> {
        let place = path.display().to_string();
        let source = Source::open(path, false)?;
        match path.extension().and_then(|extension| extension.to_str()) {
            Some("npz") => Npz::open(source, &place).map(Self::Npz),
            _ => Tensors::open(source, &place).map(Self::Safetensors),
        }
    }

    /// The names of its arrays.
    pub(super) fn names(&self) -> Vec<String> {
        match self {
            Self::Npz(npz) => npz.names().to_vec(),
            Self::Safetensors(file) => file.header.names(),
        }
    }

    /// The array of this name, if there is one.
    pub(super) fn array(&mut self, name: &str) -> Result<Option<Stored>> {
        match self {
            Self::Npz(npz) => npz.array(name),
            Self::Safetensors(file) => file.tensor(name),
        }
    }

    /// The file's metadata; an npz file has none.
    pub(super) fn metadata(&self) -> HashMap<String, String> {
        match self {
            Self::Npz(_) => HashMap::new(),
            Self::Safetensors(file) => file.header.metadata(),
        }
    }

    /// What it holds of a set of features.
    pub(super) fn raw(mut self, place: &str, asked: Asked<'_>) -> Result<Raw> {
        let names = self.names();
        let find = |keys: &[&'static str]| {
            keys.iter().copied().find(|key| names.iter().any(|name| name == key))
        };
        let Some(features) = find(&FEATURE_KEYS) else {
            let expected = format!("an array named one of {}", FEATURE_KEYS.join(", "));
            let hint = nearest("features", names.iter().map(String::as_str));
            return Err(Error::data(place, expected, format!("only {}", listed(&names)), hint));
        };
        let mut raw = Raw {
            features: self.array(features)?,
            views: self.array("views")?,
            mirror: self.array("mirror")?,
            ..Raw::default()
        };
        if let Some(key) = find(&LABEL_KEYS).filter(|_| !asked.labels_elsewhere) {
            raw.labels = self.array(key)?.map(|labels| labels.labels()).transpose()?;
        }
        let metadata = self.metadata();
        let groups = self.array(asked.group_column.unwrap_or("groups"))?;
        if let (None, Some(wanted)) = (&groups, asked.group_column) {
            let hint = nearest(wanted, names.iter().map(String::as_str));
            let expected = format!("an array of groups `{wanted}`");
            let error = Error::data(place, expected, format!("only {}", listed(&names)), hint);
            return Err(error.answered_by("group_column"));
        }
        let of_names = metadata.get("group_names");
        raw.groups = groups.map(|groups| groups.groups(of_names)).transpose()?;
        raw.provenance = metadata.get("provenance").cloned();
        let names = |key: &str| -> Result<Option<Vec<String>>> {
            let Some(names) = metadata.get(key) else { return Ok(None) };
            let bad =
                |error| Error::data(format!("{place}: {key}"), "a JSON list of strings", error, "");
            serde_json::from_str(names).map(Some).map_err(bad)
        };
        raw.class_names = names("class_names")?;
        raw.columns = names("columns")?;
        Ok(raw)
    }
}
