//! Rules of the house that a test can keep.

use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use crate::support::shared;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn files(folder: &Path, extension: &str, found: &mut Vec<PathBuf>) {
    for entry in fs_err::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if path.is_dir() && name != "target" && !name.starts_with('.') {
            files(&path, extension, found);
        } else if path.extension().is_some_and(|e| e == extension) {
            found.push(path);
        }
    }
}

#[test]
fn no_source_file_is_over_300_lines() {
    let mut sources = vec![];
    for folder in ["crates", "xtask"] {
        let folder = root().join(folder);
        // The crate may be tested outside its workspace.
        if folder.exists() {
            files(&folder, "rs", &mut sources);
        }
    }
    for path in sources {
        let lines = fs_err::read_to_string(&path).unwrap().lines().count();
        assert!(lines <= 300, "{}: {lines} lines; split it", path.display());
    }
}

#[test]
fn golden_files_are_the_originals() {
    let Some(originals) = shared("golden") else { return };
    let mut ours = vec![];
    for folder in ["crates/tailfit/tests/golden", "crates/tailfit-backbone/tests/golden"] {
        if root().join(folder).exists() {
            files(&root().join(folder), "json", &mut ours);
        }
    }
    assert!(ours.len() >= 5, "{ours:?}");
    for path in ours {
        let name = path.file_name().unwrap_or_default();
        let [ours, theirs] = [path.clone(), originals.join(name)].map(|p| fs_err::read(p).unwrap());
        assert_eq!(Sha256::digest(ours), Sha256::digest(theirs), "{} was changed", path.display());
    }
}

#[test]
fn unsafe_code_stands_in_the_kernels_alone() {
    let mut sources = vec![];
    files(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), "rs", &mut sources);
    for path in sources {
        let text = fs_err::read_to_string(&path).unwrap();
        let kernels = path.components().any(|part| part.as_os_str() == "kernels");
        assert!(kernels || !text.contains("unsafe {"), "{}", path.display());
    }
}
