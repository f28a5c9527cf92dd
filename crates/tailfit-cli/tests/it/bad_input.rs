//! Bad input ends with a message that can be acted on, and with nothing half-written.

use std::path::Path;

use crate::support::{TOY, csv, safetensors, tailfit, toy};

/// Runs `compare` with one toy file replaced; returns exit code and message.
fn with(change: impl FnOnce(&Path), more: &[&str]) -> (i32, String) {
    let folder = tempfile::tempdir().unwrap();
    toy(folder.path());
    change(folder.path());
    let words =
        [&["compare", "--quiet", "--methods", "stage-1", "--seeds", "1"], &TOY[..], more].concat();
    let ran = tailfit(folder.path(), &words);
    if ran.code != 0 {
        assert!(!folder.path().join("tailfit-out").exists(), "nothing may be written");
    }
    (ran.code, ran.stderr)
}

#[track_caller]
fn refused(code: i32, parts: &[&str], (got, message): (i32, String)) {
    assert_eq!(got, code, "{message}");
    for part in parts {
        assert!(message.contains(part), "`{part}` is not in: {message}");
    }
}

fn append(folder: &Path, file: &str, line: &str) {
    let path = folder.join(file);
    let text = fs_err::read_to_string(&path).unwrap() + line + "\n";
    fs_err::write(path, text).unwrap();
}

#[test]
fn nan_and_infinity_are_named_by_file_and_row() {
    let nan = with(|f| append(f, "train.csv", "NaN,1,0"), &[]);
    refused(1, &["train.csv: features, row 42, column 0", "NaN"], nan);
    let inf = with(|f| append(f, "test.csv", "1,1e99,0"), &[]);
    refused(1, &["test.csv: features, row 15, column 1", "inf"], inf);
}

#[test]
fn labels_out_of_range_and_classes_without_samples() {
    let beyond = with(|f| append(f, "test.csv", "1,1,3"), &[]);
    refused(1, &["test set: labels, row 15", "below 3", "found 3"], beyond);
    let negative = with(|f| append(f, "train.csv", "1,1,-1"), &[]);
    refused(1, &["train.csv line 44", "class index", "-1"], negative);
    let empty = with(|f| csv(&f.join("train.csv"), &[30, 0, 3], 1.0), &[]);
    refused(1, &["none for 1 of them: class 1"], empty);
}

#[test]
fn shapes_that_do_not_agree() {
    let three = |f: &Path| fs_err::write(f.join("test.csv"), "1,2,3,0\n1,2,3,1\n").unwrap();
    refused(1, &["test set", "2 features", "found 3"], with(three, &[]));
    let head =
        |f: &Path| safetensors(&f.join("head.safetensors"), &[("fc.weight", &[3, 4], &[0.0; 12])]);
    refused(1, &["stage-1 head", "[3, 4]"], with(head, &[]));
    let no_layer =
        |f: &Path| safetensors(&f.join("head.safetensors"), &[("conv.wieght", &[3, 2], &[0.0; 6])]);
    refused(1, &["`fc.weight`", "--head-key"], with(no_layer, &[]));
}

#[test]
fn empty_and_damaged_files() {
    let empty = with(|f| fs_err::write(f.join("test.csv"), "a,b,label\n").unwrap(), &[]);
    refused(1, &["test.csv", "at least one sample"], empty);
    let cut = with(
        |f| {
            let bytes = fs_err::read(f.join("head.safetensors")).unwrap();
            fs_err::write(f.join("head.safetensors"), &bytes[..bytes.len() - 4]).unwrap();
        },
        &[],
    );
    refused(1, &["head.safetensors", "a whole safetensors file"], cut);
    let header =
        with(|f| fs_err::write(f.join("head.safetensors"), u64::MAX.to_le_bytes()).unwrap(), &[]);
    refused(1, &["head.safetensors", "a whole safetensors file"], header);
    let missing = with(|f| fs_err::remove_file(f.join("test.csv")).unwrap(), &[]);
    refused(1, &["test.csv"], missing);
}

#[test]
fn rows_of_training_are_found_in_columns_of_another_order() {
    let swap = |f: &Path, into: &str| {
        let text = fs_err::read_to_string(f.join("train.csv")).unwrap();
        let lines = text.lines().map(|line| {
            let parts: Vec<&str> = line.split(',').collect();
            [parts[1], parts[2], parts[0]].join(",") + "\n"
        });
        fs_err::write(f.join(into), lines.collect::<String>()).unwrap();
    };
    let (code, message) = with(|f| swap(f, "test.csv"), &[]);
    assert!(
        code == 0 && message.contains("42 of 42 test rows also appear in training"),
        "{message}"
    );
    let val = with(|f| swap(f, "val.csv"), &["--val", "val.csv"]);
    refused(1, &["validation set", "42 of 42 rows that also appear in training"], val);
}

#[test]
fn unknown_names_get_the_nearest_valid_one() {
    let nothing = |_: &Path| {};
    refused(2, &["`cossine`", "did you mean `cosine`?"], with(nothing, &["--methods", "cossine"]));
    let config =
        |f: &Path| fs_err::write(f.join("m.toml"), "[recipe]\nlearning_rate = 1\n").unwrap();
    refused(2, &["m.toml", "learning_rate"], with(config, &["--config", "m.toml"]));
    let config =
        |f: &Path| fs_err::write(f.join("m.toml"), "[recipe]\nwieght_decay = 1\n").unwrap();
    refused(2, &["did you mean `weight_decay`?"], with(config, &["--config", "m.toml"]));
    refused(2, &["unexpected argument '--seedz'"], with(nothing, &["--seedz", "3"]));
    refused(2, &["a validation set"], with(nothing, &["--select", "validation"]));
    refused(2, &["safetensors, npz, npy, csv"], with(nothing, &["--val", "x.mat"]));
}

#[test]
fn test_rows_in_training_are_warned_of_and_training_rows_as_validation_refused() {
    let leak =
        |f: &Path| fs_err::copy(f.join("train.csv"), f.join("test.csv")).map(|_| ()).unwrap();
    let (code, message) = with(leak, &[]);
    assert_eq!(code, 0);
    assert!(message.contains("42 of 42 test rows also appear in training"), "{message}");
    let nothing = |_: &Path| {};
    let val = ["--val", "train.csv"];
    let refusal = with(nothing, &val);
    refused(
        1,
        &["validation set", "has not been trained on", "--allow-training-features"],
        refusal,
    );
    let forced = with(nothing, &[&val[..], &["--allow-training-features-as-validation"]].concat());
    assert_eq!(forced.0, 0, "{}", forced.1);
    assert!(forced.1.contains("42 of 42 validation rows also appear in training"), "{}", forced.1);
    // One of many may be the same picture twice.
    let one = |f: &Path| {
        let [mut val, train] =
            ["test.csv", "train.csv"].map(|name| fs_err::read_to_string(f.join(name)).unwrap());
        val.push_str(train.lines().nth(1).unwrap());
        val.push('\n');
        fs_err::write(f.join("val.csv"), val).unwrap();
    };
    let (code, message) = with(one, &["--val", "val.csv"]);
    assert_eq!(code, 0, "{message}");
    let line = "rows also appear in training (first: validation row 15 is training row 0)";
    assert!(message.contains("1 of 16 validation") && message.contains(line), "{message}");
}

/// A zip with one stored or deflated entry whose directory claims `size` bytes.
fn zip_bomb(path: &Path) {
    use std::io::Write;
    let mut archive = zip::ZipWriter::new(fs_err::File::create(path).unwrap());
    let options = zip::write::SimpleFileOptions::default();
    archive.start_file("features.npy", options).unwrap();
    let zeros = vec![0; 1 << 20];
    for _ in 0..80 {
        archive.write_all(&zeros).unwrap();
    }
    archive.finish().unwrap();
}

#[test]
fn zip_bombs_and_pickles_are_not_unpacked() {
    let folder = tempfile::tempdir().unwrap();
    toy(folder.path());
    zip_bomb(&folder.path().join("bomb.npz"));
    let ran =
        tailfit(folder.path(), &["compare", "-q", "--train", "bomb.npz", "--test", "test.csv"]);
    refused(1, &["bomb.npz: features", "which hardly compress"], (ran.code, ran.stderr));

    let header = "{'descr': '|O', 'fortran_order': False, 'shape': (3,), }";
    let mut pickle = b"\x93NUMPY\x01\x00".to_vec();
    pickle.extend((header.len() as u16).to_le_bytes());
    pickle.extend(header.as_bytes());
    fs_err::write(folder.path().join("o.npy"), pickle).unwrap();
    let ran = tailfit(folder.path(), &["compare", "-q", "--train", "o.npy", "--test", "test.csv"]);
    refused(1, &["o.npy", "pickles"], (ran.code, ran.stderr));
}

#[test]
fn a_killed_run_leaves_whole_records() {
    let folder = tempfile::tempdir().unwrap();
    toy(folder.path());
    let words = [&["compare", "--quiet"], &TOY[..]].concat();
    let mut child = std::process::Command::new(env!("CARGO_BIN_EXE_tailfit"))
        .args(words)
        .current_dir(folder.path())
        .stdout(std::process::Stdio::null())
        .spawn()
        .unwrap();
    let records = folder.path().join("tailfit-out/records");
    let count = || fs_err::read_dir(&records).map_or(0, Iterator::count);
    while count() < 12 {
        assert!(child.try_wait().unwrap().is_none() || count() >= 12, "ended before it was killed");
        std::thread::sleep(std::time::Duration::from_millis(1));
    }
    let _ended_already = child.kill();
    child.wait().unwrap();
    let ran = tailfit(folder.path(), &["report", "tailfit-out/records"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert!(ran.stdout.contains("stage-1"));
}

/// A method that diverges is no row and costs no other's; alone it is an error, and no head.
#[test]
fn divergence_is_said_and_costs_nobody_else() {
    let folder = tempfile::tempdir().unwrap();
    toy(folder.path());
    let wild = "name = \"wild\"\n[recipe]\nlr = 1e30\nweight_decay = 0.5\nepochs = 5\n";
    fs_err::write(folder.path().join("wild.toml"), wild).unwrap();
    let words =
        [&["compare", "-q", "--methods", "los", "--config", "wild.toml"], &TOY[..]].concat();
    let ran = tailfit(folder.path(), &words);
    refused(
        1,
        &["wild: training: expected a finite loss", "1 that did not: wild"],
        (ran.code, ran.stderr),
    );
    assert!(ran.stdout.contains("los") && !ran.stdout.contains("wild"), "{}", ran.stdout);
    assert!(folder.path().join("tailfit-out/heads/los.safetensors").exists());
    assert!(!folder.path().join("tailfit-out/heads/wild.safetensors").exists());
    let words = [&["train-head", "-q", "--config", "wild.toml"], &TOY[..]].concat();
    let ran = tailfit(folder.path(), &words);
    refused(1, &["divergence", "lower the learning rate"], (ran.code, ran.stderr));
    assert!(!folder.path().join("retrained.safetensors").exists());
}

/// Validation samples that are test samples select for the test set.
#[test]
fn validation_within_the_test_set_is_refused_or_starred() {
    let copy = |f: &Path| fs_err::copy(f.join("test.csv"), f.join("val.csv")).map(|_| ()).unwrap();
    let all = with(copy, &["--val", "val.csv"]);
    refused(1, &["validation set: expected samples that are not test samples"], all);
    let folder = tempfile::tempdir().unwrap();
    toy(folder.path());
    csv(&folder.path().join("val.csv"), &[4, 4, 4], 3.0);
    let one = fs_err::read_to_string(folder.path().join("test.csv")).unwrap();
    append(folder.path(), "val.csv", one.lines().nth(1).unwrap());
    let words =
        [&["compare", "--methods", "los", "--val", "val.csv", "--seeds", "1"], &TOY[..]].concat();
    let ran = tailfit(folder.path(), &words);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert!(ran.stderr.contains("1 validation samples are test samples too"), "{}", ran.stderr);
    let row = ran.stdout.lines().find(|line| line.starts_with("los ")).unwrap();
    assert!(row.split_whitespace().nth(1).unwrap().ends_with('*'), "{row}");
}

/// A gap that was asked for and not reached is an error.
#[test]
fn a_gap_that_is_not_reached_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    toy(folder.path());
    let rows = |sign: f64| -> String {
        let row =
            |i: usize| format!("{},{},{}\n", sign * 1e6 * (i as f64).sin(), 3e-7 * i as f64, i % 3);
        "a,b,label\n".to_owned() + &(0..60).map(row).collect::<String>()
    };
    fs_err::write(folder.path().join("train.csv"), rows(1.0)).unwrap();
    fs_err::write(folder.path().join("test.csv"), rows(-1.0)).unwrap();
    let set = ["--set", "solver=lbfgs", "--set", "weight_decay=1e-9", "--set", "gap=1e-6"];
    let data = ["--train", "train.csv", "--test", "test.csv"];
    let head = ["train-head", "-q", "--method", "cross-entropy", "--set", "start=zero"];
    let ran = tailfit(folder.path(), &[&head[..], &set, &data].concat());
    refused(1, &["expected a gap of 0.000001 or less", "where it stopped"], (ran.code, ran.stderr));
    assert!(!folder.path().join("retrained.safetensors").exists());
}
