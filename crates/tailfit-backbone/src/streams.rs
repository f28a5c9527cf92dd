//! Streams of images: which images a pass sees in which order, and how each is augmented.

use tailfit::error::Result;
use tailfit::recipe::Sampler;
use tch::{Kind, Tensor};

use crate::augment::{Look, Preparation};
use crate::batches::batches;
use crate::data::{ImageData, Subset};
use crate::layers::{NormMode, Pass};
use crate::recipe::BackboneRecipe;
use crate::systems::{EpochStart, Stream};

/// The streams of an epoch: the recipe's own, and those of its system. A stream without a sampler of
/// its own sees the same images in the same order.
pub(crate) fn streams(
    data: &ImageData,
    (own, sampler): (Preparation, Sampler),
    further: &[Stream],
    (seed, epoch, epochs): (u64, usize, usize),
) -> Vec<(Vec<u32>, Preparation)> {
    let first = data.order(sampler, seed, epoch, epochs);
    let stream = |(number, stream): (usize, &Stream)| {
        let drawn = |sampler| data.order(sampler, of_stream(seed, number + 1), epoch, epochs);
        let augmentation = stream.augmentation.unwrap_or(own.augmentation);
        (stream.sampler.map_or(first.clone(), drawn), Preparation { augmentation, ..own })
    };
    let further: Vec<_> = further.iter().enumerate().map(stream).collect();
    std::iter::once((first, own)).chain(further).collect()
}

/// Calls `f` with features `[B, D]`, in f64, and labels `[B]` of all training images, augmented and
/// shuffled, in evaluation mode. `stream` tells such passes apart.
///
/// # Errors
///
/// If an image cannot be read.
pub(crate) fn look_at_training_images(
    start: &EpochStart<'_>,
    stream: usize,
    f: &mut dyn FnMut(Tensor, Tensor),
) -> Result<()> {
    let EpochStart { network, recipe, data, seed, epoch } = *start;
    let BackboneRecipe { sgd, .. } = recipe;
    let device = network.parameters().device();
    let order = data.order(Sampler::InstanceBalanced, of_stream(seed, stream), epoch, sgd.epochs);
    let images = (data.subset(Subset::Train).0, recipe.preparation());
    let look = move |place| Look::Augmented { seed, epoch, place: placed(stream, place) };
    let pass = Pass { norm: NormMode::Evaluate, bf16: recipe.bf16() };
    tch::no_grad(|| {
        std::thread::scope(|scope| {
            for batch in batches(scope, images, (order, 0), sgd.batch_size, look)? {
                let batch = batch?;
                let features = network.features(&batch.images(device), pass);
                let labels = Tensor::from_slice(&batch.labels).to_device(device);
                f(features.to_kind(Kind::Double), labels);
            }
            Ok(())
        })
    })
}

/// The place of an image for its augmentation: no two streams share one.
pub(crate) fn placed(stream: usize, place: usize) -> usize {
    (stream << 28) + place
}

/// The seed of the order that a further stream draws.
fn of_stream(seed: u64, stream: usize) -> u64 {
    seed ^ ((stream as u64) << 56)
}
