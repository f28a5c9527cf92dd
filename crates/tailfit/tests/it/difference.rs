//! Whether a test set can tell two methods apart.

use tailfit::compare::{Comparison, RunRecord, Selection};
use tailfit::features::{DataSet, Features};
use tailfit::methods;
use tailfit::metrics::Right;
use tailfit::report::{Difference, summarise, summary_table};
use tailfit::shots::ShotThresholds;
use tailfit::train::train_stage_1;

use crate::support::clusters;

fn records(name: &str, seeds: u64) -> Vec<RunRecord> {
    let data = DataSet::embedded(ShotThresholds::default()).unwrap();
    let comparison = Comparison::new(&data, Selection::Last, (0..seeds).collect()).unwrap();
    comparison.run(&methods::find(name).unwrap(), &|_| {}).unwrap().records
}

fn named(mut records: Vec<RunRecord>, name: &str) -> Vec<RunRecord> {
    for record in &mut records {
        name.clone_into(&mut record.method);
    }
    records
}

fn differences(records: &[RunRecord]) -> Vec<Option<Difference>> {
    summarise(records).unwrap().iter().map(|row| row.difference).collect()
}

#[test]
fn the_interval_is_that_of_the_paired_differences() {
    let (worse, better) = (records("stage-1", 1), records("logit-adjustment", 1));
    let found = differences(&[worse.clone(), better.clone()].concat());
    assert_eq!(found[1], None, "the best is not compared with itself");
    let found = found[0].unwrap();
    let percent = |records: &[RunRecord]| records[0].evaluation.accuracy.macro_percent;
    assert!((found.points - (percent(&worse) - percent(&better))).abs() < 1e-9);
    // Of equally many samples in each class, the class mean is the mean.
    let each = |records: &[RunRecord]| records[0].evaluation.right.each().unwrap();
    let right = each(&worse).iter().filter(|right| **right).count();
    assert!((right as f64 / 100.0 - percent(&worse)).abs() < 1e-9);
    let pairs = each(&worse).into_iter().zip(each(&better));
    let apart: Vec<f64> =
        pairs.map(|(a, b)| 100.0 * (f64::from(u8::from(a)) - f64::from(u8::from(b)))).collect();
    let n = apart.len() as f64;
    let mean = apart.iter().sum::<f64>() / n;
    let variance = apart.iter().map(|d| (d - mean).powi(2)).sum::<f64>() / n;
    let half = 1.96 * (variance / n).sqrt();
    for (end, wanted) in [(found.low, mean - half), (found.high, mean + half)] {
        assert!((end - wanted).abs() < 0.15 * half, "{end} {wanted} ± {half}");
    }
    assert!(found.high < 0.0, "logit adjustment is measurably better here");
}

#[test]
fn what_is_the_same_differs_by_nothing() {
    let one = records("tau-norm", 2);
    let found = differences(&[one.clone(), named(one.clone(), "again")].concat());
    let none = Difference { points: 0.0, low: 0.0, high: 0.0 };
    assert_eq!(found, [None, Some(none)]);
    // Seeds go by their numbers, and other seeds are compared with nothing.
    let mut turned = named(one.clone(), "turned");
    turned.reverse();
    assert_eq!(differences(&[one.clone(), turned].concat()), [None, Some(none)]);
    let mut others = named(one.clone(), "others");
    others[1].seed = 7;
    assert_eq!(differences(&[one.clone(), others].concat()), [None, None]);
    // Records that do not say which samples were right are compared with nothing.
    let mut old = named(one.clone(), "old");
    for record in &mut old {
        record.evaluation.right = Right::default();
    }
    assert_eq!(differences(&[one, old].concat()), [None, None]);
}

/// Ranks say what pairs do, and class means are as uncertain as the test set is small.
#[test]
fn a_standing_is_what_all_pairs_leave_open() {
    let names = ["stage-1", "logit-adjustment", "tau-norm", "lda"];
    let all: Vec<RunRecord> = names.iter().flat_map(|name| records(name, 1)).collect();
    let rows = summarise(&all).unwrap();
    let ranks: Vec<(usize, usize)> = rows.iter().map(|row| row.standing.unwrap().ranks).collect();
    // Post-hoc rules lead, and the head as it was given is last, as the intervals of the pairs say.
    assert_eq!((ranks[0], ranks[3]), ((4, 4), (3, 3)));
    for pair in [[0, 3], [1, 2], [1, 0], [2, 3]] {
        let two: Vec<RunRecord> = pair.iter().flat_map(|&row| records(names[row], 1)).collect();
        let difference = differences(&two).into_iter().flatten().next().unwrap();
        let level = difference.high >= 0.0;
        let [a, b] = pair.map(|row| ranks[row]);
        let overlap = a.0 <= b.1 && b.0 <= a.1;
        assert_eq!(level, overlap, "{pair:?}: {difference:?}, {a:?}, {b:?}");
    }
    // 10,000 samples: about 1.96 √(.24 / 10,000), a little less as classes are drawn by themselves.
    for row in &rows {
        let (low, high) = row.standing.unwrap().class_mean;
        let mean = row.mean(|record| Some(record.evaluation.accuracy.macro_percent));
        assert!((high - low) / 2.0 > 0.6 && (high - low) / 2.0 < 1.0, "{low} {high}");
        assert!((0.5 * (low + high) - mean).abs() < 0.1, "{low} {mean} {high}");
    }
    let alone = records("tau-norm", 1);
    let row = &summarise(&alone).unwrap()[0];
    assert_eq!(row.standing.unwrap().ranks, (1, 1));
    // Nothing to compare it with; how far off it may be stands there all the same.
    let table = summary_table(std::slice::from_ref(row), &alone[0].data);
    let has = |name: &str| table.columns.iter().any(|column| column == name);
    assert!(has("95 %") && !has("rank") && !has("to the best"), "{:?}", table.columns);
}

/// Of classes with a single test sample many resamples have none; the interval is about the difference all the
/// same.
#[test]
fn rare_classes_do_not_move_the_interval() {
    let set = |sizes: &[usize], key: u64| {
        let (features, labels) = clusters(sizes, 8, 1.0, key);
        Features::new(features, labels).unwrap()
    };
    let sizes = |common: usize, rare: usize| [[common; 5].as_slice(), &[rare; 25]].concat();
    let (train, test) = (set(&sizes(200, 4), 2), set(&sizes(80, 1), 3));
    let mut data =
        DataSet::new("made", train, test, None, None, ShotThresholds::default()).unwrap();
    train_stage_1(&mut data).unwrap();
    let comparison = Comparison::new(&data, Selection::Last, vec![0]).unwrap();
    let records: Vec<RunRecord> = ["stage-1", "balanced-softmax-converged"]
        .iter()
        .flat_map(|name| comparison.run(&methods::find(name).unwrap(), &|_| {}).unwrap().records)
        .collect();
    let Difference { points, low, high } = differences(&records)[0].unwrap();
    assert!(points < -10.0, "{points}");
    let middle = 0.5 * (low + high) - points;
    assert!(middle.abs() < 0.1 * (high - low), "{low} .. {high} about {points}");
}
