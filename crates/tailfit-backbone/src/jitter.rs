//! Colour jitter as torchvision does it on Pillow images, bit for bit.

use image::{Rgb, RgbImage};
use tailfit::rng::Rng;

/// How far the factors of brightness, contrast and saturation may be from 1.
const STRENGTH: f64 = 0.4;

/// A property that is jittered.
#[derive(Clone, Copy, Debug)]
enum Property {
    Brightness,
    Contrast,
    Saturation,
}

/// Changes brightness, contrast and saturation, each by a factor of 0.6 to 1.4, in random order.
pub(crate) fn jitter(image: &mut RgbImage, rng: &mut Rng) {
    let mut properties = [Property::Brightness, Property::Contrast, Property::Saturation];
    rng.shuffle(&mut properties);
    for property in properties {
        let factor = 1.0 - STRENGTH + 2.0 * STRENGTH * rng.uniform();
        change(image, property, factor as f32);
    }
}

/// Scales a property by `factor`: factor 0 removes it, 1 leaves the image unchanged.
fn change(image: &mut RgbImage, property: Property, factor: f32) {
    let mean = match property {
        Property::Contrast => {
            let sum: u64 = image.pixels().map(|pixel| u64::from(grey(*pixel))).sum();
            let n = u64::from(image.width()) * u64::from(image.height());
            (sum as f64 / n as f64 + 0.5) as u8
        }
        Property::Brightness | Property::Saturation => 0,
    };
    for pixel in image.pixels_mut() {
        let without = if let Property::Saturation = property { grey(*pixel) } else { mean };
        for value in &mut pixel.0 {
            let (from, to) = (f32::from(without), f32::from(*value));
            // The cast truncates and saturates.
            *value = (from + factor * (to - from)) as u8;
        }
    }
}

/// Pillow's conversion to mode L: ITU-R 601-2 in 16-bit arithmetic.
fn grey(Rgb([r, g, b]): Rgb<u8>) -> u8 {
    ((u32::from(r) * 19_595 + u32::from(g) * 38_470 + u32::from(b) * 7_471 + 0x8000) >> 16) as u8
}

#[cfg(test)]
mod tests {
    use tailfit::rng::Purpose;

    use super::*;
    use crate::pillow::{bytes, image, pillow};

    #[test]
    fn properties_are_pillows() {
        let pillow = pillow();
        for (key, property) in [
            ("brightness", Property::Brightness),
            ("contrast", Property::Contrast),
            ("saturation", Property::Saturation),
        ] {
            for case in pillow[key].as_array().unwrap() {
                let mut image = image();
                change(&mut image, property, case["factor"].as_f64().unwrap() as f32);
                assert_eq!(image.into_raw(), bytes(&case["values"]), "{key} {}", case["factor"]);
            }
        }
    }

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
