//! Images named by lists: text files of paths and classes, or iNaturalist's JSON.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::{ImageSet, Images, Pixels};
use crate::error::{Error, Result};
use crate::files::read_text;

/// The images that lists name, with paths relative to `root`. A list has lines "path label"
/// (ImageNet-LT, Places-LT); if its name ends in `.json` it is iNaturalist's JSON, whose
/// categories are the classes. Without a test list, there are no test images. The largest label of the training list gives the number of classes.
///
/// # Errors
///
/// If a line is not a path and a number, another list has a label that is not a class of the
/// training list, or a file is missing. (Classes without training images are refused later, when
/// they are counted.)
pub fn read_image_lists(
    root: &Path,
    train: &Path,
    validation: Option<&Path>,
    test: Option<&Path>,
) -> Result<ImageSet> {
    let mut train_list = read_list(train)?;
    let largest = train_list.labels.iter().max().map_or(0, |&label| label as usize + 1);
    let n_classes = largest.max(train_list.class_names.len());
    if n_classes > train_list.paths.len() {
        let expected = format!("classes numbered from 0, for {} images", train_list.paths.len());
        let remedy = "number the classes 0, 1, 2, … without gaps";
        return Err(Error::data(train.display(), expected, n_classes - 1, remedy));
    }
    let class_names = std::mem::take(&mut train_list.class_names);
    let part = |list: List, place: &Path| -> Result<Images> {
        if let Some(label) = list.labels.iter().find(|&&label| label as usize >= n_classes) {
            let expected = format!("labels below {n_classes}, as the training list has them");
            return Err(Error::data(place.display(), expected, label, ""));
        }
        let paths: Vec<PathBuf> = list.paths.iter().map(|path| root.join(path)).collect();
        let missing: Vec<&PathBuf> = paths.iter().filter(|path| !path.is_file()).collect();
        if let Some(first) = missing.first() {
            let found =
                format!("{} of {} missing: {} …", missing.len(), paths.len(), first.display());
            let remedy = "give the folder that the list's paths are relative to";
            let error = Error::data(place.display(), "every image it names", found, remedy);
            return Err(error.answered_by("images"));
        }
        Ok(Images {
            pixels: Pixels::Files(paths),
            labels: list.labels,
            n_classes,
            class_names: class_names.clone(),
        })
    };
    let train = part(train_list, train)?;
    let read = |path: &Path| part(read_list(path)?, path);
    let test = test.map_or_else(|| Ok(train.none_of()), read)?;
    Ok(ImageSet { validation: validation.map(read).transpose()?, test, train })
}

pub(crate) struct List {
    paths: Vec<String>,
    labels: Vec<u32>,
    class_names: Vec<String>,
}

fn read_list(path: &Path) -> Result<List> {
    let text = read_text(path)?;
    let is_json = path.extension().is_some_and(|extension| extension == "json");
    parse(&text, is_json, &path.display().to_string())
}

pub(crate) fn parse(text: &str, is_json: bool, place: &str) -> Result<List> {
    if is_json {
        return inaturalist(text, place);
    }
    let mut list = List { paths: Vec::new(), labels: Vec::new(), class_names: Vec::new() };
    for (number, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() {
            continue;
        }
        let parts = line.rsplit_once(char::is_whitespace);
        let Some((name, Ok(label))) = parts.map(|(name, label)| (name.trim_end(), label.parse()))
        else {
            let place = format!("{place}, line {}", number + 1);
            return Err(Error::data(place, "a path and a class, such as `a/b.jpg 17`", line, ""));
        };
        list.paths.push(name.to_owned());
        list.labels.push(label);
    }
    if list.paths.is_empty() {
        return Err(Error::data(place, "lines of a path and a class", "none", ""));
    }
    Ok(list)
}

#[derive(Deserialize)]
struct Inaturalist {
    images: Vec<InaturalistImage>,
    annotations: Vec<Annotation>,
    #[serde(default)]
    categories: Vec<Category>,
}

#[derive(Deserialize)]
struct InaturalistImage {
    id: u64,
    file_name: String,
}

#[derive(Deserialize)]
struct Annotation {
    image_id: u64,
    category_id: u32,
}

#[derive(Deserialize)]
struct Category {
    id: u32,
    name: String,
}

/// Reads iNaturalist 2018's `train2018.json` or `val2018.json`, in the order of its images.
fn inaturalist(text: &str, place: &str) -> Result<List> {
    let expected = "images, annotations and categories as in iNaturalist's train2018.json";
    let fault = |found: String| Error::data(place, expected, found, "");
    let file: Inaturalist = serde_json::from_str(text).map_err(|error| fault(error.to_string()))?;
    let classes: HashMap<u64, u32> =
        file.annotations.iter().map(|a| (a.image_id, a.category_id)).collect();
    let mut list = List { paths: Vec::new(), labels: Vec::new(), class_names: Vec::new() };
    for image in file.images {
        let label = classes.get(&image.id);
        list.labels
            .push(*label.ok_or_else(|| fault(format!("no annotation for image {}", image.id)))?);
        list.paths.push(image.file_name);
    }
    if list.paths.is_empty() {
        return Err(fault("no images".to_owned()));
    }
    let mut categories = file.categories;
    categories.sort_by_key(|category| category.id);
    if categories.iter().enumerate().any(|(class, category)| category.id as usize != class) {
        return Err(fault("categories that are not numbered 0, 1, 2, …".to_owned()));
    }
    list.class_names = categories.into_iter().map(|category| category.name).collect();
    Ok(list)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::images::image_folders::tests::{names, touch};

    #[test]
    fn lists_are_read_and_what_is_wrong_with_them_is_named() {
        let root = tempfile::tempdir().unwrap();
        let root = root.path();
        touch(root, &["x/a b.jpg", "x/c.jpg"]);
        let list = |name: &str, text: &str| {
            fs_err::write(root.join(name), text).unwrap();
            root.join(name)
        };
        let train = list("train.txt", "x/a b.jpg 1\n\nx/c.jpg\t0\n");
        let test = list("test.txt", "x/c.jpg 1\n");
        let read =
            |train: &Path, test: &Path| read_image_lists(root, train, Some(test), Some(test));
        let set = read(&train, &test).unwrap();
        assert_eq!((&set.train.labels[..], set.train.n_classes), (&[1, 0][..], 2));
        assert_eq!(names(&set.train, root), ["x/a b.jpg", "x/c.jpg"]);
        assert_eq!(set.validation, Some(set.test));

        let message = |train: &Path, test: &Path| read(train, test).unwrap_err().to_string();
        let high = message(&train, &list("high.txt", "x/c.jpg 2\n"));
        assert!(high.contains("labels below 2, as the training list has them, found 2"), "{high}");
        let missing = message(&train, &list("missing.txt", "x/c.jpg 1\ny/d.jpg 1\n"));
        assert!(
            missing.contains("found 1 of 2 missing") && missing.contains("y/d.jpg"),
            "{missing}"
        );
        let gaps = message(&list("gaps.txt", "x/c.jpg 0\nx/c.jpg 3735928559\n"), &test);
        assert!(gaps.contains("for 2 images, found 3735928559"), "{gaps}");
        let line = message(&list("line.txt", "x/c.jpg 1\nx/c.jpg one\n"), &test);
        assert!(line.contains("line.txt, line 2: expected a path and a class"), "{line}");
    }

    #[test]
    fn inaturalist_is_read_in_the_order_of_its_images() {
        let root = tempfile::tempdir().unwrap();
        let root = root.path();
        touch(root, &["a.jpg", "b.jpg"]);
        let json = |categories: &str| {
            let text = format!(
                r#"{{"info": 1, "images": [{{"id": 7, "file_name": "b.jpg"}}, {{"id": 3, "file_name": "a.jpg"}}],
                "annotations": [{{"image_id": 3, "category_id": 1}}, {{"image_id": 7, "category_id": 0}}],
                "categories": [{categories}]}}"#
            );
            fs_err::write(root.join("train.json"), text).unwrap();
            root.join("train.json")
        };
        let named = r#"{"id": 1, "name": "owl"}, {"id": 0, "name": "emu"}"#;
        let path = json(named);
        let set = read_image_lists(root, &path, None, Some(&path)).unwrap();
        assert_eq!(
            (&set.train.labels[..], &names(&set.train, root)[..]),
            (&[0, 1][..], &["b.jpg".to_owned(), "a.jpg".to_owned()][..])
        );
        assert_eq!(set.test.class_names, ["emu", "owl"]);
        let path = json(r#"{"id": 1, "name": "owl"}, {"id": 2, "name": "emu"}"#);
        let message = read_image_lists(root, &path, None, Some(&path)).unwrap_err().to_string();
        assert!(message.contains("not numbered 0, 1, 2"), "{message}");
    }
}
