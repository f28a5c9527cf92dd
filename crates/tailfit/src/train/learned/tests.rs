//! The learned sampler against the authors' code, and against finite differences.

use ndarray::{Array1, Array2, Axis};
use serde_json::Value;

use super::sampler::{Drawn, Learned, sigmoid};
use super::step::{Batch, Step};
use crate::class_counts::ClassCounts;
use crate::head::Head;
use crate::losses::{AnyLoss, BalancedSoftmax, CrossEntropy, Objective};

fn golden() -> Value {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/heads.json");
    let all: Value = serde_json::from_str(&fs_err::read_to_string(path).unwrap()).unwrap();
    let cases = all["cases"].as_array().unwrap();
    cases.iter().find(|case| case["id"] == "balms_meta_step").unwrap().clone()
}

fn numbers(value: &Value) -> Vec<f64> {
    match value {
        Value::Array(items) => items.iter().flat_map(numbers).collect(),
        other => vec![other.as_f64().unwrap()],
    }
}

fn matrix(value: &Value) -> Array2<f64> {
    let rows = value.as_array().unwrap().len();
    let values = numbers(value);
    Array2::from_shape_vec((rows, values.len() / rows), values).unwrap()
}

fn close(what: &str, got: &[f64], want: &Value, tolerance: f64) {
    let want = numbers(want);
    assert_eq!(got.len(), want.len(), "{what}");
    let largest = want.iter().fold(0.0_f64, |largest, v| largest.max(v.abs()));
    for (a, b) in got.iter().zip(&want) {
        assert!((a - b).abs() <= tolerance * largest, "{what}: {got:?} against {want:?}");
    }
}

struct Case {
    wanted: Value,
    all: Batch,
    meta: Batch,
    gumbel: Array2<f64>,
    sampler: Learned,
    step: Step,
    objective: Objective,
    plain: Objective,
    lr: f64,
}

fn case() -> Case {
    let case = golden();
    let (inputs, params) = (&case["inputs"], &case["params"]);
    let labels = |name: &str| numbers(&inputs[name]).into_iter().map(|y| y as u32).collect();
    let batch = |features: &str, names: &str| Batch {
        features: matrix(&inputs[features]),
        labels: labels(names),
    };
    let counts = numbers(&params["class_counts"]).into_iter().map(|n| n as usize).collect();
    let counts = ClassCounts::new(counts).unwrap();
    let number = |name: &str| params[name].as_f64().unwrap();
    let head = Head::linear(matrix(&inputs["W"]), numbers(&inputs["b"]).into());
    let velocity = (matrix(&inputs["momentum_W"]), numbers(&inputs["momentum_b"]).into());
    let decay = (number("weight_decay"), number("weight_decay"));
    let mut sampler = Learned::new(4);
    sampler.phi = numbers(&inputs["phi"]);
    Case {
        all: batch("features", "labels"),
        meta: batch("meta_features", "meta_labels"),
        gumbel: matrix(&inputs["gumbel"]),
        sampler,
        step: Step { head, velocity, momentum: number("momentum"), decay },
        objective: Objective::plain(
            AnyLoss::BalancedSoftmax(BalancedSoftmax { tau: 1.0 }),
            &counts,
        ),
        plain: Objective::plain(AnyLoss::CrossEntropy(CrossEntropy {}), &counts),
        lr: number("lr"),
        wanted: case["outputs"].clone(),
    }
}

impl Case {
    fn drawn(&self) -> Vec<Drawn> {
        let labels = &self.all.labels;
        let of_class = |class: u32| {
            let rows = (0..labels.len() as u32).filter(move |&row| labels[row as usize] == class);
            rows.collect::<Vec<_>>()
        };
        let rows: Vec<_> = (0..4).map(of_class).collect();
        let one = |gumbel: ndarray::ArrayView1<'_, f64>| {
            let noise = rows.iter().flatten().map(|&row| (-gumbel[row as usize]).exp());
            self.sampler.chosen(&rows, &noise.collect::<Vec<_>>())
        };
        self.gumbel.rows().into_iter().map(one).collect()
    }

    fn batch(&self, drawn: &[Drawn]) -> Batch {
        let rows: Vec<usize> = drawn.iter().map(|drawn| drawn.row as usize).collect();
        let labels = rows.iter().map(|&row| self.all.labels[row]).collect();
        Batch { features: self.all.features.select(Axis(0), &rows), labels }
    }
}

#[test]
fn a_step_is_the_authors() {
    let mut case = case();
    let drawn = case.drawn();
    let rows: Vec<f64> = drawn.iter().map(|drawn| f64::from(drawn.row)).collect();
    close("drawn", &rows, &case.wanted["drawn"], 0.0);
    let batch = case.batch(&drawn);
    let (_, residuals) = batch.gradient(&case.objective, &case.step.head);
    let (head, _) = case.step.after(&batch, &residuals, case.lr);
    close("W", head.weight.as_slice().unwrap(), &case.wanted["virtual_W"], 1e-12);
    close("b", head.bias.as_slice().unwrap(), &case.wanted["virtual_b"], 1e-12);
    let better = case.step.shares(&batch, &residuals, (&case.meta, &case.plain), case.lr);
    let gradient = case.sampler.gradient(&drawn, &better);
    close("gradient", &gradient, &case.wanted["grad_phi"], 1e-12);
    case.sampler.learn(&drawn, &better);
    close("phi", &case.sampler.phi, &case.wanted["phi_after_adam"], 1e-12);
}

/// The shares' derivative is that of the loss after the virtual step, in which sample i counts
/// 1 + ε: its residuals are multiplied.
#[test]
fn shares_are_derivatives() {
    let case = case();
    let batch = case.batch(&case.drawn());
    let (_, residuals) = batch.gradient(&case.objective, &case.step.head);
    let better = case.step.shares(&batch, &residuals, (&case.meta, &case.plain), case.lr);
    let loss = |i: usize, epsilon: f64| {
        let mut residuals = residuals.clone();
        residuals.row_mut(i).mapv_inplace(|r| r * (1.0 + epsilon));
        let (head, _) = case.step.after(&batch, &residuals, case.lr);
        case.meta.gradient(&case.plain, &head).0
    };
    for (i, better) in better.iter().enumerate() {
        let slope = (loss(i, 1e-5) - loss(i, -1e-5)) / 2e-5;
        assert!((slope - better).abs() < 1e-9, "{i}: {slope} against {better}");
    }
}

/// The softmax's share of a drawn sample, by φ.
#[test]
fn the_samplers_gradient_is_that_of_the_softmax() {
    let mut case = case();
    let drawn = case.drawn();
    let better = Array1::from(vec![0.3, -0.2, 0.5, 0.1, -0.7]);
    let gradient = case.sampler.gradient(&drawn, &better);
    let rows: Vec<usize> = drawn.iter().map(|drawn| drawn.row as usize).collect();
    for (k, gradient) in gradient.iter().enumerate() {
        let mut value = |epsilon: f64| {
            case.sampler.phi[k] += epsilon;
            let mut sum = 0.0;
            for (i, &row) in rows.iter().enumerate() {
                let score = |j: usize| {
                    let class = case.all.labels[j] as usize;
                    sigmoid(case.sampler.phi[class]) * case.gumbel[[i, j]].exp()
                };
                let total: f64 = (0..case.all.labels.len()).map(score).sum();
                sum += better[i] * score(row) / total;
            }
            case.sampler.phi[k] -= epsilon;
            sum
        };
        let slope = (value(1e-5) - value(-1e-5)) / 2e-5;
        assert!((slope - gradient).abs() < 1e-9, "{k}: {slope} against {gradient}");
    }
}

/// Each draw of a batch is another, with its own probability, whatever the batch.
#[test]
fn samples_come_up_with_their_probabilities() {
    let (labels, rows) = ([0, 0, 0, 1], [vec![0, 1, 2], vec![3]]);
    let mut sampler = Learned::new(2);
    // σ is 0.2 and 0.6.
    sampler.phi = vec![-(4.0_f64.ln()), 1.5_f64.ln()];
    let drawn = sampler.draw(&rows, 20_000, (5, 0));
    let mut shares = [0.0_f64; 4];
    for Drawn { row, class, shares: classes, share } in &drawn {
        shares[*row as usize] += 1.0 / 20_000.0;
        assert_eq!(*class, labels[*row as usize]);
        assert!((classes.iter().sum::<f64>() - 1.0).abs() < 1e-12 && *share <= classes[*class]);
    }
    for (found, wanted) in shares.iter().zip([1.0 / 6.0, 1.0 / 6.0, 1.0 / 6.0, 0.5]) {
        assert!((found - wanted).abs() < 0.015, "{shares:?}");
    }
    let again = sampler.draw(&rows, 10, (5, 3));
    assert!(again.iter().zip(&drawn[3..]).all(|(a, b)| a.row == b.row));
}
