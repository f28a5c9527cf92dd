//! What people read: help and refusals, word for word. `UPDATE_EXPECT=1 cargo test` writes them
//! anew; read the difference before you keep it.

use std::fmt::Write as _;

use expect_test::expect_file;

use crate::support::{TOY, tailfit, toy};

#[test]
fn help() {
    let folder = tempfile::tempdir().unwrap();
    let of = |command: &str| {
        let ran = tailfit(folder.path(), &[command, "--help"]);
        assert_eq!(ran.code, 0, "{}", ran.stderr);
        // Clap pads the last line of a paragraph here and there.
        ran.stdout.lines().map(|line| line.trim_end().to_owned() + "\n").collect::<String>()
    };
    expect_file!["snapshots/help-compare.txt"].assert_eq(&of("compare"));
    expect_file!["snapshots/help-evaluate.txt"].assert_eq(&of("evaluate"));
    expect_file!["snapshots/help-predict.txt"].assert_eq(&of("predict"));
    expect_file!["snapshots/help-average.txt"].assert_eq(&of("average"));
    expect_file!["snapshots/help-report.txt"].assert_eq(&of("report"));
    expect_file!["snapshots/help-reproduce.txt"].assert_eq(&of("reproduce"));
    expect_file!["snapshots/help-list.txt"].assert_eq(&of("list"));
    expect_file!["snapshots/help-split.txt"].assert_eq(&of("split"));
    if cfg!(feature = "backbone") {
        expect_file!["snapshots/help-train-head.txt"].assert_eq(&of("train-head"));
        expect_file!["snapshots/help-train-backbone.txt"].assert_eq(&of("train-backbone"));
        expect_file!["snapshots/help-extract-features.txt"].assert_eq(&of("extract-features"));
    }
}

/// A command that is refused, and files put there before it.
type Refusal = (&'static [(&'static str, &'static str)], &'static [&'static str]);

const REFUSALS: &[Refusal] = &[
    (&[], &["compare", "--methods", "cossine"]),
    (&[], &["compare", "--methods", "nothing-like-it"]),
    (&[], &["compare", "--select", "validation"]),
    (&[], &["compare", "--group-column", "patient"]),
    (&[], &["average", "head.safetensors", "--weights", "0", "--out", "mean.safetensors"]),
    (&[], &["average", "head.safetensors", "--weights", "1,2", "--out", "mean.safetensors"]),
    (&[], &["compare", "--select", "best"]),
    (&[], &["compare", "--val", "x.mat"]),
    (&[], &["compare", "--val", "train.csv"]),
    (&[], &["compare", "--few-below", "200"]),
    (&[], &["compare", "--head-key", "module.fc"]),
    (&[("m.toml", "[recipe]\nwieght_decay = 1\n")], &["compare", "--config", "m.toml"]),
    (&[("m.toml", "[recipe]\nlr = \"fast\"\n")], &["compare", "--config", "m.toml"]),
    (&[("m.toml", "[recipe]\nlr = -1\n")], &["compare", "--config", "m.toml"]),
    (&[("m.toml", "[recipe\nlr = 1\n")], &["compare", "--config", "m.toml"]),
    (&[("m.toml", "[recipe]\nloss = { name = 'focall' }\n")], &["compare", "--config", "m.toml"]),
    (&[("m.toml", "[search]\nlr = []\n")], &["compare", "--config", "m.toml"]),
    (&[("m.toml", "[search]\n\"loss.delta\" = [1]\n")], &["compare", "--config", "m.toml"]),
    (&[], &["evaluate", "--target-prior", "forward-0.5"]),
    (&[("q.txt", "0.5 0.5\n")], &["evaluate", "--target-prior", "q.txt"]),
    (&[("q.txt", "0.5 half 0\n")], &["evaluate", "--target-prior", "q.txt"]),
    (&[], &["evaluate", "--target-prior", "unifrom"]),
    (&[], &["evaluate", "--class-vectors", "text.csv"]),
    (
        &[],
        &[
            "predict",
            "--head",
            "head.safetensors",
            "--features",
            "test.csv",
            "--target-prior",
            "uniform",
            "--val",
            "test.csv",
        ],
    ),
    (&[], &["train-head", "--method", "seesaw", "--set", "solver=lbfgs"]),
    (&[], &["train-head", "--method", "lade", "--set", "head=scaled"]),
    (
        &[],
        &[
            "train-head",
            "--method",
            "effective-area",
            "--set",
            "defer_weights_to_epoch=0",
            "--set",
            "solver=lbfgs",
        ],
    ),
    (&[], &["train-head"]),
    (&[], &["train-head", "--method", "los", "--set", "loss.delta"]),
    (&[], &["train-head", "--method", "los", "--set", "loss.delta=2"]),
    (&[], &["train-head", "--method", "los", "--set", "loss.gamma=1"]),
    (&[], &["train-head", "--method", "los", "--set", "delta=.9"]),
    (&[], &["train-head", "--method", "los", "--set", "wd=0"]),
    (&[], &["train-head", "--method", "cosine", "--set", "start=zero"]),
    (&[], &["train-head", "--method", "lws", "--set", "start=random"]),
    (&[], &["train-head", "--method", "focal", "--set", "solver=lbfgs"]),
    (&[], &["train-head", "--method", "los", "--out", "train.csv"]),
    (&[], &["train-head", "--method", "los", "--out", "head.safetensors"]),
    (&[], &["train-head", "--method", "los", "--out", "train.csv/head.safetensors"]),
    (&[("m.toml", "[recipe]\nlr = 1\n")], &["train-head", "--config", "m.toml", "--out", "."]),
    (&[], &["compare", "--out", "."]),
    (&[], &["compare", "--out", "train.csv"]),
    (&[("m.toml", "name = \"../../x\"\n")], &["compare", "--config", "m.toml"]),
    (&[("m.toml", "[recipe]\nlr = 1\n")], &["compare", "--config", "m.toml", "--config", "m.toml"]),
    (&[("m.toml", "name = \"los\"\n")], &["compare", "--methods", "los", "--config", "m.toml"]),
    (&[("r.json", "{}")], &["train-head", "--config", "r.json"]),
    (&[("test.csv", "a,b,label\n")], &["compare"]),
    (&[("test.csv", "a,b,is_flipped\n1,2,0\n")], &["compare"]),
    (&[("test.csv", ",a,b,label\n0,1,2,0\n")], &["compare"]),
    (&[("test.csv", "a,c,label\n1,2,0\n")], &["compare"]),
    (&[("test.csv", "1,2,3,0\n1,2,3,1\n")], &["compare"]),
    (&[("test.csv", "1,2,0\n1,NaN,1\n")], &["compare"]),
    (&[("test.csv", "1,2,0\n1,2,-1\n")], &["compare"]),
    (&[("test.csv", "1,2,0\n1,2,7\n")], &["compare"]),
    (&[("test.csv", "1,2,0\n1,2\n")], &["compare"]),
    (&[("head.safetensors", "no head")], &["compare"]),
    (&[("x.json", "{}")], &["report", "x.json"]),
    (&[], &["split", "--images", "."]),
    (&[], &["split", "--features", "train.csv", "--hold-out", "100", "--out", "x"]),
    (
        &[],
        &[
            "split",
            "--features",
            "train.csv",
            "--hold-out",
            "20",
            "--imbalance-ratio",
            "9",
            "--out",
            "x",
        ],
    ),
    (&[], &["compare", "--val", "model.pth"]),
    (&[], &["compare", "--val", "nothing.csv"]),
    (&[], &["compare", "--memory", "nan"]),
    (&[], &["compare", "--threads", "0"]),
    (&[], &["compare", "--seeds", "0"]),
    (&[], &["compare", "--label-base", "2"]),
    (&[], &["compare", "--label-column", "species"]),
    (&[], &["compare", "--val-labels", "train.csv"]),
    (&[("l.txt", "0\n1\n")], &["compare", "--test-labels", "l.txt"]),
    (&[("l.txt", "0\n1\n")], &["compare", "--test-labels", "l.txt", "l.txt"]),
    (&[("n.txt", "emu\nowl\n")], &["compare", "--class-names", "n.txt"]),
    (&[("train.csv", "1,2,1\n2,3,2\n3,4,3\n")], &["compare"]),
    (&[("train.csv", "1,2,0\n2,3,1\n3,4,1\n")], &["compare"]),
    (&[("train.csv", "1,2,0\n2,3,2\n3,4,2\n")], &["compare"]),
    (&[("test.csv", "a,b,label\n1,2,owl\n")], &["compare"]),
    (&[("test.csv", "a,b,label\n1,2,owl\n1,2,3\n")], &["compare"]),
    (&[("test.csv", "a,b,label\n1,2,0.5\n")], &["compare"]),
    (&[("test.csv", "a,b,label\n1;5,2,0\n")], &["compare"]),
    (&[("test.csv", "")], &["compare"]),
    (&[("test.npy", "PK\u{3}\u{4}")], &["compare", "--val", "test.npy"]),
    (&[("test.npz", "no archive")], &["compare", "--val", "test.npz"]),
    (&[("m.toml", "[recipe]\nbatch_size = 0\n")], &["compare", "--config", "m.toml"]),
    (&[("m.toml", "[recipe]\nmomentum = 1\n")], &["compare", "--config", "m.toml"]),
    (
        &[("m.toml", "[recipe]\nsampler = { power = { q = nan } }\n")],
        &["compare", "--config", "m.toml"],
    ),
    (&[("m.toml", "[search]\nepochs = [2.5]\n")], &["compare", "--config", "m.toml"]),
    (&[], &["train-head", "--method", "max-norm-step", "--set", "constraint.radius=-1"]),
    (&[], &["train-head", "--method", "ltwb", "--set", "solver=lbfgs"]),
    (
        &[],
        &["train-head", "--method", "cross-entropy", "--set", "solver=lbfgs", "--set", "gap=1e-9"],
    ),
    (&[], &["evaluate", "--tau-norm", "nan"]),
    (&[], &["report", "nothing"]),
    (&[], &["report", "."]),
];

const ABOUT: &str = "# What is refused, and how

Messages say where, what was expected, what was found and, where that is known, what to do. A request that is wrong in itself ends with exit
code 2, data that are wrong with 1; nothing is written. The examples are on a toy set of three classes in `train.csv`,
`test.csv` and `head.safetensors`, which `compare`, `train-head` and `evaluate` are given here where nothing else is said.
(Written by a test: `UPDATE_EXPECT=1 cargo test -p tailfit-cli --test it refusals`.)

";

#[test]
fn refusals() {
    let mut text = ABOUT.to_owned();
    for (files, words) in REFUSALS {
        let folder = tempfile::tempdir().unwrap();
        toy(folder.path());
        for (name, content) in *files {
            fs_err::write(folder.path().join(name), content).unwrap();
        }
        let on_toy = matches!(words[0], "compare" | "train-head" | "evaluate");
        let data = if on_toy { &TOY[..] } else { &[] };
        let all = [*words, data, &["--quiet"]].concat();
        let ran = tailfit(folder.path(), &all);
        assert!(ran.code != 0 && ran.stdout.is_empty(), "{words:?}: {} {}", ran.code, ran.stdout);
        text += "```console\n";
        for (name, content) in *files {
            writeln!(text, "$ printf {content:?} > {name}").unwrap();
        }
        let words = words.join(" ");
        writeln!(text, "$ tailfit {words}\n{}\n```\n", ran.stderr.trim_end()).unwrap();
    }
    assert!(REFUSALS.len() >= 60);
    expect_file!["../../../../docs/errors.md"].assert_eq(&text);
}
