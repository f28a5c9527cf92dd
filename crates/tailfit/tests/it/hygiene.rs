//! Rules of the house that a test can keep.

use std::collections::{BTreeMap, BTreeSet};
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
    found.sort();
}

/// Every source file of the workspace.
fn sources() -> Vec<(PathBuf, String)> {
    let mut sources = vec![];
    for folder in ["crates", "xtask"] {
        let folder = root().join(folder);
        // The crate may be tested outside its workspace.
        if folder.exists() {
            files(&folder, "rs", &mut sources);
        }
    }
    let read = |path: PathBuf| {
        let text = fs_err::read_to_string(&path).unwrap();
        (path, text)
    };
    sources.into_iter().map(read).collect()
}

/// The source files of the library, by their place in it, without what only tests see.
fn library() -> Vec<(String, String)> {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut sources = vec![];
    files(&src, "rs", &mut sources);
    let part = |path: PathBuf| {
        let text = fs_err::read_to_string(&path).unwrap();
        let product = text.split("#[cfg(test)]\nmod tests").next().unwrap_or_default().to_owned();
        (path.strip_prefix(&src).unwrap().to_string_lossy().replace('\\', "/"), product)
    };
    let all = sources.into_iter().map(part);
    all.filter(|(name, _)| !name.contains("tests") && name != "lib.rs").collect()
}

#[test]
fn source_files_are_short() {
    let mut lengths = vec![];
    for (path, text) in sources() {
        let lines = text.lines().count();
        assert!(lines <= 300, "{}: {lines} lines; split it", path.display());
        lengths.push(lines);
    }
    lengths.sort_unstable();
    let median = lengths[lengths.len() / 2];
    assert!(median < 110, "half of all files have {median} lines or more");
}

/// Modules at the top of the library use each other in one direction only.
#[test]
fn the_library_has_no_circles() {
    let mut uses: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (name, text) in library() {
        let module = name.split('/').next().unwrap().trim_end_matches(".rs").to_owned();
        let code = text.lines().filter(|line| !line.trim_start().starts_with("//"));
        let used = code.flat_map(|line| {
            let parts = line.split("crate::").skip(1);
            parts.map(|rest| rest.split(|c: char| !c.is_alphanumeric() && c != '_').next().unwrap())
        });
        let used: Vec<String> =
            used.filter(|name| **name != *module && !name.is_empty()).map(str::to_owned).collect();
        uses.entry(module).or_default().extend(used);
    }
    let modules: BTreeSet<String> = uses.keys().cloned().collect();
    assert!(modules.len() >= 15, "{modules:?}");
    // Take away what uses nothing that is left, until nothing is left.
    while !uses.is_empty() {
        let left: BTreeSet<String> = uses.keys().cloned().collect();
        let free = |(_, used): &(&String, &BTreeSet<String>)| used.is_disjoint(&left);
        let done: Vec<String> = uses.iter().filter(free).map(|(name, _)| name.clone()).collect();
        assert!(!done.is_empty(), "a circle among {uses:?}");
        uses.retain(|name, _| !done.contains(name));
    }
}

/// Whoever calls the library knows how its options are given; see `Error::answered_by`.
#[test]
fn messages_of_the_library_name_no_flag() {
    for (name, text) in library() {
        let code = text.lines().filter(|line| !line.trim_start().starts_with("//"));
        for line in code.filter(|line| line.contains('"')) {
            let flag = line
                .split("--")
                .skip(1)
                .any(|rest| rest.starts_with(|c: char| c.is_ascii_lowercase()));
            // What made the embedded features is told as it was typed.
            assert!(!flag || name == "features/embedded.rs", "{name}: {line}");
        }
    }
}

/// One name for a thing: these are other people's for ours (see ARCHITECTURE.md).
#[test]
fn names_are_those_of_the_vocabulary() {
    let others = [
        "cls_num_list",
        "num_cls",
        "samples_per_cls",
        "imb_factor",
        "imb_type",
        "cls_head",
        "n_cls",
    ];
    for (path, text) in sources() {
        if path.ends_with("hygiene.rs") {
            continue;
        }
        for other in others {
            assert!(!text.contains(other), "{}: {other}", path.display());
        }
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
fn unsafe_code_stands_where_it_is_expected() {
    let is_unsafe =
        |text: &str| ["unsafe {", "unsafe fn", "unsafe impl"].iter().any(|how| text.contains(how));
    let with = library().into_iter().filter(|(_, text)| is_unsafe(text)).map(|(name, _)| name);
    let with: Vec<String> = with.collect();
    assert_eq!(with, ["files/map.rs", "kernels/block.rs", "kernels/x86.rs"]);
    // Elsewhere, only where another language's memory comes in.
    for (path, text) in sources() {
        let of_library = path.starts_with(root().join("crates/tailfit"));
        let expected = path.ends_with("tailfit-py/src/arrays.rs");
        assert!(of_library || is_unsafe(&text) == expected, "{}", path.display());
    }
}
