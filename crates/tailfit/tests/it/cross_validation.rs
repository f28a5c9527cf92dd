//! Selection by folds of the training set.

use tailfit::compare::{Comparison, MethodResult, Selection, replay};
use tailfit::features::{DataSet, Features};
use tailfit::methods::{self, Method};
use tailfit::shots::ShotThresholds;
use tailfit::train::train_stage_1;

use crate::support::clusters;

const D: usize = 5;

/// Classes about means of their own; the last has one sample.
fn features(sizes: &[usize], key: u64) -> Features {
    let (features, labels) = clusters(sizes, D, 2.5, key);
    Features::new(features, labels).unwrap()
}

fn data(test_key: u64) -> DataSet {
    let (train, test) = (features(&[60, 25, 9, 1], 2), features(&[20, 20, 20, 20], test_key));
    let mut data = DataSet::new("toy", train, test, None, None, ShotThresholds::default()).unwrap();
    train_stage_1(&mut data).unwrap();
    data
}

fn method() -> Method {
    let mut method = methods::find("balanced-softmax").unwrap();
    method.recipe.sgd.epochs = 6;
    method.recipe.sgd.batch_size = 16;
    method
}

fn run(data: &DataSet) -> MethodResult {
    let comparison = Comparison::new(data, Selection::CrossValidated, vec![0, 1]).unwrap();
    assert_eq!((comparison.unjudged_classes(), comparison.thinly_judged_classes()), (1, 0));
    comparison.run(&method(), &|_| {}).unwrap()
}

#[test]
fn classes_with_few_samples_are_counted() {
    let (train, test) = (features(&[60, 25, 3, 1, 5], 2), features(&[9, 9, 9, 9, 9], 3));
    let mut data = DataSet::new("toy", train, test, None, None, ShotThresholds::default()).unwrap();
    train_stage_1(&mut data).unwrap();
    let of = |selection| {
        let comparison = Comparison::new(&data, selection, vec![0]).unwrap();
        (comparison.unjudged_classes(), comparison.thinly_judged_classes())
    };
    assert_eq!((of(Selection::CrossValidated), of(Selection::Last)), ((1, 1), (0, 0)));
}

/// Another test set changes no choice, so the head is the same bit for bit; what is chosen is the best
/// of the grid in the folds, and the score is no part of it.
#[test]
fn folds_choose_and_the_test_set_only_scores() {
    let (one, other) = (data(3), data(4));
    let (a, b) = (run(&one), run(&other));
    assert_eq!(a.head, b.head);
    for (a, b) in a.records.iter().zip(&b.records) {
        assert_eq!(a.heads, b.heads);
        assert_ne!(a.evaluation, b.evaluation);
        assert!(!a.selection.optimistic && a.selection.n_trials == 20);
        // Of three classes with samples in folds: a class mean of theirs.
        let percent = a.heads[0].validation_percent.unwrap();
        assert!(percent > 100.0 / 3.0 && percent <= 100.0, "{percent}");
    }
    let (heads, again) = replay(&one, &a.records[0], &|_| {}).unwrap();
    assert_eq!(heads[0], a.head);
    assert_eq!(again.evaluation, a.records[0].evaluation);
    assert_eq!(again.heads, a.records[0].heads);
}

/// A validation set that there is besides changes nothing.
#[test]
fn folds_choose_alone() {
    let one = data(3);
    let mut other = one.clone();
    other.validation = Some(features(&[5, 5, 5, 5], 6));
    other.validation_in_test = 3;
    let (a, b) = (run(&one), run(&other));
    assert_eq!(a.head, b.head);
    assert_eq!(a.records[0].heads, b.records[0].heads);
    assert!(!b.records[0].selection.optimistic, "a set without a say makes no score too good");
}

#[test]
fn one_sample_of_each_class_leaves_nothing_to_choose_by() {
    let single = || features(&[1, 1, 1], 2);
    let data =
        DataSet::new("toy", single(), single(), None, None, ShotThresholds::default()).unwrap();
    let refused = Comparison::new(&data, Selection::CrossValidated, vec![0]).err().unwrap();
    assert!(refused.to_string().contains("at least two training samples"), "{refused}");
}
