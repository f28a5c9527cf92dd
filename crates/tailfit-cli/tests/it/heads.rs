//! Heads that are averaged, have a gate, or come with groups.

use crate::support::{TOY, tailfit, toy};

/// A trained head's file in the toy set's folder.
fn train(folder: &std::path::Path, words: &[&str]) -> serde_json::Value {
    let ran = tailfit(folder, &[&["train-head", "--json"][..], words, &TOY].concat());
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    serde_json::from_str(&ran.stdout).unwrap()
}

#[test]
fn an_average_of_heads_is_a_head() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    toy(at);
    for seed in ["0", "1"] {
        let out = format!("{seed}.safetensors");
        train(at, &["--method", "los", "--seed", seed, "--out", &out]);
    }
    let ran = tailfit(at, &["average", "0.safetensors", "1.safetensors", "--out", "m.safetensors"]);
    assert_eq!((ran.code, ran.stderr.as_str()), (0, ""));
    let heads = ["0", "1", "m"].map(|name| {
        let file = tailfit::features::load_head(&at.join(format!("{name}.safetensors")), None);
        file.unwrap().head
    });
    let mean = (&heads[0].weight + &heads[1].weight) / 2.0;
    assert!((&mean - &heads[2].weight).iter().all(|off| off.abs() < 1e-6));
    let words =
        ["evaluate", "--train", "train.csv", "--test", "test.csv", "--head", "m.safetensors"];
    assert_eq!(tailfit(at, &words).code, 0);

    train(at, &["--method", "disalign", "--out", "g.safetensors"]);
    let refused = |words: &[&str], expected: &str| {
        let ran = tailfit(at, &[&["average"], words, &["--out", "x.safetensors"]].concat());
        assert!(ran.code != 0 && ran.stderr.contains(expected), "{}", ran.stderr);
        assert!(!at.join("x.safetensors").exists());
    };
    refused(&["0.safetensors", "g.safetensors"], "a head without a gate");
    refused(&["0.safetensors", "--weights", "1,2"], "1 numbers of at least 0");
    fs_err::write(at.join("x.safetensors"), "").unwrap();
    let over = tailfit(at, &["average", "x.safetensors", "--out", "x.safetensors"]);
    assert_ne!(over.code, 0, "an input is not written over");
}

/// What a gated head is stored, scored, predicted with and refused for.
#[test]
fn a_gated_head_is_used_as_it_was_trained() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    toy(at);
    let record = train(at, &["--method", "disalign", "--out", "g.safetensors"]);
    let percent = record["evaluation"]["accuracy"]["overall_percent"].as_f64().unwrap();
    let ran = tailfit(at, &["predict", "--head", "g.safetensors", "--features", "test.csv"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let text = fs_err::read_to_string(at.join("predictions.csv")).unwrap();
    let right = text.lines().skip(1).enumerate();
    let right = right.filter(|(row, line)| line.split(',').nth(1) == Some(&(row / 5).to_string()));
    assert_eq!(100.0 * right.count() as f64 / 15.0, percent);

    let data = ["--train", "train.csv", "--test", "test.csv", "--head", "g.safetensors"];
    let again =
        tailfit(at, &[&["evaluate", "--json", "--logit-adjustment", "1"][..], &data].concat());
    assert_eq!(again.code, 0, "{}", again.stderr);
    let priors =
        tailfit(at, &[&["evaluate", "--json", "--target-prior", "forward-50"][..], &data].concat());
    assert_eq!(priors.code, 0, "{}", priors.stderr);
    let tau = tailfit(at, &[&["evaluate", "--tau-norm", "1"][..], &data].concat());
    assert!(tau.code != 0 && tau.stderr.contains("gate"), "{}", tau.stderr);
    let start = tailfit(at, &[&["compare", "--methods", "los"][..], &data].concat());
    assert!(start.code != 0 && start.stderr.contains("without a gate"), "{}", start.stderr);
}

#[test]
fn groups_in_both_sets_are_warned_of() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    let table = |name: &str, patient: &str, n: usize| {
        let line = |i: usize| format!("{}.5,{},{patient}{},{}\n", i % 3, i * 7 % 11, i / 2, i % 3);
        let lines: String = (0..n).map(line).collect();
        fs_err::write(at.join(name), format!("a,b,patient,label\n{lines}")).unwrap();
    };
    table("train.csv", "p", 30);
    table("test.csv", "p", 12);
    let words = ["compare", "--methods", "lda", "--train", "train.csv", "--test", "test.csv"];
    let ran = tailfit(at, &[&words[..], &["--group-column", "patient"]].concat());
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert!(
        ran.stderr.contains("6 of the test set's 6 groups are in training too"),
        "{}",
        ran.stderr
    );
    assert!(ran.stdout.contains("12 test samples of 6 groups"), "{}", ran.stdout);
    let predict =
        ["predict", "--head", "tailfit-out/heads/lda.safetensors", "--features", "test.csv"];
    let predicted = tailfit(at, &[&predict[..], &["--group-column", "patient"]].concat());
    assert_eq!(predicted.code, 0, "{}", predicted.stderr);
    let split =
        ["split", "--features", "train.csv", "--hold-out", "20", "--group-column", "patient"];
    assert_eq!(tailfit(at, &[&split[..], &["--out", "held"]].concat()).code, 0);
    let read = |name: &str| tailfit::features::Features::load(&at.join(name), None).unwrap();
    let [kept, out] = ["held/train.safetensors", "held/test.safetensors"].map(read);
    let shared = kept.groups.unwrap().shared_with(&out.groups.unwrap()).len();
    assert_eq!((shared, kept.labels.len() + out.labels.len()), (0, 30));
    let wrong = tailfit(at, &[&words[..], &["--group-column", "pateint", "--out", "x"]].concat());
    assert!(wrong.code == 1 && wrong.stderr.contains("column of groups"), "{}", wrong.stderr);
}
