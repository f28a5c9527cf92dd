//! Features embedded in the program, so that it can show real results at once.

use super::{Features, HeadFile, head_from_bytes};
use crate::error::Result;

/// What the embedded features are and how they were made.
pub const PROVENANCE: &str = "CIFAR-100-LT, imbalance ratio 100, through a ResNet-32 trained from scratch on it by \
`tailfit train-backbone --config configs/stage-1/cross-entropy.toml`: first n images of each class in file order (10,847 \
images, split sha256 b857578b7990), shortcuts padded with zeros, cross-entropy, pad-4 crop and flip, SGD momentum 0.9, learning rate 0.1 cosine to \
0, weight decay 5e-4 on everything, batch 128, 200 epochs in bf16, seed 0, last epoch. Train: plain features. Test: plain \
and mirrored features of the 10,000 test images. Taken in bf16, stored in f16, the head in f32.";

/// Name of the embedded data set.
pub const NAME: &str = "cifar100-lt-ir100-resnet32";

const TRAIN: &[u8] = include_bytes!("../../embedded/train.safetensors");
const TEST: &[u8] = include_bytes!("../../embedded/test.safetensors");
const HEAD: &[u8] = include_bytes!("../../embedded/head.safetensors");

/// Size of the embedded files in bytes.
pub const SIZE: usize = TRAIN.len() + TEST.len() + HEAD.len();

/// Loads the training set, the test set and the stage-1 head.
///
/// # Errors
///
/// Only if the program was built from damaged files.
pub fn load() -> Result<(Features, Features, HeadFile)> {
    let read = |bytes: &[u8], which: &str| {
        let place = format!("embedded {NAME} {which}");
        Features::from_bytes(bytes.to_vec(), "safetensors", &place)
    };
    let head = head_from_bytes(HEAD.to_vec(), &format!("embedded {NAME} head"), None)?;
    let mut sets = [read(TRAIN, "train")?, read(TEST, "test")?];
    for set in &mut sets {
        PROVENANCE.clone_into(&mut set.provenance);
    }
    let [train, test] = sets;
    Ok((train, test, head))
}
