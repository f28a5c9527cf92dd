//! `cargo bench`: the trainer, losses and solvers on random features.

#![allow(missing_docs, clippy::unwrap_used, reason = "a benchmark is no interface")]

use std::borrow::Cow;
use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use tailfit::class_counts::ClassCounts;
use tailfit::losses::{AnyLoss, Objective};
use tailfit::precision::{Precision, PrecisionChoice};
use tailfit::recipe::{Recipe, Start};
use tailfit::rng::{Purpose, Rng};
use tailfit::solver::Solver;
use tailfit::train::{Problem, Run, ScoredSet, Trial, View, train};

const N: usize = 2048;
const K: usize = 100;

struct Data {
    features: Vec<f32>,
    labels: Vec<u32>,
    counts: ClassCounts,
}

fn data(dim: usize) -> Data {
    let mut rng = Rng::new(0, Purpose::Start, 0);
    let features = (0..N * dim).map(|_| rng.uniform() as f32 - 0.5).collect();
    let labels: Vec<u32> = (0..N).map(|i| (i % K) as u32).collect();
    let counts = ClassCounts::from_labels(&labels, K).unwrap();
    Data { features, labels, counts }
}

fn problem(data: &Data, dim: usize, scored: bool) -> Problem<'_, f32> {
    let set = ScoredSet {
        features: Cow::Borrowed(&data.features),
        mirror: None,
        labels: &data.labels,
        halves: false,
    };
    Problem {
        views: vec![View::Memory(Cow::Borrowed(&data.features))],
        dim,
        labels: &data.labels,
        counts: &data.counts,
        stage_1: None,
        scored: if scored { vec![set] } else { vec![] },
    }
}

/// One epoch of heads side by side, alone and with scoring.
fn trainer(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("epoch");
    for (dim, heads) in [(64, 1), (64, 16), (512, 1), (512, 16)] {
        let data = data(dim);
        let recipe = Recipe { start: Start::Random, epochs: 1, ..Recipe::PLAIN };
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
                    let problem = problem(&data, dim, scored);
                    let run = Run { progress: &|_| {}, score_every_epoch: true, precision };
                    bench.iter(|| black_box(train(&problem, &trials, &run).unwrap()));
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
        let objective = Objective::<f32>::plain(loss, &counts);
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
    let (dim, data) = (64, data(64));
    for solver in [Solver::Ridge, Solver::Lbfgs] {
        let trial = |weight_decay| {
            let recipe =
                Recipe { start: Start::Zero, solver, gap: 1e-2, weight_decay, ..Recipe::PLAIN };
            Trial { recipe, seed: 0, stop_after: None }
        };
        let trials = [1e-1, 3e-2, 1e-2, 3e-3].map(trial);
        let problem = problem(&data, dim, false);
        let run = Run { progress: &|_| {}, score_every_epoch: false, precision: Precision::F32 };
        group.bench_function(format!("{solver:?}, 4 weight decays"), |bench| {
            bench.iter(|| black_box(train(&problem, &trials, &run).unwrap()));
        });
    }
}

criterion_group!(benches, trainer, losses, solvers);
criterion_main!(benches);
