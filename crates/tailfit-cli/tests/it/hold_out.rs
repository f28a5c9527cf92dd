//! A test set held out of data that has none.

use crate::support::{csv, tailfit};

#[test]
fn features_without_a_test_set_are_divided_and_compared() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    csv(&at.join("all.csv"), &[100, 30, 10], 1.0);
    let ran = tailfit(at, &["split", "--features", "all.csv", "--hold-out", "20", "--out", "data"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert!(
        ran.stdout.starts_with("112 training samples and 28 test samples of 3 classes"),
        "{}",
        ran.stdout
    );
    let train = fs_err::read(at.join("data/train.safetensors")).unwrap();
    let files = ["--train", "data/train.safetensors", "--test", "data/test.safetensors"];
    let ran =
        tailfit(at, &[&["compare", "-q", "--methods", "los", "--seeds", "1"][..], &files].concat());
    assert!(ran.code == 0 && !ran.stderr.contains("also appear in training"), "{}", ran.stderr);
    let again =
        ["split", "--features", "all.csv", "--hold-out", "20", "--seed", "1", "--out", "data"];
    assert_eq!(tailfit(at, &again).code, 0);
    assert_ne!(train, fs_err::read(at.join("data/train.safetensors")).unwrap());

    let own =
        ["split", "--features", "data/train.safetensors", "--hold-out", "20", "--out", "data"];
    let ran = tailfit(at, &own);
    assert!(ran.code == 2 && ran.stderr.contains("not an input of this run"), "{}", ran.stderr);
    fs_err::write(at.join("gap.csv"), "1,2,0\n1,2,4000000000\n").unwrap();
    let ran = tailfit(at, &["split", "--features", "gap.csv", "--hold-out", "20", "--out", "x"]);
    assert!(ran.code == 1 && ran.stderr.contains("at most 2 classes"), "{}", ran.stderr);
}

/// Without a test set, one is held out and the folds of the rest choose; a head that has fitted the
/// training set is refused.
#[test]
fn training_features_alone_are_enough() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    csv(&at.join("all.csv"), &[100, 30, 10, 1], 1.0);
    let words = ["compare", "--train", "all.csv", "--methods", "los", "--seeds", "1"];
    let ran = tailfit(at, &words);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert!(ran.stdout.contains("28 test samples") && ran.stdout.contains("cross-validated"));
    assert!(ran.stderr.contains("a fifth of each class held out"), "{}", ran.stderr);
    assert!(
        ran.stderr.contains("in no fold: 1 of 4 classes, with one training sample"),
        "{}",
        ran.stderr
    );
    let ran = tailfit(
        at,
        &["train-head", "--train", "all.csv", "--method", "los", "--select", "cross-validated"],
    );
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let with = ["--train", "all.csv", "--head", "retrained.safetensors"];
    let ran = tailfit(at, &[&["compare", "--methods", "los"][..], &with].concat());
    assert!(ran.code == 2 && ran.stderr.contains("right on"), "{} {}", ran.code, ran.stderr);
    let ran = tailfit(at, &[&["evaluate"][..], &with].concat());
    assert!(ran.code == 2 && ran.stderr.contains("--test"), "{}", ran.stderr);
}

/// Class names of the user's stand in for those of the files, in every set.
#[test]
fn other_class_names_are_taken_for_all_sets() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    let row = |i: usize| {
        format!("{},{},{}\n", (i as f64).sin(), (i % 7) as f64 + 0.5, ["emu", "owl"][i % 2])
    };
    let text = "a,b,class\n".to_owned() + &(0..40).map(row).collect::<String>();
    fs_err::write(at.join("all.csv"), text).unwrap();
    let ran = tailfit(at, &["split", "--features", "all.csv", "--hold-out", "20", "--out", "data"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    fs_err::write(at.join("names.txt"), "Emu\nEule\n").unwrap();
    let files = ["--train", "data/train.safetensors", "--test", "data/test.safetensors"];
    let words = ["evaluate", "-q", "--class-names", "names.txt"];
    let ran = tailfit(at, &[&words[..], &files].concat());
    assert_eq!(ran.code, 0, "{}", ran.stderr);
}

/// Image folders with nothing but train/; listing does not decode.
#[test]
fn images_without_a_test_set_are_divided() {
    let folder = tempfile::tempdir().unwrap();
    for (class, n) in [("emu", 20), ("owl", 5), ("auk", 1)] {
        for image in 0..n {
            let path = folder.path().join(format!("train/{class}/{image}.webp"));
            fs_err::create_dir_all(path.parent().unwrap()).unwrap();
            fs_err::write(path, "").unwrap();
        }
    }
    let ran = tailfit(folder.path(), &["split", "--images", ".", "--hold-out", "20"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert!(ran.stdout.contains("21 training images of 3 classes, 16 to 1 each"), "{}", ran.stdout);
    assert!(ran.stdout.contains("5 held out"), "{}", ran.stdout);
    let own = folder.path().join("val/emu/1.webp");
    fs_err::create_dir_all(own.parent().unwrap()).unwrap();
    fs_err::write(&own, "").unwrap();
    let ran = tailfit(folder.path(), &["split", "--images", ".", "--hold-out", "20"]);
    assert!(ran.code == 2 && ran.stderr.contains("found 1 test images"), "{}", ran.stderr);
    fs_err::remove_dir_all(folder.path().join("val")).unwrap();
    let few = tempfile::tempdir().unwrap();
    for class in ["emu", "owl"] {
        let path = few.path().join(format!("train/{class}/1.webp"));
        fs_err::create_dir_all(path.parent().unwrap()).unwrap();
        fs_err::write(path, "").unwrap();
    }
    let ran = tailfit(few.path(), &["split", "--images", ".", "--hold-out", "20"]);
    assert!(ran.code == 1 && ran.stderr.contains("nothing can be held out"), "{}", ran.stderr);
    let ran = tailfit(folder.path(), &["split", "--images", ".", "--hold-out", "nan"]);
    assert!(ran.code == 2 && ran.stderr.contains("between 0 and 100"), "{}", ran.stderr);
}
