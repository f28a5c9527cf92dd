//! Solvers against identities, and against the objectives they must minimise.

mod scales;

use crate::class_counts::ClassCounts;
use crate::head::Head;
use crate::losses::{BatchLoss, Draw};
use crate::recipe::Recipe;
use crate::train::{Options, Outcome, Trial, train_on};
use ndarray::{Array1, Array2, Axis};
use serde_json::{Value, json};

use super::problem;
use super::support::unit;

const K: usize = 5;
const D: usize = 7;

struct Data {
    features: Vec<f64>,
    labels: Vec<u32>,
    counts: ClassCounts,
}

fn data() -> Data {
    let sizes = vec![60, 30, 14, 6, 3];
    let labels: Vec<u32> = sizes.iter().enumerate().flat_map(|(k, &n)| vec![k as u32; n]).collect();
    let feature = |i: usize, j: usize| {
        let class = u64::from(labels[i]);
        0.9 * unit(1, 1, class * D as u64 + j as u64) + unit(1, 2, (i * D + j) as u64) + 0.3
    };
    let features = (0..labels.len() * D).map(|p| feature(p / D, p % D)).collect();
    Data { features, labels, counts: ClassCounts::new(sizes).unwrap() }
}

fn recipe(changes: &[(&str, Value)]) -> Recipe {
    let start = Recipe::PLAIN.with("start", &json!("zero")).unwrap();
    changes.iter().fold(start, |recipe, (path, value)| recipe.with(path, value).unwrap())
}

fn solve(data: &Data, recipes: &[Recipe]) -> Vec<Outcome> {
    let problem = problem(&data.features, &data.labels, &data.counts, None);
    let trials: Vec<Trial> = recipes
        .iter()
        .map(|recipe| Trial { recipe: recipe.clone(), seed: 0, stop_after: None })
        .collect();
    train_on(&problem, &trials, &Options::default()).unwrap()
}

fn logits(data: &Data, head: &Head) -> Vec<f64> {
    let row = |i: usize| &data.features[i * D..(i + 1) * D];
    let at = |i: usize, k: usize| {
        row(i).iter().zip(head.weight.row(k)).map(|(x, w)| x * w).sum::<f64>() + head.bias[k]
    };
    (0..data.labels.len() * K).map(|p| at(p / K, p % K)).collect()
}

/// The objective of a recipe at a head, written out.
fn value(data: &Data, recipe: &Recipe, head: &Head) -> f64 {
    let objective = BatchLoss::<f64>::new(
        recipe.cost.loss,
        recipe.cost.class_weights,
        recipe.cost.mean,
        &data.counts,
    );
    let mut z = logits(data, head);
    let mut square = head.weight.iter().map(|w| w * w).sum::<f64>();
    if recipe.decay_bias {
        square += head.bias.iter().map(|b| b * b).sum::<f64>();
    }
    objective.value_and_grad(&mut z, &data.labels, Draw::default())
        + 0.5 * recipe.sgd.weight_decay * square
}

fn close(got: &Array2<f64>, want: &Array2<f64>, tolerance: f64) {
    let largest = want.iter().fold(0.0_f64, |m, w| m.max(w.abs()));
    for (a, b) in got.iter().zip(want) {
        assert!((a - b).abs() <= tolerance * largest, "{a} against {b}");
    }
}

/// A gap holds: no tighter solution lies lower than it allows.
#[test]
fn the_certified_gap_holds() {
    let data = data();
    let losses = [
        json!({"name": "cross-entropy"}),
        json!({"name": "balanced-softmax"}),
        json!({"name": "label-over-smoothing", "delta": 0.9}),
        json!({"name": "vector-scaling", "gamma": 0.4, "tau": 1.0}),
        json!({"name": "vector-scaling", "gamma": 1.0, "tau": 0.0}),
        json!({"name": "vector-scaling", "gamma": 8.0, "tau": 1.0}),
        json!({"name": "ldam", "max_margin": 0.7, "scale": 3.0}),
    ];
    let weights = [json!("uniform"), json!({"power": {"rho": 1.0}})];
    for loss in &losses {
        for (weights, decay_bias) in
            weights.iter().zip([true, false]).chain(weights.iter().zip([false, true]))
        {
            for decay in [0.1, 2e-3] {
                let with = |gap: f64| {
                    recipe(&[
                        ("solver", json!("lbfgs")),
                        ("loss", loss.clone()),
                        ("class_weights", weights.clone()),
                        ("weight_decay", json!(decay)),
                        ("decay_bias", json!(decay_bias)),
                        ("gap", json!(gap)),
                    ])
                };
                let [tight, loose] = [with(1e-6), with(0.1)];
                let outcomes = solve(&data, &[tight.clone(), loose]);
                let [best, found] = [0, 1].map(|i: usize| value(&data, &tight, &outcomes[i].head));
                let gap = |i: usize| outcomes[i].solution.unwrap().gap.unwrap();
                for outcome in &outcomes {
                    let mut square = outcome.head.weight.iter().map(|w| w * w).sum::<f64>();
                    if decay_bias {
                        square += outcome.head.bias.iter().map(|b| b * b).sum::<f64>();
                    }
                    let said = outcome.train_loss[0] + 0.5 * decay * square;
                    let found = value(&data, &tight, &outcome.head);
                    assert!((said - found).abs() < 1e-9 * found, "{said} {found}");
                }
                assert!(gap(0) <= 1e-6 && gap(1) <= 0.1, "{} {}", gap(0), gap(1));
                assert!(best <= found + 1e-9 * found);
                // The gap is relative to the excess over the targets' entropy, so F bounds it.
                assert!(found - best <= gap(1) * found + 1e-12, "{found} {best} {}", gap(1));
            }
        }
    }
}

#[test]
fn every_tau_of_balanced_softmax_has_the_weights_of_cross_entropy_where_the_bias_is_free() {
    let data = data();
    let with = |loss: Value| {
        let solver = ("solver", json!("lbfgs"));
        recipe(&[
            solver,
            ("loss", loss),
            ("weight_decay", json!(1e-2)),
            ("decay_bias", json!(false)),
        ])
    };
    let losses = [
        json!({"name": "cross-entropy"}),
        json!({"name": "balanced-softmax", "tau": 1.0}),
        json!({"name": "balanced-softmax", "tau": 1.7}),
    ];
    let outcomes = solve(&data, &losses.map(with));
    for (outcome, tau) in outcomes.iter().zip([0.0, 1.0, 1.7]) {
        assert_eq!(outcome.head.weight, outcomes[0].head.weight);
        // A free bias is the one whose sum is 0.
        let mut want = &outcomes[0].head.bias - tau * Array1::from(data.counts.frequencies()).ln();
        want -= want.mean().unwrap();
        for (got, want) in outcome.head.bias.iter().zip(&want) {
            assert!((got - want).abs() < 1e-12, "{got} {want}");
        }
    }
}

/// Σ L = Σ log Σ exp − (1 − δ) ⟨W, C⟩ − (δ / K) ⟨Σₖ Wₖ, s⟩, with class sums C and their sum s.
#[test]
fn label_over_smoothing_sees_its_targets_through_class_sums_alone() {
    let data = data();
    let weight = Array2::from_shape_fn((K, D), |(k, j)| unit(3, 1, (k * D + j) as u64));
    let head = Head::linear(weight, ndarray::Array1::zeros(K));
    let mut class_sums = Array2::<f64>::zeros((K, D));
    for (i, &label) in data.labels.iter().enumerate() {
        for j in 0..D {
            class_sums[(label as usize, j)] += data.features[i * D + j];
        }
    }
    let z = logits(&data, &head);
    let log_sums: f64 = z.chunks(K).map(|row| row.iter().map(|z| z.exp()).sum::<f64>().ln()).sum();
    for delta in [0.0, 0.5, 0.98] {
        let loss = json!({"name": "label-over-smoothing", "delta": delta});
        let got = value(&data, &recipe(&[("loss", loss)]), &head) * data.labels.len() as f64;
        let own = (&head.weight * &class_sums).sum();
        let all = head.weight.sum_axis(Axis(0)).dot(&class_sums.sum_axis(Axis(0)));
        let want = log_sums - (1.0 - delta) * own - delta / K as f64 * all;
        assert!((got - want).abs() < 1e-10 * want.abs(), "{got} against {want}");
    }
}

/// As δ → 1, W / (1 − δ) becomes K times ridge regression with weight decay K λ, centred.
#[test]
fn label_over_smoothing_becomes_ridge_regression() {
    let data = data();
    let ridge = recipe(&[("solver", json!("ridge")), ("weight_decay", json!(0.05 * K as f64))]);
    let delta = 0.9999;
    let smooth = recipe(&[
        ("solver", json!("lbfgs")),
        ("gap", json!(1e-6)),
        ("loss", json!({"name": "label-over-smoothing", "delta": delta})),
        ("weight_decay", json!(0.05)),
        ("decay_bias", json!(false)),
    ]);
    let outcomes = solve(&data, &[ridge, smooth]);
    let [ridge, smooth] = [0, 1].map(|i: usize| {
        let weight = &outcomes[i].head.weight;
        weight - &weight.mean_axis(Axis(0)).unwrap()
    });
    close(&(smooth / (1.0 - delta)), &(ridge * K as f64), 2e-3);
}

/// The gradient vanishes at the ridge head, weighted or not.
#[test]
fn ridge_solves_its_normal_equations() {
    let data = data();
    for weights in [json!("uniform"), json!({"power": {"rho": 1.0}})] {
        let recipe = recipe(&[
            ("solver", json!("ridge")),
            ("weight_decay", json!(1e-2)),
            ("class_weights", weights),
        ]);
        let weights = recipe.cost.class_weights.weights(&data.counts);
        let outcome = solve(&data, std::slice::from_ref(&recipe)).remove(0);
        let z = logits(&data, &outcome.head);
        let total: f64 = data.labels.iter().map(|&y| weights[y as usize]).sum();
        let mut grad = &outcome.head.weight * recipe.sgd.weight_decay;
        let (mut bias_grad, mut loss) = ([0.0; K], 0.0);
        for (i, &label) in data.labels.iter().enumerate() {
            for k in 0..K {
                let error = z[i * K + k] - f64::from(u8::from(label as usize == k));
                let error_weight = weights[label as usize] / total;
                loss += 0.5 * error_weight * error * error;
                bias_grad[k] += error_weight * error;
                for j in 0..D {
                    grad[(k, j)] += error_weight * error * data.features[i * D + j];
                }
            }
        }
        assert!(grad.iter().chain(&bias_grad).all(|g| g.abs() < 1e-12), "{grad} {bias_grad:?}");
        assert!((outcome.train_loss[0] - loss).abs() < 1e-12);
    }
}

#[test]
fn a_balanced_ridge_bias_makes_the_mean_output_over_class_means_equal() {
    let data = data();
    let recipe = recipe(&[("solver", json!("ridge")), ("ridge_bias", json!("balanced"))]);
    let outcome = solve(&data, &[recipe]).remove(0);
    let z = logits(&data, &outcome.head);
    for k in 0..K {
        let mut mean = 0.0;
        for (i, &label) in data.labels.iter().enumerate() {
            mean += z[i * K + k] / data.counts.as_slice()[label as usize] as f64 / K as f64;
        }
        assert!((mean - 1.0 / K as f64).abs() < 1e-12);
    }
}

/// A solution does not depend on what else is solved, on a rung or off it.
#[test]
fn a_solution_does_not_depend_on_its_company() {
    let data = data();
    let with = |decay: f64| recipe(&[("solver", json!("lbfgs")), ("weight_decay", json!(decay))]);
    let decays = [3.0, 2.0, 0.3, 0.1, 0.02, 0.015, 1e-3, 0.0];
    let together = solve(&data, &decays.map(with));
    for (decay, among) in decays.iter().zip(&together) {
        let alone = &solve(&data, &[with(*decay)])[0];
        assert_eq!((&alone.head, alone.solution), (&among.head, among.solution), "{decay}");
    }
    // Passes on the way down are counted. The way to 0 leads through 0.1 and 1e-3, not the others.
    let passes = [3, 6, 7].map(|i| together[i].solution.unwrap().passes);
    assert!(passes[0] > 0 && passes.is_sorted(), "{passes:?}");
}
