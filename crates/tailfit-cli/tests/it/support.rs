//! Running the program, and writing files for it.

use std::fmt::Write as _;
use std::path::Path;
use std::process::{Command, Output};

/// What the program did.
pub(crate) struct Ran {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// Runs `tailfit` with these words in `folder`.
pub(crate) fn tailfit(folder: &Path, words: &[&str]) -> Ran {
    let Output { status, stdout, stderr } = Command::new(env!("CARGO_BIN_EXE_tailfit"))
        .args(words)
        .current_dir(folder)
        // The width of help.
        .env("COLUMNS", "100")
        .output()
        .unwrap();
    Ran {
        code: status.code().unwrap(),
        stdout: String::from_utf8(stdout).unwrap(),
        stderr: String::from_utf8(stderr).unwrap(),
    }
}

/// A CSV of `per_class[k]` samples of class k with two features each; `seed` moves them.
pub(crate) fn csv(path: &Path, per_class: &[usize], seed: f64) {
    let mut text = "a,b,label\n".to_owned();
    for (class, &n) in per_class.iter().enumerate() {
        for i in 0..n {
            let angle = class as f64 + 0.3 * (seed + i as f64).sin();
            writeln!(text, "{:.6},{:.6},{class}", angle.cos() + seed * 1e-3, angle.sin()).unwrap();
        }
    }
    fs_err::write(path, text).unwrap();
}

/// A safetensors file of f32 tensors (name, shape, values).
pub(crate) fn safetensors(path: &Path, tensors: &[(&str, &[usize], &[f32])]) {
    let (mut header, mut data) = (serde_json::Map::new(), Vec::new());
    for (name, shape, values) in tensors {
        let start = data.len();
        data.extend(values.iter().flat_map(|v| v.to_le_bytes()));
        let entry = serde_json::json!({"dtype": "F32", "shape": shape, "data_offsets": [start, data.len()]});
        header.insert((*name).to_owned(), entry);
    }
    let header = serde_json::to_string(&header).unwrap();
    let bytes = [&(header.len() as u64).to_le_bytes(), header.as_bytes(), &data].concat();
    fs_err::write(path, bytes).unwrap();
}

/// Training, test and head files of a toy set with three classes.
pub(crate) fn toy(folder: &Path) {
    csv(&folder.join("train.csv"), &[30, 9, 3], 1.0);
    csv(&folder.join("test.csv"), &[5, 5, 5], 2.0);
    let weight = [1.0, 0.0, 0.5, 0.8, -0.4, 0.9];
    let tensors: [(&str, &[usize], &[f32]); 2] =
        [("classifier.weight", &[3, 2], &weight), ("classifier.bias", &[3], &[0.3, 0.0, -0.3])];
    safetensors(&folder.join("head.safetensors"), &tensors);
}

/// The toy set's options.
pub(crate) const TOY: [&str; 6] =
    ["--train", "train.csv", "--test", "test.csv", "--head", "head.safetensors"];
