//! Features that are centred, standardised or whitened in training, and heads folded back.

use ndarray::{Array1, Array2, Axis};
use serde_json::{Value, json};
use tailfit::compare::{Comparison, Selection};
use tailfit::features::{DataSet, Features};
use tailfit::head::Head;
use tailfit::methods;
use tailfit::recipe::Recipe;
use tailfit::report::{summarise, summary_table};
use tailfit::rng::{Purpose, Rng};
use tailfit::shots::ShotThresholds;
use tailfit::train::{Options, Trial, train, train_in_f64, train_stage_1};

pub(crate) const K: usize = 3;

/// Features with an offset, of very different sizes, one of them constant.
pub(crate) fn features() -> (Array2<f32>, Vec<u32>) {
    let mut rng = Rng::new(9, Purpose::Start, 0);
    let labels: Vec<u32> = (0..120).map(|i| if i < 70 { 0 } else { 1 + (i % 2) }).collect();
    let scale = [1.0, 1e-3, 40.0, 5.0, 0.0];
    let features = Array2::from_shape_fn((labels.len(), scale.len()), |(i, j)| {
        let own = if j == labels[i] as usize { 1.5 } else { 0.0 };
        (scale[j] * (own + rng.uniform() - 0.5) + [3.0, 0.5, -70.0, 0.0, 7e4][j]) as f32
    });
    (features, labels)
}

pub(crate) fn data(features: Array2<f32>, labels: Vec<u32>) -> DataSet {
    let set = || Features::new(features.clone(), labels.clone()).unwrap();
    DataSet::new("rough", set(), set(), None, None, ShotThresholds::default()).unwrap()
}

pub(crate) fn recipe(changes: &[(&str, Value)]) -> Recipe {
    changes.iter().fold(Recipe::PLAIN, |recipe, (key, value)| recipe.with(key, value).unwrap())
}

pub(crate) fn head(data: &DataSet, recipe: &Recipe) -> Head {
    let trial = Trial { recipe: recipe.clone(), seed: 3, stop_after: None };
    train_in_f64(data, &[trial], &Options::default()).unwrap().remove(0).head
}

/// The logits of two heads, up to the shift that classes share, relative to their spread.
fn apart(a: &Head, b: &Head, on: &Array2<f32>) -> f64 {
    let centred = |head: &Head| {
        let z = head.logits(on.view());
        &z - &z.mean_axis(Axis(1)).unwrap().insert_axis(Axis(1))
    };
    let (a, b) = (centred(a), centred(b));
    let size = a.iter().fold(0.0_f64, |size, z| size.max(z.abs()));
    (a - b).iter().fold(0.0_f64, |most, z| most.max(z.abs())) / size
}

/// The features standardised here, outside the program.
fn standardised(features: &Array2<f32>) -> Array2<f32> {
    let wide = features.mapv(f64::from);
    let (mean, deviation) = (wide.mean_axis(Axis(0)).unwrap(), wide.std_axis(Axis(0), 0.0));
    let deviation = deviation.mapv(|d| if d > 0.0 { d } else { 1.0 });
    ((wide - mean) / deviation).mapv(|v| v as f32)
}

fn all() -> [Value; 4] {
    let whitened = |shrinkage: f64| json!({"whitened": {"shrinkage": shrinkage}});
    [json!("centred"), json!("standardised"), whitened(0.01), whitened(1.0)]
}

#[test]
fn a_warm_start_is_the_stage_1_head_whatever_the_features() {
    let (features, labels) = features();
    let mut data = data(features.clone(), labels);
    train_stage_1(&mut data).unwrap();
    let stage_1 = data.stage_1.clone().unwrap().head;
    for conditioning in all() {
        let recipe = recipe(&[("features", conditioning.clone()), ("epochs", json!(0))]);
        let off = apart(&head(&data, &recipe), &stage_1, &features);
        assert!(off < 1e-9, "{conditioning}: {off:e}");
    }
}

#[test]
fn standardised_is_training_on_standardised_features() {
    let (features, labels) = features();
    let outside = data(standardised(&features), labels.clone());
    let inside = data(features.clone(), labels);
    for (solver, start) in [("sgd", "random"), ("sgd", "class-means"), ("lbfgs", "zero")] {
        let changes = [("solver", json!(solver)), ("start", json!(start))];
        let more = [("weight_decay", json!(1e-2)), ("epochs", json!(3))];
        let plain = recipe(&[&changes[..], &more].concat());
        let wanted = head(&outside, &plain);
        let found = head(&inside, &plain.with("features", &json!("standardised")).unwrap());
        let (a, b) = (found.logits(features.view()), wanted.logits(standardised(&features).view()));
        let off = (a - b).iter().fold(0.0_f64, |most, z| most.max(z.abs()));
        // Features standardised outside were rounded to f32.
        assert!(off < 2e-5, "{solver} {start}: {off:e}");
    }
}

/// The gate is folded back as the layer is.
#[test]
fn a_gate_on_standardised_features_is_that_trained_on_features_standardised_outside() {
    let (features, labels) = features();
    let (mut outside, mut inside) =
        (data(standardised(&features), labels.clone()), data(features.clone(), labels));
    train_stage_1(&mut inside).unwrap();
    // The same head, as the features outside want it.
    let mut file = inside.stage_1.clone().unwrap();
    let wide = features.mapv(f64::from);
    let (mean, deviation) = (wide.mean_axis(Axis(0)).unwrap(), wide.std_axis(Axis(0), 0.0));
    file.head.bias = &file.head.bias + &file.head.weight.dot(&mean);
    file.head.weight *= &deviation.mapv(|d| if d > 0.0 { d } else { 1.0 });
    outside.stage_1 = Some(file);
    let plain = recipe(&[("head", json!("gated")), ("epochs", json!(3)), ("lr", json!(0.1))]);
    let wanted = head(&outside, &plain);
    let found = head(&inside, &plain.with("features", &json!("standardised")).unwrap());
    let [a, b] = [&found, &wanted].map(|head| head.gate.as_ref().unwrap().bias);
    assert!(a != 0.0 && b != 0.0, "the gates are trained");
    let (a, b) = (found.logits(features.view()), wanted.logits(standardised(&features).view()));
    let off = (a - b).iter().fold(0.0_f64, |most, z| most.max(z.abs()));
    assert!(off < 2e-4, "{off:e}");
}

/// A free bias takes up any offset.
#[test]
fn centring_does_not_move_an_optimum_whose_bias_is_free() {
    let (features, labels) = features();
    let data = data(features.slice(ndarray::s![.., ..4]).to_owned(), labels);
    let changes = [
        ("solver", json!("lbfgs")),
        ("start", json!("zero")),
        ("gap", json!(1e-20)),
        ("decay_bias", json!(false)),
        ("weight_decay", json!(1e-2)),
    ];
    let on = features.slice(ndarray::s![.., ..4]).to_owned();
    // Of those that scales cannot tell apart, too.
    for loss in ["cross-entropy", "vector-scaling"] {
        let plain = recipe(&changes).with("loss", &json!({"name": loss})).unwrap();
        let centred = plain.with("features", &json!("centred")).unwrap();
        let off = apart(&head(&data, &plain), &head(&data, &centred), &on);
        assert!(off < 1e-7, "{loss}: {off:e}");
    }
}

/// wₖ = S⁻¹ μₖ, bₖ = −½ μₖᵀ S⁻¹ μₖ with S computed here.
#[test]
fn class_means_on_whitened_features_are_linear_discriminant_analysis() {
    let (features, labels) = features();
    let x = features.slice(ndarray::s![.., ..4]).mapv(f64::from);
    let data = data(x.mapv(|v| v as f32), labels.clone());
    let shrinkage = 0.05;
    let recipe = recipe(&[
        ("features", json!({"whitened": {"shrinkage": shrinkage}})),
        ("start", json!("class-means")),
        ("epochs", json!(0)),
    ]);
    let found = head(&data, &recipe);
    let of_class = |k: usize| -> Vec<usize> {
        (0..labels.len()).filter(|&i| labels[i] as usize == k).collect()
    };
    let means: Vec<Array1<f64>> =
        (0..K).map(|k| x.select(Axis(0), &of_class(k)).mean_axis(Axis(0)).unwrap()).collect();
    let mut s = Array2::<f64>::zeros((4, 4));
    for (row, &label) in x.rows().into_iter().zip(&labels) {
        let off = (&row - &means[label as usize]).insert_axis(Axis(1));
        s += &(off.dot(&off.t()) / labels.len() as f64);
    }
    let trace = s.diag().sum();
    s = (1.0 - shrinkage) * s + shrinkage * trace / 4.0 * Array2::<f64>::eye(4);
    // S W = M, rather than an inverse.
    for (i, a) in means.iter().enumerate() {
        for (k, b) in means.iter().enumerate() {
            let between = &found.weight.row(i) - &found.weight.row(k);
            let off = s.dot(&between) - (a - b);
            let size = (a - b).mapv(f64::abs).sum() + 1e-12;
            assert!(off.mapv(f64::abs).sum() < 1e-6 * size, "{off}");
            // Halfway between two means, both are equally near.
            let middle = (a + b) / 2.0;
            let tie = between.dot(&middle) + found.bias[i] - found.bias[k];
            assert!(tie.abs() < 1e-4, "{tie:e}");
        }
    }
}

/// Statistics that count classes alike do not see how often the samples of a class are repeated.
#[test]
fn class_balanced_statistics_do_not_see_class_frequencies() {
    let (features, labels) = features();
    let often = |class: u32| [1, 5, 2][class as usize];
    let rows: Vec<usize> =
        (0..labels.len()).flat_map(|row| std::iter::repeat_n(row, often(labels[row]))).collect();
    let repeated: Vec<u32> = rows.iter().map(|&row| labels[row]).collect();
    let (once, again) =
        (data(features.clone(), labels), data(features.select(Axis(0), &rows), repeated));
    for conditioning in all() {
        let off = |statistics: &str| {
            let recipe = recipe(&[
                ("features", conditioning.clone()),
                ("feature_statistics", json!(statistics)),
                ("start", json!("class-means")),
                ("epochs", json!(0)),
            ]);
            apart(&head(&once, &recipe), &head(&again, &recipe), &features)
        };
        assert!(off("class-balanced") < 1e-9, "{conditioning}: {:e}", off("class-balanced"));
        // Class means about another mean are the same classifier.
        assert_eq!(off("samples") > 1e-3, conditioning != json!("centred"), "{conditioning}");
    }
    // Nothing to count on features as they are.
    let plain = recipe(&[("solver", json!("lbfgs")), ("start", json!("zero"))]);
    let balanced = plain.with("feature_statistics", &json!("class-balanced")).unwrap();
    assert_eq!(head(&once, &plain), head(&once, &balanced));
    assert!(plain.with("feature_statistics", &json!("balanced")).is_err());
}

/// With one sample a class no class varies: linear discriminant analysis is then the nearest mean, and
/// not what rounding makes of a covariance of zero.
#[test]
fn classes_of_one_sample_whiten_nothing() {
    let x = ndarray::array![[1.0_f32, 70.3], [-2.0, 70.1], [0.5, 69.0]];
    let data = data(x.clone(), vec![0, 1, 2]);
    let recipe = recipe(&[
        ("features", json!({"whitened": {"shrinkage": 1e-4}})),
        ("start", json!("class-means")),
        ("epochs", json!(0)),
    ]);
    let found = head(&data, &recipe);
    let mean = x.mapv(f64::from).mean_axis(Axis(0)).unwrap();
    let about = x.mapv(f64::from) - &mean;
    let nearest = Head::linear(
        about.clone(),
        about.rows().into_iter().map(|row| -0.5 * row.dot(&row) - row.dot(&mean)).collect(),
    );
    assert!(apart(&found, &nearest, &x) < 1e-5, "{found:?}");
}

#[test]
fn a_cosine_head_stays_on_features_as_they_are() {
    let (features, labels) = features();
    let data = data(features, labels);
    let cosine =
        recipe(&[("start", json!("random")), ("head", json!({"cosine": {"scale": 10.0}}))]);
    assert!(cosine.with("features", &json!("standardised")).is_err());
    let message = Recipe::PLAIN.with("features", &json!("standardized")).unwrap_err().to_string();
    assert!(message.contains("standardised"), "{message}");
    let whitened = |s: f64| Recipe::PLAIN.with("features", &json!({"whitened": {"shrinkage": s}}));
    assert!(whitened(0.5).is_ok() && whitened(0.0).is_err() && whitened(1.5).is_err());
    // The nearest mean by cosine, in f32.
    let nearest = recipe(&[
        ("start", json!("class-means")),
        ("head", json!({"cosine": {"scale": 10.0}})),
        ("epochs", json!(0)),
    ]);
    let trial = Trial { recipe: nearest, seed: 0, stop_after: None };
    let found = train(&data, &[trial], &Options::default()).unwrap().remove(0).head;
    assert!(found.normalise_features && found.is_finite());
}

#[test]
fn a_table_says_which_methods_saw_standardised_features() {
    let (features, labels) = features();
    let data = data(features, labels);
    let comparison = Comparison::new(&data, Selection::Last, vec![0]).unwrap();
    let notes = |seen: [&str; 2]| {
        let ran = ["lr-balanced", "ridge"].iter().zip(seen).flat_map(|(name, seen)| {
            let mut method = methods::find(name).unwrap();
            method.recipe = method.recipe.with("features", &json!(seen)).unwrap();
            comparison.run(&method, &|_| {}).unwrap().records
        });
        let records: Vec<_> = ran.collect();
        let table = summary_table(&summarise(&records).unwrap(), &records[0].data);
        table
            .notes
            .into_iter()
            .filter(|note| note.contains("standardised features:"))
            .collect::<Vec<_>>()
    };
    let says = |who: &str| vec![format!("Mostly trained on standardised features: {who}.")];
    assert_eq!(notes(["as-is", "centred"]), Vec::<String>::new());
    assert_eq!(notes(["as-is", "standardised"]), says("ridge"));
    assert_eq!(notes(["standardised", "standardised"]), says("all methods"));
}
