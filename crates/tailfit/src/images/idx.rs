//! IDX, the format of MNIST, Fashion-MNIST and KMNIST.

use std::io::Read;
use std::path::{Path, PathBuf};

use flate2::read::GzDecoder;

use super::{ImageSet, Images};
use crate::error::{Error, Result};

/// File names of images and labels, for training and test.
const NAMES: [[&str; 2]; 2] = [
    ["train-images-idx3-ubyte", "train-labels-idx1-ubyte"],
    ["t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"],
];

/// Whether a folder holds any of these files.
pub(super) fn is_idx(folder: &Path) -> bool {
    NAMES.iter().flatten().any(|name| existing(folder, name).is_some())
}

/// The training and test images of a folder with `train-images-idx3-ubyte`,
/// `train-labels-idx1-ubyte`, `t10k-images-idx3-ubyte` and `t10k-labels-idx1-ubyte`, each plain
/// or gzipped (`.gz`). Grey becomes three equal channels.
///
/// # Errors
///
/// If a file is missing, truncated or not IDX, or the numbers of images and labels differ.
pub fn read_idx(folder: &Path) -> Result<ImageSet> {
    let [train, test] = NAMES.map(|[images, labels]| -> Result<_> {
        let (place, pixels, sizes) = read(folder, images, 3)?;
        let (_, labels, n) = read(folder, labels, 1)?;
        if n[0] != sizes[0] {
            let expected = format!("{} images, one for each label", n[0]);
            return Err(Error::data(place.display(), expected, sizes[0], ""));
        }
        let bytes = pixels.into_iter().flat_map(|grey| [grey; 3]).collect();
        let labels: Vec<u32> = labels.into_iter().map(u32::from).collect();
        Ok((bytes, (sizes[1], sizes[2]), labels))
    });
    let (train, test) = (train?, test?);
    let n_classes = train.2.iter().chain(&test.2).max().map_or(0, |&label| label as usize + 1);
    let images = |(bytes, size, labels)| Images::in_memory(bytes, size, labels, n_classes);
    Ok([images(train), images(test)].into())
}

fn existing(folder: &Path, name: &str) -> Option<PathBuf> {
    [name.to_owned(), format!("{name}.gz")]
        .map(|name| folder.join(name))
        .into_iter()
        .find(|p| p.exists())
}

/// A file's path, its data, and its sizes, one per dimension.
fn read(folder: &Path, name: &str, dimensions: usize) -> Result<(PathBuf, Vec<u8>, Vec<usize>)> {
    let path = existing(folder, name).ok_or_else(|| {
        Error::data(folder.display(), format!("{name} or {name}.gz"), "neither", REMEDY)
    })?;
    let zipped = path.extension().is_some_and(|extension| extension == "gz");
    let place = path.display().to_string();
    let (data, sizes) = parse(fs_err::read(&path)?, zipped, dimensions, &place)?;
    Ok((path, data, sizes))
}

const REMEDY: &str = "fetch the file again";

/// The data of a file and its sizes. What is unpacked is counted: more than 100 times the file and
/// 64 MiB is refused.
pub(crate) fn parse(
    mut bytes: Vec<u8>,
    zipped: bool,
    dimensions: usize,
    place: &str,
) -> Result<(Vec<u8>, Vec<usize>)> {
    if zipped {
        let limit = (64 << 20) + 100 * bytes.len() as u64;
        let mut raw = Vec::new();
        GzDecoder::new(bytes.as_slice())
            .take(limit + 1)
            .read_to_end(&mut raw)
            .map_err(|error| Error::data(place, "gzip", error, REMEDY))?;
        if raw.len() as u64 > limit {
            let found = format!("more than {limit} bytes in a file of a hundredth of that");
            return Err(Error::data(place, "images, which hardly compress", found, REMEDY));
        }
        bytes = raw;
    }
    let header = 4 + 4 * dimensions;
    let magic = [0, 0, 8, dimensions as u8];
    if bytes.len() < header || bytes[..4] != magic {
        let expected = format!("an IDX file of unsigned bytes in {dimensions} dimensions");
        return Err(Error::data(place, expected, "something else", REMEDY));
    }
    let sizes: Vec<usize> = bytes[4..header]
        .as_chunks::<4>()
        .0
        .iter()
        .map(|&size| u32::from_be_bytes(size) as usize)
        .collect();
    let expected = sizes.iter().try_fold(1_usize, |n, &size| n.checked_mul(size));
    if expected != Some(bytes.len() - header) || sizes.contains(&0) {
        let expected = format!("data of sizes {sizes:?}");
        let found = format!("{} bytes", bytes.len() - header);
        return Err(Error::data(place, expected, found, REMEDY));
    }
    bytes.drain(..header);
    Ok((bytes, sizes))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::images::Pixels;

    /// An IDX file of images or labels.
    fn idx(sizes: &[u8], data: &[u8]) -> Vec<u8> {
        let mut bytes = vec![0, 0, 8, sizes.len() as u8];
        for &size in sizes {
            bytes.extend([0, 0, 0, size]);
        }
        [bytes, data.to_vec()].concat()
    }

    #[test]
    fn plain_and_gzipped_files_are_read_and_damage_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path();
        let put = |name: &str, bytes: &[u8]| fs_err::write(folder.join(name), bytes).unwrap();
        put(NAMES[0][0], &idx(&[2, 2, 3], &[1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]));
        put(NAMES[0][1], &idx(&[2], &[1, 0]));
        put(NAMES[1][0], &idx(&[1, 2, 3], &[9; 6]));
        let mut gz = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        std::io::Write::write_all(&mut gz, &idx(&[1], &[2])).unwrap();
        let gz = gz.finish().unwrap();
        put("t10k-labels-idx1-ubyte.gz", &gz);
        assert!(is_idx(folder));
        let set = read_idx(folder).unwrap();
        assert_eq!((set.train.labels, set.train.n_classes), (vec![1, 0], 3));
        let Pixels::Memory { bytes, height: 2, width: 3 } = set.train.pixels else { panic!() };
        let wanted: Vec<u8> = (7..=12).flat_map(|grey| [grey; 3]).collect();
        assert_eq!(bytes[18..], wanted);

        let message = || read_idx(folder).unwrap_err().to_string();
        put("t10k-labels-idx1-ubyte.gz", &gz[..gz.len() - 4]);
        assert!(message().contains("expected gzip"), "{}", message());
        put(NAMES[1][1], &idx(&[2], &[2, 2]));
        assert!(message().contains("2 images, one for each label"), "{}", message());
        put(NAMES[0][0], &idx(&[2, 2, 3], &[1, 2]));
        assert!(message().contains("sizes [2, 2, 3], found 2 bytes"), "{}", message());
        put(NAMES[0][0], &idx(&[2], &[1, 2]));
        assert!(message().contains("3 dimensions"), "{}", message());
    }
}
