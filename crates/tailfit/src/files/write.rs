//! Atomic writing: a file has its name only once all of it is on the disk.

use std::fs::TryLockError;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};

/// Checks, before any work is done for it, that a file can be written: that its folder is there or
/// can be created, that files can be created in it, and that nothing but a regular file has its
/// name. Removes what killed writers of it left.
///
/// # Errors
///
/// If it cannot be written.
pub fn check_writable(path: &Path) -> Result<()> {
    let temporary = temporary(path)?;
    remove_leftovers(path)?;
    // Nothing is left behind: what is not there yet would be created in the nearest that is.
    let folders = temporary.ancestors().skip(1);
    let nearest = folders.map(named).find(|folder| folder.exists()).unwrap_or(Path::new("."));
    if !nearest.is_dir() {
        let place = nearest.display();
        return Err(Error::usage(place, "a folder to write to", "a file of that name", ""));
    }
    let probe = nearest.join(temporary.file_name().unwrap_or_default());
    fs_err::File::create(&probe)?;
    Ok(fs_err::remove_file(&probe)?)
}

/// A folder by a name that can be opened: that of a bare file name is empty.
fn named(folder: &Path) -> &Path {
    if folder.as_os_str().is_empty() { Path::new(".") } else { folder }
}

/// The temporary name of a file to be written.
fn temporary(path: &Path) -> Result<PathBuf> {
    let Some(name) = path.file_name() else {
        return Err(Error::usage(path.display(), "the name of a file", "none", ""));
    };
    if path.exists() && !path.is_file() {
        let expected = "a regular file to replace, or none of that name";
        return Err(Error::usage(path.display(), expected, "a folder or a device", ""));
    }
    let name = name.to_string_lossy();
    Ok(path.with_file_name(format!(".{name}.{}.tmp", std::process::id())))
}

/// Writes `bytes` to a temporary file beside `path`, then renames it. Creates the folder if
/// needed.
///
/// # Errors
///
/// If the folder cannot be created or the file cannot be written; `path` is then unchanged.
pub fn write_atomically(path: &Path, bytes: &[u8]) -> Result<()> {
    write_atomically_with(path, &mut |out| out.write_all(bytes))
}

/// As [`write_atomically`], with the contents that `write` produces.
///
/// # Errors
///
/// As for [`write_atomically`], and the errors of `write`.
pub fn write_atomically_with(
    path: &Path,
    write: &mut dyn FnMut(&mut dyn Write) -> io::Result<()>,
) -> Result<()> {
    let temporary = Temporary(temporary(path)?);
    let folder = named(path.parent().unwrap_or(Path::new("")));
    fs_err::create_dir_all(folder)?;
    let written = (|| {
        step();
        let file = fs_err::File::create(&temporary.0)?;
        // Locked, so that it is not taken for a leftover.
        file.file().lock()?;
        let mut out = BufWriter::with_capacity(1 << 16, Steps(file));
        write(&mut out)?;
        let Steps(file) = out.into_inner().map_err(io::IntoInnerError::into_error)?;
        // On the disk before it has its name, so that a name never stands for half a file.
        step();
        file.sync_all()?;
        step();
        fs_err::rename(&temporary.0, path)?;
        step();
        // The new name, too, where folders can be opened.
        if cfg!(unix) { fs_err::File::open(folder)?.sync_all() } else { Ok(()) }
    })();
    Ok(written?)
}

/// A file that is removed again, also where writing it panics, unless it has got another name.
struct Temporary(PathBuf);

impl Drop for Temporary {
    fn drop(&mut self) {
        // If it cannot be, nothing more can be done; the first error is the one to report.
        let _ignored = fs_err::remove_file(&self.0);
    }
}

/// A file, each write to which is a step.
struct Steps(fs_err::File);

impl Write for Steps {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        step();
        self.0.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

/// Stands before everything that changes the disk; in the crash test, the process ends here.
fn step() {
    #[cfg(test)]
    super::crash_tests::step();
}

/// Removes temporary files that killed writers of `path` left beside it; those of living ones are
/// locked, and stay.
///
/// # Errors
///
/// If the folder cannot be read or a file cannot be removed; a missing folder is not an error.
pub fn remove_leftovers(path: &Path) -> Result<()> {
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let folder = named(path.parent().unwrap_or(Path::new("")));
    remove_leftovers_if(folder, |of| of == name)
}

/// Removes the temporary files in a folder that killed writers of the files left that `of` says.
pub(super) fn remove_leftovers_if(folder: &Path, of: impl Fn(&str) -> bool) -> Result<()> {
    if !folder.is_dir() {
        return Ok(());
    }
    for entry in fs_err::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let parts = name.strip_prefix('.').and_then(|rest| rest.strip_suffix(".tmp"));
        let parts = parts.and_then(|rest| rest.rsplit_once('.'));
        let is_leftover =
            |(name, process): (&str, &str)| process.parse::<u32>().is_ok() && of(name);
        if parts.is_some_and(is_leftover) {
            step();
            let left = fs_err::OpenOptions::new().write(true).open(entry.path())?;
            match left.file().try_lock() {
                Ok(()) => fs_err::remove_file(entry.path())?,
                Err(TryLockError::WouldBlock) => {}
                Err(TryLockError::Error(error)) => return Err(error.into()),
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_regular_files_are_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("new/head.json");
        check_writable(&path).unwrap();
        assert!(fs_err::read_dir(folder.path()).unwrap().next().is_none(), "nothing is left");
        write_atomically(&path, b"x").unwrap();
        assert_eq!(fs_err::read(&path).unwrap(), b"x");
        let in_place_of_a_folder = write_atomically(&folder.path().join("new"), b"x");
        assert!(in_place_of_a_folder.unwrap_err().to_string().contains("a regular file"));
        assert!(check_writable(&path.join("below")).is_err(), "below a file");
        if cfg!(unix) {
            assert!(write_atomically(Path::new("/dev/null"), b"x").is_err());
        }
    }

    #[test]
    fn nothing_is_left_where_writing_panics() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("features.bin");
        let mut write = |out: &mut dyn Write| {
            out.write_all(b"half")?;
            panic!("a fault in the middle");
        };
        let panicking = std::panic::AssertUnwindSafe(|| write_atomically_with(&path, &mut write));
        assert!(std::panic::catch_unwind(panicking).is_err());
        assert_eq!(fs_err::read_dir(folder.path()).unwrap().count(), 0);
    }

    #[test]
    fn leftovers_of_a_file_are_removed_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("run.json");
        let others = [".other.json.17.tmp", ".run.json.17", ".run.json.mine.tmp", "run.json"];
        for name in others.iter().chain(&[".run.json.17.tmp"]) {
            fs_err::write(folder.path().join(name), "x").unwrap();
        }
        let written = folder.path().join(".run.json.18.tmp");
        let living = fs_err::File::create(&written).unwrap();
        living.file().lock().unwrap();
        remove_leftovers(&path).unwrap();
        assert!(written.exists(), "it is being written");
        drop(living);
        remove_leftovers(&path).unwrap();
        remove_leftovers(&folder.path().join("none/run.json")).unwrap();
        let left = fs_err::read_dir(folder.path()).unwrap();
        let mut left: Vec<_> = left.map(|entry| entry.unwrap().file_name()).collect();
        left.sort();
        assert_eq!(left, others);
    }
}
