//! The images of a run, divided into training, validation and test.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

use rayon::prelude::*;
use sha2::{Digest, Sha256};
use tailfit::class_counts::ClassCounts;
use tailfit::error::{Error, Result};
use tailfit::files::hex;
use tailfit::images::{ImageSet, Images, Pixels, Split};
use tailfit::recipe::Sampler;
use tailfit::shots::ShotThresholds;

use crate::decode::decode;

/// Images to train on and images to score.
#[derive(Debug)]
pub struct ImageData {
    set: ImageSet,
    /// Which of the training images to train on or hold out.
    pub(crate) split: Split,
    /// Indices of the images used from the data set's own validation part.
    validation: Vec<u32>,
    /// Indices of the test images used.
    test: Vec<u32>,
    pub(crate) counts: ClassCounts,
    pub(crate) thresholds: ShotThresholds,
}

/// A part of the images.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subset {
    /// The images the backbone is trained on.
    Train,
    /// The images held out of the training images, or the data set's own validation images.
    Validation,
    /// The test images.
    Test,
}

impl ImageData {
    /// Combines images and a split, checking that they belong together.
    ///
    /// # Errors
    ///
    /// If the split names an image that does not exist or one image twice, its counts do not match
    /// its images, there are two validation or two test sets, or a file is in training and in another
    /// part.
    pub fn new(set: impl Into<ImageSet>, split: Split) -> Result<Self> {
        let set = set.into();
        let images = &set.train;
        let remedy = "make the split with `tailfit split` on these same images";
        let outside = split.train.iter().chain(&split.validation).chain(&split.test);
        let outside = outside.copied().find(|&i| i as usize >= images.len());
        if let Some(outside) = outside {
            let expected = format!("indices below {}", images.len());
            return Err(Error::data("split", expected, outside, remedy));
        }
        let mut named = vec![false; images.len()];
        for &index in split.train.iter().chain(&split.validation).chain(&split.test) {
            if std::mem::replace(&mut named[index as usize], true) {
                let expected = "every image once, in training, validation or test";
                return Err(Error::data("split", expected, format!("{index} twice"), remedy));
            }
        }
        let labels = split.train.iter().map(|&i| images.labels[i as usize]).collect::<Vec<_>>();
        let counts = ClassCounts::from_labels(&labels, images.n_classes)?;
        if counts.as_slice() != split.counts {
            let found = "other numbers of images per class";
            return Err(Error::data("split", "the class counts it states", found, remedy));
        }
        if set.validation.is_some() && !split.validation.is_empty() {
            let expected = "no images held out, as the data set has its own validation images";
            let remedy = "make the split without them, or leave out the data set's own";
            return Err(Error::data("split", expected, split.validation.len(), remedy));
        }
        if !set.test.is_empty() && !split.test.is_empty() {
            let expected = "no test images held out, as the data set has its own";
            let remedy = "make the split without them, or move the data set's own away; val/ alone beside train/ holds test images";
            return Err(Error::data("split", expected, split.test.len(), remedy));
        }
        if set.test.is_empty() && split.test.is_empty() {
            let expected =
                "test images: test/ or val/ beside train/, a test list, or some held out";
            let remedy = "hold some out: `tailfit split --hold-out 20`";
            return Err(Error::data("images", expected, "none", remedy));
        }
        let all = |images: &Images| (0..images.len() as u32).collect();
        let validation = set.validation.as_ref().map_or(Vec::new(), all);
        let test = all(&set.test);
        let thresholds = split.thresholds;
        let data = Self { set, split, validation, test, counts, thresholds };
        data.check_apart()?;
        Ok(data)
    }

    /// Refuses files that are trained on and scored.
    fn check_apart(&self) -> Result<()> {
        let mut folders = HashMap::new();
        let mut files = |part| -> Vec<PathBuf> {
            let (images, rows) = self.subset(part);
            let Pixels::Files(paths) = &images.pixels else { return vec![] };
            rows.iter().map(|&row| real(&paths[row as usize], &mut folders)).collect()
        };
        let trained: HashSet<PathBuf> = files(Subset::Train).into_iter().collect();
        for (part, name) in [(Subset::Validation, "validation"), (Subset::Test, "test")] {
            let scored = files(part);
            let both: Vec<&PathBuf> =
                scored.iter().filter(|file| trained.contains(*file)).collect();
            if let Some(first) = both.first() {
                let expected = "images that are not trained on";
                let found = format!(
                    "{} of {} that are trained on, the first {}",
                    both.len(),
                    scored.len(),
                    first.display()
                );
                let remedy = "leave them out of one of the two, or have no others than held-out ones: `tailfit split --hold-out 20`";
                return Err(Error::data(format!("{name} images"), expected, found, remedy));
            }
        }
        Ok(())
    }

    /// Leaves out the images that cannot be read, and returns their paths; `report` is called with
    /// the number of images tried so far. Reads every image once.
    ///
    /// # Errors
    ///
    /// If a class is left without training images, or nothing of another part is left.
    pub fn without_unreadable(
        self,
        report: &(dyn Fn(usize) + Sync),
    ) -> Result<(Self, Vec<PathBuf>)> {
        let before = [Subset::Validation, Subset::Test].map(|part| (part, self.len(part)));
        let done = AtomicUsize::new(0);
        let bad = |images: &Images, rows: &[u32]| -> Vec<u32> {
            let unreadable = |row: &u32| {
                let unreadable = decode(images, *row as usize).is_err();
                report(done.fetch_add(1, Ordering::Relaxed) + 1);
                unreadable
            };
            rows.par_iter().copied().filter(unreadable).collect()
        };
        let names = |images: &Images, rows: &[u32]| -> Vec<PathBuf> {
            let Pixels::Files(files) = &images.pixels else { return Vec::new() };
            rows.iter().map(|&row| files[row as usize].clone()).collect()
        };
        let images = &self.set.train;
        let Split { train, validation, test, .. } = &self.split;
        let used = [train.as_slice(), validation, test].concat();
        let left_out = bad(images, &used);
        let mut paths = names(images, &left_out);
        let split = if left_out.is_empty() {
            self.split
        } else {
            let split = self.split.retain(&images.labels, |row| !left_out.contains(&row));
            split.map_err(|error| {
                let first = paths.first().map_or(String::new(), |path| path.display().to_string());
                let found =
                    format!("{} unreadable images, the first {first}: {error}", paths.len());
                Error::data("training images", "readable images of every class", found, "")
            })?
        };
        let mut readable = |images: &Images, rows: Vec<u32>| -> Vec<u32> {
            let left_out = bad(images, &rows);
            paths.extend(names(images, &left_out));
            rows.into_iter().filter(|row| !left_out.contains(row)).collect()
        };
        let validation = match &self.set.validation {
            Some(images) => readable(images, self.validation),
            None => self.validation,
        };
        let test = readable(&self.set.test, self.test);
        let counts = ClassCounts::new(split.counts.clone())?;
        let data = Self { split, validation, test, counts, ..self };
        for ((part, before), name) in before.into_iter().zip(["validation", "test"]) {
            if before > 0 && data.len(part) == 0 {
                let expected = format!("a readable one among {before}");
                return Err(Error::data(format!("{name} images"), expected, "none", ""));
            }
        }
        Ok((data, paths))
    }

    /// The images that a part is taken from, and the indices of those in it.
    pub(crate) fn subset(&self, part: Subset) -> (&Images, &[u32]) {
        match (part, &self.set.validation) {
            (Subset::Train, _) => (&self.set.train, &self.split.train),
            (Subset::Validation, Some(images)) => (images, &self.validation),
            (Subset::Validation, None) => (&self.set.train, &self.split.validation),
            (Subset::Test, _) if !self.split.test.is_empty() => (&self.set.train, &self.split.test),
            (Subset::Test, _) => (&self.set.test, &self.test),
        }
    }

    /// Number of images in a part.
    pub fn len(&self, part: Subset) -> usize {
        self.subset(part).1.len()
    }

    /// Whether there are validation images.
    pub fn has_validation(&self) -> bool {
        self.len(Subset::Validation) > 0
    }

    /// The part that backbones are chosen by: validation if there is any, else test.
    pub(crate) fn scored_subset(&self) -> Subset {
        if self.has_validation() { Subset::Validation } else { Subset::Test }
    }

    /// SHA-256 identifying the training images: of the split for images in memory, of classes and
    /// paths for files.
    pub(crate) fn train_sha256(&self) -> String {
        let split = &self.split.train_sha256;
        self.files_sha256(Subset::Train).unwrap_or_else(|| split.clone())
    }

    /// The same for the scored images; none if they are the test images of a set in memory.
    pub(crate) fn scored_sha256(&self) -> Option<String> {
        let of_split = || self.split.validation_sha256.clone().or(self.split.test_sha256.clone());
        self.files_sha256(self.scored_subset()).or_else(of_split)
    }

    /// SHA-256 of lines of class and path, with paths relative to the deepest folder that contains
    /// all images.
    fn files_sha256(&self, part: Subset) -> Option<String> {
        let (images, rows) = self.subset(part);
        let Pixels::Files(paths) = &images.pixels else { return None };
        let mut common = paths.first()?.parent()?;
        for path in paths {
            while !path.starts_with(common) {
                common = common.parent()?;
            }
        }
        let mut hash = Sha256::new();
        for &row in rows {
            let path = paths[row as usize].strip_prefix(common).ok()?;
            let class = images.labels[row as usize];
            hash.update(format!("{class} {}\n", path.display()));
        }
        Some(hex(hash.finalize()))
    }

    /// Names of the classes, `[K]`; empty if unknown.
    pub fn class_names(&self) -> &[String] {
        &self.set.train.class_names
    }

    /// Indices of an epoch's training images, in order.
    pub(crate) fn order(
        &self,
        sampler: Sampler,
        seed: u64,
        epoch: usize,
        epochs: usize,
    ) -> Vec<u32> {
        let mut places = vec![Vec::new(); self.n_classes()];
        for (place, &image) in self.split.train.iter().enumerate() {
            places[self.set.train.labels[image as usize] as usize].push(place as u32);
        }
        let order = sampler.order(&places, seed, epoch, epochs);
        order.into_iter().map(|place| self.split.train[place as usize]).collect()
    }

    /// K, the number of classes.
    pub fn n_classes(&self) -> usize {
        self.counts.n_classes()
    }
}

/// A file by its real name; those of the folders met before are in `folders`.
fn real(path: &Path, folders: &mut HashMap<PathBuf, PathBuf>) -> PathBuf {
    let (Some(folder), Some(name)) = (path.parent(), path.file_name()) else {
        return path.to_owned();
    };
    if !folders.contains_key(folder) {
        let real = fs_err::canonicalize(folder).unwrap_or_else(|_missing| folder.to_owned());
        folders.insert(folder.to_owned(), real);
    }
    let path = folders[folder].join(name);
    let is_link = fs_err::symlink_metadata(&path).is_ok_and(|found| found.is_symlink());
    if is_link { fs_err::canonicalize(&path).unwrap_or(path) } else { path }
}
