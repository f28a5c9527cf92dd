//! A folder whose files belong to one run.

use std::collections::BTreeSet;
use std::fs::TryLockError;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::write::remove_leftovers_if;
use super::write_atomically;
use crate::error::{Error, Result};

/// The list of a run's files, in its folder.
const MANIFEST: &str = "manifest.json";
/// Locked while a run is under way.
const LOCK: &str = ".lock";

/// A folder that a run owns: no other runs in it meanwhile, and when it is finished, no file of an
/// earlier run is left. `manifest.json` lists what is a run's; files that it does not list are
/// someone else's, and stay.
#[derive(Debug)]
pub struct OwnedFolder {
    path: PathBuf,
    of: String,
    /// Held for as long as the run lasts; the system frees it when a process is killed.
    _lock: fs_err::File,
    /// Files of earlier runs.
    earlier: BTreeSet<String>,
    written: BTreeSet<String>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Manifest {
    /// What kind of run wrote them.
    #[serde(default = "comparison")]
    of: String,
    files: BTreeSet<String>,
}

/// What wrote the manifests that do not say it.
fn comparison() -> String {
    "compare".to_owned()
}

impl OwnedFolder {
    /// Claims a folder, which is created if needed, for a run of the command `of` that may write the
    /// files `planned`, named by paths within it with `/`. What killed runs left half-written is
    /// removed.
    ///
    /// # Errors
    ///
    /// If another run has claimed it, it has files of another command, it cannot be written to, or it
    /// has JSON files in `exclusive`, a folder within it, that are of no run: they would be taken for
    /// this one's.
    pub fn claim(
        path: &Path,
        of: &str,
        planned: BTreeSet<String>,
        exclusive: Option<&str>,
    ) -> Result<Self> {
        let lock = lock_folder(path)?;
        let Manifest { of: before, files: earlier } = read_manifest(path)?;
        if before != of && !earlier.is_empty() {
            let expected = format!("a folder without files of other commands than {of}");
            let remedy = "they would be removed: choose another folder";
            return Err(Error::usage(
                path.display(),
                expected,
                format!("those of {before}"),
                remedy,
            )
            .answered_by("out"));
        }
        if let Some(exclusive) = exclusive.filter(|exclusive| path.join(exclusive).is_dir()) {
            let within = path.join(exclusive);
            for entry in fs_err::read_dir(&within)? {
                let name = entry?.file_name().to_string_lossy().into_owned();
                let is_json = Path::new(&name).extension().is_some_and(|e| e == "json");
                if is_json && !earlier.contains(&format!("{exclusive}/{name}")) {
                    let expected = "only files of earlier runs, as manifest.json lists them";
                    let remedy = "move it away, or choose another folder";
                    let error =
                        Error::usage(within.join(name).display(), expected, "another", remedy);
                    return Err(error.answered_by("out"));
                }
            }
        }
        let files: BTreeSet<String> = earlier.union(&planned).cloned().collect();
        let mut folders: BTreeSet<PathBuf> =
            files.iter().filter_map(|file| Some(path.join(file).parent()?.to_owned())).collect();
        folders.insert(path.to_owned());
        for folder in folders {
            remove_leftovers_if(&folder, |_| true)?;
        }
        write_manifest(path, of, files)?;
        let (path, of) = (path.to_owned(), of.to_owned());
        Ok(Self { path, of, _lock: lock, earlier, written: BTreeSet::new() })
    }

    /// Where the file of this name goes, which counts as written.
    pub fn file(&mut self, name: &str) -> PathBuf {
        self.written.insert(name.to_owned());
        self.path.join(name)
    }

    /// Writes a file, atomically.
    ///
    /// # Errors
    ///
    /// If it cannot be written.
    pub fn write(&mut self, name: &str, bytes: &[u8]) -> Result<()> {
        write_atomically(&self.file(name), bytes)
    }

    /// Removes all files of earlier runs, where a mixture of both would be taken for one.
    ///
    /// # Errors
    ///
    /// If one cannot be removed.
    pub fn remove_earlier(&mut self) -> Result<()> {
        remove(&self.path, &self.earlier)
    }

    /// Removes the files of earlier runs that this one did not write.
    ///
    /// # Errors
    ///
    /// If one cannot be removed, or the manifest not be written.
    pub fn finish(self) -> Result<()> {
        remove(&self.path, self.earlier.difference(&self.written))?;
        write_manifest(&self.path, &self.of, self.written)
    }
}

fn remove<'a>(folder: &Path, names: impl IntoIterator<Item = &'a String>) -> Result<()> {
    for path in names.into_iter().map(|name| folder.join(name)).filter(|path| path.is_file()) {
        fs_err::remove_file(path)?;
    }
    Ok(())
}

/// Creates a folder if needed, and keeps other runs out of it for as long as what is returned lives; the
/// system frees it when a process is killed.
///
/// # Errors
///
/// If another run is in it, or it cannot be written to.
pub fn lock_folder(path: &Path) -> Result<fs_err::File> {
    fs_err::create_dir_all(path)?;
    let lock = fs_err::File::create(path.join(LOCK))?;
    // A process that another thread is just starting holds the lock for a moment, too.
    let mut tried = lock.file().try_lock();
    for _ in 0..20 {
        if !matches!(tried, Err(TryLockError::WouldBlock)) {
            break;
        }
        std::thread::sleep(Duration::from_millis(20));
        tried = lock.file().try_lock();
    }
    match tried {
        Ok(()) => Ok(lock),
        Err(TryLockError::WouldBlock) => {
            let remedy = "wait for it to end, or choose another folder";
            let expected = "a folder for this run alone";
            Err(Error::usage(path.display(), expected, "another run in it", remedy)
                .answered_by("out"))
        }
        Err(TryLockError::Error(error)) => Err(error.into()),
    }
}

fn read_manifest(folder: &Path) -> Result<Manifest> {
    let path = folder.join(MANIFEST);
    if !path.exists() {
        return Ok(Manifest { of: comparison(), files: BTreeSet::new() });
    }
    let fault = |found: String| {
        let remedy = "restore or remove it";
        Error::data(path.display(), "the list of a run's files", found, remedy)
    };
    let text = fs_err::read_to_string(&path)?;
    let manifest: Manifest = serde_json::from_str(&text).map_err(|e| fault(e.to_string()))?;
    // It is a list of what may be removed: nothing outside the folder is.
    let inside = |file: &&String| {
        let ordinary = |part| matches!(part, std::path::Component::Normal(_));
        !Path::new(file.as_str()).components().all(ordinary)
    };
    match manifest.files.iter().find(inside) {
        Some(outside) => Err(fault(format!("`{outside}`, which is outside"))),
        None => Ok(manifest),
    }
}

fn write_manifest(folder: &Path, of: &str, files: BTreeSet<String>) -> Result<()> {
    let manifest = Manifest { of: of.to_owned(), files };
    let text = serde_json::to_string_pretty(&manifest).unwrap_or_default() + "\n";
    write_atomically(&folder.join(MANIFEST), text.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn planned(names: &[&str]) -> BTreeSet<String> {
        names.iter().map(|&name| name.to_owned()).collect()
    }

    #[test]
    fn a_run_owns_its_folder_and_leaves_only_its_own() {
        let folder = tempfile::tempdir().unwrap();
        let out = folder.path().join("out");
        let claim =
            |names: &[&str]| OwnedFolder::claim(&out, "compare", planned(names), Some("records"));
        let mut first = claim(&["records/a.json", "report.md"]).unwrap();
        assert!(claim(&[]).unwrap_err().to_string().contains("another run in it"));
        first.write("records/a.json", b"a").unwrap();
        first.write("report.md", b"of a").unwrap();
        fs_err::write(out.join("notes.md"), "mine").unwrap();
        // Killed: whatever it wrote is on the list.
        drop(first);
        fs_err::write(out.join("records/.a.json.17.tmp"), "half").unwrap();
        let mut second = claim(&["records/b.json", "report.md"]).unwrap();
        assert!(
            !out.join("records/.a.json.17.tmp").exists() && out.join("records/a.json").exists()
        );
        second.write("records/b.json", b"b").unwrap();
        second.write("report.md", b"of b").unwrap();
        second.finish().unwrap();
        assert!(!out.join("records/a.json").exists() && out.join("notes.md").exists());
        assert_eq!(fs_err::read(out.join("report.md")).unwrap(), b"of b");
        assert!(
            OwnedFolder::claim(&out, "extract-features", planned(&[]), None)
                .is_err_and(|error| error.to_string().contains("those of compare"))
        );
        assert_eq!(read_manifest(&out).unwrap().files, planned(&["records/b.json", "report.md"]));

        fs_err::write(out.join("records/c.json"), "of someone else").unwrap();
        assert!(
            claim(&[]).unwrap_err().to_string().contains("c.json: expected only files of earlier")
        );
        fs_err::remove_file(out.join("records/c.json")).unwrap();
        fs_err::write(out.join(MANIFEST), r#"{"files": ["../notes.md"]}"#).unwrap();
        assert!(claim(&[]).unwrap_err().to_string().contains("`../notes.md`, which is outside"));
    }
}
