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
    /// K.
    pub n_classes: usize,
    /// Names of the classes, `[K]`; none if nobody says them.
    pub class_names: Vec<String>,
}

/// Where the pixels of images are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Pixels {
    /// In memory: images of one size, as they are stored.
    Memory {
        /// `[N, height, width, 3]`, 0 to 255, as networks take them.
        bytes: Vec<u8>,
        /// Pixels from top to bottom.
        height: usize,
        /// Pixels from left to right.
        width: usize,
    },
    /// In a file each, of any size, decoded whenever it is seen.
    Files(Vec<PathBuf>),
}

/// The images of a data set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImageSet {
    /// Trained on, or what a long-tailed training set is cut out of.
    pub train: Images,
    /// Validation images, where the data set has its own.
    pub validation: Option<Images>,
    /// Test images.
    pub test: Images,
}

impl Images {
    /// Images in memory, `[N, height, width, 3]`, without names of classes.
    pub fn in_memory(
        bytes: Vec<u8>,
        (height, width): (usize, usize),
        labels: Vec<u32>,
        n_classes: usize,
    ) -> Self {
        let pixels = Pixels::Memory { bytes, height, width };
        Self { pixels, labels, n_classes, class_names: Vec::new() }
    }

    /// N.
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.labels.is_empty()
    }
}

impl From<[Images; 2]> for ImageSet {
    /// Training and test images.
    fn from([train, test]: [Images; 2]) -> Self {
        Self { train, validation: None, test }
    }
}

/// The images of a folder, whichever way they are in it: IDX, folders of classes below `train/`,
/// or CIFAR's binary files.
///
/// # Errors
///
/// As [`read_idx`], [`read_image_folders`] and [`read_cifar`].
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
