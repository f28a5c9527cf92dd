//! Every method of the catalogue over random shapes, against a plain loop in f64.

use std::collections::HashMap;

use ndarray::{Array1, Array2};
use tailfit::compare::{Comparison, Selection};
use tailfit::features::{DataSet, Features, HeadFile};
use tailfit::head::{Gate, Head, HeadKind, Start};
use tailfit::methods;
use tailfit::metrics::{EvaluationSet, evaluate};
use tailfit::recipe::{Recipe, Sampler, Sgd, Solver};
use tailfit::rng::{Purpose, Rng};
use tailfit::shots::ShotThresholds;
use tailfit::train::{Options, Trial, train};
use tailfit::{Precision, PrecisionChoice};

use crate::plain::plain;

/// A shape nobody planned for.
struct Shape {
    n: usize,
    dim: usize,
    k: usize,
    batch: usize,
    views: usize,
    mirror: bool,
    validation: bool,
}

impl Shape {
    fn draw(rng: &mut Rng, round: usize) -> Self {
        let k = [2, 3, 10, 17, 50, 77, 120][rng.below(7)];
        // The last rounds are what broke once: stacks of unequal width, one feature, wide features.
        let dim = match round {
            0 => 1,
            1 => 384,
            2 => 2048,
            _ => 1 + rng.below(130),
        };
        Self {
            n: k + rng.below(2 * k + 20),
            dim,
            k: if round == 1 {
                77
            } else if round == 2 {
                10
            } else {
                k
            },
            batch: 1 + rng.below(40),
            views: rng.below(3),
            mirror: rng.below(2) == 0,
            validation: rng.below(2) == 0,
        }
    }

    fn data(&self, rng: &mut Rng) -> DataSet {
        let &Self { n, dim, k, .. } = self;
        let n = n.max(k);
        let matrix = |n: usize, rng: &mut Rng| {
            Array2::from_shape_simple_fn((n, dim), || rng.uniform() as f32 - 0.4)
        };
        let labels = |n: usize, rng: &mut Rng| -> Vec<u32> {
            let mut label = |i: usize| {
                let below = 1 + rng.below(k);
                if i < k { i as u32 } else { rng.below(below) as u32 }
            };
            (0..n).map(&mut label).collect()
        };
        let train = Features::new(matrix(n, rng), labels(n, rng)).unwrap();
        let views = (0..self.views).map(|_| matrix(n, rng)).collect();
        let train = train.with_views(views).unwrap();
        let scored = |n: usize, rng: &mut Rng| {
            let classes = (0..n).map(|_| rng.below(k) as u32).collect();
            let set = Features::new(matrix(n, rng), classes).unwrap();
            if self.mirror { set.with_mirror(matrix(n, rng)).unwrap() } else { set }
        };
        let n_test = 1 + rng.below(30);
        let test = scored(n_test, rng);
        let validation = self.validation.then(|| scored(5, rng));
        let weight = Array2::from_shape_simple_fn((k, dim), || rng.uniform() - 0.5);
        let bias = Array1::from_shape_simple_fn(k, || 0.2 * rng.uniform());
        let head = Head::linear(weight, bias);
        let head = HeadFile::new(head, "fc", HashMap::new());
        let thresholds = ShotThresholds { many_above: 3, few_below: 2 };
        DataSet::new("shape", train, test, validation, Some(head), thresholds).unwrap()
    }
}

/// Largest difference of two heads, relative to the largest entry.
fn distance(a: &Head, b: &Head) -> f64 {
    let off = |a: &mut dyn Iterator<Item = &f64>, b: &mut dyn Iterator<Item = &f64>| {
        let (off, largest) = a.zip(b).fold((0.0_f64, 0.0_f64), |(off, largest), (a, b)| {
            (off.max((a - b).abs()), largest.max(b.abs()))
        });
        off / largest
    };
    let linear = off(&mut a.weight.iter().chain(&a.bias), &mut b.weight.iter().chain(&b.bias));
    let (Some(a), Some(b)) = (&a.gate, &b.gate) else {
        assert_eq!(a.gate, b.gate);
        return linear;
    };
    let parts = |gate: &Gate| {
        [gate.weight.to_vec(), vec![gate.bias], gate.scale.to_vec(), gate.shift.to_vec()].concat()
    };
    linear.max(off(&mut parts(a).iter(), &mut parts(b).iter()))
}

/// Rates small enough that rounding stays rounding, in as many trials as make unequal stacks.
fn trials(recipe: &Recipe, batch: usize, n: usize) -> Vec<Trial> {
    let trial = |i: usize| {
        let lr = recipe.sgd.lr.min(0.02) * (1.0 + i as f64 / n as f64);
        let epochs = recipe.sgd.epochs.min(3);
        let sgd = Sgd { lr, epochs, batch_size: batch, ..recipe.sgd.clone() };
        Trial { recipe: Recipe { sgd, ..recipe.clone() }, seed: 5, stop_after: None }
    };
    (0..n).map(trial).collect()
}

#[test]
fn every_method_equals_the_plain_loop_on_any_shape() {
    let mut rng = Rng::new(11, Purpose::Start, 1);
    let halves = PrecisionChoice::Fixed(Precision::Bf16).resolve().is_ok();
    for round in 0..10 {
        let shape = Shape::draw(&mut rng, round);
        let data = shape.data(&mut rng);
        // Solvers, class means and the learned sampler have tests of their own.
        let by_steps = |method: &methods::Method| {
            method.recipe.solver == Solver::Sgd
                && method.recipe.start != Start::ClassMeans
                && method.recipe.sampler != Sampler::Learned
        };
        let on_sphere = Recipe { head: HeadKind::Normalised, ..Recipe::PLAIN };
        let on_sphere = methods::Method::new("cross-entropy on the sphere", "", on_sphere, []);
        for method in methods::all().into_iter().filter(by_steps).chain([on_sphere]) {
            let n = 1 + rng.below(40);
            let trials = trials(&method.recipe, shape.batch, n);
            for (precision, tolerance) in [(Precision::F32, 1e-4), (Precision::Bf16, 0.03)] {
                // A cosine of few features is all but a sign, which rounding can turn.
                let sign = shape.dim < 4 && matches!(method.recipe.head, HeadKind::Cosine { .. });
                if precision == Precision::Bf16 && (!halves || sign) {
                    continue;
                }
                let options = Options { precision, ..Options::default() };
                let outcomes = train(&data, &trials, &options).unwrap();
                assert_eq!(outcomes.len(), n);
                for at in [0, n / 2, n - 1] {
                    let off = distance(&outcomes[at].head, &plain(&data, &trials[at].recipe, 5));
                    let Shape { dim, k, batch, .. } = shape;
                    assert!(
                        off < tolerance,
                        "{} {precision:?}, {} x {dim}, K = {k}, batch {batch}, head {at} of {n}: {off}",
                        method.name,
                        data.train.len(),
                    );
                }
            }
        }
    }
}

/// Hits are those of the logits that a head computes, averaged over both views.
#[test]
fn heads_are_scored_by_their_logits() {
    let mut rng = Rng::new(13, Purpose::Start, 1);
    for round in 0..30 {
        let shape = Shape { mirror: round % 3 > 0, ..Shape::draw(&mut rng, round) };
        let data = shape.data(&mut rng);
        let (k, dim) = data.stage_1.as_ref().unwrap().head.weight.dim();
        let mut row = |n: usize| Array1::from_shape_simple_fn(n, || 2.0 * rng.uniform() - 1.0);
        let gate = Gate { weight: row(dim), bias: 0.3, scale: row(k), shift: row(k) };
        let mut head = data.stage_1.as_ref().unwrap().head.clone();
        match round % 4 {
            0 => head.gate = Some(gate),
            1 => head.normalise_features = true,
            2 => (head.normalise_features, head.centre) = (true, Some(row(dim))),
            _ => {
                (head.normalise_features, head.centre) = (true, Some(row(dim)));
                head.gate = Some(gate);
            }
        }
        let set = EvaluationSet::of(&data.test).unwrap();
        let mut z = head.logits(set.features);
        if let Some(mirror) = set.mirror {
            z = (z + head.logits(mirror)) / 2.0;
        }
        let right = z.rows().into_iter().zip(set.labels).filter(|(z, label)| {
            let own = z[**label as usize];
            z.iter().all(|&other| other <= own)
        });
        let percent = 100.0 * right.count() as f64 / set.labels.len() as f64;
        let evaluation = evaluate(&head, &set, &data.counts, data.thresholds);
        let found = evaluation.accuracy.overall_percent;
        assert!((found - percent).abs() < 1e-9, "round {round}: {found} against {percent}");
        assert_eq!(evaluation.weight_norms.is_some(), head.is_linear());
    }
}

/// The whole way, with every rule of selection, on the smallest sets there are.
#[test]
fn every_method_is_compared_on_any_shape() {
    let mut rng = Rng::new(12, Purpose::Start, 1);
    for round in 0..3 {
        let shape = Shape { validation: true, ..Shape::draw(&mut rng, round) };
        let data = shape.data(&mut rng);
        for selection in Selection::ALL {
            // Five folds take five times as long.
            let every = if selection == Selection::CrossValidated { 7 } else { 1 };
            for mut method in methods::all().into_iter().step_by(every) {
                method.recipe.sgd.epochs = method.recipe.sgd.epochs.min(1);
                method.recipe.sgd.batch_size = shape.batch;
                let comparison = Comparison::new(&data, selection, vec![0]).unwrap();
                let result = comparison.run(&method, &|_| {}).unwrap();
                assert_eq!(result.records[0].evaluation.n_samples, data.test.len());
            }
        }
    }
}
