//! Cutout.

use image::{Rgb, RgbImage};
use tailfit::rng::Rng;

/// Side of Cutout's square.
const CUT: u32 = 16;

/// Blackens a square of 16 pixels whose centre is anywhere, so that it may stick out (`DeVries` and
/// Taylor, 2017).
pub(crate) fn cut_out(image: &mut RgbImage, rng: &mut Rng) {
    let [horizontal, vertical] = [image.width(), image.height()].map(|length| {
        let centre = rng.below(length as usize) as u32;
        centre.saturating_sub(CUT / 2)..length.min(centre + CUT / 2)
    });
    for y in vertical {
        for x in horizontal.clone() {
            image.put_pixel(x, y, Rgb([0; 3]));
        }
    }
}

#[cfg(test)]
mod tests {
    use tailfit::rng::Purpose;

    use super::*;

    #[test]
    fn squares_are_black_and_stick_out() {
        let white = RgbImage::from_pixel(32, 32, Rgb([255; 3]));
        let mut sizes = std::collections::HashSet::new();
        for index in 0..3000 {
            let mut image = white.clone();
            cut_out(&mut image, &mut Rng::new(2, Purpose::Augmentation, index));
            let black: Vec<(u32, u32)> = image
                .enumerate_pixels()
                .filter(|(.., pixel)| pixel.0 == [0; 3])
                .map(|(x, y, _)| (x, y))
                .collect();
            let range = |f: fn(&(u32, u32)) -> u32| {
                let all = || black.iter().map(f);
                all().max().unwrap() - all().min().unwrap() + 1
            };
            let (width, height) = (range(|p| p.0), range(|p| p.1));
            assert_eq!(black.len() as u32, width * height, "one rectangle");
            sizes.extend([width, height]);
        }
        let mut sizes: Vec<u32> = sizes.into_iter().collect();
        sizes.sort_unstable();
        // Centres 0 to 31: from 8 pixels in the corner to all 16.
        assert_eq!(sizes, (8..=16).collect::<Vec<_>>());
    }
}
