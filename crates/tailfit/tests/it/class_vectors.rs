//! A vector for each class: zero-shot heads, and ensembles with them.

use ndarray::{Array1, Array2, Axis};
use tailfit::compare::{Comparison, Selection};
use tailfit::features::{DataSet, Features};
use tailfit::methods;
use tailfit::shots::ShotThresholds;
use tailfit::train::{Options, Trial, train, train_stage_1};

use crate::support::{clusters, unit};

const K: usize = 6;
const D: usize = 12;

fn mean(class: usize, j: usize) -> f64 {
    unit(1, 1, (class * D + j) as u64)
}

/// Features of norm `norm` about class means of their own; `key` moves the samples.
fn features(sizes: [usize; K], key: u64, norm: f32) -> Features {
    let (mut x, labels) = clusters(&sizes, D, 1.2, key);
    for mut row in x.rows_mut() {
        let length = row.dot(&row).sqrt();
        row.mapv_inplace(|v| norm * v / length);
    }
    Features::new(x, labels).unwrap()
}

fn data(norm: f32) -> DataSet {
    let (train, test) = (features([200, 90, 40, 12, 6, 3], 2, norm), features([40; K], 3, norm));
    let mut data = DataSet::new("toy", train, test, None, None, ShotThresholds::default()).unwrap();
    train_stage_1(&mut data).unwrap();
    // Of any length: only directions count.
    data.with_class_vectors(Array2::from_shape_fn((K, D), |(k, j)| 7.0 * mean(k, j))).unwrap()
}

#[test]
fn the_zero_shot_head_is_the_nearest_vector_and_an_ensemble_lies_between() {
    let data = data(1.0);
    let comparison = Comparison::new(&data, Selection::Last, vec![0]).unwrap();
    let run = |name: &str| comparison.run(&methods::find(name).unwrap(), &|_| {}).unwrap();
    let zero_shot = run("zero-shot");
    let vectors = data.class_vectors.as_ref().unwrap();
    let x = data.test.plain.in_memory().unwrap().mapv(f64::from);
    let nearest = |row: ndarray::ArrayView1<'_, f64>| {
        let by = |k: &usize| vectors.row(*k).dot(&row);
        (0..K).max_by(|a, b| by(a).total_cmp(&by(b))).unwrap() as u32
    };
    let right = x.axis_iter(Axis(0)).zip(&data.test.labels).filter(|(row, y)| nearest(*row) == **y);
    let percent = 100.0 * right.count() as f64 / x.nrows() as f64;
    let scored = zero_shot.records[0].evaluation.accuracy.overall_percent;
    assert!((scored - percent).abs() < 1e-9, "{scored} against {percent}");
    assert!(zero_shot.head.normalise_features);

    let plain = run("lr-balanced");
    let both = run("lr-balanced+zero-shot");
    let share = methods::find("lr-balanced+zero-shot").unwrap().recipe.zero_shot.unwrap();
    let wanted = &plain.head.weight + &(vectors * share);
    assert!((&both.head.weight - &wanted).iter().all(|v| v.abs() < 1e-5));
    assert_eq!(both.head.bias, plain.head.bias);
}

/// Without the encoder's prior, outputs are 1 / K on samples of which all classes count the same.
#[test]
fn a_debiased_ensemble_leaves_the_prior_of_the_encoder_out() {
    let linear: &[&str] = &["lr-balanced", "cosine", "cross-entropy"];
    for (norm, names) in [(1.0, linear), (3.0, &["cosine"])] {
        let data = data(norm);
        let directions = data.train.plain.in_memory().unwrap().mapv(|v| f64::from(v / norm));
        // An encoder that finds some classes likelier, whatever it sees.
        let everywhere = directions.mean_axis(Axis(0)).unwrap();
        let vector = |(k, j)| mean(k, j) / 2.0 + (k as f64 - 2.0) * everywhere[j];
        let data = data.with_class_vectors(Array2::from_shape_fn((K, D), vector)).unwrap();
        let vectors = data.class_vectors.as_ref().unwrap();
        let of = |recipe| {
            let trial = Trial { recipe, seed: 0, stop_after: None };
            train(&data, &[trial], &Options::default()).unwrap().remove(0).head
        };
        for (name, share) in names.iter().flat_map(|name| [3.0, 30.0].map(|share| (name, share))) {
            let plain = of(methods::find(name).unwrap().recipe);
            let both = methods::find(&format!("{name}+gla")).unwrap().recipe;
            let both = of(both.with("zero_shot", &share.into()).unwrap());
            let left = &both.weight - &plain.weight - vectors * share;
            assert!(left.iter().all(|v| v.abs() < 1e-4), "{name}, {share}");
            let bias = &both.bias - &plain.bias;
            let q = bias.mapv(|b| (-b).exp());
            assert!((q.sum() - 1.0).abs() < 1e-5, "{name}, {share}: {q}");
            assert!(share < 30.0 || q[5] > q[0], "{name}: {q}");
            let mut outputs = (directions.dot(&vectors.t()) * share + &bias).mapv(f64::exp);
            let mut means = Array1::<f64>::zeros(K);
            for (mut p, &label) in outputs.rows_mut().into_iter().zip(&data.train.labels) {
                p /= p.sum();
                means += &(&p / data.counts.as_slice()[label as usize] as f64);
            }
            assert!(means.iter().all(|m| (m - 1.0).abs() < 1e-4), "{name}, {share}: {means}");
        }
    }
    let found = methods::find("lr-balanced+zero-shot+gla").unwrap_err().to_string();
    assert!(found.contains("without zero_shot of its own"), "{found}");
}

/// As in a fold: classes that no training sample counts for.
#[test]
fn the_prior_of_a_class_without_samples_is_the_mean_of_the_others() {
    let mut data = data(1.0);
    let weights = data.train.labels.iter().map(|&label| f64::from(u8::from(label < 4))).collect();
    data.train = data.train.clone().with_weights(weights).unwrap();
    let of = |name: &str| {
        let recipe = methods::find(name).unwrap().recipe;
        let trial = Trial { recipe, seed: 0, stop_after: Some(1) };
        train(&data, &[trial], &Options::default()).unwrap().remove(0).head
    };
    let bias = of("cross-entropy+gla").bias - of("cross-entropy").bias;
    let mean = bias.iter().take(4).sum::<f64>() / 4.0;
    assert!((bias[4] - mean).abs() < 1e-5 && (bias[5] - mean).abs() < 1e-5, "{bias}");
    assert!(bias.iter().all(|b| b.is_finite()) && (bias[0] - bias[1]).abs() > 1e-3, "{bias}");
}

#[test]
fn a_warm_start_from_class_vectors_trains_on_from_them() {
    let data = data(1.0);
    for features in ["as-is", "standardised"] {
        let recipe = methods::find("los").unwrap().recipe;
        let recipe = recipe.with("start", &"class-vectors".into()).unwrap();
        let recipe = recipe.with("features", &features.into()).unwrap();
        let trial = Trial { recipe, seed: 0, stop_after: Some(0) };
        let head = train(&data, &[trial], &Options::default()).unwrap().remove(0).head;
        let vectors = data.class_vectors.as_ref().unwrap();
        assert!((&head.weight - vectors).iter().all(|v| v.abs() < 1e-5), "{features}");
    }
}

#[test]
fn what_does_not_fit_is_refused() {
    let refused = |data: &DataSet, name: &str| {
        let comparison = Comparison::new(data, Selection::Last, vec![0]).unwrap();
        comparison.run(&methods::find(name).unwrap(), &|_| {}).err().unwrap().to_string()
    };
    let of_norm_3 = data(3.0);
    assert!(refused(&of_norm_3, "lr-balanced+zero-shot").contains("norm 1"));
    let mut without = of_norm_3.clone();
    without.class_vectors = None;
    assert!(refused(&without, "zero-shot").contains("a vector for each class"));
    assert!(of_norm_3.clone().with_class_vectors(Array2::ones((D, K))).is_err());
    assert!(of_norm_3.with_class_vectors(Array2::zeros((K, D))).is_err());
}
