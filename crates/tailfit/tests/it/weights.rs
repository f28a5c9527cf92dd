//! Sample weights, and the optimum in double precision.

use ndarray::{Array1, Array2, Axis};
use serde_json::json;
use tailfit::features::{DataSet, Features};
use tailfit::head::Head;
use tailfit::methods;
use tailfit::recipe::Recipe;
use tailfit::rng::{Purpose, Rng};
use tailfit::shots::ShotThresholds;
use tailfit::train::{Options, Trial, train, train_in_f64};

const K: usize = 4;

/// Samples of overlapping classes, of which class k has about twice those of class k + 1, with
/// weights 0 to 3; every class has a sample of weight 3.
fn samples(n: usize, d: usize) -> (Array2<f32>, Vec<u32>, Vec<f64>) {
    let mut rng = Rng::new(4, Purpose::Start, 0);
    let mut class = |i: usize| if i < K { i } else { (1 + rng.below(15)).ilog2() as usize };
    let labels: Vec<u32> = (0..n).map(|i| (K - 1 - class(i).min(K - 1)) as u32).collect();
    let mut rng = Rng::new(4, Purpose::Start, 1);
    let features = Array2::from_shape_fn((n, d), |(i, j)| {
        let own = if j == labels[i] as usize { 1.0 } else { 0.0 };
        (own + 3.0 * (rng.uniform() - 0.5)) as f32
    });
    let weights = (0..n).map(|i| if i < K { 3.0 } else { rng.below(4) as f64 }).collect();
    (features, labels, weights)
}

fn data(features: Array2<f32>, labels: Vec<u32>, weights: Option<Vec<f64>>) -> DataSet {
    let test = Features::new(features.clone(), labels.clone()).unwrap();
    let mut train = Features::new(features, labels).unwrap();
    if let Some(weights) = weights {
        train = train.with_weights(weights).unwrap();
    }
    DataSet::new("weights", train, test, None, None, ShotThresholds::default()).unwrap()
}

/// The same samples, once weighted and once repeated.
fn both_ways() -> [DataSet; 2] {
    let (features, labels, weights) = samples(200, 6);
    let rows: Vec<usize> =
        (0..labels.len()).flat_map(|i| std::iter::repeat_n(i, weights[i] as usize)).collect();
    let repeated = features.select(Axis(0), &rows);
    let of_rows = rows.iter().map(|&i| labels[i]).collect();
    [data(features, labels, Some(weights)), data(repeated, of_rows, None)]
}

fn recipe(method: &str, changes: &[(&str, serde_json::Value)]) -> Recipe {
    let recipe = methods::find(method).unwrap().recipe;
    let changed =
        |recipe: Recipe, (key, value): &(&str, serde_json::Value)| recipe.with(key, value).unwrap();
    changes.iter().fold(recipe.with("start", &json!("zero")).unwrap(), changed)
}

fn head(data: &DataSet, recipe: &Recipe) -> Head {
    let trial = Trial { recipe: recipe.clone(), seed: 0, stop_after: None };
    train_in_f64(data, &[trial], &Options::default()).unwrap().remove(0).head
}

/// The largest difference of two heads relative to their largest number.
fn difference(a: &Head, b: &Head) -> f64 {
    let numbers = |head: &Head| head.weight.iter().chain(&head.bias).copied().collect::<Vec<f64>>();
    let (a, b) = (numbers(a), numbers(b));
    let size = a.iter().fold(0.0_f64, |size, x| size.max(x.abs()));
    a.iter().zip(&b).fold(0.0, |most, (a, b)| (a - b).abs().max(most)) / size
}

#[test]
fn a_weight_of_two_is_the_sample_twice() {
    let [weighted, repeated] = both_ways();
    let optimum = [("solver", json!("lbfgs")), ("gap", json!(1e-20))];
    let inverse = json!({"power": {"rho": 1.0}});
    for (method, changes) in [
        ("cross-entropy", vec![("decay_bias", json!(false))]),
        ("cross-entropy", vec![("class_weights", inverse.clone())]),
        ("cross-entropy", vec![("class_weights", inverse), ("mean", json!("by-weight"))]),
        ("balanced-softmax", vec![]),
        ("los", vec![("decay_bias", json!(false))]),
    ] {
        for weight_decay in [1e-1, 1e-3, 1e-4] {
            let weight_decay = [("weight_decay", json!(weight_decay))];
            let recipe = recipe(method, &[&optimum[..], &weight_decay, &changes].concat());
            let off = difference(&head(&weighted, &recipe), &head(&repeated, &recipe));
            assert!(off < 1e-10, "{method} {changes:?} {weight_decay:?}: {off:e}");
        }
    }
    for changes in [&[("solver", json!("ridge")), ("weight_decay", json!(1e-2))][..], &[]] {
        // Of SGD, only steps over all samples at once are the same.
        let whole = [("batch_size", json!(100_000)), ("lr", json!(0.5)), ("epochs", json!(5))];
        let recipe = recipe("cross-entropy", &[&whole, changes].concat());
        let off = difference(&head(&weighted, &recipe), &head(&repeated, &recipe));
        assert!(off < 1e-12, "{changes:?}: {off:e}");
    }
}

/// The gradient, computed here, of what is claimed to be the optimum, with fewer features than
/// samples and with more.
#[test]
fn the_optimum_in_double_precision_has_no_gradient() {
    for (n, d) in [(200, 6), (40, 60)] {
        for (decay, decay_bias) in [(1e-1, true), (1e-3, true), (1e-3, false), (1e-5, false)] {
            let norm = gradient_at_optimum(samples(n, d), decay, decay_bias);
            assert!(norm < 1e-10, "{n} x {d}, {decay}, {decay_bias}: {norm:e}");
        }
    }
}

fn gradient_at_optimum(
    (features, labels, weights): (Array2<f32>, Vec<u32>, Vec<f64>),
    weight_decay: f64,
    decay_bias: bool,
) -> f64 {
    let data = data(features.clone(), labels.clone(), Some(weights.clone()));
    let recipe = recipe(
        "balanced-softmax",
        &[
            ("solver", json!("lbfgs")),
            ("gap", json!(1e-20)),
            ("weight_decay", json!(weight_decay)),
            ("decay_bias", json!(decay_bias)),
        ],
    );
    let head = head(&data, &recipe);
    let prior = Array1::from(data.counts.frequencies());
    let total: f64 = weights.iter().sum();
    let mut of_weight = weight_decay * &head.weight;
    let mut of_bias: Array1<f64> =
        if decay_bias { weight_decay * &head.bias } else { Array1::zeros(K) };
    for ((x, &label), weight) in features.rows().into_iter().zip(&labels).zip(&weights) {
        let x = x.mapv(f64::from);
        let mut p = (head.weight.dot(&x) + &head.bias + prior.ln()).mapv(f64::exp);
        p /= p.sum();
        p[label as usize] -= 1.0;
        p *= weight / total;
        of_bias += &p;
        for (mut row, p) in of_weight.rows_mut().into_iter().zip(&p) {
            row.scaled_add(*p, &x);
        }
    }
    (of_weight.mapv(|g| g * g).sum() + of_bias.mapv(|g| g * g).sum()).sqrt()
}

/// A batch without weight takes no step; samples of weight 0 say nothing to any estimate.
#[test]
fn batches_and_estimates_of_samples_without_weight() {
    let (features, labels, weights) = samples(65, 6);
    let last = weights.iter().take(64).copied().chain([0.0]).collect();
    let one_left = data(features, labels, Some(last));
    let by_weight = [("mean", json!("by-weight")), ("epochs", json!(3)), ("batch_size", json!(1))];
    assert!(head(&one_left, &recipe("cross-entropy", &by_weight)).is_finite());
    // Every fifth sample has no weight, and the covariance is estimated from every twentieth.
    let (features, labels, _) = samples(10_300, 64);
    let weights = (0..labels.len()).map(|i| if i % 5 == 0 { 0.0 } else { 1.0 }).collect();
    let every_fifth = data(features, labels, Some(weights));
    let solver = [("solver", json!("lbfgs")), ("weight_decay", json!(1e-2)), ("gap", json!(1e-2))];
    let recipe = recipe("cross-entropy", &solver);
    let trial = Trial { recipe, seed: 0, stop_after: None };
    let found = train(&every_fifth, &[trial], &Options::default()).unwrap().remove(0);
    assert!(found.head.is_finite() && found.solution.unwrap().gap.unwrap() <= 1e-2);
}

#[test]
fn bad_weights_are_refused() {
    let (features, labels, mut weights) = samples(40, 3);
    let set =
        |weights| Features::new(features.clone(), labels.clone()).unwrap().with_weights(weights);
    let message = |weights: Vec<f64>| set(weights).unwrap_err().to_string();
    assert!(message(vec![1.0]).contains("shape [40]"));
    assert!(message([&[-1.0], &weights[1..]].concat()).contains("row 0"));
    assert!(message([&[f64::NAN], &weights[1..]].concat()).contains("row 0"));
    weights.iter_mut().zip(&labels).filter(|(_, y)| **y == 2).for_each(|(w, _)| *w = 0.0);
    let train = set(weights).unwrap();
    let test = Features::new(features.clone(), labels.clone()).unwrap();
    let none = DataSet::new("none", train, test, None, None, ShotThresholds::default());
    assert!(none.unwrap_err().to_string().contains("class 2"));
}

#[test]
fn what_cannot_be_is_refused() {
    let [weighted, _] = both_ways();
    let refused = |recipe: Recipe| {
        let trial = Trial { recipe, seed: 0, stop_after: None };
        train(&weighted, &[trial], &Options::default()).unwrap_err().to_string()
    };
    assert!(refused(recipe("class-balanced-sampling", &[])).contains("sampler"));
    let small = [("solver", json!("lbfgs")), ("gap", json!(1e-9))];
    assert!(refused(recipe("cross-entropy", &small)).contains("gap"));
}
