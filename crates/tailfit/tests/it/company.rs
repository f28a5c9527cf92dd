//! Trials in company, and those that see features as the given head does.

use std::collections::HashMap;

use ndarray::{Array1, Array2, Axis};
use serde_json::json;
use tailfit::features::HeadFile;
use tailfit::head::Head;
use tailfit::recipe::Recipe;
use tailfit::train::{Options, Trial, train_in_f64};

use crate::conditioning::{K, data, features, head, recipe};

/// Trials that see features differently share nothing, in whatever company and order they train.
#[test]
fn trials_train_as_if_alone() {
    let (features, labels) = features();
    let data = data(features, labels);
    let zero = [("start", json!("zero")), ("epochs", json!(2)), ("lr", json!(1e-3))];
    let standardised = recipe(&zero).with("features", &json!("standardised")).unwrap();
    let balanced = standardised.with("feature_statistics", &json!("class-balanced")).unwrap();
    let means = |of: &Recipe| {
        let recipe = of.with("start", &json!("class-means")).unwrap();
        recipe.with("epochs", &json!(0)).unwrap()
    };
    // The features as they are come first with a trial of another start.
    let areas = standardised.with("class_weights", &json!("effective-area")).unwrap();
    let recipes = [
        standardised.clone(),
        balanced.clone(),
        areas,
        means(&Recipe::PLAIN),
        means(&balanced),
        means(&standardised),
    ];
    let trials = recipes.clone().map(|recipe| Trial { recipe, seed: 3, stop_after: None });
    let together = train_in_f64(&data, &trials, &Options::default()).unwrap();
    for (outcome, recipe) in together.iter().zip(&recipes) {
        assert_eq!(outcome.head, head(&data, recipe), "{recipe:?}");
    }
    assert_ne!(together[0].head, together[1].head);
}

/// Heads that start from one that divides features by their norms see them so: they are those trained
/// on features divided outside, from the same head as a linear layer.
#[test]
fn a_start_that_normalises_features_trains_on_normalised_ones() {
    let (features, labels) = features();
    let x = features.slice(ndarray::s![.., ..4]).to_owned();
    let norms = x.mapv(|v| v * v).sum_axis(Axis(1)).mapv(f32::sqrt).insert_axis(Axis(1));
    let (mut inside, mut outside) = (data(x.clone(), labels.clone()), data(&x / &norms, labels));
    let weight = Array2::from_shape_fn((K, 4), |(k, j)| if k == j { 5.0 } else { 0.3 * k as f64 });
    let mut given = Head::linear(weight, Array1::from(vec![0.2, -0.1, 0.4]));
    let file = |head: &Head| HeadFile::new(head.clone(), "fc", HashMap::new());
    outside.stage_1 = Some(file(&given));
    given.normalise_features = true;
    inside.stage_1 = Some(file(&given));
    for changes in [
        vec![("epochs", json!(0))],
        vec![("epochs", json!(0)), ("normalise", json!({"tau": 1.0, "bias": "drop"}))],
        vec![("epochs", json!(3)), ("lr", json!(0.1))],
        vec![("epochs", json!(3)), ("lr", json!(0.1)), ("features", json!("standardised"))],
        vec![("epochs", json!(3)), ("lr", json!(0.1)), ("head", json!("scaled"))],
    ] {
        let recipe = recipe(&changes);
        let (found, wanted) = (head(&inside, &recipe), head(&outside, &recipe));
        assert!(found.normalise_features && !wanted.normalise_features);
        let (a, b) = (found.logits(x.view()), wanted.logits((&x / &norms).view()));
        let size = b.iter().fold(0.0_f64, |size, z| size.max(z.abs()));
        let off = (a - b).iter().fold(0.0_f64, |most, z| most.max(z.abs())) / size;
        // Features divided outside were rounded to f32.
        assert!(off < 1e-4, "{changes:?}: {off:e}");
    }
    // What starts elsewhere sees features as they are.
    let zero = recipe(&[("start", json!("zero")), ("epochs", json!(1))]);
    assert!(!head(&inside, &zero).normalise_features);
}
