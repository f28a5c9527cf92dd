//! A process that ends at any step of writing leaves whole files, and the next run goes on.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::OwnedFolder;

/// Steps that are left before the process ends.
static LEFT: AtomicUsize = AtomicUsize::new(usize::MAX);

/// See `write::step`.
pub(super) fn step() {
    if LEFT.load(Ordering::Relaxed) != usize::MAX && LEFT.fetch_sub(1, Ordering::Relaxed) == 0 {
        std::process::abort();
    }
}

const NAMES: [&str; 4] = ["records/a.json", "records/b.json", "heads/a.safetensors", "report.md"];

/// What a file holds after run `run`; of several blocks, so that it takes several writes.
fn content(name: &str, run: usize) -> Vec<u8> {
    format!("{name} of run {run}\n").repeat(3000 + 1000 * run).into_bytes()
}

fn write_all(out: &Path, run: usize) {
    let planned: BTreeSet<String> = NAMES.map(str::to_owned).into();
    let mut folder = OwnedFolder::claim(out, "compare", planned, Some("records")).unwrap();
    for name in NAMES {
        folder.write(name, &content(name, run)).unwrap();
    }
    folder.finish().unwrap();
}

/// The process that is killed: not a test of its own.
#[test]
fn killed() {
    let Some(out) = std::env::var_os("TAILFIT_CRASH_FOLDER") else { return };
    let number = |name: &str| std::env::var(name).unwrap().parse::<usize>().unwrap();
    LEFT.store(number("TAILFIT_CRASH_AT"), Ordering::Relaxed);
    write_all(Path::new(&out), number("TAILFIT_CRASH_RUN"));
}

/// Ends a run after each of its steps in turn; `TAILFIT_CRASHES` says how many times, 50 if nothing
/// else.
#[test]
fn a_run_killed_at_any_step_leaves_whole_files() {
    let crashes = std::env::var("TAILFIT_CRASHES").map_or(50, |n| n.parse::<usize>().unwrap());
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("out");
    write_all(&out, 0);
    // Of each file, the run whose content it has.
    let (mut at, mut ends) = (0, 0);
    let mut held = NAMES.map(|_| 0_usize);
    for run in 1..=crashes {
        let status = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "files::crash_tests::killed", "--test-threads=1"])
            .env("TAILFIT_CRASH_FOLDER", &out)
            .env("TAILFIT_CRASH_AT", at.to_string())
            .env("TAILFIT_CRASH_RUN", (run % 7).to_string())
            .output()
            .unwrap()
            .status;
        for (held, name) in held.iter_mut().zip(NAMES) {
            let found = fs_err::read(out.join(name)).unwrap();
            let is = |run: usize| found == content(name, run);
            assert!(is(*held) || is(run % 7), "{name} is neither old nor new, step {at}");
            *held = if is(run % 7) { run % 7 } else { *held };
        }
        if status.success() {
            // Past the last step: from the first again.
            assert_eq!(held, NAMES.map(|_| run % 7), "a whole run writes everything");
            (at, ends) = (0, ends + 1);
        } else {
            at += 1;
        }
    }
    assert!(ends > 0 || crashes < 40, "{at} steps, never past the last");
    write_all(&out, 6);
    for entry in ["", "records", "heads"].map(|name| out.join(name)) {
        for file in fs_err::read_dir(entry).unwrap() {
            let name = file.unwrap().file_name().to_string_lossy().into_owned();
            assert!(Path::new(&name).extension().is_none_or(|e| e != "tmp"), "{name} is left");
        }
    }
}
