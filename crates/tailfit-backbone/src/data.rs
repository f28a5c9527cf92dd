//! Images as stage 1 sees them.

use tailfit::class_counts::ClassCounts;
use tailfit::data::{Images, Split};
use tailfit::error::{Error, Result};
use tailfit::sampler::Sampler;
use tailfit::shots::ShotThresholds;

/// Training images cut out of a balanced set, and images to score on.
#[derive(Debug)]
pub struct ImageData {
    /// The balanced set.
    pub(crate) images: Images,
    /// Test images, all of them used.
    pub(crate) test: Images,
    /// Which images are trained on or held out.
    pub(crate) split: Split,
    pub(crate) counts: ClassCounts,
    pub(crate) thresholds: ShotThresholds,
}

/// A part of the images.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// What the backbone is trained on.
    Train,
    /// Held out of the training images.
    Validation,
    /// The test images.
    Test,
}

impl ImageData {
    /// Checks that the split belongs to the images.
    ///
    /// # Errors
    ///
    /// If it names images that are not there, or one twice, or its counts are not those of its
    /// images.
    pub fn new(images: [Images; 2], split: Split) -> Result<Self> {
        let [images, test] = images;
        let remedy = "make the split with `tailfit split` on these very images";
        let outside =
            split.train.iter().chain(&split.validation).find(|&&i| i as usize >= images.len());
        if let Some(outside) = outside {
            let expected = format!("indices below {}", images.len());
            return Err(Error::data("split", expected, outside, remedy));
        }
        let mut named = vec![false; images.len()];
        for &index in split.train.iter().chain(&split.validation) {
            if std::mem::replace(&mut named[index as usize], true) {
                let expected = "every image once, in training or in validation";
                return Err(Error::data("split", expected, format!("{index} twice"), remedy));
            }
        }
        let labels = split.train.iter().map(|&i| images.labels[i as usize]).collect::<Vec<_>>();
        let counts = ClassCounts::from_labels(&labels, images.n_classes)?;
        if counts.as_slice() != split.counts {
            let found = "other numbers of images per class";
            return Err(Error::data("split", "the counts it says", found, remedy));
        }
        let thresholds = split.thresholds;
        Ok(Self { images, test, split, counts, thresholds })
    }

    /// The images a part is of, and which of them.
    pub(crate) fn part(&self, part: Part) -> (&Images, Vec<u32>) {
        match part {
            Part::Train => (&self.images, self.split.train.clone()),
            Part::Validation => (&self.images, self.split.validation.clone()),
            Part::Test => (&self.test, (0..self.test.len() as u32).collect()),
        }
    }

    /// Images of a part.
    pub fn len(&self, part: Part) -> usize {
        match part {
            Part::Train => self.split.train.len(),
            Part::Validation => self.split.validation.len(),
            Part::Test => self.test.len(),
        }
    }

    /// Whether images are held out for validation.
    pub fn has_validation(&self) -> bool {
        !self.split.validation.is_empty()
    }

    /// Training images of an epoch in their order.
    pub(crate) fn order(
        &self,
        sampler: Sampler,
        seed: u64,
        epoch: usize,
        epochs: usize,
    ) -> Vec<u32> {
        let mut places = vec![Vec::new(); self.n_classes()];
        for (place, &image) in self.split.train.iter().enumerate() {
            places[self.images.labels[image as usize] as usize].push(place as u32);
        }
        let order = sampler.order(&places, seed, epoch, epochs);
        order.into_iter().map(|place| self.split.train[place as usize]).collect()
    }

    /// K.
    pub fn n_classes(&self) -> usize {
        self.counts.n_classes()
    }
}
