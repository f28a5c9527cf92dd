//! What is selected, and what a table says of it.

use serde_json::{Value, json};
use tailfit::compare::{Comparison, RunRecord, Selection, head_sha256};
use tailfit::features::{DataSet, Features};
use tailfit::methods::{self, Method};
use tailfit::metrics::{Accuracy, EvaluationSet, TestPart, evaluate, halves, samples_per_class};
use tailfit::report::{csv, summarise};
use tailfit::shots::ShotThresholds;
use tailfit::train::{Options, Trial, train, train_stage_1};

use crate::support::clusters;

const K: usize = 4;
const D: usize = 5;

/// Classes about means of their own; `key` moves the samples.
fn features(sizes: [usize; K], key: u64) -> Features {
    let (features, labels) = clusters(&sizes, D, 2.5, key);
    Features::new(features, labels).unwrap()
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
        let [head] = &record.heads[..] else { panic!("one head") };
        assert_eq!((&head.recipe, head.epoch), (&recipes[best.1], best.2), "seed {seed}");
        assert_eq!(record.evaluation.n_samples, data.test.len());
        assert_eq!(record.evaluation.accuracy, record.epochs[head.epoch]);
        assert!(!record.selection.optimistic);
        optimism += record.best_on_test.as_ref().unwrap().accuracy.macro_percent
            - record.epochs[head.epoch].macro_percent;
    }
    assert!(optimism > 0.0, "the test set would have chosen as well: nothing is shown");
}

/// A record with these figures in place of a real one's.
fn record(template: &RunRecord, seed: u64, changes: &[(&str, Value)]) -> RunRecord {
    let mut tree = serde_json::to_value(template).unwrap();
    tree["seed"] = json!(seed);
    for (path, value) in changes {
        *tree.pointer_mut(path).unwrap() = value.clone();
    }
    RunRecord::from_json(&tree.to_string(), "record").unwrap()
}

/// Figures one can check by eye.
#[test]
fn a_summary_is_the_mean_over_seeds() {
    let data = data();
    let comparison = Comparison::new(&data, Selection::CrossFitted, vec![0]).unwrap();
    let template = &comparison.run(&method(), &|_| {}).unwrap().records[0];
    let with = |seed, percent: f64, nll: f64, epochs: [usize; 2], claim: f64| {
        record(
            template,
            seed,
            &[
                ("/evaluation/accuracy/overall_percent", json!(percent)),
                ("/evaluation/accuracy/macro_percent", json!(percent - 1.0)),
                ("/evaluation/accuracy/few_percent", json!(percent / 2.0)),
                ("/evaluation/calibration/nll", json!(nll)),
                ("/heads/0/epoch", json!(epochs[0])),
                ("/heads/1/epoch", json!(epochs[1])),
                ("/best_on_test/accuracy/macro_percent", json!(claim)),
            ],
        )
    };
    let mut records = vec![with(0, 41.0, 2.0, [2, 4], 44.0), with(1, 45.0, 3.0, [6, 6], 48.0)];
    let text = csv(&summarise(&records).unwrap());
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

    // What was not made in the same way is not averaged.
    for (change, value, what) in [
        ("/seed", json!(0), "two of one seed"),
        ("/data/train_sha256", json!("0"), "other data"),
        ("/data/stage_1_sha256", json!("0"), "other data"),
        ("/precision", json!("bf16"), "another precision"),
        ("/selection/n_trials", json!(7), "another precision or search"),
        ("/selection/rule", json!("last"), "another selection"),
    ] {
        records.push(record(template, 2, &[(change, value)]));
        let message = summarise(&records).unwrap_err().to_string();
        assert!(message.contains(what), "{message}");
        records.pop();
    }
}

/// Sets on which halves hold other classes than the whole: unbalanced, tiny, with classes missing.
fn awkward() -> Vec<DataSet> {
    [[30, 9, 4, 1], [1, 1, 1, 1], [5, 0, 2, 0], [1, 0, 0, 0]]
        .map(|sizes| {
            let mut data = data();
            data.test = features(sizes, 5);
            data
        })
        .to_vec()
}

/// The same with a given head that divides features by their norms, and has a bias.
fn of_cosine_heads(mut data: DataSet) -> DataSet {
    let head = &mut data.stage_1.as_mut().unwrap().head;
    head.normalise_features = true;
    head.weight *= 4.0;
    head.bias = (0..K).map(|k| 0.5 * k as f64).collect();
    data
}

/// Where there is nothing to choose, comparison is evaluation.
#[test]
fn a_head_that_nobody_chooses_scores_what_evaluation_says() {
    let cosine = awkward().into_iter().map(of_cosine_heads);
    for data in awkward().into_iter().chain(cosine) {
        let head = &data.stage_1.as_ref().unwrap().head;
        let set = EvaluationSet::of(&data.test).unwrap();
        let wanted = evaluate(head, &set, &data.counts, data.thresholds);
        for selection in Selection::ALL {
            let comparison = Comparison::new(&data, selection, vec![0, 1, 2]).unwrap();
            let result = comparison.run(&methods::find("stage-1").unwrap(), &|_| {}).unwrap();
            assert_eq!(result.records.len(), 3);
            assert!(!result.head_record.selection.optimistic);
            for record in &result.records {
                assert_eq!(record.evaluation, wanted);
                assert_eq!(record.best_on_test.as_ref().unwrap().accuracy, wanted.accuracy);
                assert!(!record.selection.optimistic);
            }
        }
    }
}

/// Every sample is scored once, by the head chosen on the other half.
#[test]
fn cross_fitting_scores_each_sample_by_the_head_chosen_on_the_other_half() {
    for data in awkward() {
        let comparison = Comparison::new(&data, Selection::CrossFitted, vec![0, 4]).unwrap();
        let result = comparison.run(&method(), &|_| {}).unwrap();
        let samples = samples_per_class(data.test.labels.iter().copied(), K);
        for record in &result.records {
            let halves = halves(&data.test.labels, None, record.seed);
            let mut hits = vec![0; K];
            for head in &record.heads {
                let trial = Trial {
                    recipe: head.recipe.clone(),
                    seed: record.seed,
                    stop_after: Some(head.epoch),
                };
                let trained = train(&data, &[trial], &Options::default()).unwrap().remove(0).head;
                assert_eq!(head_sha256(&trained), head.sha256);
                let z = trained.logits(data.test.plain.in_memory().unwrap());
                for (row, &label) in data.test.labels.iter().enumerate() {
                    let own = z[[row, label as usize]];
                    let is_hit = z.row(row).iter().enumerate().all(|(k, &z)| {
                        z < own || k == label as usize || (z == own && k > label as usize)
                    });
                    hits[label as usize] +=
                        u32::from(is_hit && head.scored_on.contains(halves[row]));
                }
            }
            let wanted = Accuracy::new(&hits, &samples, &data.counts, data.thresholds);
            assert_eq!(record.evaluation.accuracy, wanted);
            assert_eq!(record.evaluation.n_samples, data.test.len());
            assert!(!record.selection.optimistic && result.head_record.selection.optimistic);
        }
    }
}
