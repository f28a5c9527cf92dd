//! Every method of the catalogue over random shapes, against a plain loop in f64.

use std::collections::HashMap;

use ndarray::{Array1, Array2, Axis};
use tailfit::compare::{Comparison, Selection};
use tailfit::features::{DataSet, Features, HeadFile};
use tailfit::head::{Head, HeadKind, Start};
use tailfit::methods;
use tailfit::recipe::{Every, Recipe, Sampler, Sgd, Solver};
use tailfit::rng::{Purpose, Rng};
use tailfit::shots::ShotThresholds;
use tailfit::train::{Options, Trial, train};
use tailfit::{Precision, PrecisionChoice};

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
        let head = Head { weight, bias, normalise_features: false };
        let head = HeadFile::new(head, "fc", HashMap::new());
        let thresholds = ShotThresholds { many_above: 3, few_below: 2 };
        DataSet::new("shape", train, test, validation, Some(head), thresholds).unwrap()
    }
}

fn f64s(features: &tailfit::features::Matrix) -> Array2<f64> {
    features.in_memory().unwrap().mapv(f64::from)
}

fn start(recipe: &Recipe, stage_1: &Head, seed: u64) -> Head {
    let (k, dim) = (stage_1.n_classes(), stage_1.dim());
    let mut head = match recipe.start {
        Start::Stage1 | Start::ClassMeans | Start::ClassVectors => stage_1.clone(),
        Start::Zero | Start::Random => Head::zeros(k, dim),
    };
    if recipe.start == Start::Random {
        let mut rng = Rng::new(seed, Purpose::Start, 0);
        let bound = 1.0 / (dim as f64).sqrt();
        head.weight.mapv_inplace(|_| bound * (2.0 * rng.uniform() - 1.0));
        head.bias.mapv_inplace(|_| bound * (2.0 * rng.uniform() - 1.0));
    }
    head
}

/// Rows divided by their norms, and the norms.
fn normalised(x: &Array2<f64>) -> (Array2<f64>, Array1<f64>) {
    let norms = x.map_axis(Axis(1), |row| row.dot(&row).sqrt().max(1e-12));
    (x / &norms.clone().insert_axis(Axis(1)), norms)
}

/// PyTorch's SGD on one array.
fn descend(w: &mut [f64], v: &mut [f64], grad: &[f64], decay: f64, lr: f64, sgd: &Sgd) {
    for ((w, v), grad) in w.iter_mut().zip(v).zip(grad) {
        let grad = grad + decay * *w;
        *v = sgd.momentum * *v + grad;
        *w -= lr * if sgd.nesterov { grad + sgd.momentum * *v } else { *v };
    }
}

/// The recipe, step by step.
fn plain(data: &DataSet, recipe: &Recipe, seed: u64) -> Head {
    let stage_1 = &data.stage_1.as_ref().unwrap().head;
    let Head { mut weight, mut bias, .. } = start(recipe, stage_1, seed);
    let (k, counts, sgd) = (weight.nrows(), &data.counts, &recipe.sgd);
    let cosine = if let HeadKind::Cosine { scale } = recipe.head { Some(scale) } else { None };
    let margin = recipe.head == HeadKind::Margin;
    let rate = match recipe.head {
        HeadKind::Scaled | HeadKind::Margin => Some(0.0),
        HeadKind::ScaledLinear { rate } => Some(rate),
        _ => None,
    };
    if cosine.is_some() {
        bias.fill(0.0);
    }
    let (mut scale, mut shift) = (Array1::<f64>::ones(k), Array1::<f64>::zeros(k));
    let widths = normalised(&weight).1;
    let zeros = |n: usize| vec![0.0; n];
    let (mut vw, mut vb, mut vs, mut vt) = (zeros(weight.len()), zeros(k), zeros(k), zeros(k));
    let mut rows = vec![Vec::new(); k];
    for (row, &label) in data.train.labels.iter().enumerate() {
        rows[label as usize].push(row as u32);
    }
    let views: Vec<Array2<f64>> = match &data.train.views[..] {
        [] => vec![f64s(&data.train.plain)],
        views => views.iter().map(f64s).collect(),
    };
    let views: Vec<Array2<f64>> =
        views.into_iter().map(|x| if cosine.is_some() { normalised(&x).0 } else { x }).collect();
    let project = |weight: &mut Array2<f64>, now: Every| {
        let Some(rule) = recipe.constraint.filter(|rule| rule.every == now) else { return };
        let radius = rule.radius(&stage_1.weight_norms());
        for mut row in weight.rows_mut() {
            let norm = row.dot(&row).sqrt();
            if norm > radius {
                row *= radius / norm;
            }
        }
    };
    for epoch in 0..sgd.epochs {
        let (lr, objective) = (sgd.lr_of(epoch), recipe.cost.objective(epoch, counts));
        let order = recipe.sampler.order(&rows, seed, epoch, sgd.epochs);
        for (number, batch) in order.chunks(sgd.batch_size).enumerate() {
            let first = ((epoch as u64 + 1) << 40) + (number * sgd.batch_size) as u64;
            let objective = objective.clone().drawing(seed, first);
            let picked: Vec<usize> = batch.iter().map(|&row| row as usize).collect();
            let x = views[epoch % views.len()].select(Axis(0), &picked);
            let y: Vec<u32> = picked.iter().map(|&row| data.train.labels[row]).collect();
            let (unit, norms) = normalised(&weight);
            let inner = match cosine {
                Some(s) => x.dot(&unit.t()) * s,
                None => x.dot(&weight.t()) + &bias,
            };
            let z = &inner * &scale + &(&shift * &widths);
            let mut z = z.as_standard_layout().into_owned();
            objective.value_and_grad_f64(z.as_slice_mut().unwrap(), &y);
            let mut g = z;
            let decay = sgd.weight_decay;
            let mut lr = lr;
            if margin {
                let grad = (g.sum_axis(Axis(0)) * &widths).to_vec();
                descend(shift.as_slice_mut().unwrap(), &mut vt, &grad, decay, lr, sgd);
            }
            if let Some(rate) = rate {
                let grad = (&g * &inner).sum_axis(Axis(0)).to_vec();
                g *= &scale;
                descend(scale.as_slice_mut().unwrap(), &mut vs, &grad, decay, lr, sgd);
                lr *= rate;
            }
            let mut grad = g.t().dot(&x).as_standard_layout().into_owned();
            if let Some(s) = cosine {
                // The part of s ∂/∂ŵ that is orthogonal to ŵ, over ‖w‖.
                let along = (&grad * &unit).sum_axis(Axis(1)).insert_axis(Axis(1));
                grad = (grad - &unit * &along) * s / &norms.insert_axis(Axis(1));
            } else {
                let bias_decay = if recipe.decay_bias { decay } else { 0.0 };
                let grad = g.sum_axis(Axis(0)).to_vec();
                descend(bias.as_slice_mut().unwrap(), &mut vb, &grad, bias_decay, lr, sgd);
            }
            let grad: Vec<f64> = grad.iter().copied().collect();
            descend(weight.as_slice_mut().unwrap(), &mut vw, &grad, decay, lr, sgd);
            project(&mut weight, Every::Step);
        }
        project(&mut weight, Every::Epoch);
    }
    let mut head = Head { weight, bias, normalise_features: cosine.is_some() };
    if let Some(s) = cosine {
        head.weight = normalised(&head.weight).0 * s;
    }
    head.weight *= &scale.clone().insert_axis(Axis(1));
    head.bias = &head.bias * &scale + &(&shift * &widths);
    recipe.finish(&mut head, counts);
    head
}

/// Largest difference of two heads, relative to the largest entry.
fn distance(a: &Head, b: &Head) -> f64 {
    let pairs = || a.weight.iter().chain(&a.bias).zip(b.weight.iter().chain(&b.bias));
    let largest = pairs().fold(0.0_f64, |m, (_, b)| m.max(b.abs()));
    pairs().fold(0.0_f64, |m, (a, b)| m.max((a - b).abs())) / largest
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
        for method in methods::all().into_iter().filter(by_steps) {
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
