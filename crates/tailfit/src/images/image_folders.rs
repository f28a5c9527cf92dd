//! Images in one folder per class.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use super::{ImageSet, Images, Pixels};
use crate::error::{Error, Result};

/// The images of a folder with `train/` and `test/` (or `val/`), each with one folder per class
/// that holds PNG, JPEG and WebP files at any depth. Without either, there are no test images. If both `test/` and `val/` exist, the latter holds
/// validation images. Classes are numbered in the order of their names; images come in the order
/// of torchvision's `ImageFolder`. Hidden files and files without an image extension are skipped.
///
/// # Errors
///
/// If a class has no images, `test/` or `val/` has a class that `train/` lacks, an image lies
/// outside the class folders, or a file is an image in another format or has no extension.
pub fn read_image_folders(folder: &Path) -> Result<ImageSet> {
    let class_names = sub_folders(&folder.join("train"))?;
    let parts = ["test", "val"].map(|name| folder.join(name));
    let (test, validation) = match parts {
        [test, val] if test.is_dir() && val.is_dir() => (Some(test), Some(val)),
        [test, _] if test.is_dir() => (Some(test), None),
        [_, val] if val.is_dir() => (Some(val), None),
        _ => (None, None),
    };
    let part = |part: &Path| -> Result<Images> {
        let (mut paths, mut labels) = (Vec::new(), Vec::new());
        let mut read = HashSet::new();
        for name in sub_folders(part)? {
            let place = part.join(&name);
            let Ok(class) = class_names.binary_search(&name) else {
                let expected = "a class that train/ has";
                return Err(Error::data(place.display(), expected, "a new one", ""));
            };
            let before = paths.len();
            files_below(&place, &mut paths, &mut read)?;
            if paths.len() == before {
                let remedy = "remove the folder if it is not a class";
                return Err(Error::data(
                    place.display(),
                    "PNG, JPEG or WebP files",
                    "none",
                    remedy,
                ));
            }
            labels.resize(paths.len(), class as u32);
        }
        let n_classes = class_names.len();
        Ok(Images {
            pixels: Pixels::Files(paths),
            labels,
            n_classes,
            class_names: class_names.clone(),
        })
    };
    let train = part(&folder.join("train"))?;
    let test = test.map_or_else(|| Ok(train.none_of()), |test| part(&test))?;
    Ok(ImageSet { validation: validation.map(|val| part(&val)).transpose()?, test, train })
}

/// The entries of a folder that are not hidden, sorted by name.
fn entries(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut entries = Vec::new();
    for entry in fs_err::read_dir(folder)? {
        let entry = entry?;
        if !entry.file_name().to_string_lossy().starts_with('.') {
            entries.push(entry.path());
        }
    }
    entries.sort();
    Ok(entries)
}

/// The names of a folder's subfolders, sorted.
fn sub_folders(folder: &Path) -> Result<Vec<String>> {
    let mut names = Vec::new();
    for path in entries(folder)? {
        if path.is_dir() {
            let name = path.file_name().unwrap_or_default().to_str().ok_or_else(|| {
                let remedy = "rename it, for example with convmv -t utf8";
                Error::data(
                    path.display(),
                    "the name of a class in UTF-8",
                    "another encoding",
                    remedy,
                )
            })?;
            names.push(name.to_owned());
        } else if is_image(&path)? {
            let remedy = "move it into its class's folder";
            return Err(Error::data(path.display(), "folders of classes here", "an image", remedy));
        }
    }
    if names.is_empty() {
        return Err(Error::data(folder.display(), "a folder for each class", "none", ""));
    }
    Ok(names)
}

/// Adds the images below a folder: first its own, sorted by name, then those of each subfolder.
/// `read` are the folders read before, by their real names.
fn files_below(folder: &Path, paths: &mut Vec<PathBuf>, read: &mut HashSet<PathBuf>) -> Result<()> {
    if !read.insert(fs_err::canonicalize(folder)?) {
        let found = "a link to one that was read already";
        return Err(Error::data(folder.display(), "each folder once", found, "remove the link"));
    }
    let (folders, files): (Vec<_>, Vec<_>) =
        entries(folder)?.into_iter().partition(|path| path.is_dir());
    for path in files {
        if is_image(&path)? {
            paths.push(path);
        }
    }
    folders.iter().try_for_each(|folder| files_below(folder, paths, read))
}

/// Whether a file's extension says it is a PNG, JPEG or WebP image; an error for other image formats and
/// for files without an extension.
fn is_image(path: &Path) -> Result<bool> {
    let extension = path.extension().map(|e| e.to_string_lossy().to_lowercase());
    match extension.as_deref() {
        Some("png" | "jpg" | "jpeg" | "jpe" | "jfif" | "webp") => Ok(true),
        Some(
            "bmp" | "gif" | "tif" | "tiff" | "ppm" | "pgm" | "avif" | "heic" | "heif" | "jp2"
            | "tga",
        ) => {
            let remedy = "convert it to PNG, or move it away";
            Err(Error::data(path.display(), "a PNG, JPEG or WebP file", "another format", remedy))
        }
        None => {
            let remedy = "name it .png or .jpg, or move it away";
            Err(Error::data(path.display(), "a file name with an extension", "none", remedy))
        }
        Some(_) => Ok(false),
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// Creates empty files: listing does not decode.
    pub(in crate::images) fn touch(root: &Path, names: &[&str]) {
        for name in names {
            let path = root.join(name);
            fs_err::create_dir_all(path.parent().unwrap()).unwrap();
            fs_err::write(path, "").unwrap();
        }
    }

    pub(in crate::images) fn names(images: &Images, root: &Path) -> Vec<String> {
        let Pixels::Files(paths) = &images.pixels else { panic!() };
        let relative = |path: &PathBuf| path.strip_prefix(root).unwrap().display().to_string();
        paths.iter().map(relative).collect()
    }

    /// A link to a folder above would never end, one to a class beside would count it twice.
    #[cfg(unix)]
    #[test]
    fn links_neither_multiply_images_nor_go_round() {
        use std::os::unix::fs::symlink;
        for (target, link) in [("train/a", "train/a/again"), ("train/a", "train/b/a")] {
            let root = tempfile::tempdir().unwrap();
            let root = root.path();
            touch(root, &["train/a/1.png", "train/b/1.png", "test/a/1.png", "elsewhere/2.png"]);
            symlink(root.join("elsewhere"), root.join("train/b/more")).unwrap();
            assert_eq!(read_image_folders(root).unwrap().train.len(), 3, "a folder linked once");
            symlink(root.join(target), root.join(link)).unwrap();
            let message = read_image_folders(root).unwrap_err().to_string();
            assert!(message.contains("a link to one that was read already"), "{message}");
        }
    }

    #[cfg(unix)]
    #[test]
    fn a_class_is_named_in_utf_8() {
        use std::ffi::OsStr;
        use std::os::unix::ffi::OsStrExt;
        let root = tempfile::tempdir().unwrap();
        touch(root.path(), &["train/a/1.png"]);
        fs_err::create_dir(root.path().join("train").join(OsStr::from_bytes(b"caf\xe9"))).unwrap();
        let message = read_image_folders(root.path()).unwrap_err().to_string();
        assert!(message.contains("expected the name of a class in UTF-8"), "{message}");
    }

    #[test]
    fn folders_are_classes_in_the_order_of_their_names() {
        let root = tempfile::tempdir().unwrap();
        let root = root.path();
        touch(
            root,
            &[
                "train/b/2.png",
                "train/b/1.JPG",
                "train/a/x/3.jpeg",
                "train/a/z.jfif",
                "train/a/.hidden",
                "val/b/4.png",
            ],
        );
        let set = read_image_folders(root).unwrap();
        assert_eq!(set.train.class_names, ["a", "b"]);
        assert_eq!(set.train.labels, [0, 0, 1, 1]);
        assert_eq!(
            names(&set.train, root),
            ["train/a/z.jfif", "train/a/x/3.jpeg", "train/b/1.JPG", "train/b/2.png"]
        );
        assert_eq!((set.test.labels, set.validation), (vec![1], None));
        let alone = tempfile::tempdir().unwrap();
        touch(alone.path(), &["train/a/1.webp", "train/b/1.png"]);
        let set = read_image_folders(alone.path()).unwrap();
        assert_eq!((set.train.len(), set.test.len(), set.test.n_classes), (2, 0, 2));
        touch(root, &["test/a/5.png"]);
        let set = read_image_folders(root).unwrap();
        assert_eq!((set.test.labels, set.validation.unwrap().labels), (vec![0], vec![1]));

        let message = || read_image_folders(root).unwrap_err().to_string();
        touch(root, &["test/c/1.png"]);
        assert!(message().contains("test/c: expected a class that train/ has"), "{}", message());
        touch(root, &["train/c/notes.txt"]);
        assert!(message().contains("train/c: expected PNG, JPEG or WebP files"), "{}", message());
        touch(root, &["train/1.png"]);
        assert!(message().contains("train/1.png: expected folders of classes"), "{}", message());
        fs_err::remove_file(root.join("train/1.png")).unwrap();
        touch(root, &["train/c/1.bmp"]);
        assert!(message().contains("1.bmp: expected a PNG, JPEG or WebP"), "{}", message());
    }
}
