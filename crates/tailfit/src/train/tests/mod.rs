//! The training loop against the authors' own, in f64 (`tests/golden/sgd.json`).

use ndarray::{Array1, Array2};
use serde_json::{Value, json};

use super::item::train_in_order;
use super::seen::{Seen, SeenAs};
use super::{Outcome, Problem, Trial};
use crate::class_counts::ClassCounts;
use crate::head::Head;
use crate::recipe::{Recipe, Sgd};
use crate::tests::support::{golden, numbers, unit};
use crate::tests::{problem, unscored};

mod behaviour;
mod known;

const N_CLASSES: usize = 10;
const DIM: usize = 16;

struct Setup {
    features: Vec<f64>,
    labels: Vec<u32>,
    counts: ClassCounts,
    stage_1: Head,
}

fn setup(golden: &Value) -> Setup {
    let key = golden["header"]["key"].as_u64().unwrap();
    let counts: Vec<usize> =
        golden["counts"].as_array().unwrap().iter().map(|n| n.as_u64().unwrap() as usize).collect();
    let labels: Vec<u32> =
        counts.iter().enumerate().flat_map(|(k, &n)| vec![k as u32; n]).collect();
    let d = DIM as u64;
    let feature = |i: u64, j: u64| {
        0.8 * unit(key, 1, u64::from(labels[i as usize]) * d + j) + 0.7 * unit(key, 2, i * d + j)
    };
    let features: Vec<f64> = (0..labels.len() as u64 * d).map(|p| feature(p / d, p % d)).collect();
    assert_eq!(features[..DIM], numbers(&golden["feature_first_row"]));
    let weight = Array2::from_shape_fn((N_CLASSES, DIM), |(k, j)| {
        0.3 * unit(key, 3, (k * DIM + j) as u64) * (1.6 - 0.12 * k as f64)
    });
    let bias = Array1::from_shape_fn(N_CLASSES, |k| 0.1 * unit(key, 4, k as u64));
    assert_eq!(weight.row(0).to_vec(), numbers(&golden["W_start_first_row"]));
    let stage_1 = Head::linear(weight, bias);
    Setup { features, labels, counts: ClassCounts::new(counts).unwrap(), stage_1 }
}

fn recipe(case: &Value, changes: &[(&str, Value)]) -> Recipe {
    let p = &case["params"];
    let mut recipe =
        Recipe { sgd: Sgd { epochs: 3, batch_size: 32, ..Recipe::PLAIN.sgd }, ..Recipe::PLAIN };
    for key in ["lr", "momentum", "weight_decay", "nesterov"] {
        recipe = recipe.with(key, &p[key]).unwrap();
    }
    for (path, value) in changes {
        recipe = recipe.with(path, value).unwrap();
    }
    recipe
}

fn problem_of(setup: &Setup) -> Problem<'_, f64> {
    problem(&setup.features, &setup.labels, &setup.counts, Some(&setup.stage_1))
}

fn run(setup: &Setup, golden: &Value, recipe: Recipe) -> Outcome {
    let orders: Vec<Vec<u32>> = golden["order"]
        .as_array()
        .unwrap()
        .iter()
        .map(|order| numbers(order).into_iter().map(|row| row as u32).collect())
        .collect();
    let trial = Trial { recipe, seed: 0, stop_after: None };
    let problem = problem_of(setup);
    let seen = Seen::new(&problem, SeenAs::of(&trial, &problem));
    let order = |epoch: usize| orders[epoch].clone();
    train_in_order(&seen, &[&trial], &unscored(), false, order).unwrap().remove(0)
}

fn close(what: &str, got: &[f64], want: &[f64]) {
    assert_eq!(got.len(), want.len(), "{what}");
    let largest = want.iter().fold(1e-300_f64, |m, v| m.max(v.abs()));
    for (a, b) in got.iter().zip(want) {
        assert!((a - b).abs() <= 1e-12 * largest, "{what}: {a} against {b}");
    }
}

#[test]
fn every_case_of_the_authors_loops() {
    let golden = golden("sgd.json");
    let mut setup = setup(&golden);
    let by_weight = [
        ("class_weights", json!({"effective-number": {"beta": 0.9999}})),
        ("mean", json!("by-weight")),
    ];
    let ltwb = |thresh: bool| {
        let mut changes = vec![
            ("loss", json!({"name": "bce-on-softmax"})),
            ("class_weights", json!({"effective-number": {"beta": 0.9999}})),
            ("batch_size", json!(40)),
            ("schedule", json!("cosine-before")),
        ];
        if thresh {
            changes.push(("constraint", json!({"threshold": 0.1, "every": "epoch"})));
        }
        changes
    };
    let mut left_out = vec![];
    for case in golden["cases"].as_array().unwrap() {
        let id = case["id"].as_str().unwrap();
        let p = &case["params"];
        let changes = match id {
            "ce" | "ce_wd0" | "ce_nesterov" => vec![],
            _ if id.starts_with("los_") => {
                vec![("loss", json!({"name": "label-over-smoothing", "delta": p["smoothing"]}))]
            }
            "balanced_softmax" => vec![("loss", json!({"name": "balanced-softmax"}))],
            "ldam_linear" => {
                vec![("loss", json!({"name": "ldam", "max_margin": p["max_m"], "scale": 1}))]
            }
            "ldam_linear_s30" => {
                // Their layer's output is multiplied by 30. In terms of W' = 30 W, the same path
                // has 900 times the learning rate and 1/900 of the weight decay.
                let lr = p["lr"].as_f64().unwrap() * 900.0;
                let decay = p["weight_decay"].as_f64().unwrap() / 900.0;
                vec![
                    ("loss", json!({"name": "ldam", "max_margin": p["max_m"], "scale": 30})),
                    ("lr", json!(lr)),
                    ("weight_decay", json!(decay)),
                ]
            }
            "ldam_normed" => vec![
                ("loss", json!({"name": "ldam", "max_margin": p["max_m"], "scale": 30})),
                ("head", json!({"cosine": {"scale": 30}})),
            ],
            "focal_g1" => vec![("loss", json!({"name": "focal", "gamma": p["gamma"]}))],
            "ce_cb_weighted_mean" => by_weight.to_vec(),
            "lws" => vec![("head", json!("scaled"))],
            "ltwb_stage2" | "ltwb_stage2_wd0" => ltwb(true),
            "ltwb_stage2_no_maxnorm" => ltwb(false),
            _ => {
                left_out.push(id.to_owned());
                continue;
            }
        };
        let scaled = id == "ldam_linear_s30";
        if scaled {
            setup.stage_1.weight *= 30.0;
            setup.stage_1.bias *= 30.0;
        }
        let outcome = run(&setup, &golden, recipe(case, &changes));
        close(id, &outcome.train_loss, &numbers(&case["epoch_loss"]));
        let wanted = &case["final"];
        match id {
            "ldam_normed" => {
                // Theirs is stored as D x K, before normalisation; ours is folded.
                let raw = numbers(&wanted["weight"]);
                let mut want =
                    Array2::from_shape_fn((N_CLASSES, DIM), |(k, j)| raw[j * N_CLASSES + k]);
                crate::head::normalise_rows(&mut want);
                want *= 30.0;
                close(id, outcome.head.weight.as_slice().unwrap(), want.as_slice().unwrap());
                assert!(outcome.head.normalise_features);
            }
            "lws" => {
                let scales = numbers(&wanted["c.scales"]);
                let bias: Vec<f64> =
                    setup.stage_1.bias.iter().zip(&scales).map(|(b, c)| b * c).collect();
                close(id, outcome.head.bias.as_slice().unwrap(), &bias);
                let weight =
                    &setup.stage_1.weight * &Array1::from(scales).insert_axis(ndarray::Axis(1));
                close(id, outcome.head.weight.as_slice().unwrap(), weight.as_slice().unwrap());
            }
            _ => {
                let factor = if scaled { 1.0 / 30.0 } else { 1.0 };
                let weight: Vec<f64> = outcome.head.weight.iter().map(|w| w * factor).collect();
                let bias: Vec<f64> = outcome.head.bias.iter().map(|b| b * factor).collect();
                close(id, &weight, &numbers(&wanted["weight"]));
                close(id, &bias, &numbers(&wanted["bias"]));
            }
        }
        if scaled {
            setup.stage_1.weight /= 30.0;
            setup.stage_1.bias /= 30.0;
        }
        if let (Some(radius), true) = (p["radius"].as_f64(), id.starts_with("ltwb")) {
            let norms = setup.stage_1.weight_norms();
            let ours = crate::recipe::MaxNorm::default().radius(&norms);
            close("radius", &[ours], &[radius]);
        }
    }
    // Label-aware smoothing with two learning rates is not a method here.
    assert_eq!(left_out, ["mislas"]);
}
