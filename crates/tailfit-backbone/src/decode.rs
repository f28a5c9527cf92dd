//! Decodes images to 8-bit RGB, whether from memory or from files.

use std::io::Cursor;
use std::path::Path;

use image::{ImageReader, RgbImage};
use tailfit::error::{Error, Result};
use tailfit::images::{Images, Pixels};

/// Image number `index`. Grey becomes RGB, transparency is dropped, and 16 bits become 8. The
/// camera's orientation tag is ignored, as in torchvision.
///
/// # Errors
///
/// If its file is missing, damaged, or neither PNG, JPEG nor WebP.
///
/// # Panics
///
/// If there is no such image.
pub(crate) fn decode(images: &Images, index: usize) -> Result<RgbImage> {
    match &images.pixels {
        Pixels::Files(paths) => from_file(&paths[index]),
        Pixels::Memory { bytes, height, width } => {
            let size = 3 * height * width;
            let image = bytes[size * index..][..size].to_vec();
            Ok(RgbImage::from_raw(*width as u32, *height as u32, image)
                .expect("as many bytes as an image of this size has"))
        }
    }
}

fn from_file(path: &Path) -> Result<RgbImage> {
    let unreadable = |found: String| {
        let remedy = "replace the image, or start a run that leaves such images out";
        Error::data(path.display(), "an image in PNG, JPEG or WebP", found, remedy)
            .answered_by("skip_unreadable")
    };
    let bytes = fs_err::read(path).map_err(|error| unreadable(error.to_string()))?;
    if is_cut_off_jpeg(&bytes) {
        return Err(unreadable("a JPEG that is cut off".to_owned()));
    }
    // Guess by content: many .jpg files are really PNGs.
    let reader = ImageReader::new(Cursor::new(bytes)).with_guessed_format();
    let reader = reader.map_err(|error| unreadable(error.to_string()))?;
    Ok(reader.decode().map_err(|error| unreadable(error.to_string()))?.into_rgb8())
}

/// Whether a JPEG has no end marker, which the decoder would not notice: it fills in what is missing with
/// grey. What follows the image, such as the film of a photo in motion, does not count.
fn is_cut_off_jpeg(bytes: &[u8]) -> bool {
    const RESTART: std::ops::RangeInclusive<u8> = 0xD0..=0xD7;
    let Some(mut rest) = bytes.strip_prefix(&[0xFF, 0xD8]) else { return false };
    loop {
        // The next marker: in a scan, 0xFF stands for itself before 0, and before restart markers.
        let is_marker = |pair: &[u8]| {
            pair[0] == 0xFF && !matches!(pair[1], 0 | 1 | 0xFF) && !RESTART.contains(&pair[1])
        };
        let Some(at) = rest.windows(2).position(is_marker) else { return true };
        if rest[at + 1] == 0xD9 {
            return false;
        }
        // A segment: its length, which counts itself, and what it holds. After that of a scan comes
        // the scan, which is searched like the gap between segments.
        let Some(&[high, low]) = rest.get(at + 2..at + 4) else { return true };
        let length = usize::from(u16::from_be_bytes([high, low]));
        let Some(after) = rest.get(at + 2 + length..) else { return true };
        rest = after;
    }
}

#[cfg(test)]
mod tests {
    use image::{DynamicImage, ImageFormat, Rgb};

    use super::*;

    fn decoded(path: &Path) -> Result<RgbImage> {
        let pixels = Pixels::Files(vec![path.to_owned()]);
        decode(&Images { pixels, labels: vec![0], n_classes: 1, class_names: vec![] }, 0)
    }

    #[test]
    fn jpeg_grey_transparent_and_16_bits_become_rgb() {
        let folder = tempfile::tempdir().unwrap();
        let smooth = RgbImage::from_fn(24, 16, |x, y| Rgb([10 * x as u8, 200, 9 * y as u8]));
        let all = DynamicImage::ImageRgb8(smooth.clone());
        let grey = all.to_luma8();
        let same = RgbImage::from_fn(24, 16, |x, y| Rgb([grey.get_pixel(x, y).0[0]; 3]));
        for (name, image, exact) in [
            ("a.png", all.clone(), true),
            ("b.jpg", all.clone(), false),
            ("grey.png", grey.clone().into(), true),
            ("transparent.png", all.to_rgba8().into(), true),
            ("deep.png", all.to_rgb16().into(), true),
        ] {
            let path = folder.path().join(name);
            image.save(&path).unwrap();
            let wanted = if name == "grey.png" { &same } else { &smooth };
            let found = decoded(&path).unwrap();
            let off = found.iter().zip(wanted.iter()).map(|(a, b)| a.abs_diff(*b)).max();
            assert!(if exact { off == Some(0) } else { off < Some(25) }, "{name}: {off:?}");
        }
        // A PNG under the name of a JPEG.
        let path = folder.path().join("c.jpg");
        all.save_with_format(&path, ImageFormat::Png).unwrap();
        assert_eq!(decoded(&path).unwrap(), smooth);
        let jpeg = fs_err::read(folder.path().join("b.jpg")).unwrap();
        for length in [jpeg.len() / 2, jpeg.len() - 1] {
            fs_err::write(&path, &jpeg[..length]).unwrap();
            let error = decoded(&path).unwrap_err().to_string();
            assert!(error.contains("c.jpg: expected an image in PNG, JPEG or WebP"), "{error}");
            assert!(error.contains("cut off"), "{error}");
        }
        // A photo in motion: what follows the image is not the image's, whole or cut off.
        let film = [0, 0xFF, 0xDA, 0, 8, 0xFF, 0xD9, 1, 0xFF, 0xDA, 7];
        fs_err::write(&path, [&jpeg[..], &film].concat()).unwrap();
        assert!(decoded(&path).is_ok());
        assert!(is_cut_off_jpeg(&[0xFF, 0xD8, 0xFF, 0xE0, 0, 4]));
        fs_err::write(&path, "no image").unwrap();
        let error = decoded(&path).unwrap_err().to_string();
        assert!(error.contains("c.jpg: expected an image in PNG, JPEG or WebP"), "{error}");
    }
}
