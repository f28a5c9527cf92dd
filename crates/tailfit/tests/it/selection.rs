//! What is selected, and what a table says of it.

use ndarray::Array2;
use serde_json::{Value, json};
use tailfit::compare::{Comparison, RunRecord, Selection};
use tailfit::features::{DataSet, Features};
use tailfit::methods::{self, Method};
use tailfit::metrics::{Accuracy, TestPart, samples_per_class};
use tailfit::report::{csv, summarise};
use tailfit::shots::ShotThresholds;
use tailfit::train::{Options, Trial, train, train_stage_1};

use crate::support::unit;

const K: usize = 4;
const D: usize = 5;

/// Classes about means of their own; `key` moves the samples.
fn features(sizes: [usize; K], key: u64) -> Features {
    let labels: Vec<u32> = sizes.iter().enumerate().flat_map(|(k, &n)| vec![k as u32; n]).collect();
    let value = |(i, j): (usize, usize)| {
        let mean = unit(1, 1, u64::from(labels[i]) * D as u64 + j as u64);
        (mean + 2.5 * unit(1, key, (i * D + j) as u64)) as f32
    };
    Features::new(Array2::from_shape_fn((labels.len(), D), value), labels).unwrap()
}

fn data() -> DataSet {
    let [train, test, validation] =
        [([60, 25, 9, 4], 2), ([20, 20, 20, 20], 3), ([9, 14, 6, 11], 4)]
            .map(|(sizes, key)| features(sizes, key));
    let thresholds = ShotThresholds { many_above: 30, few_below: 10 };
    let mut data = DataSet::new("toy", train, test, Some(validation), None, thresholds).unwrap();
    train_stage_1(&mut data).unwrap();
    data
}

fn method() -> Method {
    let mut method = methods::find("balanced-softmax").unwrap();
    method.recipe.sgd.epochs = 6;
    method.recipe.sgd.batch_size = 16;
    method
}

/// Trial and epoch with the best macro accuracy on the validation set, written out: of equal
/// epochs the later, of equal trials the first, and the start only where nothing is trained.
#[test]
fn validation_selects_by_the_validation_set_alone() {
    let (data, method) = (data(), method());
    let validation = data.validation.as_ref().unwrap();
    let samples = samples_per_class(validation.labels.iter().copied(), K);
    let recipes = method.grid().unwrap();
    let seeds = [0, 7];
    let comparison = Comparison::new(&data, Selection::Validation, seeds.to_vec()).unwrap();
    let result = comparison.run(&method, &|_| {}).unwrap();
    assert_eq!(result.records.len(), 2);
    let mut optimism = 0.0;
    for (record, seed) in result.records.iter().zip(seeds) {
        let trial =
            |r: &tailfit::recipe::Recipe| Trial { recipe: r.clone(), seed, stop_after: None };
        let trials: Vec<Trial> = recipes.iter().map(trial).collect();
        let outcomes = train(&data, &trials, &Options::default()).unwrap();
        let mut best = (f64::NEG_INFINITY, 0, 0);
        for (trial, outcome) in outcomes.iter().enumerate() {
            let mut of_trial = (f64::NEG_INFINITY, 0);
            for (epoch, hits) in outcome.hits.iter().enumerate().skip(1) {
                let hits = hits.validation.as_ref().unwrap().in_part(TestPart::All);
                let score = Accuracy::new(&hits, &samples, &data.counts, data.thresholds);
                if score.macro_percent >= of_trial.0 {
                    of_trial = (score.macro_percent, epoch);
                }
            }
            if of_trial.0 > best.0 {
                best = (of_trial.0, trial, of_trial.1);
            }
        }
        assert_eq!((&record.recipe, record.epoch), (&recipes[best.1], best.2), "seed {seed}");
        assert_eq!(record.evaluation.n_samples, data.test.len());
        assert_eq!(record.evaluation.accuracy, record.epochs[record.epoch]);
        assert!(!record.selection.optimistic);
        optimism +=
            record.best_on_test.accuracy.macro_percent - record.epochs[record.epoch].macro_percent;
    }
    assert!(optimism > 0.0, "the test set would have chosen as well: nothing is shown");
}

/// A record with these figures in place of a real one's.
fn record(template: &RunRecord, seed: u64, part: &str, changes: &[(&str, Value)]) -> RunRecord {
    let mut tree = serde_json::to_value(template).unwrap();
    tree["seed"] = json!(seed);
    tree["selection"]["scored_on"] = json!(part);
    for (path, value) in changes {
        *tree.pointer_mut(path).unwrap() = value.clone();
    }
    RunRecord::from_json(&tree.to_string(), "record").unwrap()
}

/// Halves are averaged within a seed, then seeds: figures one can check by eye.
#[test]
fn a_summary_is_the_mean_over_seeds_of_the_means_over_halves() {
    let data = data();
    let comparison = Comparison::new(&data, Selection::CrossFitted, vec![0]).unwrap();
    let template = &comparison.run(&method(), &|_| {}).unwrap().records[0];
    let with = |seed, part, percent: f64, nll: f64, epoch: usize, claim: f64| {
        record(
            template,
            seed,
            part,
            &[
                ("/evaluation/accuracy/overall_percent", json!(percent)),
                ("/evaluation/accuracy/macro_percent", json!(percent - 1.0)),
                ("/evaluation/accuracy/few_percent", json!(percent / 2.0)),
                ("/evaluation/calibration/nll", json!(nll)),
                ("/epoch", json!(epoch)),
                ("/best_on_test/accuracy/macro_percent", json!(claim)),
            ],
        )
    };
    let records = [
        with(0, "half-a", 40.0, 1.0, 2, 44.0),
        with(0, "half-b", 42.0, 2.0, 4, 44.0),
        with(1, "half-a", 44.0, 3.0, 6, 48.0),
        with(1, "half-b", 46.0, 4.0, 6, 48.0),
    ];
    let text = csv(&summarise(&records));
    let lines: Vec<Vec<&str>> = text.lines().map(|line| line.split(',').collect()).collect();
    let [names, values] = &lines[..] else { panic!("{text}") };
    let of = |name: &str| values[names.iter().position(|n| *n == name).unwrap()];
    assert_eq!(names.len(), values.len());
    for (name, wanted) in [
        ("method", "balanced-softmax"),
        ("selection", "cross-fitted"),
        ("optimistic", "false"),
        ("seeds", "2"),
        ("trials", "20"),
        ("overall_percent", "43"),
        ("macro_percent", "42"),
        ("few_percent", "21.5"),
        ("nll", "2.5"),
        ("epoch", "4.5"),
        ("epochs", "6"),
        ("best_on_test_percent", "46"),
        ("best_seed_percent", "45"),
    ] {
        assert_eq!(of(name), wanted, "{name}");
    }
    // Seeds of 41 and 45 percent: √((2² + 2²) / 1).
    assert!((of("overall_sd").parse::<f64>().unwrap() - 8_f64.sqrt()).abs() < 1e-12);
}
