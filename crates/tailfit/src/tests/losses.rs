//! Every loss against the authors' code, in f64 at 1e-10.

use crate::class_counts::ClassCounts;
use crate::losses::{
    AnyLoss, BalancedSoftmax, BatchLoss, ClassWeights, Draw, Loss, Mean, softmax_equalisation_row,
};
use serde_json::{Value, json};

use super::support::{close, counts, golden, labels, numbers};

/// Not losses of a head: one reproduces a mistake of other code, where the factor of focal loss
/// contains the class weight; the other compares two networks.
const NOT_OF_HEADS: [&str; 2] = ["focal_softmax_weighted", "kd"];

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
        "label_aware_smoothing" => {
            let shape =
                if p["shape"] == "exp" { json!({"power": p["power"]}) } else { p["shape"].clone() };
            plain(
                json!({"name": "label-aware-smoothing", "head": p["head"], "tail": p["tail"], "shape": shape}),
            )
        }
        "focal_detached" => plain(json!({"name": "focal-detached", "gamma": p["gamma"]})),
        "seesaw" => plain(json!({"name": "seesaw", "p": p["p"], "q": p["q"]})),
        "lade" => plain(json!({"name": "lade", "alpha": p["alpha"], "lambda": p["lambda"]})),
        "lade_regulariser" => plain(json!({"name": "lade", "alpha": 1, "lambda": p["lambda"]})),
        // The threshold is given in words.
        "seql" => {
            let threshold = if case["input"] == "k100" { 0.005 } else { 0.05 };
            plain(
                json!({"name": "softmax-equalisation", "gamma": p["gamma"], "threshold": threshold}),
            )
        }
        "gcl" => {
            let gamma = if p["gamma"].is_number() { p["gamma"].clone() } else { json!(0) };
            let (m, s, noise) = (&p["m"], &p["s"], &p["noise_mul"]);
            let loss = json!({"name": "gaussian-cloud", "gamma": gamma, "margin": m, "scale": s, "noise": noise});
            Some((loss, ClassWeights::Uniform, Mean::ByBatch, s.as_f64().unwrap()))
        }
        _ => None,
    }
}

/// The mean of a loss that draws random numbers over a batch, with the file's.
fn drawn(
    loss: AnyLoss,
    case: &Value,
    counts: &ClassCounts,
    mut z: Vec<f64>,
    labels: &[u32],
) -> (f64, Vec<f64>) {
    let (k, factor) = (counts.n_classes(), 1.0 / labels.len() as f64);
    let key = if case["loss"] == "gcl" { "noise" } else { "uniform" };
    let numbers = numbers(&case["extra"][key]);
    let rows = z.chunks_exact_mut(k).zip(numbers.chunks_exact(k)).zip(labels);
    let value = rows.map(|((z, numbers), &label)| match loss {
        AnyLoss::GaussianCloud(loss) => {
            let mut noise = numbers.iter().copied();
            loss.clouded(&loss.per_class(counts), z, label as usize, factor, || {
                noise.next().unwrap()
            })
        }
        AnyLoss::SoftmaxEqualisation(loss) => {
            let rare = loss.per_class(counts).offset;
            let drawn = |k: usize| rare[k] == 0.0 || numbers[k] >= loss.gamma;
            softmax_equalisation_row(z, label as usize, factor, drawn)
        }
        other => panic!("{other:?} draws nothing"),
    });
    (value.sum::<f64>() * factor, z)
}

#[test]
fn every_loss_equals_the_authors_code() {
    let golden = golden("losses.json");
    let mut checked = 0;
    for case in golden["cases"].as_array().unwrap() {
        let (id, kind) = (case["id"].as_str().unwrap(), case["loss"].as_str().unwrap());
        let Some((loss, weights, mean, scale)) = objective(case) else {
            assert!(NOT_OF_HEADS.contains(&kind), "{id} is not covered");
            continue;
        };
        let input = &golden["inputs"][case["input"].as_str().unwrap()];
        let mut counts = counts(&input["counts"]);
        if kind == "seesaw" {
            // Counted so far: one less of each, and none of class 4; both are taken as at least 1.
            for n in &mut counts {
                *n = (*n - 1).max(1);
            }
            counts[4] = 1;
        }
        let counts = ClassCounts::new(counts).unwrap();
        let labels = labels(&input["labels"]);
        // Our LDAM takes logits times the head's scale; their code multiplies inside.
        let mut z: Vec<f64> = numbers(&input["logits"]).into_iter().map(|v| v * scale).collect();
        let loss: AnyLoss = serde_json::from_value(loss).unwrap();

        let (value, mut z) = match kind {
            "seql" | "gcl" => drawn(loss, case, &counts, z, &labels),
            _ => {
                let objective = BatchLoss::new(loss, weights, mean, &counts);
                (objective.value_and_grad(&mut z, &labels, Draw::default()), z)
            }
        };
        let mut value = value;
        if kind == "lade_regulariser" {
            // Theirs is the regulariser alone.
            let mut rest = numbers(&input["logits"]);
            let softmax = AnyLoss::BalancedSoftmax(BalancedSoftmax { tau: 1.0 });
            let softmax = BatchLoss::<f64>::plain(softmax, &counts);
            value -= softmax.value_and_grad(&mut rest, &labels, Draw::default());
            z.iter_mut().zip(rest).for_each(|(g, rest)| *g -= rest);
        }

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
        let of_lade = if kind.starts_with("lade") { 1e-9 } else { 0.0 };
        let epsilon = case["params"]["prior_epsilon"].as_f64().unwrap_or(of_lade);
        let tolerance = 1e-10 + epsilon / rarest.powf(tau);
        let want = exact("exact_value", &case["value"]);
        close(id, &[value / per_entry], &[want.as_f64().unwrap()], tolerance);
        close(id, &grad, &numbers(&exact("exact_grad", &case["grad"]["logits"])), tolerance);
        checked += 1;
    }
    assert_eq!(checked, 145, "number of golden cases covered");
}
