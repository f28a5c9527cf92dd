//! Samples that belong together: no split tears them apart, and no interval takes them for more.

use ndarray::Array2;
use tailfit::compare::{Comparison, Selection};
use tailfit::features::{DataSet, Features};
use tailfit::groups::Groups;
use tailfit::images::hold_out;
use tailfit::methods;
use tailfit::metrics::halves;
use tailfit::report::summarise;
use tailfit::shots::ShotThresholds;

use crate::support::unit;

const K: usize = 4;
const COPIES: usize = 6;

/// Samples in groups of six near copies, `n` groups of each class.
fn copies(n: usize, key: u64) -> (Array2<f32>, Vec<u32>, Groups) {
    let groups = n * K;
    let value = |(i, j): (usize, usize)| {
        let (group, class) = (i / COPIES, i / COPIES % K);
        let mean = unit(3, 1, (class * 8 + j) as u64);
        let of_group = 2.0 * unit(3, key, (group * 8 + j) as u64);
        (mean + of_group + 0.01 * unit(3, key + 1, (i * 8 + j) as u64)) as f32
    };
    let rows = 0..groups * COPIES;
    let names = rows.clone().map(|row| format!("{key}-{}", row / COPIES));
    let labels = rows.clone().map(|row| (row / COPIES % K) as u32).collect();
    (Array2::from_shape_fn((groups * COPIES, 8), value), labels, Groups::new(names))
}

fn set(n: usize, key: u64, grouped: bool) -> Features {
    let (x, y, groups) = copies(n, key);
    let set = Features::new(x, y).unwrap();
    if grouped { set.with_groups(groups).unwrap() } else { set }
}

fn data(grouped: bool) -> DataSet {
    let thresholds = ShotThresholds::default();
    DataSet::new("copies", set(12, 20, grouped), set(10, 40, grouped), None, None, thresholds)
        .unwrap()
}

#[test]
fn halves_and_held_out_sets_keep_groups_whole() {
    let test = set(10, 40, true);
    let groups = test.groups.as_ref().unwrap();
    for seed in 0..5 {
        let half = halves(&test.labels, Some(groups), seed);
        let (kept, held_out) = hold_out(&test.labels, Some(groups), K, 20.0, seed).unwrap();
        for rows in (0..test.len()).collect::<Vec<_>>().chunks(COPIES) {
            assert!(rows.iter().all(|&row| half[row] == half[rows[0]]), "a group in both halves");
            let out = |row: &usize| held_out.contains(&(*row as u32));
            assert_eq!(rows.iter().filter(|row| out(row)).count() % COPIES, 0);
        }
        assert_eq!(kept.len() + held_out.len(), test.len());
        assert_eq!(held_out.len(), test.len() / 5);
        assert_eq!(half.iter().map(|&half| usize::from(half)).sum::<usize>(), test.len() / 2);
    }
}

/// The nearest copy of each sample is in another fold unless groups are kept together, so that
/// cross-validation of a head that remembers promises what the test set does not keep.
#[test]
fn cross_validation_with_groups_does_not_promise_too_much() {
    let promised = |grouped: bool| {
        let data = data(grouped);
        let comparison = Comparison::new(&data, Selection::CrossValidated, vec![0]).unwrap();
        let mut method = methods::find("cross-entropy-converged").unwrap();
        method.recipe.sgd.weight_decay = 1e-5;
        method.search.clear();
        let record = comparison.run(&method, &|_| {}).unwrap().records.remove(0);
        let head = &record.heads[0];
        (head.validation_percent.unwrap(), record.evaluation.accuracy.macro_percent)
    };
    let ((alone, kept), (together, same)) = (promised(false), promised(true));
    assert_eq!(kept, same, "the head is the same");
    assert!(alone > kept + 5.0, "{alone:.1} promised, {kept:.1} kept");
    assert!(
        (together - kept).abs() < (alone - kept) / 2.0,
        "{together:.1} promised, {kept:.1} kept"
    );
}

#[test]
fn intervals_are_as_wide_as_groups_make_them() {
    let width = |grouped: bool| {
        let data = data(grouped);
        let comparison = Comparison::new(&data, Selection::Last, vec![0]).unwrap();
        let run = |name: &str| {
            let method = methods::find(name).unwrap();
            comparison.run(&method, &|_| {}).unwrap().records.remove(0)
        };
        let records = [run("nearest-class-mean"), run("lda")];
        assert_eq!(records[0].data.test_groups, grouped.then_some(40));
        let rows = summarise(&records).unwrap();
        let difference = rows.iter().find_map(|row| row.difference).unwrap();
        difference.high - difference.low
    };
    let (alone, together) = (width(false), width(true));
    assert!(together > 1.5 * alone, "{together:.2} of groups, {alone:.2} of samples");
}

#[test]
fn one_group_of_test_samples_has_no_halves() {
    let mut data = data(true);
    let n = data.test.len();
    data.test = data.test.with_groups(Groups::new((0..n).map(|_| "all".to_owned()))).unwrap();
    let of = |selection| Comparison::new(&data, selection, vec![0]).err().map(|e| e.to_string());
    let refused = of(Selection::CrossFitted).unwrap();
    assert!(refused.contains("at least two groups of test samples"), "{refused}");
    assert_eq!((of(Selection::Last), of(Selection::CrossValidated)), (None, None));
}
