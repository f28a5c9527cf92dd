//! Successive halving: what it spends, and that it looks at nothing it will be scored on.

use std::sync::atomic::{AtomicUsize, Ordering};

use ndarray::Array2;
use serde_json::json;
use tailfit::compare::{Comparison, Effort, RunRecord, Selection};
use tailfit::features::{DataSet, Features};
use tailfit::groups::Groups;
use tailfit::methods::{self, Method};
use tailfit::metrics::{TestPart, halves};
use tailfit::shots::ShotThresholds;
use tailfit::train::train_stage_1;

use crate::support::unit;

const K: usize = 6;

fn features(sizes: [usize; K], key: u64) -> (Array2<f32>, Vec<u32>) {
    let labels: Vec<u32> = sizes.iter().enumerate().flat_map(|(k, &n)| vec![k as u32; n]).collect();
    let value = |(i, j): (usize, usize)| {
        let mean = unit(3, 1, u64::from(labels[i]) * 8 + j as u64);
        (mean + 2.0 * unit(3, key, (8 * i + j) as u64)) as f32
    };
    (Array2::from_shape_fn((labels.len(), 8), value), labels)
}

fn data(test: (Array2<f32>, Vec<u32>)) -> DataSet {
    grouped(test, None)
}

fn grouped(test: (Array2<f32>, Vec<u32>), groups: Option<&Groups>) -> DataSet {
    let (x, y) = features([80, 50, 30, 15, 8, 4], 2);
    let (train, mut test) = (Features::new(x, y).unwrap(), Features::new(test.0, test.1).unwrap());
    test.groups = groups.cloned();
    let mut data = DataSet::new("toy", train, test, None, None, ShotThresholds::default()).unwrap();
    train_stage_1(&mut data).unwrap();
    data
}

fn method() -> Method {
    methods::find("balanced-softmax").unwrap().with_conditioning()
}

fn run(data: &DataSet, effort: Effort, seed: u64) -> (RunRecord, usize) {
    let spent = AtomicUsize::new(0);
    let comparison =
        Comparison::new(data, Selection::CrossFitted, vec![seed]).unwrap().with_effort(effort);
    let count = |done| _ = spent.fetch_add(done, Ordering::Relaxed);
    let mut result = comparison.run(&method(), &count).unwrap();
    (result.records.remove(0), spent.into_inner())
}

/// The head scored on half B is chosen on half A: no change to half B may change it.
#[test]
fn halving_never_looks_at_the_half_it_is_scored_on() {
    let (x, y) = features([25; K], 5);
    // Every other seed with groups of seven samples, across classes.
    let groups = Groups::new((0..y.len()).map(|row| row * 13 % y.len() / 7));
    let groups = |seed: u64| (seed % 2 == 1).then_some(&groups);
    let chosen_on_a = |test: Array2<f32>, effort: Effort, seed: u64| {
        let (record, _) = run(&grouped((test, y.clone()), groups(seed)), effort, seed);
        let head = record.heads.into_iter().find(|head| head.scored_on == TestPart::HalfB);
        let head = head.unwrap();
        (head.recipe, head.epoch, head.sha256)
    };
    for seed in 0..8 {
        let half = halves(&y, groups(seed), seed);
        let mut changed = x.clone();
        for (i, mut row) in changed.rows_mut().into_iter().enumerate() {
            if half[i] == 1 {
                row.mapv_inplace(|value| -3.0 * value);
            }
        }
        for effort in Effort::ALL {
            let [before, after] =
                [&x, &changed].map(|test| chosen_on_a(test.clone(), effort, seed));
            assert_eq!(before, after, "{}, seed {seed}", effort.name());
        }
    }
}

/// Trials that diverge at once have only the start to show, which is not what they are ranked by.
#[test]
fn halving_does_not_keep_what_diverges() {
    let data = data(features([25; K], 5));
    let rates = (1..=9).map(|i| json!(1e30 * f64::from(i))).chain([json!(1e-12)]).collect();
    let recipe = methods::find("cross-entropy").unwrap().recipe;
    let recipe = recipe.with("weight_decay", &json!(0.5)).unwrap();
    let method = Method::new("wild", "", recipe, [("lr".to_owned(), rates)]);
    for effort in Effort::ALL {
        let comparison = Comparison::new(&data, Selection::CrossFitted, vec![0]).unwrap();
        let result = comparison.with_effort(effort).run(&method, &|_| {}).unwrap();
        let heads = &result.records[0].heads;
        assert!(heads.iter().all(|head| head.recipe.sgd.lr == 1e-12), "{}", effort.name());
    }
}

#[test]
fn halving_spends_less_and_says_so() {
    let data = data(features([25; K], 5));
    let [quick, standard, thorough, full] = Effort::ALL.map(|effort| run(&data, effort, 4));
    assert_eq!(full.1, 40 * 20);
    assert!(quick.1 < standard.1 && standard.1 < full.1 * 2 / 5, "{} {}", quick.1, standard.1);
    assert_eq!((quick.0.selection.n_trials, standard.0.selection.n_trials), (4, 40));
    let [.., in_standard, in_thorough, in_full] =
        [&quick, &standard, &thorough, &full].map(|(record, _)| record.selection.n_beyond);
    // Two steps for each axis and choice at most, of which there are three with the head to use.
    assert!(in_standard <= 12, "{:?}", standard.0.selection);
    assert!(in_thorough > 0 && in_full == 0);
    assert_eq!(thorough.1, full.1 + 20 * in_thorough);
    for (record, trained) in [&quick, &standard, &thorough, &full] {
        assert_eq!(record.selection.head_epochs, Some(*trained), "{:?}", record.selection);
    }
    let json = |record: &RunRecord| record.to_json();
    assert!(json(&standard.0).contains("\"effort\": \"standard\""));
    assert!(!json(&full.0).contains("\"effort\""), "as in records of earlier versions");
    // The whole course of what was chosen is there.
    assert_eq!(standard.0.epochs.len(), 21);
}

/// Folds are trained too, and a solver has no epochs.
#[test]
fn head_epochs_are_those_of_all_that_is_trained() {
    let data = data(features([25; K], 5));
    let spent = |name: &str, axes: Vec<(String, Vec<serde_json::Value>)>| {
        let recipe = methods::find(name).unwrap().recipe;
        let method = Method::new(name, "", recipe, axes);
        let comparison = Comparison::new(&data, Selection::CrossValidated, vec![0]).unwrap();
        let result = comparison.with_effort(Effort::Full).run(&method, &|_| {}).unwrap();
        result.records[0].selection.head_epochs
    };
    let rates = vec![("lr".to_owned(), vec![json!(0.01), json!(0.1)])];
    assert_eq!(spent("cross-entropy", rates), Some(2 * 20 * (1 + 5)), "two trials, five folds");
    let decays = vec![("weight_decay".to_owned(), vec![json!(0.1), json!(0.01)])];
    assert_eq!(spent("ridge", decays), Some(0));
}
