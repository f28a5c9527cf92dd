//! Stage 1 from the command line, on toy images in CIFAR-10's layout.

use std::path::Path;

use crate::support::tailfit;

/// Ten classes of five training images and two test images.
fn toy_images(folder: &Path) {
    let record = |class: u8, number: u8| {
        let pixel = |i: usize| class * 20 + ((i * 31 + usize::from(number) * 17) % 23) as u8;
        [vec![class], (0..3072).map(pixel).collect()].concat()
    };
    let batch = |number: u8| (0..10).flat_map(|class| record(class, number)).collect::<Vec<u8>>();
    for number in 1..=5 {
        fs_err::write(folder.join(format!("data_batch_{number}.bin")), batch(number)).unwrap();
    }
    fs_err::write(folder.join("test_batch.bin"), [batch(6), batch(7)].concat()).unwrap();
}

fn split(folder: &Path, more: &[&str]) -> crate::support::Ran {
    let words = [&["split", "--images", ".", "--imbalance-ratio", "5"], more].concat();
    tailfit(folder, &words)
}

#[test]
fn a_split_says_what_it_is_and_repeats() {
    let folder = tempfile::tempdir().unwrap();
    toy_images(folder.path());
    let ran = split(folder.path(), &[]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert!(
        ran.stdout.contains("of 10 classes, 5 to 1 each (0 many, 0 medium, 10 few)"),
        "{}",
        ran.stdout
    );
    let bytes = |name: &str| fs_err::read(folder.path().join(name)).unwrap();
    assert_eq!(split(folder.path(), &["--out", "again.json"]).code, 0);
    assert_eq!(bytes("split.json"), bytes("again.json"));
    assert_eq!(split(folder.path(), &["--numpy-seed", "0", "--out", "numpy.json"]).code, 0);
    assert_ne!(bytes("split.json"), bytes("numpy.json"));
    let ran = split(folder.path(), &["--validation-per-class", "5"]);
    assert!(ran.code == 2 && ran.stderr.contains("at least one training image"), "{}", ran.stderr);
    fs_err::write(folder.path().join("data_batch_3.bin"), [0; 4000]).unwrap();
    let ran = split(folder.path(), &[]);
    assert!(
        ran.code == 1 && ran.stderr.contains("data_batch_3.bin: expected whole records"),
        "{}",
        ran.stderr
    );
}

#[cfg(feature = "backbone")]
pub(crate) mod backbone {
    use std::process::{Command, Stdio};
    use std::time::Duration;

    use super::{Path, split, tailfit, toy_images};

    pub(crate) const TRAIN: [&str; 9] = [
        "train-backbone",
        "--images",
        ".",
        "--split",
        "split.json",
        "--config",
        "toy.toml",
        "--threads",
        "1",
    ];

    pub(crate) fn toy(folder: &Path) {
        toy_images(folder);
        assert_eq!(split(folder, &[]).code, 0);
        let recipe = "epochs = 4\nbatch_size = 4\nlr = 0.01\nscore_every = 2\n";
        fs_err::write(folder.join("toy.toml"), recipe).unwrap();
    }

    /// Killed at any moment and begun again, a run comes to the same weights.
    #[test]
    fn killed_and_taken_up_again_the_weights_are_the_same() {
        let folder = tempfile::tempdir().unwrap();
        toy(folder.path());
        let whole = tailfit(folder.path(), &[&TRAIN[..], &["--out", "whole"]].concat());
        assert_eq!(whole.code, 0, "{}", whole.stderr);
        assert!(whole.stdout.contains("epoch 4 of 4 (the last), seed 0"), "{}", whole.stdout);
        let kills = std::env::var("TAILFIT_KILLS").map_or(4, |n| n.parse().unwrap());
        let mut in_training = 0;
        for kill in 0..kills {
            let mut child = Command::new(env!("CARGO_BIN_EXE_tailfit"))
                .args([&TRAIN[..], &["--out", "killed"]].concat())
                .current_dir(folder.path())
                .stderr(Stdio::null())
                .stdout(Stdio::null())
                .spawn()
                .unwrap();
            // Anywhere from before the first batch to after the last epoch.
            std::thread::sleep(Duration::from_millis(200 + 7919 * kill % 1500));
            // The last at least after a checkpoint, however slow the machine is.
            let checkpoint = folder.path().join("killed/checkpoint.safetensors");
            while kill == kills - 1 && !checkpoint.exists() && child.try_wait().unwrap().is_none() {
                std::thread::sleep(Duration::from_millis(5));
            }
            in_training += usize::from(child.try_wait().unwrap().is_none());
            child.kill().unwrap();
            child.wait().unwrap();
        }
        assert!(in_training > 0, "every run was over before it was killed");
        let ran = tailfit(folder.path(), &[&TRAIN[..], &["--out", "killed"]].concat());
        assert_eq!(ran.code, 0, "{}", ran.stderr);
        for file in ["last.safetensors", "best.safetensors", "log.jsonl"] {
            let bytes = |run: &str| fs_err::read(folder.path().join(run).join(file)).unwrap();
            assert!(bytes("whole") == bytes("killed"), "{file} differs");
        }
        let names = fs_err::read_dir(folder.path().join("killed")).unwrap();
        let names = names.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let left: Vec<String> = names.filter(|name| name.contains(".tmp")).collect();
        assert!(left.is_empty(), "{left:?}");
    }

    /// On a full disk (here: no file may be longer than 200 KiB) the checkpoint stays as it was.
    #[cfg(unix)]
    #[test]
    fn a_full_disk_leaves_the_checkpoint_as_it_was() {
        let folder = tempfile::tempdir().unwrap();
        toy(folder.path());
        let checkpoint = folder.path().join("run/checkpoint.safetensors");
        let words = [&TRAIN[..], &["--out", "run"]].concat();
        let mut child = Command::new(env!("CARGO_BIN_EXE_tailfit"))
            .args(&words)
            .current_dir(folder.path())
            .stderr(Stdio::null())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        while !checkpoint.exists() && child.try_wait().unwrap().is_none() {
            std::thread::sleep(Duration::from_millis(5));
        }
        child.kill().unwrap();
        child.wait().unwrap();
        let before = fs_err::read(&checkpoint).unwrap();
        let limited = || {
            let ran = Command::new("sh")
                .args(["-c", "trap '' XFSZ; ulimit -f 400; exec \"$0\" \"$@\""])
                .arg(env!("CARGO_BIN_EXE_tailfit"))
                .args(&words)
                .current_dir(folder.path())
                .output()
                .unwrap();
            (ran.status.code(), String::from_utf8(ran.stderr).unwrap())
        };
        let (code, said) = limited();
        assert!(code == Some(1) && said.contains("too large"), "{code:?} {said}");
        assert!(said.contains("run/"), "{said}");
        assert!(fs_err::read(&checkpoint).unwrap() == before);
        let ran = tailfit(folder.path(), &words);
        assert_eq!(ran.code, 0, "{}", ran.stderr);
    }

    #[test]
    fn from_images_to_a_compared_head() {
        let folder = tempfile::tempdir().unwrap();
        toy(folder.path());
        let run = |words: &[&str]| {
            let ran = tailfit(folder.path(), words);
            assert_eq!(ran.code, 0, "{words:?}: {}", ran.stderr);
            ran.stdout
        };
        run(&[&TRAIN[..], &["--out", "run"]].concat());
        let images = ["--images", ".", "--split", "split.json"];
        run(&[&["extract-features", "--run", "run", "--out", "features"], &images[..]].concat());
        let table = run(&[
            "compare",
            "--quiet",
            "--methods",
            "stage-1,los",
            "--seeds",
            "1",
            "--train",
            "features/train.safetensors",
            "--test",
            "features/test.safetensors",
            "--head",
            "features/head.safetensors",
        ]);
        assert!(table.contains("mirror-averaged") && table.contains("los"), "{table}");
        // The stage-1 head on stored features scores what training said.
        let record =
            fs_err::read_to_string(folder.path().join("tailfit-out/heads/stage-1.json")).unwrap();
        let record: serde_json::Value = serde_json::from_str(&record).unwrap();
        let log = fs_err::read_to_string(folder.path().join("run/log.jsonl")).unwrap();
        let last: serde_json::Value = serde_json::from_str(log.lines().last().unwrap()).unwrap();
        let said = last["mirrored_accuracy"]["overall_percent"].as_f64().unwrap();
        let scored = record["evaluation"]["accuracy"]["overall_percent"].as_f64().unwrap();
        // f16 may turn one of the 20 images.
        assert!((said - scored).abs() <= 5.0, "{said} and {scored}");
    }

    #[test]
    fn a_head_trained_live() {
        let folder = tempfile::tempdir().unwrap();
        toy(folder.path());
        let run = |words: &[&str]| tailfit(folder.path(), words);
        assert_eq!(run(&[&TRAIN[..], &["--out", "run"]].concat()).code, 0);
        let live = ["train-head", "--live", "run", "--images", ".", "--split", "split.json"];
        let los = ["--method", "los", "--set", "epochs=2", "--threads", "1"];
        let ran = run(&[&live[..], &los].concat());
        assert_eq!(ran.code, 0, "{}", ran.stderr);
        assert!(ran.stdout.contains("mirror-averaged"), "{}", ran.stdout);
        let log = fs_err::read_to_string(folder.path().join("retrained.json")).unwrap();
        let log: serde_json::Value = serde_json::from_str(&log).unwrap();
        assert_eq!(log["epochs"].as_array().unwrap().len(), 3);
        let ran = run(&[&live[..], &["--method", "cosine"]].concat());
        assert!(ran.code == 2 && ran.stderr.contains("recipe.head"), "{}", ran.stderr);
        let ran = run(&["train-head", "--live", "run", "--method", "los"]);
        assert!(ran.code == 2 && ran.stderr.contains("--images"), "{}", ran.stderr);
    }

    /// Images in files, all of them trained on; one of them is damaged.
    #[test]
    fn a_folder_of_photos() {
        let folder = tempfile::tempdir().unwrap();
        for (part, class, number) in
            (0..24).map(|i| (if i < 18 { "train" } else { "val" }, ["cat", "owl"][i % 2], i))
        {
            let place = folder.path().join("photos").join(part).join(class);
            fs_err::create_dir_all(&place).unwrap();
            fs_err::write(place.join(format!("{number}.png")), include_bytes!("photo.png"))
                .unwrap();
        }
        fs_err::write(folder.path().join("photos/train/owl/3.png"), "no image").unwrap();
        let recipe =
            "image_size = 10\naugmentation = \"resized-crop-jitter\"\nepochs = 1\nbatch_size = 4\n";
        fs_err::write(folder.path().join("toy.toml"), recipe).unwrap();
        let train =
            ["train-backbone", "--images", "photos", "--config", "toy.toml", "--out", "run"];
        let ran = tailfit(folder.path(), &train);
        assert!(
            ran.code == 1 && ran.stderr.contains("owl/3.png: expected an image"),
            "{}",
            ran.stderr
        );
        let ran = tailfit(folder.path(), &[&train[..], &["--skip-unreadable"]].concat());
        assert_eq!(ran.code, 0, "{}", ran.stderr);
        assert!(ran.stderr.contains("1 images cannot be read and are left out"), "{}", ran.stderr);
        let extract =
            ["extract-features", "--images", "photos", "--run", "run", "--out", "features"];
        let ran = tailfit(folder.path(), &extract);
        // All 18 images are another training set.
        assert!(ran.code != 0 && ran.stderr.contains("last.safetensors"), "{}", ran.stderr);
        let ran = tailfit(folder.path(), &[&extract[..], &["--skip-unreadable"]].concat());
        assert_eq!(ran.code, 0, "{}", ran.stderr);
        assert!(ran.stdout.contains("17 training images"), "{}", ran.stdout);
    }

    #[test]
    fn wrong_settings_are_refused_by_name() {
        let folder = tempfile::tempdir().unwrap();
        toy(folder.path());
        let refused = |more: &[&str], part: &str| {
            let ran = tailfit(folder.path(), &[&TRAIN[..], &["--out", "run"], more].concat());
            assert!(ran.code != 0 && ran.stderr.contains(part), "{}", ran.stderr);
        };
        refused(&["--device", "cuda:9"], "GPU");
        refused(&["--device", "tpu"], "cpu, cuda or cuda:N");
        fs_err::write(folder.path().join("toy.toml"), "epoch = 4\n").unwrap();
        refused(&[], "did you mean `epochs`?");
        fs_err::write(folder.path().join("toy.toml"), "batch_size = 1\n").unwrap();
        refused(&[], "batch_size: expected at least 2");
        let ran = tailfit(
            folder.path(),
            &[
                "extract-features",
                "--run",
                "none",
                "--images",
                ".",
                "--split",
                "split.json",
                "--out",
                "f",
            ],
        );
        assert!(ran.code == 1 && ran.stderr.contains("none/last.safetensors"), "{}", ran.stderr);
    }
}
