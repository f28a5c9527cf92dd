//! CIFAR-10 and CIFAR-100 in their binary format.

use std::path::{Path, PathBuf};

use super::{ImageSet, Images};
use crate::error::{Error, Result};

/// Height and width of a CIFAR image.
const SIDE: usize = 32;

/// Whether a folder holds CIFAR's binary files.
pub(super) fn is_cifar(folder: &Path) -> bool {
    ["train.bin", "test.bin", "data_batch_1.bin"].iter().any(|name| folder.join(name).exists())
}

/// The training and test images of a folder in CIFAR's binary format: `train.bin` and
/// `test.bin` (CIFAR-100, whose fine labels are the classes), or `data_batch_1.bin` to
/// `data_batch_5.bin` and `test_batch.bin` (CIFAR-10).
///
/// # Errors
///
/// If a file is missing or truncated, or a label is not a class.
pub fn read_cifar(folder: &Path) -> Result<ImageSet> {
    let has = |name: &str| folder.join(name).exists();
    let one = |name: &str| vec![folder.join(name)];
    if has("train.bin") || has("test.bin") {
        return Ok([read(&one("train.bin"), 100)?, read(&one("test.bin"), 100)?].into());
    }
    if has("data_batch_1.bin") {
        let batches: Vec<_> =
            (1..=5).map(|number| folder.join(format!("data_batch_{number}.bin"))).collect();
        return Ok([read(&batches, 10)?, read(&one("test_batch.bin"), 10)?].into());
    }
    let expected = "train.bin and test.bin, or data_batch_1.bin … and test_batch.bin";
    Err(Error::data(folder.display(), expected, "none of them", "take the binary version of CIFAR"))
}

/// Reads records of labels (the last of which is the class) and pixels.
fn read(paths: &[PathBuf], n_classes: usize) -> Result<Images> {
    let n_labels = if n_classes == 100 { 2 } else { 1 };
    let size = n_labels + 3 * SIDE * SIDE;
    let (mut pixels, mut labels) = (Vec::new(), Vec::new());
    for path in paths {
        let bytes = fs_err::read(path)?;
        if bytes.is_empty() || bytes.len() % size > 0 {
            let expected = format!("whole records of {size} bytes");
            let whole = bytes.len() / size;
            let found =
                format!("{} bytes: {whole} records and {} bytes", bytes.len(), bytes.len() % size);
            let remedy = "the file is cut off or from another data set; fetch it again";
            return Err(Error::data(path.display(), expected, found, remedy));
        }
        for (number, record) in bytes.chunks_exact(size).enumerate() {
            let label = record[n_labels - 1];
            if usize::from(label) >= n_classes {
                let place = format!("{}, record {number}", path.display());
                return Err(Error::data(place, format!("a label below {n_classes}"), label, ""));
            }
            labels.push(u32::from(label));
            // The file stores one plane per channel.
            let planes = &record[n_labels..];
            let pixel = |at: usize| [0, 1, 2].map(|plane| planes[plane * SIDE * SIDE + at]);
            pixels.extend((0..SIDE * SIDE).flat_map(pixel));
        }
    }
    Ok(Images::in_memory(pixels, (SIDE, SIDE), labels, n_classes))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::images::Pixels;

    /// A record of CIFAR-10: the label and its pixels.
    fn record(label: u8, pixel: u8) -> Vec<u8> {
        let plane = |channel: u8| vec![pixel + channel; SIDE * SIDE];
        [vec![label], plane(0), plane(1), plane(2)].concat()
    }

    #[test]
    fn records_are_read_and_damage_is_named() {
        let folder = std::env::temp_dir().join(format!("tailfit-cifar-{}", std::process::id()));
        fs_err::create_dir_all(&folder).unwrap();
        for number in 1..=5 {
            let bytes = [record(number, 7), record(0, number)].concat();
            fs_err::write(folder.join(format!("data_batch_{number}.bin")), bytes).unwrap();
        }
        fs_err::write(folder.join("test_batch.bin"), record(9, 1)).unwrap();
        let ImageSet { train, test, .. } = read_cifar(&folder).unwrap();
        assert_eq!(train.labels, [1, 0, 2, 0, 3, 0, 4, 0, 5, 0]);
        assert_eq!(test.labels, [9]);
        let Pixels::Memory { bytes, height: 32, width: 32 } = train.pixels else { panic!() };
        // The channels of a pixel are interleaved.
        assert_eq!((&bytes[3 * 3072..][..4], bytes[5 * 3072 - 1]), (&[2, 3, 4, 2][..], 9));

        let message = || read_cifar(&folder).unwrap_err().to_string();
        fs_err::write(folder.join("test_batch.bin"), &record(9, 1)[..3000]).unwrap();
        assert!(message().contains("0 records and 3000 bytes"), "{}", message());
        fs_err::write(folder.join("test_batch.bin"), record(10, 1)).unwrap();
        assert!(message().contains("record 0: expected a label below 10"), "{}", message());
        fs_err::remove_dir_all(&folder).unwrap();
        assert!(read_cifar(&folder).is_err());
    }
}
