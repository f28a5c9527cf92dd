//! `cargo xtask large`: training from features left in their file, on the shapes of ImageNet-LT and
//! iNaturalist, and the table of it for the docs. The features are synthetic: times, not scores.

use std::fmt::Write as _;
use std::io::{BufWriter, Write as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use ndarray::Array2;
use tailfit::features::{DataSet, Features, Matrix, Storage};
use tailfit::files::safetensors::Layout;
use tailfit::head::Start;
use tailfit::recipe::{Recipe, Sgd};
use tailfit::shots::ShotThresholds;
use tailfit::train::{Options, Trial, train};
use tailfit::{Precision, PrecisionChoice, instruction_set};

use crate::docs;
use crate::peak::peak;

const FOLDER: &str = "target/large";

struct Shape {
    name: &'static str,
    n: usize,
    dim: usize,
    k: usize,
    heads: usize,
}

const SHAPES: [Shape; 2] = [
    Shape { name: "ImageNet-LT", n: 115_846, dim: 2048, k: 1000, heads: 16 },
    Shape { name: "iNaturalist", n: 437_513, dim: 2048, k: 8142, heads: 2 },
];

pub(crate) fn run() -> Result<()> {
    let threads = std::thread::available_parallelism().map_or(0, usize::from);
    let mut text = format!(
        "\n{threads} threads, {}. One epoch of cross-entropy, batches of 256, features left in their file as f16; \
         f32 peak: multiply-adds in registers, the mean of one measurement just before and one just after.\n\n\
         | shape | N × D, K | access | precision | heads | s per head | GFLOP/s | f32 peak | share of f32 peak |\n\
         |:--|:--|:--|:--|--:|--:|--:|--:|--:|\n",
        instruction_set()
    );
    for shape in &SHAPES {
        let path = make_file(shape)?;
        for mmap in [false, true] {
            eprintln!("{}: opening", shape.name);
            let features = Features::open(&path, None, Storage { memory: 0, mmap })?;
            for precision in [Precision::F32, Precision::Bf16] {
                // Mapping is compared once; the long runs are of what is the default.
                let skipped = mmap && (precision == Precision::F32 || shape.k > 1000);
                if skipped || PrecisionChoice::Fixed(precision).resolve().is_err() {
                    continue;
                }
                let row = measure(shape, &features, if mmap { "mmap" } else { "file" }, precision)?;
                eprint!("{row}");
                text += &row;
            }
        }
    }
    docs::put("docs/performance.md", "large", &text)
}

fn measure(shape: &Shape, features: &Features, held: &str, precision: Precision) -> Result<String> {
    let Shape { name, n, dim, k, heads } = *shape;
    ensure!(matches!(features.plain, Matrix::File(_)), "the features were not left in their file");
    // One sample to score, which costs nothing beside an epoch.
    let test = Features::new(Array2::zeros((1, dim)), vec![0])?;
    let mut features = features.clone();
    features.class_names = Some((0..k).map(|class| class.to_string()).collect());
    let data = DataSet::new(name, features, test, None, None, ShotThresholds::default())?;
    let recipe = Recipe {
        start: Start::Random,
        sgd: Sgd { batch_size: 256, lr: 0.01, ..Recipe::PLAIN.sgd },
        ..Recipe::PLAIN
    };
    let trials = vec![Trial { recipe, seed: 0, stop_after: Some(1) }; heads];
    let options = Options { score_every_epoch: false, precision, ..Options::default() };
    let peak = || peak(Duration::from_millis(500));
    let before = peak();
    let start = Instant::now();
    let outcomes = train(&data, &trials, &options)?;
    let seconds = start.elapsed().as_secs_f64();
    let peak = f64::midpoint(before, peak());
    ensure!(outcomes[0].train_loss[0].is_finite(), "the loss is not finite");
    let speed = 4.0 * (n * dim) as f64 * k as f64 * heads as f64 / seconds / 1e9;
    let mut row = String::new();
    writeln!(
        row,
        "| {name} | {n} × {dim}, {k} | {held} | {} | {heads} | {:.1} | {speed:.0} | {peak:.0} | {:.0} % |",
        if precision == Precision::F32 { "f32" } else { "bf16" },
        seconds / heads as f64,
        100.0 * speed / peak
    )?;
    Ok(row)
}

/// A file of f16 features about the means of their classes, classes by a power law.
fn make_file(shape: &Shape) -> Result<PathBuf> {
    let path = Path::new(FOLDER).join(format!("{}.safetensors", shape.name));
    if path.exists() {
        return Ok(path);
    }
    eprintln!("{}: writing {}", shape.name, path.display());
    fs_err::create_dir_all(FOLDER)?;
    let (n, dim, k) = (shape.n, shape.dim, shape.k);
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    // Knuth's linear congruential generator, top bits: between 0 and 1.
    let mut uniform = || {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 40) as f32 / (1 << 24) as f32
    };
    let label = |row: usize, uniform: &mut dyn FnMut() -> f32| {
        if row < k { row } else { ((uniform().powi(3) * k as f32) as usize).min(k - 1) }
    };
    let labels: Vec<u32> = (0..n).map(|row| label(row, &mut uniform) as u32).collect();
    let mut layout = Layout::default();
    layout.add("features", "F16", 2, &[n, dim]);
    layout.add("labels", "U32", 4, &[n]);
    let unfinished = path.with_extension("tmp");
    let mut out = BufWriter::new(fs_err::File::create(&unfinished)?);
    out.write_all(&layout.header())?;
    let mut row = Vec::with_capacity(2 * dim);
    for &label in &labels {
        row.clear();
        for j in 0..dim {
            let mean = u8::from((label as usize * 31 + j * 17).is_multiple_of(64));
            let value = half::f16::from_f32(uniform() + f32::from(mean));
            row.extend(value.to_le_bytes());
        }
        out.write_all(&row)?;
    }
    for label in &labels {
        out.write_all(&label.to_le_bytes())?;
    }
    out.into_inner().context("cannot finish writing the file")?;
    fs_err::rename(unfinished, &path)?;
    Ok(path)
}
