//! Heads, post-hoc rules, class constants, samplers and schedules against the authors'
//! code, in f64.

use crate::class_counts::ClassCounts;
use crate::head::Head;
use crate::losses::ClassWeights;
use crate::recipe::{
    AdjustmentForm, BiasRule, Every, LogitAdjustment, MaxNorm, Recipe, Schedule, Sgd, TauNorm,
};
use crate::train::{Trial, train_on};
use ndarray::{Array1, Array2};
use serde_json::{Value, json};

use super::support::{close, counts, golden, labels, numbers};
use super::{others, problem, rules, unscored};

pub(crate) const TOLERANCE: f64 = 1e-10;
const K: usize = 10;

/// Kinds of cases that are checked elsewhere: the causal cosine in `tailfit-backbone`, the gate beside
/// `head/kinds/gated.rs`, the meta sampler beside `train/learned`.
const LEFT_OUT_KINDS: [&str; 3] = ["causal_cosine", "disalign", "meta_sampler"];
/// A cosine head that squashes norms, which no method has; schedules of stage-1 systems that do not exist.
const LEFT_OUT: [&str; 5] = [
    "cosnorm_classifier",
    "schedule_paco_400",
    "schedule_gml_200",
    "schedule_bcl_cos_90",
    "schedule_bcl_cos_warm5_90",
];

pub(crate) fn matrix(value: &Value) -> Array2<f64> {
    let rows = value.as_array().unwrap().len();
    let values = numbers(value);
    Array2::from_shape_vec((rows, values.len() / rows), values).unwrap()
}

#[derive(Clone)]
pub(super) struct Shared {
    pub(super) head: Head,
    pub(super) features: Array2<f64>,
    pub(super) labels: Vec<u32>,
    pub(super) counts: ClassCounts,
}

pub(super) fn shared(golden: &Value) -> Shared {
    let shared = &golden["shared"];
    Shared {
        head: Head::linear(matrix(&shared["W"]), Array1::from(numbers(&shared["b"]))),
        features: matrix(&shared["features"]),
        labels: labels(&shared["labels"]),
        counts: ClassCounts::new(counts(&shared["counts"])).unwrap(),
    }
}

pub(super) fn logits(head: &Head, features: &Array2<f64>) -> Vec<f64> {
    head.logits_of(features.clone()).into_iter().collect()
}

/// One full-batch step at learning rate 1 without momentum or decay: what it subtracts from the
/// parameters is the gradient. Returns (loss, head afterwards).
pub(super) fn one_step(s: &Shared, changes: &[(&str, Value)]) -> (f64, Head) {
    let mut recipe = Recipe {
        sgd: Sgd {
            epochs: 1,
            batch_size: s.labels.len(),
            lr: 1.0,
            momentum: 0.0,
            schedule: Schedule::Constant,
            ..Recipe::PLAIN.sgd
        },
        ..Recipe::PLAIN
    };
    for (path, value) in changes {
        recipe = recipe.with(path, value).unwrap();
    }
    let features: Vec<f64> = s.features.iter().copied().collect();
    let problem = problem(&features, &s.labels, &s.counts, Some(&s.head));
    // Not all of the file's classes occur among its seven labels, but sampling by rows does not
    // need them to.
    let trial = Trial { recipe, seed: 0, stop_after: None };
    let outcome = train_on(&problem, &[trial], &unscored()).unwrap().remove(0);
    (outcome.train_loss[0], outcome.head)
}

#[test]
fn heads_rules_samplers_and_schedules_equal_the_authors_code() {
    let golden = golden("heads.json");
    let s = shared(&golden);
    let mut checked = 0;
    for case in golden["cases"].as_array().unwrap() {
        let (id, kind) = (case["id"].as_str().unwrap(), case["kind"].as_str().unwrap());
        if LEFT_OUT_KINDS.contains(&kind) || LEFT_OUT.contains(&id) {
            continue;
        }
        checked += 1;
        let (p, out) = (&case["params"], &case["outputs"]);
        match kind {
            "linear" => linear(id, &s, out),
            "lws" if id == "lws_las" => others::scaled_linear(id, &s, case),
            "lws" => scaled(id, &s, case),
            "marc" => others::margin(id, &s, case),
            "area" => others::areas(id, &golden, p, out),
            "etf" => others::simplex(id, p, out),
            "ncm" => others::class_means(id, &golden, p, out),
            "cosine" => cosine(id, &s, out),
            "tau_norm" => tau_norm(id, &s, p, out),
            "maxnorm" => max_norm(id, &golden, p, out),
            "posthoc_la" => post_hoc(id, &s, case),
            "class_weights" => {
                let counts = ClassCounts::new(counts(&case["inputs"]["counts"])).unwrap();
                let weights = ClassWeights::EffectiveNumber { beta: p["beta"].as_f64().unwrap() };
                close(id, &weights.weights(&counts), &numbers(&out["weights"]), TOLERANCE);
            }
            "class_constants" => rules::class_constants(id, case),
            "drw" => deferral(id, &s, out),
            "sampler" => rules::samplers(id, p, out),
            "schedule" if out["lr_at"].is_object() => rules::schedule_by_steps(id, out),
            "schedule" => rules::schedule(id, p, out),
            other => panic!("{id}: kind {other} is neither covered nor named as left out"),
        }
    }
    assert_eq!(checked, 70, "number of golden cases covered");
}

fn linear(id: &str, s: &Shared, out: &Value) {
    close(id, &logits(&s.head, &s.features), &numbers(&out["logits"]), TOLERANCE);
    let (loss, after) = one_step(s, &[]);
    close(id, &[loss], &numbers(&out["value"]), TOLERANCE);
    let weight: Vec<f64> = (&s.head.weight - &after.weight).into_iter().collect();
    let bias: Vec<f64> = (&s.head.bias - &after.bias).into_iter().collect();
    close(id, &weight, &numbers(&out["grad_W"]), TOLERANCE);
    close(id, &bias, &numbers(&out["grad_b"]), TOLERANCE);
}

/// Our scales start at 1, so theirs are folded into the stage-1 head; our gradient with
/// respect to the scales is then theirs times the scale.
fn scaled(id: &str, s: &Shared, case: &Value) {
    let scales = numbers(&case["inputs"]["scales"]);
    let mut head = s.head.clone();
    for (k, scale) in scales.iter().enumerate() {
        head.weight.row_mut(k).mapv_inplace(|w| w * scale);
        head.bias[k] *= scale;
    }
    let scaled = Shared {
        head,
        features: s.features.clone(),
        labels: s.labels.clone(),
        counts: s.counts.clone(),
    };
    let (loss, after) = one_step(&scaled, &[("head", json!("scaled"))]);
    close(id, &[loss], &numbers(&case["outputs"]["value"]), TOLERANCE);
    let grad: Vec<f64> =
        (0..K).map(|k| (1.0 - after.bias[k] / scaled.head.bias[k]) / scales[k]).collect();
    close(id, &grad, &numbers(&case["outputs"]["grad_scales"]), TOLERANCE);
}

/// The folded head is s w/‖w‖, which hides the part of a step along w. A tiny step shows the
/// part orthogonal to w, which is the whole gradient.
fn cosine(id: &str, s: &Shared, out: &Value) {
    let ldam = id == "normed_linear_ldam";
    let rate = 1e-7;
    let mut changes = vec![("head", json!({"cosine": {"scale": 30}})), ("lr", json!(rate))];
    if ldam {
        changes.push(("loss", json!({"name": "ldam", "max_margin": 0.5, "scale": 30})));
    }
    let (loss, after) = one_step(s, &changes);
    close(id, &[loss], &numbers(&out["value"]), TOLERANCE);
    let (_, before) = one_step(s, &[("head", json!({"cosine": {"scale": 30}})), ("lr", json!(0))]);
    // Their LDAM head leaves s to the loss.
    let factor = if ldam { 1.0 / 30.0 } else { 1.0 };
    let z: Vec<f64> = logits(&before, &s.features).into_iter().map(|v| v * factor).collect();
    close(id, &z, &numbers(&out["logits"]), TOLERANCE);
    let norms = s.head.weight_norms();
    let moved = (&before.weight - &after.weight) / (30.0 * rate);
    let grad: Vec<f64> = moved.indexed_iter().map(|((k, _), m)| m * norms[k]).collect();
    close(id, &grad, &numbers(&out["grad_W"]), 1e-5);
}

fn tau_norm(id: &str, s: &Shared, p: &Value, out: &Value) {
    let bias = if p["bias"] == "dropped" { BiasRule::Drop } else { BiasRule::Keep };
    let mut head = s.head.clone();
    TauNorm { tau: p["tau"].as_f64().unwrap(), bias }.apply(&mut head);
    close(id, head.weight.as_slice().unwrap(), &numbers(&out["W"]), TOLERANCE);
    close(id, &logits(&head, &s.features), &numbers(&out["logits"]), TOLERANCE);
}

/// One epoch at learning rate 0 does nothing but the projection.
fn max_norm(id: &str, golden: &Value, p: &Value, out: &Value) {
    let s = shared(golden);
    let rule = MaxNorm { threshold: p["thresh"].as_f64().unwrap(), ..MaxNorm::default() };
    let radius = rule.radius(&s.head.weight_norms());
    close(id, &[radius], &numbers(&out["radius"]), TOLERANCE);
    let trained = Head { weight: matrix(&golden["shared"]["W_after"]), ..s.head.clone() };
    let s = Shared { head: trained, ..s };
    for every in [Every::Step, Every::Epoch] {
        let constraint = MaxNorm { radius: Some(radius), every, ..rule };
        let constraint = serde_json::to_value(constraint).unwrap();
        let (_, after) = one_step(&s, &[("lr", json!(0)), ("constraint", constraint.clone())]);
        close(id, after.weight.as_slice().unwrap(), &numbers(&out["W_projected"]), TOLERANCE);
        assert_eq!(after.bias, s.head.bias, "{id}: the bias is never projected");
        let again = Shared {
            head: after.clone(),
            features: s.features.clone(),
            labels: s.labels.clone(),
            counts: s.counts.clone(),
        };
        let (_, twice) = one_step(&again, &[("lr", json!(0)), ("constraint", constraint)]);
        close(id, twice.weight.as_slice().unwrap(), after.weight.as_slice().unwrap(), 1e-15);
    }
}

fn post_hoc(id: &str, s: &Shared, case: &Value) {
    let p = &case["params"];
    let form = if p["additive"].as_bool().unwrap() {
        AdjustmentForm::Additive
    } else {
        AdjustmentForm::Multiplicative
    };
    // A head that maps the given logits to themselves: W = identity, no bias.
    let given = matrix(&case["inputs"]["logits"]);
    let mut head = Head::linear(Array2::eye(K), Array1::zeros(K));
    LogitAdjustment { tau: p["tau"].as_f64().unwrap(), form }.apply(&mut head, &s.counts);
    // Google's code adds an epsilon to the prior's power, which moves the rarest class most.
    let rarest = s.counts.frequencies().into_iter().fold(1.0, f64::min);
    let epsilon = p["prior_epsilon"].as_f64().unwrap_or(0.0);
    let tolerance = TOLERANCE + epsilon / rarest.powf(p["tau"].as_f64().unwrap());
    close(id, &logits(&head, &given), &numbers(&case["outputs"]["logits"]), tolerance);
}

/// Weights are 1 before epoch 160 and class-balanced from then on: with the learning rate at
/// 0, the training loss of an epoch shows which.
fn deferral(id: &str, s: &Shared, out: &Value) {
    let weights = ClassWeights::EffectiveNumber { beta: 0.9999 }.weights(&s.counts);
    let late = numbers(&out["first_and_last_weight"]["160"]);
    close(id, &[weights[0], weights[9]], &late, TOLERANCE);
    let weighted = ("class_weights", json!({"effective-number": {"beta": 0.9999}}));
    let loss = |defer: usize, weighted: &(&'static str, Value)| {
        let changes =
            [("lr", json!(0)), ("defer_weights_to_epoch", json!(defer)), weighted.clone()];
        one_step(s, &changes).0
    };
    let uniform = ("class_weights", json!("uniform"));
    assert_eq!(loss(1, &weighted), loss(0, &uniform), "deferred past the only epoch");
    assert_ne!(loss(0, &weighted), loss(0, &uniform));
}
