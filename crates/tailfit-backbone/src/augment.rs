//! What is done to images before a network sees them. A function of (seed, epoch, place in the
//! epoch), so that neither threads nor interruptions change anything, and an image that comes up
//! twice is seen differently.

use serde::{Deserialize, Serialize};
use tailfit::data::Images;
use tailfit::rng::{Purpose, Rng};

/// Augmentation by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Augmentation {
    /// None.
    None,
    /// 4 pixels of zeros around, a random crop of the old size, and a flip every other time.
    Weak,
}

/// Mean and standard deviation of CIFAR's channels, in units of 255 (LDAM-DRW, LTWB, LOS).
const MEAN: [f32; 3] = [0.4914, 0.4822, 0.4465];
const DEVIATION: [f32; 3] = [0.2023, 0.1994, 0.2010];

/// Zeros on each side.
const PADDING: usize = 4;

/// How one image is seen.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Look {
    /// Shift of the crop against the image, 0 to 2 · 4; 4 is the middle.
    down: usize,
    right: usize,
    mirrored: bool,
}

impl Look {
    /// As it is.
    pub(crate) const PLAIN: Self = Self { down: PADDING, right: PADDING, mirrored: false };

    /// Mirrored.
    pub(crate) const MIRRORED: Self = Self { mirrored: true, ..Self::PLAIN };
}

impl Augmentation {
    /// How the image at `place` of `epoch` is seen.
    pub(crate) fn look(self, seed: u64, epoch: usize, place: usize) -> Look {
        if self == Self::None {
            return Look::PLAIN;
        }
        let stream = (epoch as u64) << 32 | place as u64;
        let mut rng = Rng::new(seed, Purpose::Augmentation, stream);
        let (down, right) = (rng.below(2 * PADDING + 1), rng.below(2 * PADDING + 1));
        Look { down, right, mirrored: rng.below(2) == 1 }
    }
}

/// Writes an image as a network sees it, `[height, width, 3]`, normalised; the padding is black
/// before normalisation.
pub(crate) fn write(images: &Images, index: usize, look: Look, out: &mut [f32]) {
    let (height, width) = (images.height, images.width);
    let image = images.image(index);
    for (y, row) in out.chunks_exact_mut(3 * width).enumerate() {
        let from = (y + look.down).checked_sub(PADDING).filter(|&y| y < height);
        for (x, pixel) in row.as_chunks_mut::<3>().0.iter_mut().enumerate() {
            let x = if look.mirrored { width - 1 - x } else { x };
            let column = (x + look.right).checked_sub(PADDING).filter(|&x| x < width);
            for (channel, value) in pixel.iter_mut().enumerate() {
                let byte =
                    from.zip(column).map_or(0, |(y, x)| image[(channel * height + y) * width + x]);
                *value = (f32::from(byte) / 255.0 - MEAN[channel]) / DEVIATION[channel];
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn images() -> Images {
        let pixels = (0..3 * 5 * 6).map(|v| v as u8).collect();
        Images { pixels, height: 5, width: 6, labels: vec![0], n_classes: 1 }
    }

    fn seen(look: Look) -> Vec<u8> {
        let mut out = vec![0.0; 90];
        write(&images(), 0, look, &mut out);
        let byte = |(i, v): (usize, &f32)| 255.0 * (v * DEVIATION[i % 3] + MEAN[i % 3]);
        out.iter().enumerate().map(byte).map(|v| v.round() as u8).collect()
    }

    #[test]
    fn plain_mirrored_and_shifted() {
        let at = |values: &[u8], y: usize, x: usize| -> [u8; 3] {
            [0, 1, 2].map(|channel| values[(y * 6 + x) * 3 + channel])
        };
        let plain = seen(Look::PLAIN);
        assert_eq!(at(&plain, 2, 1), [13, 43, 73]);
        assert_eq!(at(&seen(Look::MIRRORED), 2, 1), at(&plain, 2, 4));
        // One down and two to the left: the crop begins above, and right of the image's left.
        let shifted = seen(Look { down: 3, right: 6, mirrored: false });
        assert_eq!(at(&shifted, 0, 0), [0, 0, 0]);
        assert_eq!(at(&shifted, 3, 1), at(&plain, 2, 3));
        assert_eq!(at(&shifted, 3, 5), [0, 0, 0]);
    }

    #[test]
    fn looks_repeat_and_use_the_whole_range() {
        let look = |epoch, place| {
            let look = Augmentation::Weak.look(7, epoch, place);
            (look.down, look.right, look.mirrored)
        };
        assert_eq!(look(3, 5), look(3, 5));
        let mut seen = std::collections::HashSet::new();
        for place in 0..4000 {
            seen.insert(look(1, place));
        }
        assert_eq!(seen.len(), 9 * 9 * 2);
    }
}
