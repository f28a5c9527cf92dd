//! Heads that are averages of others.

use serde_json::json;
use tailfit::compare::{Comparison, RunRecord, Selection, replay};
use tailfit::features::{DataSet, Features};
use tailfit::head::Head;
use tailfit::methods;
use tailfit::recipe::Recipe;
use tailfit::shots::ShotThresholds;
use tailfit::train::{Fit, Options, Trial, fit, train, train_in_f64};

use crate::support::clusters;

/// Five classes in 6 dimensions that overlap.
fn data() -> DataSet {
    let set = |sizes: &[usize], key: u64| {
        let (features, labels) = clusters(sizes, 6, 1.2, key);
        Features::new(features, labels).unwrap()
    };
    let (train, test) = (set(&[60, 30, 15, 8, 4], 2), set(&[20; 5], 3));
    let validation = Some(set(&[10; 5], 4));
    let mut data =
        DataSet::new("made", train, test, validation, None, ShotThresholds::default()).unwrap();
    tailfit::train::train_stage_1(&mut data).unwrap();
    data
}

fn recipe(method: &str) -> Recipe {
    let recipe = methods::find(method).unwrap().recipe;
    if recipe.sgd.epochs > 0 { recipe.with("epochs", &json!(3)).unwrap() } else { recipe }
}

fn trial(recipe: &Recipe, seed: u64) -> Trial {
    Trial { recipe: recipe.clone(), seed, stop_after: None }
}

fn head(data: &DataSet, recipe: &Recipe, seed: u64) -> Head {
    train_in_f64(data, &[trial(recipe, seed)], &Options::default()).unwrap().remove(0).head
}

/// Mean over training samples of the standard deviation of a head's logits.
fn scale(data: &DataSet, head: &Head) -> f64 {
    let x = data.train.plain.in_memory().unwrap();
    head.logits(x.view()).rows().into_iter().map(|z| z.std(0.0)).sum::<f64>() / x.nrows() as f64
}

/// The first run is that of the trial's own seed; the others' seeds are far from those of a comparison.
#[test]
fn runs_are_heads_of_seeds_of_their_own() {
    let data = data();
    for method in ["cross-entropy", "cosine", "crt"] {
        let one = recipe(method);
        let three = one.with("runs", &json!(3)).unwrap();
        let heads = [7, 7 + (1 << 32), 7 + (2 << 32)].map(|seed| head(&data, &one, seed));
        assert_ne!(heads[0], heads[1], "{method}");
        assert_eq!(head(&data, &three, 7), Head::average(&heads, None).unwrap(), "{method}");
    }
}

#[test]
fn two_heads_count_at_one_scale() {
    let data = data();
    for (own, other) in [
        ("cross-entropy", "lr-balanced"),
        ("lda", "los"),
        ("cosine", "ldam-normalised"),
        ("ridge", "stage-1"),
    ] {
        let (own, other) = (recipe(own), recipe(other));
        let both = |share: f64| {
            let recipe = own.with("ensemble", &json!({"with": other, "share": share})).unwrap();
            head(&data, &recipe, 1)
        };
        let (a, b) = (head(&data, &own, 1), head(&data, &other, 1));
        assert_eq!(both(0.0), a);
        let ratio = scale(&data, &a) / scale(&data, &b);
        for share in [0.25, 1.0] {
            let wanted = &a.weight * (1.0 - share) + &(&b.weight * (share * ratio));
            let off =
                (&both(share).weight - &wanted).mapv(f64::abs).sum() / wanted.mapv(f64::abs).sum();
            assert!(off < 1e-5, "{off:e}");
        }
        let off = scale(&data, &both(1.0)) / scale(&data, &a) - 1.0;
        assert!(off.abs() < 1e-5, "{off:e}");
    }
}

/// The scale does not depend on the order of the samples, which count by their weights; nor does it stop at some.
#[test]
fn scales_are_of_all_samples_by_weight() {
    let (features, labels) = clusters(&[900, 300, 60], 6, 1.2, 2);
    let average = recipe("ridge+with-nearest-class-mean");
    let with = |rows: &[usize], weights: Option<Vec<f64>>| {
        let x = features.select(ndarray::Axis(0), rows);
        let y = rows.iter().map(|&row| labels[row]).collect();
        let mut train = Features::new(x, y).unwrap();
        if let Some(weights) = weights {
            train = train.with_weights(weights).unwrap();
        }
        let test = train.select(&[0, 1, 2]).unwrap();
        let thresholds = ShotThresholds::default();
        let data = DataSet::new("made", train, test, None, None, thresholds).unwrap();
        head(&data, &average, 0)
    };
    let rows: Vec<usize> = (0..labels.len()).collect();
    let wanted = with(&rows, None);
    let close = |found: &Head| {
        let off = (&found.weight - &wanted.weight).mapv(f64::abs).sum();
        assert!(off < 1e-6 * wanted.weight.mapv(f64::abs).sum(), "{off:e}");
    };
    let order: Vec<usize> = rows.iter().rev().copied().collect();
    close(&with(&order, None));
    // A sample of weight 1/2 twice is the sample.
    let twice = [&rows[..], &rows[..]].concat();
    close(&with(&twice, Some(vec![0.5; twice.len()])));
    let mut weights = vec![1.0; rows.len()];
    weights.extend([0.0; 300]);
    close(&with(&[&rows[..], &rows[..300]].concat(), Some(weights)));
}

/// Two heads of which one divides features by their norms are refused before anything is trained.
#[test]
fn heads_of_two_kinds_have_no_average() {
    let mut data = data();
    let refused = |data: &DataSet, recipe: Recipe| {
        let trials = [trial(&recipe, 0)];
        let options = Options { progress: &|_| panic!("nothing is trained"), ..Options::default() };
        train(data, &trials, &options).unwrap_err().to_string()
    };
    let with = |own: &str, other: &str| recipe(&format!("{own}+with-{other}"));
    assert!(refused(&data, with("los", "cosine")).contains("one of each kind"));
    data.stage_1.as_mut().unwrap().head.normalise_features = true;
    assert!(refused(&data, with("los", "lr-balanced")).contains("one of each kind"));
    let both = train(&data, &[trial(&with("cosine", "stage-1"), 0)], &Options::default()).unwrap();
    assert!(both[0].head.normalise_features);
}

/// A head that only the other needs is trained for it.
#[test]
fn an_estimator_has_the_start_of_both() {
    let (features, labels) = clusters(&[60, 30, 8], 6, 1.2, 2);
    for name in ["lr-balanced+with-stage-1", "lda+with-los"] {
        let how = Fit { recipe: recipe(name), double: true, ..Fit::default() };
        let features = Features::new(features.clone(), labels.clone()).unwrap();
        assert_eq!(fit(features, how, &Options::default()).unwrap().outcome.head.n_classes(), 3);
    }
}

/// One epoch, from the average of the starts; the same head in company and alone, with whatever threads.
#[test]
fn an_average_counts_as_one_epoch() {
    let data = data();
    let average = recipe("los+averaged+with-lr-balanced");
    let again = average.with("ensemble.share", &json!(0.2)).unwrap();
    let trials =
        [trial(&average, 0), trial(&recipe("los"), 0), trial(&again, 0), trial(&average, 1)];
    let together = train(&data, &trials, &Options::default()).unwrap();
    let epochs: Vec<usize> = together.iter().map(|outcome| outcome.hits.len() - 1).collect();
    assert_eq!(epochs, [1, 3, 1, 1]);
    for (outcome, trial) in together.iter().zip(&trials) {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(3).build().unwrap();
        let alone = pool
            .install(|| train(&data, std::slice::from_ref(trial), &Options::default()))
            .unwrap()
            .remove(0);
        assert_eq!((&alone.head, &alone.hits), (&outcome.head, &outcome.hits));
        assert_eq!(outcome.train_loss.len() + 1, outcome.hits.len());
    }
    let start = Trial { stop_after: Some(0), ..trials[0].clone() };
    let start = train(&data, &[start], &Options::default()).unwrap().remove(0);
    assert_eq!((start.hits.len(), &start.hits[0]), (1, &together[0].hits[0]));
    assert_ne!(start.head, together[0].head);
    let lean = Options { keep_heads: false, score_every_epoch: false, ..Options::default() };
    let lean = train(&data, &trials[..1], &lean).unwrap().remove(0);
    assert_eq!((lean.head.n_classes(), &lean.hits[..]), (0, &together[0].hits[1..]));
}

/// What training scores is what the head scores; a record can be read, and made again.
#[test]
fn averages_are_rows_like_others() {
    let data = data();
    for name in [
        "cross-entropy+averaged",
        "los+with-lr-balanced",
        "lr-balanced+with-stage-1",
        "cosine+averaged",
    ] {
        for selection in Selection::ALL {
            let comparison = Comparison::new(&data, selection, vec![0, 1]).unwrap();
            let result = comparison.run(&methods::find(name).unwrap(), &|_| {}).unwrap();
            for record in &result.records {
                assert_eq!(record.epochs.len(), 2, "{name}");
                assert_eq!(record.epochs[1], record.evaluation.accuracy, "{name} {selection:?}");
                let read = RunRecord::from_json(&record.to_json(), "record").unwrap();
                assert_eq!(&read, record);
                let (_, again) = replay(&data, record, &|_| {}).unwrap();
                assert_eq!(
                    RunRecord { best_on_test: record.best_on_test.clone(), ..again },
                    *record
                );
            }
        }
    }
}
