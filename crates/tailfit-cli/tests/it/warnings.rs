//! What is no error, but said.

use crate::support::{TOY, csv, safetensors, tailfit, toy};

#[test]
fn a_misplaced_head_and_classes_without_test_samples_are_warned_of() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    csv(&at.join("train.csv"), &[100, 80, 60, 50, 40, 30], 1.0);
    csv(&at.join("test.csv"), &[5; 6], 2.0);
    let evaluated = |order: [usize; 6]| {
        // Towards the mean of each class, on the unit circle.
        let weight: Vec<f32> =
            order.iter().flat_map(|&k| [(k as f32).cos(), (k as f32).sin()]).collect();
        let tensors: [(&str, &[usize], &[f32]); 2] =
            [("fc.weight", &[6, 2], &weight), ("fc.bias", &[6], &[0.0; 6])];
        safetensors(&at.join("head.safetensors"), &tensors);
        let ran = tailfit(at, &[&["evaluate"], &TOY[..]].concat());
        assert_eq!(ran.code, 0, "{}", ran.stderr);
        ran.stderr
    };
    let in_order = [0, 1, 2, 3, 4, 5];
    assert!(!evaluated(in_order).contains("warning"));
    let scrambled = evaluated([1, 2, 3, 4, 5, 0]);
    assert!(scrambled.contains("0.00 % of the training samples"), "{scrambled}");
    assert!(scrambled.contains("no more than guessing"), "{scrambled}");
    let partly = evaluated([0, 1, 3, 4, 5, 2]);
    assert!(partly.contains("less than half of what the nearest class mean is"), "{partly}");
    csv(&at.join("test.csv"), &[5, 0, 5, 5, 5, 5], 2.0);
    let missing = evaluated(in_order);
    assert!(missing.contains("no samples of 1 of the 6 classes (first: class 1)"), "{missing}");
}

/// A head without a bias, classes without test samples, and a validation set: where the numbers
/// stand.
#[test]
fn the_table_says_what_its_numbers_are() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    toy(at);
    csv(&at.join("test.csv"), &[5, 5, 0], 2.0);
    csv(&at.join("val.csv"), &[5, 5, 5], 3.0);
    let weight = [1.0, 0.0, 0.5, 0.8, -0.4, 0.9];
    safetensors(&at.join("head.safetensors"), &[("fc.weight", &[3, 2], &weight)]);
    let words = ["compare", "--methods", "los", "--seeds", "1", "--val", "val.csv"];
    let ran = tailfit(at, &[&words[..], &TOY].concat());
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    for part in ["few (1 of 2)", "medium (1)", "validation", "was given without a bias"] {
        assert!(ran.stdout.contains(part), "`{part}` is not in {}", ran.stdout);
    }
    // Standardised features were tried too; a single head is trained on features as they are.
    assert!(!ran.stderr.contains("norm about the mean"), "{}", ran.stderr);
    let one = tailfit(at, &[&["train-head", "--method", "los"], &TOY[..]].concat());
    assert!(one.stderr.contains("norm about the mean is 0.6"), "{}", one.stderr);
    let record: serde_json::Value =
        serde_json::from_slice(&fs_err::read(at.join("tailfit-out/heads/los.json")).unwrap())
            .unwrap();
    let validation = record["heads"][0]["validation_percent"].as_f64().unwrap();
    let csv = fs_err::read_to_string(at.join("tailfit-out/summary.csv")).unwrap();
    let mut lines = csv.lines().map(|line| line.split(','));
    let (mut names, mut values) = (lines.next().unwrap(), lines.next().unwrap());
    let column = names.position(|name| name == "validation_percent").unwrap();
    assert_eq!(values.nth(column).unwrap().parse::<f64>().unwrap(), validation);
    let head = fs_err::read(at.join("tailfit-out/heads/los.safetensors")).unwrap();
    let said = format!("\\\"validation_percent\\\":{validation:?}");
    assert!(String::from_utf8_lossy(&head).contains(&said), "{said}");
}

/// Names in files must not command the terminal.
#[test]
fn control_characters_are_not_passed_on() {
    let folder = tempfile::tempdir().unwrap();
    toy(folder.path());
    fs_err::write(folder.path().join("test.csv"), "a,\u{1b}[31m,label\n1,2,0\n").unwrap();
    let ran = tailfit(folder.path(), &[&["compare"], &TOY[..]].concat());
    assert!(ran.code == 1 && !ran.stderr.contains('\u{1b}'), "{}", ran.stderr);
}

/// Two runs do not write to one folder at a time.
#[test]
fn a_folder_belongs_to_one_run() {
    let folder = tempfile::tempdir().unwrap();
    toy(folder.path());
    let out = folder.path().join("tailfit-out");
    fs_err::create_dir_all(&out).unwrap();
    let lock = fs_err::File::create(out.join(".lock")).unwrap();
    lock.file().lock().unwrap();
    let words = [&["compare", "-q", "--methods", "stage-1"], &TOY[..]].concat();
    let ran = tailfit(folder.path(), &words);
    assert!(ran.code == 2 && ran.stderr.contains("another run in it"), "{}", ran.stderr);
    drop(lock);
    assert_eq!(tailfit(folder.path(), &words).code, 0);
}
