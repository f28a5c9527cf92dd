//! Reading golden files.

use std::path::Path;

use serde_json::Value;
use tch::{Kind, Tensor};

pub(crate) fn golden(name: &str) -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name);
    serde_json::from_str(&fs_err::read_to_string(path).unwrap()).unwrap()
}

/// All numbers of nested lists, in order.
pub(crate) fn numbers(value: &Value) -> Vec<f64> {
    match value {
        Value::Array(items) => items.iter().flat_map(numbers).collect(),
        other => vec![other.as_f64().unwrap_or_else(|| panic!("{other} is not a number"))],
    }
}

/// The integer hash of the golden files, exact on every platform.
pub(crate) fn unit(key: u64, p: u64, i: u64) -> f64 {
    fn mix(x: u64) -> u64 {
        let x = x.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let x = (x ^ (x >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let x = (x ^ (x >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        x ^ (x >> 31)
    }
    let h = mix(mix(key ^ (p << 32)).wrapping_add(i));
    (h >> 11) as f64 * 2_f64.powi(-53) * 2.0 - 1.0
}

/// A tensor whose number i is `value(unit(key, p, i))`.
pub(crate) fn formula(key: u64, p: u64, shape: &[i64], value: impl Fn(f64) -> f64) -> Tensor {
    let n = shape.iter().product::<i64>();
    let values: Vec<f64> = (0..n as u64).map(|i| value(unit(key, p, i))).collect();
    Tensor::from_slice(&values).view(shape)
}

/// A tensor's numbers in row-major order.
pub(crate) fn values(tensor: &Tensor) -> Vec<f64> {
    let flat = tensor.detach().to_kind(Kind::Double).contiguous().view(-1);
    Vec::<f64>::try_from(flat).unwrap()
}

/// Equal to `tolerance` relative to the largest expected entry.
#[track_caller]
pub(crate) fn close(what: &str, got: &[f64], want: &[f64], tolerance: f64) {
    assert_eq!(got.len(), want.len(), "{what}: number of entries");
    let largest = want.iter().fold(1e-300_f64, |largest, v| largest.max(v.abs()));
    for (index, (a, b)) in got.iter().zip(want).enumerate() {
        assert!((a - b).abs() <= tolerance * largest, "{what}[{index}]: {a} against {b}");
    }
}
