//! The safetensors format. Headers are read and checked against the file's size before anything
//! else, and written with their keys in order, so that equal contents give equal bytes.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fmt;
use std::path::Path;

use safetensors::tensor::{Metadata, TensorInfo};
use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::{Value, json};

use super::source::Source;
use crate::error::{Error, Result};

/// Maximum header length in bytes; the format's own limit.
const LONGEST_HEADER: u64 = 100_000_000;

/// The header of a file.
#[derive(Debug)]
pub(crate) struct Header {
    metadata: Metadata,
    /// Offset at which the data begins.
    pub(crate) at: u64,
}

impl Header {
    /// Reads the header and checks that the file has the size it implies.
    pub(crate) fn read(source: &Source, place: &str) -> Result<Self> {
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
        if let Some(name) = serde_json::from_slice(header).map_or(None, |Keys(twice)| twice) {
            return Err(damaged(&format!("`{name}` twice")));
        }
        let metadata: Metadata = serde_json::from_slice(header).map_err(|error| damaged(&error))?;
        let (at, wanted) = (8 + length, metadata.data_len() as u64);
        if wanted != total - at {
            return Err(damaged(&format!("{} of {wanted} bytes of data", total - at)));
        }
        Ok(Self { metadata, at })
    }

    /// Tensor names, in file order.
    pub(crate) fn names(&self) -> Vec<String> {
        self.metadata.offset_keys()
    }

    /// Type, shape and offsets of a tensor.
    pub(crate) fn info(&self, name: &str) -> Option<&TensorInfo> {
        self.metadata.info(name)
    }

    /// The file's metadata.
    pub(crate) fn metadata(&self) -> HashMap<String, String> {
        self.metadata.metadata().clone().unwrap_or_default()
    }
}

/// The first name that a header has twice: of such, the last would win in silence.
struct Keys(Option<String>);

impl<'de> Deserialize<'de> for Keys {
    fn deserialize<T: Deserializer<'de>>(header: T) -> std::result::Result<Self, T::Error> {
        header.deserialize_map(KeysVisitor)
    }
}

struct KeysVisitor;

impl<'de> Visitor<'de> for KeysVisitor {
    type Value = Keys;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a header")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> std::result::Result<Keys, A::Error> {
        let (mut names, mut twice) = (HashSet::new(), None);
        while let Some((name, IgnoredAny)) = map.next_entry::<String, IgnoredAny>()? {
            if names.contains(&name) {
                twice.get_or_insert(name);
            } else {
                names.insert(name);
            }
        }
        Ok(Keys(twice))
    }
}

/// Reads a file's metadata without reading its tensors.
///
/// # Errors
///
/// If the file cannot be read or is not a complete safetensors file.
pub fn read_metadata(path: &Path) -> Result<HashMap<String, String>> {
    Ok(Header::read(&Source::open(path, false)?, &path.display().to_string())?.metadata())
}

/// The header of a file to be written: its tensors, in the order of their bytes.
#[derive(Debug, Default)]
pub struct Layout {
    entries: serde_json::Map<String, Value>,
    end: usize,
}

impl Layout {
    /// The layout of a file with this metadata and no tensors yet.
    pub fn new(metadata: HashMap<String, String>) -> Self {
        let mut layout = Self::default();
        if !metadata.is_empty() {
            let metadata: BTreeMap<String, String> = metadata.into_iter().collect();
            layout.entries.insert("__metadata__".to_owned(), json!(metadata));
        }
        layout
    }

    /// Adds a tensor with `size` bytes per number; `dtype` is the format's name, such as `F32`.
    pub fn add(&mut self, name: &str, dtype: &str, size: usize, shape: &[usize]) {
        let start = self.end;
        self.end += size * shape.iter().product::<usize>();
        let entry = json!({"dtype": dtype, "shape": shape, "data_offsets": [start, self.end]});
        self.entries.insert(name.to_owned(), entry);
    }

    /// Total bytes of the tensors added so far.
    pub fn data_len(&self) -> usize {
        self.end
    }

    /// The bytes that precede those of the tensors.
    pub fn header(self) -> Vec<u8> {
        let mut text = Value::from(self.entries).to_string();
        while text.len() % 8 > 0 {
            text.push(' ');
        }
        [&(text.len() as u64).to_le_bytes(), text.as_bytes()].concat()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_laid_out_is_what_the_formats_own_crate_reads() {
        let metadata =
            HashMap::from([("b".to_owned(), "2".to_owned()), ("a".to_owned(), "ä".to_owned())]);
        let mut layout = Layout::new(metadata);
        layout.add("weight", "F32", 4, &[2, 3]);
        layout.add("labels", "U32", 4, &[5]);
        assert_eq!(layout.data_len(), 44);
        let bytes = [layout.header(), (0..44).collect()].concat();
        assert!(bytes.len() % 8 == 4 && bytes[8..].starts_with(br#"{"__metadata__":{"a":"#));
        let file = safetensors::SafeTensors::deserialize(&bytes).unwrap();
        let weight = file.tensor("weight").unwrap();
        assert_eq!(
            (weight.shape(), weight.data()),
            (&[2, 3][..], &(0..24).collect::<Vec<u8>>()[..])
        );
        assert_eq!(file.tensor("labels").unwrap().data(), (24..44).collect::<Vec<u8>>());
        let header = Header::read(&Source::Memory(bytes), "x").unwrap();
        assert_eq!(header.metadata()["a"], "ä");
        assert_eq!(header.names(), ["weight", "labels"]);
    }
}
