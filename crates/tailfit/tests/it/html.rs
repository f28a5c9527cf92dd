//! The page of a comparison: whole, safe, self-contained, from records alone.

use tailfit::compare::{Comparison, RunRecord, Selection};
use tailfit::features::{DataSet, Features};
use tailfit::methods;
use tailfit::metrics::LogitsMagnitude;
use tailfit::report::{html, summarise};
use tailfit::shots::ShotThresholds;

use crate::support::clusters;

/// Records of a few methods on clusters, without a stage-1 head.
fn records(sizes: &[usize], test: usize, names: &[String]) -> Vec<RunRecord> {
    let (x, y) = clusters(sizes, 6, 0.9, 2);
    let train = Features::new(x, y).unwrap().with_class_names(names.to_vec(), "train").unwrap();
    let (x, y) = clusters(&vec![test; sizes.len()], 6, 0.9, 3);
    let test = Features::new(x, y).unwrap().with_class_names(names.to_vec(), "test").unwrap();
    let data = DataSet::new("a<b>", train, test, None, None, ShotThresholds::default()).unwrap();
    let comparison = Comparison::new(&data, Selection::CrossFitted, vec![0, 1]).unwrap();
    let run = |name: &str| {
        let mut method = methods::find(name).unwrap();
        method.search.truncate(1);
        comparison.run(&method, &|_| {}).unwrap().records
    };
    ["lda", "crt"].into_iter().flat_map(run).collect()
}

fn page(records: &[RunRecord]) -> String {
    let notes = ["a note of the caller".to_owned()];
    html(&summarise(records).unwrap(), &records[0].data, &notes).unwrap()
}

#[test]
fn everything_is_on_it_and_nothing_from_elsewhere() {
    let names: Vec<String> = (0..5).map(|k| format!("<script>alert({k})</script>")).collect();
    let page = page(&records(&[60, 30, 12, 5, 2], 20, &names));
    for title in [
        "Accuracy of each class",
        "Accuracy after each epoch",
        "Logits Magnitude (balanced = 1)",
        "Regularised Standard Deviation",
        "Reliability",
        "Classes mixed up most",
        "What was trained on what",
        "a note of the caller",
    ] {
        assert!(page.contains(title), "{title}");
    }
    assert_eq!(page.matches("<script>").count(), 1, "names and titles are text, not markup");
    assert!(page.contains("a&lt;b&gt;") && page.contains("&lt;script&gt;alert(3)"));
    // The name of SVG's namespace is no address that is fetched.
    let elsewhere = page.replace("http://www.w3.org/2000/svg", "");
    for reference in ["http:", "https:", "src=", "url(", "@import"] {
        assert!(!elsewhere.contains(reference), "{reference}: it needs nothing else");
    }
    let without_script = page.split("<script>").next().unwrap();
    assert!(!without_script.contains("NaN"), "what is missing is left out");
}

#[test]
fn two_classes_and_records_of_earlier_versions() {
    let names = ["yes".to_owned(), "no".to_owned()];
    let mut records = records(&[200, 3], 30, &names);
    assert!(page(&records).contains("Accuracy of each class"));
    for record in &mut records {
        record.data.class_counts.clear();
        record.evaluation.confused.clear();
        record.evaluation.calibration.bins.clear();
        record.evaluation.logits_magnitude = LogitsMagnitude::default();
    }
    let page = page(&records);
    assert!(page.contains("Accuracy after each epoch"), "what there is stays");
    for gone in ["Accuracy of each class", "Reliability", "Classes mixed up", "Logits Magnitude ("]
    {
        assert!(!page.contains(gone), "{gone} has no numbers");
    }
}

/// One test sample of one class: what there is nothing to draw of is left out.
#[test]
fn one_test_sample() {
    let names: Vec<String> = (0..3).map(|k| format!("class {k}")).collect();
    let (x, y) = clusters(&[30, 9, 3], 6, 0.9, 2);
    let train = Features::new(x, y).unwrap().with_class_names(names.clone(), "train").unwrap();
    let (x, y) = clusters(&[1, 0, 0], 6, 0.9, 3);
    let test = Features::new(x, y).unwrap().with_class_names(names, "test").unwrap();
    let data = DataSet::new("one", train, test, None, None, ShotThresholds::default()).unwrap();
    let comparison = Comparison::new(&data, Selection::Last, vec![0]).unwrap();
    let lda = methods::find("lda").unwrap();
    let page = page(&comparison.run(&lda, &|_| {}).unwrap().records);
    assert!(page.contains("Accuracy of each class") && !page.contains("Regularised Standard"));
}

/// Its size depends on classes, not on samples, and on many classes hardly.
#[test]
fn its_size_does_not_grow_with_the_samples() {
    let names = |k: usize| (0..k).map(|k| format!("class {k}")).collect::<Vec<_>>();
    let size = |k: usize, n: usize| page(&records(&vec![4; k], n, &names(k))).len() as f64;
    let few = size(20, 5);
    assert!((size(20, 50) / few - 1.0).abs() < 0.1);
    assert!(size(400, 2) < 2.0 * few, "many classes are drawn in groups");
}
