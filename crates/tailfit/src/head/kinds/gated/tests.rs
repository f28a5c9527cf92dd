use super::super::Rates;
use super::*;
use crate::class_counts::ClassCounts;
use crate::losses::{AnyLoss, BatchLoss, ClassWeights, CrossEntropy, Draw, Mean};
use crate::tests::support::{close, counts, golden, labels, numbers};

/// Logits and gradients of the authors' code, with a step at rate 1 in place of the gradient.
#[test]
fn gates_equal_the_authors_code() {
    let golden = golden("heads.json");
    let case = |case: &&serde_json::Value| case["id"] == "disalign";
    let case = golden["cases"].as_array().unwrap().iter().find(case).unwrap();
    let (shared, inputs, out) = (&golden["shared"], &case["inputs"], &case["outputs"]);
    let array = |name: &str| crate::tests::heads::matrix(&shared[name]);
    let (features, weight) = (array("features"), array("W"));
    let (k, dim) = weight.dim();
    let panels = Panels::new(crate::kernels::padded_depth(dim, None), k);
    let layout = Layout { n_classes: k, dim, panels, unit: None };
    let mut gated = Training::<f64>::new(&[HeadKind::Gated], layout);
    gated.scale.value[..k].copy_from_slice(&numbers(&inputs["scale"]));
    gated.shift.value[..k].copy_from_slice(&numbers(&inputs["shift"]));
    let v = Array2::from_shape_vec((1, dim), numbers(&inputs["v"])).unwrap();
    gated.weights.panels.write(&mut gated.weights.value, 0, &v);
    gated.bias.value[0] = numbers(&inputs["u"])[0];

    let mut batch = Packed::new(dim, None);
    let rows: Vec<Vec<f64>> = features.rows().into_iter().map(|row| row.to_vec()).collect();
    batch.pack(rows.iter().map(Vec::as_slice));
    let mut weights = Weights::new(panels, None);
    panels.write(&mut weights.value, 0, &weight);
    let mut bias = Params::new(0.0, panels.columns);
    bias.value[..k].copy_from_slice(&numbers(&shared["b"]));
    let c = panels.columns;
    let (mut z, mut kept) = (vec![0.0; batch.padded * c], vec![0.0; batch.padded * c]);
    weights.forward(Rows { values: &mut z, pitch: c }, &batch, 0, &bias.value);
    gated.forward((&batch, 0), &mut z, &mut kept);
    let of_classes = |z: &[f64]| -> Vec<f64> {
        z.chunks_exact(c).take(features.nrows()).flat_map(|row| row[..k].to_vec()).collect()
    };
    let mut logits = of_classes(&z);
    close("logits", &logits, &numbers(&out["logits"]), 1e-12);

    let counts = ClassCounts::new(counts(&shared["counts"])).unwrap();
    let rho = case["params"]["rho"].as_f64().unwrap();
    let of_classes = ClassWeights::Power { rho }.weights(&counts);
    let loss = AnyLoss::CrossEntropy(CrossEntropy {});
    let loss = BatchLoss::<f64>::with_weights(loss, of_classes, Mean::ByWeight, &counts);
    let value = loss.value_and_grad(&mut logits, &labels(&shared["labels"]), Draw::default());
    close("loss", &[value], &[out["value"].as_f64().unwrap()], 1e-12);
    z.fill(0.0);
    for (row, grad) in z.chunks_exact_mut(c).zip(logits.chunks_exact(k)) {
        row[..k].copy_from_slice(grad);
    }
    let (one, zero) = (vec![1.0; c], vec![0.0; c]);
    let rates = Rates {
        lr: one,
        momentum: zero.clone(),
        decay: zero.clone(),
        bias_decay: zero,
        nesterov: false,
    };
    let mut trained = Trained { weights, bias, rates };
    let gradient = Gradient { z: &mut z, kept: &mut kept, batch: &batch, split: false };
    gated.step(gradient, &mut trained);
    let mut head = Head::zeros(k, dim);
    gated.fold(0, &mut head);
    let after = head.gate.unwrap();
    let moved = |name: &str, after: &[f64]| {
        let before = numbers(&inputs[name]);
        let step: Vec<f64> = before.iter().zip(after).map(|(a, b)| a - b).collect();
        close(name, &step, &numbers(&out[&format!("grad_{name}")]), 1e-12);
    };
    moved("scale", after.scale.as_slice().unwrap());
    moved("shift", after.shift.as_slice().unwrap());
    moved("v", after.weight.as_slice().unwrap());
    moved("u", &[after.bias]);
}
