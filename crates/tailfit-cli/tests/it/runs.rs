//! What commands leave in folders of runs and features.

use std::process::{Command, Stdio};
use std::time::Duration;

use crate::images::backbone::{TRAIN, toy};
use crate::support::tailfit;

#[test]
fn features_of_two_networks_are_not_mixed_and_weights_not_replaced() {
    let folder = tempfile::tempdir().unwrap();
    toy(folder.path());
    let run = |words: &[&str]| tailfit(folder.path(), words);
    assert_eq!(run(&[&TRAIN[..], &["--out", "run"]].concat()).code, 0);
    let images = ["--images", ".", "--split", "split.json"];
    let extract =
        [&["extract-features", "--run", "run", "--out", "features"], &images[..]].concat();
    assert_eq!(run(&extract).code, 0);
    let features = folder.path().join("features");
    let manifest = fs_err::read_to_string(features.join("manifest.json")).unwrap();
    // As if the run before had had validation images.
    let more = manifest.replace("\"train.", "\"val.safetensors\", \"train.");
    assert_ne!(manifest, more);
    fs_err::write(features.join("manifest.json"), more).unwrap();
    fs_err::write(features.join("val.safetensors"), "of another network").unwrap();
    fs_err::write(features.join("notes.md"), "mine").unwrap();
    assert_eq!(run(&extract).code, 0);
    assert!(!features.join("val.safetensors").exists() && features.join("notes.md").exists());
    assert_eq!(fs_err::read_to_string(features.join("manifest.json")).unwrap(), manifest);

    let weights = || fs_err::read(folder.path().join("run/last.safetensors")).unwrap();
    let before = weights();
    let live = ["train-head", "--live", "run", "--method", "los", "--out", "run/last.safetensors"];
    let ran = run(&[&live[..], &images].concat());
    assert!(ran.code == 2 && ran.stderr.contains("not an input of this run"), "{}", ran.stderr);
    assert!(before == weights());
}

/// As a scheduler ends a program: what was done is saved.
#[cfg(unix)]
#[test]
fn told_to_terminate_a_run_is_saved() {
    let folder = tempfile::tempdir().unwrap();
    toy(folder.path());
    fs_err::write(folder.path().join("toy.toml"), "epochs = 1000\nbatch_size = 4\n").unwrap();
    let words = [&TRAIN[..], &["--out", "run"]].concat();
    let mut child = Command::new(env!("CARGO_BIN_EXE_tailfit"))
        .args(words)
        .current_dir(folder.path())
        .stderr(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let log = folder.path().join("run/log.jsonl");
    while !log.exists() && child.try_wait().unwrap().is_none() {
        std::thread::sleep(Duration::from_millis(5));
    }
    let pid = child.id().to_string();
    assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
    let ended = child.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&ended.stderr);
    assert_eq!(ended.status.code(), Some(130), "{said}");
    assert!(said.contains("and saved; run the same command to resume"), "{said}");
    assert!(folder.path().join("run/checkpoint.safetensors").exists());
}

/// What libtorch cannot do is an error of one line, and nothing half-written is left. (The network's
/// features are a sparse tensor: `torch.jit.trace` of `x.mean((2, 3)).to_sparse()`.)
#[test]
fn a_failure_of_libtorch_prints_no_trace() {
    let folder = tempfile::tempdir().unwrap();
    toy(folder.path());
    fs_err::write(folder.path().join("sparse.pt"), include_bytes!("sparse.pt")).unwrap();
    fs_err::write(folder.path().join("images.toml"), "augmentation = \"none\"\n").unwrap();
    let images = ["--images", ".", "--split", "split.json", "--config", "images.toml"];
    let words = ["extract-features", "--network", "sparse.pt", "--out", "features"];
    let ran = tailfit(folder.path(), &[&words[..], &images].concat());
    assert_eq!(ran.code, 1, "{}", ran.stderr);
    assert!(ran.stderr.contains("libtorch: expected to be able to compute"), "{}", ran.stderr);
    assert!(!ran.stderr.contains("panicked") && !ran.stderr.contains("frame #"), "{}", ran.stderr);
    let left = fs_err::read_dir(folder.path().join("features")).unwrap();
    let left = left.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    assert!(left.into_iter().all(|name| [".lock", "manifest.json"].contains(&name.as_str())));
}
