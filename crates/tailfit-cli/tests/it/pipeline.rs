//! From files to records, heads and tables.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::Value;

use crate::support::{TOY, tailfit, toy};

fn folder_bytes(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut files = BTreeMap::new();
    for sub in ["", "records", "heads", "curves"] {
        for entry in fs_err::read_dir(folder.join(sub)).unwrap() {
            let path = entry.unwrap().path();
            if path.is_file() {
                let name = path.strip_prefix(folder).unwrap().display().to_string();
                files.insert(name, fs_err::read(path).unwrap());
            }
        }
    }
    files
}

fn compare(folder: &Path, out: &str, more: &[&str]) -> crate::support::Ran {
    let words = [&["compare", "--quiet", "--out", out], &TOY[..], more].concat();
    tailfit(folder, &words)
}

#[test]
fn equal_runs_write_equal_files_whatever_the_threads() {
    let folder = tempfile::tempdir().unwrap();
    toy(folder.path());
    let methods = ["--methods", "stage-1,los,cosine,crt", "--seeds", "2"];
    for (out, threads) in [("one", "1"), ("two", "2"), ("again", "2")] {
        let ran = compare(folder.path(), out, &[&methods[..], &["--threads", threads]].concat());
        assert_eq!(ran.code, 0, "{}", ran.stderr);
        assert!(ran.stdout.contains("best on test*"), "{}", ran.stdout);
    }
    let first = folder_bytes(&folder.path().join("one"));
    assert_eq!(first.keys().filter(|name| name.starts_with("records/")).count(), 4 * 2);
    assert!(first.contains_key("heads/los.safetensors") && first.contains_key("table.tex"));
    assert!(first == folder_bytes(&folder.path().join("two")), "1 and 2 threads differ");
    assert!(first == folder_bytes(&folder.path().join("again")), "two runs differ");
}

#[test]
fn a_record_is_replayed_exactly_and_an_edited_one_is_caught() {
    let folder = tempfile::tempdir().unwrap();
    toy(folder.path());
    let ran = compare(folder.path(), "out", &["--methods", "balanced-softmax", "--seeds", "1"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let record = "out/heads/balanced-softmax.json";
    let words =
        [&["train-head", "--config", record, "--out", "replayed.safetensors"], &TOY[..]].concat();
    let ran = tailfit(folder.path(), &words);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let bytes = |name: &str| fs_err::read(folder.path().join(name)).unwrap();
    assert_eq!(bytes("replayed.safetensors"), bytes("out/heads/balanced-softmax.safetensors"));
    let value = |name: &str| serde_json::from_slice::<Value>(&bytes(name)).unwrap();
    let mut told = value(record);
    told.as_object_mut().unwrap().remove("best_on_test");
    assert_eq!(value("replayed.json"), told, "all but what no replay can find out");

    // Each with the first text of the record replaced by the second.
    let original = String::from_utf8(bytes(record)).unwrap();
    let here = told["instruction_set"].as_str().unwrap();
    let accuracy =
        format!("{:?}", told["evaluation"]["accuracy"]["overall_percent"].as_f64().unwrap());
    for edits in [
        &[("\"momentum\": 0.9", "\"momentum\": 0.8")][..],
        &[(&accuracy, "99.5")],
        &[(
            "\"epochs\": [\n    {\n      \"overall_percent\": ",
            "\"epochs\": [\n    {\n      \"overall_percent\": 9",
        )],
        &[(here, "sse2"), ("\"momentum\": 0.9", "\"momentum\": 0.8"), (&accuracy, "9.5")],
        &[("\"optimistic\": true", "\"optimistic\": false")],
    ] {
        let edited = edits.iter().fold(original.clone(), |text, (from, to)| {
            assert!(text.contains(from), "{from} is not in {text}");
            text.replace(from, to)
        });
        fs_err::write(folder.path().join(record), edited).unwrap();
        let ran = tailfit(folder.path(), &words);
        assert_eq!(ran.code, 1, "{edits:?}");
        assert!(ran.stderr.contains("was the record edited"), "{}", ran.stderr);
    }
}

#[test]
fn the_head_keeps_the_users_key_names_and_scores_the_same() {
    let folder = tempfile::tempdir().unwrap();
    toy(folder.path());
    let words = [
        &["train-head", "--method", "cosine", "--set", "epochs=3", "--out", "new.safetensors"],
        &TOY[..],
    ]
    .concat();
    let ran = tailfit(folder.path(), &words);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let text =
        String::from_utf8_lossy(&fs_err::read(folder.path().join("new.safetensors")).unwrap())
            .into_owned();
    assert!(
        text.contains("classifier.weight") && text.contains("features / ||features||_2"),
        "{text}"
    );
    let record: Value =
        serde_json::from_slice(&fs_err::read(folder.path().join("new.json")).unwrap()).unwrap();
    let words = [
        "evaluate",
        "--json",
        "--train",
        "train.csv",
        "--test",
        "test.csv",
        "--head",
        "new.safetensors",
    ];
    let evaluated: Value = serde_json::from_str(&tailfit(folder.path(), &words).stdout).unwrap();
    let scores = &evaluated["variants"][0]["evaluation"];
    assert_eq!(scores["accuracy"], record["evaluation"]["accuracy"]);
    assert_eq!(scores["per_class_percent"], record["evaluation"]["per_class_percent"]);
}

#[test]
fn tables_come_from_records_alone() {
    let folder = tempfile::tempdir().unwrap();
    toy(folder.path());
    compare(
        folder.path(),
        "out",
        &["--methods", "stage-1,tau-norm", "--seeds", "2", "--protocol", "paper"],
    );
    let report =
        |format| tailfit(folder.path(), &["report", "out/records", "--format", format]).stdout;
    assert!(report("markdown").contains("| stage-1 |"));
    assert!(report("markdown").contains("\\*"), "a score chosen on the test set must be starred");
    assert!(report("latex").contains("\\toprule"));
    // The numbers of the CSV are those of the records, averaged here anew.
    let csv = fs_err::read_to_string(folder.path().join("out/summary.csv")).unwrap();
    assert_eq!(report("csv"), csv);
    let rows: Vec<Vec<&str>> = csv.lines().map(|line| line.split(',').collect()).collect();
    let column = |name: &str| rows[0].iter().position(|n| *n == name).unwrap();
    for method in ["stage-1", "tau-norm"] {
        let row = rows.iter().find(|row| row[0] == method).unwrap();
        for (name, path) in [
            ("overall_percent", "/evaluation/accuracy/overall_percent"),
            ("few_percent", "/evaluation/accuracy/few_percent"),
            ("ece_percent", "/evaluation/calibration/ece_percent"),
            ("best_on_test_percent", "/best_on_test/accuracy/macro_percent"),
        ] {
            let of_seed = |seed: usize| {
                let file = folder.path().join(format!("out/records/{method}-seed{seed}.json"));
                let record: Value = serde_json::from_slice(&fs_err::read(file).unwrap()).unwrap();
                record.pointer(path).and_then(Value::as_f64)
            };
            let mean = of_seed(0).zip(of_seed(1)).map(|(a, b)| f64::midpoint(a, b));
            let found = row[column(name)].parse::<f64>().ok();
            assert_eq!(found.is_some(), mean.is_some(), "{method} {name}");
            assert!((found.unwrap_or(0.0) - mean.unwrap_or(0.0)).abs() < 1e-9, "{method} {name}");
        }
    }
}

#[test]
fn what_the_table_is_not_stands_under_it() {
    let folder = tempfile::tempdir().unwrap();
    toy(folder.path());
    let method = "name = 'steep'\n[search]\nlr = [1e-12, 2e-12]\n";
    fs_err::write(folder.path().join("m.toml"), method).unwrap();
    let run = |seeds: &str, more: &[&str]| {
        let words = ["compare", "--quiet", "--config", "m.toml", "--out", "out", "--seeds", seeds];
        let ran = tailfit(folder.path(), &[&words[..], &TOY, more].concat());
        assert_eq!(ran.code, 0, "{}", ran.stderr);
        let report = fs_err::read_to_string(folder.path().join("out/report.md")).unwrap();
        let records = fs_err::read_dir(folder.path().join("out/records")).unwrap();
        let mut names: Vec<String> =
            records.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        (report, names)
    };
    let (report, names) = run("2", &["--methods", "tau-norm"]);
    assert!(report.contains("need not be a head scored here"), "{report}");
    // Nothing moves, all trials are equal, and the first is chosen.
    assert!(report.contains("steep (lr 0.000000000001, the smallest)"), "{report}");
    let seeds =
        ["steep-seed0.json", "steep-seed1.json", "tau-norm-seed0.json", "tau-norm-seed1.json"];
    assert_eq!(names, seeds);
    // A run owns its folder: nothing of an earlier one is left.
    let (report, names) = run("1", &["--select", "last"]);
    assert!(
        !report.contains("head scored here") && !report.contains("edge of the grid"),
        "{report}"
    );
    assert_eq!(names, [seeds[0]]);
}

#[test]
fn where_nothing_is_chosen_the_file_is_the_head_that_was_scored() {
    let folder = tempfile::tempdir().unwrap();
    toy(folder.path());
    compare(folder.path(), "out", &["--methods", "stage-1", "--seeds", "1"]);
    let report = fs_err::read_to_string(folder.path().join("out/report.md")).unwrap();
    assert!(!report.contains("head scored here"), "{report}");
}

#[test]
fn without_a_head_one_is_trained_and_said_so() {
    let folder = tempfile::tempdir().unwrap();
    toy(folder.path());
    let words = [
        "compare",
        "--train",
        "train.csv",
        "--test",
        "test.csv",
        "--methods",
        "stage-1,los",
        "--seeds",
        "1",
    ];
    let ran = tailfit(folder.path(), &words);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert!(ran.stderr.contains("stage-1 head: trained here"), "{}", ran.stderr);
    let record = folder.path().join("tailfit-out/records/stage-1-seed0.json");
    assert!(fs_err::read_to_string(record).unwrap().contains("trained here, none was given"));
}

#[test]
fn a_minimum_needs_no_stage_1_head_nor_does_its_replay() {
    let folder = tempfile::tempdir().unwrap();
    toy(folder.path());
    let train_head = |words: &[&str]| {
        let words = [&["train-head", "--train", "train.csv", "--test", "test.csv"], words].concat();
        let ran = tailfit(folder.path(), &words);
        assert_eq!(ran.code, 0, "{}", ran.stderr);
        ran.stderr.contains("trained here")
    };
    assert!(train_head(&["--method", "tau-norm", "--out", "tau.safetensors"]));
    assert!(!train_head(&["--method", "ldam+converged", "--out", "ldam.safetensors"]));
    assert!(!train_head(&["--config", "ldam.json", "--out", "again.safetensors"]));
    let [first, again] = ["ldam", "again"]
        .map(|name| fs_err::read(folder.path().join(format!("{name}.safetensors"))).unwrap());
    assert!(first == again);
}

#[test]
fn the_list_has_everything() {
    let folder = tempfile::tempdir().unwrap();
    let list = tailfit(folder.path(), &["list"]).stdout;
    assert!(list.contains("label-over-smoothing") && list.contains("EMBEDDED DATA"), "{list}");
    let json: Value =
        serde_json::from_str(&tailfit(folder.path(), &["list", "--json"]).stdout).unwrap();
    // What is listed in one form is in the other.
    let named = json["methods"].as_array().unwrap();
    assert!(named.len() > 50);
    for method in named {
        let (name, group) = (method["name"].as_str().unwrap(), method["group"].as_str().unwrap());
        let in_group = list.split("METHODS: ").find(|part| part.starts_with(group)).unwrap();
        assert!(in_group.contains(&format!("\n{name}\n")), "{name} in {group}");
    }
    let of = |name: &str| named.iter().find(|method| method["name"] == name).unwrap();
    assert_eq!(of("zero-shot")["uses"], serde_json::json!(["class vectors"]));
    assert_eq!(of("logit-adjustment")["uses"][1], "class counts");
}

#[test]
fn features_left_in_their_file_give_the_same_files() {
    let folder = tempfile::tempdir().unwrap();
    toy(folder.path());
    let text = fs_err::read_to_string(folder.path().join("train.csv")).unwrap();
    let rows: Vec<Vec<&str>> = text.lines().skip(1).map(|line| line.split(',').collect()).collect();
    let header =
        format!("{{'descr': '<f4', 'fortran_order': False, 'shape': ({}, 2), }}", rows.len());
    let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
    bytes.extend((header.len() as u16).to_le_bytes());
    bytes.extend(header.as_bytes());
    for row in &rows {
        bytes.extend(row[..2].iter().flat_map(|v| v.parse::<f32>().unwrap().to_le_bytes()));
    }
    fs_err::write(folder.path().join("train.npy"), bytes).unwrap();
    let labels: Vec<&str> = rows.iter().map(|row| row[2]).collect();
    fs_err::write(folder.path().join("labels.txt"), labels.join("\n")).unwrap();
    let run = |out: &str, more: &[&str]| {
        let words = ["compare", "--quiet", "--methods", "los,cosine", "--seeds", "1", "--out", out];
        let data = ["--train", "train.npy", "--train-labels", "labels.txt", "--test", "test.csv"];
        let ran = tailfit(folder.path(), &[&words[..], &data, more].concat());
        assert_eq!(ran.code, 0, "{}", ran.stderr);
        folder_bytes(&folder.path().join(out))
    };
    let held = run("held", &[]);
    assert!(held == run("read", &["--memory", "0"]), "read from the file");
    assert!(held == run("mapped", &["--memory", "0", "--mmap"]), "mapped");
}
