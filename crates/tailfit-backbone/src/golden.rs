//! The authors' numbers, for tests beside the code.

#![allow(clippy::unwrap_used, reason = "for tests")]

use serde_json::Value;
use tch::{Kind, Tensor};

/// A golden file of this crate or of the core.
pub(crate) fn golden(name: &str) -> Value {
    let here = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let folders = ["tests/golden", "../tailfit/tests/golden"];
    let path = folders.map(|folder| here.join(folder).join(name)).into_iter().find(|p| p.exists());
    serde_json::from_str(&fs_err::read_to_string(path.unwrap()).unwrap()).unwrap()
}

/// The cases of a file whose `key` is `value`.
pub(crate) fn cases(name: &str, key: &str, value: &str) -> Vec<Value> {
    let cases = golden(name)["cases"].as_array().unwrap().clone();
    cases.into_iter().filter(|case| case[key] == value).collect()
}

/// All numbers of nested lists, in order.
pub(crate) fn numbers(value: &Value) -> Vec<f64> {
    match value {
        Value::Array(items) => items.iter().flat_map(numbers).collect(),
        other => vec![other.as_f64().unwrap()],
    }
}

pub(crate) fn labels(value: &Value) -> Vec<i64> {
    numbers(value).into_iter().map(|n| n as i64).collect()
}

/// A tensor of nested lists.
pub(crate) fn tensor(value: &Value) -> Tensor {
    let (mut shape, mut inner) = (Vec::new(), value);
    while let Value::Array(items) = inner {
        shape.push(items.len() as i64);
        inner = &items[0];
    }
    Tensor::from_slice(&numbers(value)).view(shape.as_slice())
}

/// Equal to `tolerance` relative to the largest expected number.
#[track_caller]
pub(crate) fn close(what: &str, got: &Tensor, want: &[f64], tolerance: f64) {
    let got = got.detach().to_kind(Kind::Double).contiguous().view(-1);
    let got = Vec::<f64>::try_from(got).unwrap();
    assert_eq!(got.len(), want.len(), "{what}: number of entries");
    let largest = want.iter().fold(1e-300_f64, |largest, v| largest.max(v.abs()));
    for (i, (a, b)) in got.iter().zip(want).enumerate() {
        assert!((a - b).abs() <= tolerance * largest, "{what}[{i}]: {a} against {b}");
    }
}
