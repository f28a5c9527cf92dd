//! Overlays plain data key by key, so that an error names the offending key.

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::error::{Error, Result, nearest, nearest_in_message};

/// `base` with the values of `changes` in place of its own. Valid keys are those `base` has when
/// serialised and those in `optional`, which it omits at their default value.
///
/// # Errors
///
/// Names the first key that does not exist (and the nearest that does, or all) or whose value is
/// invalid; `place` says where the changes came from.
pub fn overlay<T: Serialize + DeserializeOwned>(
    base: &T,
    changes: &Map<String, Value>,
    optional: &[&str],
    place: &str,
) -> Result<T> {
    let mut tree = object(base, place)?;
    let left_out = optional.iter().copied().filter(|&key| !tree.contains_key(key));
    let known: Vec<&str> = tree.keys().map(String::as_str).chain(left_out).collect();
    for (key, value) in changes {
        let here = format!("{place}: key `{key}`");
        if !known.contains(&key.as_str()) {
            let expected = "a key of the recipe";
            let hint = hint(key, &tree, &known);
            return Err(Error::usage(here, expected, "one that it does not have", hint));
        }
        // Each key is tried on its own first, as serde does not say which of several is wrong.
        let mut one = object(base, place)?;
        one.insert(key.clone(), value.clone());
        read::<T>(one, &here)?;
    }
    tree.extend(changes.clone());
    read(tree, place)
}

/// What may have been meant by a key that does not exist: the table it is in, one like it, or any.
fn hint(key: &str, tree: &Map<String, Value>, known: &[&str]) -> String {
    let inside = tree.iter().find_map(|(table, value)| Some((table, path_to(key, value)?)));
    if let Some((table, path)) = inside {
        return format!("it belongs to `{table}`: `{table}.{path}`");
    }
    let near = nearest(key, known.iter().copied());
    if near.is_empty() { format!("there are {}", known.join(", ")) } else { near }
}

/// The dotted path to a key within a table, however deep.
fn path_to(key: &str, value: &Value) -> Option<String> {
    let table = value.as_object()?;
    if table.contains_key(key) {
        return Some(key.to_owned());
    }
    table.iter().find_map(|(name, inner)| Some(format!("{name}.{}", path_to(key, inner)?)))
}

/// As [`overlay`], with the changes in TOML.
///
/// # Errors
///
/// As for [`overlay`], and if the text is not TOML.
pub fn overlay_toml<T: Serialize + DeserializeOwned>(
    base: &T,
    text: &str,
    optional: &[&str],
    place: &str,
) -> Result<T> {
    let changes: Map<String, Value> = toml::from_str(text)
        .map_err(|error| Error::usage(place, "TOML", error.to_string().trim(), ""))?;
    overlay(base, &changes, optional, place)
}

fn object<T: Serialize>(base: &T, place: &str) -> Result<Map<String, Value>> {
    match serde_json::to_value(base) {
        Ok(Value::Object(tree)) => Ok(tree),
        other => Err(Error::usage(place, "keys and values", format!("{other:?}"), "")),
    }
}

fn read<T: DeserializeOwned>(tree: Map<String, Value>, place: &str) -> Result<T> {
    serde_json::from_value(tree.into()).map_err(|error| {
        let message = error.to_string();
        let hint = nearest_in_message(&message);
        Error::usage(place, "a valid value", message, hint)
    })
}
