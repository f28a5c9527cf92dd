//! Predictions, probabilities and reports of classes.

use crate::support::{TOY, csv, safetensors, tailfit, toy};

#[test]
fn predictions_are_those_that_are_scored() {
    let folder = tempfile::tempdir().unwrap();
    toy(folder.path());
    let train = [
        &["train-head", "--method", "balanced-softmax", "--out", "new.safetensors", "--json"][..],
        &TOY,
    ];
    let ran = tailfit(folder.path(), &train.concat());
    let record: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
    let percent = record["evaluation"]["accuracy"]["overall_percent"].as_f64().unwrap();

    let words = ["predict", "--head", "new.safetensors", "--features", "test.csv", "--top", "2"];
    let ran = tailfit(folder.path(), &words);
    assert_eq!((ran.code, ran.stderr.as_str()), (0, ""));
    let text = fs_err::read_to_string(folder.path().join("predictions.csv")).unwrap();
    let mut lines = text.lines();
    assert_eq!(lines.next(), Some("row,class,probability,class_2,probability_2"));
    // Five samples of each class, in order.
    let right = lines
        .clone()
        .enumerate()
        .filter(|(row, line)| line.split(',').nth(1).unwrap() == (row / 5).to_string());
    assert_eq!(100.0 * right.count() as f64 / 15.0, percent);
    for line in lines {
        let numbers: Vec<f64> = line.split(',').map(|word| word.parse().unwrap()).collect();
        assert!(numbers[2] >= numbers[4] && numbers[2] + numbers[4] <= 1.0 + 1e-5, "{line}");
    }
}

/// Columns in another order are put in order, as the head's file knows them; labels are ignored.
#[test]
fn columns_go_by_their_names() {
    let folder = tempfile::tempdir().unwrap();
    toy(folder.path());
    let train = [&["train-head", "--method", "los", "--out", "new.safetensors"][..], &TOY];
    assert_eq!(tailfit(folder.path(), &train.concat()).code, 0);
    let text = fs_err::read_to_string(folder.path().join("test.csv")).unwrap();
    let swap = |line: &str| {
        let fields: Vec<&str> = line.split(',').collect();
        [fields[1], fields[0]].join(",")
    };
    let swapped: Vec<String> = text.lines().map(swap).collect();
    fs_err::write(folder.path().join("swapped.csv"), swapped.join("\n")).unwrap();
    let predict = |features: &str, out: &str| {
        let words = ["predict", "--head", "new.safetensors", "--features", features, "--out", out];
        assert_eq!(tailfit(folder.path(), &words).code, 0);
        fs_err::read_to_string(folder.path().join(out)).unwrap()
    };
    assert_eq!(predict("test.csv", "a.csv"), predict("swapped.csv", "b.csv"));
    // Without a header, a third column is a feature too many.
    let bare: Vec<&str> = text.lines().skip(1).collect();
    fs_err::write(folder.path().join("bare.csv"), bare.join("\n")).unwrap();
    let words = ["predict", "--head", "new.safetensors", "--features", "bare.csv"];
    let ran = tailfit(folder.path(), &words);
    assert!(ran.code == 1 && ran.stderr.contains("label or an index"), "{}", ran.stderr);
}

/// Features may be called y or target: where the head knows them, they are none of the labels. Names
/// outlive a split into files of the program's own.
#[test]
fn features_named_like_labels_stay_features() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    csv(&at("plain.csv"), &[40, 20, 10], 1.0);
    rewritten(&at("plain.csv"), &at("all.csv"), |line| line.replace("a,b,label", "x,y,label"));
    let run = |words: &[&str]| {
        let ran = tailfit(folder.path(), words);
        assert_eq!(ran.code, 0, "{words:?}: {}", ran.stderr);
    };
    run(&[
        "split",
        "--features",
        "all.csv",
        "--label-column",
        "label",
        "--hold-out",
        "20",
        "--out",
        "d",
    ]);
    let train = ["train-head", "--method", "los", "--out", "new.safetensors", "-q"];
    let data = ["--train", "d/train.safetensors", "--test", "d/test.safetensors"];
    run(&[&train[..], &data].concat());
    let predict = |features: &str| {
        run(&["predict", "--head", "new.safetensors", "--features", features, "--out", "p.csv"]);
        fs_err::read_to_string(at("p.csv")).unwrap()
    };
    let whole = predict("all.csv");
    let fields = |line: &str| line.split(',').map(str::to_owned).collect::<Vec<_>>();
    rewritten(&at("all.csv"), &at("turned.csv"), |line| {
        let of = fields(line);
        [&of[1][..], &of[0]].join(",")
    });
    assert_eq!(predict("turned.csv"), whole);
}

/// Names with the mark that editors put before a file.
#[test]
fn a_mark_of_the_byte_order_is_no_part_of_a_name() {
    let folder = tempfile::tempdir().unwrap();
    toy(folder.path());
    fs_err::write(folder.path().join("n.txt"), "\u{feff}ant\nbee\ncat\n").unwrap();
    let words =
        ["train-head", "--method", "los", "--out", "n.safetensors", "--class-names", "n.txt"];
    assert_eq!(tailfit(folder.path(), &[&words[..], &TOY].concat()).code, 0);
    let words = ["predict", "--head", "n.safetensors", "--features", "test.csv"];
    assert_eq!(tailfit(folder.path(), &words).code, 0);
    let text = fs_err::read_to_string(folder.path().join("predictions.csv")).unwrap();
    assert!(text.contains(",ant,") && !text.contains('\u{feff}'), "{text}");
}

#[test]
fn a_temperature_is_folded_in_and_priors_re_weight() {
    let folder = tempfile::tempdir().unwrap();
    toy(folder.path());
    csv(&folder.path().join("val.csv"), &[4, 4, 4], 3.0);
    let words = [
        &["evaluate", "--temperature", "--out", "calibrated.safetensors", "--json"][..],
        &["--val", "val.csv", "--target-prior", "uniform,forward-10,estimated"],
        &["--per-class", "c.csv"],
        &TOY,
    ];
    let ran = tailfit(folder.path(), &words.concat());
    let all: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
    let score = |value: &serde_json::Value| value["nll"].as_f64().unwrap();
    let temperature = &all["temperature"];
    assert_eq!(temperature["fitted"], "fitted on the validation set");
    assert!(temperature["temperature"].as_f64().unwrap() > 0.0);
    // What the written head gives is what was said.
    let mut toy = TOY;
    toy[5] = "calibrated.safetensors";
    let ran = tailfit(folder.path(), &[&["evaluate", "--json"][..], &toy].concat());
    let again: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
    let calibration = &again["variants"][0]["evaluation"]["calibration"];
    assert!((score(calibration) - score(&temperature["after"])).abs() < 1e-5, "{calibration}");
    let uniform = &all["target_priors"][0];
    let percent = all["variants"][0]["evaluation"]["accuracy"]["macro_percent"].as_f64().unwrap();
    assert!((uniform["percent"].as_f64().unwrap() - percent).abs() < 1e-9);
    // An estimate is compared with the labels of the samples that it was made from.
    let estimated = &all["target_priors"][2];
    let overall = all["variants"][0]["evaluation"]["accuracy"]["overall_percent"].as_f64().unwrap();
    assert!((estimated["percent"].as_f64().unwrap() - overall).abs() < 1e-9);
    let estimate: Vec<f64> = serde_json::from_value(estimated["estimate"].clone()).unwrap();
    assert!((estimate.iter().sum::<f64>() - 1.0).abs() < 1e-9 && estimate.len() == 3);
    let off: f64 = estimate.iter().map(|share| 50.0 * (share - 1.0 / 3.0).abs()).sum();
    assert!(
        (estimated["total_variation_percent"].as_f64().unwrap() - off).abs() < 1e-9,
        "{estimated}"
    );
    let lines = fs_err::read_to_string(folder.path().join("c.csv")).unwrap();
    assert_eq!(lines.lines().count(), 4);
}

/// The rows of a file's first columns, labels last, with `change` made to each.
fn rewritten(from: &std::path::Path, to: &std::path::Path, change: impl Fn(&str) -> String) {
    let text = fs_err::read_to_string(from).unwrap();
    fs_err::write(to, text.lines().map(change).collect::<Vec<_>>().join("\n")).unwrap();
}

/// Of a head that is hardly sure of anything, the probabilities say little; its confusions on labelled
/// samples still say that nearly all new samples are of class 0.
#[test]
fn priors_are_estimated_through_confusions() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    toy(folder.path());
    csv(&at("val.csv"), &[8, 8, 8], 3.0);
    csv(&at("new.csv"), &[40, 1, 1], 5.0);
    let weight: Vec<f32> = (0..3_u8)
        .flat_map(|class| [f32::from(class).cos(), f32::from(class).sin()])
        .map(|w| 0.05 * w)
        .collect();
    let tensors: [(&str, &[usize], &[f32]); 2] =
        [("fc.weight", &[3, 2], &weight), ("fc.bias", &[3], &[0.0; 3])];
    safetensors(&at("new.safetensors"), &tensors);
    let predict = |more: &[&str]| {
        let words = ["predict", "--head", "new.safetensors", "--features", "new.csv"];
        tailfit(folder.path(), &[&words[..], &["--top", "3"], more].concat())
    };
    // The mean probability of class 0.
    let mean = |more: &[&str]| {
        let ran = predict(more);
        assert_eq!((ran.code, ran.stderr.as_str()), (0, ""));
        let text = fs_err::read_to_string(at("predictions.csv")).unwrap();
        let of_class_0 = |line: &str| -> f64 {
            let fields: Vec<&str> = line.split(',').collect();
            let place = (1..6).step_by(2).find(|&at| fields[at] == "0").unwrap();
            fields[place + 1].parse().unwrap()
        };
        text.lines().skip(1).map(of_class_0).sum::<f64>() / 42.0
    };
    let through = ["--target-prior", "estimated", "--val", "val.csv"];
    let (plain, found) = (mean(&[]), mean(&through));
    // The samples lie apart, so that confusions are few and the frequencies those of the predictions.
    assert!(plain < 0.6 && (found - 40.0 / 42.0).abs() < 0.02, "{plain} {found}");
    // The same from columns in another order.
    let swap = |line: &str| {
        let fields: Vec<&str> = line.split(',').collect();
        [fields[2], fields[1], fields[0]].join(",")
    };
    rewritten(&at("val.csv"), &at("swapped.csv"), swap);
    assert_eq!(mean(&["--target-prior", "estimated", "--val", "swapped.csv"]), found);

    let refused = |more: &[&str], why: &str| {
        let ran = predict(more);
        assert!(ran.code != 0 && ran.stderr.contains(why), "{}", ran.stderr);
    };
    let with = |val: &'static str| ["--target-prior", "estimated", "--val", val];
    refused(&["--target-prior", "forward-9", "--val", "val.csv"], "found forward-9");
    refused(&["--val", "val.csv"], "--target-prior");
    csv(&at("two.csv"), &[8, 8], 3.0);
    refused(&with("two.csv"), "none of 1 of 3: 2");
    csv(&at("four.csv"), &[8, 8, 8, 1], 3.0);
    refused(&with("four.csv"), "--label-base");
    rewritten(&at("val.csv"), &at("three.csv"), |line| format!("1,{line}").replace("1,a", "c,a"));
    refused(&with("three.csv"), "2 features");
    // Labels that are names need those of the head's classes.
    let named = |line: &str| {
        let (rest, label) = line.rsplit_once(',').unwrap();
        let name = match label {
            "0" => "ant",
            "1" => "bee",
            "2" => "cat",
            other => other,
        };
        format!("{rest},{name}")
    };
    rewritten(&at("val.csv"), &at("named.csv"), named);
    refused(&with("named.csv"), "--class-names");
    fs_err::write(at("names.txt"), "ant\nbee\ncat\n").unwrap();
    let ran = predict(&[&with("named.csv")[..], &["--class-names", "names.txt"]].concat());
    assert_eq!((ran.code, ran.stderr.as_str()), (0, ""));
}

/// Two features at angles 0, 1 and 2, and vectors at those angles.
#[test]
fn class_vectors_add_rows() {
    let folder = tempfile::tempdir().unwrap();
    toy(folder.path());
    fs_err::write(folder.path().join("v.csv"), "a,b\n1,0\n0.54,0.84\n-0.42,0.91\n").unwrap();
    let words = ["compare", "--effort", "quick", "--methods", "zero-shot,los", "--json"];
    let vectors = ["--class-vectors", "v.csv"];
    let ran = tailfit(folder.path(), &[&words[..], &vectors, &TOY].concat());
    let records: Vec<serde_json::Value> = serde_json::from_str(&ran.stdout).unwrap();
    let zero_shot = records.iter().find(|record| record["method"] == "zero-shot").unwrap();
    assert_eq!(zero_shot["evaluation"]["accuracy"]["overall_percent"], 100.0);
    assert!(zero_shot["data"]["class_vectors_sha256"].is_string());
    // Columns go by their names.
    fs_err::write(folder.path().join("v.csv"), "b,a\n0,1\n0.84,0.54\n0.91,-0.42\n").unwrap();
    let ran = tailfit(folder.path(), &[&words[..], &vectors, &TOY].concat());
    assert_eq!(serde_json::from_str::<Vec<serde_json::Value>>(&ran.stdout).unwrap(), records);
    fs_err::write(folder.path().join("v.csv"), "a,b\n1,0\n0.54,0.84\n").unwrap();
    let ran = tailfit(folder.path(), &[&words[..], &vectors, &TOY].concat());
    assert!(ran.code == 1 && ran.stderr.contains("[3, 2]"), "{}", ran.stderr);
}

#[test]
fn two_classes_have_their_usual_figures() {
    let folder = tempfile::tempdir().unwrap();
    csv(&folder.path().join("train.csv"), &[30, 5], 1.0);
    csv(&folder.path().join("test.csv"), &[9, 6], 2.0);
    let words = ["evaluate", "--train", "train.csv", "--test", "test.csv", "-q", "--json"];
    let ran = tailfit(folder.path(), &words);
    let all: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!(all["binary"]["positive"], 1, "{}", ran.stderr);
    let recall = all["variants"][0]["evaluation"]["per_class_percent"][1].as_f64();
    assert_eq!(all["binary"]["sensitivity_percent"].as_f64(), recall);
}
