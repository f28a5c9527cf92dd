//! Cropping and resizing, as torchvision does it on Pillow images.

use fast_image_resize::images::{Image, ImageRef};
use fast_image_resize::{FilterType, PixelType, ResizeAlg, ResizeOptions, Resizer};
use image::RgbImage;
use image::imageops::crop_imm;
use tailfit::rng::Rng;

/// A rectangle of an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Crop {
    pub(crate) top: u32,
    pub(crate) left: u32,
    pub(crate) height: u32,
    pub(crate) width: u32,
}

/// Resizes the image so that its shorter side is `side · margin`, and crops the central
/// `side` × `side`.
pub(crate) fn fit(image: &RgbImage, side: u32, margin: f64) -> RgbImage {
    let (width, height) = image.dimensions();
    let shorter = (f64::from(side) * margin).round() as u32;
    // torchvision truncates the longer side.
    let scaled = |length: u32| {
        (u64::from(shorter) * u64::from(length) / u64::from(width.min(height))) as u32
    };
    let (new_width, new_height) = (scaled(width).max(shorter), scaled(height).max(shorter));
    let whole = Crop { top: 0, left: 0, height, width };
    let image = resize(image, whole, (new_width, new_height));
    let middle = |length: u32| (f64::from(length - side) / 2.0).round_ties_even() as u32;
    let (left, top) = (middle(new_width), middle(new_height));
    crop_imm(&image, left, top, side, side).to_image()
}

/// A part of an image, resized to (width, height): bilinear, with the wider filter that shrinking
/// needs, and within one level of Pillow's result.
pub(crate) fn resize(image: &RgbImage, crop: Crop, (width, height): (u32, u32)) -> RgbImage {
    // Crop first: the resizing crate's own crop blends in pixels from outside it.
    let part = crop_imm(image, crop.left, crop.top, crop.width, crop.height).to_image();
    let options = ResizeOptions::new().resize_alg(ResizeAlg::Convolution(FilterType::Bilinear));
    let mut resized = Image::new(width, height, PixelType::U8x3);
    ImageRef::new(crop.width, crop.height, part.as_raw(), PixelType::U8x3)
        .map_err(|error| error.to_string())
        .and_then(|source| {
            let done = Resizer::new().resize(&source, &mut resized, &options);
            done.map_err(|error| error.to_string())
        })
        .expect("three bytes a pixel");
    RgbImage::from_raw(width, height, resized.into_vec()).expect("three bytes a pixel")
}

/// Ranges of a random crop's share of the area and of its aspect ratio.
const AREA: [f64; 2] = [0.08, 1.0];
const RATIO: [f64; 2] = [3.0 / 4.0, 4.0 / 3.0];

/// A random crop of a (width, height) image, as in torchvision's `RandomResizedCrop`: 8 to 100 % of
/// the area, with an aspect ratio of 3:4 to 4:3.
pub(crate) fn random_crop(rng: &mut Rng, (width, height): (u32, u32)) -> Crop {
    let (w, h) = (f64::from(width), f64::from(height));
    let between = |rng: &mut Rng, [from, to]: [f64; 2]| from + (to - from) * rng.uniform();
    for _ in 0..10 {
        let area = w * h * between(rng, AREA);
        let ratio = between(rng, RATIO.map(f64::ln)).exp();
        let crop_width = (area * ratio).sqrt().round_ties_even() as u32;
        let crop_height = (area / ratio).sqrt().round_ties_even() as u32;
        if (1..=width).contains(&crop_width) && (1..=height).contains(&crop_height) {
            let top = rng.below((height - crop_height + 1) as usize) as u32;
            let left = rng.below((width - crop_width + 1) as usize) as u32;
            return Crop { top, left, height: crop_height, width: crop_width };
        }
    }
    let crop_width = w.min((h * RATIO[1]).round_ties_even()) as u32;
    let crop_height = h.min((w / RATIO[0]).round_ties_even()) as u32;
    let (top, left) = ((height - crop_height) / 2, (width - crop_width) / 2);
    Crop { top, left, height: crop_height, width: crop_width }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pillow::{bytes, image, pillow};
    use tailfit::rng::Purpose;

    /// Within one level out of 255: filter weights are rounded to fewer bits than Pillow's.
    fn near(image: &RgbImage, wanted: &[u8]) {
        assert_eq!(image.as_raw().len(), wanted.len());
        let off = image.iter().zip(wanted).map(|(a, b)| a.abs_diff(*b)).max();
        assert!(off <= Some(1), "{off:?}");
    }

    #[test]
    fn sizes_are_pillows() {
        for case in pillow()["resized"].as_array().unwrap() {
            let numbers =
                |key: &str| -> Vec<u32> { bytes(&case[key]).into_iter().map(u32::from).collect() };
            let (crop, size) = (numbers("crop"), numbers("size"));
            let crop = Crop { top: crop[0], left: crop[1], height: crop[2], width: crop[3] };
            let resized = resize(&image(), crop, (size[0], size[1]));
            near(&resized, &bytes(&case["values"]));
        }
        near(&fit(&image(), 7, 8.0 / 7.0), &bytes(&pillow()["fitted_7_of_8"]));
    }

    #[test]
    fn random_crops_lie_inside_and_vary() {
        let mut rng = Rng::new(3, Purpose::Augmentation, 0);
        for size in [(300, 200), (32, 32), (500, 20), (1, 1)] {
            let crops: Vec<Crop> = (0..500).map(|_| random_crop(&mut rng, size)).collect();
            for crop in &crops {
                assert!(crop.width > 0 && crop.left + crop.width <= size.0, "{crop:?}");
                assert!(crop.height > 0 && crop.top + crop.height <= size.1, "{crop:?}");
            }
            if size.1 > 30 {
                let share = |c: &Crop| f64::from(c.width * c.height) / f64::from(size.0 * size.1);
                let ratio = |c: &Crop| f64::from(c.width) / f64::from(c.height);
                let extremes = |value: &dyn Fn(&Crop) -> f64| {
                    let values: Vec<f64> = crops.iter().map(value).collect();
                    [f64::min, f64::max].map(|f| values.iter().copied().reduce(f).unwrap())
                };
                let ([least, most], [tall, wide]) = (extremes(&share), extremes(&ratio));
                assert!(least < 0.12 && least > 0.06 && most > 0.8, "{least} {most}");
                assert!(
                    (0.7..0.8).contains(&tall) && (1.25..1.45).contains(&wide),
                    "{tall} {wide}"
                );
            }
        }
        // Too elongated for any allowed shape: the centre, at the closest allowed ratio.
        let crop = Crop { top: 0, left: 236, height: 20, width: 27 };
        assert_eq!(random_crop(&mut rng, (500, 20)), crop);
    }
}
