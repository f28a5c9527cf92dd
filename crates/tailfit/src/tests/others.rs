//! Less usual heads of `heads.json` against the authors' code.

use ndarray::{Array2, Axis};
use serde_json::{Value, json};

use super::heads::{Shared, TOLERANCE, logits, matrix, one_step};
use super::support::{close, labels, numbers, unit};
use crate::class_counts::ClassCounts;
use crate::losses::{AnyLoss, BatchLoss, DotRegression, Draw};
use crate::train::add_areas;

/// Our ω and β start at 1 and 0, so theirs are folded into the head. With z′ = ω z + β ‖w‖ the folded
/// logits, our gradients are Σ g z′ and Σ g |ω| ‖w‖; theirs are Σ g z and Σ g ‖w‖.
pub(super) fn margin(id: &str, s: &Shared, case: &Value) {
    let (scales, shifts) = (numbers(&case["inputs"]["omega"]), numbers(&case["inputs"]["beta"]));
    let norms = s.head.weight_norms();
    let mut folded = s.clone();
    for k in 0..norms.len() {
        folded.head.weight.row_mut(k).mapv_inplace(|w| w * scales[k]);
        folded.head.bias[k] = scales[k] * s.head.bias[k] + shifts[k] * norms[k];
    }
    let out = &case["outputs"];
    close(id, &logits(&folded.head, &s.features), &numbers(&out["logits"]), TOLERANCE);
    let weights = ("class_weights", json!({"power": {"rho": case["params"]["rho"]}}));
    let (loss, after) =
        one_step(&folded, &[("head", json!("margin")), weights, ("mean", json!("by-weight"))]);
    close(id, &[loss], &numbers(&out["value"]), TOLERANCE);
    let (mut of_scale, mut of_shift) = (vec![], vec![]);
    for k in 0..norms.len() {
        let before = &folded.head;
        let scale = after.weight[[k, 0]] / before.weight[[k, 0]];
        let folded_norm = scales[k].abs() * norms[k];
        let shift = (after.bias[k] - scale * before.bias[k]) / folded_norm;
        of_shift.push(-shift / scales[k].abs());
        of_scale.push(((1.0 - scale) - shifts[k] * norms[k] * -shift / folded_norm) / scales[k]);
    }
    close(id, &of_shift, &numbers(&out["grad_beta"]), TOLERANCE);
    close(id, &of_scale, &numbers(&out["grad_omega"]), TOLERANCE);
}

/// As for scaled heads, their scales are folded in: W′ = c W with c′ = 1 has the gradient of W / c.
pub(super) fn scaled_linear(id: &str, s: &Shared, case: &Value) {
    let (scales, p) = (numbers(&case["inputs"]["scales"]), &case["params"]);
    let mut folded = s.clone();
    for (k, scale) in scales.iter().enumerate() {
        folded.head.weight.row_mut(k).mapv_inplace(|w| w * scale);
        folded.head.bias[k] *= scale;
    }
    let loss = json!({"name": "label-aware-smoothing", "head": p["head"], "tail": p["tail"]});
    let step = |rate: f64| {
        let kind = json!({"scaled-linear": {"rate": rate}});
        one_step(&folded, &[("loss", loss.clone()), ("head", kind)])
    };
    let ((loss, of_scales), (_, of_all)) = (step(0.0), step(1.0));
    let out = &case["outputs"];
    close(id, &[loss], &numbers(&out["value"]), TOLERANCE);
    let moved: Vec<f64> =
        (0..scales.len()).map(|k| of_scales.bias[k] / folded.head.bias[k]).collect();
    let grad: Vec<f64> = moved.iter().zip(&scales).map(|(c, scale)| (1.0 - c) / scale).collect();
    close(id, &grad, &numbers(&out["grad_scales"]), TOLERANCE);
    // The finished head is c (W − grad), with c as moved.
    let (mut weight, mut bias) = (of_all.weight, of_all.bias);
    for (k, (c, scale)) in moved.iter().zip(&scales).enumerate() {
        let before = folded.head.weight.row(k).to_owned();
        let step = (&before - &(&weight.row(k) / *c)) * *scale;
        weight.row_mut(k).assign(&step);
        bias[k] = (folded.head.bias[k] - bias[k] / c) * scale;
    }
    close(id, weight.as_slice().unwrap(), &numbers(&out["grad_W"]), TOLERANCE);
    close(id, bias.as_slice().unwrap(), &numbers(&out["grad_b"]), TOLERANCE);
}

/// Areas before they are bounded by the counts, in batches of consecutive rows.
pub(super) fn areas(id: &str, golden: &Value, p: &Value, out: &Value) {
    let cases = golden["cases"].as_array().unwrap();
    let inputs = &cases.iter().find(|case| case["id"] == "area_batch16").unwrap()["inputs"];
    let (features, labels) = (matrix(&inputs["features"]), labels(&inputs["labels"]));
    let means = matrix(&out["class_mean"]);
    let mut areas = vec![0.0; means.nrows()];
    let batch = p["batch"].as_u64().unwrap() as usize;
    let parts = features.axis_chunks_iter(Axis(0), batch).zip(labels.chunks(batch));
    for (features, labels) in parts {
        add_areas(&mut areas, features.to_owned(), labels, |k| means.row(k));
    }
    close(id, &areas, &numbers(&out["areas_recomputed"]), 1e-9);
}

/// Their simplex is ours: with W of it rotated in any way, dot regression of z = W h is ½ (1 − cos)².
pub(super) fn simplex(id: &str, p: &Value, out: &Value) {
    let k = p["K"].as_u64().unwrap() as usize;
    let diagonal = out["gram_diagonal"].as_f64().unwrap();
    let off = out["gram_off_diagonal"].as_f64().unwrap();
    let gram = Array2::from_shape_fn((k, k), |(i, j)| if i == j { diagonal } else { off });
    close(id, &[off], &[-1.0 / (k as f64 - 1.0)], 1e-6);
    // h = Σ aⱼ mⱼ has logits M a, length √(aᵀ M a) and cosine (M a)_y / length, M the Gram matrix.
    let a: ndarray::Array1<f64> = (0..k).map(|j| unit(3, 1, j as u64)).collect();
    let z = gram.dot(&a);
    let cosine = z[2] / a.dot(&z).sqrt();
    let counts = ClassCounts::new(vec![2; k]).unwrap();
    let loss = BatchLoss::<f64>::plain(AnyLoss::DotRegression(DotRegression {}), &counts);
    let value = loss.value_and_grad(&mut z.to_vec(), &[2], Draw::default());
    close(id, &[value], &[0.5 * (1.0 - cosine).powi(2)], 1e-6);
}

/// Their squared distance to a mean is ‖x‖² − 2 z for the logits z of our head of class means, x being
/// the features as it sees them. Their "cosine" is the product with the mean, divided by D.
pub(super) fn class_means(id: &str, golden: &Value, p: &Value, out: &Value) {
    let s = super::heads::shared(golden);
    let cases = golden["cases"].as_array().unwrap();
    let inputs = &cases.iter().find(|case| case["id"] == "ncm_un_l2").unwrap()["inputs"];
    let labels = labels(&inputs["train_labels"]);
    let mut counts = vec![0; counts_of(out)];
    for &y in &labels {
        counts[y as usize] += 1;
    }
    let features = matrix(&inputs["train_features"]);
    let counts = ClassCounts::new(counts).unwrap();
    let data = Shared { head: s.head, features, labels, counts };
    let (kind, conditioning) = match p["features"].as_str().unwrap() {
        "un" => ("linear", "as-is"),
        "l2n" => ("normalised", "as-is"),
        _ => ("normalised", "centred"),
    };
    let changes = [
        ("lr", json!(0)),
        ("start", json!("class-means")),
        ("head", json!(kind)),
        ("features", json!(conditioning)),
    ];
    let (_, mut head) = one_step(&data, &changes);
    close(id, head.weight.as_slice().unwrap(), &numbers(&out["centroids"]), TOLERANCE);
    if let Some(centre) = &head.centre {
        close(id, centre.as_slice().unwrap(), &numbers(&out["mean"]), TOLERANCE);
    }
    let test = s.features;
    if p["distance"] == "cos" {
        head.weight /= test.ncols() as f64;
        head.bias.fill(0.0);
        close(id, &logits(&head, &test), &numbers(&out["logits"]), TOLERANCE);
        return;
    }
    let squares = match kind {
        "linear" => test.map_axis(Axis(1), |row| row.dot(&row)),
        _ => ndarray::Array1::ones(test.nrows()),
    };
    let z = Array2::from_shape_vec((test.nrows(), counts_of(out)), logits(&head, &test)).unwrap();
    let distances = z * 2.0 - squares.insert_axis(Axis(1));
    let distances: Vec<f64> = distances.into_iter().collect();
    close(id, &distances, &numbers(&out["logits"]), TOLERANCE);
}

fn counts_of(out: &Value) -> usize {
    matrix(&out["centroids"]).nrows()
}
