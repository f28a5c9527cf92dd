//! Reading golden files and comparing numbers.

use std::path::{Path, PathBuf};

use serde_json::Value;

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

pub(crate) fn counts(value: &Value) -> Vec<usize> {
    numbers(value).into_iter().map(|n| n as usize).collect()
}

pub(crate) fn labels(value: &Value) -> Vec<u32> {
    numbers(value).into_iter().map(|n| n as u32).collect()
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

/// Samples of classes about means of their own, `[N, dim]`, in the order of the classes; `key` moves them,
/// by up to `noise` in every direction.
pub(crate) fn clusters(
    sizes: &[usize],
    dim: usize,
    noise: f64,
    key: u64,
) -> (ndarray::Array2<f32>, Vec<u32>) {
    let labels: Vec<u32> = sizes.iter().enumerate().flat_map(|(k, &n)| vec![k as u32; n]).collect();
    let value = |(i, j): (usize, usize)| {
        let mean = unit(1, 1, u64::from(labels[i]) * dim as u64 + j as u64);
        (mean + noise * unit(1, key, (i * dim + j) as u64)) as f32
    };
    (ndarray::Array2::from_shape_fn((labels.len(), dim), value), labels)
}

/// The folder `shared` beside the checkout, where this project's raw material lies; it
/// is not part of the repository. Absent, a test that needs it says so and passes, but
/// fails on CI.
pub(crate) fn shared(part: &str) -> Option<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared").join(part);
    if path.exists() {
        return Some(path);
    }
    assert!(std::env::var_os("CI").is_none(), "{} is missing on CI", path.display());
    eprintln!("skipped: {} is not there", path.display());
    None
}
