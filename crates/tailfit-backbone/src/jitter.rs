//! Colour jitter as torchvision does it on Pillow images, bit for bit.

use image::RgbImage;
use tailfit::rng::Rng;

use crate::operations::{Property, change};

/// How far the factors of brightness, contrast and saturation may be from 1.
const STRENGTH: f64 = 0.4;

/// Changes brightness, contrast and saturation, each by a factor of 0.6 to 1.4, in random order.
pub(crate) fn jitter(image: &mut RgbImage, rng: &mut Rng) {
    let mut properties = [Property::Brightness, Property::Contrast, Property::Saturation];
    rng.shuffle(&mut properties);
    for property in properties {
        let factor = 1.0 - STRENGTH + 2.0 * STRENGTH * rng.uniform();
        change(image, property, factor as f32);
    }
}

#[cfg(test)]
mod tests {
    use tailfit::rng::Purpose;

    use super::*;
    use crate::pillow::image;

    #[test]
    fn jitter_repeats_and_varies() {
        let jittered = |index| {
            let mut image = image();
            jitter(&mut image, &mut Rng::new(1, Purpose::Augmentation, index));
            image.into_raw()
        };
        assert_eq!(jittered(0), jittered(0));
        assert_ne!(jittered(0), jittered(1));
    }
}
