//! `tailfit reproduce`: files, resuming, and what is missing.

use fs_err::read_to_string;

use crate::support::tailfit;

#[test]
fn a_proposition_needs_no_data_and_is_written_in_three_forms() {
    let folder = tempfile::tempdir().unwrap();
    let ran = tailfit(folder.path(), &["reproduce", "prop1", "-q"]);
    assert_eq!((ran.code, ran.stderr.as_str()), (0, ""));
    let line = |name: &str| {
        let of = |line: &&str| line.starts_with(name);
        ran.stdout.lines().find(of).unwrap().to_owned()
    };
    assert!(line("cross-entropy").ends_with(" convex") && !line("cross-entropy").contains("not"));
    assert!(line("focal  ").ends_with("not convex"));
    let at = folder.path().join("tailfit-out/paper/prop1");
    let csv = read_to_string(at.join("prop1.csv")).unwrap();
    assert!(csv.starts_with("loss,smallest eigenvalue,"), "{csv}");
    for form in ["prop1.md", "prop1.tex"] {
        assert!(read_to_string(at.join(form)).unwrap().contains("Proposition 1"), "{form}");
    }
}

/// The image is the one that the paper names, and the figure is drawn.
#[test]
fn the_image_of_figure_1() {
    let folder = tempfile::tempdir().unwrap();
    let ran = tailfit(folder.path(), &["reproduce", "fig1", "-q", "--out", "paper"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert!(ran.stdout.contains("test image 7202 of class 75"), "{}", ran.stdout);
    assert!(ran.stderr.contains("ltwb is not there; make it with"), "{}", ran.stderr);
    let svg = read_to_string(folder.path().join("paper/fig1/cross-entropy-los.svg")).unwrap();
    assert!(svg.contains("los on cross-entropy"), "{svg}");
    assert_eq!(svg.matches("<circle").count(), 100, "a dot for each class");
    assert_eq!(svg.matches("class=\"faint\"").count(), 200, "two bars for each class");
    let records = read_to_string(folder.path().join("paper/fig1/records.jsonl")).unwrap();
    let methods: Vec<String> = records
        .lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap()["method"].to_string())
        .collect();
    assert_eq!(methods, ["\"stage-1\"", "\"los\""]);
}

/// A part whose backbones are partly missing says which, and how they are made; what was trained is not
/// trained again.
#[test]
fn what_is_missing_is_named_and_what_is_there_is_kept() {
    let folder = tempfile::tempdir().unwrap();
    let words = ["reproduce", "table4", "-q", "--seeds", "1", "--out", "paper"];
    let first = tailfit(folder.path(), &words);
    assert_eq!(first.code, 0, "{}", first.stderr);
    for missing in ["cross-entropy-drw", "ldam-drw", "balanced-softmax"] {
        assert!(
            first.stderr.contains(&format!("--run results/stage-1/{missing} ")),
            "{}",
            first.stderr
        );
    }
    let records = folder.path().join("paper/records/cifar100-lt-ir100-resnet32/cross-fitted");
    let los = || {
        let all = fs_err::read_dir(&records).unwrap().map(|entry| entry.unwrap());
        let mut named = all.filter(|file| file.file_name().to_string_lossy().starts_with("los-"));
        named.next().unwrap()
    };
    let written = los().metadata().unwrap().modified().unwrap();
    let again = tailfit(folder.path(), &words);
    assert_eq!(again.stdout, first.stdout);
    assert_eq!(los().metadata().unwrap().modified().unwrap(), written, "not trained again");
    // A damaged record is made anew, and comes out the same.
    let whole = read_to_string(los().path()).unwrap();
    fs_err::write(los().path(), &whole[..100]).unwrap();
    assert_eq!(tailfit(folder.path(), &words).stdout, first.stdout);
    assert_eq!(read_to_string(los().path()).unwrap(), whole);
}
