//! Operations on the colours of 8-bit images as Pillow does them, bit for bit.

use image::{Rgb, RgbImage};

/// Brightness, contrast, saturation or sharpness.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Property {
    Brightness,
    Contrast,
    Saturation,
    Sharpness,
}

/// Scales a property by `factor`: factor 0 removes it, 1 leaves the image unchanged.
pub(crate) fn change(image: &mut RgbImage, property: Property, factor: f32) {
    let mean = match property {
        Property::Contrast => {
            let sum: u64 = image.pixels().map(|pixel| u64::from(grey(*pixel))).sum();
            let n = u64::from(image.width()) * u64::from(image.height());
            (sum as f64 / n as f64 + 0.5) as u8
        }
        _ => 0,
    };
    let smooth = (property == Property::Sharpness).then(|| smoothed(image));
    for (x, y, pixel) in image.enumerate_pixels_mut() {
        let without = match (&smooth, property) {
            (Some(smooth), _) => smooth.get_pixel(x, y).0,
            (None, Property::Saturation) => [grey(*pixel); 3],
            _ => [mean; 3],
        };
        for (value, without) in pixel.0.iter_mut().zip(without) {
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

/// Each pixel counts 5 of 13 and its neighbours 1; the border is unchanged.
fn smoothed(image: &RgbImage) -> RgbImage {
    let (width, height) = image.dimensions();
    RgbImage::from_fn(width, height, |x, y| {
        let middle = *image.get_pixel(x, y);
        if x == 0 || y == 0 || x + 1 == width || y + 1 == height {
            return middle;
        }
        Rgb([0, 1, 2].map(|channel| {
            let value = |dx, dy| u32::from(image.get_pixel(x + dx - 1, y + dy - 1).0[channel]);
            let all: u32 = (0..9).map(|i| value(i % 3, i / 3)).sum();
            ((all + 4 * u32::from(middle.0[channel])) as f32 / 13.0 + 0.5) as u8
        }))
    })
}

/// A table of 256 values applied to every channel.
fn look_up(image: &mut RgbImage, table: impl Fn(u8) -> u8) {
    image.iter_mut().for_each(|value| *value = table(*value));
}

pub(crate) fn invert(image: &mut RgbImage) {
    look_up(image, |value| 255 - value);
}

/// Keeps the highest bits of every value.
pub(crate) fn posterise(image: &mut RgbImage, bits: u32) {
    look_up(image, |value| value & !((1_u32 << (8 - bits)) - 1) as u8);
}

/// Inverts the values that are not below `threshold`.
pub(crate) fn solarise(image: &mut RgbImage, threshold: f64) {
    look_up(image, |value| if f64::from(value) < threshold { value } else { 255 - value });
}

/// Stretches each channel to all of 0 to 255.
pub(crate) fn auto_contrast(image: &mut RgbImage) {
    by_channel(image, |counts| {
        let lowest = counts.iter().position(|&n| n > 0).unwrap_or(0);
        let highest = counts.iter().rposition(|&n| n > 0).unwrap_or(0);
        if highest <= lowest {
            return None;
        }
        let scale = 255.0 / (highest - lowest) as f64;
        let offset = -(lowest as f64) * scale;
        Some(std::array::from_fn(|value| (value as f64 * scale + offset) as u8))
    });
}

/// Spreads the values of each channel so that all levels are about equally frequent.
pub(crate) fn equalise(image: &mut RgbImage) {
    by_channel(image, |counts| {
        let last = counts.iter().rfind(|&&n| n > 0)?;
        let step = (counts.iter().sum::<u32>() - last) / 255;
        if step == 0 {
            return None;
        }
        let mut below = step / 2;
        Some(counts.map(|n| {
            let level = below / step;
            below += n;
            level.min(255) as u8
        }))
    });
}

/// Applies to each channel the table that `f` makes of how often each of its values occurs.
fn by_channel(image: &mut RgbImage, f: impl Fn([u32; 256]) -> Option<[u8; 256]>) {
    for channel in 0..3 {
        let mut counts = [0; 256];
        image.pixels().for_each(|pixel| counts[usize::from(pixel.0[channel])] += 1);
        let Some(table) = f(counts) else { continue };
        image.pixels_mut().for_each(|pixel| {
            pixel.0[channel] = table[usize::from(pixel.0[channel])];
        });
    }
}

#[cfg(test)]
mod tests {
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
}
