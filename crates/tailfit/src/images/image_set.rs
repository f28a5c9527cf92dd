//! Images and their classes.

use std::path::{Path, PathBuf};

use super::cifar::is_cifar;
use super::{idx, read_cifar, read_idx, read_image_folders};
use crate::error::{Error, Result};

/// Images with their classes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Images {
    /// The images themselves.
    pub pixels: Pixels,
    /// Class of each image, `[N]`.
    pub labels: Vec<u32>,
    /// K, the number of classes.
    pub n_classes: usize,
    /// Names of the classes, `[K]`; empty if unknown.
    pub class_names: Vec<String>,
}

/// Where the pixels of the images are held.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Pixels {
    /// In memory: images of equal size, at their stored resolution.
    Memory {
        /// `[N, height, width, 3]`, values 0 to 255.
        bytes: Vec<u8>,
        /// Height in pixels.
        height: usize,
        /// Width in pixels.
        width: usize,
    },
    /// One file per image, of any size, decoded each time the image is used.
    Files(Vec<PathBuf>),
}

/// The images of a data set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImageSet {
    /// The images to train on, or to cut a long-tailed training set out of.
    pub train: Images,
    /// Validation images, if the data set has its own.
    pub validation: Option<Images>,
    /// Test images; none if they are held out of the training images.
    pub test: Images,
}

impl Images {
    /// Images in memory, `[N, height, width, 3]`, without class names.
    pub fn in_memory(
        bytes: Vec<u8>,
        (height, width): (usize, usize),
        labels: Vec<u32>,
        n_classes: usize,
    ) -> Self {
        let pixels = Pixels::Memory { bytes, height, width };
        Self { pixels, labels, n_classes, class_names: Vec::new() }
    }

    /// No images of the same classes.
    pub(super) fn none_of(&self) -> Self {
        let pixels = Pixels::Files(Vec::new());
        let (n_classes, class_names) = (self.n_classes, self.class_names.clone());
        Self { pixels, labels: Vec::new(), n_classes, class_names }
    }

    /// N, the number of images.
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    /// Whether there are no images.
    pub fn is_empty(&self) -> bool {
        self.labels.is_empty()
    }
}

impl From<[Images; 2]> for ImageSet {
    /// A set of training and test images, without validation images.
    fn from([train, test]: [Images; 2]) -> Self {
        Self { train, validation: None, test }
    }
}

/// The images of a folder in any supported layout: IDX files, class folders below `train/`, or
/// CIFAR's binary files.
///
/// # Errors
///
/// As for [`read_idx`], [`read_image_folders`] and [`read_cifar`].
pub fn read_images(folder: &Path) -> Result<ImageSet> {
    if idx::is_idx(folder) {
        read_idx(folder)
    } else if folder.join("train").is_dir() {
        read_image_folders(folder)
    } else if is_cifar(folder) {
        read_cifar(folder)
    } else {
        let expected = "CIFAR's binary files (train.bin and test.bin, or data_batch_1.bin … and test_batch.bin), IDX \
                        files (train-images-idx3-ubyte …), or train/ and test/ with a folder for each class";
        let remedy = "take the binary version of CIFAR; images named by lists need those lists";
        let error = Error::data(folder.display(), expected, "none of them", remedy);
        Err(error.answered_by("train_list"))
    }
}
