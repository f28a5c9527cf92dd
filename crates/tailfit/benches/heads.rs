//! `cargo bench`: the trainer, losses and solvers on random features.

#![allow(missing_docs, clippy::unwrap_used, reason = "a benchmark is no interface")]

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use ndarray::Array2;
use tailfit::class_counts::ClassCounts;
use tailfit::features::{DataSet, Features};
use tailfit::head::Start;
use tailfit::losses::{AnyLoss, Objective};
use tailfit::recipe::{Recipe, Sgd, Solver};
use tailfit::rng::{Purpose, Rng};
use tailfit::shots::ShotThresholds;
use tailfit::train::{Options, Trial, train};
use tailfit::{Precision, PrecisionChoice};

const N: usize = 2048;
const K: usize = 100;

/// Random features; the test set is the training set, or one sample of it.
fn data(dim: usize, scored: bool) -> DataSet {
    let mut rng = Rng::new(0, Purpose::Start, 0);
    let features = Array2::from_shape_simple_fn((N, dim), || rng.uniform() as f32 - 0.5);
    let labels: Vec<u32> = (0..N).map(|i| (i % K) as u32).collect();
    let n = if scored { N } else { 1 };
    let test = features.slice(ndarray::s![..n, ..]).to_owned();
    let test = Features::new(test, labels[..n].to_vec()).unwrap();
    let train = Features::new(features, labels).unwrap();
    DataSet::new("random", train, test, None, None, ShotThresholds::default()).unwrap()
}

/// One epoch of heads side by side, alone and with scoring.
fn trainer(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("epoch");
    for (dim, heads) in [(64, 1), (64, 16), (512, 1), (512, 16)] {
        let recipe = Recipe {
            start: Start::Random,
            sgd: Sgd { epochs: 1, ..Recipe::PLAIN.sgd },
            ..Recipe::PLAIN
        };
        let trials = vec![Trial { recipe, seed: 0, stop_after: None }; heads];
        // Two products of a multiply and an add each.
        group.throughput(Throughput::Elements((4 * N * dim * K * heads) as u64));
        for precision in [Precision::F32, Precision::Bf16] {
            if PrecisionChoice::Fixed(precision).resolve().is_err() {
                continue;
            }
            for scored in [false, true] {
                let name = format!("{precision:?}{}", if scored { " scored" } else { "" });
                let shape = format!("D {dim}, {heads} heads");
                group.bench_function(BenchmarkId::new(name, shape), |bench| {
                    let data = data(dim, scored);
                    let options = Options { precision, ..Options::default() };
                    bench.iter(|| black_box(train(&data, &trials, &options).unwrap()));
                });
            }
        }
    }
}

/// Value and gradient of a batch of 64, every loss.
fn losses(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("loss");
    let counts = ClassCounts::new((0..K).map(|k| 1 + 500 / (k + 1)).collect()).unwrap();
    let labels: Vec<u32> = (0..64).collect();
    let mut rng = Rng::new(1, Purpose::Start, 0);
    let logits: Vec<f32> =
        (0..labels.len() * K).map(|_| 8.0 * (rng.uniform() as f32 - 0.5)).collect();
    group.throughput(Throughput::Elements(labels.len() as u64));
    for loss in AnyLoss::all() {
        let objective = Objective::plain(loss, &counts);
        group.bench_function(loss.name(), |bench| {
            let mut z = logits.clone();
            bench.iter(|| {
                z.copy_from_slice(&logits);
                black_box(objective.value_and_grad(&mut z, &labels))
            });
        });
    }
}

/// A path of weight decays to its end.
fn solvers(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("solver");
    group.sample_size(10);
    let data = data(64, false);
    for solver in [Solver::Ridge, Solver::Lbfgs] {
        let trial = |weight_decay| {
            let recipe = Recipe {
                start: Start::Zero,
                solver,
                gap: 1e-2,
                sgd: Sgd { weight_decay, ..Recipe::PLAIN.sgd },
                ..Recipe::PLAIN
            };
            Trial { recipe, seed: 0, stop_after: None }
        };
        let trials = [1e-1, 3e-2, 1e-2, 3e-3].map(trial);
        let options = Options { score_every_epoch: false, ..Options::default() };
        group.bench_function(format!("{solver:?}, 4 weight decays"), |bench| {
            bench.iter(|| black_box(train(&data, &trials, &options).unwrap()));
        });
    }
}

criterion_group!(benches, trainer, losses, solvers);
criterion_main!(benches);
