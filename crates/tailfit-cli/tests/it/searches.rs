//! Grids as users write them, reports of several comparisons, and comparisons that are interrupted.

use crate::support::{TOY, tailfit, toy};

#[test]
fn equal_points_and_schedules_of_several_lengths() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    toy(at);
    let twice = "name = \"twice\"\n[recipe]\nlr = 0.01\nepochs = 30\n[search]\nlr = [0.01, 0.01, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8]\n";
    let lengths =
        "name = \"lengths\"\n[search]\nepochs = [5, 20, 40]\nlr = [0.01, 0.1, 0.2, 0.5]\n";
    fs_err::write(at.join("twice.toml"), twice).unwrap();
    fs_err::write(at.join("lengths.toml"), lengths).unwrap();
    let words = ["compare", "--config", "twice.toml", "--config", "lengths.toml", "--seeds", "2"];
    let ran = tailfit(at, &[&words[..], &TOY].concat());
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    // Every trial of the second goes to its end.
    let curves = fs_err::read_to_string(at.join("tailfit-out/curves/lengths.csv")).unwrap();
    let epochs = curves.lines().skip(1).map(|line| line.split(',').nth(2).unwrap());
    // Of twelve trials four have 40, and those beyond the edges.
    assert!(epochs.filter(|&epoch| epoch == "40").count() >= 2 * 4, "{curves}");
}

/// Of the same data by another way: where files lie is no part of what they hold.
#[test]
fn records_of_two_folders_make_one_report() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    toy(at);
    let compare = ["compare", "-q", "--seeds", "1", "--methods"];
    let ran = tailfit(at, &[&compare[..], &["lda", "--out", "a"], &TOY].concat());
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let inner = at.join("b");
    fs_err::create_dir(&inner).unwrap();
    fs_err::copy(at.join("train.csv"), inner.join("another name.csv")).unwrap();
    let above = TOY.map(|word| match word {
        "train.csv" => "another name.csv".to_owned(),
        word if word.starts_with("--") => word.to_owned(),
        word => format!("../{word}"),
    });
    let above: Vec<&str> = above.iter().map(String::as_str).collect();
    let ran = tailfit(&inner, &[&compare[..], &["ridge", "--out", "out"], &above].concat());
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let ran = tailfit(at, &["report", "a", "b/out/records"]);
    assert!(
        ran.code == 0 && ran.stdout.contains("lda") && ran.stdout.contains("ridge"),
        "{}",
        ran.stderr
    );
    let record = fs_err::read_to_string(at.join("b/out/records/ridge-seed0.json")).unwrap();
    assert!(!record.contains("../"), "{record}");
}

/// The first Ctrl-C ends the method at work, and what is finished makes the tables.
#[cfg(unix)]
#[test]
fn an_interrupted_comparison_keeps_what_is_finished() {
    use std::process::{Command, Stdio};
    use std::time::Duration;

    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    toy(at);
    let long = "name = \"long\"\n[recipe]\nepochs = 1000000\n";
    fs_err::write(at.join("long.toml"), long).unwrap();
    let words = ["compare", "--methods", "lda", "--config", "long.toml", "--seeds", "1"];
    let mut child = Command::new(env!("CARGO_BIN_EXE_tailfit"))
        .args([&words[..], &TOY].concat())
        .current_dir(at)
        .stderr(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    while !at.join("tailfit-out/per-class/lda.csv").exists() && child.try_wait().unwrap().is_none()
    {
        std::thread::sleep(Duration::from_millis(5));
    }
    std::thread::sleep(Duration::from_millis(300));
    assert!(
        Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap().success()
    );
    let ended = child.wait_with_output().unwrap();
    let (said, shown) =
        (String::from_utf8_lossy(&ended.stderr), String::from_utf8_lossy(&ended.stdout));
    assert_eq!(ended.status.code(), Some(1), "{said}");
    assert!(said.contains("interrupted: tables are made"), "{said}");
    assert!(shown.contains("lda") && at.join("tailfit-out/report.md").exists(), "{shown}");
}
