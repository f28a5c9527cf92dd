//! Images in one folder per class.

use std::path::{Path, PathBuf};

use super::{ImageSet, Images, Pixels};
use crate::error::{Error, Result};

/// The images of a folder with `train/` and `test/` (or `val/`), each with one folder per class
/// that holds PNG and JPEG files at any depth. If both `test/` and `val/` exist, the latter holds
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
    if !parts.iter().any(|part| part.is_dir()) {
        let remedy = "put the images to score there";
        return Err(Error::data(
            folder.display(),
            "test/ or val/ beside train/",
            "neither",
            remedy,
        ));
    }
    let (test, validation) = match parts {
        [test, val] if test.is_dir() && val.is_dir() => (test, Some(val)),
        [test, _] if test.is_dir() => (test, None),
        [_, val] => (val, None),
    };
    let part = |part: &Path| -> Result<Images> {
        let (mut paths, mut labels) = (Vec::new(), Vec::new());
        for name in sub_folders(part)? {
            let place = part.join(&name);
            let Ok(class) = class_names.binary_search(&name) else {
                let expected = "a class that train/ has";
                return Err(Error::data(place.display(), expected, "a new one", ""));
            };
            let before = paths.len();
            files_below(&place, &mut paths)?;
            if paths.len() == before {
                let remedy = "remove the folder if it is not a class";
                return Err(Error::data(place.display(), "PNG or JPEG files", "none", remedy));
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
    Ok(ImageSet {
        train: part(&folder.join("train"))?,
        validation: validation.map(|val| part(&val)).transpose()?,
        test: part(&test)?,
    })
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
            names.push(path.file_name().unwrap_or_default().to_string_lossy().into_owned());
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
fn files_below(folder: &Path, paths: &mut Vec<PathBuf>) -> Result<()> {
    let (folders, files): (Vec<_>, Vec<_>) =
        entries(folder)?.into_iter().partition(|path| path.is_dir());
    for path in files {
        if is_image(&path)? {
            paths.push(path);
        }
    }
    folders.iter().try_for_each(|folder| files_below(folder, paths))
}

/// Whether a file's extension says it is a PNG or JPEG image; an error for other image formats and
/// for files without an extension.
fn is_image(path: &Path) -> Result<bool> {
    let extension = path.extension().map(|e| e.to_string_lossy().to_lowercase());
    match extension.as_deref() {
        Some("png" | "jpg" | "jpeg" | "jpe" | "jfif") => Ok(true),
        Some(
            "webp" | "bmp" | "gif" | "tif" | "tiff" | "ppm" | "pgm" | "avif" | "heic" | "heif"
            | "jp2" | "tga",
        ) => {
            let remedy = "convert it to PNG, or move it away";
            Err(Error::data(path.display(), "a PNG or JPEG file", "another format", remedy))
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
        touch(root, &["test/a/5.png"]);
        let set = read_image_folders(root).unwrap();
        assert_eq!((set.test.labels, set.validation.unwrap().labels), (vec![0], vec![1]));

        let message = || read_image_folders(root).unwrap_err().to_string();
        touch(root, &["test/c/1.png"]);
        assert!(message().contains("test/c: expected a class that train/ has"), "{}", message());
        touch(root, &["train/c/notes.txt"]);
        assert!(message().contains("train/c: expected PNG or JPEG files"), "{}", message());
        touch(root, &["train/1.png"]);
        assert!(message().contains("train/1.png: expected folders of classes"), "{}", message());
        fs_err::remove_file(root.join("train/1.png")).unwrap();
        touch(root, &["train/c/1.webp"]);
        assert!(message().contains("1.webp: expected a PNG or JPEG"), "{}", message());
    }
}
