//! Metrics against `metrics.json`, whose logits come from a formula.

use ndarray::{Array1, Array2};
use serde_json::Value;
use tailfit::class_counts::ClassCounts;
use tailfit::head::Head;
use tailfit::metrics::{
    EvaluationSet, LogitStatistics, Readings, coefficient_of_variation, evaluate, one_norm,
};
use tailfit::shots::{Shot, ShotThresholds};

use crate::support::{close, counts, golden, numbers, unit};

const N: usize = 600;
const K: usize = 12;
const TOLERANCE: f64 = 1e-10;

struct Input {
    z: Array2<f64>,
    labels: Vec<u32>,
    counts: ClassCounts,
    rank: Vec<usize>,
}

fn input(golden: &Value) -> Input {
    let key = golden["header"]["key"].as_u64().unwrap();
    let counts = ClassCounts::new(counts(&golden["counts"])).unwrap();
    let mut rank = vec![0; K];
    for (position, class) in counts.by_frequency().into_iter().enumerate() {
        rank[class] = position;
    }
    let prior: Vec<f64> = counts.frequencies().into_iter().map(f64::ln).collect();
    let labels: Vec<u32> = (0..N as u32).map(|i| i / 50).collect();
    let mut z = Array2::from_shape_fn((N, K), |(i, k)| {
        1.6 * unit(key, 1, (i * K + k) as u64)
            + 0.5 * unit(key, 2, i as u64)
            + 0.35 * prior[k]
            + 1.0
    });
    for i in 0..N {
        let y = labels[i] as usize;
        let gain = 2.4 - 0.11 * rank[y] as f64;
        z[[i, y]] += gain * (1.0 + 0.4 * unit(key, 3, i as u64));
    }
    close("first row", &z.row(0).to_vec(), &numbers(&golden["first_row"]), 1e-15);
    close("last row", &z.row(N - 1).to_vec(), &numbers(&golden["last_row"]), 1e-15);
    Input { z, labels, counts, rank }
}

fn all(values: &[Option<f64>]) -> Vec<f64> {
    values.iter().map(|v| v.expect("every class has samples and a positive magnitude")).collect()
}

fn readings(z: &Array2<f64>, labels: &[u32]) -> Readings {
    let mut samples = vec![0; K];
    for &label in labels {
        samples[label as usize] += 1;
    }
    let mut statistics = LogitStatistics::new(&samples, &z.row(0).to_vec());
    for (row, &label) in z.rows().into_iter().zip(labels) {
        statistics.add(&row.to_vec(), label as usize);
    }
    statistics.readings()
}

fn check_logits(name: &str, z: &Array2<f64>, labels: &[u32], counts: &ClassCounts, want: &Value) {
    let mean = z.mean_axis(ndarray::Axis(1)).unwrap().insert_axis(ndarray::Axis(1));
    let (raw, centred) = (readings(z, labels), readings(&(z - &mean), labels));
    let loma = &want["loma"];
    for (key, got) in [
        ("A_raw", &raw.a),
        ("A_centred", &centred.a),
        ("A_raw_class_means", &raw.a_class_means),
        ("B", &raw.b),
    ] {
        let magnitudes = all(got);
        close(&format!("{name} {key}"), &magnitudes, &numbers(&loma[key]), TOLERANCE);
        let balance = &want["loma_balance"][key];
        if balance.is_object() {
            check_balance(&format!("{name} {key}"), &magnitudes, counts, balance);
        }
    }
    // Reading B does not see a common shift of the row.
    close(name, &all(&centred.b), &all(&raw.b), 1e-12);
    for (key, got) in [("raw", &raw), ("centred", &centred)] {
        let want = &want["rsd"][key];
        for (sigma, d, r) in [
            ("P", &got.deviations.p, &got.rsd.p),
            ("N", &got.deviations.n, &got.rsd.n),
            ("pooled", &got.deviations.pooled, &got.rsd.pooled),
            ("all", &got.deviations.all, &got.rsd.all),
        ] {
            let what = format!("{name} {key} {sigma}");
            close(&what, &all(d), &numbers(&want[format!("sigma_{sigma}")]), TOLERANCE);
            close(&what, &all(r), &numbers(&want[format!("R_{sigma}")]), TOLERANCE);
        }
    }
}

fn check_balance(what: &str, magnitudes: &[f64], counts: &ClassCounts, want: &Value) {
    let norm = one_norm(magnitudes);
    close(what, &norm, &numbers(&want["one_norm"]), TOLERANCE);
    for groups in [6, 4] {
        let by_frequency = counts.by_frequency();
        let means: Vec<f64> = by_frequency
            .chunks(K / groups)
            .map(|g| g.iter().map(|&k| norm[k]).sum::<f64>() * K as f64 / g.len() as f64)
            .collect();
        let key = format!("one_norm_times_K_in_{groups}_groups");
        close(what, &means, &numbers(&want[key]), TOLERANCE);
    }
    let cv = coefficient_of_variation(magnitudes).unwrap();
    close(what, &[cv], &numbers(&want["cv_population"]), TOLERANCE);
    let values: Vec<Option<f64>> = magnitudes.iter().map(|&l| Some(l)).collect();
    let mean = |shot| ShotThresholds::default().mean(counts, shot, &values).unwrap();
    let ratio = mean(Shot::Few) / mean(Shot::Many);
    close(what, &[ratio], &numbers(&want["few_over_many"]), TOLERANCE);
}

#[test]
fn every_reading_of_magnitude_and_deviation() {
    let golden = golden("metrics.json");
    let Input { z, labels, counts, rank } = input(&golden);
    let results = &golden["results"];
    check_logits("balanced", &z, &labels, &counts, &results["balanced_test"]);

    let kept: Vec<usize> = (0..N).filter(|&i| i % 50 < 50 - 3 * rank[labels[i] as usize]).collect();
    let kept_labels: Vec<u32> = kept.iter().map(|&i| labels[i]).collect();
    let unbalanced = z.select(ndarray::Axis(0), &kept);
    check_logits("unbalanced", &unbalanced, &kept_labels, &counts, &results["unbalanced_test"]);

    let prior = Array1::from(counts.frequencies()).mapv(f64::ln);
    let adjusted = &z - &prior;
    check_logits("adjusted", &adjusted, &labels, &counts, &results["after_posthoc_la_tau1"]);
    // Post-hoc adjustment leaves the column reading exactly where it was.
    close(
        "A under adjustment",
        &all(&readings(&adjusted, &labels).a),
        &all(&readings(&z, &labels).a),
        1e-12,
    );
}

/// The product's own path: a head, features in f32, and everything it reports. The
/// features are the logits, the head is the identity, so only rounding to f32 differs.
#[test]
fn accuracy_calibration_and_weight_norms() {
    let golden = golden("metrics.json");
    let Input { z, labels, counts, rank } = input(&golden);
    let features = z.mapv(|v| v as f32);
    let head = Head::linear(Array2::eye(K), Array1::zeros(K));
    let kept: Vec<usize> = (0..N).filter(|&i| i % 50 < 50 - 3 * rank[labels[i] as usize]).collect();
    for (name, rows) in [("balanced_test", None), ("unbalanced_test", Some(kept.as_slice()))] {
        let set = EvaluationSet {
            features: features.view(),
            mirror: None,
            labels: &labels,
            rows,
            groups: None,
        };
        let got = evaluate(&head, &set, &counts, ShotThresholds::default());
        let want = &golden["results"][name];
        let percent = |key: &str| 100.0 * want[key].as_f64().unwrap();
        let accuracy = &got.accuracy;
        close(name, &[accuracy.overall_percent], &[percent("accuracy_micro")], TOLERANCE);
        close(name, &[accuracy.macro_percent], &[percent("accuracy_macro")], TOLERANCE);
        let groups = [accuracy.many_percent, accuracy.medium_percent, accuracy.few_percent];
        let want_groups: Vec<f64> =
            numbers(&want["groups_>100_20to100_<20"]).into_iter().map(|g| 100.0 * g).collect();
        close(name, &all(&groups), &want_groups, TOLERANCE);
        let per_class: Vec<f64> =
            numbers(&want["accuracy_per_class"]).into_iter().map(|a| 100.0 * a).collect();
        close(name, &all(&got.per_class_percent), &per_class, TOLERANCE);
        close(name, &[got.calibration.nll], &numbers(&want["nll"]), 1e-7);
        let ece = 100.0 * want["ece_15"]["ece"].as_f64().unwrap();
        close(name, &[got.calibration.ece_percent], &[ece], 1e-6);
        let a = numbers(&want["loma"]["A_centred"]);
        close(name, &all(&got.logits_magnitude.centred.a), &a, 1e-6);
    }
}

#[test]
fn weight_norms_raw_and_centred() {
    let golden = golden("metrics.json");
    let input = input(&golden);
    let key = golden["header"]["key"].as_u64().unwrap();
    let weight = Array2::from_shape_fn((K, 16), |(k, j)| {
        unit(key, 4, (k * 16 + j) as u64) * (1.5 - 0.08 * input.rank[k] as f64)
    });
    close("W", &weight.row(0).to_vec(), &numbers(&golden["W_first_row"]), 1e-15);
    let head = Head::linear(weight, Array1::zeros(K));
    let norms = &golden["results"]["weight_norms"];
    close("raw", &head.weight_norms(), &numbers(&norms["raw"]), TOLERANCE);
    close("centred", &head.centred_weight_norms(), &numbers(&norms["centred"]), TOLERANCE);
}
