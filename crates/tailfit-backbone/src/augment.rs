//! How images are prepared and augmented before a network sees them. Augmentation is a function
//! of (seed, epoch, place in the epoch), so neither threads nor interruptions change anything, and
//! an image that comes up twice in an epoch is augmented differently each time.

use image::{Rgb, RgbImage};
use serde::{Deserialize, Serialize};
use tailfit::error::{Error, Result};
use tailfit::images::{Images, Pixels};
use tailfit::rng::{Purpose, Rng};

use crate::cutout::cut_out;
use crate::decode::decode;
use crate::geometry::{fit, random_crop, resize};
use crate::jitter::jitter;
use crate::policy::auto_augment;

/// The augmentation of training images.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Augmentation {
    /// No augmentation.
    None,
    /// Padding with 4 pixels of zeros, a random crop of the original size, and a flip with
    /// probability 1/2.
    Weak,
    /// `weak`, then AutoAugment's policy for CIFAR (one of 25 pairs of operations, Cubuk et al., CVPR
    /// 2019; pixels from outside are grey), then Cutout: a black square of 16 pixels (BALMS, `PaCo`).
    Auto,
    /// A random crop with 8 to 100 % of the area and an aspect ratio of 3:4 to 4:3, resized, and a
    /// flip with probability 1/2 (iNaturalist). Unaugmented images are resized and cropped to the
    /// central 7/8 (224 pixels of 256), except images in memory that already have the wanted size.
    ResizedCrop,
    /// The same, with brightness, contrast and saturation changed by factors of 0.6 to 1.4, in
    /// random order (ImageNet-LT).
    ResizedCropJitter,
}

/// Pixels of zeros on each side.
const PADDING: usize = 4;

/// How images are prepared for a network.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Preparation {
    /// Augmentation of training images.
    pub augmentation: Augmentation,
    /// Side length that images are resized to; if `None`, images in memory keep their own size.
    pub side: Option<usize>,
    /// Mean of each channel, for values from 0 to 1.
    pub mean: [f32; 3],
    /// Standard deviation of each channel.
    pub std: [f32; 3],
}

/// How a network sees one image.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Look {
    /// Unaugmented.
    Plain,
    /// Unaugmented and flipped horizontally.
    Mirrored,
    /// Augmented.
    Augmented { seed: u64, epoch: usize, place: usize },
}

impl Preparation {
    /// Height and width of the images in a network's batches.
    ///
    /// # Errors
    ///
    /// If images are in files and no side length is given.
    pub(crate) fn size(&self, images: &Images) -> Result<[usize; 2]> {
        match (&images.pixels, self.side) {
            (_, Some(side)) => Ok([side; 2]),
            (Pixels::Memory { height, width, .. }, None) => Ok([*height, *width]),
            (Pixels::Files(_), None) => {
                let remedy = "set it in the recipe, along with image_mean, image_std and the network, such as image_size = 224";
                let expected = "a side length, to which images in files are resized";
                Err(Error::usage("image_size", expected, "none", remedy).answered_by("config"))
            }
        }
    }

    /// Writes an image as a network sees it, `[height, width, 3]`.
    ///
    /// # Errors
    ///
    /// If the image cannot be read.
    pub(crate) fn write(
        &self,
        images: &Images,
        index: usize,
        look: Look,
        out: &mut [f32],
    ) -> Result<()> {
        use Augmentation::{Auto, None as Nothing, ResizedCrop, ResizedCropJitter, Weak};
        let image = decode(images, index)?;
        let [height, width] = self.size(images)?.map(|length| length as u32);
        let in_memory = matches!(images.pixels, Pixels::Memory { .. });
        let fitted = |image| self.fitted(image, (width, height), in_memory);
        let rng = match look {
            Look::Plain | Look::Mirrored => None,
            Look::Augmented { seed, epoch, place } => {
                let stream = (epoch as u64) << 32 | place as u64;
                Some(Rng::new(seed, Purpose::Augmentation, stream))
            }
        };
        let (Some(mut rng), true) = (rng, self.augmentation != Nothing) else {
            let image = fitted(image);
            self.normalise(&image, [PADDING; 2], matches!(look, Look::Mirrored), out);
            return Ok(());
        };
        let (mut image, shift) = if let Weak | Auto = self.augmentation {
            let shift = [(); 2].map(|()| rng.below(2 * PADDING + 1));
            (fitted(image), shift)
        } else {
            let crop = random_crop(&mut rng, image.dimensions());
            (resize(&image, crop, (width, height)), [PADDING; 2])
        };
        let mirrored = rng.below(2) == 1;
        match self.augmentation {
            ResizedCropJitter => jitter(&mut image, &mut rng),
            Auto => {
                // The policy sees the cropped and flipped image.
                image = shifted(&image, shift, mirrored);
                auto_augment(&mut image, &mut rng);
                cut_out(&mut image, &mut rng);
                self.normalise(&image, [PADDING; 2], false, out);
                return Ok(());
            }
            Nothing | Weak | ResizedCrop => {}
        }
        self.normalise(&image, shift, mirrored, out);
        Ok(())
    }

    /// The centre of an image at the wanted size; images in memory that already have it are left
    /// unchanged.
    fn fitted(&self, image: RgbImage, size: (u32, u32), in_memory: bool) -> RgbImage {
        if in_memory && image.dimensions() == size {
            return image;
        }
        let margin = match self.augmentation {
            Augmentation::None | Augmentation::Weak | Augmentation::Auto => 1.0,
            Augmentation::ResizedCrop | Augmentation::ResizedCropJitter => 8.0 / 7.0,
        };
        fit(&image, size.0, margin)
    }

    /// Writes (value − mean) / std; pixels shifted in from outside are black before normalisation.
    fn normalise(
        &self,
        image: &RgbImage,
        [down, right]: [usize; 2],
        mirrored: bool,
        out: &mut [f32],
    ) {
        let (width, height) = (image.width() as usize, image.height() as usize);
        let bytes = image.as_raw();
        for (y, row) in out.chunks_exact_mut(3 * width).enumerate() {
            let from = (y + down).checked_sub(PADDING).filter(|&y| y < height);
            for (x, pixel) in row.as_chunks_mut::<3>().0.iter_mut().enumerate() {
                let x = if mirrored { width - 1 - x } else { x };
                let column = (x + right).checked_sub(PADDING).filter(|&x| x < width);
                for (channel, value) in pixel.iter_mut().enumerate() {
                    let byte =
                        from.zip(column).map_or(0, |(y, x)| bytes[3 * (y * width + x) + channel]);
                    *value = (f32::from(byte) / 255.0 - self.mean[channel]) / self.std[channel];
                }
            }
        }
    }
}

/// A crop of the padded image, as [`Preparation::normalise`] takes it.
fn shifted(image: &RgbImage, [down, right]: [usize; 2], mirrored: bool) -> RgbImage {
    let (width, height) = image.dimensions();
    RgbImage::from_fn(width, height, |x, y| {
        let x = if mirrored { width - 1 - x } else { x };
        let from = |at: u32, by: usize| (at + by as u32).checked_sub(PADDING as u32);
        let inside = from(x, right).zip(from(y, down));
        let pixel = inside.and_then(|(x, y)| image.get_pixel_checked(x, y));
        pixel.copied().unwrap_or(Rgb([0; 3]))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEIGHT: usize = 5;
    const WIDTH: usize = 6;

    fn preparation(augmentation: Augmentation) -> Preparation {
        Preparation { augmentation, side: None, mean: [0.5, 0.25, 0.0], std: [0.25, 0.5, 1.0] }
    }

    /// One image whose bytes are 0, 1, 2, … by row, column and channel, as a network sees it.
    fn seen(augmentation: Augmentation, look: Look) -> Vec<u8> {
        let pixels = (0..3 * HEIGHT * WIDTH).map(|v| v as u8).collect();
        let images = Images::in_memory(pixels, (HEIGHT, WIDTH), vec![0], 1);
        let mut out = vec![0.0; 3 * HEIGHT * WIDTH];
        let preparation = preparation(augmentation);
        preparation.write(&images, 0, look, &mut out).unwrap();
        let byte =
            |(i, v): (usize, &f32)| 255.0 * (v * preparation.std[i % 3] + preparation.mean[i % 3]);
        out.iter().enumerate().map(byte).map(|v| v.round() as u8).collect()
    }

    fn at(values: &[u8], y: usize, x: usize) -> [u8; 3] {
        [0, 1, 2].map(|channel| values[(y * WIDTH + x) * 3 + channel])
    }

    #[test]
    fn plain_and_mirrored() {
        let plain = seen(Augmentation::Weak, Look::Plain);
        assert_eq!(at(&plain, 2, 1), [39, 40, 41]);
        assert_eq!(at(&seen(Augmentation::Weak, Look::Mirrored), 2, 1), at(&plain, 2, 4));
        let none = seen(Augmentation::None, Look::Augmented { seed: 1, epoch: 2, place: 3 });
        assert_eq!(none, plain);
    }

    /// Each augmentation consists of the parts it documents, from the same random numbers.
    #[test]
    fn crops_and_colours_are_what_they_say() {
        let source = crate::pillow::image();
        let (folder, look) =
            (tempfile::tempdir().unwrap(), |place| Look::Augmented { seed: 3, epoch: 2, place });
        let path = folder.path().join("image.png");
        source.save(&path).unwrap();
        let pixels = Pixels::Files(vec![path]);
        let images = Images { pixels, labels: vec![0], n_classes: 1, class_names: vec![] };
        let seen = |augmentation, look| {
            let preparation = Preparation { side: Some(7), ..preparation(augmentation) };
            let mut out = vec![0.0; 3 * 7 * 7];
            preparation.write(&images, 0, look, &mut out).unwrap();
            out
        };
        let plain = |image: &RgbImage, mirrored| {
            let mut out = vec![0.0; 3 * 7 * 7];
            preparation(Augmentation::None).normalise(image, [PADDING; 2], mirrored, &mut out);
            out
        };
        assert_eq!(seen(Augmentation::Weak, Look::Plain), plain(&fit(&source, 7, 1.0), false));
        let middle = fit(&source, 7, 8.0 / 7.0);
        assert_eq!(seen(Augmentation::ResizedCrop, Look::Mirrored), plain(&middle, true));
        let mut sides = [0; 2];
        for place in 0..20 {
            let mut rng = Rng::new(3, Purpose::Augmentation, 2 << 32 | place as u64);
            let crop = random_crop(&mut rng, source.dimensions());
            let mut image = resize(&source, crop, (7, 7));
            let mirrored = rng.below(2) == 1;
            sides[usize::from(mirrored)] += 1;
            assert_eq!(seen(Augmentation::ResizedCrop, look(place)), plain(&image, mirrored));
            jitter(&mut image, &mut rng);
            assert_eq!(seen(Augmentation::ResizedCropJitter, look(place)), plain(&image, mirrored));

            // The policy sees what `weak` shows.
            let mut rng = Rng::new(3, Purpose::Augmentation, 2 << 32 | place as u64);
            let shift = [(); 2].map(|()| rng.below(2 * PADDING + 1));
            let mut image = shifted(&fit(&source, 7, 1.0), shift, rng.below(2) == 1);
            assert_eq!(seen(Augmentation::Weak, look(place)), plain(&image, false));
            auto_augment(&mut image, &mut rng);
            cut_out(&mut image, &mut rng);
            assert_eq!(seen(Augmentation::Auto, look(place)), plain(&image, false));
        }
        assert!(sides[0] > 0 && sides[1] > 0);
    }

    /// Every shift and both orientations come up, and each view is a shifted, padded image.
    #[test]
    fn weak_views_are_shifted_and_padded() {
        let plain = seen(Augmentation::None, Look::Plain);
        let mut wanted = std::collections::HashSet::new();
        for (down, right, mirrored) in (0..162).map(|i| (i / 18, i % 18 / 2, i % 2 == 1)) {
            let mut view = vec![0; plain.len()];
            for (y, x) in (0..HEIGHT * WIDTH).map(|i| (i / WIDTH, i % WIDTH)) {
                let column = if mirrored { WIDTH - 1 - x } else { x };
                let (from_y, from_x) = (y + down, column + right);
                if (4..4 + HEIGHT).contains(&from_y) && (4..4 + WIDTH).contains(&from_x) {
                    view[3 * (y * WIDTH + x)..][..3].copy_from_slice(&at(
                        &plain,
                        from_y - 4,
                        from_x - 4,
                    ));
                }
            }
            wanted.insert(view);
        }
        let look =
            |epoch, place| seen(Augmentation::Weak, Look::Augmented { seed: 7, epoch, place });
        assert_eq!(look(3, 5), look(3, 5));
        let views: std::collections::HashSet<_> = (0..4000).map(|place| look(1, place)).collect();
        assert_eq!(views, wanted);
    }
}
