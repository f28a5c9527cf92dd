//! Features left in their file give what features in memory give.

use std::path::Path;

use half::{bf16, f16};
use serde_json::json;
use tailfit::compare::DataRecord;
use tailfit::features::{DataSet, Features, Matrix, Storage, shared_rows};
use tailfit::methods;
use tailfit::metrics::EvaluationSet;
use tailfit::recipe::{Recipe, Sgd};
use tailfit::shots::ShotThresholds;
use tailfit::train::{Options, Outcome, Trial, train, train_stage_1};

use crate::support::unit;

const K: usize = 4;
const D: usize = 11;
const SIZES: [usize; K] = [700, 250, 60, 13];
const N: usize = 1023;

/// On file, read as needed, and mapped.
const FILE: Storage = Storage { memory: 0, mmap: false };
const MAP: Storage = Storage { memory: 0, mmap: true };

const TYPES: [&str; 4] = ["F16", "BF16", "F32", "F64"];

fn encode(dtype: &str, value: f64) -> Vec<u8> {
    match dtype {
        "F16" => f16::from_f64(value).to_le_bytes().to_vec(),
        "BF16" => bf16::from_f64(value).to_le_bytes().to_vec(),
        "F32" => (value as f32).to_le_bytes().to_vec(),
        _ => value.to_le_bytes().to_vec(),
    }
}

fn label(row: usize) -> usize {
    (0..K).find(|&k| row < SIZES[..=k].iter().sum()).unwrap_or(0)
}

/// Values of matrix number `p`, about the means of their classes.
fn values(p: u64) -> impl Iterator<Item = f64> {
    let mean = |row: usize, j: usize| unit(7, 1, (label(row) * D + j) as u64);
    (0..N * D).map(move |i| mean(i / D, i % D) + 0.7 * unit(7, 2 + p, i as u64))
}

/// A safetensors file with features, two views and labels.
fn write(path: &Path, dtype: &str) {
    let (mut header, mut data) = (serde_json::Map::new(), Vec::new());
    let mut add = |name: &str, dtype: &str, shape: &[usize], bytes: Vec<u8>| {
        let end = data.len() + bytes.len();
        let entry = json!({"dtype": dtype, "shape": shape, "data_offsets": [data.len(), end]});
        header.insert(name.to_owned(), entry);
        data.extend(bytes);
    };
    // An odd number of bytes first, so that nothing is aligned.
    add("odd", "U8", &[3], vec![0; 3]);
    add("features", dtype, &[N, D], values(0).flat_map(|v| encode(dtype, v)).collect());
    let views = values(1).chain(values(2)).flat_map(|v| encode(dtype, v)).collect();
    add("views", dtype, &[2, N, D], views);
    let labels = (0..N).flat_map(|row| (label(row) as u32).to_le_bytes()).collect();
    add("labels", "U32", &[N], labels);
    let header = serde_json::to_string(&header).unwrap();
    let bytes = [&(header.len() as u64).to_le_bytes(), header.as_bytes(), &data].concat();
    fs_err::write(path, bytes).unwrap();
}

#[test]
fn a_file_holds_what_memory_holds() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("train.safetensors");
    for dtype in TYPES {
        write(&path, dtype);
        let memory = Features::load(&path, None).unwrap();
        for storage in [FILE, MAP] {
            let file = Features::open(&path, None, storage).unwrap();
            assert!(matches!(file.plain, Matrix::File(_)), "{dtype} stays in its file");
            assert!(file.plain.in_memory().is_err() && EvaluationSet::of(&file).is_err());
            assert_eq!(file.sha256().unwrap(), memory.sha256().unwrap());
            assert_eq!(shared_rows(&file, &memory).unwrap().len(), N);
            let held = file.into_memory().unwrap();
            assert_eq!(held.plain.in_memory().unwrap(), memory.plain.in_memory().unwrap());
            for (a, b) in held.views.iter().zip(&memory.views) {
                assert_eq!(a.in_memory().unwrap(), b.in_memory().unwrap());
            }
        }
        // As it was before it was written, to the digits of its type.
        let digits = if dtype == "BF16" { 8e-3 } else { 1e-3 };
        for (got, want) in memory.plain.in_memory().unwrap().iter().zip(values(0)) {
            assert!((f64::from(*got) - want).abs() < digits, "{dtype}: {got} against {want}");
        }
    }
}

#[test]
fn npy_stays_in_its_file_too() {
    let folder = tempfile::tempdir().unwrap();
    let (path, labels) = (folder.path().join("x.npy"), folder.path().join("y.txt"));
    let header = format!("{{'descr': '<f2', 'fortran_order': False, 'shape': ({N}, {D}), }}\n");
    let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
    bytes.extend((header.len() as u16).to_le_bytes());
    bytes.extend(header.as_bytes());
    bytes.extend(values(0).flat_map(|v| encode("F16", v)));
    fs_err::write(&path, bytes).unwrap();
    let lines: Vec<String> = (0..N).map(|row| label(row).to_string()).collect();
    fs_err::write(&labels, lines.join("\n")).unwrap();
    let memory = Features::load(&path, Some(&labels)).unwrap();
    for storage in [FILE, MAP] {
        let file = Features::open(&path, Some(&labels), storage).unwrap();
        assert!(matches!(file.plain, Matrix::File(_)));
        assert_eq!(file.sha256().unwrap(), memory.sha256().unwrap());
    }
}

fn solver(solver: &str) -> Recipe {
    let ridge = Recipe::PLAIN.with("solver", &json!(solver)).unwrap();
    let ridge = ridge.with("start", &json!("zero")).unwrap();
    ridge.with("weight_decay", &json!(1e-3)).unwrap()
}

fn outcomes(train_set: Features, test: &Features) -> Vec<Outcome> {
    let thresholds = ShotThresholds::default();
    let mut data = DataSet::new("file", train_set, test.clone(), None, None, thresholds).unwrap();
    train_stage_1(&mut data).unwrap();
    let mut recipes: Vec<Recipe> = ["los", "cosine", "crt", "balanced-softmax"]
        .map(|name| Recipe {
            sgd: Sgd { epochs: 3, ..methods::find(name).unwrap().recipe.sgd },
            ..methods::find(name).unwrap().recipe
        })
        .to_vec();
    recipes.extend(["lbfgs", "ridge"].map(solver));
    let trials: Vec<Trial> =
        recipes.into_iter().map(|recipe| Trial { recipe, seed: 0, stop_after: None }).collect();
    let run = Options::default();
    train(&data, &trials, &run).unwrap()
}

#[test]
fn training_from_a_file_gives_the_same_bits() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("train.safetensors");
    for dtype in ["F16", "BF16"] {
        write(&path, dtype);
        let memory = Features::load(&path, None).unwrap();
        let wanted = outcomes(memory.clone(), &memory);
        for storage in [FILE, MAP] {
            let file = Features::open(&path, None, storage).unwrap();
            // A test set left in its file is brought to memory.
            let found = outcomes(file.clone(), &file);
            for (found, wanted) in found.iter().zip(&wanted) {
                assert_eq!(found.head, wanted.head);
                assert_eq!(found.train_loss, wanted.train_loss);
                assert_eq!(found.hits, wanted.hits);
            }
        }
    }
}

#[test]
fn a_file_cut_off_under_a_run_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("train.safetensors");
    write(&path, "F16");
    let memory = Features::load(&path, None).unwrap();
    let file = Features::open(&path, None, FILE).unwrap();
    let thresholds = ShotThresholds::default();
    let data = DataSet::new("file", file, memory, None, None, thresholds).unwrap();
    let length = fs_err::metadata(&path).unwrap().len();
    std::fs::OpenOptions::new().write(true).open(&path).unwrap().set_len(length / 2).unwrap();
    let recipes = [Recipe { start: tailfit::head::Start::Zero, ..Recipe::PLAIN }]
        .into_iter()
        .chain(["lbfgs", "ridge"].map(solver));
    let run = Options { score_every_epoch: false, ..Options::default() };
    for recipe in recipes {
        let trial = Trial { recipe, seed: 0, stop_after: None };
        let error = train(&data, &[trial], &run).unwrap_err().to_string();
        assert!(
            error.contains("train.safetensors")
                && (error.contains("as they were when") || error.contains("cut off")),
            "{error}"
        );
    }
    assert!(DataRecord::of(&data).is_err());
}

/// Someone writes to the file between two epochs: other values, or NaN.
#[test]
fn a_file_changed_under_a_run_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("train.safetensors");
    for (storage, value) in [(FILE, 1.5_f32), (FILE, f32::NAN), (MAP, 1.5), (MAP, f32::NAN)] {
        write(&path, "F32");
        let memory = Features::load(&path, None).unwrap();
        let file = Features::open(&path, None, storage).unwrap();
        let thresholds = ShotThresholds::default();
        let data = DataSet::new("file", file, memory, None, None, thresholds).unwrap();
        let change = |_| {
            use std::io::{Seek, SeekFrom, Write};
            let mut file = std::fs::OpenOptions::new().write(true).open(&path).unwrap();
            file.seek(SeekFrom::End(-(4 * (N + 5) as i64))).unwrap();
            file.write_all(&value.to_le_bytes()).unwrap();
        };
        let recipe = Recipe { start: tailfit::head::Start::Zero, ..Recipe::PLAIN };
        let trial = Trial { recipe, seed: 0, stop_after: None };
        let options = Options { progress: &change, ..Options::default() };
        let error = train(&data, &[trial], &options).unwrap_err().to_string();
        assert!(error.contains("leave them alone while they are in use"), "{error}");
    }
}

#[test]
fn what_is_left_in_a_file_must_be_there() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.raw");
    fs_err::write(&path, [0; 24]).unwrap();
    let refused = |at, dtype: &str, shape| {
        Matrix::left_in(&path, at, dtype, shape).err().map(|error| error.to_string())
    };
    assert_eq!((refused(0, "f32", (3, 2)), refused(8, "f16", (4, 2))), (None, None));
    for (at, shape) in [(4, (3, 2)), (u64::MAX, (3, 2)), (0, (usize::MAX, 2)), (0, (7, 1))] {
        let message = refused(at, "f32", shape).unwrap();
        assert!(message.contains("found 24 bytes"), "{message}");
    }
    assert!(refused(0, "i64", (3, 1)).unwrap().contains("f16, bf16, f32 or f64"));
    assert!(Matrix::left_in(&folder.path().join("y.raw"), 0, "f32", (1, 1)).is_err());
}
