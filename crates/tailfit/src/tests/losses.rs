//! Every loss against the authors' code, in f64 at 1e-10.

use crate::class_counts::ClassCounts;
use crate::losses::{AnyLoss, BatchLoss, ClassWeights, Mean};
use serde_json::{Value, json};

use super::support::{close, counts, golden, labels, numbers};

/// Losses in the golden file that are not in the registry.
const LEFT_OUT: [&str; 9] = [
    "focal_detached",
    "focal_softmax_weighted",
    "gcl",
    "kd",
    "label_aware_smoothing",
    "lade",
    "lade_regulariser",
    "seesaw",
    "seql",
];

fn objective(case: &Value) -> Option<(Value, ClassWeights, Mean, f64)> {
    let p = &case["params"];
    let beta = || ClassWeights::EffectiveNumber { beta: p["beta"].as_f64().unwrap() };
    let plain = |loss| Some((loss, ClassWeights::Uniform, Mean::ByBatch, 1.0));
    match case["loss"].as_str().unwrap() {
        "ce" => plain(json!({"name": "cross-entropy"})),
        "ce_weighted" => {
            let inverse = p["weights"].is_string();
            let weights = if inverse { ClassWeights::Power { rho: 1.0 } } else { beta() };
            Some((json!({"name": "cross-entropy"}), weights, Mean::ByWeight, 1.0))
        }
        "grw" => {
            let weights = ClassWeights::Power { rho: p["rho"].as_f64().unwrap() };
            Some((json!({"name": "cross-entropy"}), weights, Mean::ByWeight, 1.0))
        }
        "focal_softmax" => plain(json!({"name": "focal", "gamma": p["gamma"]})),
        "cb_softmax" => Some((json!({"name": "cross-entropy"}), beta(), Mean::ByBatch, 1.0)),
        "cb_sigmoid" | "cb_sigmoid_mean_bk" => {
            Some((json!({"name": "sigmoid-cross-entropy"}), beta(), Mean::ByBatch, 1.0))
        }
        "cb_focal" => Some((
            json!({"name": "sigmoid-focal", "gamma": p["gamma"]}),
            beta(),
            Mean::ByBatch,
            1.0,
        )),
        "cb_bce_on_softmax" => {
            Some((json!({"name": "bce-on-softmax"}), beta(), Mean::ByBatch, 1.0))
        }
        "ldam" => {
            let loss = json!({"name": "ldam", "max_margin": p["max_m"], "scale": p["s"]});
            let s = p["s"].as_f64().unwrap();
            if p["beta"].is_number() {
                Some((loss, beta(), Mean::ByWeight, s))
            } else {
                Some((loss, ClassWeights::Uniform, Mean::ByBatch, s))
            }
        }
        "balanced_softmax" => plain(json!({"name": "balanced-softmax"})),
        "logit_adjust" => plain(json!({"name": "balanced-softmax", "tau": p["tau"]})),
        "vs" | "cdt" => {
            let tau = if p["tau"].is_number() { p["tau"].clone() } else { json!(0) };
            let loss = json!({"name": "vector-scaling", "gamma": p["gamma"], "tau": tau});
            if p["beta"].is_number() {
                Some((loss, beta(), Mean::ByWeight, 1.0))
            } else {
                plain(loss)
            }
        }
        "label_smoothing" => {
            plain(json!({"name": "label-over-smoothing", "delta": p["smoothing"]}))
        }
        _ => None,
    }
}

#[test]
fn every_loss_equals_the_authors_code() {
    let golden = golden("losses.json");
    let mut checked = 0;
    for case in golden["cases"].as_array().unwrap() {
        let (id, kind) = (case["id"].as_str().unwrap(), case["loss"].as_str().unwrap());
        let Some((loss, weights, mean, scale)) = objective(case) else {
            assert!(LEFT_OUT.contains(&kind), "{id} is neither covered nor named as left out");
            continue;
        };
        let input = &golden["inputs"][case["input"].as_str().unwrap()];
        let counts = ClassCounts::new(counts(&input["counts"])).unwrap();
        let labels = labels(&input["labels"]);
        // Our LDAM takes logits times the head's scale; their code multiplies inside.
        let mut z: Vec<f64> = numbers(&input["logits"]).into_iter().map(|v| v * scale).collect();
        let loss: AnyLoss = serde_json::from_value(loss).unwrap();

        let value = BatchLoss::new(loss, weights, mean, &counts).value_and_grad(&mut z, &labels);

        // A mean over B·K entries is K times smaller.
        let per_entry = if kind == "cb_sigmoid_mean_bk" { counts.n_classes() as f64 } else { 1.0 };
        let grad: Vec<f64> = z.into_iter().map(|g| g * scale / per_entry).collect();
        let exact = |exact: &str, given: &Value| match &case[exact] {
            Value::Null => given.clone(),
            Value::Object(map) => map["logits"].clone(),
            other => other.clone(),
        };
        // Code that adds an epsilon to the prior's power is matched up to what the epsilon moves.
        let rarest = counts.frequencies().into_iter().fold(1.0, f64::min);
        let tau = case["params"]["tau"].as_f64().unwrap_or(1.0);
        let epsilon = case["params"]["prior_epsilon"].as_f64().unwrap_or(0.0);
        let tolerance = 1e-10 + epsilon / rarest.powf(tau);
        let want = exact("exact_value", &case["value"]);
        close(id, &[value / per_entry], &[want.as_f64().unwrap()], tolerance);
        close(id, &grad, &numbers(&exact("exact_grad", &case["grad"]["logits"])), tolerance);
        checked += 1;
    }
    assert_eq!(checked, 114, "number of golden cases covered");
}
